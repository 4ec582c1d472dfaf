#!/usr/bin/env python3
"""Checks every #include under src/ against the table of layers.

The table is the utan_layer(...) lines of src/CMakeLists.txt, which also make the link table; there is no other. Rules:

- A layer uses only layers named before it, so that there are no circles.
- A file belongs to the layer whose folder it lies in, and includes headers of that layer and of those it uses.
- Our headers are included by their path from src/, in quotes: "heap/heap.h".
- Headers of the operating system, and files by the standard library, are for os/ alone.
- The public headers <utan/...> are for capi/ alone.

Tests (x_test.cc, and testing.h beside them) may include anything.

    check_includes.py [--root FOLDER] [--linked build/debug/layers.txt]

--linked also compares what CMake says each layer is linked to. Prints what is wrong and ends with 1, or ends with 0.
"""

import argparse
import pathlib
import re
import sys

SYSTEM_HEADER = re.compile(
    r"^(sys|linux|asm|net|netinet|arpa|mach)/"
    r"|^(dirent|dlfcn|fcntl|ftw|grp|mntent|poll|pthread|pwd|sched|semaphore|signal|spawn|termios|ucontext|unistd)\.h$"
    r"|^(csignal|filesystem|fstream)$")

# The only exceptions, each with its reason.
SYSTEM_HEADER_ALLOWED = {
    ("base/check.cc", "unistd.h"),  # a failed check must be printed from anywhere, also from a signal handler
}
PUBLIC_HEADER_LAYERS = {"capi"}

LAYER_LINE = re.compile(r"^\s*utan_layer\(\s*([^)]*)\)", re.MULTILINE)
INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def read_table(cmake_file, errors):
    """The table as {folder: [folders it uses]}, in the order of the file."""
    table = {}
    for match in LAYER_LINE.finditer(cmake_file.read_text()):
        words = match.group(1).split()
        folder, rest = words[0], words[1:]
        if rest and rest[0] != "USES":
            errors.append(f"{cmake_file}: utan_layer({match.group(1)}): USES must follow the folder")
            continue
        for used in rest[1:]:
            if used not in table:
                errors.append(f"{cmake_file}: {folder} uses {used}, which is not a layer before it")
        table[folder] = rest[1:]
    if not table:
        errors.append(f"{cmake_file}: no utan_layer(...) lines")
    return table


def is_test(path):
    return path.name.endswith("_test.cc") or path.name == "testing.h"


def check_file(source_root, path, table, errors):
    relative = path.relative_to(source_root)
    layer = relative.parent.as_posix()
    if layer not in table:
        errors.append(f"src/{relative}: {layer}/ is not a layer; src/CMakeLists.txt has the layers")
        return
    allowed = {layer, *table[layer]}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        match = INCLUDE_LINE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        place = f"src/{relative}:{number}"
        if quote == "<" and header.startswith("utan/"):
            if layer not in PUBLIC_HEADER_LAYERS:
                errors.append(f"{place}: <{header}> is for {', '.join(sorted(PUBLIC_HEADER_LAYERS))} alone")
        elif quote == "<":
            in_os = layer == "os" or layer.startswith("os/")
            if SYSTEM_HEADER.search(header) and not in_os and (str(relative), header) not in SYSTEM_HEADER_ALLOWED:
                errors.append(f"{place}: <{header}> is for os/ alone")
        elif not (source_root / header).is_file():
            errors.append(f'{place}: "{header}" is not a file under src/; write the path from there')
        elif header.endswith("testing.h"):
            errors.append(f'{place}: "{header}" is for tests')
        else:
            target = pathlib.PurePosixPath(header).parent.as_posix()
            if target not in allowed:
                used = ", ".join(table[layer])
                errors.append(f'{place}: "{header}": {layer} may not use {target} (it may use {used})')


def check_linked(linked_file, table, errors):
    linked = {}
    for line in linked_file.read_text().splitlines():
        folder, _, uses = line.partition(":")
        linked[folder] = set(uses.split())
    for folder in sorted(set(table) | set(linked)):
        expected, actual = set(table.get(folder, [])), linked.get(folder, set())
        if folder not in linked or folder not in table or expected != actual:
            errors.append(f"{linked_file}: {folder} is linked to {sorted(actual)}, by the table to {sorted(expected)}")


def check(root, linked_file=None):
    """All that is wrong, as lines of text."""
    errors = []
    source_root = root / "src"
    table = read_table(source_root / "CMakeLists.txt", errors)
    for path in sorted(source_root.rglob("*")):
        if path.suffix in {".h", ".cc"} and not is_test(path):
            check_file(source_root, path, table, errors)
    if linked_file is not None:
        check_linked(linked_file, table, errors)
    return errors


def main():
    parser = argparse.ArgumentParser(description="Checks every #include under src/ against the table of layers.")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--linked", type=pathlib.Path, help="the layers.txt of a build folder")
    arguments = parser.parse_args()
    errors = check(arguments.root, arguments.linked)
    for error in errors:
        print(error, file=sys.stderr)
    if errors:
        print(f"check_includes: {len(errors)} wrong", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
