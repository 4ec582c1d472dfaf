#!/usr/bin/env bash
# Compares C and C++ files with .clang-format; --fix changes them. Code has 120 columns; comments and other files at most 132.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run --Werror)
if [[ ${1-} == --fix ]]; then mode=(-i); fi

git ls-files -z --cached --others --exclude-standard -- '*.c' '*.cc' '*.h' '*.hpp' |
  while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
  xargs -0 -r -n 8 -P "${JOBS:-$(nproc)}" clang-format-14 --style=file "${mode[@]}"

long=$(git ls-files -z --cached --others --exclude-standard -- \
    '*.c' '*.cc' '*.h' '*.hpp' '*.py' '*.sh' '*.cmake' '*.pml' '*CMakeLists.txt' Makefile |
  LC_ALL=C.UTF-8 xargs -0 -r grep -nE '^.{133,}$' -s || true)
if [[ -n $long ]]; then
  echo "$long" | cut -c 1-150 >&2
  echo "check_format: the lines above are longer than 132 columns" >&2
  exit 1
fi
