"""The files of a folder, and what the demo wants to know of each. Nothing in here knows of Utan.

The name of a file on Linux is bytes, which need not be UTF-8. The demo keeps names as the bytes that they are, so that each
is exact, and makes text of them only to print it (`printable`).
"""

import os
import re
import stat
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TypedDict

SKIPPED_FOLDERS = {b"__pycache__", b"site-packages", b"dist-packages"}
TEXT_SIZE_MAX = 64 << 20
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# Letters, digits and underscores, not beginning with a digit; also in comments and strings. Those too long to be written by
# a person, which might not fit into a key, are left out.
IDENTIFIER = re.compile(r"\b[^\W\d]\w{0,254}\b")

# What Python's import statements and C's include lines name. Each must be the whole line, because prose imports things, too.
MODULES = r"[\w.]+(?:[ \t]+as[ \t]+\w+)?"
IMPORT = re.compile(
    rf"""^[ \t]*(?: from [ \t]+ ([\w.]+) [ \t]+ import \b
                  | import [ \t]+ ({MODULES} (?:[ \t]*,[ \t]* {MODULES})*) [ \t]* (?=$|[#;])
                  | \# [ \t]* include [ \t]* [<"] ([^>"\n]+) [>"] )""",
    re.MULTILINE | re.VERBOSE,
)


class Facts(TypedDict):
    """What is known of one file. One that is no text has no lines, imports and identifiers."""

    size: int
    modified: datetime
    lines: int
    imports: list[str]
    identifiers: dict[str, int]


def list_files(root: bytes) -> dict[bytes, int]:
    """The regular files below `root` in the order of their paths, with their sizes. Links are not followed."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                found[os.path.relpath(path, root)] = status.st_size
    return dict(sorted(found.items()))


def read_facts(path: bytes) -> Facts | None:
    """Reads one file; None if that is not possible."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            start = file.read(8192)
            is_text = b"\0" not in start and status.st_size <= TEXT_SIZE_MAX
            text = (start + file.read()).decode(errors="replace") if is_text else ""
    except OSError:
        return None
    return {
        "size": status.st_size,
        "modified": EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000),
        "lines": text.count("\n") + (text != "" and not text.endswith("\n")),
        "imports": imported_names(text),
        "identifiers": dict(Counter(IDENTIFIER.findall(text))),
    }


def imported_names(text: str) -> list[str]:
    """Each name once, in the order of the text."""
    names: dict[str, None] = {}
    for module, modules, header in IMPORT.findall(text):
        for name in modules.split(",") if modules else [module or header]:
            names[name.split()[0] if modules else name] = None
    return list(names)


def printable(path: bytes) -> str:
    """The path as text; what is no UTF-8 or cannot be printed is written as an escape."""
    text = path.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
