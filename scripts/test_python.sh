#!/usr/bin/env bash
# Runs the tests of the Python package on what is published: the wheel that scripts/build_python.sh makes of the source archive.
#
#   test_python.sh             all tests, and that the wheel needs nothing else and shows nothing of what is in it
#   test_python.sh -k NAME...  arguments for pytest: only these tests
#
#   PYTHON=python3.12 for another interpreter, JOBS=N for so many compilers at once, UTAN_EXTENSION=PATH for an extension that
#   is built already, instead of the wheel
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1

environment=$(scripts/build_python.sh)
package=${environment/python-venv/python-package}
if ! cmp -s python/tests/requirements.txt "$environment/tests-requirements.txt"; then
  echo "test_python: installing what python/tests/requirements.txt names into $environment" >&2
  "$environment/bin/pip" install --quiet --requirement python/tests/requirements.txt
  cp python/tests/requirements.txt "$environment/tests-requirements.txt"
fi

# The wheel alone, in an environment with nothing else.
test_wheel() {
  local clean=$package/clean
  "$environment/bin/python" -m venv --clear --without-pip "$clean"
  "$environment/bin/pip" --python "$clean/bin/python" install --quiet "$package"/*.whl
  (cd "$package" && clean/bin/python -c '
import utan
with utan.open(":memory:") as db:
    db["x"] = {"a": [1]}
    db["x"]["a"].append(2)
    assert db["x"] == {"a": [1, 2]} and db.check()["problems"] == []')
  # Nothing of libutan is to be seen outside, and no C++ library of its own version is needed beside Python's.
  local exported
  exported=$(nm -D --defined-only "$clean"/lib/python*/site-packages/utan/_utan*.so | awk '{print $3}')
  if [[ $exported != PyInit__utan ]]; then
    echo "test_python: the extension exports more than its initialisation: $exported" >&2
    exit 1
  fi
}

if [[ $# -eq 0 && -z ${UTAN_EXTENSION-} ]]; then test_wheel; fi
exec "$environment/bin/python" -m pytest --no-header "$@"
