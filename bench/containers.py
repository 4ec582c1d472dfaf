"""The sections "ordered", "lists" and "documents" in the report: medians, ratios, sizes, targets, tables."""

from summary import median, mib, phase_table, ratio_table, spread, summarise_phases, summary, table

PHASES = {
    "ordered": ["insert", "read", "overwrite", "erase", "scan", "range", "load_batches", "load_whole"],
    "lists": ["append", "index", "iterate", "insert"],
    "documents": ["insert", "read_field", "read_whole", "update_field"],
}
STATES = {  # prefixes of sizes, and what they mean
    "ordered": {"random.": "filled at random", "load_batches.": "loaded in batches", "load_whole.": "loaded whole"},
    "lists": {"appended.": "appended, open", "inserted.": "after the insertions, closed"},
    "documents": {"": "inserted, open"},
}

# How many times as fast as LMDB: section, phase, LMDB's phase, least.
FASTER_MIN = (("ordered", "insert", "insert", 2.2), ("ordered", "read", "read", 2.2),
              ("ordered", "load_batches", "load_batches", 1.0), ("ordered", "load_whole", "load_batches", 1.0),
              ("documents", "insert", "insert", 1.0), ("documents", "read_field", "read_field", 3.0))
SCAN_MAX = 1.5  # times LMDB's time per record
SIZE_RATIO_MAX = {"random.": 1.7, "load_batches.": 1.35, "load_whole.": 1.35}  # allocated bytes over keys and values


def summarise(run):
    """{section: {"systems", "ratios", "sizes"}} of the sections that were run."""
    out = {}
    for section, phases in PHASES.items():
        if not run.good(section, "control"):
            continue
        systems, ratios = summarise_phases(run, section, phases)
        out[section] = {"systems": systems, "ratios": ratios, "sizes": summarise_sizes(run, section)}
        if section == "lists":
            out[section]["insert_count"] = {
                system: summary([line["insert.count"] for line in run.good(section, system)]) for system in systems}
    if "ordered" in out:
        size = run.settings["key_size"] + run.settings["value_size"]
        out["ordered"]["content"] = run.settings["record_count"] * size
        out["ordered"]["contents"] = {system: run.record_count(system, "ordered") * size
                                      for system in run.names("store", part="ordered")}
    return out


def summarise_sizes(run, section):
    """Allocated bytes of each store, side files included, by state."""
    return {system: {prefix: summary([line[prefix + "data_allocated"] + line[prefix + "side_allocated"]
                                      for line in run.good(section, system)])
                     for prefix in STATES[section]}
            for system in run.names("store", part=section) if run.good(section, system)}


def net_of(containers, section, system, phase):
    return median(containers.get(section, {}).get("systems", {}).get(system, {}).get("net_ns", {}).get(phase))


def ratio_to_lmdb(containers, section, phase, phase_of_lmdb):
    """Of the rounds' ratios the median where both did the same; otherwise the medians' ratio."""
    if phase == phase_of_lmdb:
        return median(containers.get(section, {}).get("ratios", {}).get("lmdb", {}).get(phase))
    ours, theirs = net_of(containers, section, "utan", phase), net_of(containers, section, "lmdb", phase_of_lmdb)
    return theirs / ours if ours and theirs else None


def add_targets(containers, add):
    """add(name, bound, measured, is_met) for each promise."""
    for section, phase, phase_of_lmdb, least in FASTER_MIN:
        value = ratio_to_lmdb(containers, section, phase, phase_of_lmdb)
        peer = "lmdb" if phase == phase_of_lmdb else f"lmdb's {phase_of_lmdb}"
        name = "collections" if section == "ordered" else section
        add(f"{name}, {phase}: times as fast as {peer}", f">= {least}", value and round(value, 2),
            None if value is None else value >= least)
    value = ratio_to_lmdb(containers, "ordered", "scan", "scan")
    value = 1 / value if value else None
    add("collections, scan: time per record over lmdb's", f"<= {SCAN_MAX}", value and round(value, 2),
        None if value is None else value <= SCAN_MAX)
    ordered = containers.get("ordered", {})
    for prefix, most in SIZE_RATIO_MAX.items():
        size = median(ordered.get("sizes", {}).get("utan", {}).get(prefix))
        value = size / ordered["content"] if size else None
        add(f"collections, {STATES['ordered'][prefix]}: file / bytes of keys and values", f"<= {most}",
            value and round(value, 2), None if value is None else value <= most)


# ---- Markdown -------------------------------------------------------------------------------------------------------

def size_table(section, entry, per_item):
    """Sizes in MiB, and each over `per_item[1]`, or its system's part of that, which is called `per_item[0]`."""
    name, divisor = per_item

    def divided(system, size):
        return size / (divisor[system] if isinstance(divisor, dict) else divisor)

    rows = [[f"{system}, {STATES[section][prefix]}", mib(size["median"]), f"{divided(system, size['median']):.2f}"]
            for system, states in entry["sizes"].items() for prefix, size in states.items() if size]
    return table(["store", "allocated MiB", name], rows)


def phases_markdown(section, entry):
    phases = PHASES[section]
    out = [phase_table(entry["systems"], phases)]
    if entry["ratios"]:
        out.append(ratio_table(entry["ratios"], phases))
    return out


def ordered_markdown(entry, settings):
    return [f"## Collections: one operation, ns\n\n{settings['record_count']:,} records, keys of {settings['key_size']} "
            f"characters, values of {settings['value_size']} bytes; otherwise as for tables. Median of "
            f"{settings['container_round_count']} rounds (min-max), net of the control's loop.\n",
            *phases_markdown("ordered", entry),
            "erase: half of the records, in random order. scan: all records in order, per record. range: 100 records in order "
            "from a random one on, per range. load: sorted records into an empty store, 1,000 or all in a commit, per record.\n",
            f"Keys and values: {mib(entry['content'])} MiB (less where there are fewer records); all stores closed.\n",
            size_table("ordered", entry, ("over keys and values", entry["contents"]))]


def lists_markdown(entry, settings):
    counts = "; ".join(f"{system} {spread(count, '{:,.0f}')}" for system, count in entry["insert_count"].items()
                       if system != "control")
    return [f"## Lists: one operation, ns\n\n{settings['record_count']:,} integers of 40 bits, appended one by one; read at "
            "random indexes; iterated over, per element; then insertions at random places, as many as "
            f"{settings['list_insert_seconds_max']:g} s allow, {settings['list_insert_count_max']:,} at most. Median of "
            f"{settings['container_round_count']} rounds (min-max).\n",
            *phases_markdown("lists", entry),
            f"Insertions measured: {counts}. Nothing is extrapolated. LMDB and Tkrzw have no lists: their keys are positions, and "
            "an insertion moves every later element.\n",
            size_table("lists", entry, ("bytes per element at first", settings["record_count"]))]


def documents_markdown(entry, settings):
    return [f"## Documents: one operation, ns\n\n{settings['document_count']:,} documents of three strings, two integers, a "
            "real, a time, a boolean, and a list of five integers, under keys of 16 characters. read_field: one random plain "
            "field of a random document; read_whole: all of it, into a struct; update_field: one integer. Median of "
            f"{settings['container_round_count']} rounds (min-max).\n",
            *phases_markdown("documents", entry),
            size_table("documents", entry, ("bytes per document", settings["document_count"]))]


def markdown(containers, settings):
    makers = {"ordered": ordered_markdown, "lists": lists_markdown, "documents": documents_markdown}
    return [line for section, make in makers.items() if section in containers
            for line in make(containers[section], settings)]
