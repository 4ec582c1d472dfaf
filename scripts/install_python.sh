#!/usr/bin/env bash
# Builds the Python package and installs it into a virtual environment, with what it is used with there. Quick when nothing
# changed.
#
#   install_python.sh ENVIRONMENT REQUIREMENTS   a folder, made if it is missing, and a list for pip that has scikit-build-core
#
#   PYTHON=python3.12   another interpreter (python3)      JOBS=N   how much at once (the number of processors)
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$1
requirements=$2
python=${PYTHON:-python3}
export CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-$(nproc)} PIP_DISABLE_PIP_VERSION_CHECK=1
log=build/$(basename "$environment").log

# The files that the package is made of, as one number.
fingerprint() {
  git ls-files -z --cached --others --exclude-standard -- CMakeLists.txt pyproject.toml cmake include src python README.md LICENSE |
    while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
    xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

mkdir -p build
if ! [[ -x $environment/bin/python ]]; then "$python" -m venv "$environment"; fi
if ! cmp -s "$requirements" "$environment/requirements.txt"; then
  "$environment/bin/pip" install --quiet --requirement "$requirements"
  cp "$requirements" "$environment/requirements.txt"
fi
now=$(fingerprint)
if [[ $now != $(cat "$environment/installed" 2>/dev/null || true) ]]; then
  "$environment/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall . >"$log" 2>&1 ||
    { cat "$log"; exit 1; }
  echo "$now" >"$environment/installed"
fi
