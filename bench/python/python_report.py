#!/usr/bin/env python3
"""Makes a JSON summary and a Markdown report of what measure.py measured.

    python_report.py RAW --json OUT.json --markdown OUT.md [--date TEXT] [--quick] [--work-filesystem TEXT]

Medians and spreads are over rounds, ratios are taken within a round, everything is net of the control of the same round.
All judgement is here: measure.py only measures. Uses the standard library alone.
"""

import argparse
import json
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))  # the parts that both reports share

from report import machine_of, output_of  # noqa: E402
from summary import Run, median, mib, spread, summary, table  # noqa: E402

PHASES = {
    "mappings": ["insert", "read", "overwrite", "iterate"],
    "lists": ["append", "index", "iterate"],
    "nested": ["read", "write", "read_after_commit"],
}
OURS = {"mappings": ["utan Table", "utan Collection", "utan Dict"], "lists": ["utan List"], "nested": ["utan"]}

TO_LMDB_MIN = 3.0
TO_DICT_MAX = 2.5
SLOW_PEERS = ("viperdb", "diskcache", "Manager", "redis")
TO_SLOW_PEERS_MIN = 10.0
TO_ZODB_MIN = 3.0
OPEN_MS_MAX = 2.0
UNDISTURBED_SHARE_MIN = 0.95  # of its core, that a system without a server gets in an undisturbed run


def net_times(run, section):
    """{system: {phase: {round: ns}}}, less the control of the round; a phase that a system has not is left out."""
    control = {line["round"]: line for line in run.good(section, "control")}
    net = {}
    for system in names_of(run, section):
        net[system] = {phase: {line["round"]: line[f"{phase}.wall_ns"] - control[line["round"]][f"{phase}.wall_ns"]
                               for line in run.good(section, system)
                               if f"{phase}.wall_ns" in line and line["round"] in control}
                       for phase in PHASES[section]}
    return net


def names_of(run, section):
    return [line["system"] for line in run.systems if line["part"] == section and line["system"] != "control"]


def ratios_within_rounds(of, to):
    """How many times as long `of` took as `to`, round by round."""
    return summary([of[r] / to[r] for r in of if r in to and to[r] > 0])


def summarise_section(run, section):
    net = net_times(run, section)
    systems = {"control": {phase: summary([line[f"{phase}.wall_ns"] for line in run.good(section, "control")])
                           for phase in PHASES[section]}}
    for system, phases in net.items():
        lines = run.good(section, system)
        systems[system] = {
            "net_ns": {phase: summary(list(rounds.values())) for phase, rounds in phases.items()},
            "count": {phase: summary([line[f"{phase}.count"] for line in lines if f"{phase}.count" in line])
                      for phase in phases},
            "cpu_share": {phase: summary([line[f"{phase}.cpu_share"] for line in lines if f"{phase}.cpu_share" in line])
                          for phase in phases},
            "preempted_count": summary([line["preempted_count"] for line in lines]),
            "record_count": summary([line["record_count"] for line in lines if "record_count" in line]),
        }
    ratios = {ours: {peer: {phase: ratios_within_rounds(net[peer][phase], net[ours][phase]) for phase in PHASES[section]}
                     for peer in net if peer not in OURS[section]}
              for ours in OURS[section] if ours in net}
    return {"systems": systems, "ratios": ratios}


def summarise_opening(run):
    return {system: summary([line["open.wall_ns"] / 1e6 for line in run.good("opening", system) if "open.wall_ns" in line])
            for system in names_of(run, "opening")}


def summarise_crowd(run):
    """Of each store: until the last of many had its answer; and, over all of all rounds, what one opening took, in ms."""
    out = {}
    for system in names_of(run, "crowd"):
        lines = [line for line in run.good("crowd", system) if "all.wall_ns" in line]
        out[system] = {"all": summary([line["all.wall_ns"] / 1e6 for line in lines]),
                       "each_median": summary([statistics.median(line["each.wall_ns"]) / 1e6 for line in lines]),
                       "each_worst": summary([max(line["each.wall_ns"]) / 1e6 for line in lines])}
    return out


def summarise_imports(run):
    samples = {}
    for line in run.lines:
        if line["section"] == "import" and "error" not in line:
            samples.setdefault(line["system"], []).append(line["import.wall_ns"] / 1e6)
    return {module: summary(taken) for module, taken in samples.items()}


def targets_of(s):
    """The promises, each with what was measured: True, False or None (not measured) for met."""
    targets = []

    def add(name, sign, bound, value):
        is_met = None if value is None else value >= bound if sign == ">=" else value <= bound if sign == "<=" else value < bound
        targets.append({"target": name, "bound": f"{sign} {bound:g}", "measured": value and float(f"{value:.3g}"),
                        "met": is_met})

    def times(section, ours, peer, phase):
        return median(s["sections"].get(section, {}).get("ratios", {}).get(ours, {}).get(peer, {}).get(phase))

    def table_to(peer, phase):
        return times("mappings", "utan Table", peer, phase)

    add("Table, read: times as fast as py-lmdb in one transaction", ">=", TO_LMDB_MIN, table_to("lmdb, one transaction", "read"))
    to_dict = table_to("dict", "read")
    add("Table, read: time over a dict's", "<=", TO_DICT_MAX, to_dict and 1 / to_dict)
    for phase in ("insert", "overwrite"):
        add(f"Table, {phase}: times as fast as py-lmdb", ">=", TO_LMDB_MIN, table_to("lmdb", phase))
    for peer in SLOW_PEERS:
        for phase in ("read", "insert", "overwrite"):
            add(f"Table, {phase}: times as fast as {peer}", ">=", TO_SLOW_PEERS_MIN, table_to(peer, phase))
    add("nested read after another process's commit: times as fast as ZODB's", ">=", TO_ZODB_MIN,
        times("nested", "utan", "ZODB, ZEO", "read_after_commit"))
    add(f"open and read one of {s['settings']['opened_record_count']:,} records, after import, ms", "<", OPEN_MS_MAX,
        median(s["opening"].get("utan")))
    # What was missed comes first, so that nobody overlooks it.
    return sorted(targets, key=lambda target: {False: 0, None: 1, True: 2}[target["met"]])


def disturbed(s):
    """The least share of its core that Utan, a dict or a list got: all of their time is spent on it."""
    return min((share["median"] for section in s["sections"].values() for system, entry in section["systems"].items()
                if system.startswith("utan") or system in ("dict", "list")
                for phase, share in entry["cpu_share"].items() if share and phase != "read_after_commit"), default=1.0)


# ---- Markdown -------------------------------------------------------------------------------------------------------

TITLES = {
    "mappings": "## Records by key: one operation, ns\n\n{record_count:,} records in random order, keys of 16 characters that are "
                "new objects each time, values of 100 bytes; every set a commit of its own, nothing synced. Median of "
                "{round_count} rounds (min-max), net of the control's loop.\n",
    "lists": "## Lists: one operation, ns\n\n{record_count:,} integers of 40 bits, appended one by one, read at random indexes, "
             "iterated over. Median of {round_count} rounds (min-max).\n",
    "nested": '## Nested: `db["users"][key]["name"]`, ns\n\n{document_count:,} documents of a name, a number and a list. read and '
              "write: at random, nobody else at work. read_after_commit: the median of single reads, each right after another "
              "process has committed a change to that very field; what was read is compared with that. Median of {round_count} "
              "rounds (min-max). The control of read_after_commit is the loop in which nothing is read, run once after waiting.\n",
}


def form(nanoseconds):
    return "{:.0f}" if nanoseconds is None or nanoseconds >= 10 else "{:.1f}"


def phase_table(section, phases):
    """Net ns per operation; of those that were not measured to the end, how many were."""
    rows = []
    for system, entry in section["systems"].items():
        net = entry if system == "control" else entry["net_ns"]
        name = "*control (subtracted)*" if system == "control" else system
        rows.append([name] + [spread(net[phase], form(median(net[phase]))) for phase in phases])
    return table(["system"] + phases, rows[1:] + rows[:1])


def counts(section, phases, whole):
    """Who was measured over fewer operations than all, and over how many."""
    said = []
    for system, entry in section["systems"].items():
        if system == "control":
            continue
        few = [f"{phase} {entry['count'][phase]['median']:,.0f}" for phase in phases
               if entry["count"][phase] and entry["count"][phase]["min"] < whole and phase != "read_after_commit"]
        few += [f"{phase} {entry['count'][phase]['median']:,.0f}" for phase in phases
                if phase == "read_after_commit" and entry["count"][phase]]
        held = entry["record_count"]
        if held and held["min"] < whole:
            few.append(f"of {held['median']:,.0f} records held")
        if few:
            said.append(f"{system}: {', '.join(few)}")
    return said


def section_markdown(name, section, settings):
    phases = PHASES[name]
    out = [TITLES[name].format(**settings), phase_table(section, phases)]
    for ours, peers in section["ratios"].items():
        out.append(f"How many times as fast **{ours}** is as each (above 1: Utan is faster), median of the rounds (min-max):\n\n"
                   + table(["against"] + phases,
                           [[peer] + [spread(ratios[phase], "{:.2f}") for phase in phases] for peer, ratios in peers.items()]))
    whole = settings["document_count"] if name == "nested" else settings["record_count"]
    few = counts(section, phases, whole)
    if few:
        out.append(f"Operations measured, where {settings['seconds']:g} s in a round did not do for all (median of the rounds): "
                   + "; ".join(few) + ". Nothing is extrapolated.\n")
    return out


def header(s):
    machine, settings = s["machine"], s["settings"]
    return (f"{s['date']}. {machine['cpu']}, {machine['cores']} cores, {mib(machine['memory'])} MiB memory"
            + (f", {mib(machine['level_3_cache'])} MiB level 3 cache" if machine["level_3_cache"] else "")
            + f"; {machine['kernel']}, {machine['libc']}; {s['python']}"
            + ("" if s["is_optimised"] else ", built without --enable-optimizations")
            + f"; store files on {machine['work_filesystem'] or 'an unknown file system'}; load average "
            f"{s['load_average_at_start']} at the start, {s['load_average_at_end']} at the end; seed {settings['seed']}"
            + (f"; revision {s['revision']}" if s["revision"] else "") + ".\n")


def markdown(s):
    settings = s["settings"]
    out = ["# Benchmark of the Python package" + (" (quick)" if s["quick"] else "") + "\n", header(s)]
    if s["quick"]:
        out.append(f"**Quick run**: {settings['record_count']:,} records. Good for seeing that all works; use the full run for "
                   "numbers.\n")
    if s["core_share_min"] < UNDISTURBED_SHARE_MIN:
        out.append(f"**Disturbed**: other work was on the cores; Utan, dicts and lists had as little as "
                   f"{s['core_share_min']:.2f} of theirs (median of the rounds, in some phase).\n")
    if s["errors"]:
        out.append("## Errors\n")
        out += [f"- {e['section']}, {e['system']}: {e['error']}" for e in s["errors"]]
        out.append("")
    met = {True: "met", False: "**missed**", None: "not measured"}
    out.append("## Targets\n")
    out.append(table(["target", "bound", "measured", ""],
                     [[t["target"], t["bound"], "-" if t["measured"] is None else f"{t['measured']:,g}", met[t["met"]]]
                      for t in s["targets"]]))
    for name, section in s["sections"].items():
        out += section_markdown(name, section, settings)
    if s["opening"]:
        out.append(f"## Opening and reading one record, ms\n\nOf {settings['opened_record_count']:,} records, in a new process, "
                   f"after the import; median of {settings['open_count']} (min-max).\n")
        out.append(table(["store", "ms"], [[name, spread(entry, "{:.2f}")] for name, entry in s["opening"].items()]))
    if s["crowd"]:
        out.append(f"## {settings['crowd_process_count']} processes open one store at once, ms\n\nOf {settings['record_count']:,} "
                   "records; each opens it and reads one, on all cores, let go at the same instant: until the last had its "
                   "answer, and the median and the worst of what opening and reading took each. Median of "
                   f"{settings['round_count']} rounds (min-max).\n")
        out.append(table(["store", "the last's answer", "median of each", "worst"],
                         [[name] + [spread(entry[what], "{:.1f}") for what in ("all", "each_median", "each_worst")]
                          for name, entry in s["crowd"].items()]))
    if s["imports"]:
        out.append(f"## Import, ms\n\n`import` in a new process; median of {settings['open_count']} (min-max).\n")
        out.append(table(["module", "ms"], [[name, spread(entry, "{:.1f}")] for name, entry in s["imports"].items()]))
    out.append("## Settings\n")
    for part in dict.fromkeys(e["part"] for e in s["systems"]):
        out.append(f"{part.capitalize()}:\n")
        out += [f"- **{e['system']}**{' ' * bool(e['version'])}{e['version']}: {e['settings']}."
                for e in s["systems"] if e["part"] == part]
        out.append("")
    return "\n".join(out) + "\n"


def summarise(arguments):
    run = Run(arguments.raw)
    about = ("section", "compiler", "core_count", "python", "is_optimised", "load_average_at_start")
    end = next((line for line in run.lines if line["section"] == "end"), {"load_average_at_end": None})
    s = {
        "date": arguments.date,
        "quick": arguments.quick,
        "revision": output_of("git", "describe", "--always", "--dirty"),
        "machine": machine_of(run, arguments.work_filesystem),
        "python": run.settings["python"],
        "is_optimised": run.settings["is_optimised"],
        "load_average_at_start": run.settings["load_average_at_start"],
        "load_average_at_end": end["load_average_at_end"],
        "settings": {key: value for key, value in run.settings.items() if key not in about},
        "systems": [{key: line[key] for key in ("part", "system", "version", "settings")} for line in run.systems],
        "errors": run.errors,
        "sections": {section: summarise_section(run, section) for section in PHASES if run.good(section, "control")},
        "opening": summarise_opening(run),
        "crowd": summarise_crowd(run),
        "imports": summarise_imports(run),
    }
    s["core_share_min"] = disturbed(s)
    s["targets"] = targets_of(s)
    return s


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw")
    parser.add_argument("--json", required=True)
    parser.add_argument("--markdown", required=True)
    parser.add_argument("--date", default="Undated")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work-filesystem", default=None)
    arguments = parser.parse_args()

    s = summarise(arguments)
    with open(arguments.json, "w", encoding="utf-8") as file:
        json.dump(s, file, indent=1)
        file.write("\n")
    text = markdown(s)
    with open(arguments.markdown, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
