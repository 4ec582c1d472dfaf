#!/usr/bin/env python3
"""Draws the summary that python_report.py made.

    python_picture.py SUMMARY.json OUT.png
"""

import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))  # the drawing that both pictures share

from picture import bars, line_at, plt  # noqa: E402  (chooses the backend)

OURS, MEMORY, PEER = "#d95f02", "#a6bddb", "#1b9e77"
# Section, phase, title, and the target: a factor on the time of a system (None: there is none).
PANELS = (
    ("mappings", "read", "get, ns", (1 / 3, "lmdb, one transaction")),
    ("mappings", "insert", "set a new record, ns", (1 / 3, "lmdb")),
    ("mappings", "overwrite", "set an existing record, ns", (1 / 3, "lmdb")),
    ("mappings", "iterate", "iterate, ns per item", None),
    ("lists", "append", "list: append, ns", None),
    ("lists", "index", "list: index at random, ns", None),
    ("nested", "read", 'db["users"][k]["name"], ns', None),
    ("nested", "read_after_commit", "the same after another process's commit, ns", (1 / 3, "ZODB, ZEO")),
)


def colour(system):
    return OURS if system.startswith("utan") else MEMORY if system in ("dict", "list") else PEER


def logarithmic(axes, low):
    axes.set_ylim(bottom=low)
    axes.set_yscale("log")
    axes.set_ylim(top=axes.get_ylim()[1] * 4)  # room for the numbers


def draw_panel(axes, section, phase, title, target):
    systems = {name: entry["net_ns"][phase] for name, entry in section["systems"].items()
               if name != "control" and entry["net_ns"].get(phase)}
    # The number of nanoseconds is at the top of each bar; on a logarithmic scale nothing below 10 is to be seen.
    bars(axes, list(systems), list(systems.values()), [colour(name) for name in systems], "{:,.0f}")
    axes.set_xticks(range(len(systems)), [name.replace(", ", "\n") for name in systems], fontsize=8, rotation=35, ha="right")
    logarithmic(axes, 10)
    if target and target[1] in systems:
        line_at(axes, target[0] * systems[target[1]]["median"], f"target: {target[0]:.2g} x {target[1]}")
    axes.set_title(f"{title} (logarithmic)", fontsize=10)


def draw_times(axes, entries, title, target):
    bars(axes, list(entries), list(entries.values()), [colour(name) for name in entries], "{:.1f}")
    axes.set_xticks(range(len(entries)), list(entries), fontsize=8, rotation=35, ha="right")
    if target:
        line_at(axes, target, f"target: {target:g} ms")
    axes.set_title(title, fontsize=10)


def draw(s):
    figure, grid = plt.subplots(5, 2, figsize=(13, 21), layout="constrained")
    for axes, (section, phase, title, target) in zip(grid.flat, PANELS):
        if section in s["sections"]:
            draw_panel(axes, s["sections"][section], phase, title, target)
        else:
            axes.set_axis_off()
    opening, imports = list(grid.flat)[len(PANELS):]
    draw_times(opening, {name: entry for name, entry in s["opening"].items() if entry}, "open and read one record, ms", 2)
    draw_times(imports, s["imports"], "import, ms", None)
    settings, machine = s["settings"], s["machine"]
    figure.suptitle(f"Python: {settings['record_count']:,} records of 16 + 100 bytes, one commit per set, nothing synced; median, "
                    f"min and max\n{machine['cpu']}, {machine['cores']} cores, {s['python']}, {s['date']}"
                    + (" (quick run)" if s["quick"] else ""), fontsize=11)
    return figure


def main():
    summary, out = sys.argv[1:]
    with open(summary, encoding="utf-8") as file:
        figure = draw(json.load(file))
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main()
