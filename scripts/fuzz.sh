#!/usr/bin/env bash
# Fuzzes a store's files and sequences of calls (tests/fuzz/), one after the other, and says how far each came.
#
#   fuzz.sh [SECONDS]   so long each (60)
#
# What was found worth keeping lies in build/fuzz/corpus/NAME and is where the next run begins. An input at which a fuzzer
# stops is left in build/fuzz/found/; `build/fuzz/tests/NAME FILE` repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
jobs=${JOBS:-$(nproc)}

cmake --preset fuzz -DUTAN_TESTS=ON -DUTAN_BENCH=OFF
cmake --build --preset fuzz --parallel "$jobs" --target store_fuzz calls_fuzz
mkdir -p build/fuzz/found

# A call of a fuzzer allocates much and frees it again: to keep for each block where it was allocated, and what was freed for
# long, took half of the time. Who looks into what was found does so without these options.
export ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=8${ASAN_OPTIONS:+:$ASAN_OPTIONS}

# fuzz NAME LENGTH_MAX: a call that takes longer than 30 s by the clock, of a machine that may be busy, or asks for more memory
# than a file of this size can need, is a fault, too.
fuzz() {
  local name=$1 length_max=$2
  local corpus=build/fuzz/corpus/$name log=build/fuzz/$name.log
  mkdir -p "$corpus"
  if ! "build/fuzz/tests/$name" -max_total_time="$seconds" -max_len="$length_max" -len_control=0 -detect_leaks=0 \
    -entropic=0 -timeout=30 -malloc_limit_mb=512 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$name-" "$corpus" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "fuzz: $name found something; all of it is in $log" >&2
    return 1
  fi
  awk -v name="$name" '
    /DONE +cov:/ { for (i = 1; i <= NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /stat::number_of_executed_units:/ { executions = $2 }
    /stat::average_exec_per_sec:/ { rate = $2 }
    /stat::new_units_added:/ { added = $2 }
    END {
      printf "fuzz: %s: %d executions, %d a second, %d edges covered, %d inputs added\n",
        name, executions, rate, edges, added
    }' "$log"
}

fuzz store_fuzz 400
fuzz calls_fuzz 2000
