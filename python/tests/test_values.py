"""Every value that goes in comes out the same, and what cannot go in says where it was met."""

import collections.abc
import enum
import math
import os
import subprocess
import sys
import types
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest

import utan

PLAIN = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**59,
    -(2**59) - 1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**63) - 1,
    2**64,
    10**1000,
    -(10**1000),
    255 << 120,
    0.0,
    -0.0,
    1.5,
    0.1,
    5e-324,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    "",
    "a",
    "seven--",
    "eight---",
    "\0",
    "häßlich",
    "🦧",
    "x" * 100_000,
    b"",
    b"\0\xff",
    b"y" * 100_000,
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 2, 29, 12, 30, 15, 123456),
    datetime(2024, 2, 29, tzinfo=timezone.utc),
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    uuid.UUID("12345678-1234-5678-1234-567812345678"),
]
CODED = [
    date(2024, 2, 29),
    time(1, 2, 3, 4),
    time(1, 2, tzinfo=timezone(timedelta(hours=2))),
    timedelta(-1, 2, 3),
    Decimal("1.50"),
    Decimal("-Infinity"),
    complex(1, -2),
    (),
    (1, "a", (b"b", None), [1, {"k": (2,)}]),
    set(),
    {1, "a", Decimal(2)},
    frozenset({date(2020, 1, 1)}),
]


def same(a, b):
    # Equal sets may be in any order.
    return a == b and type(a) is type(b) and (isinstance(a, (set, frozenset)) or repr(a) == repr(b))


@pytest.mark.parametrize("value", PLAIN + CODED, ids=lambda value: repr(value)[:30])
def test_a_value_comes_back_the_same_from_everywhere(db, value):
    db["x"] = value
    assert same(db["x"], value)
    db["nested"] = {"a": [value, {"b": value}]}
    assert same(db["nested"]["a"][0], value)
    assert same(db.at("nested.a.1.b"), value)
    db.table("t")["x"] = value
    assert same(db["t"]["x"], value)
    db.list("l").append(value)
    assert same(db["l"][0], value)
    assert same(next(iter(db["l"])), value)
    assert same(db["nested"].native()["a"][0], value)


def test_nan_comes_back_as_nan(db):
    db["x"] = math.nan
    assert math.isnan(db["x"])
    assert db.alter("x", lambda value: 1.0 if math.isnan(value) else value) == 1.0
    assert db["x"] == 1.0


@pytest.mark.parametrize("key", [value for value in PLAIN] + [(), (1, "a"), ((2,), None, uuid.UUID(int=7), uuid.UUID(int=8))],
                         ids=lambda key: repr(key)[:30])
def test_a_key_comes_back_the_same(mapping, key):
    if isinstance(key, (str, bytes)) and len(key) > 65_536:
        with pytest.raises(ValueError):
            mapping[key] = 1
        return
    mapping[key] = "value"
    assert mapping[key] == "value"
    assert key in mapping
    (found,) = mapping
    assert same(found, key)
    assert len(mapping) == 1
    del mapping[key]
    assert key not in mapping


@pytest.mark.parametrize("key", [[], {}, set(), object(), math.nan, Decimal(1), (1, []), date(2020, 1, 1), lambda: 0],
                         ids=lambda key: type(key).__name__)
def test_looking_up_what_cannot_be_a_key_is_a_type_error(mapping, key):
    for operation in (
        lambda: mapping[key],
        lambda: mapping.get(key),
        lambda: key in mapping,
        lambda: mapping.__setitem__(key, 1),
        lambda: mapping.__delitem__(key),
        lambda: mapping.pop(key, None),
        lambda: mapping.setdefault(key, 1),
        lambda: mapping.update({key: 1} if not isinstance(key, (list, dict, set)) and key != (1, []) else [(key, 1)]),
    ):
        with pytest.raises(TypeError):
            operation()
    assert len(mapping) == 0


def test_one_and_true_are_one_key_and_the_first_spelling_stays(mapping):
    mapping[1] = "a"
    mapping[1.0] = "b"
    mapping[True] = "c"
    assert list(mapping.items()) == [(1, "c")]
    assert type(list(mapping)[0]) is int
    mapping[0.0] = "zero"
    mapping[False] = "again"
    assert mapping[0] == "again" and len(mapping) == 2


def test_naive_datetimes_come_back_naive_and_aware_ones_in_utc(db):
    aware = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    db["x"] = aware
    assert db["x"] == aware and db["x"].tzinfo is timezone.utc and db["x"].hour == 6
    naive = datetime(2024, 1, 1, 12, 0, 0, 1)
    db["x"] = naive
    assert db["x"] == naive and db["x"].tzinfo is None
    with pytest.raises(OverflowError):
        db["x"] = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert db["x"] == naive


def test_subclasses_of_primitives_become_the_primitive(db):
    class Text(str):
        pass

    class Number(int):
        pass

    class When(datetime):
        pass

    db["x"] = [Text("a"), Number(5), When(2024, 1, 1), bytearray(b"b"), memoryview(b"m"), collections.OrderedDict(a=1)]
    assert [type(value) for value in db["x"]] == [str, int, datetime, bytes, bytes, utan.Dict]
    assert db["x"] == ["a", 5, datetime(2024, 1, 1), b"b", b"m", {"a": 1}]


def test_any_mapping_becomes_a_dict_and_any_sequence_a_list(db):
    db["x"] = {
        "proxy": types.MappingProxyType({"a": 1}),
        "chain": collections.ChainMap({"a": 1}, {"b": 2}),
        "deque": collections.deque([1, 2]),
        "range": range(3),
    }
    assert db["x"] == {"proxy": {"a": 1}, "chain": {"a": 1, "b": 2}, "deque": [1, 2], "range": [0, 1, 2]}
    assert type(db["x"]["proxy"]) is utan.Dict and type(db["x"]["range"]) is utan.List


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


def test_enums_come_back_as_members(db):
    db["x"] = [Color.RED, Color.BLUE, Level.LOW]
    assert [value for value in db["x"]] == [Color.RED, Color.BLUE, Level.LOW]
    assert db["x"][0] is Color.RED and db["x"][2] is Level.LOW


def test_a_registered_codec_is_used_for_the_class_and_its_subclasses(db):
    class Half(Fraction):
        pass

    utan.register(Fraction, "fraction", lambda f: [f.numerator, f.denominator], lambda form: Fraction(*form))
    db["x"] = {"a": Fraction(1, 3), "b": [Half(1, 2)]}
    assert db["x"]["a"] == Fraction(1, 3) and type(db["x"]["b"][0]) is Fraction
    assert db["x"] == {"a": Fraction(1, 3), "b": [Fraction(1, 2)]}
    assert db["x"].replace("a", Fraction(1, 3), Fraction(2, 3)) and db["x"]["a"] == Fraction(2, 3)


@pytest.mark.parametrize("type_", [str, int, float, bytes, bool, dict, list, object, type(None), utan.Dict, datetime, uuid.UUID,
                                   "no class"])
def test_a_codec_for_what_the_store_has_is_refused(type_):
    with pytest.raises(TypeError):
        utan.register(type_, "x", str, str)


def test_an_object_with_utan_is_stored_as_what_that_returns(db):
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

        def __utan__(self):
            return {"x": self.x, "y": [self.y]}

    db["p"] = Point(1, Point(2, 3))
    assert db["p"] == {"x": 1, "y": [{"x": 2, "y": [3]}]}


def test_an_unknown_codec_is_an_error_that_names_it(path):
    import subprocess
    import sys

    script = f"""
import utan
class Own: pass
utan.register(Own, "own", lambda own: 5, lambda form: Own())
with utan.open({path!r}) as db: db["x"] = Own(); db["y"] = 1
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    with utan.open(path) as db:
        with pytest.raises(utan.Error, match="'own'"):
            db["x"]
        assert db["y"] == 1
        assert "own" in repr(db.root)


@pytest.mark.parametrize("where", ["dict", "list", "set", "codec"])
def test_what_cannot_be_stored_is_a_type_error_that_names_type_and_path(db, where):
    class Strange:
        pass

    if where == "dict":
        with pytest.raises(TypeError, match=r"value at \['users'\]\[3\]\['when'\]: .*'Strange'"):
            db["users"] = [1, 2, 3, {"when": Strange()}]
    elif where == "list":
        with pytest.raises(TypeError, match=r"\[0\]: .*'Strange'"):
            db.list("l").append([Strange()])
    else:
        with pytest.raises(TypeError, match=r"^value at \['x'\]\[0\]: .*'Strange'"):
            db["x"] = [{Strange()} if where == "set" else (1, Strange())]
    assert "users" not in db and "x" not in db


def test_a_key_that_cannot_be_one_says_where_it_was_met(db):
    for data, where in (({object(): 1}, r"\['x'\]"), ([0, {"a": {object(): 1}}], r"\['x'\]\[1\]\['a'\]")):
        with pytest.raises(TypeError, match=f"^key at {where}: a key cannot be of type 'object'$"):
            db["x"] = data
    with pytest.raises(TypeError, match="^key: a key cannot be of type 'object'$"):
        db.update({object(): 1})
    with pytest.raises(TypeError, match=r"^key at \['x'\]\['a'\]\[0\]: NaN cannot be a key"):
        db["x"] = {"a": [{math.nan: 1}]}
    with pytest.raises(TypeError, match=r"^key at \['x'\]\[0\]: a key cannot be of type 'object'$"):
        db.alter("x", lambda _: [{object(): 1}], default=0)
    with pytest.raises(TypeError, match="^key: NaN cannot be a key"):
        db.update({math.nan: 1})
    with pytest.raises(ValueError, match=r"^key at \['x'\]: a key has at most 65536 bytes"):
        db["x"] = {"k" * 70_000: 1}
    with pytest.raises(TypeError, match="^a key cannot be of type 'object'$"):
        db[object()] = 1


def test_text_that_is_no_unicode_says_where_it_was_met(db):
    odd = os.fsdecode(b"odd\xff")
    for data, where in (([{"name": odd}], "value at ['x'][0]['name']"), ([{odd: 1}], "key at ['x'][0]"),
                        ([type("Name", (str,), {})(odd)], "value at ['x'][0]")):
        with pytest.raises(UnicodeEncodeError) as raised:
            db["x"] = data
        assert str(raised.value).endswith(f"in position 3: surrogates not allowed ({where})")
    with pytest.raises(UnicodeEncodeError):
        db["x"] = odd
    assert "x" not in db


def test_keys_and_values_over_their_limits_are_value_errors(mapping):
    mapping["k" * 65_000] = 1
    for key in ("k" * 65_537, b"k" * 65_537, ("k" * 40_000, "k" * 40_000)):
        with pytest.raises(ValueError):
            mapping[key] = 1
    assert len(mapping) == 1


def test_text_that_is_no_unicode_is_a_value_error(mapping):
    for operation in (lambda: mapping.__setitem__("\ud800", 1), lambda: mapping.__setitem__("a", "\ud800")):
        with pytest.raises(ValueError):
            operation()
    assert len(mapping) == 0


def test_shared_and_cyclic_parts_stay_so(db):
    shared = [1]
    data = {"a": shared, "b": shared}
    data["self"] = data
    db["x"] = data
    assert db["x"]["a"] is db["x"]["b"] and db["x"]["self"] is db["x"]
    db["x"]["a"].append(2)
    assert db["x"]["b"] == [1, 2]
    assert shared == [1], "the original stays unconnected"
    plain = db["x"].native()
    assert plain["self"] is plain and plain["a"] is plain["b"]
    alone = [[1], [1]]
    db["y"] = alone
    assert db["y"][0] is not db["y"][1]
    loop = []
    loop.append(loop)
    db["z"] = loop
    assert db["z"][0] is db["z"] and repr(db["z"]) == "[[...]]"


# --- Codecs: what differs between programs, and who is first


def test_threads_that_meet_the_first_coded_value_all_find_its_codec(path):
    script = """
import sys, threading, utan
from decimal import Decimal
sys.setswitchinterval(1e-6)
db = utan.open(sys.argv[1])
together = threading.Barrier(8)
errors = []
def work(number):
    together.wait()
    try:
        db[str(number)] = Decimal(number)
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors, len(db))
"""
    out = subprocess.run([sys.executable, "-c", script, path], check=True, timeout=60, capture_output=True, text=True)
    assert out.stdout == "[] 8\n"


def test_a_set_that_another_process_stored_is_altered_and_replaced(path):
    """Its elements come in another order there, and so does the encoded set."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    script = f"import sys, utan; db = utan.open(sys.argv[1]); db['s'] = db['t'] = set({letters!r})"
    for seed in "123":
        subprocess.run([sys.executable, "-c", script, path], check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": seed})
        with utan.open(path) as db:
            calls = []
            assert db.alter("s", lambda old: calls.append(old) or old | {"new"}) == {*letters, "new"}
            assert len(calls) == 1 and db["s"] == {*letters, "new"}
            assert db.replace("t", set(letters) | {"x!"}, 1) is False
            assert db.replace("t", set(reversed(letters)), 1) is True and db["t"] == 1


def test_replace_compares_with_equality_whatever_the_type(db):
    db.update(a=Decimal("1.0"), b=1, c=(1, [2]), d=0.5)
    assert db.replace("a", Decimal("1.00"), 2) and db["a"] == 2
    assert db.replace("b", Decimal(1), 2) and db["b"] == 2
    assert db.replace("c", (1.0, [True + 1]), 2) and db["c"] == 2
    assert db.replace("d", Fraction(1, 2), 2) and db["d"] == 2
    assert not db.replace("d", Fraction(1, 2), 3) and not db.replace("d", (2,), 3) and not db.replace("e", Decimal(0), 1)


def test_a_date_with_a_codec_of_another_name_leaves_datetimes_alone(path):
    script = """
import datetime, sys, utan
utan.register(datetime.date, "day", datetime.date.isoformat, datetime.date.fromisoformat)
class Late(datetime.datetime):
    pass
with utan.open(sys.argv[1]) as db:
    db.update(a=Late(2024, 1, 2, 3, 4), b=datetime.datetime(2024, 1, 2, 3), c=datetime.date(2024, 1, 2))
    print(db.native())
"""
    out = subprocess.run([sys.executable, "-c", script, path], check=True, timeout=60, capture_output=True, text=True).stdout
    assert out == ("{'a': datetime.datetime(2024, 1, 2, 3, 4), 'b': datetime.datetime(2024, 1, 2, 3, 0), "
                   "'c': datetime.date(2024, 1, 2)}\n")


def test_the_name_of_a_codec_may_be_of_a_subclass_of_str(db):
    class Name(str):
        def __hash__(self):
            return 5

    class Named:
        pass

    utan.register(Named, Name("test_values.Named"), lambda _: 7, lambda form: form)
    db["x"] = Named()
    assert db["x"] == 7


# --- Shared parts, also where nobody but the iterator has them


def test_what_an_iterator_gives_twice_is_one_container(db):
    def twice(value):
        yield value
        yield value

    items = utan.List(db, twice([1]))
    assert items[0] is items[1]
    db["l"] = []
    db["l"].extend(twice({"a": []}))
    assert db["l"][0] is db["l"][1]
    db["l"][:] = twice([[]])
    assert db["l"][0] is db["l"][1]
    db.update((key, value) for key, value in zip("ab", twice([])))
    assert db["a"] is db["b"]


def test_what_a_mapping_gives_twice_is_one_container(db):
    class Same(collections.abc.Mapping):
        def __init__(self):
            self.value = [1]

        def __getitem__(self, key):
            return self.value

        def __iter__(self):
            return iter("ab")

        def __len__(self):
            return 2

    db["m"] = Same()
    assert db["m"]["a"] is db["m"]["b"] and db["m"] == {"a": [1], "b": [1]}
    pair = [None, [2]]

    def pairs():
        for key in "cd":
            pair[0] = key
            yield pair

    db.update(pairs())
    assert db["c"] is db["d"]


def test_errors_of_an_attribute_keys_come_through(db):
    class Bad:
        @property
        def keys(self):
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        db.update(Bad())
