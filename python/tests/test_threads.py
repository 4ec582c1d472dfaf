"""Threads share stores, proxies and snapshots; a store may be closed while others use it."""

import signal
import subprocess
import sys
import threading

import pytest

import utan


def run(count, work):
    """Runs work(number) in threads; the first error is raised."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture(autouse=True)
def switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_threads_lose_nothing_of_what_others_write(db):
    items, entries = db.list("l"), db.dict("d")

    def work(number):
        for i in range(200):
            items.append([number, i])
            entries.incr("n")
            entries.alter("m", lambda m: m + 1, default=0)
            entries.setdefault(f"k{i}", []).append(number)
            if i % 20 == 0:
                items.sort()

    run(4, work)
    assert len(items) == 800 and entries["n"] == 800 and entries["m"] == 800
    assert sorted(items.native()) == [[number, i] for number in range(4) for i in range(200)]
    assert all(sorted(entries[f"k{i}"]) == [0, 1, 2, 3] for i in range(200))


def test_identity_holds_between_threads(db):
    db["x"] = {"l": []}
    found = []

    def work(number):
        for _ in range(500):
            proxy = db["x"]["l"]
            found.append(proxy is db["x"]["l"])

    run(4, work)
    assert all(found) and len(found) == 2000


def test_closing_while_others_are_in_calls(path):
    for _ in range(10):
        db = utan.open(path)
        table = db.table("t")
        started = threading.Barrier(4)

        def work(number):
            started.wait()
            try:
                while True:
                    if number == 0:
                        db.sync()
                    elif number == 1:
                        table.update({i: bytes(200) for i in range(2000)})
                    else:
                        db.check()
                        list(table.items())
            except utan.ClosedError:
                pass

        def close_soon():
            started.wait()
            table["x"] = 1
            db.close()

        closer = threading.Thread(target=close_soon)
        closer.start()
        run(3, work)
        closer.join()
        assert db.closed
    with utan.open(path) as db:
        assert db.check()["problems"] == []


def test_two_handles_closed_by_two_threads(path):
    for _ in range(50):
        handles = [utan.open(path) for _ in range(4)]
        live = handles[0].list("l")

        def work(number):
            live.append(number) if number == 0 else None
            handles[number].close()

        run(4, work)
        with pytest.raises(utan.ClosedError):
            len(live)


def test_opening_and_closing_by_many_threads(path):
    def work(number):
        for _ in range(30):
            with utan.open(path) as db:
                db.incr("n")

    run(4, work)
    with utan.open(path) as db:
        assert db["n"] == 120


def test_long_calls_let_others_run(path):
    """While one thread syncs, checks and stores much, another one goes on."""
    with utan.open(path) as db:
        table = db.table("t")
        much = {i: bytes(300) for i in range(100_000)}
        done = threading.Event()
        steps = []

        def count():
            while not done.is_set():
                steps.append(1)

        counter = threading.Thread(target=count)
        counter.start()
        for call in (lambda: table.update(much), db.sync, db.check):
            before = len(steps)
            call()
            assert len(steps) > before
        done.set()
        counter.join()


def test_ctrl_c_ends_what_python_code_runs_in_and_leaves_the_store_whole(path):
    script = f"""
import os, signal, threading, utan
signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell's background ignores it
db = utan.open({path!r})
db["x"] = 1
def interrupt(old):
    os.kill(os.getpid(), signal.SIGINT)
    return old
try:
    while True:
        db.alter("x", interrupt)
        db.update({{str(i): [i] for i in range(1000)}})
        db.native()
except KeyboardInterrupt:
    print("interrupted", db["x"], db.check()["problems"])
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert out.stdout == "interrupted 1 []\n", out.stderr


def test_ctrl_c_in_a_long_reading(path):
    script = f"""
import os, signal, utan
signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell's background ignores it
db = utan.open({path!r})
db["x"] = list(range(300_000))
signal.setitimer(signal.ITIMER_REAL, 0.005)
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
try:
    for _ in range(100_000):
        db["x"].native()
except KeyboardInterrupt:
    print("interrupted", len(db["x"]))
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert out.stdout == "interrupted 300000\n", out.stderr
    assert signal.getsignal(signal.SIGINT) is not None
