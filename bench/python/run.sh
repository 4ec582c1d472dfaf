#!/bin/sh
# Builds the Python package, measures it beside its peers, and writes NAME.md and NAME.json.
#
#   run.sh NAME         with the folder: bench/results/python. Called by bench/run.sh, which says what can be set.
#   PYTHON=python3.12   another interpreter (python3)
#
# Ends with an error if anything measured was wrong, not if a target was missed: the report says which.
set -eu
cd "$(dirname "$0")/../.."
results=$1
work=${WORK:-bench/results/work}/python
mkdir -p "$work"
# The package as it is published, in an environment of its own with the peers.
tested=$(scripts/build_python.sh)
tag=${tested#build/python-venv-}
environment=build/bench-python-$tag
python=$environment/bin/python
if [ ! -x "$python" ]; then "${PYTHON:-python3}" -m venv "$environment" >&2; fi
if ! cmp -s bench/python/requirements.txt "$environment/requirements.txt"; then
  echo "bench: installing what bench/python/requirements.txt names into $environment" >&2
  "$python" -m pip install --quiet --disable-pip-version-check --requirement bench/python/requirements.txt >&2
  cp bench/python/requirements.txt "$environment/requirements.txt"
fi
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "build/python-package-$tag"/*.whl >&2

"$python" bench/python/harness_test.py >&2
status=0
"$python" bench/python/measure.py --out "$work/raw.jsonl" --work "$work" ${QUICK:+--quick} ${SYSTEMS:+--systems "$SYSTEMS"} ||
  status=$?
"$python" bench/python/python_report.py "$work/raw.jsonl" --json "$results.json" --markdown "$results.md" \
  --date "${BENCH_DATE:-$(date -u +%Y-%m-%d)}" ${QUICK:+--quick} --work-filesystem "$(df --output=fstype "$work" | tail -n 1)"
exit "$status"
