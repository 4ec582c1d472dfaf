#!/usr/bin/env bash
# Builds for AArch64 and runs what was built by QEMU: the tests named below, and stores that processes of both processors write,
# read and share. On a machine with that processor `make test` shows more.
#
#   JOBS=N   how much at once (the number of processors)
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
emulator="qemu-aarch64-static -L /usr/aarch64-linux-gnu"

# What differs from one processor to another: bytes and their order, characters with and without a sign, vectors, atomics,
# faults, fork and kill; and both interfaces.
tests=(c_api_test c_container_test cpp_api_test format_document_test format_header_test format_key_test format_layout_test
  format_value_test object_json_test object_table_test object_text_form_test os_linux_fault_test os_linux_lock_test
  tree_sorted_test fork_test kill_test threads_test)
cmake --preset aarch64 -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF >/dev/null
cmake --build --preset aarch64 --parallel "$jobs" --target two_machines utan_tool "${tests[@]}"
cmake --preset debug -DUTAN_TESTS=ON -DUTAN_BENCH=OFF -DUTAN_TORTURE=OFF -DUTAN_PRECOMPILE=ON >/dev/null
cmake --build --preset debug --parallel "$jobs" --target two_machines

echo "aarch64: stores of both processors"
python3 tests/house/two_machines_test.py build/debug/tests/two_machines "$emulator build/aarch64/tests/two_machines"
# A process that forks in one thread and uses files in another hangs in the emulator now and then. And its memory grows with each
# store that is opened: a hundred scenarios of killed processes took 24 GiB.
GTEST_FILTER=-LinuxLock.AChildHasNoFileThatAnotherThreadWasOpeningOrClosing:Every/AtStep.* \
  ctest --preset aarch64 --parallel "$jobs" --tests-regex "^($(IFS='|' && echo "${tests[*]}"))$"
