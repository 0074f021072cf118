#!/usr/bin/env bash
# Formatting, lints, documentation, licences, all tests, and foreign clients against a running server.
#
# Installs what the foreign clients need with apt where it can, and says so where it cannot: then their tests are
# skipped with a printed line. With CI=true a missing client is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

foreign=target/foreign
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo -n "$@"; else return 1; fi; }

install_clients() {
    local missing=()
    have dig || missing+=(bind9-dnsutils)
    have swaks || missing+=(swaks)
    have python3 || missing+=(python3)
    if [ ${#missing[@]} -gt 0 ]; then
        as_root apt-get -qq update && as_root apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
    fi
    # smtp-source only: Postfix is unpacked, not installed, so that no system service is touched.
    if ! have smtp-source && [ ! -x "$foreign/usr/sbin/smtp-source" ]; then
        mkdir -p "$foreign"
        (cd "$foreign" && { apt-get -qq download postfix 2>/dev/null || { as_root apt-get -qq update && apt-get -qq download postfix; }; })
        dpkg -x "$foreign"/postfix_*.deb "$foreign"
        rm -f "$foreign"/postfix_*.deb
        unpack_libraries
    fi
}

# The libraries that the unpacked smtp-source lacks on this machine.
unpack_libraries() {
    local lacking
    lacking=$(LD_LIBRARY_PATH="$foreign/usr/lib/postfix" ldd "$foreign/usr/sbin/smtp-source" | awk '/not found/ { print $1 }')
    [ -z "$lacking" ] && return 0
    echo "smtp-source lacks $lacking: installing Postfix's dependencies"
    as_root apt-get -qq install -y --no-install-recommends libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3 >/dev/null || true
}

step "foreign clients"
if have apt-get; then
    install_clients || echo "not everything could be installed: the tests of what is missing will say so"
else
    echo "no apt-get here: foreign clients that are missing will be skipped, with a line each"
fi
if ! have smtp-source && [ -x "$foreign/usr/sbin/smtp-source" ]; then
    export MARTINET_SMTP_SOURCE="$PWD/$foreign/usr/sbin/smtp-source"
    export LD_LIBRARY_PATH="$PWD/$foreign/usr/lib/postfix${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
[ "${CI:-}" = true ] && export MARTINET_FOREIGN=required

step "formatting"
cargo fmt --check

step "lints"
cargo clippy --quiet --all-targets -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps

step "licences"
cargo metadata --format-version 1 --quiet | python3 scripts/licences.py

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run
    cargo test --quiet --doc
else
    cargo test
fi

step "done"
