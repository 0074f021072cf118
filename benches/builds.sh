#!/usr/bin/env bash
# Rates and CPU time of two builds of martinet, in turn: messages a second in three modes, and DNS answers a second.
#
#   SMTPLOAD=./smtpload benches/builds.sh BEFORE AFTER [rounds]        after scripts/test.sh has unpacked dnsperf below target/foreign
#
# BEFORE and AFTER are programs. Without dnsperf, DNS is left out. Each server runs all the time, and the load asks one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(realpath "$1") after=$(realpath "$2") rounds=${3:-5}
load=${SMTPLOAD:?the load generator}
foreign=$PWD/target/foreign
work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT

for name in before after; do
    "${!name}" serve --scenario one-to-one --receiver fcrdns --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http off --format json >"$work/$name.ready" &
    started+=($!)
    declare "$name"_pid=$!
done
for name in before after; do
    until [ -s "$work/$name.ready" ]; do sleep 0.05; done
    declare "$name"_smtp="$(sed -n 's/.*"smtp":"\([^"]*\)".*/\1/p' "$work/$name.ready" | head -1)"
    declare "$name"_dns="$(sed -n 's/.*"dns":"\([^"]*\)".*/\1/p' "$work/$name.ready" | head -1)"
done

# User and system time of a process so far, in clock ticks.
ticks() { awk '{ sub(/^.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
smtp() { # name mode messages
    local address=$1_smtp pid=$1_pid ticks_before
    ticks_before=$(ticks "${!pid}")
    "$load" "${!address}" --mode "$2" --conns 20 --msgs "$3" --size 1024 --helo mail.example.test >"$work/out"
    echo "$2 $1 $(sed -n 's/.*"msgs_per_s": *\([0-9.]*\).*/\1/p' "$work/out") $(($(ticks "${!pid}") - ticks_before)) $3" >>"$work/runs"
}
dns() { # name
    local address=$1_dns pid=$1_pid ticks_before
    ticks_before=$(ticks "${!pid}")
    LD_LIBRARY_PATH="$foreign/usr/lib/$(uname -m)-linux-gnu:$foreign/lib/$(uname -m)-linux-gnu" \
        "$foreign/usr/bin/dnsperf" -s 127.0.0.1 -p "${!address##*:}" -d "$work/questions" -l 3 -c 4 -q 200 >"$work/out" 2>&1
    echo "dns $1 $(awk '/Queries per second/ { print $4 }' "$work/out") $(($(ticks "${!pid}") - ticks_before)) $(awk '/Queries completed/ { print $3 }' "$work/out")" >>"$work/runs"
}
printf '%s\n' "mail.example.test A" "contoso.test MX" "10.2.0.192.in-addr.arpa PTR" "no.example.test A" >"$work/questions"

for round in $(seq "$rounds"); do
    order="before after"
    [ $((round % 2)) = 1 ] || order="after before"
    for name in $order; do
        smtp "$name" pipeline 200000
        smtp "$name" lockstep 50000
        smtp "$name" connect 20000
        [ ! -x "$foreign/usr/bin/dnsperf" ] || dns "$name"
    done
done
python3 - "$work/runs" "$(getconf CLK_TCK)" <<'PY'
import statistics, sys
from collections import defaultdict
runs = defaultdict(list)
for line in open(sys.argv[1]):
    mode, name, rate, ticks, count = line.split()
    runs[mode, name].append((float(rate), 1e6 * int(ticks) / int(sys.argv[2]) / int(count)))
for mode in dict.fromkeys(mode for mode, _ in runs):
    (before, cpu_before), (after, cpu_after) = (map(list, zip(*runs[mode, name])) for name in ("before", "after"))
    ratios = [a / b for a, b in zip(after, before)]
    cpus = [a / b for a, b in zip(cpu_after, cpu_before)]
    print(f"{mode:8} {statistics.median(before):8.0f}/s -> {statistics.median(after):8.0f}/s, ratio {statistics.median(ratios):.3f} ({min(ratios):.2f}-{max(ratios):.2f});"
          f" {statistics.median(cpu_before):6.1f} -> {statistics.median(cpu_after):6.1f} us CPU, ratio {statistics.median(cpus):.3f} ({min(cpus):.2f}-{max(cpus):.2f})")
PY
