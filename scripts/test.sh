#!/usr/bin/env bash
# Checks formatting, lints, documentation and licences, and runs all tests, with foreign clients and a running server.
#
# Installs the foreign clients with apt if possible, and otherwise prints that it cannot: then their tests are
# skipped, and the end of the output lists the skips with reasons. With CI=true a missing client is a failure.
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
    have curl || missing+=(curl)
    have msmtp || missing+=(msmtp)
    have haproxy || missing+=(haproxy)
    have node || missing+=(nodejs)
    have npm || missing+=(npm)
    perl -MNet::SSLeay -e1 2>/dev/null || missing+=(libnet-ssleay-perl)
    perl -MAuthen::SASL -e1 2>/dev/null || missing+=(libauthen-sasl-perl)
    perl -MSisimai -e1 2>/dev/null || missing+=(libsisimai-perl)
    # The dependencies of spamd, which is unpacked below. Without libmail-spf-perl it has no SPF.
    perl -MHTML::Parser -MNet::DNS -MNetAddr::IP -MHTTP::Date -MMail::SPF -e1 2>/dev/null ||
        missing+=(libhtml-parser-perl libnet-dns-perl libnetaddr-ip-perl libhttp-date-perl libmail-spf-perl)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    have javac || missing+=(default-jdk-headless)
    have c++ || missing+=(g++)
    have go || missing+=(golang-go)
    [ -f /usr/share/java/junit-platform-console.jar ] || missing+=(junit5)
    have buildah || missing+=(buildah)
    have podman || missing+=(podman)
    have crun || missing+=(crun)
    [ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
    have iptables || missing+=(iptables)
    have debootstrap || missing+=(debootstrap)
    have mount || missing+=(mount)
    have unshare && have setpriv || missing+=(util-linux)
    have newuidmap || missing+=(uidmap)
    have pgrep || missing+=(procps)
    have ip || missing+=(iproute2)
    have chromium || missing+=(chromium)
    have systemd-analyze || missing+=(systemd)
    have apparmor_parser || missing+=(apparmor)
    if [ ${#missing[@]} -gt 0 ]; then
        as_root apt-get -qq update && as_root apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
    fi
    unpack_servers
    [ -d "$foreign/node/node_modules/nodemailer" ] || npm install --prefix "$foreign/node" --silent --no-audit --no-fund nodemailer@7
    # Haraka 3.3 needs Node 20, and Debian 12 has Node 18: npm has newer ones.
    if [ ! -d "$foreign/haraka/node_modules/Haraka" ]; then
        local node=()
        node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || node=(node@20)
        npm install --prefix "$foreign/haraka" --silent --no-audit --no-fund Haraka@~3.3.4 "${node[@]}"
    fi
}

# Mail servers conflict as packages, and they, NSD, Knot and Unbound would start as system services: they are unpacked,
# not installed. dnsperf is for benches/dns.sh.
unpack_servers() {
    [ -x "$foreign/usr/lib/postfix/sbin/master" ] || unpack postfix
    # Each mail server has a program `sendmail`, and the last one unpacked overwrites it: Postfix's is copied to another name.
    [ -x "$foreign/usr/lib/postfix/sendmail" ] || { unpack postfix && cp -p "$foreign/usr/sbin/sendmail" "$foreign/usr/lib/postfix/"; }
    [ -x "$foreign/usr/sbin/exim4" ] || unpack exim4-daemon-light
    [ -x "$foreign/usr/sbin/smtpd" ] || unpack opensmtpd
    [ -x "$foreign/usr/libexec/sendmail/sendmail" ] || unpack sendmail-bin sendmail-base sendmail-cf m4
    [ -x "$foreign/usr/sbin/nsd" ] || unpack nsd
    [ -x "$foreign/usr/sbin/knotd" ] || unpack knot
    [ -x "$foreign/usr/sbin/unbound" ] || unpack unbound
    [ -x "$foreign/usr/bin/dnsperf" ] || unpack dnsperf
    [ -x "$foreign/usr/bin/rspamd" ] || unpack rspamd
    [ -f "$foreign/usr/sbin/spamd" ] || unpack spamassassin spamd
    unpack_libraries
}

# Unpacks packages below $foreign.
unpack() {
    mkdir -p "$foreign"
    (cd "$foreign" && { apt-get -qq download "$@" 2>/dev/null || { as_root apt-get -qq update && apt-get -qq download "$@"; }; })
    for package in "$foreign"/*.deb; do
        dpkg -x "$package" "$foreign"
    done
    rm -f "$foreign"/*.deb
}

# The libraries that the unpacked programs need and this machine lacks: installed, or unpacked with the programs if that fails.
unpack_libraries() {
    local lacking
    lacking=$(lacking_libraries)
    [ -z "$lacking" ] && return 0
    local packages
    mapfile -t packages < <(libraries_of postfix exim4-daemon-light opensmtpd sendmail-bin nsd knot unbound dnsperf rspamd)
    mapfile -t packages < <({ printf '%s\n' "${packages[@]}"; libraries_of "${packages[@]}"; } | sort -u)
    echo "the unpacked programs lack ${lacking//$'\n'/ }: getting ${packages[*]}"
    as_root apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null || unpack "${packages[@]}"
}

# The library packages among the dependencies of packages.
libraries_of() {
    apt-cache depends "$@" | awk '/^ *Depends: lib/ && $2 !~ /^libc6|^libc-|^libgcc|^libjs-/ { print $2 }' | sort -u
}

# The names of missing shared libraries.
lacking_libraries() {
    LD_LIBRARY_PATH="$PWD/$foreign/usr/lib/postfix:$PWD/$foreign/usr/lib/rspamd:$PWD/$foreign/usr/lib/$(uname -m)-linux-gnu:$PWD/$foreign/lib/$(uname -m)-linux-gnu" \
        ldd "$foreign"/usr/sbin/{smtp-source,exim4,smtpd,nsd,knotd,unbound} "$foreign"/usr/libexec/sendmail/sendmail "$foreign"/usr/lib/postfix/sbin/{master,smtpd,cleanup} \
        "$foreign"/usr/bin/{dnsperf,rspamd} |
        awk '/not found/ { print $1 }' | sort -u
}

export MARTINET_SKIPS=$PWD/target/skipped
mkdir -p target && : >"$MARTINET_SKIPS"
summary() {
    step "skipped"
    if [ -s "$MARTINET_SKIPS" ]; then sort -u "$MARTINET_SKIPS"; else echo "nothing"; fi
}
trap summary EXIT

# The test with 10,000 connections needs this many descriptors in the server and in the test.
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 16384 ] || ulimit -n 16384 || true

step "foreign clients"
if have apt-get; then
    install_clients || echo "not everything could be installed: the tests of what is missing will say so"
else
    echo "no apt-get here: the tests of foreign clients that are missing will be skipped"
fi
if ! have smtp-source && [ -x "$foreign/usr/sbin/smtp-source" ]; then
    export MARTINET_SMTP_SOURCE="$PWD/$foreign/usr/sbin/smtp-source"
    export LD_LIBRARY_PATH="$PWD/$foreign/usr/lib/postfix:$PWD/$foreign/usr/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
[ "${CI:-}" = true ] && export MARTINET_FOREIGN=required
# A thousand worlds take about a minute, and another minute with the scoring programs.
[ "${CI:-}" = true ] && export MARTINET_WORLDS="${MARTINET_WORLDS:-1000}"

step "formatting"
cargo fmt --check

step "lints"
cargo clippy --quiet --all-targets -- -D warnings

step "features apart"
for features in "" cram-md5 dkim find http journal-file proxy tls fuzzing; do
    cargo clippy --quiet --lib --no-default-features --features "$features" -- -D warnings
done

# The same target directory, so that the dependencies are checked once.
step "fuzz targets"
if have c++; then
    cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target
elif [ "${CI:-}" = true ]; then
    echo "a C++ compiler is required here, for libFuzzer" >&2 && exit 1
else
    echo "the fuzz targets: no C++ compiler here" >>"$MARTINET_SKIPS"
fi

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps

step "structure and licences"
if have python3; then
    python3 scripts/structure.py
    cargo metadata --format-version 1 --quiet | python3 scripts/licences.py
    cargo metadata --format-version 1 --quiet | python3 scripts/oldest_rust.py
elif [ "${CI:-}" = true ]; then
    echo "python3 is required here" >&2 && exit 1
else
    echo "the structure of the code and the licences of dependencies: no python3 here" >>"$MARTINET_SKIPS"
fi

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run
    cargo nextest run --lib --no-default-features
    cargo test --quiet --doc
else
    cargo test
    cargo test --quiet --lib --no-default-features
fi

step "HTTP: foreign clients, the README's snippets, the API's description"
bash scripts/foreign-http.sh

step "clients of other languages"
bash scripts/clients.sh

step "the container image"
bash scripts/image.sh

step "packages"
bash scripts/packages.sh

step "what docs/ci.md says"
bash scripts/distribution.sh

step "the page in a browser"
bash scripts/page.sh

step "done"
