"""A program with types, which mypy accepts as it is and which runs: containers say what their keys and values are."""

import datetime
import sys
from collections.abc import Iterator, MutableMapping, MutableSequence
from typing import Any

import utan


def count_words(words: list[str], counts: utan.Dict[str, int]) -> int:
    """Works on what is in the store, of whatever process."""
    for word in words:
        counts.incr(word)
    return sum(counts.values())


def longest(lines: MutableSequence[str]) -> str:
    """Takes a list as well as a utan.List."""
    return max(lines, key=len)


def names(mapping: MutableMapping[str, int]) -> list[str]:
    """Takes a dict as well as a utan.Dict, Collection or Table."""
    return sorted(mapping)


def newest(log: utan.Collection[datetime.datetime, str], count: int) -> Iterator[str]:
    for _, line in log.range(reverse=True, limit=count):
        yield line


def main(path: str) -> None:
    with utan.open(path, "n") as db:
        counts: utan.Dict[str, int] = db.dict("counts")
        total: int = count_words(["auk", "emu", "auk"], counts)
        first: tuple[str, int] = counts.first()
        missing: int | str = counts.get("rhea", "none")
        plain: dict[str, int] = counts | {"rhea": 1}
        assert (total, first, missing, plain) == (3, ("auk", 2), "none", {"auk": 2, "emu": 1, "rhea": 1})
        assert names(counts) == names({"emu": 1, "auk": 2})

        lines: utan.List[str] = utan.List(db, ["a", "bcd"])
        lines += ["ef"]
        part: list[str] = lines[1:]
        assert longest(lines) == longest(part) == "bcd"

        log: utan.Collection[datetime.datetime, str] = db.collection("log")
        log.update({datetime.datetime(2024, 1, day): f"day {day}" for day in (1, 2, 3)})
        assert list(newest(log, 2)) == ["day 3", "day 2"]

        by_size: utan.Collection[tuple[int, str], None] = utan.Collection(db, {(2, "a"): None, (5, "b"): None})
        assert by_size.count_range((3,)) == 1 and [key for key, _ in by_size.range(high=(3,))] == [(2, "a")]

        ids: utan.Table[int, bytes] = db.table("ids")
        was_added: bool = ids.add(7, b"seven")
        deep: Any = db["counts"]["auk"]  # of the store itself nobody can know
        assert was_added and deep == 2 and db.replace("nothing", 1, 2) is False

        with db.snapshot() as then:
            counts.clear()
            assert then["counts"] == {"auk": 2, "emu": 1}


if __name__ == "__main__":
    main(sys.argv[1])
