"""One measurement in a process of its own. Started by measure.py alone, with a description in JSON; writes what it measured,
in JSON, into the file that the description names."""

import json
import os
import resource
import signal
import sys
import traceback
from types import SimpleNamespace


def measure(task):
    place = SimpleNamespace(folder=task["folder"], server_core=task["server_core"])
    section = task["section"]
    if section == "import":
        import opening

        return opening.time_import(task["module"])

    import systems
    from workload import Workload

    system = systems.find(section, task["system"]).load()
    if task.get("is_other"):
        import nested

        nested.serve(system, place)
        return None

    workload = Workload(task["seed"], task["count"])
    if section == "mappings":
        import mappings

        out = mappings.run(system, place, workload, task["seconds"])
    elif section == "lists":
        import lists

        out = lists.run(system, place, workload, task["seconds"])
    elif section == "nested":
        import nested

        # The other process runs on the other core; this one keeps its own.
        other = {**task, "is_other": True, "core": task["other_core"]}
        out = nested.run(system, place, workload, task["seconds"], [sys.executable, __file__, json.dumps(other)])
    elif section == "crowd" and not task["is_filling"]:
        import crowd

        out = crowd.run(system, place, workload, task["process_count"], set(task["cores"]))
    else:
        import opening

        work = opening.fill if task["is_filling"] else lambda *arguments: opening.run(*arguments, task["number"])
        out = work(system, place, workload)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {**out, "version": system.version(), "settings": system.settings, "preempted_count": usage.ru_nivcsw}


def main():
    task = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {task["core"]})
    try:
        outcome = measure(task)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        if not task.get("is_other"):
            os.killpg(0, signal.SIGKILL)  # servers, too, that it started
        sys.exit(1)
    if outcome is not None:
        with open(task["out"], "w", encoding="utf-8") as file:
            json.dump(outcome, file)


if __name__ == "__main__":
    main()
