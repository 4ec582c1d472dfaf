"""The processes: workers, who index files, and the parent, who replaces each one that dies.

They share nothing but the store. What is to do is in `index.work`, a worker claims a file there by one compare and replace,
and the parent sees there how far they are. Nobody waits for anybody, so nobody can be left waiting for the dead.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from multiprocessing import connection

import utan
from display import Display, Progress, WorkerLine
from files import printable
from index import Index

DEATH_COUNT_MAX = 20  # of workers; beyond it, something is wrong with them


class WorkerFailed(Exception):
    """A worker ended with an error, which it has printed."""


def explain(error: Exception) -> str:
    """What an error says, with the name of the file readable, and what helps."""
    if isinstance(error, utan.NoSpaceError):
        return f"{error.strerror}; --store PATH makes the store elsewhere"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{printable(os.fsencode(error.filename))}: {error.strerror}"
    return str(error)


def run_worker(store_path: str, root: bytes, number: int) -> None:
    """One worker, in a process of its own: indexes all files that it can claim, and ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who ends the workers
    parent = multiprocessing.parent_process()
    try:
        with utan.open(store_path, "w") as db:
            index = Index(db)
            for path in list(index.work):
                if parent is not None and not parent.is_alive():
                    return  # nobody wants it any more
                if index.claim(path, number):
                    index.put_file(root, path, number)
    except (utan.Error, OSError) as error:
        print(f"demo: worker {number}: {explain(error)}", file=sys.stderr)
        sys.exit(5)


class Crew:
    """The workers. Those still running when a `with` block ends, because of an error or Ctrl-C, are killed."""

    def __init__(self, index: Index, root: bytes, worker_count: int, display: Display) -> None:
        self.index = index
        self.root = root
        self.display = display
        self.processes: dict[int, multiprocessing.Process] = {}  # by the number of the worker, who is not known to be gone
        self.ends: dict[int, str] = {}  # how those ended who are
        self.left_behind: dict[bytes, int] = {}  # files that a dead worker had in hand, until another one has them
        for _ in range(worker_count):
            self.start()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.join()

    def wait(self) -> None:
        """Until all have ended, which they do when nothing is left to do."""
        for process in self.processes.values():
            process.join()

    def start(self) -> int:
        number = len(self.processes) + len(self.ends) + 1
        arguments = (self.index.db.path, self.root, number)
        process = multiprocessing.Process(target=run_worker, args=arguments, daemon=True)  # ends with the parent
        process.start()
        self.processes[number] = process
        return number

    def reap(self) -> None:
        """Notes who has ended. What a dead worker had in hand is given back, and another one takes its place."""
        for number, process in list(self.processes.items()):
            if process.exitcode is None:
                continue
            del self.processes[number]
            self.ends[number] = "finished" if process.exitcode == 0 else "killed"
            if process.exitcode > 0:
                raise WorkerFailed(f"worker {number} could not go on")
            if process.exitcode < 0:
                self.replace(number, process)

    def replace(self, number: int, process: multiprocessing.Process) -> None:
        # The process is gone, so that it cannot finish what is given back here.
        in_hand = self.index.give_back(number)
        self.left_behind.update(dict.fromkeys(in_hand, number))
        where = f"in the middle of {printable(in_hand[0])}" if in_hand else "between two files"
        name = signal.Signals(-(process.exitcode or 0)).name
        self.display.say(f"  worker {number} (process {process.pid}) is killed with {name} {where}")
        if list(self.ends.values()).count("killed") > DEATH_COUNT_MAX:
            raise WorkerFailed("too many workers die")
        self.display.say(f"  worker {self.start()} takes its place")

    def kill_one_at_work(self, progress: Progress) -> bool:
        """Kills a worker that has a file in hand. False: there was none, or it had just finished it."""
        for line in progress.workers:
            process = self.processes.get(line.number)
            if line.in_hand is None or process is None:
                continue
            process.kill()
            process.join()
            deaths = len(self.left_behind)
            self.reap()
            return len(self.left_behind) > deaths
        return False

    def say_taken_over(self) -> None:
        for path, dead in list(self.left_behind.items()):
            state = self.index.work[path]
            if state is not None:
                del self.left_behind[path]
                self.display.say(f"  worker {state[1]} has taken over {printable(path)} from worker {dead}")

    def progress(self) -> Progress:
        """What the store says, at one instant."""
        counts: Counter[int] = Counter()
        in_hand: dict[int, bytes] = {}
        file_count = 0
        for path, state in self.index.work.items():
            file_count += 1
            if state is not None and state[0] == "claimed":
                in_hand[state[1]] = path
            elif state is not None:
                counts[state[1]] += 1
        numbers = sorted([*self.processes, *self.ends])
        lines = [WorkerLine(n, counts[n], in_hand.get(n), self.ends.get(n, "")) for n in numbers]
        return Progress(counts.total(), file_count, lines)


def run_crew(index: Index, root: bytes, worker_count: int) -> bool:
    """Has all files indexed, and kills one of the workers half way. False: all was done before one could be killed."""
    display = Display()
    kill_is_due = True
    with Crew(index, root, worker_count, display) as crew:
        while True:
            crew.reap()
            before = time.monotonic()
            progress = crew.progress()
            reading_s = time.monotonic() - before
            display.show(progress)
            crew.say_taken_over()
            if progress.finished == progress.file_count:
                crew.wait()
                return not kill_is_due
            if kill_is_due and 2 * progress.finished >= progress.file_count:
                kill_is_due = not crew.kill_one_at_work(progress)
            # Until a worker ends, or a moment. Half way comes soon in a small folder. Looking takes a tenth of the time at most.
            moment_s = max(0.002 if kill_is_due else 0.05, 10 * reading_s)
            connection.wait([process.sentinel for process in crew.processes.values()], moment_s)
