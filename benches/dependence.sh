#!/usr/bin/env bash
# CPU time to build a crate that depends on the library alone, beside one that depends on wiremock and reqwest, in turn:
# benches/dependence.sh [ROUNDS]. Each build is from nothing, in the debug profile, in a directory that is removed afterwards.
# The library is a git dependency: Cargo compiles it like one from crates.io, without lints and incremental files, which a
# path dependency has.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

package() { # name, dependencies
    mkdir -p "$scratch/$1/src"
    touch "$scratch/$1/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n%s\n' "$1" "$2" >"$scratch/$1/Cargo.toml"
    (cd "$scratch/$1" && cargo fetch --quiet)
}
mkdir "$scratch/martinet"
git ls-files -z | xargs -0 cp --parents -t "$scratch/martinet"
git -C "$scratch/martinet" init --quiet
git -C "$scratch/martinet" add .
git -C "$scratch/martinet" -c user.name=bench -c user.email=bench@example.test commit --quiet --message "the library"
package with-martinet "martinet = { git = \"file://$scratch/martinet\", default-features = false }"
package with-wiremock 'wiremock = "0.6"
reqwest = { version = "0.12", default-features = false }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }'

# The seconds of user and system time that a build takes.
build() {
    local TIMEFORMAT='%U %S'
    rm -rf "$scratch/target"
    { { time CARGO_TARGET_DIR="$scratch/target" cargo build --quiet --manifest-path "$scratch/$1/Cargo.toml" 2>&3; } 2>&1 | awk '{ print $1 + $2 }'; } 3>&2
}

for round in $(seq "${1:-1}"); do
    martinet=$(build with-martinet) wiremock=$(build with-wiremock)
    awk -v round="$round" -v m="$martinet" -v w="$wiremock" 'BEGIN { printf "%d: martinet %.1f s, wiremock %.1f s, ratio %.2f\n", round, m, w, m / w }'
done
