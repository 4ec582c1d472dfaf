"""The sections "ycsb" and "scale", and memory, in the report: medians, tables."""

import re

from summary import mib, spread, summary, table

EXPECTED_SIZE = 8  # bytes per record by which the benchmark itself remembers what must be there
RUN = re.compile(r"([A-F])\.([12])\.\d+\.op_per_s")
MIXTURES = {
    "A": "half reads, half updates", "B": "95 % reads, 5 % updates", "C": "reads", "F": "half reads, half reads with a write of "
    "the same record", "E": "95 % scans of 1 to 100 records, 5 % insertions",
}


def summarise_ycsb(run):
    """{system: {"A.1": summary of operations a second}} of tables, and of what is in order under "ordered"."""
    out = {"systems": {}, "ordered": {}}
    for section, key, part in (("ycsb", "systems", "point"), ("ycsb_ordered", "ordered", "ordered")):
        for system in run.names("control", "memory", "store", part=part):
            samples = {}
            for line in run.good(section, system):
                for name, value in line.items():
                    match = RUN.fullmatch(name)
                    if match:
                        samples.setdefault(".".join(match.groups()), []).append(value)
            if samples:
                out[key][system] = {name: summary(values) for name, values in samples.items()}
    return out


def summarise_scale(run):
    """{step: {system: {"insert.1": summary of ns, "read.1", "insert.2", "read.2"}}}"""
    steps = {}
    for line in run.lines:
        if line["section"] != "scale" or "error" in line or line["system"] == "control":
            continue
        entry = steps.setdefault(line["what"], {}).setdefault(line["system"], {})
        for phase in ("insert", "read"):
            entry.setdefault(f"{phase}.{line['workers']:.0f}", []).append(line[phase + ".wall_ns"])
    return {step: {system: {name: summary(values) for name, values in entry.items()} for system, entry in systems.items()}
            for step, systems in steps.items()}


def summarise_memory(run):
    """Resident bytes per record after loading a table, less what the benchmark itself takes: the control's, which remembers
    as many records as the whole run has."""
    control = run.good("point", "control")
    if not control:
        return {}
    out = {}
    for system in run.names("memory", "store"):
        lines = run.good("point", system)
        if not lines:
            continue
        count = run.record_count(system)
        remembered = EXPECTED_SIZE * (run.settings["record_count"] - count)
        entry = {key: summary([(line[key] - max(0, base[key] - remembered)) / count
                               for line, base in zip(lines, control)]) for key in ("memory_peak", "memory_own")}
        out[system] = entry
    return out


# ---- Markdown -------------------------------------------------------------------------------------------------------

def thousand(entry):
    return spread({k: v / 1e3 for k, v in entry.items() if k != "samples"}, "{:,.0f}") if entry else "-"


def ycsb_markdown(ycsb, settings, sharing):
    out = []
    for key, title in (("systems", "tables"), ("ordered", "what is in order")):
        systems = ycsb[key]
        names = sorted({name for entry in systems.values() for name in entry}, key=lambda name: (name[-1], name))
        if not names:
            continue
        heads = [name.replace(".1", ", one").replace(".2", ", two") for name in names]
        rows = [[("*control*" if system == "control" else system), sharing[key].get(system, "-")]
                + [thousand(entry.get(name)) for name in names] for system, entry in systems.items()]
        out.append(f"### {title[0].upper() + title[1:]}\n\n" + table(["system", "two are"] + heads, rows))
    if not out:
        return []
    described = "; ".join(f"{name}: {text}" for name, text in MIXTURES.items())
    return [f"## Mixed loads (YCSB): thousand operations a second\n\n{described}. {settings['script_record_count']:,.0f} records "
            "(fewer where the settings below say so), asked for by a scrambled Zipf distribution, theta 0.99. One worker, or "
            f"two on a core each, for {settings['script_seconds']:g} s; median of {settings['script_repeat_count']:.0f} (min-max). "
            f"Nothing "
            "is subtracted: the control shows what drawing, making and comparing values takes. Every value read alone is compared "
            "whole.\n", *out]


def scale_markdown(scale, settings):
    if not scale:
        return []
    out = ["## Cost by scale, ns\n\nInserting into an empty table, and reading at random, by one worker and by two at once "
           "(time over "
           "operations of both). Nothing is subtracted. Records of 100 bytes; values of other sizes: at most 100,000 records and "
           f"{mib(settings['scale_bytes'])} MiB. A dash: not for two, or inserting would have taken longer than "
           f"{settings['scale_seconds_max']:g} s ({settings['large_seconds_max']:g} s for ten million), judged by the step "
           f"before.\n"]
    for kind, unit in (("records", "records"), ("size", "bytes")):
        steps = [step for step in scale if step.startswith(kind + "_")]
        systems = list(dict.fromkeys(system for step in steps for system in scale[step]))
        for phase in ("insert.1", "insert.2", "read.1", "read.2"):
            rows = [[system] + [f"{scale[step][system][phase]['median']:,.0f}" if phase in scale[step].get(system, {}) else "-"
                                for step in steps] for system in systems]
            rows = [row for row in rows if set(row[1:]) != {"-"}]
            name, workers = phase.split(".")
            if rows:
                out.append(f"{name}, {'one worker' if workers == '1' else 'two workers'}:\n\n"
                           + table(["system"] + [f"{int(step.split('_')[1]):,} {unit}" for step in steps], rows))
    return out


def memory_markdown(memory):
    if not memory:
        return []
    rows = [[system, spread(entry["memory_peak"]), spread(entry["memory_own"])] for system, entry in memory.items()]
    return ["## Memory after loading a table, bytes per record\n\nResident in the process, less the control's. Peak: with the "
            "pages of "
            "mapped files, which the kernel may take back. Own: heap and the like, which it may not. A cache that was given but "
            "not filled is not counted.\n", table(["system", "peak", "own, after the load"], rows)]
