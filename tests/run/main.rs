//! `martinet run`: a command in a sealed network, by root and by a user without privileges.

#![cfg(target_os = "linux")]

mod container;
mod expected;
mod isolation;
mod programs;
mod ranges;
#[path = "../skipped/mod.rs"]
mod skipped;
mod trust;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

const SENDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/mx_sender.py");
const OFFICE365: &str = "na01-bn1-obe.outbound.protection.outlook.com";
/// The user `nobody` of every Linux.
const NOBODY: u32 = 65_534;

/// The user that runs martinet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Root,
    Nobody,
}

fn run_by(caller: Caller) -> Command {
    let mut command = Command::new(program());
    if caller == Caller::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.arg("run").current_dir("/").stdin(Stdio::null());
    for name in ["SUDO_UID", "MARTINET_SCENARIO", "MARTINET_RECEIVER"] {
        command.env_remove(name);
    }
    command
}

/// A copy of the program that every user can execute; the directories above the target may be private.
fn program() -> &'static std::path::Path {
    use std::sync::OnceLock;
    static COPY: OnceLock<std::path::PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let path = std::env::temp_dir().join("martinet-run-test");
        // Tests in other processes copy the same program: each writes its own file and renames it.
        let own = path.with_extension(std::process::id().to_string());
        std::fs::copy(env!("CARGO_BIN_EXE_martinet"), &own).expect("a copy");
        std::fs::rename(&own, &path).expect("a rename");
        path
    })
}

/// The callers that can seal a network on this machine. A caller for which no program could do it is recorded as
/// skipped, with the reason that `--probe` gives.
fn callers(test: &str) -> Vec<Caller> {
    let root = nix::unistd::geteuid().is_root();
    let possible = |caller: &Caller| {
        if !root {
            crate::skipped::record(&format!(
                "run, {test}, by {caller:?}: the tests do not run as root"
            ));
            return false;
        }
        let probe = run_by(*caller)
            .arg("--probe")
            .output()
            .expect("martinet runs");
        let stderr = String::from_utf8_lossy(&probe.stderr);
        if !probe.status.success() {
            assert!(
                !a_network_can_be_made(*caller),
                "{test}, by {caller:?}: other programs can make a network here, martinet says {stderr}"
            );
            crate::skipped::record(&format!("run, {test}, by {caller:?}: {}", stderr.trim()));
        }
        probe.status.success()
    };
    [Caller::Root, Caller::Nobody]
        .into_iter()
        .filter(possible)
        .collect()
}

/// Whether util-linux and iproute2 can make a network and bring a device up in it, as `martinet run` does.
fn a_network_can_be_made(caller: Caller) -> bool {
    let mut command = Command::new("unshare");
    match caller {
        Caller::Root => command.arg("--net"),
        Caller::Nobody => command
            .uid(NOBODY)
            .gid(NOBODY)
            .args(["--map-root-user", "--net"]),
    };
    let made = command.args(["ip", "link", "set", "lo", "up"]).output();
    made.is_ok_and(|output| output.status.success())
}

fn output(caller: Caller, arguments: &[&str]) -> Output {
    run_by(caller)
        .args(arguments)
        .output()
        .expect("martinet runs")
}

#[track_caller]
fn check(caller: Caller, arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = output(caller, arguments);
    ended(&format!("{caller:?} {arguments:?}"), &output, code, parts)
}

/// Requires the exit code, and these parts in the output; returns the output.
#[track_caller]
fn ended(what: &str, output: &Output, code: i32, parts: &[&str]) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{what}\n{text}");
    assert!(!text.contains("panicked"), "{what}\n{text}");
    for part in parts {
        assert!(text.contains(part), "{what}: no {part:?} in\n{text}");
    }
    text
}

/// Whether Python is installed for the sender; if not, the test is skipped, or fails where foreign programs are
/// required.
fn python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        skipped::skip("run, sending by MX: there is no python3");
    }
    found
}

#[test]
fn a_sender_that_looks_up_mx_reaches_the_receiver() {
    if !python() {
        return;
    }
    for caller in callers("sending by MX") {
        let fcrdns = [
            "--scenario",
            "office365",
            "--receiver",
            "fcrdns",
            "--",
            "python3",
            SENDER,
        ];
        let to = ["postmaster@contoso.test", OFFICE365];
        check(
            caller,
            &[&fcrdns[..], &to].concat(),
            0,
            &["accepted", "207.46.163.149", "198.51.100.25:25"],
        );
        // An address in the same range for which the scenario has no names.
        check(
            caller,
            &[&fcrdns[..], &to, &["207.46.163.7"]].concat(),
            1,
            &["550", "207.46.163.7", "rejected"],
        );
        check(
            caller,
            &[&["--source", "207.46.163.155"], &fcrdns[..], &to].concat(),
            0,
            &["accepted", "207.46.163.155"],
        );
    }
}

/// Each recipient domain has its own receiver on port 25 of its own address.
#[test]
fn mail_for_each_domain_reaches_its_own_receiver() {
    if !python() {
        return;
    }
    let directory = std::env::temp_dir();
    let file = directory.join(format!("martinet-run-domains-{}.toml", std::process::id()));
    std::fs::write(&file, DOMAINS).expect("a file");
    let scenario = file.to_str().expect("text");
    for caller in callers("receivers of domains") {
        let send = |to: &str, code, parts: &[&str]| {
            let arguments = ["--scenario", scenario, "--", "python3", SENDER, to];
            check(
                caller,
                &[&arguments[..], &["other.test"]].concat(),
                code,
                parts,
            )
        };
        let text = send("a@plain.test", 0, &["accepted", "lenient"]);
        assert!(text.contains("nothing listens at 192.0.2.25"), "{text}");
        send("a@strict.test", 1, &["rejected", "helo-equals-ptr"]);
        send("a@dead.test", 1, &["refused"]);
    }
    std::fs::remove_file(&file).expect("removed");
}

const DOMAINS: &str = r#"
title = "Two receivers and a dead exchange"
receiver = "lenient"
[[domain]]
name = "plain.test"
[[domain]]
name = "strict.test"
receiver = "helo-equals-ptr"
[[domain]]
name = "dead.test"
mx = { name = "mx.dead.test", dead = true, addresses = ["192.0.2.25"] }
[[pool]]
name = "sender"
addresses = ["203.0.113.7"]
ptr = "mail.example.test."
helo = "mail.example.test"
"#;

/// martinet is the only nameserver: like a resolver, it answers NXDOMAIN for a name in no zone, unless the scenario has
/// another setting.
#[test]
fn names_outside_do_not_exist() {
    if Command::new("dig").arg("-v").output().is_err() {
        return skipped::skip("run, names outside: there is no dig");
    }
    let file =
        std::env::temp_dir().join(format!("martinet-run-outside-{}.toml", std::process::id()));
    let text = "title = \"REFUSED is said\"\n[dns]\noutside = \"refused\"\n[[domain]]\nname = \"contoso.test\"\n";
    std::fs::write(&file, text).expect("a file");
    let refusing = file.to_str().expect("text");
    for caller in callers("names outside") {
        for (scenario, status) in [("one-to-one", "NXDOMAIN"), (refusing, "REFUSED")] {
            let dig = [
                "--scenario",
                scenario,
                "--",
                "dig",
                "www.unknown.example",
                "MX",
            ];
            check(caller, &dig, 0, &[&format!("status: {status}")]);
        }
    }
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn ipv6_clients_send_by_ipv6() {
    if !python() {
        return;
    }
    for caller in callers("IPv6") {
        let arguments = ["--scenario", "ipv6-no-ptr", "--", "python3", SENDER];
        let to = ["postmaster@contoso.test", "mail.example.test"];
        check(
            caller,
            &[&arguments[..], &to].concat(),
            1,
            &["rejected", "2001:db8"],
        );
    }
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    for caller in callers("exit codes") {
        check(caller, &["--", "true"], 0, &[]);
        check(caller, &["--", "sh", "-c", "exit 7"], 7, &[]);
        check(caller, &["--", "sh", "-c", "kill -9 $$"], 137, &[]);
        check(
            caller,
            &["--", "/nonexistent/mta"],
            127,
            &["cannot run /nonexistent/mta"],
        );
        check(caller, &["--scenario", "nope", "--", "true"], 2, &["nope"]);
    }
}

#[test]
fn the_command_has_its_own_files_and_variables() {
    for caller in callers("files and variables") {
        let script = "cat /etc/resolv.conf; hostname; id -u; echo $MARTINET $MARTINET_SMTP $RES_OPTIONS; \
                      grep ^hosts: /etc/nsswitch.conf; ls -d /proc/[0-9]* | wc -l; cat /proc/net/dev | grep -c :";
        let user = if caller == Caller::Root {
            "\n0\n"
        } else {
            "\n65534\n"
        };
        let text = check(
            caller,
            &["--scenario", "office365", "--", "sh", "-c", script],
            0,
            &[
                "nameserver 127.0.0.1",
                OFFICE365,
                user,
                "http://127.0.0.1:8025 198.51.100.25:25 edns0 trust-ad",
            ],
        );
        // Loopback is the only device, except those that the kernel makes in each network.
        assert!(!text.contains("eth0"), "{text}");
    }
    if callers("another user").contains(&Caller::Root) {
        check(
            Caller::Root,
            &["--user", "nobody", "--", "id", "-u"],
            0,
            &["65534\n"],
        );
    }
}

#[test]
fn nothing_leaves_the_network_and_no_process_remains() {
    if !python() {
        return;
    }
    for caller in callers("nothing leaves and nothing is left") {
        let script = "python3 -c 'import socket; s = socket.socket(); s.settimeout(5); s.connect((\"203.0.113.77\", 53))' \
                      || echo sealed";
        check(
            caller,
            &["--", "sh", "-c", script],
            0,
            &["sealed", "unreachable"],
        );
        // A daemon that has left the session of the command ends with the command.
        let mark = format!("martinet-left-{caller:?}");
        let daemon = format!(
            "read up < <(setsid bash -c 'echo up; exec -a {mark} sleep 301 >/dev/null'); exit 3"
        );
        check(caller, &["--", "bash", "-c", &daemon], 3, &[]);
        assert!(!running(&mark), "{caller:?}: a process is left");
    }
    nothing_on_the_machine();
}

/// The machine has no mount, listener or address of a sealed network.
#[track_caller]
fn nothing_on_the_machine() {
    let read = |path: &str| std::fs::read_to_string(path).expect(path);
    assert!(
        !read("/proc/self/mounts")
            .lines()
            .any(|line| line.starts_with("martinet "))
    );
    // 198.51.100.25:25, as the kernel of a little-endian machine prints it.
    assert!(!read("/proc/net/tcp").contains("196433C6:0019"));
    assert!(!read("/proc/net/fib_trie").contains("192.0.2.10\n"));
}

fn running(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
            && process.file_name() != *std::process::id().to_string()
    })
}

#[test]
fn the_page_is_outside_and_signals_arrive() {
    use std::io::{BufRead, BufReader, Read, Write};
    for caller in callers("page and signals") {
        let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";
        let mut child = run_by(caller)
            .args(["--", "sh", "-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("martinet runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        let mut page = None;
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        while page.is_none() {
            let mut line = String::new();
            assert_ne!(errors.read_line(&mut line).expect("a line"), 0, "no page");
            let found = line
                .split_once("http://")
                .and_then(|(_, rest)| rest.split_once('/'));
            page = found.map(|(address, _)| address.to_owned());
        }
        let address = page.expect("the page");
        let mut stream = std::net::TcpStream::connect(&address).expect("the page answers");
        let request =
            format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        nothing_on_the_machine();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
        assert_eq!(child.wait().expect("an end").code(), Some(9), "{caller:?}");
    }
}

#[test]
fn a_killed_martinet_takes_the_command_with_it() {
    use std::io::{BufRead, BufReader, Read};
    for caller in callers("kill -9") {
        let mut child = run_by(caller)
            .args(["--http", "off", "--", "sh", "-c", "echo ready; sleep 300"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("martinet runs");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut String::new()).expect("a line");
        child.kill().expect("a signal");
        child.wait().expect("an end");
        // The pipe is closed when the last process of the command has ended.
        out.read_to_end(&mut Vec::new())
            .expect("the end of the pipe");
    }
}

#[test]
fn the_probe_names_the_tier() {
    for caller in callers("--probe") {
        let tier = if caller == Caller::Root {
            "root: "
        } else {
            "user-namespace: "
        };
        check(caller, &["--probe"], 0, &[tier]);
    }
}
