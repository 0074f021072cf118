#!/usr/bin/env bash
# Messages a second with a journal file beside the same without, run in turn. SMTPLOAD names the load generator.
#
#   SMTPLOAD=./smtpload benches/journal.sh [rounds] [mode] [size] [messages]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} mode=${2:-pipeline} size=${3:-1024} messages=${4:-50000}
load=${SMTPLOAD:?the load generator}

[ -n "${BUILT:-}" ] || cargo build --quiet --release
work=$(mktemp -d)
serve() {
    target/release/martinet serve --scenario one-to-one --receiver fcrdns --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off \
        --format json --ready-file "$work/$1.ready" "${@:2}" >/dev/null &
    until [ -s "$work/$1.ready" ]; do kill -0 $!; done
}
serve file --journal "$work/journal.sqlite"
file=$!
serve memory
memory=$!
trap 'kill $file $memory 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
address() { sed 's/.*"smtp":"\([^"]*\)".*/\1/' "$work/$1.ready"; }
one() { "$load" "$(address "$1")" --mode "$mode" --conns 20 --msgs "$messages" --size "$size" --helo mail.example.test >>"$work/$1"; }
for _ in $(seq "$rounds"); do one file; one memory; done
python3 - "$work" <<'PY'
import json, statistics, sys
rate = lambda name: [json.loads(line)["msgs_per_s"] for line in open(f"{sys.argv[1]}/{name}")]
file, memory = rate("file"), rate("memory")
ratios = [a / b for a, b in zip(file, memory)]
print(f"with a journal file {statistics.median(file):8.0f}/s  (min {min(file):.0f}, max {max(file):.0f})")
print(f"in memory           {statistics.median(memory):8.0f}/s  (min {min(memory):.0f}, max {max(memory):.0f})")
print(f"ratio               {statistics.median(ratios):8.2f}    (min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs)")
PY
