#!/usr/bin/env bash
# Tests the page in a real browser: Debian's Chromium, driven by npm's playwright-core, with axe-core for accessibility. Both are
# installed below target/foreign with fixed versions; playwright-core contains no browser.
#
# A missing program is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=$PWD/target/foreign/page

have() { command -v "$1" >/dev/null 2>&1; }
skip() {
    echo "skipped: $1"
    [ -z "${MARTINET_SKIPS:-}" ] || echo "$1" >>"$MARTINET_SKIPS"
    [ "${MARTINET_FOREIGN:-}" != required ] || exit 1
    exit 0
}

have node || skip "the page in a browser: no node here"
CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
[ -n "$CHROMIUM" ] || skip "the page in a browser: no chromium here"
export CHROMIUM MARTINET_PAGE_MODULES=$modules
# Playwright needs Node 20, and Debian 12 has Node 18: npm has newer ones.
packages=(playwright-core@1.65.1 axe-core@4.14.1)
node=node
if ! node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)'; then
    packages+=(node@20)
    node=$modules/node_modules/node/bin/node
fi
if [ ! -d "$modules/node_modules/playwright-core" ] || [ ! -d "$modules/node_modules/axe-core" ] || ! have "$node"; then
    mkdir -p "$modules"
    (cd "$modules" && npm install --silent --no-fund --no-audit "${packages[@]}") ||
        skip "the page in a browser: npm could not install ${packages[*]}"
fi
cargo build --quiet
export MARTINET_PROGRAM=${CARGO_TARGET_DIR:-target}/debug/martinet
# One file after the other, to limit the load. Node 18 of Debian 12 has no --test-timeout and no --test-concurrency.
for file in tests/page/*.test.mjs; do
    timeout 900 "$node" --test "$file"
done
