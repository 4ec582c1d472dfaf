"""Random programs, run beside plain Python objects: every step has the same result, or the same error, on both sides.

Hypothesis keeps the programs that failed and prints how to run one again.
"""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import utan

settings.register_profile(
    "utan", deadline=None, print_blob=True, suppress_health_check=list(HealthCheck), max_examples=60, stateful_step_count=40
)
settings.load_profile("utan")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.binary(max_size=12)
    | st.datetimes()
    | st.uuids()
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=4),
    max_leaves=12,
)
keys = st.integers(-3, 6) | st.sampled_from(["", "a", "b", "ab", b"a", None, True, 1.0, 2.5, (1, "a"), ()])
positions = st.integers(-9, 9)
slices = st.builds(slice, st.none() | positions, st.none() | positions, st.sampled_from([None, 1, 2, 3, -1, -2]))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with utan.open(tmp_path_factory.mktemp("random") / "test.utan") as db:
        yield db
        assert db.check()["problems"] == []


def outcome(function):
    """What a call answers, with containers as plain objects, or the type of its error."""
    try:
        result = function()
    except (KeyError, IndexError, ValueError, TypeError) as error:
        return type(error)
    if isinstance(result, tuple):
        return tuple(part.native() if hasattr(part, "native") else part for part in result)
    return result.native() if hasattr(result, "native") else result


@given(plain)
def test_any_plain_data_comes_back(store, data):
    store["x"] = data
    assert store["x"] == data and data == store["x"]
    found = store["x"]
    found = found.native() if hasattr(found, "native") else found
    assert found == data and repr(type(found)) == repr(type(data))
    if hasattr(store["x"], "native"):
        assert store["x"].copy() == data
        with utan.open(":memory:") as other:
            other["y"] = store["x"]
            assert other["y"] == data


@given(st.dictionaries(st.text(max_size=4), plain, max_size=5))
def test_json_is_lossless(store, data):
    entries = utan.Dict(store, data)
    again = utan.Dict(store)
    again.load_json(entries.to_json())
    assert again == entries


@given(st.lists(keys | scalars.filter(lambda key: key == key), unique=True))
def test_order_is_the_same_for_dict_and_collection(store, some):
    entries, many = utan.Dict(store, ((key, 1) for key in some)), utan.Collection(store, ((key, 1) for key in some))
    order = list(entries)
    assert order == list(many) == list(reversed(list(reversed(many)))) and len(order) == len(dict.fromkeys(some))
    for low, high in itertools.combinations(order[:6], 2):
        expected = order[order.index(low) : order.index(high)]
        assert [key for key, _ in entries.range(low, high)] == expected == [key for key, _ in many.range(low, high)]
        assert many.count_range(low, high) == len(expected)


class ListProgram(RuleBasedStateMachine):
    store = None

    @initialize(values=st.lists(plain, max_size=6))
    def begin(self, values):
        self.plain = list(values)
        self.live = utan.List(self.store, values)

    def both(self, step):
        assert outcome(lambda: step(self.live)) == outcome(lambda: step(self.plain))

    @rule(value=plain)
    def append(self, value):
        self.both(lambda items: items.append(value))

    @rule(values=st.lists(plain, max_size=4))
    def extend(self, values):
        self.both(lambda items: items.extend(values))

    @rule(position=positions, value=plain)
    def insert(self, position, value):
        self.both(lambda items: items.insert(position, value))

    @rule(position=positions)
    def pop(self, position):
        self.both(lambda items: items.pop(position))

    @rule(position=positions)
    def get(self, position):
        self.both(lambda items: items[position])

    @rule(position=positions, value=plain)
    def set(self, position, value):
        self.both(lambda items: items.__setitem__(position, value))

    @rule(position=positions)
    def delete(self, position):
        self.both(lambda items: items.__delitem__(position))

    @rule(piece=slices)
    def get_slice(self, piece):
        found, expected = self.live[piece], self.plain[piece]
        assert found == expected and type(found) is list

    @rule(piece=slices, values=st.lists(plain, max_size=4))
    def set_slice(self, piece, values):
        self.both(lambda items: items.__setitem__(piece, values))

    @rule(piece=slices)
    def delete_slice(self, piece):
        self.both(lambda items: items.__delitem__(piece))

    @rule(value=plain)
    def find(self, value):
        self.both(lambda items: items.index(value))
        self.both(lambda items: items.count(value))
        self.both(lambda items: value in items)

    @rule(value=plain)
    def remove(self, value):
        self.both(lambda items: items.remove(value))

    @rule(reverse=st.booleans())
    def sort(self, reverse):
        # Not by repr: a Dict has its own order.
        def key(value):
            has_parts = isinstance(value, (list, dict, utan.List, utan.Dict))
            return str(len(value)) if has_parts else repr(value)

        self.both(lambda items: items.sort(key=key, reverse=reverse))

    @rule()
    def reverse(self):
        self.both(lambda items: items.reverse())

    @rule(times=st.integers(-1, 3))
    def repeat(self, times):
        if len(self.plain) < 20:
            assert self.live * times == self.plain * times
            self.live *= times
            # A container that is repeated is the same one in each place, as in Python.
            self.plain *= times

    @rule(by=st.integers(-5, 5), position=positions)
    def increase(self, by, position):
        try:
            old = self.plain[position]
        except IndexError:
            assert outcome(lambda: self.live.incr(position, by)) is IndexError
            return
        if isinstance(old, (int, float)):
            self.plain[position] = old + by
            assert self.live.incr(position, by) == self.plain[position]
        else:
            assert outcome(lambda: self.live.incr(position, by)) is TypeError

    @invariant()
    def same(self):
        if hasattr(self, "plain"):
            assert len(self.live) == len(self.plain)
            assert self.live == self.plain and self.live.native() == self.plain
            assert list(reversed(self.live)) == list(reversed(self.plain))


class MappingProgram(RuleBasedStateMachine):
    store = None

    @initialize(kind=st.sampled_from([utan.Dict, utan.Collection, utan.Table]), entries=st.dictionaries(keys, plain, max_size=6))
    def begin(self, kind, entries):
        self.plain = dict(entries)
        self.live = kind(self.store, entries)

    def both(self, step):
        assert outcome(lambda: step(self.live)) == outcome(lambda: step(self.plain))

    @rule(key=keys, value=plain)
    def set(self, key, value):
        self.both(lambda entries: entries.__setitem__(key, value))

    @rule(key=keys)
    def get(self, key):
        self.both(lambda entries: entries[key])
        self.both(lambda entries: entries.get(key, "default"))
        self.both(lambda entries: key in entries)

    @rule(key=keys)
    def delete(self, key):
        self.both(lambda entries: entries.__delitem__(key))

    @rule(key=keys, default=st.booleans())
    def pop(self, key, default):
        self.both((lambda entries: entries.pop(key, 5)) if default else (lambda entries: entries.pop(key)))

    @rule()
    def popitem(self):
        if not self.plain:
            self.both(lambda entries: entries.popitem())
            return
        expected = None if isinstance(self.live, utan.Table) else list(self.live)[-1]
        key, value = self.live.popitem()
        assert (expected is None and key is None) or isinstance(self.live, utan.Table) or key == expected
        assert self.plain.pop(key) == value

    @rule(key=keys, value=plain)
    def setdefault(self, key, value):
        self.both(lambda entries: entries.setdefault(key, value))

    @rule(more=st.dictionaries(keys, plain, max_size=4), pairs=st.booleans())
    def update(self, more, pairs):
        self.both(lambda entries: entries.update(list(more.items()) if pairs else more))

    @rule(more=st.dictionaries(keys, plain, max_size=4))
    def join(self, more):
        assert self.live | more == self.plain | more and more | self.live == more | self.plain
        self.live |= more
        self.plain |= more

    @rule(key=keys, old=scalars, new=plain)
    def replace(self, key, old, new):
        known = key in self.plain and not isinstance(self.plain[key], (dict, list)) and self.plain[key] == old
        assert self.live.replace(key, old, new) is known
        if known:
            self.plain[key] = new

    @rule(key=keys, new=plain)
    def replace_what_is_there(self, key, new):
        if key in self.plain:
            assert self.live.replace(key, self.live[key], new)
            self.plain[key] = new

    @rule(key=keys, value=plain)
    def alter(self, key, value):
        expected = [self.plain.get(key, "none"), value]
        assert self.live.alter(key, lambda old: [old, value], default="none") == expected
        self.plain[key] = expected

    @rule(some=st.sets(keys, max_size=4))
    def views(self, some):
        for operation in ("__and__", "__or__", "__sub__", "__xor__"):
            assert getattr(self.live.keys(), operation)(some) == getattr(self.plain.keys(), operation)(some)
        for comparison in ("__eq__", "__le__", "__lt__", "__ge__", "__gt__", "__ne__"):
            assert getattr(self.live.keys(), comparison)(some) == getattr(self.plain.keys(), comparison)(some)
        assert self.live.items() == self.plain.items() and self.live.keys().isdisjoint(some) == self.plain.keys().isdisjoint(some)

    @rule()
    def clear(self):
        self.both(lambda entries: entries.clear())

    @invariant()
    def same(self):
        if hasattr(self, "plain"):
            assert len(self.live) == len(self.plain)
            assert self.live == self.plain and self.plain == self.live and self.live.native() == self.plain
            assert dict(self.live.items()) == self.plain and set(self.live) == set(self.plain)


@pytest.mark.parametrize("program", [ListProgram, MappingProgram])
def test_programs(store, program):
    program.store = store
    run_state_machine_as_test(program)
