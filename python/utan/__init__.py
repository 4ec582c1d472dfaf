"""Utan: an embedded object database in one memory-mapped file.

    import utan

    with utan.open("app.utan") as db:
        db["users"] = {"joe": {"age": 27, "mails": []}}     # stored deeply, in one commit
        db["users"]["joe"]["mails"].append("joe@example.org")   # edited in place, seen at once by every process

Dicts and lists in a store are live: `utan.Dict`, `utan.List`. `utan.Collection` is a mapping for many entries in the order
of their keys, `utan.Table` one in no order, the fastest by single key.
"""

from utan._utan import (
    ClosedError,
    Collection,
    CorruptionError,
    Dict,
    DuplicateKeyError,
    Error,
    FormatError,
    List,
    NoSpaceError,
    ReadOnlyError,
    Store,
    Table,
    TimeoutError,
    VersionError,
    __version__,
    json_default,
    open,
    register,
)

__all__ = [
    "ClosedError",
    "Collection",
    "CorruptionError",
    "Dict",
    "DuplicateKeyError",
    "Error",
    "FormatError",
    "List",
    "NoSpaceError",
    "ReadOnlyError",
    "Store",
    "Table",
    "TimeoutError",
    "VersionError",
    "json_default",
    "open",
    "register",
]
