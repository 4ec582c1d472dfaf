#!/usr/bin/env python3
"""Says how many of the lines of src/ and python/src/ were executed, by folder, and which were not; ends with 1 if too few were.

    coverage_report.py LINES.INFO    what llvm-cov export -format=lcov wrote

Lines that no test can reach are listed in docs/COVERAGE.md, in tables of file, line and reason. A line is named by its text: it,
and the lines right behind it that were not executed either, do not count. An entry whose line is not there, or was executed, is
an error, so that the list holds nothing but what is so.
"""

import pathlib
import re
import sys

TARGET_PERCENT = 95.0
PARTS = ("src/", "python/src/")
ROOT = pathlib.Path(__file__).resolve().parent.parent
ENTRY = re.compile(r"^\| `((?:python/)?src/[^`]+)` \| `(.+?)` \| .+ \|$", re.MULTILINE)


def read_counts(path):
    """How often each line was executed: {file below the root: {line: count}}."""
    counts = {}
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            source = pathlib.Path(rest)
            name = str(source.relative_to(ROOT)) if source.is_relative_to(ROOT) else rest
            lines = counts.setdefault(name, {})
        elif kind == "DA":
            number, count = rest.split(",")[:2]
            lines[int(number)] = max(lines.get(int(number), 0), int(count))
    return {name: lines for name, lines in counts.items() if name.startswith(PARTS) and lines}


def leave_out_unreachable(counts, document):
    """Removes the lines that the document lists; what is wrong with the list, in words."""
    wrong = []
    for name, text in ENTRY.findall(document):
        source = ROOT / name
        found = [i for i, line in enumerate(source.read_text().splitlines(), 1) if line.strip() == text] if source.is_file() else []
        lines = counts.get(name, {})
        if len(found) != 1:
            wrong.append(f"docs/COVERAGE.md: {name} has {len(found)} lines `{text}`, not one")
        elif lines.get(found[0], 1) != 0:
            wrong.append(f"docs/COVERAGE.md: {name}:{found[0]} `{text}` is executed: the entry can go")
        else:
            number = found[0]
            while lines.get(number) == 0:
                del lines[number]
                number += 1
    return wrong


def leave_out_braces(counts):
    """Removes lines of closing braces: theirs is the count of what cannot follow a break, or of a body without code."""
    for name, lines in counts.items():
        for number, text in enumerate((ROOT / name).read_text().splitlines(), 1):
            if text.strip(" }") == "":
                lines.pop(number, None)


def percent(covered, all_lines):
    return 100.0 * covered / all_lines if all_lines else 100.0


def as_ranges(numbers):
    ranges = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def main():
    counts = read_counts(pathlib.Path(sys.argv[1]))
    if not counts:
        print("coverage: nothing was counted", file=sys.stderr)
        return 1
    wrong = leave_out_unreachable(counts, (ROOT / "docs/COVERAGE.md").read_text())
    leave_out_braces(counts)
    rows = {}
    for name, lines in sorted(counts.items()):
        part = next(part for part in PARTS if name.startswith(part))
        for row in (name.rsplit("/", 1)[0], f"all of {part}"):
            entry = rows.setdefault(row, [0, 0])
            entry[0] += sum(count > 0 for count in lines.values())
            entry[1] += len(lines)
    print(f"{'folder':<20}{'lines':>8}{'executed':>10}{'percent':>9}")
    for row, (covered, all_lines) in sorted(rows.items(), key=lambda row: row[0].startswith("all of")):
        print(f"{row:<20}{all_lines:>8}{covered:>10}{percent(covered, all_lines):>9.1f}")

    for name, lines in sorted(counts.items()):
        missed = [number for number, count in sorted(lines.items()) if count == 0]
        part = percent(len(lines) - len(missed), len(lines))
        if part < TARGET_PERCENT:
            print(f"below {TARGET_PERCENT:.0f} %: {name} {part:.1f} %: lines {as_ranges(missed)}")
    for part in PARTS:
        if percent(*rows.get(f"all of {part}", (0, 1))) < TARGET_PERCENT:
            wrong.append(f"coverage: less than {TARGET_PERCENT:.0f} % of the lines of {part} were executed")
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
