"""Signals: Ctrl-C answers soon, also in the middle of a long call, and leaves the store sound."""

import contextlib
import fcntl
import os
import signal
import threading
import time

import pytest

import utan

# Seconds of the thread's work, beside what the machine does for others meanwhile; more where an extension is tested that is slower
# than an optimised one.
SOON = 0.1 * float(os.environ.get("UTAN_SLOWNESS", "1"))

# The handler raises also in callbacks of the collector, which hypothesis has: what is asked again is answered then.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Interrupt(Exception):
    pass


@contextlib.contextmanager
def interrupted(number=signal.SIGUSR1, pause=0.02):
    """What is inside is interrupted by a signal after `pause` seconds, and answers with Interrupt. If it does not it is asked
    again: a handler that runs in a callback of the collector raises into nothing. Yields a list, of how long the answer took
    in processor time."""
    asked, came, took = [], [], []
    over = threading.Event()

    def handler(number, frame):
        if not over.is_set():
            came.append(time.process_time())
            raise Interrupt

    def ask():
        next_pause = pause
        while not over.wait(next_pause):
            asked.append(time.process_time())
            signal.pthread_kill(threading.main_thread().ident, number)
            next_pause = 0.5

    before = signal.signal(number, handler)
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        with pytest.raises(Interrupt):
            yield took
        took.append(came[-1] - asked[-1])
    finally:
        over.set()
        asking.join()
        signal.signal(number, before)


def forever(call):
    while True:
        call()


@pytest.fixture
def much():
    return {
        "a dict": dict.fromkeys(range(1_000_000), 1),
        "small lists": [[i] for i in range(200_000)],
        "nested": [{"a": [1, 2, {"b": list(range(10))}]}] * 100_000,
    }


def test_taking_in_data_is_interrupted(path, much):
    for name, data in much.items():
        with utan.open(path, "n") as db:
            with interrupted(signal.SIGINT) as took:
                forever(lambda: utan.List(db, iter(data.items() if isinstance(data, dict) else data)))
            assert len(db) == 0 and db.check()["problems"] == [], name
        assert took[0] < SOON, (name, took)


def test_a_generator_is_interrupted_before_anything_is_stored(db):
    def endless():
        number = 0
        while True:
            number += 1
            yield number

    db["l"] = [1]
    with interrupted() as took:
        db["l"].extend(endless())
    assert took[0] < SOON and db["l"] == [1]


@pytest.fixture
def large(path):
    with utan.open(path) as db:
        db["l"] = list(range(300_000))
        db["nested"] = [[i, {"a": [i]}] for i in range(30_000)]
        yield db
        assert db.check()["problems"] == []


@pytest.mark.parametrize(
    "use",
    [
        lambda db: list(db["l"]),
        lambda db: sum(db["l"]),
        lambda db: db["l"].native(),
        lambda db: db.native(),
        lambda db: db["l"][::2],
        lambda db: db["l"].count(-1),
        lambda db: -1 in db["l"],
        lambda db: db["nested"] == db["nested"].native(),
        lambda db: utan.List(db, db["l"]),
        lambda db: db.check(),
    ],
    ids=["list", "sum", "native", "native of all", "slice", "count", "in", "equality", "copy", "check"],
)
def test_reading_is_interrupted(large, use):
    with interrupted() as took:
        forever(lambda: use(large))
    assert took[0] < SOON, took


def test_long_calls_of_the_engine_are_ended_by_ctrl_c(path):
    """Each is one call without the interpreter's lock that takes some tenths of a second."""
    entries = {f"{i * 7919 % 1_000_003:07}": i for i in range(600_000)}
    with utan.open(path) as db:
        numbers = utan.List(db, range(1_500_000))
        db["numbers"] = numbers
        text = numbers.to_json()
        calls = {
            "to_json": lambda: numbers.to_json(),
            "load_json": lambda: numbers.load_json(text),
            "update": lambda: db.update(entries),
            "set": lambda: db.__setitem__("a dict", entries),
            "new": lambda: utan.Table(db, entries),
        }
        for name, call in calls.items():
            content = len(db), len(numbers)
            for pause in (0.05, 0.15, 0.3):
                before = time.perf_counter()
                with interrupted(signal.SIGINT, pause) as took:
                    call()
                    # It was over sooner.
                    forever(lambda: None)
                whole = time.perf_counter() - before
                print(f"{name}: asked after {pause} s, answered in {took[0]:.3f} s, all in all {whole:.3f} s")
                assert took[0] < SOON, (name, pause)
                assert len(numbers) == content[1]
        assert db.check()["problems"] == []


def test_sync_is_ended_by_ctrl_c(path):
    """What the disk takes long for is what is waited for here; in a file system in memory it is over at once."""
    with utan.open(path) as db:
        table = db.table("t")
        interruptions = []

        def change_and_sync():
            table.update((i, bytes(100)) for i in range(100_000))
            db.sync()

        for pause in (0.1, 0.2, 0.3, 0.4):
            with interrupted(signal.SIGINT, pause) as took:
                forever(change_and_sync)
            interruptions += took
        assert max(interruptions) < SOON, interruptions
        change_and_sync()
        assert db.stats()["durable_number"] == db.stats()["commit_number"] and len(table) == 100_000


def test_a_handler_that_raises_nothing_lets_the_call_go_on(path):
    answered = []
    before = signal.signal(signal.SIGINT, lambda number, frame: answered.append(number))
    try:
        with utan.open(path) as db:
            numbers = utan.List(db, range(1_000_000))
            timers = [threading.Timer(pause, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
                      for pause in (0.03, 0.06)]
            for timer in timers:
                timer.start()
            text = numbers.to_json()
            for timer in timers:
                timer.join()
            assert answered == [signal.SIGINT] * 2 and text.endswith(",999999]")
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_open_that_waits_is_interrupted(path):
    """Somebody else seems to be making the store: its lock is held."""
    with utan.open(path) as db:
        db["x"] = 1
    with open(path, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = hold_all_bytes(file)
        with interrupted() as took:
            forever(lambda: utan.open(path).close())
        assert held and took[0] < SOON
    with utan.open(path) as db:
        assert db["x"] == 1


def hold_all_bytes(file):
    """The locks of open file descriptions that Utan takes, all of them."""
    import struct

    open_description_lock = 37  # F_OFD_SETLK
    fcntl.fcntl(file, open_description_lock, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    return True


def test_closing_waits_for_others_and_is_interrupted(large):
    """A thread is inside a call as long as its progress function waits."""
    inside, go_on = threading.Event(), threading.Event()

    def progress(done, total):
        inside.set()
        go_on.wait()

    large.table("t").update({i: bytes(100) for i in range(150_000)})
    thread = threading.Thread(target=large.check, args=(progress,))
    thread.start()
    inside.wait()
    with interrupted() as took:
        large.close()
    assert took[0] < SOON and not large.closed and large["l"][5] == 5
    go_on.set()
    thread.join()


def test_a_handler_may_close_the_store_in_the_middle_of_a_call(path):
    for use in (lambda db: list(db["l"]), lambda db: db["l"].native(), lambda db: db.check(), lambda db: sum(db["l"]),
                lambda db: utan.List(db, iter(range(100_000))), lambda db: db == {"l": list(range(100_000))}):
        db = utan.open(path)
        db["l"] = list(range(100_000))
        before = signal.signal(signal.SIGUSR1, lambda number, frame: close(db))
        timer = threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
        timer.start()
        try:
            with pytest.raises(utan.ClosedError):
                forever(lambda: use(db))
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)
        assert db.closed
    with utan.open(path) as db:
        assert db["l"] == list(range(100_000)) and db.check()["problems"] == []


def close(db):
    try:
        db.close()
    except RuntimeError:  # from inside its own check: again, when that is over
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
