#!/bin/sh
# Builds and runs the benchmark and writes bench/results/latest.{md,json,png}, of what single operations cost cost.{md,json},
# and of the Python package python.{md,json,png}; QUICK=1: quick, cost-quick and python-quick.
#
#   QUICK=1        fewer records and rounds
#   LARGE=1        section scale goes to ten million records, for systems that can in reasonable time; and section beyond runs,
#                  with stores of 20 GiB, one after the other, each of which needs 28 GiB of the disk for a while
#   BEYOND_BYTES=N stores of this size instead
#   WORK=DIR       where stores are made and removed again (bench/results/work)
#   SYSTEMS=a,b    only these of utan,absl,unordered_map,map,vector,tkrzw,lmdb,rocksdb,leveldb,sqlite,berkeleydb,
#                  kyotocabinet,boost,pogreb; of Python's: the first words of their names
#   SECTIONS=a,b   only these of point,ordered,ycsb,scale,lists,documents,shared,growth,beyond,cost,python
#   BENCH_DATE=T   the date that results carry (today)
#   PEERS_ONLY=1   without Utan, to test the harness; without the sections cost and python
#   PYTHON=P       the interpreter for the section python (python3)
#
# Results of a run with SYSTEMS, some of the sections or PEERS_ONLY go to bench/results/partial.* and, with SYSTEMS, to
# python-partial.*, so as not to pass for a whole one. SECTIONS=python and SECTIONS=cost are the whole of these, and so is
# SECTIONS=beyond, for which LARGE need not be given: beyond.{md,json}; and SECTIONS=scale with LARGE=1: scale.{md,json,png}.
# Ends with an error if anything measured was wrong, not if a target was missed: the report says which.
set -eu
cd "$(dirname "$0")/.."

results=bench/results
work=${WORK:-$results/work}
date=${BENCH_DATE:-$(date -u +%Y-%m-%d)}
mkdir -p "$results" "$work"

# SECTIONS without "python" and "cost" is for the program; has_program, has_cost and has_python are empty if there is nothing to do.
sections=$(echo "${SECTIONS:-}" | tr ',' '\n' | grep -vx -e python -e cost | paste -s -d , -)
has_program=1
has_cost=1
has_python=1
if [ -n "${SECTIONS:-}" ]; then
  has_program=$sections
  case ",$SECTIONS," in *,python,*) ;; *) has_python= ;; esac
  case ",$SECTIONS," in *,cost,*) ;; *) has_cost= ;; esac
fi
if [ -n "${PEERS_ONLY:-}" ]; then has_python= has_cost=; fi
# It has no peers.
if [ -n "${SYSTEMS:-}" ]; then has_cost=; fi

# draw PROGRAM NAME: the picture needs matplotlib, in an environment of this tree. Without a network there is none, and all
# else is there.
draw() {
  if [ ! -x .venv/bin/python ]; then python3 -m venv .venv || true; fi
  if ! .venv/bin/python -c 'import matplotlib' 2>/dev/null; then
    .venv/bin/python -m pip install --quiet -r bench/requirements.txt >&2 || true
  fi
  if .venv/bin/python "$1" "$results/$2.json" "$results/$2.png"; then
    echo "bench: $results/$2.md, .json, .png" >&2
  else
    echo "bench: $results/$2.md, .json (no picture: matplotlib is missing)" >&2
  fi
}

measure_program() {
  if [ -n "${PEERS_ONLY:-}" ]; then
    build=build/bench
    cmake -S bench -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
  else
    build=build/release
    cmake --preset release -DUTAN_BENCH=ON >&2
  fi
  cmake --build "$build" --target utan_bench utan_bench_harness_test utan_bench_containers_test \
    utan_bench_scripts_test >&2
  program=$(find "$build" -type f -name utan_bench | head -n 1)
  "${program}_harness_test" >&2
  "${program}_containers_test" >&2
  "${program}_scripts_test" >&2

  if [ -n "${QUICK:-}" ]; then
    name=quick
    report_options=--quick
    set -- --records 100000 --overwrites 1000000 --rounds 2 --sharing-rounds 2 --seconds 0.3 --opens 5 \
      --documents 10000 --container-rounds 1 --list-inserts 20000 --list-insert-seconds 0.3 \
      --script-records 50000 --script-seconds 0.05 --scale-bytes 2097152
  else
    name=latest
    report_options=
    set --
  fi
  if [ -n "${LARGE:-}" ] || [ "$sections" = beyond ]; then
    set -- "$@" --large 1 --beyond-bytes "${BEYOND_BYTES:-21474836480}"
  fi
  case "${SYSTEMS:-}${PEERS_ONLY:-}:$sections${LARGE:+ large}" in
    : | ": large") ;;
    ":beyond" | ":beyond large") name=beyond ;;
    ":scale large") name=scale ;;
    *) name=partial ;;
  esac

  raw=$work/raw.jsonl
  "$program" --out "$raw" --work "$work" ${SYSTEMS:+--systems "$SYSTEMS"} ${sections:+--sections "$sections"} "$@" || status=$?
  python3 bench/report.py "$raw" --json "$results/$name.json" --markdown "$results/$name.md" --date "$date" $report_options \
    --work-filesystem "$(df --output=fstype "$work" | tail -n 1)"
  # Of beyond's few numbers there is no picture.
  if [ "$name" != beyond ]; then draw bench/picture.py "$name"; fi
}

measure_cost() {
  cmake --preset release -DUTAN_BENCH=ON >&2
  if ! cmake --build build/release --target utan_bench_cost >&2; then
    echo "bench: no section cost: it needs Valgrind's headers when it is built" >&2
    return 1
  fi
  set --
  if [ -n "${QUICK:-}" ]; then set -- --records 100000 --operations 50000; fi
  echo "bench: cost" >&2
  python3 bench/cost.py "$(find build/release -type f -name utan_bench_cost)" --work "$work" \
    --name "$results/cost${QUICK:+-quick}" --date "$date" "$@"
}

measure_python() {
  name=python${QUICK:+-quick}
  if [ -n "${SYSTEMS:-}" ]; then name=python-partial; fi
  WORK=$work BENCH_DATE=$date bench/python/run.sh "$results/$name" || status=$?
  if [ -e "$results/$name.json" ]; then draw bench/python/python_picture.py "$name"; fi
}

status=0
if [ -n "$has_program" ]; then measure_program; fi
if [ -n "$has_cost" ]; then measure_cost || status=$?; fi
if [ -n "$has_python" ]; then measure_python; fi
exit "$status"
