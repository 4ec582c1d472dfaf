#!/usr/bin/env bash
# The same tests for hours instead of seconds, fuzzing, and the whole of the model checking. The seed of what fails is
# printed.
set -euo pipefail
cd "$(dirname "$0")/.."
for preset in debug asan tsan; do
  echo "==== $preset ===="
  cmake --preset "$preset" -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=ON
  cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}"
  ctest --preset "$preset" --parallel "${JOBS:-$(nproc)}"
done
echo "==== fuzz ===="
scripts/fuzz.sh 120
echo "==== models ===="
models/run.sh full
