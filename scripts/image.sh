#!/usr/bin/env bash
# Builds the container image with buildah and tests it with podman, in new network and mount namespaces: the image's
# metadata, its user, a read-only root, health, an SMTP session from another container, worlds, a journal, SIGTERM.
#
#   scripts/image.sh [PROGRAM]
#
# PROGRAM is statically linked (scripts/static.sh); the default is a static debug build. MARTINET_IMAGE_OCTETS limits the compressed
# size of the image. No registry is used: PROGRAM replaces the stage of the Dockerfile that compiles. A missing program is a printed
# skip; with MARTINET_FOREIGN=required, a failure. If the machine forbids namespaces, that is always a printed skip.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/skips.sh

# The crate for testcontainers, which has separate dependencies.
rust_testcontainers() {
    CARGO_TARGET_DIR=$PWD/target/testcontainers cargo test --quiet --locked --manifest-path examples/testcontainers/Cargo.toml "$@"
}

# A root file system with the packages of docker/postfix/Dockerfile, which a registry of images would supply.
debian_with_postfix() {
    local root
    root=$(as_root mktemp -d)
    as_root debootstrap --variant=minbase --include=postfix bookworm "$root" >/dev/null && as_root chmod 755 "$root" &&
        as_root tar -C "$root" --exclude=./var/cache/apt/archives --exclude=./dev -cf "$1.part" . && mv "$1.part" "$1"
    local made=$?
    as_root rm -rf "$root"
    return $made
}

# The programs for the tests of the testcontainers modules.
install() {
    local home=target/foreign
    if [ -x "$home/python/bin/pip" ] && ! "$home/python/bin/python" -c 'import testcontainers' 2>/dev/null; then
        "$home/python/bin/pip" install --quiet 'testcontainers>=4.15,<5' || echo "pip could not install testcontainers"
    fi
    if [ -x "$home/python/bin/pip" ] && [ ! -x "$home/python/bin/podman-compose" ]; then
        "$home/python/bin/pip" install --quiet 'podman-compose>=1.6,<2' || echo "pip could not install podman-compose"
    fi
    if have npm && [ ! -d "$home/node/node_modules/testcontainers" ]; then
        npm install --prefix "$home/node" --silent --no-audit --no-fund testcontainers@10 || echo "npm could not install testcontainers"
    fi
    if have debootstrap && [ ! -f "$home/debian-postfix.tar" ]; then
        debian_with_postfix "$PWD/$home/debian-postfix.tar" || echo "debootstrap could not make a Debian with Postfix"
    fi
    rust_testcontainers --no-run || echo "cargo could not build examples/testcontainers"
}

program=${1:-target/static/martinet}
if [ "${MARTINET_INSIDE:-}" != yes ]; then
    have buildah && have podman && have crun || skip "the container image: no buildah, podman or crun here"
    have ip && have unshare && have curl || skip "the container image: no ip, unshare or curl here"
    as_root unshare --mount --net true 2>/dev/null || forbidden "the container image: this machine forbids namespaces"
    [ $# -gt 0 ] || bash scripts/static.sh dev target/static
    install
    work=$(mktemp -d)
    # Mounts and processes of podman are in the namespaces, and end with them.
    trap 'as_root rm -rf "$work"' EXIT
    as_root env MARTINET_INSIDE=yes MARTINET_SKIPS="${MARTINET_SKIPS:-}" \
        ${MARTINET_IMAGE_OCTETS:+"MARTINET_IMAGE_OCTETS=$MARTINET_IMAGE_OCTETS"} unshare --mount --net --pid --fork --kill-child --mount-proc \
        bash "$0" "$program" "$work"
    exit
fi

work=$2
address=192.0.2.25
client=192.0.2.10

# podman without systemd, in cgroups without delegation.
configure() {
    mount --make-rprivate /
    if mountpoint -q /sys/fs/cgroup && [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
        umount -R -l /sys/fs/cgroup
        mount -t cgroup2 none /sys/fs/cgroup || forbidden "the container image: this machine forbids cgroup2"
    fi
    mkdir -p "$work/run" /var/lib/cni
    # The bridge plugin stores the assigned addresses there, including those of containers that ended with their namespaces.
    mount -t tmpfs none /var/lib/cni
    cat >"$work/containers.conf" <<CONFIGURATION
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "$work/run/libpod"
[network]
network_config_dir = "$work/networks"
CONFIGURATION
    cat >"$work/storage.conf" <<CONFIGURATION
[storage]
driver = "vfs"
runroot = "$work/run/storage"
graphroot = "$work/storage"
CONFIGURATION
    export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
}

# Two network namespaces with a veth pair between them: the addresses of docker/scenarios/sender.toml.
connect() {
    ip link set lo up
    mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs none /run/netns; }
    for name in server sender; do
        ip netns add "$name"
        ip -n "$name" link set lo up
    done
    ip link add cable netns server type veth peer name cable netns sender
    ip -n server address add "$address/24" dev cable
    ip -n sender address add "$client/24" dev cable
    ip -n server link set cable up
    ip -n sender link set cable up
}

# The last stage of the Dockerfile, with the program at the path to which the first stage writes it.
build() {
    mkdir -p "$work/build/martinet/target/static" "$work/build/empty"
    cp "$program" "$work/build/martinet/target/static/martinet"
    sed -n '/^FROM scratch/,$p' Dockerfile >"$work/Containerfile"
    buildah bud --quiet --isolation chroot --format docker --layers=false --build-context "build=$work/build" \
        --build-arg VERSION=0.0.0-test --build-arg REVISION=test --tag martinet --file "$work/Containerfile" "$work/build" >/dev/null
}

# Without systemd, podman reports for each container that the health check has no timer.
podman() { command podman --log-level fatal "$@"; }
is() { [ "$2" = "$3" ] || { echo "$1: expected $3, found $2" >&2; exit 1; }; }
shows() { printf '%s' "$2" | grep -qF -- "$3" || { printf '%s: expected %s, found:\n%s\n' "$1" "$3" "$2" >&2; exit 1; }; }
inspect() { podman inspect --format "$2" "$1"; }
# Runs the image in the network of the server or of the sender, with a read-only root.
run() { local place=$1; shift; podman run --quiet --network "ns:/run/netns/$place" --read-only --read-only-tmpfs=false --cap-drop all \
    --security-opt no-new-privileges "$@"; }
api() { ip netns exec sender curl -fsS --noproxy '*' "http://$address:8025/api/v1/$1" "${@:2}"; }

describes_itself() {
    is "user" "$(inspect martinet '{{.Config.User}}')" 65532:65532
    is "entry point" "$(inspect martinet '{{join .Config.Entrypoint " "}} {{join .Config.Cmd " "}}')" "/martinet serve"
    is "signal" "$(inspect martinet '{{.Config.StopSignal}}')" SIGTERM
    is "version" "$(inspect martinet '{{index .Config.Labels "org.opencontainers.image.version"}}')" 0.0.0-test
    is "revision" "$(inspect martinet '{{index .Config.Labels "org.opencontainers.image.revision"}}')" test
    is "licence" "$(inspect martinet '{{index .Config.Labels "org.opencontainers.image.licenses"}}')" "MIT OR Apache-2.0"
    shows "health check" "$(podman image inspect martinet | tr -d ' \n')" '"Test":["CMD","/martinet","readyz"]'
    shows "volumes" "$(inspect martinet '{{json .Config.Volumes}}')" '"/scenarios"'
    shows "ports" "$(inspect martinet '{{json .Config.ExposedPorts}}')" '"1053/udp"'
    podman save --quiet martinet | tar -xO --wildcards '*.tar' 2>/dev/null | tar -t | sed 's,/$,,' | sort >"$work/files"
    is "files" "$(tr '\n' ' ' <"$work/files")" "journal martinet scenarios "
    local compressed
    compressed=$(gzip -9 -c "$program" | wc -c)
    echo "image: one program of $(stat -c %s "$program") octets, $compressed compressed"
    [ "$compressed" -le "${MARTINET_IMAGE_OCTETS:-$compressed}" ] || { echo "expected at most $MARTINET_IMAGE_OCTETS octets compressed"; exit 1; }
}

# The server of docker/compose.yaml. Ports below 1024 are permitted there by the same sysctl.
starts() {
    ip netns exec server sh -c 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start'
    run server --detach --name server --volume "$PWD/docker/scenarios:/scenarios:ro" --env MARTINET_SCENARIO=./sender.toml \
        --env "MARTINET_SMTP=$address:25" --env "MARTINET_DNS=$address:53" martinet >/dev/null
    run server --rm martinet readyz --wait --timeout 30s || { podman logs server; exit 1; }
    is "uid and gid" "$(awk '/^[UG]id:/ { printf "%s ", $2 }' "/proc/$(inspect server '{{.State.Pid}}')/status")" "65532 65532 "
    if nsenter --mount=/proc/self/ns/mnt test -e "$PWD/Dockerfile"; then
        podman healthcheck run server || { inspect server '{{json .State.Health}}'; podman logs server; exit 1; }
    else
        record "podman's health check: in a chroot, as here, podman exec does not find the files of a container"
    fi
    shows "the ready message" "$(podman logs server 2>&1)" "accessible via http://0.0.0.0:8025/"
}

judges_another_container() {
    local said
    if said=$(run sender --rm martinet send --smtp "$address:25" --helo wrong.test); then
        echo "EHLO wrong.test was accepted: $said" >&2
        exit 1
    fi
    shows "the dialogue" "$said" "554 5.7.1"
    run sender --rm martinet send --smtp "$address:25" --helo mail.example.test --to b@contoso.test >/dev/null
    shows "the refusal" "$(api 'wait?rule=helo-ptr-match&code=554&helo=wrong.test')" "\"client_address\":\"$client\""
    shows "the accepted message" "$(api 'wait/mail?recipient=b@contoso.test')" '"matched":true'
}

# A sender without another nameserver finds the mail exchanger: the address on which martinet listens.
answers_dns() {
    have dig || { echo "dig is not here: the answers of DNS are not looked at"; return; }
    is "MX" "$(ip netns exec sender dig +short "@$address" contoso.test MX)" "10 mx.contoso.test."
    is "A" "$(ip netns exec sender dig +short "@$address" mx.contoso.test A)" "$address"
    shows "outside" "$(ip netns exec sender dig "@$address" www.elsewhere.test A)" NXDOMAIN
}

makes_worlds() {
    local world port
    world=$(api worlds -X POST -H 'Content-Type: application/json' -d '{"scenario":"no-ptr","receiver":"fcrdns"}')
    port=$(printf '%s' "$world" | sed 's/.*"smtp_port":\([0-9]*\).*/\1/')
    shows "the address of a world" "$world" "\"smtp\":\"$address:$port\""
    [ "$port" -ge 20000 ] && [ "$port" -le 20999 ] || { echo "a world outside of the range: $world" >&2; exit 1; }
    if run sender --rm martinet send --smtp "$address:$port" >/dev/null; then
        echo "a client without a PTR record was accepted" >&2
        exit 1
    fi
}

stops() {
    podman stop --time 30 server >/dev/null
    is "exit code after SIGTERM" "$(inspect server '{{.State.ExitCode}}')" 0
    podman rm server >/dev/null
}

# The image's user writes a journal in a volume, and the next container loads it. The servers listen on 0.0.0.0, and the DNS has
# the address of the container for the exchange.
keeps_a_journal() {
    for run in first second; do
        run server --detach --name server --volume kept:/journal --env MARTINET_JOURNAL=/journal/martinet.db --env MARTINET_RECEIVER=lenient \
            martinet >/dev/null
        run server --rm martinet readyz --wait --timeout 30s || { podman logs server; exit 1; }
        ! have dig || is "A" "$(ip netns exec sender dig -p 1053 +short "@$address" mx.contoso.test A)" "$address"
        [ "$run" = second ] || run sender --rm martinet send --smtp "$address:1025" --to kept@contoso.test >/dev/null
        shows "the $run journal" "$(api 'mail?recipient=kept@contoso.test')" '"recipients":["kept@contoso.test"]'
        stops
    done
    podman volume rm kept >/dev/null
}

# docker/compose.yaml with podman-compose, with the image that was built. This script sets the order of the start, because without systemd podman does
# not report that a container is healthy. It requests the page at the container's address, because a published port does not answer
# with podman 4.3.
composes() {
    local compose=$PWD/target/foreign/python/bin/podman-compose page said
    { [ -x /usr/lib/cni/bridge ] && have iptables; } || { record "docker/compose.yaml: no CNI plugins or iptables here"; return 0; }
    [ -x "$compose" ] || { record "docker/compose.yaml: podman-compose is not installed"; return 0; }
    compose() { "$compose" --file docker/compose.yaml "$@" 2>"$work/composed" || { cat "$work/composed" >&2; return 1; }; }
    compose up --no-build --detach martinet >/dev/null
    page=$(inspect docker_martinet_1 '{{.NetworkSettings.Networks.docker_page.IPAddress}}')
    "$program" readyz --wait --http "$page:8025" || { podman logs docker_martinet_1; exit 1; }
    said=$(compose run --rm -T --no-deps sender)
    shows "the sender of docker/compose.yaml" "$said" "250 2.0.0 Ok"
    said=$(curl -fsS --noproxy '*' "http://$page:8025/api/v1/wait?verdict=accept&recipient=b@contoso.test")
    shows "its session" "$said" '"client_address":"192.0.2.10"'
    said=$(compose run --rm -T --no-deps sender send --smtp 192.0.2.25:25 --helo wrong.test 2>/dev/null || true)
    shows "a sender with another name" "$said" "554 5.7.1"
    compose down >/dev/null
    echo "docker/compose.yaml: podman-compose runs it, and the sender is judged by its own address"
}

# docker/compose.postfix.yaml. Its Dockerfile installs Postfix in Debian's image; here both come from debootstrap. Postfix gets the message from the
# command of its container, because podman exec does not work in a chroot.
composes_postfix() {
    local compose=$PWD/target/foreign/python/bin/podman-compose root=target/foreign/debian-postfix.tar page helo verdict session sender
    { [ -x /usr/lib/cni/bridge ] && have iptables; } || { record "docker/compose.postfix.yaml: no CNI plugins or iptables here"; return 0; }
    [ -x "$compose" ] || { record "docker/compose.postfix.yaml: podman-compose is not installed"; return 0; }
    [ -f "$root" ] || { record "docker/compose.postfix.yaml: debootstrap could not make a Debian with Postfix"; return 0; }
    podman import --quiet "$root" localhost/debian-postfix >/dev/null
    sed -e 's,^FROM .*,FROM localhost/debian-postfix,' -e '/^RUN/,/lists/d' docker/postfix/Dockerfile >"$work/Containerfile"
    buildah bud --quiet --isolation chroot --format docker --layers=false --tag docker_postfix --file "$work/Containerfile" docker/postfix >/dev/null
    compose() { "$compose" --file "$PWD/docker/compose.postfix.yaml" "$@" 2>"$work/composed" || { cat "$work/composed" >&2; return 1; }; }
    compose up --no-build --detach martinet >/dev/null
    page=$(inspect docker_martinet_1 '{{.NetworkSettings.Networks.docker_page.IPAddress}}')
    "$program" readyz --wait --http "$page:8025" || { podman logs docker_martinet_1; exit 1; }
    while read -r helo verdict; do
        POSTFIX_HELO=$helo compose run --rm -T --no-deps postfix \
            sh -c 'echo "Subject: x" | sendmail -f a@example.test b@contoso.test && exec start' >"$work/postfix.log" &
        sender=$!
        session=$(curl -fsS --noproxy '*' "http://$page:8025/api/v1/wait?verdict=$verdict&recipient=b@contoso.test&timeout_ms=30000") ||
            { cat "$work/postfix.log"; exit 1; }
        shows "the session of Postfix as $helo" "$session" '"client_address":"192.0.2.10"'
        shows "its HELO name" "$session" "\"helo\":\"$helo\""
        podman stop --latest >/dev/null
        wait "$sender" || true
    done <<<$'mail.example.test accept\nwrong.test reject'
    compose down >/dev/null
    echo "docker/compose.postfix.yaml: podman-compose runs it; Postfix is accepted, and with POSTFIX_HELO=wrong.test refused"
}

# The modules for testcontainers, with podman's service instead of Docker's. Published ports need the bridge plugin and iptables.
serves_testcontainers() {
    local python=$PWD/target/foreign/python/bin/python
    { [ -x /usr/lib/cni/bridge ] && have iptables; } || { record "testcontainers: no CNI plugins or iptables here"; return 0; }
    "$python" -c 'import testcontainers' 2>/dev/null || { record "testcontainers: not installed"; return 0; }
    export DOCKER_HOST=unix://$work/run/podman.sock TESTCONTAINERS_RYUK_DISABLED=true TC_HOST=127.0.0.1
    export TESTCONTAINERS_CONNECTION_MODE=docker_host
    podman system service --time 0 "$DOCKER_HOST" &
    local engine=$!
    until [ -S "$work/run/podman.sock" ]; do kill -0 "$engine"; done
    PYTHONPATH=$PWD/clients/python/python PYTHONDONTWRITEBYTECODE=1 timeout 120 "$python" tests/foreign/testcontainers_client.py
    if [ -d target/foreign/node/node_modules/testcontainers ]; then
        mkdir -p "$work/node/node_modules"
        cp -r clients/node "$work/node/node_modules/martinet"
        ln -s "$PWD/target/foreign/node/node_modules/testcontainers" "$work/node/node_modules/testcontainers"
        cp tests/foreign/testcontainers.mjs "$work/node/"
        (cd "$work/node" && timeout 120 node testcontainers.mjs)
    else
        record "testcontainers for Node: not installed"
    fi
    if have cargo && [ -d target/testcontainers ]; then
        MARTINET_IMAGE=localhost/martinet rust_testcontainers --offline --test container
        echo "testcontainers for Rust: refused by iprev"
    else
        record "testcontainers for Rust: no cargo, or not built"
    fi
    kill "$engine"
}

configure
connect
build
describes_itself
starts
judges_another_container
answers_dns
makes_worlds
stops
keeps_a_journal
composes
composes_postfix
serves_testcontainers
echo "image: builds, runs as 65532 with a read-only root, judges another container, stops"
