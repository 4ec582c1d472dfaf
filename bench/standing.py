"""How Utan stands: every measured row beside the best peer, and those in which it is not ahead, with the reason if known.

The reasons are in reasons.json, a list of {"rows", "peers", "reason", "change"}: lists of patterns as of a shell, of which the
first that fits counts, why, and what would change it. Only what is known belongs there: what was measured or is so by design. A
row without one says so.
"""

import fnmatch
import json
import pathlib

from summary import median, table

UNKNOWN = "**not known yet**"
# Rows are compared by one round, or the median of few: from here on a difference is no more than what rounds differ by.
EVEN = 0.9
EVEN_TEXT = "even: rounds differ by as much"
WORKERS = {"1": "one worker", "2": "two workers"}


def load_reasons():
    path = pathlib.Path(__file__).resolve().parent / "reasons.json"
    return json.loads(path.read_text(encoding="utf-8"))


class Rows:
    """Collects rows: {"row", "unit", "utan", "peers": {peer: value}, "ratios": {peer: how many times as good Utan is}}."""

    def __init__(self, kinds):
        self.kinds = kinds
        self.rows = []

    def add(self, row, unit, values, is_less_better=True, ratios=None):
        """`values` of all systems; `ratios`, if they were taken round by round."""
        values = {system: value for system, value in values.items() if value is not None and system != "control"}
        ours = values.pop("utan", None)
        if ours is None or not values:
            return
        ratios = dict(ratios or {})
        for peer, value in values.items():
            if ratios.get(peer) is None:
                better, worse = (value, ours) if is_less_better else (ours, value)
                ratios[peer] = better / worse if worse > 0 else None
        ratios = {peer: ratio for peer, ratio in ratios.items() if ratio is not None and peer in values}
        if ratios:
            self.rows.append({"row": row, "unit": unit, "utan": ours, "peers": values, "ratios": ratios})

    def best(self, row, kind=None):
        """The peer to which Utan compares worst, of a kind, or None."""
        peers = [peer for peer in row["ratios"] if kind in (None, self.kinds.get(peer))]
        return min(peers, key=row["ratios"].get) if peers else None


def add_phases(rows, name, systems, ratios):
    """Phases that were measured round by round."""
    for phase in systems.get("utan", {}).get("net_ns", {}):
        rows.add(f"{name}: {phase}", "ns", {system: median(entry["net_ns"][phase]) for system, entry in systems.items()
                                            if system != "control"},
                 ratios={peer: median(entry[phase]) for peer, entry in ratios.items()})


def rows_of(s):
    rows = Rows({entry["system"]: entry["kind"] for entry in s["systems"]})
    add_phases(rows, "table", s["point"], s["ratios"])
    for section, name in (("ordered", "collection"), ("lists", "list"), ("documents", "document")):
        entry = s["containers"].get(section)
        if entry:
            add_phases(rows, name, entry["systems"], entry["ratios"])
    for key in ("systems", "ordered"):
        systems = s["ycsb"][key]
        for run in systems.get("utan", {}):
            name, workers = run.split(".")
            rows.add(f"mixed {name}: {WORKERS[workers]}", "operations/s",
                     {system: median(entry.get(run)) for system, entry in systems.items()}, is_less_better=False)
    rows.add("two readers: reads", "operations/s", {n: median(e["two_op_per_s"]) for n, e in s["readers"].items()}, False)
    for key, name in (("read_per_s", "reads"), ("write_per_s", "writes")):
        rows.add(f"two readers and a writer: {name}", "operations/s", {n: median(e[key]) for n, e in s["writer"].items()}, False)
    for what, name in (("after_clean_close", "after a clean close"), ("after_kill", "after SIGKILL")):
        rows.add(f"open: {name}", "ms", {n: median(e[what]) for n, e in s["open"].items()})
    rows.add("file: closed after the load", "times keys and values",
             {n: e.get("closed", {}).get("allocated_ratio") for n, e in s["sizes"]["systems"].items()})
    for key, name in (("memory_peak", "peak"), ("memory_own", "own, not a file's")):
        rows.add(f"memory: {name}", "bytes per record", {n: median(e[key]) for n, e in s["memory"].items()})
    for step, systems in s["scale"].items():
        kind, number = step.split("_")
        what = f"{int(number):,} records" if kind == "records" else f"values of {int(number):,} bytes"
        for phase in ("insert.1", "insert.2", "read.1", "read.2"):
            name, workers = phase.split(".")
            rows.add(f"scale: {name}, {what}, {WORKERS[workers]}", "ns",
                     {n: median(e.get(phase)) for n, e in systems.items()})
    return rows


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def reason_of(reasons, row, peer):
    for entry in reasons:
        if fits(row, entry["rows"]) and fits(peer, entry["peers"]):
            return {"reason": entry["reason"], "change": entry["change"]}
    return None


def summarise(s):
    """Every row with the best store and the best in memory, and the reason where Utan is not ahead of it."""
    rows = rows_of(s)
    reasons = load_reasons()
    out = []
    for row in rows.rows:
        entry = {"row": row["row"], "unit": row["unit"], "utan": row["utan"], "best": {}}
        for kind in ("store", "memory"):
            peer = rows.best(row, kind)
            if peer is None:
                continue
            ratio = row["ratios"][peer]
            entry["best"][kind] = {"peer": peer, "value": row["peers"][peer], "ratio": ratio}
            if ratio < 1:
                entry["best"][kind]["reason"] = reason_of(reasons, row["row"], peer)
        out.append(entry)
    return out


# ---- Markdown -------------------------------------------------------------------------------------------------------

def number(value, unit):
    if unit == "operations/s":
        return f"{value / 1e6:.3g} M/s"
    digits = ",.0f" if value >= 100 else ".3g"
    return f"{value:{digits}} {unit}"


def sentence(text):
    return text[0].upper() + text[1:] + "."


def behind_markdown(standing):
    title = "## Where Utan is not ahead of the best peer\n"
    reasons = []  # in the order of the rows that need them

    def why(best):
        if best["reason"] is None:
            return EVEN_TEXT if best["ratio"] >= EVEN else UNKNOWN
        if best["reason"] not in reasons:
            reasons.append(best["reason"])
        return f"({reasons.index(best['reason']) + 1})"

    rows = [[entry["row"], number(entry["utan"], entry["unit"]), f"{best['peer']}: {number(best['value'], entry['unit'])}",
             f"{best['ratio']:.2f}", why(best)]
            for entry in standing for best in entry["best"].values() if best["ratio"] < 1]
    if not standing:
        return []
    if not rows:
        return [title, "Nowhere in this run.\n"]
    return [title, "The best store and the best table in memory of each row, if it is better than Utan. The ratio is how many "
                   "times as fast (or as small) Utan is. The reasons stand below the table: differences that are known, not "
                   "measured shares of the ratio.\n",
            table(["row", "Utan", "best peer", "ratio", "why"], rows),
            *(f"{i}. {sentence(reason['reason'])} *What would change it:* {sentence(reason['change'])}"
              for i, reason in enumerate(reasons, 1)), ""]


def all_markdown(standing):
    def cells(best):
        return [best["peer"], f"{best['ratio']:.2f}"] if best else ["-", "-"]

    rows = [[entry["row"], number(entry["utan"], entry["unit"]), *cells(entry["best"].get("store")),
             *cells(entry["best"].get("memory"))] for entry in standing]
    if not rows:
        return []
    return ["## Every row beside the best peer\n\nHow many times as fast (or as small) Utan is as the best store, and as the "
            "best table "
            "that lives in memory alone.\n", table(["row", "Utan", "best store", "ratio", "best in memory", "ratio"], rows)]
