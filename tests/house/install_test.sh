#!/usr/bin/env bash
# Shows that an installed Utan can be used: by CMake in C++ and in C alone, by pkg-config, static and shared, also after
# the installed tree was moved. Each program opens a store, writes and reads.
#
#   install_test.sh BUILD_FOLDER C_COMPILER CXX_COMPILER
set -euo pipefail
build=$1 cc=$2 cxx=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "install_test: $*"; }

say "installing"
cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/prefix"
prefix=$work/prefix

use_cmake() {  # folder of the project
  local name; name=$(basename "$1")
  say "CMake: $name"
  { cmake -S "$1" -B "$work/$name" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
      -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Release && cmake --build "$work/$name"; } >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
  for library in static shared; do
    "$work/$name/use_$library" "$work/$name-$library.utan"
  done
}
use_cmake "$here/consumer_cmake"
use_cmake "$here/consumer_c"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name utan.pc)")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir utan)

say "pkg-config: shared"
# The words of pkg-config are separate arguments.
# shellcheck disable=SC2046
"$cc" -std=c11 -Wall -Wextra -Werror "$here/consumer_c/use.c" -o "$work/shared" $(pkg-config --cflags --libs utan)
LD_LIBRARY_PATH=$libdir "$work/shared" "$work/pc-shared.utan"

say "pkg-config: static"
# shellcheck disable=SC2046
"$cc" -static -std=c11 -Wall -Wextra -Werror "$here/consumer_c/use.c" -o "$work/static" \
  $(pkg-config --static --cflags --libs utan)
"$work/static" "$work/pc-static.utan"

say "moving a store between the libraries"
LD_LIBRARY_PATH=$libdir "$work/shared" "$work/pc-static.utan"
say "all work"
