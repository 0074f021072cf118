#!/usr/bin/env bash
# Tests a running server with foreign clients: those of Mailpit and MailHog, the README's snippets, and schemathesis, which
# makes requests from /api/openapi.json. Installs them below target/foreign with pip and npm.
#
# A missing program is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD/target/foreign
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT

have() { command -v "$1" >/dev/null 2>&1; }
skip() {
    echo "skipped: $1"
    [ -z "${MARTINET_SKIPS:-}" ] || echo "$1" >>"$MARTINET_SKIPS"
    [ "${MARTINET_FOREIGN:-}" != required ] || exit 1
}

install() {
    mkdir -p "$home/node"
    if have python3 && [ ! -x "$home/python/bin/schemathesis" ]; then
        python3 -m venv "$home/python" &&
            "$home/python/bin/pip" install --quiet 'mailpit-api-client==1.0.0' 'schemathesis>=4,<5' || echo "pip could not install"
    fi
    if [ -x "$home/python/bin/pip" ] && [ ! -x "$home/python/bin/openapi-spec-validator" ]; then
        "$home/python/bin/pip" install --quiet 'openapi-spec-validator>=0.8,<1' || echo "pip could not install"
    fi
    if have npm && [ ! -d "$home/node/node_modules/mailhog" ]; then
        (cd "$home/node" && npm install --silent --no-fund --no-audit mailpit-api@2 mailhog@4) || echo "npm could not install"
    fi
}

start() {
    cargo build --quiet
    "${CARGO_TARGET_DIR:-target}/debug/martinet" serve --receiver lenient --smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http 127.0.0.1:0 \
        --format json --ready-file "$work/ready" >/dev/null &
    server=$!
    until [ -s "$work/ready" ]; do kill -0 "$server"; done
    address() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$work/ready"; }
    MARTINET=http://$(address http)
    MARTINET_SMTP=$(address smtp)
    export MARTINET MARTINET_SMTP
}

# The first code block of the README under a heading.
snippet() {
    awk -v fence="\`\`\`$1" '/^## Use it from Python/ { on = 1 } /^## For QA/ { on = 0 }
        on && $0 == fence { copying = 1; next } copying && /^```$/ { exit } copying' README.md
}

clients() {
    if [ -d "$home/node/node_modules/mailhog" ]; then
        cp tests/foreign/*.mjs "$home/node/"
        (cd "$home/node" && node mailpit.mjs && node mailhog.mjs)
    else
        skip "npm mailpit-api and mailhog: not installed"
    fi
    if [ -x "$home/python/bin/python" ] && "$home/python/bin/python" -c 'import mailpit' 2>/dev/null; then
        "$home/python/bin/python" tests/foreign/mailpit_client.py
    else
        skip "PyPI mailpit-api-client: not installed"
    fi
}

snippets() {
    local language program file
    for row in "python python3 snippet.py" "javascript node snippet.mjs" "java java Refused.java" "sh bash snippet.sh"; do
        read -r language program file <<<"$row"
        snippet "$language" >"$work/$file"
        [ -s "$work/$file" ] || { echo "the README has no $language snippet"; exit 1; }
        if have "$program"; then
            echo "-- README: $language"
            "$program" "$work/$file"
        else
            skip "the README's $language snippet: no $program here"
        fi
    done
    snippet go >"$work/snippet.go"
    if have go; then
        echo "-- README: go"
        GOCACHE="$work/go" go run "$work/snippet.go"
    else
        skip "the README's go snippet: no go here"
    fi
}

valid() {
    [ -x "$home/python/bin/openapi-spec-validator" ] || { skip "openapi-spec-validator: not installed"; return 0; }
    curl -fsS "$MARTINET/api/openapi.json" >"$work/openapi.json"
    "$home/python/bin/openapi-spec-validator" "$work/openapi.json"
}

description() {
    [ -x "$home/python/bin/schemathesis" ] || { skip "schemathesis: not installed"; return 0; }
    # The paths of a named world are tested with the name of the main world.
    cp scripts/schemathesis.toml "$work/"
    (cd "$work" && "$home/python/bin/schemathesis" --config-file schemathesis.toml run "$MARTINET/api/openapi.json" \
        --max-examples 20 --request-timeout 30 --no-color) >"$work/schemathesis" 2>&1 || { tail -n 80 "$work/schemathesis"; exit 1; }
    grep -E 'Tested:|generated' "$work/schemathesis"
}

install
start
clients
snippets
valid
description
echo "HTTP: every foreign client that is here agrees"
