#!/usr/bin/env bash
# Messages a second beside Postfix smtp-sink, run in turn: martinet stores and judges, smtp-sink discards and judges
# nothing. SMTPLOAD and SMTP_SINK name the two programs.
#
#   SMTPLOAD=./smtpload SMTP_SINK=smtp-sink benches/throughput.sh [rounds] [mode] [size]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} mode=${2:-pipeline} size=${3:-1024}
load=${SMTPLOAD:?the load generator} sink=${SMTP_SINK:-smtp-sink}

cargo build --quiet --release
work=$(mktemp -d)
target/release/martinet serve --scenario one-to-one --receiver fcrdns --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off \
    --format json >"$work/ready" &
ours=$!
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$sink" ${SMTP_SINK_USER:+-u "$SMTP_SINK_USER"} "127.0.0.1:$port" 1000 &
theirs=$!
trap 'kill $ours $theirs 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/ready" ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
smtp=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["smtp"])' "$work/ready")

one() { "$load" "$1" --mode "$mode" --conns 20 --msgs 50000 --size "$size" --helo mail.example.test >>"$work/$2"; }
for _ in $(seq "$rounds"); do one "$smtp" ours; one "127.0.0.1:$port" theirs; done
python3 - "$work" <<'PY'
import json, statistics, sys
rate = lambda name: [json.loads(line)["msgs_per_s"] for line in open(f"{sys.argv[1]}/{name}")]
ours, theirs = rate("ours"), rate("theirs")
ratios = [a / b for a, b in zip(ours, theirs)]
print(f"martinet  {statistics.median(ours):8.0f}/s  (min {min(ours):.0f}, max {max(ours):.0f})")
print(f"smtp-sink {statistics.median(theirs):8.0f}/s  (min {min(theirs):.0f}, max {max(theirs):.0f})")
print(f"ratio     {statistics.median(ratios):8.2f}    (min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs)")
PY
