#!/usr/bin/env bash
# CPU time to build a crate that depends on the library alone, beside one that depends on wiremock and reqwest, in turn:
# benches/dependence.sh [ROUNDS]. Each build is from nothing, in the debug profile, in a directory that is removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

package() { # name, dependencies
    mkdir -p "$scratch/$1/src"
    touch "$scratch/$1/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n%s\n' "$1" "$2" >"$scratch/$1/Cargo.toml"
    (cd "$scratch/$1" && cargo fetch --quiet)
}
package with-martinet "martinet = { path = \"$here\", default-features = false }"
package with-wiremock 'wiremock = "0.6"
reqwest = { version = "0.12", default-features = false }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }'

for round in $(seq "${1:-1}"); do
    for name in with-martinet with-wiremock; do
        export CARGO_TARGET_DIR="$scratch/target"
        printf '%s %s, user and system time: ' "$round" "$name"
        bash -c 'cd "$1" && cargo build --quiet && times' _ "$scratch/$name" | tail -1
        rm -rf "$scratch/target"
    done
done
