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
scripts/install_python.sh "$environment" python/tests/requirements.txt

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
