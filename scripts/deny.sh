#!/usr/bin/env bash
# Licences, advisories, sources and duplicates of the dependencies, by cargo-deny and deny.toml. The advisories come from the
# network; without it, name the other checks: scripts/deny.sh licenses bans sources.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo deny --all-features check "$@"
