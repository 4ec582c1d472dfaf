#!/usr/bin/env bash
# The same tests for hours instead of seconds, those of another compiler and another processor, fuzzing, and the whole of the model
# checking. The seed of what fails is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
for preset in debug asan tsan; do
  echo "==== $preset ===="
  cmake --preset "$preset" -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=ON
  cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}"
  ctest --preset "$preset" --parallel "${JOBS:-$(nproc)}"
done
echo "==== clang ===="
scripts/check_clang.sh all
echo "==== aarch64 ===="
scripts/aarch64.sh
echo "==== Python's debug build ===="
# It checks each use of its interface, and counts references, by which python/tests/test_leaks.py finds what is kept.
cmake --preset release -DUTAN_TESTS=OFF -DUTAN_BENCH=OFF
cmake --build --preset release --parallel "${JOBS:-$(nproc)}" --target utan
PYTHON=python3-dbg UTAN_LIBRARY=$PWD/build/release/src/libutan.a scripts/test_python.sh
echo "==== fuzz ===="
scripts/fuzz.sh 120
echo "==== models ===="
models/run.sh full
