"""Compares the index with a plain count, which one process makes of the same files in its own memory."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import utan
from files import Facts, printable, read_facts
from index import Index


class Comparison:
    """What is different, and how much was compared."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.unreadable_count = 0
        self.count_count = 0  # pairs of a file and an identifier

    def expect(self, what: str, is_equal: bool) -> None:
        if not is_equal:
            self.differences.append(what)


def compare(index: Index, root: bytes) -> Comparison:
    comparison = Comparison()
    times: Counter[str] = Counter()
    files: Counter[str] = Counter()
    all_facts: dict[bytes, Facts] = {}
    totals: Counter[str] = Counter({"files": 0, "bytes": 0, "lines": 0, "imports": 0, "identifiers": 0})
    for path in index.work:
        facts = read_facts(os.path.join(root, path))
        document = index.files.get(path)
        plain = None if document is None else document.native()
        if plain is not None:
            del plain["id"]  # made by chance, once
        comparison.expect(printable(path), plain == facts)
        if facts is None:
            comparison.unreadable_count += 1
            continue
        comparison.count_count += len(facts["identifiers"])
        times.update(facts["identifiers"])
        files.update(facts["identifiers"].keys())
        totals.update(files=1, bytes=facts["size"], lines=facts["lines"], imports=len(facts["imports"]))
        all_facts[path] = {**facts, "identifiers": {}}
    totals["identifiers"] = times.total()

    comparison.expect("files", list(index.files) == list(all_facts))
    comparison.expect("identifiers", index.identifiers == {name: (times[name], files[name]) for name in times})
    comparison.expect("totals", index.totals == totals)
    compare_keys(comparison, "by_frequency", index.by_frequency, ((count, name) for name, count in times.items()))
    compare_keys(comparison, "by_size", index.by_size, ((facts["size"], path) for path, facts in all_facts.items()))
    compare_keys(comparison, "by_change", index.by_change, ((facts["modified"], path) for path, facts in all_facts.items()))
    imports = ((name, path) for path, facts in all_facts.items() for name in facts["imports"])
    compare_keys(comparison, "by_import", index.by_import, imports)
    return comparison


def compare_keys(
    comparison: Comparison, what: str, stored: utan.Collection[tuple[Any, ...], None], expected: Iterable[tuple[Any, ...]]
) -> None:
    """The same keys, in their order."""
    comparison.expect(what, list(stored) == sorted(expected))
