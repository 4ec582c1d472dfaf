#!/usr/bin/env bash
# Installs the Debian packages that are missing for a purpose, and says which. Does nothing, fast, if none is.
#
#   setup.sh build | demo | test | torture | check | coverage | aarch64 | bench | fuzz | all
set -euo pipefail

build=(g++ make cmake ninja-build libxxhash-dev nlohmann-json3-dev)
demo=("${build[@]}" python3 python3-dev python3-venv)
check=("${build[@]}" git python3 libgtest-dev clang-14 clang-tidy-14 clang-format-14)
test=("${demo[@]}" git pkg-config libgtest-dev clang-format-14 spin)
torture=("${test[@]}" python3-dbg)
# libclang-rt has what counts, llvm what reads the counts.
coverage=("${demo[@]}" git libgtest-dev clang-14 libclang-rt-14-dev llvm-14)
# GoogleTest's sources, since its library is that of this machine's processor.
aarch64=("${build[@]}" git python3 libgtest-dev googletest g++-aarch64-linux-gnu qemu-user-static)
# redis-tools has the program of the server as well (redis-check-rdb is the same one): redis-server would add a service.
bench=("${demo[@]}" python3-gdbm pkg-config libgtest-dev libabsl-dev libtkrzw-dev liblmdb-dev libmsgpack-cxx-dev redis-tools
  valgrind librocksdb-dev libleveldb-dev libsqlite3-dev libdb5.3-dev libkyotocabinet-dev libboost-dev)
fuzz=("${build[@]}" python3 libgtest-dev clang-14 libclang-rt-14-dev)

case ${1-} in
  build) wanted=("${build[@]}") ;;
  demo) wanted=("${demo[@]}") ;;
  torture) wanted=("${torture[@]}") ;;
  check) wanted=("${check[@]}") ;;
  test) wanted=("${test[@]}") ;;
  coverage) wanted=("${coverage[@]}") ;;
  aarch64) wanted=("${aarch64[@]}") ;;
  bench) wanted=("${bench[@]}") ;;
  fuzz) wanted=("${fuzz[@]}") ;;
  all) mapfile -t wanted < <(printf '%s\n' "${check[@]}" "${torture[@]}" "${coverage[@]}" "${aarch64[@]}" "${bench[@]}" \
    "${fuzz[@]}" | sort -u) ;;
  *) echo "usage: setup.sh build | demo | test | torture | check | coverage | aarch64 | bench | fuzz | all" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not Debian; what its packages ${wanted[*]} hold must be there." >&2
  exit 0
fi
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  if ! grep -qxF "$package installed" <<<"$installed"; then missing+=("$package"); fi
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

echo "setup: installing ${missing[*]}"
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: this needs root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
