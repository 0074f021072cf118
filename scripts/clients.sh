#!/usr/bin/env bash
# The tests of the clients in clients/, each against the program of this checkout. Installs what they need below
# target/foreign with pip and npm.
#
# What is missing is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/target/foreign
cargo build --quiet
export MARTINET_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/debug/martinet"
unset MARTINET

have() { command -v "$1" >/dev/null 2>&1; }
skip() {
    echo "skipped: $1"
    [ -z "${MARTINET_SKIPS:-}" ] || echo "$1" >>"$MARTINET_SKIPS"
    [ "${MARTINET_FOREIGN:-}" != required ] || exit 1
}

python() {
    if have python3 && [ ! -x "$home/python/bin/pytest" ]; then
        python3 -m venv "$home/python" && "$home/python/bin/pip" install --quiet 'pytest>=8' || echo "pip could not install"
    fi
    [ -x "$home/python/bin/pytest" ] || { skip "the Python client: no pytest"; return 0; }
    echo "-- Python"
    (cd clients/python && PYTHONPATH=$PWD/python PYTHONDONTWRITEBYTECODE=1 "$home/python/bin/python" -m pytest -q -p martinet.pytest_plugin -p no:cacheprovider tests)
}

node() {
    local major=0
    if have node; then major=$(command node -p 'process.versions.node.split(".")[0]'); fi
    [ "$major" -ge 18 ] || { skip "the Node client: no Node 18 or newer"; return 0; }
    echo "-- Node"
    (cd clients/node && command node --test --test-reporter=spec test/)
}

python
node
