#!/usr/bin/env bash
# Measures how much of src/ the C++ tests execute, prints it by folder, and fails if it is less than 95 % of the lines.
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

if [[ ${1-} != report ]]; then
  cmake --preset coverage -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF >/dev/null
  cmake --build --preset coverage --parallel "$jobs"
  rm -rf "$counts"
  mkdir -p "$counts"
  # One file for each program (%m), mapped (%c).
  LLVM_PROFILE_FILE="$counts/%c%m.profraw" ctest --preset coverage --parallel "$jobs" --output-on-failure
fi

llvm-profdata-14 merge -sparse "$counts"/*.profraw -o "$counts/all.profdata"
programs=()
while IFS= read -r -d '' program; do programs+=("$program"); done < \
  <(find build/coverage/tests build/coverage/tools -maxdepth 1 -type f -executable -print0 | sort -z)
shown=("${programs[0]}" "${programs[@]/#/-object=}" -instr-profile "$counts/all.profdata"
  -ignore-filename-regex '_test\.cc$|/testing\.h$' "$PWD/src")
llvm-cov-14 export -format=lcov "${shown[@]}" >"$counts/lines.info"
llvm-cov-14 show -format=html -output-dir build/coverage/html -show-branches=count "${shown[@]}"
echo "coverage: the lines are in build/coverage/html/index.html"
python3 scripts/coverage_report.py "$counts/lines.info"
