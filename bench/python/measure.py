#!/usr/bin/env python3
"""Measures the Python package beside its peers and writes what it measured, one JSON object per line.

    measure.py --out FILE --work FOLDER [--quick] [--systems a,b] [--seed N]

Every system and round is a process of its own, pinned to a core, with a fresh folder. A server that a system needs has the
same core: waking another one takes longer, which was measured. Another process that commits has another core. Systems take
turns within a round. See ../README.md. Ends with 1 if anything was wrong. Uses the standard library alone; the adapters
need what requirements.txt names.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass

import systems

CHILD = str(pathlib.Path(__file__).resolve().parent / "child.py")
CHILD_SECONDS_MAX = 120


@dataclass
class Settings:
    record_count: int = 100_000
    document_count: int = 10_000
    opened_record_count: int = 1_000_000
    round_count: int = 3
    open_count: int = 10
    crowd_process_count: int = 200
    seconds: float = 0.3  # for each phase of a system in a round
    seed: int = 42

    def make_quick(self):
        self.record_count, self.document_count, self.opened_record_count = 20_000, 2_000, 200_000
        self.round_count, self.open_count, self.seconds = 2, 3, 0.1
        self.crowd_process_count = 50


class Bench:
    def __init__(self, settings, out, work, names):
        self.settings = settings
        self.error_count = 0
        self._names = names
        self._file = open(out, "w", encoding="utf-8")
        self._work = pathlib.Path(work)
        self._described = set()
        cores = sorted(os.sched_getaffinity(0))
        self._core, self._other_core = cores[-1], cores[0]
        self._cores = cores
        self.line("run", compiler=sysconfig.get_config_var("CC") or "", core_count=len(cores),
                  python=f"{platform.python_implementation()} {platform.python_version()}",
                  is_optimised="--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
                  load_average_at_start=round(os.getloadavg()[0], 2), **asdict(settings))

    def line(self, section, **what):
        self._file.write(json.dumps({"section": section, **what}) + "\n")
        self._file.flush()

    def chosen(self, section):
        """The systems that are wanted, by name or by the first word of it, and the control."""
        return [system for system in systems.SYSTEMS[section]
                if not self._names or system.name == "control" or system.name.split(",")[0].split(" ")[0] in self._names]

    def fresh(self, name):
        folder = self._work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def child(self, folder, seconds_max=CHILD_SECONDS_MAX, **task):
        """What a child measured, or {"error"}. It and what it started are ended if it takes too long."""
        out = self._work / "outcome.json"
        out.unlink(missing_ok=True)
        task.update(folder=str(folder), core=self._core, server_core=self._core, other_core=self._other_core, out=str(out),
                    seed=self.settings.seed)
        process = subprocess.Popen([sys.executable, CHILD, json.dumps(task)], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            _, said = process.communicate(timeout=seconds_max)
        except BaseException as error:
            # The child leads a group, which has what it started, too. It ends its group itself if it fails.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            said = f"not done after {seconds_max} s"
        if process.returncode == 0 and out.exists():
            return json.loads(out.read_text(encoding="utf-8"))
        return {"error": (said.strip().splitlines() or [f"ended with {process.returncode}"])[-1]}

    def record(self, section, system, round_number, outcome):
        version, settings = outcome.pop("version", ""), outcome.pop("settings", "")
        if "error" in outcome:
            self.error_count += 1
            print(f"bench: {section}, {system}: {outcome['error']}", file=sys.stderr)
        elif settings and (section, system) not in self._described:
            self._described.add((section, system))
            self.line("system", part=section, system=system, version=version, settings=settings)
        self.line(section, system=system, what="", round=round_number, **outcome)

    def run_rounds(self, section, count):
        for round_number in range(self.settings.round_count):
            for system in self.chosen(section):
                folder = self.fresh("store")
                outcome = self.child(folder, section=section, system=system.name, count=count, seconds=self.settings.seconds)
                self.record(section, system.name, round_number, outcome)
                shutil.rmtree(folder)
                print(f"bench: {section}, round {round_number + 1}, {system.name}", file=sys.stderr)

    def run_opening(self):
        count = self.settings.opened_record_count
        ready = []
        for system in self.chosen("opening"):
            folder = self.fresh(f"opening {system.name}")
            outcome = self.child(folder, section="opening", system=system.name, count=count, is_filling=True)
            if "error" in outcome:
                self.record("opening", system.name, 0, outcome)
            else:
                ready.append((system, folder))
        for round_number in range(self.settings.open_count):
            for system, folder in ready:
                number = (round_number * 7919 + 1) % count
                outcome = self.child(folder, section="opening", system=system.name, count=count, is_filling=False,
                                     number=number)
                self.record("opening", system.name, round_number, outcome)
        for _, folder in ready:
            shutil.rmtree(folder)

    def run_crowd(self):
        count = self.settings.record_count
        for system in self.chosen("crowd"):
            folder = self.fresh("crowd")
            outcome = self.child(folder, section="crowd", system=system.name, count=count, is_filling=True)
            for round_number in range(self.settings.round_count):
                if "error" not in outcome:
                    outcome = self.child(folder, section="crowd", system=system.name, count=count, is_filling=False,
                                         process_count=self.settings.crowd_process_count, cores=self._cores)
                    self.record("crowd", system.name, round_number, dict(outcome))
            if "error" in outcome:
                self.record("crowd", system.name, 0, outcome)
            shutil.rmtree(folder)
            print(f"bench: crowd, {system.name}", file=sys.stderr)

    def run_imports(self):
        for round_number in range(self.settings.open_count):
            for module in systems.IMPORTED:
                if not self._names or module in self._names:
                    self.record("import", module, round_number, self.child(self._work, section="import", module=module))

    def finish(self):
        self.line("end", load_average_at_end=round(os.getloadavg()[0], 2))
        self._file.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--systems", default="")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the child is ended, too

    settings = Settings(seed=arguments.seed)
    if arguments.quick:
        settings.make_quick()
    pathlib.Path(arguments.work).mkdir(parents=True, exist_ok=True)
    bench = Bench(settings, arguments.out, arguments.work, set(filter(None, arguments.systems.split(","))))
    bench.run_rounds("mappings", settings.record_count)
    bench.run_rounds("lists", settings.record_count)
    bench.run_rounds("nested", settings.document_count)
    bench.run_opening()
    bench.run_crowd()
    bench.run_imports()
    bench.finish()
    return 1 if bench.error_count else 0


if __name__ == "__main__":
    sys.exit(main())
