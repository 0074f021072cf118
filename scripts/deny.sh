#!/usr/bin/env bash
# Checks licences, advisories, sources and duplicates of the dependencies with cargo-deny and deny.toml. The advisories come from the
# network; without it, run only the other checks: scripts/deny.sh licenses bans sources.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo deny --all-features check "$@"
