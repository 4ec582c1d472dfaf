"""The section "nested": one field of a document in a mapping of documents, db["users"][key]["name"].

Read and written alone, and read right after another process has changed it. That process runs serve() below; the two
take turns by a pipe, so that each timed read comes after a commit that the reader has never seen.

A system for it is a class with settings, open(place), close(), version(), names(is_writing) as in mappings.py, and
  is_shared              can several processes use it?
  load(documents)        stores (key, document) pairs; not timed
  get, put               statements for one field
and, if is_shared, for the other process
  attach(place)          open the same store there
  change(key, name)      one commit
  get_after_commit       statement: as `get`, but sees every commit that another process had finished before
A system without `get` (None) is measured after commits only.
"""

import statistics
import subprocess
import sys
import time

from loops import Phase, WrongAnswer, compile_loop, timed_reads, timed_writes

TURN_COUNT_MAX = 3000
TURN_COUNT_MIN = 100
TURNS_UNTIMED = 20  # until the pipes, the files and the processor's caches are warm


def measure_alone(system, workload, seconds_max, is_control, out):
    def report(phase, timed):
        out.update({f"{phase}.{what}": number for what, number in timed.numbers().items()})

    order = workload.order("nested read")
    timed = timed_reads(system.get, system.names(is_writing=False), workload.keys(order), [workload.name(n) for n in order],
                        seconds_max, not is_control)
    report("read", timed)
    order = workload.order("nested write")
    timed = timed_writes(system.put, system.names(is_writing=True), workload.keys(order), [workload.name(n, 1) for n in order],
                         seconds_max)
    report("write", timed)
    if not is_control:
        expected = [workload.name(n, 1 if i < timed.count else 0) for i, n in enumerate(order)]
        timed_reads(system.get, system.names(is_writing=False), workload.keys(order), expected, float("inf"))


def commit(other, request):
    """Has the other process do it, and waits until it has."""
    try:
        other.stdin.write(request)
        other.stdin.flush()
    except BrokenPipeError:
        raise WrongAnswer("the other process ended") from None
    if other.stdout.readline() != "done\n":
        raise WrongAnswer("the other process ended")


def measure_turns(system, workload, command, seconds_max):
    """The median time of a read after another process's commit, one at a time, each compared."""
    loop = compile_loop(system.get_after_commit, system.names(is_writing=False), keep=True)
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    clock = time.perf_counter_ns
    samples = []
    phase = Phase()
    try:
        for turn, number in enumerate(workload.order("turns")[:TURN_COUNT_MAX + TURNS_UNTIMED]):
            wanted = workload.name(number, 2)
            keys = [workload.key(number)]
            commit(other, f"{keys[0]} {wanted}\n")
            start = clock()
            read = loop(keys, None)
            taken = clock() - start
            if read != [wanted] and not getattr(system, "is_control", False):
                raise WrongAnswer(f"after a commit: {read[0]!r} instead of {wanted!r}")
            if turn >= TURNS_UNTIMED:
                samples.append(taken)
                phase.add(1, taken)
            # Of slow systems the turns themselves take long, and not the reads alone.
            if len(samples) >= TURN_COUNT_MIN and phase.elapsed_seconds() > seconds_max:
                break
    finally:
        other.stdin.close()
        other.wait()
        other.stdout.close()
    return {"read_after_commit.count": len(samples), "read_after_commit.wall_ns": statistics.median(samples),
            "read_after_commit.cpu_share": phase.numbers()["cpu_share"]}


def run(system, place, workload, seconds_max, other_command):
    """{phase.what: number}; raises WrongAnswer. `other_command` starts serve() with the same place."""
    out = {}
    is_control = getattr(system, "is_control", False)
    system.open(place)
    system.load([(workload.key(n), workload.document(n)) for n in range(workload.count)])
    if system.get is not None:
        measure_alone(system, workload, seconds_max, is_control, out)
    if system.is_shared:
        out.update(measure_turns(system, workload, other_command, seconds_max))
    system.close()
    return out


def serve(system, place):
    """The other process: for each line "key name" it commits, and answers "done"."""
    system.attach(place)
    for line in sys.stdin:
        key, name = line.split()
        system.change(key, name)
        sys.stdout.write("done\n")
        sys.stdout.flush()
    system.close()
