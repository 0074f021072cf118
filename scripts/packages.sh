#!/usr/bin/env bash
# Makes the packages and tests each one in a clean environment: an archive of the program, the wheel in a virtual environment, the
# npm packages in an empty folder, the Debian package in a copy of this machine's root.
#
#   scripts/packages.sh [PROFILE [FOLDER]]
#
# With the profile "dev", the default, the debug build is packed; a release uses "dist". The packages are written to FOLDER, by default
# target/packages. A missing program is a printed skip; with MARTINET_FOREIGN=required, a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/skips.sh
profile=${1:-dev}
folder=$(realpath -m "${2:-target/packages}")
home=$PWD/target/foreign
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MARTINET MARTINET_BINARY
mkdir -p "$folder"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
is() { [ "$2" = "$3" ] || { echo "$1: expected $3, found $2" >&2; exit 1; }; }
shows() { printf '%s' "$2" | grep -qF -- "$3" || { printf '%s: expected %s, found:\n%s\n' "$1" "$3" "$2" >&2; exit 1; }; }

# The program with its manual page and completions, for the archive of each platform and for the Debian package.
archive() {
    local name=martinet-$version-$(uname -m)-linux
    local top=$work/$name
    mkdir -p "$top/bin" "$top/share/man/man1" "$top/share/bash-completion/completions" "$top/share/zsh/vendor-completions" \
        "$top/share/fish/vendor_completions.d"
    cp "$program" "$top/bin/"
    cp README.md CHANGELOG.md LICENSE-* "$top/"
    "$program" man >"$top/share/man/man1/martinet.1"
    "$program" completions bash >"$top/share/bash-completion/completions/martinet"
    "$program" completions zsh >"$top/share/zsh/vendor-completions/_martinet"
    "$program" completions fish >"$top/share/fish/vendor_completions.d/martinet.fish"
    tar -czf "$folder/$name.tar.gz" -C "$work" "$name"
    # cargo-deb reads the files from here.
    rm -rf target/archive && mv "$top" target/archive
}

# maturin calls cargo in the same way as scripts/static.sh, so that the program is the same.
wheel() {
    if have python3 && [ ! -x "$home/python/bin/maturin" ]; then
        [ -x "$home/python/bin/pip" ] || python3 -m venv "$home/python"
        "$home/python/bin/pip" install --quiet 'maturin>=1.9,<2' || echo "pip could not install maturin"
    fi
    [ -x "$home/python/bin/maturin" ] || { record "the wheel: no maturin"; required; return 0; }
    echo "-- wheel"
    rm -f "$folder"/martinet-*.whl
    (cd clients/python && "$home/python/bin/maturin" build --profile "$profile" --locked --compatibility manylinux2014 \
        --out "$folder" -- -C target-feature=+crt-static) >"$work/maturin" 2>&1 || { cat "$work/maturin"; exit 1; }
    local made=("$folder"/martinet-*.whl)
    shows "the wheel's tag" "${made[0]}" "-py3-none-manylinux"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --no-index --no-deps "${made[0]}"
    "$work/venv/bin/pip" install --quiet 'pytest>=8'
    is "the wheel's program" "$("$work/venv/bin/martinet" --version)" "martinet $version"
    mkdir "$work/pytest"
    awk '/^```python$/ { copying = 1; next } /^```$/ && copying { exit } copying' clients/python/README.md >"$work/pytest/test_readme.py"
    (cd "$work/pytest" && PATH=/usr/bin:/bin "$work/venv/bin/python" -m pytest -q test_readme.py)
}

npm_packages() {
    have node && have npm || { record "the npm packages: no node or npm"; required; return 0; }
    echo "-- npm"
    cp -r clients/node "$work/npm"
    local platform
    platform=$(node -p 'process.platform + "-" + process.arch')
    mkdir -p "$work/npm/platforms/$platform/bin"
    cp "$program" "$work/npm/platforms/$platform/bin/martinet"
    cp LICENSE-* "$work/npm"
    cp LICENSE-* "$work/npm/platforms/$platform"
    rm -f "$folder"/*.tgz
    (cd "$work/npm" && npm pack --silent --pack-destination "$folder" . "./platforms/$platform" >/dev/null)
    mkdir "$work/fresh"
    # The package for the platform is optional: npm installs it from the other tarball, not from the registry.
    (cd "$work/fresh" && echo '{"private":true,"type":"module"}' >package.json &&
        npm install --silent --offline --no-audit --no-fund --ignore-scripts "$folder/martinet-$platform-$version.tgz" "$folder/martinet-$version.tgz")
    is "npm's program" "$(cd "$work/fresh" && PATH=$(dirname "$(command -v node)"):/usr/bin:/bin npx --offline martinet --version)" "martinet $version"
    awk '/^```javascript$/ { copying = 1; next } /^```$/ && copying { exit } copying' clients/node/README.md >"$work/fresh/readme.test.mjs"
    (cd "$work/fresh" && node --test readme.test.mjs >"$work/node" 2>&1) || { cat "$work/node"; exit 1; }
}

# The package has no dependencies, because the program needs no shared library. debhelper wrote the scripts for the unit.
debian_package() {
    export PATH=$home/cargo/bin:$PATH
    if have cargo && have dpkg-deb && ! have cargo-deb; then
        CARGO_TARGET_DIR=$work/cargo-deb cargo install --quiet --locked --root "$home/cargo" cargo-deb@~3.8 || echo "cargo could not install cargo-deb"
    fi
    have cargo-deb && have dpkg-deb || { record "the Debian package: no cargo-deb or dpkg-deb"; required; return 0; }
    echo "-- Debian"
    rm -f "$folder"/*.deb
    local fast=()
    [ "$profile" != dev ] || fast=(--fast)
    cargo-deb --no-build --no-strip "${fast[@]}" --output "$folder/" >/dev/null
    mkdir "$work/unpacked"
    dpkg-deb -x "$folder"/*.deb "$work/unpacked"
    is "the package's program" "$("$work/unpacked/usr/bin/martinet" --version)" "martinet $version"
    for file in usr/lib/systemd/system/martinet.service etc/default/martinet etc/martinet/README usr/share/man/man1/martinet.1.gz \
        usr/share/bash-completion/completions/martinet usr/share/zsh/vendor-completions/_martinet \
        usr/share/fish/vendor_completions.d/martinet.fish usr/share/martinet/apparmor usr/share/doc/martinet/copyright; do
        [ -f "$work/unpacked/$file" ] || { echo "the Debian package lacks $file"; find "$work/unpacked"; exit 1; }
    done
    profile
    installs
}

# AppArmor parses the profile, if its version supports user namespaces.
profile() {
    local text=$work/unpacked/usr/share/martinet/apparmor
    [ -f /etc/apparmor.d/abi/4.0 ] && have apparmor_parser ||
        { record "the AppArmor profile: no AppArmor 4 here (Debian 12 has version 3, which needs no profile)"; return 0; }
    apparmor_parser --skip-kernel-load --skip-cache "$text"
}

# dpkg installs, removes and purges the package in a temporary copy of this machine's root. systemd verifies the unit there.
installs() {
    have systemd-analyze || record "the systemd unit is not verified: no systemd-analyze here"
    as_root unshare --mount true 2>/dev/null || { record "the Debian package is not installed: this machine forbids namespaces"; return 0; }
    local deb=("$folder"/*.deb) said
    cat >"$work/install" <<'SCRIPT'
set -e
mount --make-rprivate /
mkdir "$1/copy"
mount -t tmpfs none "$1/copy"
mkdir "$1/copy/upper" "$1/copy/work" "$1/copy/tree"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/copy/upper,workdir=$1/copy/work" "$1/copy/tree" || exit 77
cp "$2" "$1/copy/tree/martinet.deb"
mount -t proc none "$1/copy/tree/proc"
chroot "$1/copy/tree" sh -ec '
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    dpkg --install /martinet.deb
    test "$(/usr/bin/martinet --version)" = "martinet $1"
    if [ -f /etc/apparmor.d/abi/4.0 ]; then test -f /etc/apparmor.d/martinet; else ! test -e /etc/apparmor.d/martinet; fi
    if command -v systemd-analyze >/dev/null; then
        said=$(systemd-analyze verify --man=no martinet.service 2>&1)
        test -z "$said" || { echo "$said"; exit 1; }
    fi
    dpkg --remove martinet
    ! test -e /usr/bin/martinet
    test -f /etc/default/martinet
    dpkg --purge martinet
    ! test -e /etc/default/martinet
    ! test -e /etc/apparmor.d/martinet
' sh "$3"
SCRIPT
    local status=0
    said=$(as_root unshare --mount bash "$work/install" "$work" "${deb[0]}" "$version" 2>&1) || status=$?
    case $status in
        0) ;;
        77) record "the Debian package is not installed: this machine forbids overlays" ;;
        *) printf '%s\n' "$said" >&2; exit 1 ;;
    esac
}

required() { [ "${MARTINET_FOREIGN:-}" != required ] || exit 1; }

program=target/static/martinet
bash scripts/static.sh "$profile" "$(dirname "$program")"
is "the static program" "$("$program" --version)" "martinet $version"
archive
wheel
npm_packages
debian_package
echo "packages: $(cd "$folder" && du -h --apparent-size -- * | awk '{ printf "%s%s %s", sep, $2, $1; sep = ", " }')"
