#!/usr/bin/env bash
# Builds by Clang, with the same warnings as errors as by GCC, and runs tests of what it built.
#
#   check_clang.sh       the libraries, an example, and a few tests that use most of them
#   check_clang.sh all   everything
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
cmake --preset clang -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF >/dev/null
if [[ ${1-} == all ]]; then
  cmake --build --preset clang --parallel "$jobs"
  ctest --preset clang --parallel "$jobs"
else
  tests=(c_api_test c_container_test cpp_api_test format_key_test tree_ordered_test)
  cmake --build --preset clang --parallel "$jobs" --target utan utan_shared hello utan_tool make_store "${tests[@]}"
  ctest --preset clang --parallel "$jobs" --tests-regex "^($(IFS='|' && echo "${tests[*]}")|hello_example|tool_test)$"
fi
