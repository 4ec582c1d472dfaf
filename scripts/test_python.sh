#!/usr/bin/env bash
# Builds the Python package, installs it into a virtual environment in build/, and runs its tests. Quick when nothing changed.
#
#   test_python.sh             the tests, with the package built in place (PYTHON=python3.12 for another interpreter)
#   test_python.sh package     also what is published: an sdist, a wheel made from it, installed into a clean environment
#   test_python.sh -k NAME...  arguments for pytest
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
jobs=${JOBS:-$(nproc)}
export CMAKE_BUILD_PARALLEL_LEVEL=$jobs PIP_DISABLE_PIP_VERSION_CHECK=1

tag=$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
environment=build/python-venv-$tag
mkdir -p build

# The files that the package is made of, as one number.
fingerprint() {
  git ls-files -z --cached --others --exclude-standard -- CMakeLists.txt pyproject.toml cmake include src python README.md LICENSE |
    while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
    xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

if ! [[ -x $environment/bin/python ]]; then "$python" -m venv "$environment"; fi
if ! cmp -s python/tests/requirements.txt "$environment/requirements.txt"; then
  "$environment/bin/pip" install --quiet --requirement python/tests/requirements.txt
  cp python/tests/requirements.txt "$environment/requirements.txt"
fi
now=$(fingerprint)
if [[ $now != $(cat "$environment/installed" 2>/dev/null || true) ]]; then
  "$environment/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall . >"build/python-$tag.log" 2>&1 ||
    { cat "build/python-$tag.log"; exit 1; }
  echo "$now" >"$environment/installed"
fi

if [[ ${1-} == package ]]; then
  shift
  rm -rf build/python-package
  "$environment/bin/python" -m build --outdir build/python-package >"build/python-package.log" 2>&1 ||
    { cat build/python-package.log; exit 1; }
  "$python" -m venv build/python-package/clean
  build/python-package/clean/bin/pip install --quiet build/python-package/*.whl
  (cd build/python-package && clean/bin/python -c '
import utan
with utan.open(":memory:") as db:
    db["x"] = {"a": [1]}
    db["x"]["a"].append(2)
    assert db["x"] == {"a": [1, 2]} and db.check()["problems"] == []')
  # Nothing of libutan is to be seen outside, and no C++ library of its own version is needed beside Python's.
  extension=$(echo build/python-package/clean/lib/python*/site-packages/utan/_utan*.so)
  exported=$(nm -D --defined-only "$extension" | awk '{print $3}')
  if [[ $exported != PyInit__utan ]]; then
    echo "test_python: the extension exports more than its initialisation: $exported" >&2
    exit 1
  fi
  ls -l build/python-package/*.whl build/python-package/*.tar.gz
fi

exec "$environment/bin/python" -m pytest --no-header "$@"
