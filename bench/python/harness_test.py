#!/usr/bin/env python3
"""Shows that the benchmark cannot be fooled: a system that loses, changes, mixes up, repeats or invents records, or that
reads what was before another's commit, is found out; and a child that fails or hangs is an error, not a result.

Deterministic: seed 7. Needs no peer and no package. Run by run.sh before it measures.
"""

import os
import pathlib
import sys
import tempfile
import unittest
from types import SimpleNamespace

import crowd
import lists
import mappings
import measure
import nested
from adapters import control, memory
from loops import WrongAnswer
from workload import Workload

COUNT = 2000
WORKLOAD = Workload(7, COUNT)
PLACE = SimpleNamespace(folder="", server_core=0)
DUE = 500  # one operation in so many is done wrongly

# The other process of the section nested: commits nothing, and says that it did.
SILENT = [sys.executable, "-uc", "import sys\nfor line in sys.stdin: print('done')"]


class OneOfMany(memory.Mapping):
    """A dict that a crowd opens, in which one process reads something else, or dies."""

    def __init__(self, fault=None):
        self.fault = fault

    def read(self, path, key):
        number = next(n for n in range(COUNT) if WORKLOAD.key(n) == key)
        if number == 7 and self.fault == "dies":
            os._exit(1)
        return WORKLOAD.value(number + (number == 7 and self.fault == "reads another"))

    def close(self):
        pass


class Faulty(memory.Mapping):
    """A dict that does one thing wrongly."""

    put = "put(key, value)"
    get = "value = get(key)"

    def __init__(self, fault=None):
        self.fault = fault
        self.calls = 0

    def names(self, is_writing):
        return {"put": self._put, "get": self._get}

    def _is_due(self, fault):
        self.calls += fault == self.fault
        return fault == self.fault and self.calls % DUE == 0

    def _put(self, key, value):
        is_new = key not in self.store
        if self._is_due("loses a set") or (not is_new and self._is_due("loses an overwrite")):
            return
        self.store[key] = value[:50] + bytes([value[50] ^ 1]) + value[51:] if self._is_due("flips a bit") else value

    def _get(self, key):
        if self._is_due("reads another"):
            return next(iter(self.store.values()))
        return None if self._is_due("misses") else self.store[key]

    def load(self, records):
        for key, value in records:
            if not self._is_due("loses in a load"):
                self.store[key] = value

    def items(self):
        for key, value in self.store.items():
            if self._is_due("skips"):
                continue
            yield key, value
            if self._is_due("repeats"):
                yield key, value
        if self.fault == "invents":
            yield "no such key", b""


class Loaded(Faulty):
    def __init__(self, fault=None):
        super().__init__(fault)
        self.open(PLACE)


class FaultyList(memory.List):
    append = "append(value)"
    index = "value = index(key)"

    def __init__(self, fault=None):
        self.fault = fault

    def names(self, is_writing):
        return {"append": self._append, "index": self._index}

    def _append(self, value):
        at = len(self.store) - 1 if self.fault == "appends before the end" and len(self.store) == DUE else len(self.store)
        self.store.insert(at, value)

    def _index(self, index):
        return self.store[index - 1 if self.fault == "is off by one" and index == DUE else index]

    def items(self):
        return self.store[:-1] if self.fault == "ends early" else self.store


class Stale(memory.Nested):
    """Knows nothing of other processes, but is measured as if it did."""

    is_shared = True
    get_after_commit = memory.Nested.get


class HarnessTest(unittest.TestCase):
    def test_a_right_mapping_passes_and_reports_every_phase(self):
        out = mappings.run(Faulty(), PLACE, WORKLOAD, 10)
        for phase in ("insert", "read", "overwrite", "iterate"):
            self.assertEqual(out[f"{phase}.count"], COUNT)
            self.assertGreater(out[f"{phase}.wall_ns"], 0)

    def test_faults_of_mappings_are_found(self):
        for fault in ("loses a set", "loses an overwrite", "flips a bit", "reads another", "misses", "skips", "repeats", "invents"):
            with self.subTest(fault), self.assertRaises(WrongAnswer):
                mappings.run(Faulty(fault), PLACE, WORKLOAD, 10)

    def test_what_is_not_timed_is_stored_and_checked_too(self):
        self.assertEqual(mappings.load(Loaded(), WORKLOAD, list(range(COUNT)), 10), COUNT)
        with self.assertRaises(WrongAnswer):
            system = Loaded("loses in a load")
            mappings.load(system, WORKLOAD, list(range(COUNT)), 10)
            mappings.check(system, dict(zip(WORKLOAD.keys(range(COUNT)), WORKLOAD.values(range(COUNT)))))

    def test_a_slow_system_holds_fewer_records_and_is_checked_all_the_same(self):
        out = mappings.run(Faulty(), PLACE, WORKLOAD, 0)
        self.assertLess(out["insert.count"], COUNT)
        self.assertEqual(out["record_count"], out["insert.count"])
        with self.assertRaises(WrongAnswer):
            mappings.run(Faulty("invents"), PLACE, WORKLOAD, 0)

    def test_faults_of_lists_are_found(self):
        lists.run(FaultyList(), PLACE, WORKLOAD, 10)
        for fault in ("appends before the end", "is off by one", "ends early"):
            with self.subTest(fault), self.assertRaises(WrongAnswer):
                lists.run(FaultyList(fault), PLACE, WORKLOAD, 10)

    def test_a_stale_nested_read_is_found(self):
        out = nested.run(memory.Nested(), PLACE, WORKLOAD, 10, SILENT)
        self.assertEqual(out["read.count"], COUNT)
        with self.assertRaises(WrongAnswer):
            nested.run(Stale(), PLACE, WORKLOAD, 10, SILENT)
        with self.assertRaises(WrongAnswer):
            nested.run(control.Nested(), PLACE, WORKLOAD, 10, [sys.executable, "-c", ""])

    def test_faults_of_one_of_many_are_found(self):
        cores = os.sched_getaffinity(0)
        out = crowd.run(OneOfMany(), PLACE, WORKLOAD, 20, cores)
        self.assertEqual(len(out["each.wall_ns"]), 20)
        self.assertGreaterEqual(out["all.wall_ns"], max(out["each.wall_ns"]))
        with self.assertRaises(WrongAnswer):
            crowd.run(OneOfMany("reads another"), PLACE, WORKLOAD, 20, cores)
        with self.assertRaises(RuntimeError):
            crowd.run(OneOfMany("dies"), PLACE, WORKLOAD, 20, cores)

    def test_keys_are_fresh_and_orders_differ(self):
        self.assertEqual(WORKLOAD.key(3), WORKLOAD.key(3))
        self.assertIsNot(WORKLOAD.key(3), WORKLOAD.key(3))
        self.assertEqual(len(set(WORKLOAD.keys(range(COUNT)))), COUNT)
        self.assertEqual(sorted(WORKLOAD.order("a")), list(range(COUNT)))
        self.assertNotEqual(WORKLOAD.order("a"), WORKLOAD.order("b"))

    def test_a_child_that_fails_or_hangs_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = measure.Bench(measure.Settings(), f"{folder}/raw", folder, set())
            failed = bench.child(pathlib.Path(folder), section="import", module="no_such_module_at_all")
            self.assertIn("no_such_module_at_all", failed["error"])
            hung = bench.child(pathlib.Path(folder), seconds_max=0.001, section="import", module="shelve")
            self.assertIn("not done", hung["error"])
            taken = bench.child(pathlib.Path(folder), section="import", module="shelve")
            self.assertGreater(taken["import.wall_ns"], 0)
            bench.finish()


if __name__ == "__main__":
    unittest.main()
