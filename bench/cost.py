"""Where the time goes: runs utan_bench_cost by itself and under callgrind, and writes the table of both.

Instructions and misses of callgrind are of a simulated processor without prefetching, whose caches have the sizes of this
one's: they tell what an operation asks for, the same on every run. Nanoseconds are this machine's.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

# Of each operation: the loads that miss the caches and of which none can begin before the one before it has ended.
CHAINS = {
    "table get": ["bucket", "record"],
    "table put": ["bucket", "record"],
    "collection get": ["leaf", "record"],
    "collection put": ["leaf", "record"],
    "field get": ["leaf", "record", "object entry", "block"],
    "field set": ["leaf", "record", "object entry", "block"],
    "commit": [],
}
NAMES = {
    "table get": "get, from a table",
    "table put": "put, into a table",
    "collection get": "get, from a collection",
    "collection put": "put, into a collection",
    "field get": "get a field of a document",
    "field set": "set a field of a document",
    "commit": "put, into a table of one record",
}


def measure(program, directory, records, operations):
    """Nanoseconds by operation, and of what the latency of memory was measured."""
    output = subprocess.run([program, directory, str(records), str(operations)], check=True, capture_output=True,
                            text=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    return {line["operation"]: line["ns"] for line in lines}, next(line["bytes"] for line in lines if "bytes" in line)


def last_level_cache():
    """What one core has of this machine's, as callgrind wants it, which does not know all processors: bytes, a power of two,
    in 16 ways. 32 MiB where the kernel does not say."""
    try:
        with open("/sys/devices/system/cpu/cpu0/cache/index3/size", encoding="ascii") as file:
            size = int(file.read().strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        size = 32 << 20
    return f"{1 << (size.bit_length() - 1)},16,64"


def count(program, directory, records, operations):
    """Events by operation, each for one operation, and how callgrind describes the caches."""
    subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes",
                    f"--LL={last_level_cache()}",
                    f"--callgrind-out-file={directory}/counts", program, directory, str(records), str(operations)],
                   check=True, capture_output=True)
    counts, caches = {}, {}
    for name in os.listdir(directory):
        if not name.startswith("counts."):
            continue
        operation, events, totals = None, None, None
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            for line in file:
                if line.startswith("desc: Trigger: Client Request: "):
                    operation = line.rsplit(": ", 1)[1].strip()
                elif line.startswith("desc: ") and " cache: " in line:
                    cache, described = line[len("desc: "):].split(" cache: ")
                    caches[cache] = described.strip()
                elif line.startswith("events: "):
                    events = line.split()[1:]
                elif line.startswith(("totals: ", "summary: ")):
                    totals = [int(word) for word in line.split()[1:]]
        if operation and totals:
            counts[operation] = {event: total / operations for event, total in zip(events, totals)}
    return counts, caches


def rows_of(nanoseconds, counts):
    rows = []
    for operation, chain in CHAINS.items():
        loop = counts["loop"]
        events = {event: counts[operation][event] - loop[event] for event in loop}
        limit = len(chain) * nanoseconds["latency"]
        rows.append({
            "operation": operation,
            "ns": nanoseconds[operation] - nanoseconds["loop"],
            "instructions": events["Ir"],
            "loads": events["Dr"],
            "stores": events["Dw"],
            "l1_misses": events["D1mr"] + events["D1mw"],
            "last_level_misses": events["DLmr"] + events["DLmw"],
            "chain": chain,
            "limit_ns": limit,
            "times_limit": (nanoseconds[operation] - nanoseconds["loop"]) / limit if limit else None,
        })
    return rows


def markdown(result):
    lines = [
        "# Where the time goes", "",
        f"{result['date']}, revision {result['revision']}. {result['records']:,} records of 16 and 100 bytes in a table and in a "
        f"collection, and {result['records'] // 4:,} documents; {result['operations']:,} operations of each kind, in random "
        "order, one process, nothing synced. The loop that makes keys and values is subtracted.", "",
        "| operation | time | instructions | loads | stores | level 1 misses | last level misses | chain of loads | limit | "
        "time / limit |",
        "|---|---:|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for row in result["rows"]:
        chain = " > ".join(row["chain"]) or "none"
        limit = f"{row['limit_ns']:.0f} ns" if row["chain"] else "-"
        times = f"{row['times_limit']:.1f}" if row["chain"] else "-"
        lines.append(f"| {NAMES[row['operation']]} | {row['ns']:.0f} ns | {row['instructions']:,.0f} | {row['loads']:,.0f} | "
                     f"{row['stores']:,.0f} | {row['l1_misses']:.1f} | {max(0.0, row['last_level_misses']):.1f} | "
                     f"{chain} | {limit} | {times} |")
    lines += [
        "",
        "- *Time* is the best of five rounds. Instructions, loads, stores and misses are counted by callgrind, whose caches are "
        f"level 1: {result['caches'].get('D1', '-')}; last level: {result['caches'].get('LL', '-')}; it knows no prefetching and "
        "no other programs.",
        "- *Chain of loads*: what has to be brought from memory, and cannot be asked for before the one in front of it is there. "
        f"*Limit* is as many times the latency of memory, {result['latency_ns']:.0f} ns: measured along a chain of random lines "
        f"through {result['latency_bytes'] >> 20} MiB, as large as the store's file. Below 1 a part of the chain was in the cache.",
        "- The last row misses nothing: it is what a commit costs beside its misses.",
        "",
    ]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--work", required=True, help="a folder for stores")
    arguments.add_argument("--name", required=True, help="NAME.md and NAME.json are written")
    arguments.add_argument("--date", required=True)
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--operations", type=int, default=100_000)
    given = arguments.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("cost: valgrind is not here (on Debian: apt-get install valgrind)")
    with tempfile.TemporaryDirectory(dir=given.work) as directory:
        nanoseconds, latency_bytes = measure(given.program, directory, given.records, given.operations)
        counts, caches = count(given.program, directory, given.records, given.operations)
    missing = [operation for operation in ["loop", *CHAINS] if operation not in counts or operation not in nanoseconds]
    if missing:
        sys.exit(f"cost: nothing was measured or counted of {', '.join(missing)}")
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    result = {
        "date": given.date, "revision": revision.stdout.strip(), "records": given.records, "operations": given.operations,
        "caches": caches, "latency_ns": nanoseconds["latency"], "latency_bytes": latency_bytes,
        "rows": rows_of(nanoseconds, counts),
    }
    with open(given.name + ".json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(given.name + ".md", "w", encoding="utf-8") as file:
        file.write(markdown(result))


if __name__ == "__main__":
    main()
