//! A container that cannot make namespaces, and has its own network.

use std::process::{Command, Output, Stdio};

use super::{Caller, SENDER, callers, ended, program, python};

/// Sets up what a container engine sets up, without CAP_SYS_ADMIN, and runs a script in it. `$martinet` is the program,
/// and /etc/resolv.conf names 192.0.2.53.
const CONTAINER: &str = r#"
set -e
ip link set lo up
mount -t sysfs none /sys
target=$(readlink -m /etc/resolv.conf)
mount -t tmpfs none /run
touch /run/.containerenv
[ -e "$target" ] || { mkdir -p "$(dirname "$target")" && touch "$target"; }
echo 'nameserver 192.0.2.53' >/run/names
mount --bind /run/names "$target"
exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin sh -eu -c "$1"
"#;

fn contained(script: &str) -> Output {
    Command::new("unshare")
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["sh", "-c", CONTAINER, "sh", script])
        .env("martinet", program())
        .env("sender", SENDER)
        .env_remove("SUDO_UID")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs")
}

#[track_caller]
fn check(script: &str, parts: &[&str]) -> String {
    ended(script, &contained(script), 0, parts)
}

fn possible() -> bool {
    python() && callers("a container").contains(&Caller::Root)
}

#[test]
fn a_container_uses_its_own_network() {
    if !possible() {
        return;
    }
    let probe = check(
        "$martinet run --probe; cat /etc/resolv.conf",
        &["container: ", "is not sealed"],
    );
    assert!(probe.contains("nameserver 192.0.2.53"), "{probe}");
    let send = "python3 $sender postmaster@contoso.test mail.example.test";
    let run = format!(
        "$martinet run --expect 'verdict=accept client=192.0.2.10' -- sh -c 'cat /etc/resolv.conf; {send}; exit 0'; cat /etc/resolv.conf"
    );
    let text = check(
        &run,
        &["not sealed", "nameserver 127.0.0.1", "1 met, 0 not"],
    );
    assert!(text.contains("accepted\nnameserver 192.0.2.53"), "{text}");
    let domains = format!(
        "$martinet run --scenario internet-2026 --expect 'receiver=gmail' -- {} || true",
        send.replace("contoso.test", "gmail.com")
    );
    check(&domains, &["127.0.25.", "gmail.com", "1 met, 0 not"]);
    // A nameserver of the container uses the port.
    let taken = r#"
        mkfifo /run/bound
        python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
open("/run/bound", "w").write("bound")
time.sleep(60)' &
        read -r word </run/bound || true
        $martinet run --probe || echo code $?
        cat /etc/resolv.conf
    "#;
    check(taken, &["127.0.0.1:53", "code 2", "nameserver 192.0.2.53"]);
    check(
        "$martinet run --source 192.0.2.10 -- true || [ $? = 2 ]",
        &["no --source in a container"],
    );
}

#[test]
fn resolv_conf_is_put_back_after_kill_9() {
    if !possible() {
        return;
    }
    let script = r#"
        mkfifo /run/fifo-up; exec 3<>/run/fifo-up
        $martinet run -- sh -c 'setsid sleep 304 & echo up >/run/fifo-up; sleep 305' &
        martinet_pid=$!
        read up <&3
        grep -q 127.0.0.1 /etc/resolv.conf
        kill -9 $martinet_pid
        for try in $(seq 100); do
            grep -q 192.0.2.53 /etc/resolv.conf && ! pgrep -x sleep >/dev/null && break
            sleep 0.05
        done
        cat /etc/resolv.conf
        pgrep -xa sleep || echo none is left
    "#;
    check(script, &["nameserver 192.0.2.53", "none is left"]);
}

/// The end by a signal restores the file, too, and ends daemons.
#[test]
fn resolv_conf_is_put_back_after_a_signal() {
    if !possible() {
        return;
    }
    let script = r#"
        mkfifo /run/up; exec 3<>/run/up
        $martinet run -- sh -c 'setsid sleep 306 & echo up >/run/up; exec sleep 307' &
        martinet_pid=$!
        read up <&3
        kill -TERM $martinet_pid
        wait $martinet_pid || echo code $?
        cat /etc/resolv.conf
        pgrep -xa sleep || echo none is left
    "#;
    check(
        script,
        &["code 143", "nameserver 192.0.2.53", "none is left"],
    );
}
