"""Dict, Collection and Table do what a dict does; Dict and Collection have order besides."""

import collections.abc
import copy
import json
import operator

import pytest

import utan


def test_they_are_mutable_mappings_and_match_as_such(mapping, db):
    assert isinstance(mapping, collections.abc.MutableMapping)
    assert isinstance(db, collections.abc.MutableMapping)
    mapping.update(a=1, b=[1, 2, 3])
    match mapping:
        case {"a": 1, "b": [first, *rest]}:
            assert first == 1 and rest == [2, 3]
        case _:
            pytest.fail("no match")


def test_one_value(mapping):
    assert len(mapping) == 0 and not mapping
    mapping["a"] = 1
    mapping["a"] = 2
    assert mapping["a"] == 2 and "a" in mapping and "b" not in mapping and len(mapping) == 1
    assert mapping.get("a") == 2 and mapping.get("b") is None and mapping.get("b", 7) == 7
    del mapping["a"]
    for operation in (lambda: mapping["a"], lambda: mapping.__delitem__("a"), lambda: mapping.pop("a")):
        with pytest.raises(KeyError) as raised:
            operation()
        assert raised.value.args == ("a",)
    with pytest.raises(KeyError) as raised:
        mapping[(1, 2)]
    assert raised.value.args == ((1, 2),)
    assert mapping.pop("a", "none") == "none"


def test_pop_and_popitem(mapping):
    mapping.update({i: [i] for i in range(10)})
    live = mapping.pop(3)
    assert type(live) is utan.List and live == [3]
    live.append(4)
    assert live == [3, 4]
    seen = set()
    while mapping:
        key, value = mapping.popitem()
        assert value == [key]
        seen.add(key)
    assert seen == set(range(10)) - {3}
    with pytest.raises(KeyError):
        mapping.popitem()


def test_popitem_takes_the_last_key(ordered):
    ordered.update(zip("bca", range(3)))
    assert ordered.popitem() == ("c", 1)


def test_setdefault_gives_the_live_container(mapping):
    assert mapping.setdefault("a", []) is mapping["a"]
    mapping.setdefault("a", []).append(1)
    assert mapping["a"] == [1]
    assert mapping.setdefault("b") is None and "b" in mapping
    assert mapping.setdefault("a", 5) == [1]


def test_update_takes_what_dict_update_takes(mapping, db):
    mapping.update({"a": 1}, b=2)
    mapping.update([("c", 3), ["d", 4]])
    mapping.update(x for x in [("e", 5)])
    mapping.update(db.dict("other"))
    db.dict("other").update(f=6)
    mapping.update(db.dict("other"))
    mapping.update()
    assert mapping == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}
    for wrong, error in (([1], TypeError), ([(1, 2, 3)], ValueError), (5, TypeError), ([(1,)], ValueError)):
        with pytest.raises(error):
            mapping.update(wrong)
    with pytest.raises(TypeError):
        mapping.update({}, {})


def test_views_are_live_and_as_those_of_dict(mapping):
    plain = {"a": 1, "b": 2, "c": 3}
    keys, values, items = mapping.keys(), mapping.values(), mapping.items()
    mapping.update(plain)
    assert len(keys) == len(values) == len(items) == 3
    assert sorted(keys) == ["a", "b", "c"] and sorted(values) == [1, 2, 3] and sorted(items) == sorted(plain.items())
    assert "a" in keys and "z" not in keys and 2 in values and ("a", 1) in items and ("a", 2) not in items
    assert ("z", 1) not in items and "a" not in items
    assert keys == plain.keys() and items == plain.items() and keys == {"a", "b", "c"} and keys != {"a"}
    assert keys & ["a", "z"] == {"a"} and keys | ["z"] == {"a", "b", "c", "z"} and keys - {"a"} == {"b", "c"}
    assert keys ^ {"a", "z"} == {"b", "c", "z"} and {"a", "z"} - keys == {"z"} and {"a"} <= keys and keys > {"a"}
    assert items & [("a", 1)] == {("a", 1)} and keys.isdisjoint(["x"]) and not keys.isdisjoint(["a"])
    assert type(keys & {"a"}) is set
    assert isinstance(keys, collections.abc.KeysView) and isinstance(items, collections.abc.ItemsView)
    assert isinstance(values, collections.abc.ValuesView)
    assert keys.mapping["a"] == 1
    with pytest.raises(TypeError):
        keys.mapping["a"] = 2
    with pytest.raises(TypeError):
        hash(keys)
    mapping["l"] = []
    assert mapping.items() == {**plain, "l": []}.items() and mapping.items() != {**plain, "l": [1]}.items()
    assert repr(mapping.keys()).endswith(")") and "'a'" in repr(mapping.keys())


def test_order_of_keys_and_reversed(ordered):
    ordered.update({3: "c", 1: "a", 2: "b"})
    assert list(ordered) == [1, 2, 3] and list(reversed(ordered)) == [3, 2, 1]
    assert list(reversed(ordered.items())) == [(3, "c"), (2, "b"), (1, "a")]
    assert list(reversed(ordered.keys())) == [3, 2, 1] and list(reversed(ordered.values())) == ["c", "b", "a"]


def test_a_table_has_no_order(db):
    table = db.table("t")
    table[1] = 1
    with pytest.raises(TypeError):
        reversed(table)
    assert not hasattr(table, "first") and not hasattr(table, "range")


def test_keys_of_all_types_have_one_order(ordered):
    import uuid
    from datetime import datetime, timezone

    in_order = [None, -1.5, 0, 1, 2**70, datetime(2024, 1, 1), datetime(2020, 1, 1, tzinfo=timezone.utc), uuid.UUID(int=1),
                b"a", "", "a", "b", (), (1,), (1, "a"), ("a",)]
    ordered.update((key, 1) for key in reversed(in_order))
    assert list(ordered) == in_order


def test_first_last_floor_ceiling(ordered):
    for operation in (ordered.first, ordered.last, lambda: ordered.floor(1), lambda: ordered.ceiling(1)):
        with pytest.raises(KeyError):
            operation()
    ordered.update({10: "a", 20: "b", 30: []})
    assert ordered.first() == (10, "a") and ordered.last() == (30, [])
    assert ordered.floor(25) == (20, "b") and ordered.floor(20) == (20, "b") and ordered.ceiling(11) == (20, "b")
    assert ordered.last()[1] is ordered[30]
    with pytest.raises(KeyError):
        ordered.floor(9)
    with pytest.raises(KeyError):
        ordered.ceiling(31)


def test_ranges(ordered):
    ordered.update((i, str(i)) for i in range(10))
    ordered.update({"aa": 1, "ab": 2, "b": 3, b"a": 4})

    def keys(*arguments, **named):
        return [key for key, value in ordered.range(*arguments, **named)]

    assert keys(2, 5) == [2, 3, 4] and keys(8, 10) == [8, 9] and keys(high=2) == [0, 1]
    assert keys(2, 5, inclusive=(False, True)) == [3, 4, 5] and keys(2, 2) == [] and keys(5, 2) == []
    assert keys(2, 5, reverse=True) == [4, 3, 2] and keys(2, 8, limit=2) == [2, 3] and keys(limit=0) == []
    assert keys(2, 8, limit=2, reverse=True) == [7, 6]
    assert keys(prefix="a") == ["aa", "ab"] and keys(prefix=b"") == [b"a"] and keys("ab", prefix="a") == ["ab"]
    assert dict(ordered.range(1, 2)) == {1: "1"}
    assert ordered.count_range(2, 5) == 3 and ordered.count_range(prefix="a") == 2 and ordered.count_range() == 14
    assert ordered.delete_range(2, 5, inclusive=(True, True)) == 4 and ordered.delete_range(2, 5) == 0
    assert keys(0, 10) == [0, 1, 6, 7, 8, 9]
    with pytest.raises(TypeError, match="inclusive is a pair"):
        ordered.range(2, 5, inclusive=True)
    for wrong, error in (({"limit": -1}, ValueError), ({"inclusive": True}, TypeError), ({"prefix": 5}, TypeError),
                         ({"low": []}, TypeError), ({"inclusive": (1, 2, 3)}, ValueError), ({"other": 1}, TypeError)):
        with pytest.raises(error):
            ordered.range(**wrong)


def test_iteration_sees_one_commit_and_can_be_closed(mapping):
    mapping.update({i: i for i in range(1000)})
    iterator = iter(mapping.items())
    first = next(iterator)
    mapping.clear()
    mapping["new"] = 1
    rest = list(iterator)
    assert sorted([first, *rest]) == [(i, i) for i in range(1000)]
    assert list(iterator) == []
    iterator = iter(mapping)
    iterator.close()
    assert list(iterator) == []


def test_equality_is_by_content(mapping, db):
    plain = {"a": [1, {"b": None}], "c": 1.0}
    mapping.update(plain)
    assert mapping == plain and plain == mapping and not mapping != plain
    assert mapping == {"c": 1, "a": [1.0, {"b": None}]}
    assert mapping != {"a": [1, {"b": 0}], "c": 1.0} and mapping != {"a": plain["a"]} and mapping != {}
    for other in (db.dict("x"), db.collection("y"), db.table("z")):
        other.update(plain)
        assert mapping == other and other == mapping
        other["c"] = 2
        assert mapping != other
    assert mapping != [] and mapping != "a" and (mapping == None) is False  # noqa: E711
    with utan.open(":memory:") as store:
        store["m"] = mapping
        assert store["m"] == mapping and store["m"] is not mapping
    with pytest.raises(TypeError):
        hash(mapping)
    with pytest.raises(TypeError):
        mapping < {}  # noqa: B015


def test_equality_asks_others_about_containers(db):
    from unittest.mock import ANY

    db["x"] = {"a": [1], "b": 2}
    assert db["x"] == {"a": ANY, "b": ANY}


def test_or(mapping, db):
    mapping.update(a=1, b=[1])
    joined = mapping | {"a": 2, "c": 3}
    assert type(joined) is dict and joined == {"a": 2, "b": [1], "c": 3}
    assert joined["b"] is mapping["b"], "containers in it are live"
    reflected = {"a": 2, "c": 3} | mapping
    assert type(reflected) is dict and reflected == {"a": 1, "b": [1], "c": 3}
    assert mapping | db.dict("empty") == mapping
    same = mapping
    same |= {"z": 1}
    assert same is mapping and mapping["z"] == 1
    same |= [("y", 2)]
    assert mapping["y"] == 2
    for wrong in ([], 5, None):
        with pytest.raises(TypeError):
            mapping | wrong  # noqa: B018


def test_repr_is_that_of_the_plain_object(ordered):
    plain = {"a": [1, "x", {"b": None}], "c": b"y"}
    ordered.update(plain)
    assert repr(ordered) == repr(plain)
    ordered["c"] = ordered
    assert repr(ordered) == "{'a': [1, 'x', {'b': None}], 'c': {...}}"


def test_repr_is_cut_after_a_thousand_items(ordered):
    ordered.update((i, 0) for i in range(5000))
    text = repr(ordered)
    assert text.endswith("999: 0, ...}") and text.count(":") == 1000


def test_copies_are_plain(mapping):
    mapping.update(a=[1, {"b": 2}])
    for copied in (mapping.native(), mapping.copy(), copy.copy(mapping), copy.deepcopy(mapping), copy.deepcopy([mapping])[0]):
        assert type(copied) is dict and type(copied["a"]) is list and type(copied["a"][1]) is dict
        assert copied == mapping
        copied["a"].append(1)
    assert mapping == {"a": [1, {"b": 2}]}


def test_json(mapping):
    import uuid
    from datetime import datetime, timezone

    plain = {"a": [1, 2.5, None, True], "$b": b"bytes", "when": datetime(2024, 1, 1, tzinfo=timezone.utc),
             "big": 2**70, "nan": float("inf"), "id": uuid.UUID(int=5), "items": {1: 2}}
    mapping.update(plain)
    text = mapping.to_json()
    mapping.clear()
    mapping["gone"] = 1
    mapping.load_json(text)
    assert mapping == plain
    assert json.loads(mapping.to_json(indent=2)) == json.loads(text)
    for wrong, error in (("[1]", TypeError), ("{", ValueError), (5, TypeError), ('{"a": 1} 2', ValueError)):
        with pytest.raises(error):
            mapping.load_json(wrong)
    for data in plain, [1], None:
        with pytest.raises(TypeError, match=f"^JSON is a string or bytes, not '{type(data).__name__}'$"):
            mapping.load_json(data)
    assert mapping == plain
    del mapping["big"]
    assert json.loads(json.dumps({"m": mapping}, default=utan.json_default))["m"]["a"] == [1, 2.5, None, True]


def test_atomic_steps(mapping):
    assert mapping.incr("n") == 1 and mapping.incr("n", 5) == 6 and mapping.incr("n", by=-0.5) == 5.5
    assert mapping.incr("big", 2**80) == 2**80 and mapping["n"] == 5.5
    mapping["s"] = "text"
    with pytest.raises(TypeError):
        mapping.incr("s")
    with pytest.raises(TypeError):
        mapping.incr("n", "1")
    assert mapping.replace("s", "text", 1) and not mapping.replace("s", "text", 2) and mapping["s"] == 1
    assert mapping.replace("s", True, 1.5), "1 == True"
    assert not mapping.replace("missing", None, 1) and "missing" not in mapping
    mapping["c"] = []
    assert not mapping.replace("c", [], 1), "containers are compared by identity"
    assert mapping.replace("c", mapping["c"], {"new": 1}) and mapping["c"] == {"new": 1}
    assert mapping.alter("n", lambda n: n * 2) == 11
    assert mapping.alter("fresh", lambda n: n + 1, default=1) == 2
    with pytest.raises(KeyError):
        mapping.alter("missing", lambda n: n)
    live = mapping.alter("list", lambda old: [*old, 1], default=[])
    assert live is mapping["list"] and live == [1]
    assert mapping.alter("list", lambda old: old) is live
    with pytest.raises(ZeroDivisionError):
        mapping.alter("n", lambda n: 1 / 0)
    assert mapping["n"] == 11


def test_alter_runs_again_if_somebody_was_faster(mapping):
    mapping["n"] = 0
    calls = []

    def add(n):
        calls.append(n)
        if len(calls) < 3:
            mapping["n"] = 10 * len(calls)
        return n + 1

    assert mapping.alter("n", add) == 21 and calls == [0, 10, 20]


def test_paths(mapping):
    mapping.set_at("a.b.c", 1)
    assert mapping == {"a": {"b": {"c": 1}}} and mapping.at("a.b.c") == 1 and mapping.at("a.b") is mapping["a"]["b"]
    mapping.set_at(["a", "l"], [10, [20]])
    assert mapping.at("a.l.1.0") == 20 and mapping.at(("a", "l", -1, 0)) == 20 and mapping.at("a/l/0", sep="/") == 10
    assert mapping.at("a.x") is None and mapping.at("a.x.y", 5) == 5 and mapping.at("a.l.7", default=6) == 6
    assert mapping.at("a.b.c.d", "no") == "no" and mapping.at("a.l.word", "no") == "no"
    assert mapping.at([]) is mapping
    mapping.set_at("a.l.1.0", 21)
    assert mapping["a"]["l"] == [10, [21]]
    mapping["0"] = "a string key"
    assert mapping.at("0") == "a string key"
    with pytest.raises(IndexError):
        mapping.set_at("a.l.2", 1)
    with pytest.raises(utan.DuplicateKeyError):
        mapping.set_at("a.b.c", 2, exist_ok=False)
    with pytest.raises(TypeError):
        mapping.set_at("a.b.c.d", 2)
    with pytest.raises(TypeError, match="^sep is a string, not 'NoneType'$"):
        mapping.at("a", sep=None)
    for wrong, error in ((lambda: mapping.at("a", sep=""), ValueError), (lambda: mapping.at(5), TypeError),
                         (lambda: mapping.set_at([], 1), ValueError), (lambda: mapping.at([[]]), TypeError)):
        with pytest.raises(error):
            wrong()
    assert mapping.at("a.b.c") == 1


def test_table_set_and_add(db):
    table = db.table("t")
    table.set("a", 1)
    assert table.add("a", 2) is False and table.add("b", []) is True and table == {"a": 1, "b": []}


def test_new_ones_are_unlinked_until_they_are_assigned(db):
    made = [utan.Dict(db, {"a": 1}, b=2), utan.Dict(db, [("a", 1), ("b", 2)]), utan.Collection(db, {"a": 1, "b": 2}),
            utan.Table(db, [("a", 1), ("b", 2)]), utan.Dict(db, a=1, b=2), utan.Collection(db, items={"a": 1, "b": 2})]
    for number, one in enumerate(made):
        assert one == {"a": 1, "b": 2}
        db[number] = one
        assert db[number] is one
    for wrong in (lambda: utan.Dict(), lambda: utan.Dict({}), lambda: utan.Collection(db, (), other=1),
                  lambda: utan.Dict(db, {}, {}), lambda: utan.Table(db, a=1)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError):
        utan.Collection(db, multi=True)


def test_notebooks(mapping):
    mapping.update({"a<b": [1], "c": 2})
    html = mapping._repr_html_()
    assert "a&lt;b" in html and html.startswith("<table>")
    assert sorted(mapping._ipython_key_completions_()) == ["a<b", "c"]


def test_generics_and_names():
    assert utan.Dict[str, int].__args__ == (str, int)
    for type_ in (utan.Dict, utan.List, utan.Collection, utan.Table, utan.Store):
        assert type_.__module__ == "utan" and type_.__doc__


# --- Views


def test_views_are_compared_as_those_of_dict_whatever_the_values(db):
    plain = {"a": [1], "b": {"c": 2}, "d": 3}
    db["m"] = plain
    live = db["m"]
    others = [plain, {}, {"a": [1]}, {"a": [2], "b": {"c": 2}, "d": 3}, {**plain, "e": 4}]
    compare = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
    for other in others:
        for function in compare:
            assert function(live.items(), other.items()) is function(plain.items(), other.items()), (function, other)
            assert function(live.keys(), other.keys()) is function(plain.keys(), other.keys())
            assert function(other.items(), live.items()) is function(other.items(), plain.items())
        assert live.items().isdisjoint(other.items()) is plain.items().isdisjoint(other.items())
        assert live.keys().isdisjoint(list(other)) is plain.keys().isdisjoint(list(other))
    assert (live.keys() == live.values()) is False and (live.values() == live.values()) is False
    with pytest.raises(TypeError):
        live.keys() < live.values()  # noqa: B015


# --- Types


def test_the_types_cannot_be_changed_or_exchanged(db):
    db["m"] = {"a": 1}
    for change in (lambda: setattr(utan.Dict, "get", None), lambda: setattr(db["m"], "__class__", utan.Collection),
                   lambda: setattr(db["m"], "__class__", utan.List), lambda: delattr(utan.List, "append")):
        with pytest.raises(TypeError):
            change()
    assert type(db["m"]) is utan.Dict and db["m"].get("a") == 1


def test_what_is_closed_can_still_be_told_apart(path):
    db = utan.open(path)
    db["m"], db["l"] = {}, []
    entries, items = db["m"], db["l"]
    db.close()
    for one in (db, entries, items):
        assert one == one and not one != one and one != None and one != 5 and one not in [1, "a"]  # noqa: E711, PLR0124
        with pytest.raises(utan.ClosedError):
            one == ([] if one is items else {})  # noqa: B015
