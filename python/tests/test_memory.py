"""Memory runs out, at each allocation in turn: MemoryError, nothing lost, no crash."""

import subprocess
import sys

import pytest

import utan

SCRIPT = """
import sys, _testcapi, datetime, uuid, decimal, utan
db = utan.open(sys.argv[1])
plain = {"a": [1, 2.5, None, "text", {"b": b"bytes"}], "n": 2**100}
db["warm"] = [decimal.Decimal(1), uuid.UUID(int=1), datetime.datetime(2024, 1, 1)]
repr(db.native())
uses = {
    "set": lambda: db.__setitem__("x", plain),
    "get": lambda: db["x"],
    "native": lambda: db["x"].native(),
    "json": lambda: db["x"].to_json(),
    "repr": lambda: repr(db["x"]),
    "equal": lambda: db["x"] == plain,
    "iterate": lambda: list(db["x"].items()),
    "views": lambda: db["x"].keys() & {"a"},
    "coded": lambda: (db.__setitem__("c", decimal.Decimal("1.5")), db["c"]),
    "known": lambda: list(db["warm"]),
    "sort": lambda: db["l"].sort(key=str),
    "slice": lambda: db["l"].__setitem__(slice(1, 2), [7, 8]),
    # Not a function in Python: 3.12.1 frees an argument twice when it has no memory for the call.
    "alter": lambda: db.alter("n", abs, default=0),
    "replace": lambda: db.replace("n", 5, 6),
    "path": lambda: (db.set_at("p.q.r", 1), db.at(["p", "q", "r"])),
    "update": lambda: db.update(a=1, b=[2]),
    "new": lambda: utan.List(db, [1, [2]]),
    "snapshot": lambda: db.snapshot().close(),
    "open": lambda: utan.open(sys.argv[1]).close(),
    "stats": lambda: (db.stats(), db.processes(), db.check()),
    "missing": lambda: db["missing"],
    "range": lambda: list(db.range("a", "z", limit=5)),
}
db["l"] = [3, 1, 2]
db["x"] = plain
counts = {}
for name, use in uses.items():
    failed = 0
    for number in range(400):
        done = None
        _testcapi.set_nomemory(number, number + 1)
        try:
            use()
            done = True
        except MemoryError:
            done = False
        except KeyError:
            done = name == "missing"
        finally:
            _testcapi.remove_mem_hooks()
        assert done is not None, name
        failed += not done
    counts[name] = failed
assert db["x"] == plain and db["warm"][0] == 1
assert db.check()["problems"] == [], db.check()
db.close()
print(counts)
"""


def test_each_allocation_of_python_may_fail(path):
    pytest.importorskip("_testcapi")
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", SCRIPT, path], timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    print(done.stdout)
    with utan.open(path) as db:
        assert db.check()["problems"] == []


LIMITED = """
import resource, sys, utan
db = utan.open(sys.argv[1])
db["x"] = {"a": 1}
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20), resource.RLIM_INFINITY))
raised = 0
for use in (lambda: db.__setitem__("big", bytes(200 << 20)), lambda: db.update((i, [i] * 20) for i in range(10**7)),
            lambda: utan.List(db, iter(lambda: "text" * 100, None)), lambda: db["x"].set_at("b", [0] * (50 << 20))):
    try:
        use()
    except (MemoryError, utan.NoSpaceError):
        raised += 1
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert db.native() == {"x": {"a": 1}}, len(db)
assert db.check()["problems"] == []
db.close()
print(raised)
"""


def test_a_process_with_little_memory_goes_on(path):
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", LIMITED, path], timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr[-3000:])
    assert done.stdout == "4\n"
