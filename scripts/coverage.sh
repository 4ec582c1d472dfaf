#!/usr/bin/env bash
# Measures how much of src/ and of python/src/ the tests execute, in C++ and in Python, prints it by folder, and fails if it is
# less than 95 % of the lines of one of them.
#
# The pages in build/coverage/html show each line with how often it was executed. Lines that no test can reach stand in
# docs/COVERAGE.md, each with its reason; scripts/coverage_report.py holds that list exact, and does not count them.
#
# What is counted is in a mapped file at once, so that it outlives a process that is killed (cmake/UtanFlags.cmake). Counts of
# a function that a kill ended in its middle may say that its end was reached, too: they are derived from how often it began.
#
#   JOBS=N         how much at once (the number of processors)
#   coverage.sh report   only the report, of what was counted last
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
counts=$PWD/build/coverage/counts
find_extension() { find build/coverage/python -maxdepth 1 -name '_utan.*.so'; }

if [[ ${1-} != report ]]; then
  cmake --preset coverage -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF >/dev/null
  cmake --build --preset coverage --parallel "$jobs"
  rm -rf "$counts"
  mkdir -p "$counts"
  ctest --preset coverage --parallel "$jobs" --output-on-failure
  UTAN_EXTENSION=$(find_extension) UTAN_SLOWNESS=10 scripts/test_python.sh
fi

llvm-profdata-14 merge -sparse "$counts"/*.profraw -o "$counts/all.profdata"
programs=("$(find_extension)" build/coverage/src/libutan.so)  # the library is what programs in C execute
while IFS= read -r -d '' program; do programs+=("$program"); done < \
  <(find build/coverage/tests build/coverage/tools -maxdepth 1 -type f -executable -print0 | sort -z)
shown=("${programs[0]}" "${programs[@]/#/-object=}" -instr-profile "$counts/all.profdata"
  -ignore-filename-regex '_test\.cc$|/testing\.h$' "$PWD/src" "$PWD/python/src")
llvm-cov-14 export -format=lcov "${shown[@]}" >"$counts/lines.info"
llvm-cov-14 show -format=html -output-dir build/coverage/html -show-branches=count "${shown[@]}"
echo "coverage: the lines are in build/coverage/html/index.html"
python3 scripts/coverage_report.py "$counts/lines.info"
