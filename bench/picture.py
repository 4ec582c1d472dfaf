#!/usr/bin/env python3
"""Draws the summary that report.py made.

    picture.py SUMMARY.json OUT.png
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen before)

COLOURS = {"utan": "#d95f02", "absl": "#a6bddb", "unordered_map": "#74a9cf", "map": "#a6bddb",
           "vector": "#a6bddb", "tkrzw": "#7570b3", "lmdb": "#1b9e77",
           "rocksdb": "#e7298a", "leveldb": "#f1a3c9", "sqlite": "#66a61e", "berkeleydb": "#b3de69",
           "kyotocabinet": "#bebada", "boost": "#a6761d", "pogreb": "#e6ab02",
           "control": "#999999"}
PHASES = ["insert", "read", "miss", "overwrite", "erase", "iterate"]
# Of the other containers: section, phase, title, and the target as times LMDB's time (None: there is none).
CONTAINER_PHASES = [
    ("ordered", "insert", "collection: insert, ns", 1 / 2.2),
    ("ordered", "read", "collection: read, ns", 1 / 2.2),
    ("ordered", "scan", "collection: scan, ns per record", 1.5),
    ("ordered", "load_batches", "collection: load sorted, 1,000 at once, ns", 1.0),
    ("lists", "append", "list: append, ns", None),
    ("lists", "index", "list: index at random, ns", None),
    ("lists", "insert", "list: insert at random, ns (logarithmic)", None),
    ("documents", "insert", "document: insert, ns", 1.0),
    ("documents", "read_field", "document: read a field, ns", 1 / 3),
]


def bars(axes, labels, entries, colours, form):
    """One bar per label, with its spread and its number; an entry is a summary or a bare number."""
    for x, (entry, colour) in enumerate(zip(entries, colours)):
        if entry is None:
            continue
        value, low, high = (entry, entry, entry) if isinstance(entry, (int, float)) else (
            entry["median"], entry["min"], entry["max"])
        axes.bar(x, value, color=colour, width=0.75)
        axes.errorbar(x, value, yerr=[[max(0, value - low)], [max(0, high - value)]], color="#333333", capsize=2, linewidth=1)
        axes.annotate(form.format(value), (x, high), ha="center", va="bottom", fontsize=8, xytext=(0, 2),
                      textcoords="offset points")
    many = len(labels) > 6
    axes.set_xticks(range(len(labels)), [label.replace("\n_", "_").replace("\n", " ") if many else label for label in labels],
                    fontsize=7 if many else 8, rotation=40 if many else 0, ha="right" if many else "center")
    axes.set_xlim(-0.6, max(len(labels), 3) - 0.4)  # few bars are not drawn wide
    axes.margins(y=0.18)
    axes.set_ylim(bottom=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def line_at(axes, y, text):
    axes.set_ylim(top=max(axes.get_ylim()[1], y * 1.15))
    axes.axhline(y, color="#b30000", linestyle="--", linewidth=1)
    axes.annotate(text, (1, y), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7, color="#b30000",
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5})


def short(name):
    return name.replace("unordered_map", "unordered\n_map")


def draw_containers(s, grid):
    for axes, (section, phase, title, target) in zip(grid, CONTAINER_PHASES):
        if section not in s["containers"]:
            axes.set_axis_off()
            continue
        systems = {n: e["net_ns"][phase] for n, e in s["containers"][section]["systems"].items() if n != "control"}
        bars(axes, list(systems), list(systems.values()), [COLOURS[n] for n in systems], "{:.0f}")
        if "logarithmic" in title:
            axes.set_ylim(bottom=100)
            axes.set_yscale("log")
            axes.set_ylim(top=axes.get_ylim()[1] * 10)  # room for the numbers
        elif target and systems.get("lmdb"):
            line_at(axes, target * systems["lmdb"]["median"], f"target: {target:.2g} x LMDB's time")
        axes.set_title(title, fontsize=10)


def logarithmic(axes):
    """Where one bar would hide the others. Room above for the numbers."""
    lowest = min((patch.get_height() for patch in axes.patches if patch.get_height() > 0), default=1)
    axes.set_yscale("log")
    axes.set_ylim(bottom=lowest / 2, top=axes.get_ylim()[1] * 4)


def draw_mixed(s, grid):
    """Mixed loads: one worker, and two beside it, paler."""
    for axes, (key, name) in zip(grid, [("systems", n) for n in "ABCF"] + [("ordered", "E")]):
        systems = {n: e for n, e in s["ycsb"][key].items() if n != "control" and f"{name}.1" in e}
        if not systems:
            axes.set_axis_off()
            continue
        for x, (system, entry) in enumerate(systems.items()):
            for shift, workers, alpha in ((-0.2, "1", 1), (0.2, "2", 0.5)):
                value = entry.get(f"{name}.{workers}")
                if value:
                    axes.bar(x + shift, value["median"] / 1e6, color=COLOURS[system], width=0.38, alpha=alpha)
        axes.set_xticks(range(len(systems)), list(systems), fontsize=7, rotation=40, ha="right")
        axes.set_yscale("log")
        axes.set_title(f"mixed load {name}: million operations/s (logarithmic)", fontsize=10)


def draw_scale(s, grid):
    """Cost as tables and as values grow, one worker."""
    panels = [(kind, phase) for kind in ("records", "size") for phase in ("insert.1", "read.1")]
    for axes, (kind, phase) in zip(grid, panels):
        steps = {int(step.split("_")[1]): systems for step, systems in s["scale"].items() if step.startswith(kind + "_")}
        if not steps:
            axes.set_axis_off()
            continue
        for system in dict.fromkeys(n for systems in steps.values() for n in systems):
            points = [(x, systems[system][phase]["median"]) for x, systems in sorted(steps.items()) if system in systems]
            axes.plot(*zip(*points), color=COLOURS[system], marker=".", label=system, linewidth=2.5 if system == "utan" else 1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.legend(fontsize=6, ncols=2)
        axes.set_title(f"{phase.split('.')[0]}, ns, by " + ("records" if kind == "records" else "bytes of a value"), fontsize=10)


def draw(s):
    figure, grid = plt.subplots(10, 3, figsize=(14, 36), layout="constrained")
    systems = [name for name in s["point"] if name != "control"]
    for axes, phase in zip(grid.flat, PHASES):
        if not s["point"]:
            axes.set_axis_off()
            continue
        bars(axes, [short(n) for n in systems], [s["point"][n]["net_ns"][phase] for n in systems],
             [COLOURS[n] for n in systems], "{:.0f}")
        logarithmic(axes)
        axes.set_title(f"table: {phase}, ns" + (" per record" if phase == "iterate" else "") + " (logarithmic)", fontsize=10)

    draw_containers(s, list(grid.flat)[len(PHASES):])
    rest = list(grid.flat)[len(PHASES) + len(CONTAINER_PHASES):]
    readers = s["readers"]
    bars(rest[0], [short(n) for n in readers], [e["gain"] for e in readers.values()], [COLOURS[n] for n in readers], "{:.2f}")
    if "control" in readers:
        line_at(rest[0], 0.9 * readers["control"]["gain"]["median"], "target: 0.9 x the control's")
    rest[0].set_title("two readers over one, times the throughput", fontsize=10)

    writer = s["writer"]
    for axes, key, what, unit in ((rest[1], "read_per_s", "reads", 1e6), (rest[2], "write_per_s", "writes", 1e6)):
        entries = [{k: v / unit for k, v in e[key].items() if k != "samples"} for e in writer.values()]
        bars(axes, list(writer), entries, [COLOURS[n] for n in writer], "{:.3g}")
        if "lmdb" in writer:
            line_at(axes, 2 * writer["lmdb"][key]["median"] / unit, "target: 2 x LMDB")
        axes.set_title(f"two readers and a writer: million {what}/s", fontsize=10)

    opened = s["open"]
    labels = [f"{n}\n{what}" for n in opened for what in ("closed", "killed")]
    entries = [opened[n][what] for n in opened for what in ("after_clean_close", "after_kill")]
    bars(rest[3], labels, entries, [COLOURS[n] for n in opened for _ in range(2)], "{:.2f}")
    line_at(rest[3], 1.0, "target: 1 ms")
    if entries:
        logarithmic(rest[3])
    rest[3].set_title("open and read one record, ms (logarithmic)", fontsize=10)

    sizes = {n: e.get("closed") or e.get("open") for n, e in s["sizes"]["systems"].items()}
    bars(rest[4], list(sizes), [e["allocated_ratio"] for e in sizes.values()], [COLOURS[n] for n in sizes], "{:.2f}")
    rest[4].set_title("file after the load / bytes of keys and values", fontsize=10)

    growth = s["growth"]
    bars(rest[5], [name.replace("_", "\n", 1).replace("_", " ") for name in growth],
         [e["ratio_less_chunk"] for e in growth.values()], [COLOURS["utan"]] * len(growth), "{:.2f}")
    if growth:
        line_at(rest[5], 1.3, "target: nothing held")
        line_at(rest[5], 2.3, "target: state of the load held")
    else:
        rest[5].set_axis_off()
    rest[5].set_title(f"Utan's file (less 16 MiB) after {s['settings']['growth_overwrite_count'] / 1e6:g} M overwrites / loaded",
                      fontsize=10)

    draw_mixed(s, rest[6:])
    draw_scale(s, rest[11:])

    settings = s["settings"]
    figure.suptitle(f"{settings['record_count']:,} records of {settings['key_size']} + {settings['value_size']} bytes, one commit "
                    f"per operation, nothing synced; median, min and max\n{s['machine']['cpu']}, {s['machine']['cores']} cores, "
                    f"{s['date']}" + (" (quick run)" if s["quick"] else ""), fontsize=11)
    return figure


def main():
    summary, out = sys.argv[1:]
    with open(summary, encoding="utf-8") as file:
        figure = draw(json.load(file))
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    main()
