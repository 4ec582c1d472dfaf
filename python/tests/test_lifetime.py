"""References and handles: nothing is kept, nothing is let go of too early, also where errors come in the middle."""

import gc
import os
import sys
import weakref

import pytest

import utan


def references(*objects):
    gc.collect()
    return [sys.getrefcount(one) for one in objects]


def test_no_reference_is_kept_or_lost(path):
    key, value, default = "key of its own", "value of its own" * 3, object()
    fraction = 2**200 + 12345
    payload = {"k": [value, {"x": value}], "n": fraction}

    class Fails:
        def __utan__(self):
            raise ValueError("marker")

    failing = Fails()

    def use(db):
        db[key] = value
        assert db[key] == value and db.get(key, default) == value and db.get("missing", default) is default
        db["p"] = payload
        assert db["p"] == payload and db["p"] != {} and db["p"] | payload == payload
        items = db.list("l")
        items.extend([value, payload, fraction])
        items[1:2] = [value, value]
        items.sort(key=str)
        assert items.index(value) >= 0 and items + [value] and items.pop()
        items.clear()
        for wrong in (lambda: db[default], lambda: db.__setitem__("x", default), lambda: db.update(a=1, b=failing),
                      lambda: items.extend([1, failing]), lambda: db["missing"], lambda: items.index(default),
                      lambda: db.alter(key, failing.__utan__), lambda: db.set_at("p.k.9", value)):
            with pytest.raises(Exception):
                wrong()
        iterator = iter(db.items())
        next(iterator)
        view = db.keys()
        assert key in view and list(reversed(view))
        with db.snapshot() as then:
            assert then.native() == db.native() and repr(then)
        db.at("p.k.0"), db.at(["p", "k", 0]), db.first(), list(db.range(limit=2)), db.popitem(), db.to_json()

    with utan.open(path) as db:
        use(db)
    objects = (key, value, default, payload, fraction, failing, utan.Dict, utan.List, utan.Collection, utan.Store,
               utan.ClosedError, type(iter(utan.open(":memory:"))))
    before = references(*objects)
    for _ in range(20):
        with utan.open(path) as db:
            use(db)
    after = references(*objects)
    assert after == before


def test_memory_and_descriptors_stay(path):
    def use():
        with utan.open(path) as db:
            db["x"] = {str(i): [i, (i,), {i}] for i in range(100)}
            for _ in range(20):
                assert db["x"].native()["5"] == [5, (5,), {5}]
                db["x"]["5"][0] += 1
                db["x"]["5"][0] -= 1
                repr(db["x"]), db["x"] == db["x"].native()
            with db.snapshot() as then:
                then["x"]

    for _ in range(5):
        use()
    gc.collect()
    descriptors, blocks = len(os.listdir("/proc/self/fd")), sys.getallocatedblocks()
    for _ in range(50):
        use()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert sys.getallocatedblocks() - blocks < 200


def test_a_proxy_keeps_its_store_open_and_the_store_goes_with_the_last(path):
    items = utan.open(path).list("l")
    items.append(1)
    assert items == [1]
    store = utan.open(path)
    assert store.list("l") is items
    del store
    items.append(2)
    del items
    gc.collect()
    utan.open(path, "n").close()  # nobody has it open


def test_proxies_are_weakly_known(db):
    db["x"] = [1]
    proxy = db["x"]
    reference = weakref.ref(proxy, lambda _: seen.append(1))
    seen = []
    assert reference() is proxy
    del proxy
    assert reference() is None and seen == [1]
    assert db["x"] == [1]


def test_holds_are_let_go_of(path):
    """What nothing names and nobody holds any more is removed: the store does not grow."""
    with utan.open(path) as db:
        for _ in range(200):
            db["x"] = [bytes(1000)] * 20
        size = db.stats()["used_size"]
        for _ in range(2000):
            db["x"] = [bytes(1000)] * 20
            db["x"]
            db.pop("x")
        assert db.stats()["used_size"] < size * 4
        assert db.check()["problems"] == []


def test_an_error_in_the_middle_changes_nothing(db):
    class Error(Exception):
        pass

    class Fails:
        def __utan__(self):
            raise Error

    class FailingMapping(dict):
        def __getitem__(self, key):
            raise Error

        def keys(self):
            return iter("ab")

    def failing():
        yield 1
        raise Error

    db["x"] = [1, 2]
    before, number = db.native(), db.stats()["commit_number"]
    for change in (lambda: db.update(a=1, b=Fails()), lambda: db["x"].extend(failing()), lambda: db["x"].append(Fails()),
                   lambda: db["x"].__setitem__(slice(0, 1), failing()), lambda: db.__setitem__("y", {"a": [Fails()]}),
                   lambda: db.update(FailingMapping(a=1)), lambda: utan.List(db, failing()), lambda: db.__ior__([(1, Fails())]),
                   lambda: db.alter("x", lambda old: Fails()), lambda: db["x"].sort(key=lambda value: 1 / (value - 1) or Fails())):
        with pytest.raises((Error, ZeroDivisionError)):
            change()
    assert db == before and db.stats()["commit_number"] == number


def test_errors_of_comparisons_come_through(db):
    class Bad:
        def __eq__(self, other):
            raise ArithmeticError

        __hash__ = None

    db["x"] = [1, [2], {"a": 1}]
    for use in (lambda: db["x"] == [1, [2], {"a": Bad()}], lambda: Bad() in db["x"], lambda: db["x"].index(Bad()),
                lambda: db["x"].count(Bad()), lambda: db["x"].remove(Bad()), lambda: Bad() in db.values(),
                lambda: ("x", Bad()) in db.items()):
        with pytest.raises(ArithmeticError):
            use()
    assert db["x"] == [1, [2], {"a": 1}]


def test_too_deep_data_is_a_recursion_error_and_changes_nothing(db):
    deep = []
    for _ in range(200_000):
        deep = [deep]
    for change in (lambda: db.__setitem__("x", deep), lambda: utan.List(db, deep), lambda: db.update(x={"a": deep})):
        with pytest.raises((RecursionError, ValueError)):
            change()
    assert len(db) == 0
    while deep:  # one by one: freeing it at once would nest, too
        deep = deep.pop()


def test_comparing_what_contains_itself_is_a_recursion_error_as_in_python(db):
    a, b = [], []
    a.append(a)
    b.append(b)
    db.update(a=a, b=b)
    with pytest.raises(RecursionError):
        db["a"] == db["b"]  # noqa: B015
    assert db["a"] == db["a"]


def test_a_callback_may_close_the_store(path):
    for use in (
        lambda db: db.update((db.close(), [("a", 1)])[1]),
        lambda db: db.__setitem__("x", Closing(db)),
        lambda db: db["l"].sort(key=lambda value: db.close() or 0),
        lambda db: db["l"].extend(Closing(db) for _ in range(3)),
        lambda db: db.alter("n", lambda old: db.close() or 5, default=1),
        lambda db: db["l"] == [Closing(db), 2, 3],
        lambda db: db["l"].index(Closing(db)),
        lambda db: db["l"].__setitem__(0, Closing(db)),
        lambda db: db["l"].__iadd__([Closing(db)]),
        lambda db: db.replace("n", 1, Closing(db)),
        lambda db: db.set_at("a.b", Closing(db)),
        lambda db: [db.close() for _ in db["l"]],
        lambda db: utan.Dict(db, a=Closing(db)),
    ):
        db = utan.open(path)
        db["l"] = [1, 2, 3]
        with pytest.raises(utan.ClosedError):
            use(db)
            db["l"]
        assert db.closed
    with utan.open(path) as db:
        assert db.check()["problems"] == []


class Closing:
    def __init__(self, db):
        self.db = db

    def __utan__(self):
        self.db.close()
        return [1, 2]

    def __eq__(self, other):
        self.db.close()
        return other == 2


def test_a_module_that_is_imported_twice(path):
    import importlib

    extension = sys.modules.pop("utan._utan")
    try:
        again = importlib.import_module("utan._utan")
        assert again is not extension
        with again.open(path) as db:
            db["x"] = [1]
            assert type(db["x"]) is again.List and type(db["x"]) is not utan.List
    finally:
        sys.modules["utan._utan"] = extension
        importlib.import_module("utan")._utan = extension
