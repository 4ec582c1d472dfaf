"""The section "lists": integers appended one by one, read at random indexes, and iterated over.

A system for it is a class with settings, open(place), close(), version(), load(values), names(is_writing) as in mappings.py,
and
  append, index          statements: append `value`, as one commit; assign to `value` the element at the index `key`
  items()                an iterator of all elements in order
"""

from loops import WrongAnswer, timed_iteration, timed_reads, timed_writes


class Sequence:
    """Checks that an iteration gives exactly these elements in this order."""

    def __init__(self, expected):
        self._expected = expected
        self._count = 0

    def use(self, items):
        if items != self._expected[self._count:self._count + len(items)]:
            raise WrongAnswer(f"iteration: wrong elements from {self._count} on")
        self._count += len(items)

    def finish(self):
        if self._count != len(self._expected):
            raise WrongAnswer(f"iteration: {self._count} of {len(self._expected)} elements")


def run(system, place, workload, seconds_max):
    """{phase.what: number}; raises WrongAnswer."""
    out = {}

    def report(phase, timed):
        out.update({f"{phase}.{what}": number for what, number in timed.numbers().items()})

    is_control = getattr(system, "is_control", False)
    system.open(place)
    values = workload.integers()

    timed = timed_writes(system.append, system.names(is_writing=True), list(range(len(values))), values, seconds_max)
    report("append", timed)
    if not is_control:
        system.load(values[timed.count:])
        whole = Sequence(values)
        whole.use(list(system.items()))
        whole.finish()

    indexes = workload.order("index")
    timed = timed_reads(system.index, system.names(is_writing=False), indexes, [values[i] for i in indexes], seconds_max,
                        not is_control)
    report("index", timed)

    whole = Sequence(values)
    report("iterate", timed_iteration(system.items, (lambda items: None) if is_control else whole.use, seconds_max))
    if not is_control:
        whole.finish()
    system.close()
    return out
