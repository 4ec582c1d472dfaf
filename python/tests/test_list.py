"""A List does what a list does."""

import collections.abc
import copy
import random

import pytest

import utan


@pytest.fixture
def items(db):
    return db.list("list")


def test_it_is_a_mutable_sequence_and_matches_as_such(items):
    assert isinstance(items, collections.abc.MutableSequence)
    items.extend([1, 2, 3])
    match items:
        case [1, *rest]:
            assert rest == [2, 3]
        case _:
            pytest.fail("no match")


def test_one_element(items):
    items.append("a")
    items.append(["b"])
    items.insert(0, "first")
    items.insert(-1, "x")
    items.insert(100, "last")
    items.insert(-100, "very first")
    assert items == ["very first", "first", "a", "x", ["b"], "last"]
    assert items[0] == "very first" and items[-1] == "last" and items[-2] is items[4]
    items[0] = {"k": 1}
    items[-1] = None
    assert items[0] == {"k": 1} and items[5] is None
    del items[0]
    del items[-1]
    assert items == ["first", "a", "x", ["b"]] and len(items) == 4
    for index in (4, -5, 2**62, 2**200):
        with pytest.raises(IndexError):
            items[index]
        with pytest.raises(IndexError):
            items[index] = 1
        with pytest.raises(IndexError):
            del items[index]
    for index in ("0", 1.0, None):
        with pytest.raises(TypeError):
            items[index]
        with pytest.raises(TypeError):
            items[index] = 1
    assert items[True] == "a"


def test_pop_remove_index_count(items):
    with pytest.raises(IndexError, match="empty"):
        items.pop()
    items.extend([1, 2, [3], 2, 1])
    assert items.pop() == 1 and items.pop(0) == 1 and items.pop(-1) == 2
    live = items.pop(1)
    live.append(4)
    assert live == [3, 4] and items == [2]
    with pytest.raises(IndexError):
        items.pop(5)
    items[:] = [1, 2, [3], 2, 1.0, "a"]
    assert items.index(2) == 1 and items.index(2, 2) == 3 and items.index(1, 1) == 4 and items.index([3]) == 2
    assert items.index(2, -4, -1) == 3 and items.count(2) == 2 and items.count([3]) == 1 and items.count("z") == 0
    assert 2 in items and [3] in items and "z" not in items
    for wrong in (lambda: items.index("z"), lambda: items.index(2, 2, 3), lambda: items.remove("z")):
        with pytest.raises(ValueError):
            wrong()
    items.remove(2)
    items.remove([3])
    assert items == [1, 2, 1, "a"]


def test_extend_and_operators(items, db):
    items.extend(range(2))
    items.extend(i for i in [2, [3]])
    items += "ab"
    assert items == [0, 1, 2, [3], "a", "b"]
    added = items + [9]
    assert type(added) is list and added == [0, 1, 2, [3], "a", "b", 9] and added[3] is items[3]
    assert [9] + items == [9, 0, 1, 2, [3], "a", "b"] and items + items == [*items, *items]
    items[:] = [1, []]
    assert items * 2 == [1, [], 1, []] and 2 * items == items * 2 and type(items * 2) is list and items * -1 == []
    items *= 2
    assert items == [1, [], 1, []] and items[1] is items[3]
    items *= 0
    assert items == [] and items is db["list"]
    for wrong in (lambda: items + (1,), lambda: items + 1, lambda: items * "a", lambda: items.extend(5), lambda: (1,) + items):
        with pytest.raises(TypeError):
            wrong()
    items.extend([1, 2])
    items.extend(items)
    assert items == [1, 2, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_slices_as_those_of_a_list(items, seed):
    print(f"seed {seed}")
    chance = random.Random(seed)
    plain = list(range(chance.randrange(12)))
    items[:] = plain
    bounds = [None, *range(-14, 15), 2**100, -(2**100)]
    for step_number in range(40):
        piece = slice(chance.choice(bounds), chance.choice(bounds), chance.choice([None, 1, 1, 2, 3, -1, -2, -5]))
        assert items[piece] == plain[piece]
        values = [chance.choice([step_number, "x", None]) for _ in range(chance.randrange(5))]
        if chance.random() < 0.3:
            values = list(range(len(plain[piece])))
        what = chance.choice(["set", "delete", "nothing"])
        if what == "delete":
            del items[piece], plain[piece]
        elif what == "set":
            try:
                plain[piece] = values
            except ValueError:
                with pytest.raises(ValueError):
                    items[piece] = values
            else:
                items[piece] = iter(values)
        assert items == plain and len(items) == len(plain)
    with pytest.raises(ValueError):
        items[::0]
    with pytest.raises(TypeError):
        items[0:1] = 5


def test_slices_are_plain_and_their_containers_live(items):
    items.extend([[1], [2], [3]])
    piece = items[1:]
    assert type(piece) is list and piece[0] is items[1]
    piece[0].append(5)
    assert items == [[1], [2, 5], [3]]
    items[:] = reversed(items)
    assert items == [[3], [2, 5], [1]] and items[1] is piece[0]


def test_sort_and_reverse(items):
    words = ["b", "A", "c", "a", "B"]
    items[:] = words
    items.sort()
    assert items == sorted(words)
    items.sort(key=str.lower, reverse=True)
    assert items == sorted(sorted(words), key=str.lower, reverse=True)
    items.reverse()
    assert items == list(reversed(sorted(sorted(words), key=str.lower, reverse=True)))
    items[:] = [1, "a"]
    with pytest.raises(TypeError):
        items.sort()
    with pytest.raises(TypeError):
        items.sort(str)
    assert items == [1, "a"]
    items[:] = [{"n": n} for n in (3, 1, 2)]
    third = items[0]
    items.sort(key=lambda entry: entry["n"])
    assert items == [{"n": 1}, {"n": 2}, {"n": 3}] and items[2] is third


def test_a_change_meanwhile_is_not_lost(items):
    items[:] = [3, 1, 2]
    added = []

    def key(value):
        if len(added) < 2:
            added.append(1)
            items.append(0)
        return value

    items.sort(key=key)
    assert items == [0, 0, 1, 2, 3]

    class Same:
        def __eq__(self, other):
            if len(added) < 4:
                added.append(1)
                items.insert(0, "new")
            return other == 1

    items.remove(Same())
    assert items == ["new", "new", 0, 0, 2, 3]


def test_iteration_and_reversed(items):
    items.extend(range(5000))
    iterator = iter(items)
    assert next(iterator) == 0
    items.clear()
    assert list(iterator) == list(range(1, 5000))
    items.extend("abc")
    assert list(reversed(items)) == ["c", "b", "a"] and [*items] == ["a", "b", "c"]


def test_comparisons(items, db):
    items.extend([1, [2, 3]])
    assert items == [1, [2, 3]] and [1, [2, 3]] == items and items != [1, [2]] and items != [1]
    assert items != (1, [2, 3]) and (1, [2, 3]) != items and items != {} and items != "a"
    db["other"] = [1.0, [2, 3.0]]
    assert items == db["other"]
    assert items < [2] and [0] < items and items <= [1, [2, 3]] and items > [1, [2]] and items >= db["other"]
    with pytest.raises(TypeError):
        items < (1,)  # noqa: B015
    with pytest.raises(TypeError):
        hash(items)


def test_copies_repr_and_json(items):
    items.extend([1, {"a": [b"x"]}, None])
    for copied in (items.native(), items.copy(), copy.copy(items), copy.deepcopy(items)):
        assert type(copied) is list and type(copied[1]) is dict and copied == items
    assert repr(items) == "[1, {'a': [b'x']}, None]"
    text = items.to_json()
    items.clear()
    items.load_json(text)
    assert items == [1, {"a": [b"x"]}, None]
    with pytest.raises(TypeError):
        items.load_json("{}")
    assert "<table>" in items._repr_html_()
    items.append(items)
    assert repr(items).endswith("None, [...]]")
    with pytest.raises(ValueError):
        items.to_json()


def test_atomic_steps_by_index(items):
    items.extend([1, "a", []])
    assert items.incr(0) == 2 and items.incr(-3, 2) == 4
    assert items.replace(1, "a", "b") and not items.replace(1, "a", "c") and not items.replace(9, 1, 2)
    assert items.alter(0, lambda n: n * 2) == 8 and items == [8, "b", []]
    assert items.at("0") == 8 and items.at([-1]) is items[2] and items.at("7", 5) == 5
    items.set_at("2", "x")
    assert items == [8, "b", "x"]
    for wrong in (lambda: items.incr(9), lambda: items.alter(9, str, default=1), lambda: items.set_at("9", 1)):
        with pytest.raises(IndexError):
            wrong()
    with pytest.raises(TypeError):
        items.incr("a")


def test_a_new_one(db):
    made = utan.List(db, (1, [2]))
    assert made == [1, [2]] and utan.List(db) == [] and utan.List(db, iterable="ab") == ["a", "b"]
    db["x"] = made
    assert db["x"] is made
    for wrong in (lambda: utan.List(), lambda: utan.List([1]), lambda: utan.List(db, 5), lambda: utan.List(db, [], 1)):
        with pytest.raises(TypeError):
            wrong()
