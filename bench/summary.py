"""What the parts of the report share: reading a run, medians and spreads, tables in Markdown."""

import json
import statistics


def summary(samples):
    """Median and spread of some numbers; None of none."""
    if not samples:
        return None
    return {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "samples": samples}


def median(entry):
    return entry["median"] if entry else None


class Run:
    """The lines of one run, by section."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.lines = [json.loads(line) for line in file]
        self.settings = dict(next(line for line in self.lines if line["section"] == "run"))
        self.systems = [line for line in self.lines if line["section"] == "system"]
        self.missing = {line["system"]: line["reason"] for line in self.lines if line["section"] == "missing"}
        self.errors = [line for line in self.lines if "error" in line]

    def names(self, *kinds, part="point"):
        """The systems of these kinds in a part of the benchmark: point (and shared), ordered, lists, documents."""
        return [line["system"] for line in self.systems if line["part"] == part and line["kind"] in kinds]

    def record_count(self, system, part="point"):
        """How many records a system held."""
        return next(line["record_count_max"] for line in self.systems if line["part"] == part and line["system"] == system)

    def good(self, section, system, what=None):
        return [line for line in self.lines if line["section"] == section and line["system"] == system
                and what in (None, line["what"]) and "error" not in line]


def summarise_phases(run, section, phases):
    """Net and raw ns per operation of a section's systems, and how many times as fast Utan is as each peer, round by
    round. The control of the same round is subtracted."""
    control = {line["round"]: line for line in run.good(section, "control")}
    systems = {"control": {phase: summary([line[phase + ".wall_ns"] for line in control.values()]) for phase in phases}}
    net = {}
    for system in run.names("memory", "store", part=section):
        rounds = {line["round"]: line for line in run.good(section, system) if line["round"] in control}
        net[system] = {phase: {r: line[phase + ".wall_ns"] - control[r][phase + ".wall_ns"] for r, line in rounds.items()}
                       for phase in phases}
        systems[system] = {
            "net_ns": {phase: summary(list(net[system][phase].values())) for phase in phases},
            "raw_ns": {phase: summary([line[phase + ".wall_ns"] for line in rounds.values()]) for phase in phases},
            "raw_cpu_ns": {phase: summary([line[phase + ".cpu_ns"] for line in rounds.values()]) for phase in phases},
            "preempted_count": summary([line["preempted_count"] for line in rounds.values()]),
        }
    ratios = {}
    for peer in net:
        if peer == "utan" or "utan" not in net:
            continue
        ratios[peer] = {phase: summary([net[peer][phase][r] / net["utan"][phase][r]
                                        for r in net["utan"][phase] if r in net[peer][phase]]) for phase in phases}
    return systems, ratios


# ---- Markdown -------------------------------------------------------------------------------------------------------

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def spread(entry, form="{:.0f}"):
    """"260 (251-283)", or a dash."""
    if not entry:
        return "-"
    return form.format(entry["median"]) + " (" + form.format(entry["min"]) + "-" + form.format(entry["max"]) + ")"


def million(entry):
    return spread({k: v / 1e6 for k, v in entry.items() if k != "samples"}, "{:.3g}") if entry else "-"


def mib(size):
    return f"{size / (1 << 20):.1f}"


def phase_table(systems, phases):
    """Net ns per operation of every system, and what was subtracted."""
    names = [name for name in systems if name != "control"]
    rows = [[name] + [spread(systems[name]["net_ns"][phase]) for phase in phases] for name in names]
    rows.append(["*control (subtracted)*"] + [spread(systems["control"][phase]) for phase in phases])
    return table(["system"] + phases, rows)


def ratio_table(ratios, phases):
    return ("How many times as fast Utan is as each (above 1: Utan is faster), median of the rounds (min-max):\n\n"
            + table(["against"] + phases, [[peer] + [spread(ratios[peer][phase], "{:.2f}") for phase in phases]
                                           for peer in ratios]))
