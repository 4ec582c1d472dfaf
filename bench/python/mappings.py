"""The section "mappings": single records by key. Runs in a process of its own, with a fresh store.

A system for it is a class with
  settings, key_type     what is said about it in the report; str or bytes
  open(place), close()   place.folder is empty and its own; place.server_core is for a server
  version()
  load(records)          stores (key, value) pairs the fastest way; not timed
  names(is_writing)      what the statements of a phase use
  put, get               statements: store `value` under `key`, as one commit; assign to `value` what is under `key`
  items()                an iterator of all (key, value), each once
"""

import time

from loops import Content, timed_iteration, timed_reads, timed_writes


LOAD_BATCH_SIZE = 2000
LOAD_SECONDS_FACTOR = 3  # times what a timed phase may take


def check(system, expected):
    content = Content(expected)
    content.use(list(system.items()))
    content.finish()


def load(system, workload, numbers, seconds_max):
    """Stores records, not timed, until the time is over; says how many."""
    started = time.perf_counter()
    for at in range(0, len(numbers), LOAD_BATCH_SIZE):
        if time.perf_counter() - started > seconds_max:
            return at
        batch = numbers[at:at + LOAD_BATCH_SIZE]
        system.load(list(zip(workload.keys(batch, system.key_type), workload.values(batch))))
    return len(numbers)


def run(system, place, workload, seconds_max):
    """{phase.what: number}; raises WrongAnswer. Slow systems hold fewer records, which "record_count" says."""
    out = {}

    def report(phase, timed):
        out.update({f"{phase}.{what}": number for what, number in timed.numbers().items()})

    key_type = system.key_type
    is_control = getattr(system, "is_control", False)
    system.open(place)

    stored = workload.order("insert")
    timed = timed_writes(system.put, system.names(is_writing=True), workload.keys(stored, key_type), workload.values(stored),
                         seconds_max)
    report("insert", timed)
    if not is_control:
        stored = stored[:timed.count + load(system, workload, stored[timed.count:], seconds_max * LOAD_SECONDS_FACTOR)]
    expected = dict(zip(workload.keys(stored, key_type), workload.values(stored)))
    out["record_count"] = len(stored)
    stored = set(stored)
    if not is_control:
        check(system, expected)

    order = [number for number in workload.order("read") if number in stored]
    timed = timed_reads(system.get, system.names(is_writing=False), workload.keys(order, key_type), workload.values(order),
                        seconds_max, not is_control)
    report("read", timed)

    order = [number for number in workload.order("overwrite") if number in stored]
    timed = timed_writes(system.put, system.names(is_writing=True), workload.keys(order, key_type), workload.values(order, 1),
                         seconds_max)
    report("overwrite", timed)
    changed = order[:timed.count]
    expected.update(zip(workload.keys(changed, key_type), workload.values(changed, 1)))

    content = Content(expected)
    report("iterate", timed_iteration(system.items, (lambda items: None) if is_control else content.use, seconds_max))
    if not is_control:
        content.finish()
    system.close()
    return out
