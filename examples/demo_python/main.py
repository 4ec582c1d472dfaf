#!/usr/bin/env python3
"""Four processes index a folder of source files into one store, without a lock. One of them is killed half way, another one
takes its place; then the index is compared with a plain count in memory, answers questions, and is checked.

Read index.py first (what is in the store, and why it is exact), then crew.py (how processes share the work).

Ends with 0 if all is well, 1 if index and count differ or the store is damaged, 2 for wrong arguments, 5 if the folder or
the store cannot be used, 130 after Ctrl-C.
"""

import argparse
import os
import sys
import sysconfig
import tempfile
import time

import utan
from answers import answer_all
from compare import compare
from crew import WorkerFailed, explain, run_crew
from files import list_files, printable
from index import Index


class CannotStart(Exception):
    """There is nothing to do, or no place to do it."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Indexes a folder with several processes, and kills one of them.")
    parser.add_argument("dir", nargs="?", metavar="DIR", help="the folder (Python's standard library)")
    parser.add_argument("--store", metavar="PATH", help="make the store there and keep it (a temporary file)")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="how many, 1 to 64 (4)")
    arguments = parser.parse_args()
    if not 1 <= arguments.workers <= 64:
        parser.error("--workers takes a number from 1 to 64")
    return arguments


def make_index(db: utan.Store, root: bytes) -> Index:
    """The index with all its files to do."""
    sizes = list_files(root)
    if not sizes:
        raise CannotStart(f"{printable(root)}: no files in it")
    index = Index(db)
    index.work.update(dict.fromkeys(sizes))
    print(f"Indexing {len(sizes):,} files of {printable(root)}, {sum(sizes.values()) / 1e6:,.1f} MB", flush=True)
    return index


def build(index: Index, root: bytes, worker_count: int) -> None:
    commits_before = index.db.stats()["commit_number"]
    started = time.monotonic()
    if not run_crew(index, root, worker_count):
        print("  (no worker was killed: all files were done before)")
    indexed = time.monotonic()
    index.sum_up()
    summed = time.monotonic()
    index.db.sync()
    synced = time.monotonic()
    commits = index.db.stats()["commit_number"] - commits_before
    print(f"  indexed in {indexed - started:.2f} s by {worker_count} processes, summed up in {summed - indexed:.2f} s, "
          f"made safe from power cuts in {synced - summed:.2f} s; {commits:,} commits")


def is_identical(index: Index, root: bytes) -> bool:
    print("\nComparing with a plain count by one process in its own memory", flush=True)
    started = time.monotonic()
    comparison = compare(index, root)
    if comparison.unreadable_count:
        print(f"  {comparison.unreadable_count:,} files could not be read")
    if not comparison.differences:
        print(f"  identical: {len(index.files):,} documents, {comparison.count_count:,} counts of "
              f"{len(index.identifiers):,} identifiers ({time.monotonic() - started:.2f} s)")
        return True
    print("  DIFFERENT (as are files that changed since they were indexed). The first:")
    for what in comparison.differences[:10]:
        print(f"    {what}")
    return False


def is_sound(db: utan.Store) -> bool:
    started = time.monotonic()
    problems = db.check()["problems"]
    size = db.stats()["file_size"]
    if not problems:
        print(f"\nThe store is sound: all its {size / 1e6:,.1f} MB were checked in {time.monotonic() - started:.2f} s.")
        return True
    print(f"\nThe store is DAMAGED: {len(problems)} problems. The first:")
    for problem in problems[:10]:
        print(f"  {problem}")
    return False


def run(root: bytes, store_path: str, worker_count: int) -> int:
    with utan.open(store_path, "n") as db:
        index = make_index(db, root)
        build(index, root, worker_count)
        identical = is_identical(index, root)
        answer_all(index)
        return 0 if is_sound(db) and identical else 1


def run_somewhere(arguments: argparse.Namespace) -> int:
    root = os.path.realpath(os.fsencode(arguments.dir or sysconfig.get_path("stdlib")))
    os.scandir(root).close()  # the error says what is wrong with it
    if arguments.store:
        if os.path.lexists(arguments.store):
            raise CannotStart(f"{arguments.store}: it is there already")
        status = run(root, arguments.store, arguments.workers)
        print(f"It is kept: utan.open({arguments.store!r}).")
        return status
    with tempfile.TemporaryDirectory(prefix="utan_demo.") as folder:
        return run(root, os.path.join(folder, "demo.utan"), arguments.workers)


def main() -> int:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may know few letters
    try:
        return run_somewhere(parse_arguments())
    except (utan.Error, OSError, CannotStart, WorkerFailed) as error:
        print(f"demo: {explain(error)}", file=sys.stderr)
        return 5
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
