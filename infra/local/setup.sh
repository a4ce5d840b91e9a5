#!/bin/sh
# Makes .venv as requirements-dev.lock says. Does nothing, and needs no network, while the two agree.
set -eu
cd "$(dirname "$0")/../.."

wanted=$(cksum <requirements-dev.lock)
if [ -x .venv/bin/python ] && [ "$(cat .venv/.locked 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

found=
for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    found=$candidate
    break
  fi
done
if [ -z "$found" ]; then
  echo "kn-shop needs Python 3.11 or later, and none was found. Install one, or name it: make PYTHON=/path/to/python3" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() {
  tail -n 15 "$log" >&2
  echo "$1" >&2
  exit 1
}

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Making .venv with $("$found" --version) ..."
  "$found" -m venv --clear .venv >"$log" 2>&1 ||
    fail "No virtual environment could be made (on Debian: apt-get install python3-venv)."
fi

echo "Installing what requirements-dev.lock names; this happens once per lock ..."
uv=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements-dev.lock)
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >"$log" 2>&1 || true
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv" >"$log" 2>&1 ||
  fail "uv could not be installed: is the package index within reach?"
# uv knows nothing of pip's settings: what it cannot get by itself, pip gets from where it is set to look.
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements-dev.lock >"$log" 2>&1 ||
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock >"$log" 2>&1 ||
  fail "The packages could not be installed: is the package index within reach?"
echo "$wanted" >.venv/.locked
