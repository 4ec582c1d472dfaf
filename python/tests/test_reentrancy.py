"""Code of the program runs in the middle of calls: decoders, comparisons, progress functions, callbacks of weak references,
handlers of signals. It may do anything, also close the store or end the iteration that is under way."""

import datetime
import os
import subprocess
import sys
import threading
import uuid
import weakref

import pytest

import utan


class Coded:
    """Its codec's decoder does what `on_decode` says."""

    on_decode = staticmethod(lambda: None)


def _decode(form):
    Coded.on_decode()
    return form


utan.register(Coded, "test_reentrancy.Coded", lambda coded: "form" * 500, _decode)


@pytest.fixture
def on_decode():
    def set_to(function):
        Coded.on_decode = staticmethod(function)

    yield set_to
    set_to(lambda: None)


def run(script, *arguments, **options):
    """A program in a process of its own, of which nothing is to be said but what it prints."""
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", script, *arguments], timeout=120, capture_output=True,
                          text=True, **options)
    assert done.returncode == 0 and done.stderr == "", (done.returncode, done.stderr)
    return done.stdout


READS = [
    lambda db: db["x"],
    lambda db: db.get("x"),
    lambda db: db.at("x"),
    lambda db: db.pop("x"),
    lambda db: db.setdefault("x", 1),
    lambda db: db.first(),
    lambda db: db.last(),
    lambda db: db.floor("x"),
    lambda db: db.popitem(),
    lambda db: next(iter(db.items())),
    lambda db: next(iter(db.values())),
    lambda db: db.native(),
    lambda db: repr(db.root),
    lambda db: db == {"x": "form" * 500},
    lambda db: db.alter("x", lambda old: 1),
    lambda db: db.replace("x", "form" * 500, 1),
]


@pytest.mark.parametrize("number", range(len(READS)))
def test_a_decoder_may_close_the_store(path, on_decode, number):
    with utan.open(path) as db:
        db["x"] = Coded()
    db = utan.open(path)
    on_decode(db.close)
    try:
        READS[number](db)
    except utan.ClosedError:
        pass
    assert db.closed
    on_decode(lambda: None)
    utan.open(path, "w").close()
    with utan.open(path) as db:
        assert db.check()["problems"] == [] and db.stats()["pin_count"] == 0
    utan.open(path, "n").close()  # nothing holds the old one open


@pytest.mark.parametrize("key", ["k" * 100, (1, "k" * 100), uuid.UUID(int=5), datetime.datetime(2024, 1, 1), 2**100])
def test_a_decoder_may_end_the_iteration_that_called_it(db, on_decode, key):
    db["d"] = {key: Coded()}
    iterator = iter(db["d"].items())
    on_decode(iterator.close)
    assert next(iterator) == (key, "form" * 500)
    assert list(iterator) == []


def test_an_iterator_is_not_entered_twice(db, on_decode):
    db["l"] = [Coded(), Coded(), 3]
    iterator = iter(db["l"])
    errors = []

    def go_on():
        with pytest.raises(ValueError) as raised:
            next(iterator)
        errors.append(raised.value)

    on_decode(go_on)
    assert list(iterator) == ["form" * 500, "form" * 500, 3] and len(errors) == 2
    assert not any(isinstance(error, utan.ClosedError) for error in errors)


def test_what_is_compared_may_close_the_value_that_is_to_be_set(path):
    db, other = utan.open(path), utan.open(path)

    class Closing:
        def __eq__(self, _):
            other.close()
            return True

    db["k"] = 1
    with pytest.raises(utan.ClosedError):
        db.replace("k", Closing(), other)
    assert db["k"] == 1
    db.close()


def test_a_callback_of_a_weak_reference_may_close_the_store(path):
    db = utan.open(path)
    db["x"] = [1]
    proxy = db["x"]
    reference = weakref.ref(proxy, lambda _: db.close())
    del proxy
    assert reference() is None and db.closed


def large(path):
    db = utan.open(path)
    db.table("t").update({i: bytes(100) for i in range(150_000)})
    return db


def test_a_progress_function_may_check_again_and_not_close(path):
    db = large(path)
    errors = []

    def progress(done, total):
        if not errors:
            assert db.check(progress=lambda done, total: None)["problems"] == []
        with pytest.raises(RuntimeError) as raised:
            db.close()
        errors.append(raised.value)

    assert db.check(progress)["problems"] == []
    assert errors and not db.closed
    db.close()


def test_progress_functions_of_two_threads_may_not_close(path):
    db = large(path)
    both = threading.Barrier(2)
    errors = []

    def work():
        def progress(done, total):
            if not any(thread is threading.current_thread() for thread, _ in errors):
                both.wait(60)
                with pytest.raises(RuntimeError) as raised:
                    db.close()
                errors.append((threading.current_thread(), raised.value))
                both.wait(60)

        db.check(progress)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    db.close()


def test_a_progress_function_may_fork(path):
    db = large(path)
    statuses = []

    def progress(done, total):
        if statuses:
            return
        child = os.fork()
        if child == 0:
            try:
                assert len(db["t"]) == 150_000
                db["child"] = 1
            except BaseException:  # noqa: BLE001
                os._exit(1)
            os._exit(0)
        statuses.append(os.waitpid(child, 0)[1])

    assert db.check(progress)["problems"] == []
    assert statuses == [0] and db["child"] == 1
    db.close()


def test_a_child_made_by_a_progress_function_can_close(path):
    """It comes back from the call that it was forked in."""
    out = run(
        """
import os, sys, utan
db = utan.open(sys.argv[1])
db.table("t").update({i: bytes(100) for i in range(150_000)})
pids = []
def progress(done, total):
    if not pids:
        pids.append(os.fork())
try:
    db.check(progress)
except utan.Error:
    pass  # a snapshot is not inherited
db.close()
if pids[0]:
    print(os.waitpid(pids[0], 0)[1])
""",
        path,
    )
    assert out.split() == ["0"]


def test_daemon_threads_in_calls_do_not_disturb_the_end_of_the_interpreter(path):
    script = """
import sys, threading, utan
db = utan.open(sys.argv[1])
table = db.table("t")
data = {i: bytes(100) for i in range(3000)}
started = threading.Barrier(4)
def work(call):
    started.wait()
    try:
        while True:
            call()
    except utan.ClosedError:
        pass
for call in (db.sync, db.check, lambda: table.update(data)):
    threading.Thread(target=work, args=(call,), daemon=True).start()
started.wait()
"""
    for _ in range(8):
        run(script, path)
    with utan.open(path) as db:
        assert db.check()["problems"] == []


def test_daemon_threads_that_open_stores_do_not_disturb_the_end_of_the_interpreter(tmp_path):
    script = """
import sys, threading, utan
started = threading.Barrier(3)
def work(path):
    started.wait()
    while True:
        utan.open(path).close()
for number in range(2):
    threading.Thread(target=work, args=(sys.argv[1] + str(number),), daemon=True).start()
started.wait()
"""
    for _ in range(8):
        run(script, str(tmp_path / "s.utan"))
