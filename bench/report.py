#!/usr/bin/env python3
"""Makes a JSON summary and a Markdown report of what utan_bench measured.

    report.py RAW --json OUT.json --markdown OUT.md [--date TEXT] [--quick] [--work-filesystem TEXT]

Medians and spreads are over rounds. Point operations are net of the control of the same round. All judgement is here:
utan_bench only measures. Uses the standard library alone.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess

import containers
import loads
import standing
from summary import Run, median, mib, million, phase_table, ratio_table, spread, summarise_phases, summary, table

PHASES = ["insert", "read", "miss", "overwrite", "erase", "erase_rest", "iterate"]
PARTS = {"point": "Tables", "ordered": "Collections", "lists": "Lists", "documents": "Documents"}
SYSTEM_KEYS = ("part", "system", "version", "kind", "settings", "readers_are", "writers_are", "record_count_max",
               "round_count_max")
CHUNK_SIZE = 16 << 20  # by which a store grows at most at once

# How many times as fast as the peer, per operation.
POINT_MIN = (("read", "absl", 1.2), ("read", "tkrzw", 2.5), ("insert", "absl", 1.3), ("insert", "tkrzw", 1.3),
             ("overwrite", "tkrzw", 2.0))
SIZE_RATIO_MAX = 1.5      # allocated bytes after the load over those of keys and values
GAIN_MIN = 0.9            # two readers: Utan's gain over the control's
WRITER_RATIO_MIN = 2.0    # two readers and a writer: Utan over LMDB
GROWTH_MAX = 1.3          # times the loaded size, plus a chunk
GROWTH_HELD_MAX = 2.3     # the same while a snapshot or checkpoint keeps the loaded state
OPEN_MS_MAX = 1.0

UNDISTURBED_SHARE_MIN = 0.95  # of its core, that every reader of an undisturbed run gets


def summarise_sizes(run):
    """Sizes after the load, in bytes and relative to the bytes of keys and values."""
    record_size = run.settings["key_size"] + run.settings["value_size"]
    sizes = {}
    for system in run.names("store"):
        content = run.record_count(system) * record_size
        opened, closed = run.good("point", system), run.good("load", system)
        entry = {}
        for state, lines in (("open", opened), ("closed", closed)):
            if lines:
                line = lines[0]
                entry[state] = {key: line[key] for key in ("data_apparent", "data_allocated", "side_allocated")}
                entry[state]["allocated_ratio"] = (line["data_allocated"] + line["side_allocated"]) / content
        if entry:
            sizes[system] = entry
    return {"content": run.settings["record_count"] * record_size, "systems": sizes}


def summarise_readers(run):
    """Throughput of two readers over one, by the clock and by the processor time they got."""
    readers = {}
    for system in run.names("control", "store"):
        rounds = {}
        for line in run.good("readers", system):
            rounds.setdefault(line["round"], {})[line["what"]] = line
        whole = [r for r in rounds.values() if len(r) == 3]
        if not whole:
            continue

        def gain(key):
            return summary([r["two"][key] / statistics.mean([r["one_first_core"][key], r["one_second_core"][key]])
                            for r in whole])

        readers[system] = {
            "one_op_per_s": summary([statistics.mean([r["one_first_core"]["op_per_s"], r["one_second_core"]["op_per_s"]])
                                     for r in whole]),
            "two_op_per_s": summary([r["two"]["op_per_s"] for r in whole]),
            "gain": gain("op_per_s"),
            "gain_by_cpu_time": gain("op_per_cpu_s"),
            "cpu_share_min": min(line["cpu_share_min"] for r in whole for line in r.values()),
        }
    return readers


def summarise_writer(run):
    writer = {}
    for system in run.names("store"):
        lines = run.good("writer", system)
        if lines:
            writer[system] = {key: summary([line[key] for line in lines])
                              for key in ("read_per_s", "write_per_s", "data_allocated")}
    return writer


def summarise_growth(run):
    growth = {}
    for line in run.good("growth", "utan"):
        loaded, grown = line["loaded.data_allocated"], line["grown.data_allocated"]
        growth[line["what"]] = {"loaded": loaded, "grown": grown, "ratio": grown / loaded,
                                "ratio_less_chunk": (grown - CHUNK_SIZE) / loaded,
                                "loaded_used": line["loaded.used_size"], "grown_used": line["grown.used_size"],
                                "overwrite_ns": line["overwrite.wall_ns"]}
    return growth


BEYOND_PHASES = ("load", "read", "overwrite", "iterate")


def summarise_beyond(run):
    """{system: {"record_count", "allocated", phase: {"per_s", "fault_count", "resident"}}} of stores larger than memory."""
    out = {}
    for line in run.lines:
        if line["section"] != "beyond" or "error" in line:
            continue
        out[line["system"]] = {
            "record_count": line["record_count"],
            "allocated": line["data_allocated"] + line["side_allocated"],
            **{phase: {"per_s": 1e9 / line[f"{phase}.wall_ns"],
                       "fault_count": line[f"{phase}.major_fault_count"] / line[f"{phase}.op_count"],
                       "resident": line[f"{phase}.resident"]} for phase in BEYOND_PHASES}}
    return out


def summarise_open(run):
    opened = {}
    for system in run.names("store"):
        entry = {what: summary([line["wall_ns"] / 1e6 for line in run.good("open", system, what)])
                 for what in ("after_clean_close", "after_kill")}
        if any(entry.values()):
            opened[system] = entry
    return opened


def targets_of(s):
    """The promises, each with what was measured: True, False or None (not measured) for met."""
    targets = []

    def add(name, bound, measured, is_met):
        targets.append({"target": name, "bound": bound, "measured": measured, "met": is_met})

    for phase, peer, least in POINT_MIN:
        value = median(s["ratios"].get(peer, {}).get(phase))
        add(f"tables, {phase}: times as fast as {peer}", f">= {least}", value and round(value, 2),
            None if value is None else value >= least)
    value = s["sizes"]["systems"].get("utan", {}).get("open", {}).get("allocated_ratio")
    add("tables, file after the load / bytes of keys and values", f"<= {SIZE_RATIO_MAX}", value and round(value, 2),
        None if value is None else value <= SIZE_RATIO_MAX)

    readers = s["readers"]
    value = None
    note = ""
    if "utan" in readers and "control" in readers:
        if min(readers["utan"]["cpu_share_min"], readers["control"]["cpu_share_min"]) < UNDISTURBED_SHARE_MIN:
            note = " (disturbed: other work was on the cores)"
        value = readers["utan"]["gain"]["median"] / readers["control"]["gain"]["median"]
    add("two readers: gain over the control's gain" + note, f">= {GAIN_MIN}", value and round(value, 3),
        None if value is None else value >= GAIN_MIN)

    for key, name in (("read_per_s", "reads"), ("write_per_s", "writes")):
        value = None
        if "utan" in s["writer"] and "lmdb" in s["writer"]:
            value = s["writer"]["utan"][key]["median"] / s["writer"]["lmdb"][key]["median"]
        add(f"two readers and a writer: {name}/s over LMDB's", f">= {WRITER_RATIO_MIN}", value and round(value, 2),
            None if value is None else value >= WRITER_RATIO_MIN)

    for what, name, bound in (("nothing_held", "nothing held", GROWTH_MAX),
                              ("snapshot_held", "a snapshot held", GROWTH_HELD_MAX),
                              ("checkpoint_after_load", "a checkpoint after the load", GROWTH_HELD_MAX)):
        value = s["growth"].get(what)
        add(f"growth, {name}: (file - 16 MiB) / loaded file", f"<= {bound}", value and round(value["ratio_less_chunk"], 3),
            None if value is None else value["ratio_less_chunk"] <= bound)

    for what, name in (("after_clean_close", "after a clean close"), ("after_kill", "after SIGKILL")):
        value = median(s["open"].get("utan", {}).get(what))
        add(f"open and read a record, {name}, ms", f"< {OPEN_MS_MAX:g}", value and round(value, 3),
            None if value is None else value < OPEN_MS_MAX)
    containers.add_targets(s["containers"], add)
    # What was missed comes first, so that nobody overlooks it.
    return sorted(targets, key=lambda target: {False: 0, None: 1, True: 2}[target["met"]])


def first_line(path, prefix):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(prefix):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def machine_of(run, work_filesystem):
    cache = huge = None
    try:
        with open("/sys/devices/system/cpu/cpu0/cache/index3/size", encoding="utf-8") as file:
            cache = int(file.read().strip().removesuffix("K")) << 10
    except (OSError, ValueError):
        pass
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="utf-8") as file:
            text = file.read()
            huge = text[text.index("[") + 1:text.index("]")]
    except (OSError, ValueError):
        pass
    return {
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cores": run.settings["core_count"],
        "level_3_cache": cache,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.system() + " " + platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": "g++ " + run.settings["compiler"],
        "work_filesystem": work_filesystem,
        "transparent_huge_pages": huge,
        "load_average_at_end": round(os.getloadavg()[0], 2),
    }


# ---- Markdown -------------------------------------------------------------------------------------------------------

def limits(system, record_count):
    """What a system did less of than the others."""
    out = ""
    if system["record_count_max"] < record_count:
        out += f"; {system['record_count_max']:,.0f} records, which favours it"
    if system["round_count_max"] == 1:
        out += "; in the first round only"
    return out


def markdown(s):
    settings = s["settings"]
    out = ["# Benchmark" + (" (quick)" if s["quick"] else "") + "\n"]
    machine = s["machine"]
    out.append(f"{s['date']}. {machine['cpu']}, {machine['cores']} cores, {mib(machine['memory'])} MiB memory"
               + (f", {mib(machine['level_3_cache'])} MiB level 3 cache" if machine["level_3_cache"] else "")
               + f"; {machine['kernel']}, {machine['libc']}, {machine['compiler']} -O3; store files on "
               f"{machine['work_filesystem'] or 'an unknown file system'}; transparent huge pages: "
               f"{machine['transparent_huge_pages']}; load average at the end {machine['load_average_at_end']}; "
               f"seed {settings['seed']}" + (f"; revision {s['revision']}" if s["revision"] else "") + ".\n")
    if s["quick"]:
        out.append(f"**Quick run**: {settings['record_count']:,} records, "
                   f"{mib(s['sizes']['content'])} MiB of keys and values"
                   + (", which the level 3 cache nearly holds" if machine["level_3_cache"] and
                      s["sizes"]["content"] < machine["level_3_cache"] else "")
                   + ". Good for seeing that all works; use the full run for numbers.\n")
    if s["errors"]:
        out.append("## Errors\n")
        out += [f"- {e['section']}, {e['system']}, {e.get('what', '')}: {e['error']}" for e in s["errors"]]
        out.append("")

    if s["missing"]:
        out.append("## Missing peers\n")
        out += [f"- **{name}**: {reason}." for name, reason in s["missing"].items()]
        out.append("")
    out += standing.behind_markdown(s["standing"])

    out.append("## Targets\n")
    met = {True: "met", False: "**missed**", None: "not measured"}
    out.append(table(["target", "bound", "measured", ""],
                     [[t["target"], t["bound"], "-" if t["measured"] is None else t["measured"], met[t["met"]]]
                      for t in s["targets"]]))

    if s["point"]:
        out.append(f"## Tables: one operation, ns\n\n{settings['record_count']:,} records, keys of {settings['key_size']} bytes, "
                   f"values of {settings['value_size']}; one process on one core; one commit per operation, nothing synced. Median "
                   f"of {settings['round_count']} rounds (min-max), net of the control's loop and key generation.\n")
        out.append(phase_table(s["point"], PHASES))
        if s["ratios"]:
            out.append(ratio_table(s["ratios"], PHASES))
        out.append("erase: half of the records, in random order; erase_rest: the others, to the last one. iterate: all records, "
                   "each value touched, per record.\n")
        out += [f"Of each operation of {name}, {ns:.0f} ns are the call from C into its language and back, measured with one "
                "that does nothing; they are not subtracted.\n" for name, ns in s["call_ns"].items()]

    out += loads.memory_markdown(s["memory"])
    if s["sizes"]["systems"]:
        out.append(f"## File size after the load\n\nKeys and values: {mib(s['sizes']['content'])} MiB (less where there are "
                   f"fewer records). Allocated is what the file "
                   "system gave; the ratio is of all allocated bytes, side files included.\n")
        rows = []
        for name, states in s["sizes"]["systems"].items():
            for state, e in states.items():
                rows.append([f"{name}, {state}", mib(e["data_apparent"]), mib(e["data_allocated"]), mib(e["side_allocated"]),
                             f"{e['allocated_ratio']:.2f}"])
        out.append(table(["store", "apparent MiB", "allocated MiB", "side files MiB", "ratio"], rows))

    out += containers.markdown(s["containers"], settings)
    sharing = {key: {e["system"]: e["writers_are"] for e in s["systems"] if e["part"] == part and e["kind"] == "store"}
               for key, part in (("systems", "point"), ("ordered", "ordered"))}
    out += loads.ycsb_markdown(s["ycsb"], settings, sharing)
    out += loads.scale_markdown(s["scale"], settings)
    readers_are = {e["system"]: e["readers_are"] for e in s["systems"] if e["part"] == "point"}

    if s["readers"]:
        out.append("## Two readers\n\nMillion random reads a second by one reader, and by two on a core each. The control reads "
                   f"{settings['control_miss_count']} dependent random words of a private array of "
                   f"{mib(settings['control_array_size'])} MiB per operation: what the machine itself allows. Core share: the "
                   "least share of its core that any reader got; below 0.95 the run was disturbed, and the gain by "
                   "processor time tells more.\n")
        rows = [[name, "processes" if name == "control" else readers_are[name], million(e["one_op_per_s"]),
                    million(e["two_op_per_s"]), spread(e["gain"], "{:.2f}"),
                 spread(e["gain_by_cpu_time"], "{:.2f}"), f"{e['cpu_share_min']:.2f}"] for name, e in s["readers"].items()]
        out.append(table(["system", "readers are", "one", "two", "gain", "gain by processor time", "core share"], rows))

    if s["writer"]:
        out.append("## Two readers and a writer\n\nThree workers on two cores; million operations a second, both readers "
                   "together; the writer overwrites random records, one commit each.\n")
        rows = [[name, sharing["systems"][name], million(e["read_per_s"]), million(e["write_per_s"]),
                    mib(e["data_allocated"]["max"])]
                for name, e in s["writer"].items()]
        out.append(table(["system", "workers are", "reads", "writes", "file afterwards MiB"], rows))

    if s["growth"]:
        out.append(f"## Growth of Utan's file\n\n{settings['growth_overwrite_count']:,} random overwrites after the load, no "
                   "checkpoint meanwhile.\n")
        rows = [[name.replace("_", " "), mib(e["loaded"]), mib(e["grown"]), f"{e['ratio']:.2f}", f"{e['overwrite_ns']:.0f}"]
                for name, e in s["growth"].items()]
        out.append(table(["case", "loaded MiB", "afterwards MiB", "ratio", "ns per overwrite"], rows))

    if s["open"]:
        out.append(f"## Opening and reading one record, ms\n\nIn a new process; median of {settings['open_count']} (min-max), or "
                   "of as many as three seconds allow. After SIGKILL: a process that was writing was killed before each.\n")
        rows = [[name, spread(e["after_clean_close"], "{:.3f}"), spread(e["after_kill"], "{:.3f}")]
                for name, e in s["open"].items()]
        out.append(table(["store", "after a clean close", "after SIGKILL"], rows))

    if s["beyond"]:
        out.append(f"## Large stores\n\nRecords of 1 KiB in random order, loaded until the files take "
                   f"{mib(settings['beyond_bytes'])} MiB; then random reads and random overwrites for half a minute each, and a "
                   "million records in the order of iteration. The machine has "
                   f"{mib(s['machine']['memory'])} MiB of memory. Operations a second; pages read from the disk for each (by "
                   "mapped memory alone: what is read by system calls does not count); MiB of the process and its mapped files "
                   "that are in memory afterwards. One run.\n")
        rows = [[name, f"{e['record_count'] / 1e6:.2f}", mib(e["allocated"])]
                + [f"{e[phase]['per_s']:,.0f}; {e[phase]['fault_count']:.2f}; {mib(e[phase]['resident'])}"
                   for phase in BEYOND_PHASES] for name, e in s["beyond"].items()]
        out.append(table(["store", "million records", "files MiB"] + list(BEYOND_PHASES), rows))

    out += standing.all_markdown(s["standing"])

    out.append("## Settings\n")
    for part, name in PARTS.items():
        out.append(f"{name}:\n")
        counts = [e["record_count_max"] for e in s["systems"] if e["part"] == part]
        out += [f"- **{e['system']}**{' ' * bool(e['version'])}{e['version']}: {e['settings']}{limits(e, max(counts))}."
                for e in s["systems"] if e["part"] == part]
        out.append("")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw")
    parser.add_argument("--json", required=True)
    parser.add_argument("--markdown", required=True)
    parser.add_argument("--date", default="Undated")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work-filesystem", default=None)
    arguments = parser.parse_args()

    run = Run(arguments.raw)
    settings = {key: value for key, value in run.settings.items() if key not in ("section", "compiler", "core_count")}
    point, ratios = summarise_phases(run, "point", PHASES) if run.good("point", "control") else ({}, {})
    s = {
        "date": arguments.date,
        "quick": arguments.quick,
        "revision": output_of("git", "describe", "--always", "--dirty"),
        "machine": machine_of(run, arguments.work_filesystem),
        "settings": settings,
        "systems": [{key: line[key] for key in SYSTEM_KEYS} for line in run.systems],
        "missing": run.missing,
        "call_ns": {line["system"]: line["call_ns"] for line in run.lines if "call_ns" in line},
        "errors": run.errors,
        "point": point,
        "ratios": ratios,
        "sizes": summarise_sizes(run),
        "containers": containers.summarise(run),
        "readers": summarise_readers(run),
        "writer": summarise_writer(run),
        "growth": summarise_growth(run),
        "open": summarise_open(run),
        "beyond": summarise_beyond(run),
        "ycsb": loads.summarise_ycsb(run),
        "scale": loads.summarise_scale(run),
        "memory": loads.summarise_memory(run),
    }
    s["standing"] = standing.summarise(s)
    s["targets"] = targets_of(s)
    with open(arguments.json, "w", encoding="utf-8") as file:
        json.dump(s, file, indent=1)
        file.write("\n")
    text = markdown(s)
    with open(arguments.markdown, "w", encoding="utf-8") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
