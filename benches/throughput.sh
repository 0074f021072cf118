#!/usr/bin/env bash
# Messages a second, and CPU a message, beside Postfix smtp-sink, run in turn: martinet stores and judges, smtp-sink
# discards and judges nothing. SMTPLOAD and SMTP_SINK name the two programs.
#
#   SMTPLOAD=./smtpload SMTP_SINK=smtp-sink benches/throughput.sh [rounds] [mode] [size] [connections] [messages]
#   SMTPLOAD=./smtpload SMTP_SINK=smtp-sink benches/throughput.sh all
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = all ]; then
    for mode in pipeline lockstep connect; do
        for conns in 20 500; do
            "$0" 3 "$mode" 1024 "$conns" "$([ "$mode" = pipeline ] && echo 50000 || echo 20000)"
            "$0" 3 "$mode" 102400 "$conns" 5000
        done
    done
    exit
fi
rounds=${1:-5} mode=${2:-pipeline} size=${3:-1024} conns=${4:-20} messages=${5:-50000}
load=${SMTPLOAD:?the load generator} sink=${SMTP_SINK:-smtp-sink}

[ -n "${MARTINET_NO_BUILD:-}" ] || cargo build --quiet --release
work=$(mktemp -d)
target/release/martinet serve --scenario one-to-one --receiver fcrdns --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off \
    --format json >"$work/ready" &
ours=$!
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$sink" -m 2000 ${SMTP_SINK_USER:+-u "$SMTP_SINK_USER"} "127.0.0.1:$port" 1000 &
theirs=$!
trap 'kill $ours $theirs 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/ready" ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
smtp=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["smtp"])' "$work/ready")

# User and system time of a process so far, in clock ticks.
ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
one() {
    local before
    before=$(ticks "$3")
    timeout "${PATIENCE:-60}" "$load" "$1" --mode "$mode" --conns "$conns" --msgs "$messages" --size "$size" --helo mail.example.test >>"$work/$2" || return
    echo $(($(ticks "$3") - before)) >>"$work/$2.ticks"
}
for _ in $(seq "$rounds"); do
    for side in "$smtp ours $ours" "127.0.0.1:$port theirs $theirs"; do
        # shellcheck disable=SC2086
        one $side && continue
        echo "$mode $size octets $conns connections: no ratio, the load on ${side#* } did not end"
        exit 0
    done
done
python3 - "$work" "$mode" "$size" "$conns" "$(getconf CLK_TCK)" <<'PY'
import json, statistics, sys
work, mode, size, conns, tick = sys.argv[1:]
def read(name):
    runs = [json.loads(line) for line in open(f"{work}/{name}")]
    assert all(run["errors"] == 0 and run["rejected"] == 0 for run in runs), runs
    cpu = [int(line) / int(tick) for line in open(f"{work}/{name}.ticks")]
    return [run["msgs_per_s"] for run in runs], [1e6 * c / run["accepted"] for c, run in zip(cpu, runs)]
(ours, our_cpu), (theirs, their_cpu) = read("ours"), read("theirs")
ratio = lambda a, b: [x / y for x, y in zip(a, b) if y]
rates, cpus = ratio(ours, theirs), ratio(our_cpu, their_cpu)
print(f"{mode:8} {size:>6} octets {conns:>3} connections: martinet {statistics.median(ours):8.0f}/s {statistics.median(our_cpu):6.1f} us CPU,"
      f" smtp-sink {statistics.median(theirs):8.0f}/s {statistics.median(their_cpu):6.1f} us CPU;"
      f" rate x{statistics.median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f}), CPU x{statistics.median(cpus) if cpus else 0:.2f}")
PY
