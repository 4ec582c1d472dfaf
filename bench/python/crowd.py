"""The section "crowd": many processes open one store at the same instant, and each reads a record.

A system for it is one of the section "opening" (opening.py). The processes are children of one that has imported what they
need and opened nothing; they wait until all are there, and are let go together. They may run on every core.
"""

import json
import os
import time
import traceback

from loops import WrongAnswer


def run(system, place, workload, process_count, cores):
    """Milliseconds from letting all go to the answer of the last; and of each process, what its opening took."""
    os.sched_setaffinity(0, cores)
    keys = workload.keys(range(process_count), system.key_type)
    values = workload.values(range(process_count))
    ready, go = os.pipe(), os.pipe()
    answers = [os.pipe() for _ in keys]
    children = [_start(system, f"{place.folder}/bench", key, ready, go, answer) for key, answer in zip(keys, answers)]
    os.close(ready[1])
    arrived = 0
    while arrived < process_count:
        said = os.read(ready[0], process_count)
        if not said:
            raise RuntimeError("a process ended before all were there")
        arrived += len(said)
    start = time.perf_counter_ns()
    os.close(go[1])
    said = [_all_of(answer) for answer in answers]
    for child in children:
        os.waitpid(child, 0)
    return judged(said, values, start)


def judged(said, values, start):
    """What was measured, if every process read its record."""
    outcomes = []
    for text, value in zip(said, values):
        if not text:
            raise RuntimeError("a process ended without an answer")
        outcome = json.loads(text)
        if "error" in outcome:
            raise RuntimeError(outcome["error"])
        if bytes.fromhex(outcome["value"]) != value:
            raise WrongAnswer(f"one of many: {outcome['value']} instead of {value.hex()}")
        outcomes.append(outcome)
    return {"all.wall_ns": max(outcome["end"] for outcome in outcomes) - start,
            "each.wall_ns": [outcome["end"] - outcome["start"] for outcome in outcomes]}


def _start(system, path, key, ready, go, answer):
    child = os.fork()
    if child != 0:
        os.close(answer[1])
        return child
    try:
        os.close(go[1])
        os.write(ready[1], b"r")
        os.read(go[0], 1)  # until the other end is closed everywhere
        start = time.perf_counter_ns()
        value = system.read(path, key)
        end = time.perf_counter_ns()
        outcome = {"start": start, "end": end, "value": bytes(value).hex()}
        system.close()
    except BaseException:
        outcome = {"error": traceback.format_exc().strip().splitlines()[-1]}
    os.write(answer[1], json.dumps(outcome).encode())
    os._exit(0)


def _all_of(answer):
    parts = []
    while part := os.read(answer[0], 65536):
        parts.append(part)
    os.close(answer[0])
    return b"".join(parts)
