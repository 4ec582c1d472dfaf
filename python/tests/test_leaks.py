"""Nothing is kept: each group of operations is repeated many times, also where it fails, and Python's memory does not grow.

Blocks are counted, and with a debug build of Python all references."""

import datetime
import gc
import pickle
import sys
import uuid
from decimal import Decimal

import pytest

import utan

WHEN = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
ID = uuid.UUID(int=7)


class Failing:
    def __utan__(self):
        raise ArithmeticError

    def __eq__(self, other):
        raise ArithmeticError

    __hash__ = None


def values(db):
    db["v"] = [None, True, 5, 2**200, 0.5, "text", b"bytes", WHEN, WHEN.replace(tzinfo=None), ID]
    list(db["v"]), db["v"][8], db["v"].native(), repr(db["v"]), db["v"] == db["v"].native(), db["v"].to_json()
    for key in (None, 7, 2**200, 0.25, "key", b"key", WHEN, ID, (1, "a", (ID, WHEN))):
        db[key] = key if not isinstance(key, tuple) else 1
        key in db, db[key], db.get(key), db.floor(key), db.pop(key)


def coded(db):
    db["c"] = [Decimal("1.5"), {1, 2}, (1, [2, {"a": 3}]), datetime.timedelta(1), 1j]
    db["c"].native(), list(db["c"]), db.replace("d", Decimal(1), 2), db["c"].replace(0, Decimal("1.50"), Decimal(2))
    db["c"].alter(1, lambda old: old | {3})


def mappings(db):
    db["m"] = {str(i): {"n": i} for i in range(20)}
    m = db["m"]
    m.update({"a": 1}, b=2), m.update([("c", 3)]), m.setdefault("d", []).append(1), m.pop("a"), m.popitem()
    m.keys() & {"b"}, m.items() == m.items(), list(m.values()), list(reversed(m)), m | {"x": 1}, {"x": 1} | m
    m.incr("i"), m.incr("f", 0.5), m.alter("i", lambda n: n + 1), m.replace("i", 2, 3), m.at("1.n"), m.set_at("q.r.s", 1)
    m.first(), m.last(), list(m.range("1", "3")), m.count_range("1"), m.delete_range("5"), m.copy(), m.clear()
    utan.Dict(db, {"a": 1}, b=2), utan.Collection(db, [(1, 2)]), utan.Table(db, {1: 2}), db.table("t").add("k", 1)


def lists(db):
    db["l"] = [3, 1, 2]
    items = db["l"]
    items.extend([5, 4]), items.insert(0, 9), items.append([1]), items.pop(), items.sort(), items.reverse(), items.remove(9)
    items[1:3], items[::2], items.index(5), items.count(5), items + [1], [1] + items, items * 2
    items[0:1] = [7, 8]
    items[::2] = items[::2]
    del items[0], items[0:2]
    items *= 2
    items += [1]
    items < [9], items == [1], 5 in items, items.native(), items.clear(), utan.List(db, range(5))


def iterators(db):
    db["i"] = {str(i): [i] for i in range(5)}
    for make in (iter, reversed, lambda m: iter(m.items()), lambda m: m.range("1"), lambda m: iter(m.values())):
        iterator = make(db["i"])
        next(iterator)
        if hasattr(iterator, "close"):
            iterator.close()
        list(make(db["i"]))
        next(make(db["i"]))


def stores(db):
    with db.snapshot() as then:
        then.native(), list(then), then.snapshot().close()
    pickle.loads(pickle.dumps(db.dict("p"))), db.root, db.stats(), db.processes(), db.check(lambda done, total: None), db.sync()
    utan.open(db.path).close(), repr(db), db.path, db.closed


def errors(db):
    db["e"] = [1, {"a": 2}]
    for wrong in (
        lambda: db["missing"], lambda: db.pop("missing"), lambda: db[object()], lambda: db.__setitem__("x", object()),
        lambda: db.__setitem__("x", {"a": [Failing()]}), lambda: db["e"].extend([1, Failing()]), lambda: db["e"][9],
        lambda: db["e"].pop(9), lambda: db["e"].index(Failing()), lambda: Failing() in db["e"], lambda: db["e"] == [Failing(), 2],
        lambda: db["e"].sort(key=lambda _: 1 / 0), lambda: db.alter("e", lambda _: 1 / 0), lambda: db.update(5),
        lambda: db.update([(1, 2, 3)]), lambda: db.set_at("e.a", 1), lambda: db.set_at("", 1, bad=2), lambda: db.incr("e"),
        lambda: db["e"].load_json("{"), lambda: db.dict("e"), lambda: db.range(5, inclusive=1), lambda: db.range(limit=-1),
        lambda: db.replace("e", Failing(), Failing()), lambda: utan.Dict(5), lambda: utan.List(db, 5), lambda: utan.open(5),
        lambda: utan.open(db.path, "x"), lambda: utan.open(db.path + "/x/y"), lambda: db.get(), lambda: db.at("a", b=1),
        lambda: utan.register(int, "i", str, int), lambda: db["e"].__setitem__(slice(None, None, 2), [1, 2, 3]),
        lambda: pickle.loads(pickle.dumps(db["e"]).replace(db.path.encode(), db.path.encode()[:-1] + b"?")),
        lambda: db.check(lambda done: None, 5), lambda: db["k" * 70_000], lambda: hash(db),
    ):
        with pytest.raises(Exception) as raised:
            wrong()
        del raised


GROUPS = [values, coded, mappings, lists, iterators, stores, errors]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_repeating_keeps_nothing(path, group):
    total_references = getattr(sys, "gettotalrefcount", lambda: 0)
    with utan.open(path) as db:
        def repeat(count):
            for _ in range(count):
                group(db)
            gc.collect()
            return sys.getallocatedblocks(), total_references()

        repeat(10)
        # Caches of the interpreter grow now and then; a leak grows in each round.
        grown = []
        for _ in range(12):
            blocks, references = repeat(0)
            more_blocks, more_references = repeat(40)
            grown.append((more_blocks - blocks, more_references - references))
            if max(grown[-1]) < 40:
                return
        pytest.fail(f"each of twelve rounds of 40 repetitions kept blocks or references: {grown}")
