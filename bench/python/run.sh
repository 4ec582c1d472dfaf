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
environment=build/bench-python-$("${PYTHON:-python3}" -c 'import sys; print(sys.implementation.cache_tag)')
scripts/install_python.sh "$environment" bench/python/requirements.txt >&2
python=$environment/bin/python

"$python" bench/python/harness_test.py >&2
status=0
"$python" bench/python/measure.py --out "$work/raw.jsonl" --work "$work" ${QUICK:+--quick} ${SYSTEMS:+--systems "$SYSTEMS"} ||
  status=$?
"$python" bench/python/python_report.py "$work/raw.jsonl" --json "$results.json" --markdown "$results.md" \
  --date "${BENCH_DATE:-$(date -u +%Y-%m-%d)}" ${QUICK:+--quick} --work-filesystem "$(df --output=fstype "$work" | tail -n 1)"
exit "$status"
