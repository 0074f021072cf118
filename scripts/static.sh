#!/usr/bin/env bash
# Builds a static program, FOLDER/martinet: it runs in an image without other files, and on any
# Linux. With the profile "dev" only the last link differs from an ordinary debug build.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:?usage: scripts/static.sh PROFILE FOLDER}
folder=${2:?usage: scripts/static.sh PROFILE FOLDER}

# The flag affects only the last link, so that all dependencies are shared with other builds of the profile.
cargo rustc --quiet --locked --profile "$profile" --bin martinet -- -C target-feature=+crt-static
built=${CARGO_TARGET_DIR:-target}/$profile/martinet
[ "$profile" != dev ] || built=${CARGO_TARGET_DIR:-target}/debug/martinet
mkdir -p "$folder"
strip --strip-all -o "$folder/martinet" "$built"
