#!/usr/bin/env bash
# DNS answers a second and CPU time an answer beside NSD with one server process and hickory-server with one thread, run in
# turn: the same zone, the same questions, each server alone on one core, dnsperf on another. Then a zone of a million
# records: how long until it is served, and in how much memory.
#
#   benches/dns.sh [rounds] [seconds]        after scripts/test.sh has unpacked nsd and dnsperf below target/foreign
#
# SERVER_CORE and CLIENT_CORE name the cores, MARTINET and HICKORY other binaries. The query journal of martinet is on: it has no switch.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7} seconds=${2:-5}
server_core=${SERVER_CORE:-0} client_core=${CLIENT_CORE:-1}
foreign=$PWD/target/foreign
export LD_LIBRARY_PATH="$foreign/usr/lib/$(uname -m)-linux-gnu:$foreign/lib/$(uname -m)-linux-gnu"
nsd=$foreign/usr/sbin/nsd dnsperf=$foreign/usr/bin/dnsperf
[ -x "$nsd" ] && [ -x "$dnsperf" ] || { echo "no nsd or dnsperf below $foreign"; exit 2; }
martinet=${MARTINET:-$PWD/target/release/martinet}
[ -n "${MARTINET:-}" ] || cargo build --quiet --release
hickory=${HICKORY:-$(cargo bench --no-run --bench hickory --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"hickory".*"executable":"\([^"]*\)".*/\1/p')}

work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# A zone of $1 hosts, each with A, AAAA, MX and TXT records, or with an A record alone where $2 says so.
zone() {
    awk -v hosts="$1" -v alone="${2:-}" 'BEGIN {
        print "$ORIGIN example.test.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53"
        for (n = 0; n < hosts; n++) {
            printf "h%d A 10.%d.%d.%d\n", n, n / 65536 % 256, n / 256 % 256, n % 256
            if (alone) continue
            printf "h%d AAAA 2001:db8::%x\nh%d MX 10 h%d\nh%d TXT \"v=spf1 a -all\"\n", n, n % 65536, n, n, n
        } }'
}
# Nine in ten questions have an answer, one does not; 10,000 different ones.
questions() {
    awk 'BEGIN { srand(7); split("A AAAA MX TXT A", t, " ")
        for (n = 0; n < 10000; n++)
            printf "%s%d.example.test %s\n", (n % 10 ? "h" : "no"), int(rand() * 5000), t[1 + int(rand() * 5)] }'
}
scenario() { printf 'title = "bench"\n[[zone]]\norigin = "example.test"\nfile = "%s"\n' "$1"; }

zone 5000 >"$work/small.zone"
questions >"$work/questions"
scenario small.zone >"$work/small.toml"
port=$((20000 + RANDOM % 20000))
cat >"$work/nsd.conf" <<CONF
server:
    server-count: 1
    ip-address: 127.0.0.1@$port
    username: ""
    chroot: ""
    zonesdir: "$work"
    database: ""
    pidfile: "$work/nsd.pid"
    zonelistfile: "$work/zone.list"
    xfrdfile: "$work/xfrd.state"
    xfrdir: "$work"
    logfile: "$work/nsd.log"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: example.test
    zonefile: small.zone
CONF
taskset -c "$server_core" "$nsd" -d -c "$work/nsd.conf" &
started+=($!)
nsd_pid=$!
serve() { # scenario → sets pid and dns
    rm -f "$work/ready"
    taskset -c "$server_core" "$martinet" serve --scenario "$1" --receiver lenient --smtp 127.0.0.1:0 \
        --dns 127.0.0.1:0 --http off --format json --ready-file "$work/ready" >/dev/null &
    started+=($!)
    pid=$!
    until [ -s "$work/ready" ]; do kill -0 "$pid"; sleep 0.02; done
    dns=$(sed 's/.*"dns":"127.0.0.1:\([0-9]*\)".*/\1/' "$work/ready")
}
serve "$work/small.toml"
martinet_pid=$pid martinet_port=$dns
until grep -q "nsd started" "$work/nsd.log"; do sleep 0.05; done

taskset -c "$server_core" "$hickory" example.test. "$work/small.zone" >"$work/hickory" &
started+=($!)
hickory_pid=$!
until [ -s "$work/hickory" ]; do kill -0 "$hickory_pid"; sleep 0.02; done
hickory_port=$(sed 's/.*://' "$work/hickory")

children() { cat /proc/"$1"/task/*/children; }
# CPU ticks of a process and its descendants.
ticks() {
    local all=$1 child
    for child in $(children "$1"); do all="$all $child $(children "$child")"; done
    # The name of a process, in parentheses, may hold blanks.
    for child in $all; do sed 's/.*) //' "/proc/$child/stat"; done | awk '{ sum += $12 + $13 } END { print sum }'
}
hz=$(getconf CLK_TCK)
measure() { # pid port → queries/s, CPU µs a query, lost
    local before after
    before=$(ticks "$1")
    taskset -c "$client_core" "$dnsperf" -s 127.0.0.1 -p "$2" -d "$work/questions" -l "$seconds" -q 200 -c 4 >"$work/out"
    after=$(ticks "$1")
    awk -v t="$((after - before))" -v hz="$hz" '/Queries completed/ { done = $3 } /Queries lost/ { lost = $3 }
        /Queries per second/ { qps = $4 } END { printf "%.0f %.3f %d\n", qps, t / hz * 1e6 / done, lost }' "$work/out"
}
measure_nsd() { read -r nq nc nl < <(measure "$nsd_pid" "$port"); }
measure_martinet() { read -r mq mc ml < <(measure "$martinet_pid" "$martinet_port"); }
measure_hickory() { read -r hq hc hl < <(measure "$hickory_pid" "$hickory_port"); }
printf 'round       NSD q/s  µs  lost    martinet q/s  µs  lost    hickory q/s   µs  lost   martinet/NSD  CPU   hickory/martinet  CPU\n'
for round in $(seq "$rounds"); do
    case $((round % 3)) in
    0) measure_nsd; measure_martinet; measure_hickory ;;
    1) measure_martinet; measure_hickory; measure_nsd ;;
    2) measure_hickory; measure_nsd; measure_martinet ;;
    esac
    awk -v r="$round" -v nq="$nq" -v nc="$nc" -v nl="$nl" -v mq="$mq" -v mc="$mc" -v ml="$ml" -v hq="$hq" -v hc="$hc" -v hl="$hl" \
        'BEGIN { printf "%5d %12d %.2f %5d %15d %.2f %5d %14d %5.2f %5d %14.2f %5.2f %18.2f %5.2f\n",
            r, nq, nc, nl, mq, mc, ml, hq, hc, hl, mq / nq, mc / nc, hq / mq, hc / mc }' |
        tee -a "$work/rounds"
done
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
column() { awk -v n="$1" '{ print $n }' "$work/rounds" | median; }
printf 'median: %s of the answers a second of NSD, %s times its CPU time an answer\n' "$(column 11)" "$(column 12)"
printf 'median of hickory-server: %s of the answers a second of martinet, %s times its CPU time an answer\n' "$(column 13)" "$(column 14)"

kill "$nsd_pid" "$martinet_pid" "$hickory_pid"
echo
scenario large.zone >"$work/large.toml"
for kind in "250000" "1000000 alone"; do
    # shellcheck disable=SC2086 # two words
    zone $kind >"$work/large.zone"
    echo "a zone of 1,000,003 records of ${kind% alone} hosts:"
    for _ in 1 2 3; do
        began=$(date +%s%N)
        serve "$work/large.toml"
        printf '  served after %d ms, %d ms of them CPU time; at most %d MiB resident\n' \
            "$((($(date +%s%N) - began) / 1000000))" "$(($(ticks "$pid") * 1000 / hz))" \
            "$(($(awk '/VmHWM/ { print $2 }' "/proc/$pid/status") / 1024))"
        kill "$pid"
        wait "$pid" 2>/dev/null || true
    done
done
