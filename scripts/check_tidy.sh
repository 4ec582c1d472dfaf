#!/usr/bin/env bash
# Runs clang-tidy on our sources as the debug build compiles them; tests are not looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard -- 'src/*.cc' ':!src/*_test.cc' |
  xargs -0 -r -n 1 -P "${JOBS:-$(nproc)}" clang-tidy-14 -p build/debug --quiet --warnings-as-errors='*'
