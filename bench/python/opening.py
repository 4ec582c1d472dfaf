"""The section "opening": open a store of many records in a new process, and read one; and what `import` takes.

A system for it is a class with settings, version(), key_type, close(), and
  fill(path, records)    makes the store; not timed
  read(path, key)        opens it and returns what is under `key`
"""

import importlib
import time

from loops import WrongAnswer


def fill(system, place, workload):
    numbers = range(workload.count)
    system.fill(f"{place.folder}/bench", list(zip(workload.keys(numbers, system.key_type), workload.values(numbers))))
    return {}


def run(system, place, workload, number):
    """What is imported is imported by now: `system` is made of it."""
    (key,) = workload.keys([number], system.key_type)
    path = f"{place.folder}/bench"
    start = time.perf_counter_ns()
    value = system.read(path, key)
    taken = time.perf_counter_ns() - start
    if value != workload.value(number):
        raise WrongAnswer(f"after opening: {key!r} is {value!r}")
    system.close()
    return {"open.wall_ns": taken}


def time_import(name):
    start = time.perf_counter_ns()
    importlib.import_module(name)
    return {"import.wall_ns": time.perf_counter_ns() - start}
