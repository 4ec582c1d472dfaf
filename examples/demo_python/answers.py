"""Questions that the finished index answers. Each is a range of keys: what is read is what is shown."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from files import printable
from index import Index

SHOWN_MAX = 5


@contextmanager
def answered(question: str) -> Iterator[list[str]]:
    """Prints the question, how long the answer took, and the lines that the block has made of it."""
    lines: list[str] = []
    before = time.perf_counter()
    yield lines
    print(f"\n{question} ({1000 * (time.perf_counter() - before):.2f} ms):")
    print("\n".join(f"  {line}" for line in lines))


def answer_all(index: Index) -> None:
    answer_frequent(index)
    answer_large(index)
    answer_prefix(index, folder_to_show(index))
    answer_changed(index)
    answer_imports(index, name_to_show(index))


def answer_frequent(index: Index) -> None:
    totals = index.totals
    print(f"\n{totals['files']:,} files, {totals['bytes'] / 1e6:,.1f} MB, {totals['lines']:,} lines, "
          f"{totals['imports']:,} imports, {totals['identifiers']:,} identifiers, {len(index.identifiers):,} different ones")
    with answered("The most frequent identifiers") as lines:
        for (times, name), _ in index.by_frequency.range(reverse=True, limit=2 * SHOWN_MAX):
            lines.append(f"{times:11,} in {index.identifiers[name][1]:6,} files  {name}")


def answer_large(index: Index) -> None:
    (largest, _), _ = index.by_size.last()
    size_min = largest // 10
    with answered(f"The files of {size_min:,} bytes or more, the largest first") as lines:
        count = index.by_size.count_range(low=(size_min,))
        for (size, path), _ in index.by_size.range(low=(size_min,), reverse=True, limit=SHOWN_MAX):
            lines.append(f"{size:11,}  {printable(path)}")
        say_more(lines, count)


def answer_prefix(index: Index, prefix: bytes) -> None:
    with answered(f"The files whose path begins with {printable(prefix)!r}") as lines:
        count = index.files.count_range(prefix=prefix)
        for path, document in index.files.range(prefix=prefix, limit=SHOWN_MAX):
            lines.append(f"{document['lines']:11,} lines  {printable(path)}  {document['id']}")
        say_more(lines, count)


def answer_changed(index: Index) -> None:
    (newest, _), _ = index.by_change.last()
    since = newest - timedelta(days=1)
    with answered(f"The files changed since {since:%Y-%m-%d %H:%M:%S} UTC, the newest first") as lines:
        count = index.by_change.count_range(low=(since,))
        for (modified, path), _ in index.by_change.range(low=(since,), reverse=True, limit=SHOWN_MAX):
            lines.append(f"{modified:%Y-%m-%d %H:%M:%S}  {printable(path)}")
        say_more(lines, count)


def answer_imports(index: Index, name: str) -> None:
    with answered(f"Who imports or includes {name}") as lines:
        # A tuple sorts before all longer ones that begin with it, and no name is between this one and the next.
        low, high = (name,), (name + "\0",)
        count = index.by_import.count_range(low, high)
        for (_, path), _ in index.by_import.range(low, high, limit=SHOWN_MAX):
            lines.append(f"{'':11}  {printable(path)}")
        say_more(lines, count)


def say_more(lines: list[str], count: int) -> None:
    if count > len(lines):
        lines.append(f"{'':11}  and {count - len(lines):,} more")
    elif not lines:
        lines.append(f"{'':11}  none")


def folder_to_show(index: Index) -> bytes:
    """A folder that many know, if it is there; otherwise that of the first file in one, or nothing, which is before any path."""
    if index.files.count_range(prefix=b"json/"):
        return b"json/"
    return next((path[: path.index(b"/") + 1] for path in index.files if b"/" in path), b"")


def name_to_show(index: Index) -> str:
    """A name that many know, if it is imported here; otherwise the first that is."""
    for name in ("json", "re", "string", "stdio.h"):
        if index.by_import.count_range((name,), (name + "\0",)):
            return name
    return str(index.by_import.first()[0][0]) if index.by_import else "json"
