"""A file that somebody makes shorter while it is open: errors, never the end of the process."""

import os
import subprocess
import sys
import threading

import pytest

import utan


def fill(db):
    db["d"] = {f"key {i}": ["a value", {"n": i}] for i in range(2000)}
    db.table("t").update({i: bytes(200) for i in range(5000)})


USES = [
    lambda db: db["d"]["key 7"],
    lambda db: db["d"].native(),
    lambda db: list(db["d"].items()),
    lambda db: db["d"].to_json(),
    lambda db: dict(db["t"]),
    lambda db: db["t"][4000],
    lambda db: db.__setitem__("x", {"a": [1]}),
    lambda db: db["t"].update({i: b"new" for i in range(100)}),
    lambda db: db.incr("n"),
    lambda db: db.sync(),
    lambda db: db.check()["problems"] and db["d"],
]


@pytest.mark.parametrize("name, size", [("", 0), ("", 4096), ("", 200_000), ("", 1_000_000), ("-lock", 0), ("-lock", 200_000)])
def test_all_uses_of_a_lost_file_are_errors(path, name, size):
    with utan.open(path) as db:
        fill(db)
        db.sync()
    db = utan.open(path)
    kept = db["d"]
    walk = iter(kept)
    next(walk)
    assert size < os.path.getsize(path + name)
    os.truncate(path + name, size)
    for use in USES * 2:
        try:
            use(db)
        except (utan.CorruptionError, utan.ReadOnlyError):
            pass
    # Sooner or later every part has been looked at; from then on nothing else is answered.
    with pytest.raises(utan.CorruptionError):
        for _ in range(1000):
            db["t"].update({i: os.urandom(300) for i in range(100)})
            db.native()
    with pytest.raises(utan.CorruptionError, match="shorter|damaged|gone"):
        kept["key 1"]
    try:
        list(walk)
    except (utan.CorruptionError, ReferenceError):
        pass
    assert repr(kept)
    with pytest.raises(utan.CorruptionError):
        db.close()
    assert db.closed


THREADS = """
import os, sys, threading, utan
db = utan.open(sys.argv[1])
def work(use):
    try:
        while True: use()
    except utan.CorruptionError as error:
        os.write(1, f"{error}\\n".encode())  # at once, unlike print
threads = [threading.Thread(target=work, args=(use,)) for use in (
    lambda: db["d"].native(), lambda: dict(db["t"]), lambda: db.incr("n"), lambda: db["t"].__setitem__(1, bytes(300)))]
for thread in threads: thread.start()
print("ready", flush=True)
for thread in threads: thread.join()
"""


def test_threads_in_the_middle_of_their_work(path):
    with utan.open(path) as db:
        fill(db)
    with subprocess.Popen([sys.executable, "-c", THREADS, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.truncate(path, 300_000)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        told = process.stdout.read().splitlines()
        watchdog.cancel()
    assert process.returncode == 0 and len(told) == 4 and all(path in line for line in told), told
    with pytest.raises(utan.CorruptionError, match="truncated|shorter|damaged"):
        utan.open(path)
