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

from loops import Content, timed_iteration, timed_reads, timed_writes


def check(system, expected):
    content = Content(expected)
    content.use(list(system.items()))
    content.finish()


def run(system, place, workload, seconds_max):
    """{phase.what: number}; raises WrongAnswer."""
    out = {}

    def report(phase, timed):
        out.update({f"{phase}.{what}": number for what, number in timed.numbers().items()})

    key_type = system.key_type
    is_control = getattr(system, "is_control", False)
    system.open(place)

    order = workload.order("insert")
    values = workload.values(order)
    timed = timed_writes(system.put, system.names(is_writing=True), workload.keys(order, key_type), values, seconds_max)
    report("insert", timed)
    expected = dict(zip(workload.keys(order, key_type), values))
    if not is_control:
        rest = order[timed.count:]
        system.load(list(zip(workload.keys(rest, key_type), workload.values(rest))))
        check(system, expected)

    order = workload.order("read")
    timed = timed_reads(system.get, system.names(is_writing=False), workload.keys(order, key_type), workload.values(order),
                        seconds_max, not is_control)
    report("read", timed)

    order = workload.order("overwrite")
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
