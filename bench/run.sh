#!/bin/sh
# Builds and runs the benchmark and writes bench/results/latest.{md,json,png}; QUICK=1: quick.{md,json,png}.
#
#   QUICK=1        fewer records and rounds, under three minutes in total
#   WORK=DIR       where stores are made and removed again (bench/results/work)
#   SYSTEMS=a,b    only these of utan,absl,unordered_map,map,vector,tkrzw,lmdb
#   SECTIONS=a,b   only these of point,ordered,lists,documents,shared,growth
#   BENCH_DATE=T   the date that results carry (today)
#   PEERS_ONLY=1   without Utan, to test the harness
#
# Results of a run with SYSTEMS, SECTIONS or PEERS_ONLY go to bench/results/partial.*, so as not to pass for a whole one.
# Ends with an error if anything measured was wrong, not if a target was missed: the report says which.
set -eu
cd "$(dirname "$0")/.."

results=bench/results
work=${WORK:-$results/work}
date=${BENCH_DATE:-$(date -u +%Y-%m-%d)}
mkdir -p "$results" "$work"

if [ -n "${PEERS_ONLY:-}" ]; then
  build=build/bench
  cmake -S bench -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
else
  build=build/release
  cmake --preset release -DUTAN_BENCH=ON >&2
fi
cmake --build "$build" --target utan_bench utan_bench_harness_test utan_bench_containers_test >&2
program=$(find "$build" -type f -name utan_bench | head -n 1)
"${program}_harness_test" >&2
"${program}_containers_test" >&2

if [ -n "${QUICK:-}" ]; then
  name=quick
  report_options=--quick
  set -- --records 200000 --overwrites 2000000 --rounds 3 --sharing-rounds 3 --seconds 0.5 \
    --documents 10000 --container-rounds 2 --list-inserts 20000 --list-insert-seconds 0.3
else
  name=latest
  report_options=
  set --
fi
if [ -n "${SYSTEMS:-}${SECTIONS:-}${PEERS_ONLY:-}" ]; then name=partial; fi

raw=$work/raw.jsonl
status=0
"$program" --out "$raw" --work "$work" ${SYSTEMS:+--systems "$SYSTEMS"} ${SECTIONS:+--sections "$SECTIONS"} "$@" || status=$?

python3 bench/report.py "$raw" --json "$results/$name.json" --markdown "$results/$name.md" --date "$date" $report_options \
  --work-filesystem "$(df --output=fstype "$work" | tail -n 1)"

# The picture needs matplotlib, in an environment of this tree. Without a network there is none, and all else is there.
if [ ! -x .venv/bin/python ]; then python3 -m venv .venv || true; fi
if ! .venv/bin/python -c 'import matplotlib' 2>/dev/null; then
  .venv/bin/python -m pip install --quiet -r bench/requirements.txt >&2 || true
fi
if .venv/bin/python bench/picture.py "$results/$name.json" "$results/$name.png"; then
  echo "bench: $results/$name.md, .json, .png" >&2
else
  echo "bench: $results/$name.md, .json (no picture: matplotlib is missing)" >&2
fi
exit "$status"
