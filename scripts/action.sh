#!/usr/bin/env bash
# The steps of action.yml: start a server, or report the sessions that it refused.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

download() {
    local architecture folder
    architecture=$(uname -m)
    folder=${RUNNER_TEMP:?}/martinet-$VERSION
    mkdir -p "$folder"
    curl -fsSL "$RELEASES/v$VERSION/martinet-$VERSION-$architecture-linux.tar.gz" | tar -xz -C "$folder" --strip-components=1
    MARTINET_BINARY=$folder/bin/martinet
    echo "MARTINET_BINARY=$MARTINET_BINARY" >>"$GITHUB_ENV"
    echo "$folder/bin" >>"$GITHUB_PATH"
}

start() {
    [ -z "${VERSION:-}" ] || download
    local ready log arguments=() further=()
    ready=$(mktemp -u) log=$(mktemp)
    [ -z "${RECEIVER:-}" ] || arguments+=(--receiver "$RECEIVER")
    read -r -a further <<<"${ARGUMENTS:-}"
    # The server outlives this step: its output goes to a file.
    nohup "${MARTINET_BINARY:-martinet}" serve --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http 127.0.0.1:0 --scenario "$SCENARIO" \
        --ready-file "$ready" "${arguments[@]}" "${further[@]}" >"$log" 2>&1 </dev/null &
    local server=$!
    until [ -s "$ready" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
        sleep 0.05
    done
    value() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$ready"; }
    printf 'url=%s\nsmtp=%s\ndns=%s\nprocess=%s\n' "$(value http_url)" "$(value smtp)" "$(value dns)" "$server" >>"$GITHUB_OUTPUT"
    printf 'MARTINET=%s\nMARTINET_SMTP=%s\n' "$(value http_url)" "$(value smtp)" >>"$GITHUB_ENV"
    echo "martinet: SMTP $(value smtp), DNS $(value dns), $(value http_url)"
}

case ${1:?usage: action.sh start|report} in
    start) start ;;
    report) python3 "$here/report.py" "${PICTURES:-martinet-pictures}" ;;
    *) echo "expected start or report, found $1" >&2; exit 2 ;;
esac
