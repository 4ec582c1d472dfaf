"""Mistakes that mypy must find by the types of utan. Each is expected on its line: one that it does not find is an error."""

from collections.abc import Hashable

import utan


def mistakes(db: utan.Store, counts: utan.Dict[str, int], lines: utan.List[str]) -> None:
    counts["auk"] = "two"  # type: ignore[assignment]
    counts[1] = 2  # type: ignore[index]
    number: str = counts["auk"]  # type: ignore[assignment]
    perhaps: int = counts.get("auk")  # type: ignore[assignment]
    counts.incr("auk", by="one")  # type: ignore[arg-type]
    counts.ranges()  # type: ignore[attr-defined]
    counts.at(5)  # type: ignore[arg-type]
    key: Hashable = counts  # type: ignore[assignment]

    lines.append(1)  # type: ignore[arg-type]
    lines["0"] = "a"  # type: ignore[call-overload]
    live: utan.List[str] = lines[1:]  # type: ignore[assignment]

    table: utan.Table[str, int] = db.dict("counts")  # type: ignore[assignment]
    table.first()  # type: ignore[attr-defined]
    wrong: utan.Dict[str, int] = utan.Dict(db, {"auk": "two"})  # type: ignore[arg-type]
    utan.Dict({"auk": 2})  # type: ignore[arg-type]
    db.path = "other"  # type: ignore[misc]

    utan.open("app.utan", "rw")  # type: ignore[arg-type]
    utan.open("app.utan", durability="none")  # type: ignore[arg-type]
    utan.connect("app.utan")  # type: ignore[attr-defined]
    print(number, perhaps, key, live, wrong)


class Derived(utan.Dict[str, int]):  # type: ignore[misc]
    """The types of containers have no subclasses."""
