#!/usr/bin/env bash
# Makes the Python package as it is published (a source archive, and from what is in it a wheel) and installs the wheel into a
# virtual environment in build/. Quick when nothing changed. Prints the environment's path; what it does, as errors.
#
#   build_python.sh            PYTHON=python3.12 for another interpreter, JOBS=N for so many compilers at once,
#                              UTAN_LIBRARY=PATH for a libutan.a of the same sources, which is otherwise built here,
#                              UTAN_EXTENSION=PATH for an extension that is built already: with the Python files beside it in an
#                              environment of its own, python-venv-X-extension, and no wheel
#
# In build/, for each interpreter: python-venv-X the environment, python-package-X archive and wheel, python-source-X the
# archive's files. These stay, so that of a changed archive only what changed is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-$(nproc)} PIP_DISABLE_PIP_VERSION_CHECK=1

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "build_python: $python is no Python 3.10 or newer; PYTHON=... names another one" >&2
  exit 1
fi

# who PYTHON: its kind and version (with a "d" where it is a debug build, a "t" where it has no interpreter lock), and where
# it is from, which is the same in its virtual environments.
who() {
  "$1" -c 'import sys; print(sys.implementation.cache_tag + sys.abiflags, sys.base_prefix)'
}
interpreter=$(who "$python")
tag=${interpreter%% *}
environment=build/python-venv-$tag${UTAN_EXTENSION:+-extension}
package=build/python-package-$tag
source=build/python-source-$tag
log=build/python-$tag.log
mkdir -p build

# logged COMMAND...: its output is shown if it fails.
logged() {
  "$@" >>"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

# update_source ARCHIVE: makes $source what is in the archive, and touches no file that is so already, because all files of
# an archive have one date. The build folder inside stays.
update_source() {
  local new=$source.new
  rm -rf "$new"
  mkdir -p "$new" "$source"
  tar -xzf "$1" -C "$new" --strip-components=1
  "$python" - "$new" "$source" <<'END'
import filecmp, os, pathlib, sys
new, old = map(pathlib.Path, sys.argv[1:])
for path in old.rglob("*"):
    name = path.relative_to(old)
    if path.is_file() and name.parts[0] != "build" and not (new / name).is_file():
        path.unlink()
for path in new.rglob("*"):
    to = old / path.relative_to(new)
    if path.is_file() and not (to.is_file() and filecmp.cmp(path, to, shallow=False)):
        to.parent.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        path.replace(to)
END
  rm -rf "$new"
}

: >"$log"
if ! [[ -x $environment/bin/pip && $(who "$environment/bin/python") == "$interpreter" ]]; then
  "$python" -m venv --clear "$environment" >&2
fi
if [[ -n ${UTAN_EXTENSION-} ]]; then
  packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  rm -rf "$packages/utan"
  cp -r python/utan "$packages"
  cp "$UTAN_EXTENSION" "$packages/utan"
  echo "$environment"
  exit
fi
if ! cmp -s python/requirements.txt "$environment/requirements.txt"; then
  echo "build_python: installing what python/requirements.txt names into $environment" >&2
  logged "$environment/bin/pip" install --requirement python/requirements.txt
  cp python/requirements.txt "$environment/requirements.txt"
fi

rm -rf "$package/new"
logged "$environment/bin/python" -m build --sdist --no-isolation --outdir "$package/new" .
archive=$(basename "$package"/new/*.tar.gz)
if ! cmp -s "$package/new/$archive" "$package/installed.tar.gz" || ! [[ -e $environment/installed ]]; then
  echo "build_python: building the package (the first time: some minutes) and installing it into $environment" >&2
  rm -f "$environment/installed" "$package"/*.whl "$package"/*.tar.gz
  mv "$package/new/$archive" "$package"
  update_source "$package/$archive"
  logged "$environment/bin/python" -m build --wheel --no-isolation --outdir "$package" \
    -C "cmake.define.UTAN_LIBRARY=${UTAN_LIBRARY:-}" "$source"
  logged "$environment/bin/pip" install --no-deps --force-reinstall "$package"/*.whl
  ln "$package/$archive" "$package/installed.tar.gz"
  touch "$environment/installed"
fi
rm -rf "$package/new"
echo "$environment"
