#!/usr/bin/env bash
# Everything that a change must pass, in phases; stops at the first that fails. Ends with the time of each.
#
#   debug     tests with the label plain, with all assertions and labelled steps
#   asan      all others, too, and under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan      tests with the label tsan under ThreadSanitizer
#   release   tests with the label small on what users get, among them the installed package
#   models    the quick part of the model checking
#   house     include table, files that nothing reaches, format
#   python    the Python package as it is published, its types, and the demo
#
#   JOBS=N    how much at once (the number of processors)
#   test.sh PHASE...  only these; without a name: all, cheapest first
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
times=()

report() {
  local status=$?
  echo
  printf '%s\n' "${times[@]+"${times[@]}"}"
  if [[ $status -ne 0 ]]; then
    echo "make test: FAILED in phase \"$phase\" after $SECONDS s"
  else
    echo "make test: all passed in $SECONDS s"
  fi
}
trap report EXIT

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  # Said each time, because a build folder remembers what it was told for another purpose. With precompiled headers the debug
  # build takes half as long; a forgotten #include is found by `make check`, which reads each file by itself.
  cmake --preset "$preset" -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF -DUTAN_PRECOMPILE=ON \
    >"build/$preset.log" 2>&1 ||
    { cat "build/$preset.log"; return 1; }
  cmake --build "build/$preset" --parallel "$jobs" ${1+--target "$@"}
}

phase_debug() { build debug tests_plain && ctest --preset debug --label-regex plain --parallel "$jobs"; }
phase_asan() { build asan && ctest --preset asan --label-exclude plain --parallel "$jobs"; }
phase_tsan() { build tsan tests_tsan && ctest --preset tsan --parallel "$jobs"; }
phase_release() { build release utan utan_shared tests_small && ctest --preset release --parallel "$jobs"; }
phase_models() { models/run.sh quick; }
phase_house() {
  python3 scripts/check_includes.py && python3 scripts/check_dead_files.py && scripts/check_format.sh
}
# With the library of the release build, which is made of the same sources with the same flags.
phase_python() { build release utan && UTAN_LIBRARY=$PWD/build/release/src/libutan.a scripts/test_python.sh; }

mkdir -p build
phases=("$@")
if [[ ${#phases[@]} -eq 0 ]]; then phases=(house models debug tsan asan release python); fi
for phase in "${phases[@]}"; do
  echo "==== $phase ===="
  started=$SECONDS
  # Not as a condition: bash would then go on after an error inside.
  "phase_$phase"
  times+=("$(printf '%-8s %4d s' "$phase" $((SECONDS - started)))")
done
