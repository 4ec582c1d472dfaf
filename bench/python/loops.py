"""The timed loops, the same for all systems, and what makes a wrong answer an error.

A system says what one operation is as a statement ("value = store[key]"), with the names that are in it. The statement is
compiled into the loop, as the module timeit does, so that nobody pays for a call that a program would not make. Loops run
in parts of CHUNK_SIZE operations; the clock is read around each, and between them all that was read is compared.
"""

import gc
import itertools
import textwrap
import time

CHUNK_SIZE = 200


class WrongAnswer(Exception):
    """A system did not return what was stored."""


class Phase:
    """Operations, the time they took, and the processor's share of the time from beginning to end."""

    def __init__(self):
        # What is there already is no garbage, and is not looked at while the clock runs.
        gc.collect()
        gc.freeze()
        self.count = 0
        self.wall_ns = 0
        self._started_ns = time.perf_counter_ns()
        self._processor_started_ns = time.process_time_ns()

    def add(self, count, wall_ns):
        self.count += count
        self.wall_ns += wall_ns

    def is_over(self, seconds_max):
        return self.wall_ns > seconds_max * 1e9

    def elapsed_seconds(self):
        """Since the beginning, whatever was done."""
        return (time.perf_counter_ns() - self._started_ns) / 1e9

    def numbers(self):
        whole = time.perf_counter_ns() - self._started_ns
        return {"count": self.count, "wall_ns": self.wall_ns / max(1, self.count),
                "cpu_share": (time.process_time_ns() - self._processor_started_ns) / max(1, whole)}


def compile_loop(statement, names, keep):
    """loop(keys, values): runs the statement for each, and returns the list of what it assigned to `value` if `keep`."""
    lines = ["def loop(keys, values):"]
    if keep:
        lines += ["    kept = []", "    append = kept.append", "    for key in keys:"]
    else:
        lines += ["    for key, value in zip(keys, values):"]
    lines.append(textwrap.indent(statement, " " * 8))
    lines += ["        append(value)", "    return kept"] if keep else []
    scope = dict(names)
    exec(compile("\n".join(lines), "<loop>", "exec"), scope)
    return scope["loop"]


def chunks(items):
    return [items[at:at + CHUNK_SIZE] for at in range(0, len(items), CHUNK_SIZE)]


def timed_writes(statement, names, keys, values, seconds_max):
    """Until all is written or the time is over; says how many were."""
    loop = compile_loop(statement, names, keep=False)
    parts = list(zip(chunks(keys), chunks(values)))
    clock = time.perf_counter_ns
    phase = Phase()
    for some_keys, some_values in parts:
        start = clock()
        loop(some_keys, some_values)
        phase.add(len(some_keys), clock() - start)
        if phase.is_over(seconds_max):
            break
    return phase


def timed_reads(statement, names, keys, expected, seconds_max, is_compared=True):
    """Until all is read or the time is over. The control reads nothing and is not compared."""
    loop = compile_loop(statement, names, keep=True)
    parts = list(zip(chunks(keys), chunks(expected)))
    clock = time.perf_counter_ns
    phase = Phase()
    for some_keys, some_expected in parts:
        start = clock()
        read = loop(some_keys, None)
        phase.add(len(some_keys), clock() - start)
        if is_compared and read != some_expected:
            wrong = next(i for i, (a, b) in enumerate(zip(read, some_expected)) if a != b)
            raise WrongAnswer(f"read of {some_keys[wrong]!r}: {read[wrong]!r} instead of {some_expected[wrong]!r}")
        if phase.is_over(seconds_max):
            break
    return phase


def timed_iteration(begin, use, seconds_max):
    """From begin() on, which returns an iterator. use(items) gets what came, between the parts; when the time is over, it
    gets the rest. What begin() takes is counted, but ends nothing: it may have got all items at once."""
    clock = time.perf_counter_ns
    phase = Phase()
    start = clock()
    iterator = iter(begin())
    begun_ns = clock() - start
    phase.add(0, begun_ns)
    while not phase.is_over(seconds_max + begun_ns / 1e9):
        start = clock()
        items = list(itertools.islice(iterator, CHUNK_SIZE))
        phase.add(len(items), clock() - start)
        use(items)
        if not items:
            return phase
    use(list(iterator))
    return phase


class Content:
    """Checks that an iteration gives every record of a dict once, with its value, and nothing else."""

    def __init__(self, expected):
        self._expected = expected
        self._seen = set()

    def use(self, items):
        for key, value in items:
            if key in self._seen:
                raise WrongAnswer(f"iteration: {key!r} came twice")
            if self._expected.get(key) != value:
                raise WrongAnswer(f"iteration: {key!r} is {value!r} instead of {self._expected.get(key)!r}")
            self._seen.add(key)

    def finish(self):
        if len(self._seen) != len(self._expected):
            raise WrongAnswer(f"iteration: {len(self._seen)} of {len(self._expected)} records")
