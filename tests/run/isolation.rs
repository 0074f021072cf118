//! The machine has the same state while a command runs, and after many runs, as before.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use super::{Caller, SENDER, callers, check, python, run_by, running};

/// The network and mounts of the machine that a process here sees.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    /// Local addresses and ports of sockets that listen, and of connections.
    sockets: BTreeSet<String>,
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    routes: BTreeSet<String>,
}

impl Machine {
    fn observe() -> Self {
        let lines = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let words = |path: &str, word: usize| -> BTreeSet<String> {
            let text = lines(path);
            let nth = |line: &str| line.split_whitespace().nth(word).map(str::to_owned);
            text.lines().skip(1).filter_map(nth).collect()
        };
        let sockets = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"];
        let sockets = sockets
            .iter()
            .flat_map(|kind| words(&format!("/proc/net/{kind}"), 1));
        Self {
            // Other tests add some, too: only the addresses that martinet uses here, and port 25, are compared.
            sockets: sockets
                .filter(|at| at.ends_with(":0019") || at.ends_with(":0035"))
                .collect(),
            mounts: lines("/proc/self/mounts")
                .lines()
                .filter(|line| line.contains("martinet"))
                .map(str::to_owned)
                .collect(),
            interfaces: words("/proc/net/dev", 0),
            routes: lines("/proc/net/fib_trie")
                .lines()
                .map(|line| line.trim().to_owned())
                .collect(),
        }
    }
}

/// Files and directories of martinet that remain in the places for temporary files.
fn files() -> BTreeSet<std::path::PathBuf> {
    let places = [std::env::temp_dir(), "/run".into(), "/dev/shm".into()];
    let entries = places
        .into_iter()
        .filter_map(|place| std::fs::read_dir(place).ok())
        .flatten()
        .flatten();
    // The tests have files there, whose names start in the same way.
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("martinet."))
        .collect()
}

#[test]
fn a_hundred_runs_leave_nothing() {
    for caller in callers("a hundred runs") {
        let (machine, before) = (Machine::observe(), files());
        let mark = format!("martinet-hundred-{caller:?}");
        // Every run starts a daemon, and every third run is killed.
        let script = format!(
            "setsid bash -c 'exec -a {mark} sleep 302' >/dev/null 2>&1 & echo up; [ $0 = go ] || sleep 303"
        );
        for run in 0..100 {
            let killed = run % 3 == 0;
            let mut child = run_by(caller)
                .args([
                    "--http",
                    "off",
                    "--",
                    "bash",
                    "-c",
                    &script,
                    if killed { "stay" } else { "go" },
                ])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("martinet runs");
            let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
            out.read_line(&mut String::new()).expect("a line");
            if killed {
                child.kill().expect("a signal");
            }
            let ended = child.wait().expect("an end");
            assert!(killed || ended.success(), "{caller:?}, run {run}: {ended}");
            // The pipe is closed with the last process that has it.
            out.read_to_end(&mut Vec::new())
                .expect("the end of the pipe");
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while running(&mark) {
            assert!(
                std::time::Instant::now() < deadline,
                "{caller:?}: a daemon is left"
            );
            std::thread::yield_now();
        }
        assert_eq!(Machine::observe(), machine, "{caller:?}");
        assert_eq!(files(), before, "{caller:?}");
    }
}

/// The sockets of a process and its descendants in the machine's own network: protocol, local and remote address,
/// state. Other tests open sockets there at the same time, so only the sockets of these processes count.
fn sockets_outside(process: u32) -> BTreeSet<String> {
    let held = sockets_of(&family(process));
    let kinds = [
        "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6",
    ];
    let mut found = BTreeSet::new();
    for kind in kinds {
        let table = std::fs::read_to_string(format!("/proc/net/{kind}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            if held.contains(words[9]) {
                found.insert(format!("{kind} {} {} {}", words[1], words[2], words[3]));
            }
        }
    }
    let packets = std::fs::read_to_string("/proc/net/packet").unwrap_or_default();
    for line in packets.lines().skip(1) {
        let inode = line.split_whitespace().next_back().expect("an inode");
        if held.contains(inode) {
            found.insert(format!("packet {line}"));
        }
    }
    found
}

/// A process and its descendants.
fn family(process: u32) -> BTreeSet<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let parents: Vec<(u32, u32)> = processes
        .filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name, in parentheses, can contain anything; the state and the parent follow it.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
            let process = entry.file_name().to_string_lossy().parse().ok()?;
            Some((process, parent.parse().ok()?))
        })
        .collect();
    let mut family = BTreeSet::from([process]);
    loop {
        let children = parents
            .iter()
            .filter(|(_, parent)| family.contains(parent))
            .map(|(child, _)| *child);
        let larger: BTreeSet<u32> = family.iter().copied().chain(children).collect();
        if larger.len() == family.len() {
            return family;
        }
        family = larger;
    }
}

/// The inodes of all sockets that processes hold.
fn sockets_of(processes: &BTreeSet<u32>) -> BTreeSet<String> {
    let files = processes
        .iter()
        .filter_map(|process| std::fs::read_dir(format!("/proc/{process}/fd")).ok())
        .flatten()
        .flatten();
    files
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter_map(|target| {
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']');
            inode.map(str::to_owned)
        })
        .collect()
}

/// The listener of the page is the only socket, of any protocol, that martinet, the command and its children have in
/// the machine's network, while the command sends and listens.
#[test]
fn the_page_is_the_only_socket_outside() {
    const BOTH: &str = "import socket, subprocess, sys
kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)]
held = [socket.socket(*kind) for kind in kinds]
for one in held: one.bind(('', 0))
for one in held[:2]: one.listen()
subprocess.run([sys.executable] + sys.argv[1:], stdout=subprocess.DEVNULL)
print('sent', flush=True)
sys.stdin.readline()";
    if !python() {
        return;
    }
    // The search works: here it finds a socket of this process.
    let ours = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a socket");
    let port = ours.local_addr().expect("an address").port();
    let here = sockets_outside(std::process::id());
    let listening = |port: u16| format!("tcp 0100007F:{port:04X} 00000000:0000 0A");
    assert!(here.contains(&listening(port)), "{here:?}");
    for caller in callers("all sockets outside") {
        let mut child = run_by(caller)
            .args(["--scenario", "one-to-one", "--", "python3", "-c", BOTH])
            .args([SENDER, "postmaster@contoso.test", "mail.example.test"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("martinet runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("a line");
        assert_eq!(line, "sent\n");
        assert!(family(child.id()).len() > 2, "{caller:?}");
        let outside = sockets_outside(child.id());
        drop(child.stdin.take());
        let output = child.wait_with_output().expect("an end");
        let printed = String::from_utf8_lossy(&output.stderr);
        let page = printed.split_once("page     http://127.0.0.1:");
        let port = page.and_then(|(_, rest)| rest.split_once('/')?.0.parse().ok());
        let expected = BTreeSet::from([listening(port.expect("the page's port"))]);
        assert_eq!(outside, expected, "{caller:?}: {printed}");
        assert!(printed.contains("accepted at eod"), "{printed}");
    }
}

/// While a command sends, the machine has no socket on port 25 or 53 and no address of the scenario.
#[test]
fn nothing_listens_or_connects_outside() {
    if !python() {
        return;
    }
    for caller in callers("nothing outside") {
        let machine = Machine::observe();
        let script =
            format!("python3 {SENDER} postmaster@contoso.test mail.example.test; read wait");
        let mut child = run_by(caller)
            .args([
                "--http",
                "off",
                "--scenario",
                "one-to-one",
                "--",
                "bash",
                "-c",
                &script,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("martinet runs");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert_eq!(line, "accepted\n");
        assert_eq!(Machine::observe(), machine, "{caller:?}");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(b"\n")
            .expect("a line");
        assert!(child.wait().expect("an end").success());
    }
}

#[test]
fn the_code_of_a_command_that_a_signal_ends() {
    for caller in callers("signals") {
        for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139)] {
            check(
                caller,
                &["--", "sh", "-c", &format!("kill -{signal} $$")],
                code,
                &[],
            );
        }
        // An expectation that is not met decides, however the command ends.
        let unmet = [
            "--expect",
            "verdict=accept",
            "--",
            "sh",
            "-c",
            "kill -KILL $$",
        ];
        check(caller, &unmet, 1, &["0 met, 1 not"]);
    }
}

#[test]
fn without_a_command_there_is_a_shell() {
    for caller in callers("a shell") {
        let mut command = run_by(caller);
        command
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("martinet runs");
        let script = b"cat /etc/resolv.conf\nid -u\nexit 6\n";
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(script)
            .expect("a script");
        let output = child.wait_with_output().expect("an end");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(6), "{text}");
        let user = if caller == Caller::Root {
            "\n0\n"
        } else {
            "\n65534\n"
        };
        assert!(
            text.contains("nameserver 127.0.0.1") && text.contains(user),
            "{text}"
        );
    }
}

/// A closed terminal ends the command and everything with it, as a hang-up does.
#[test]
fn a_closed_terminal_ends_the_command() {
    if !python() {
        return;
    }
    const SCRIPT: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/foreign/closed_terminal.py"
    );
    for caller in callers("a closed terminal") {
        let mark = format!("martinet-terminal-{caller:?}");
        let command =
            format!("setsid bash -c 'exec -a {mark} sleep 308' & echo on the terminal; sleep 309");
        let mut run = std::process::Command::new("python3");
        if caller == Caller::Nobody {
            use std::os::unix::process::CommandExt;
            run.uid(super::NOBODY).gid(super::NOBODY);
        }
        let output = run
            .args([SCRIPT, "on the terminal"])
            .arg(super::program())
            .args(["run", "--http", "off", "--", "bash", "-c", &command])
            .current_dir("/")
            .output()
            .expect("python runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "code 129\n",
            "{caller:?}: {output:?}"
        );
        assert!(!running(&mark), "{caller:?}: a process is left");
    }
}

/// Exchanges that have only IPv6 addresses, and MX records in the text of a zone, are on port 25 like others.
#[test]
fn exchanges_by_ipv6_and_by_zone_text() {
    if !python() {
        return;
    }
    let file = std::env::temp_dir().join(format!("martinet-run-six-{}.toml", std::process::id()));
    std::fs::write(&file, SIX).expect("a file");
    let scenario = file.to_str().expect("text");
    for caller in callers("exchanges by IPv6") {
        for (recipient, expected) in [
            (
                "a@six.test",
                "client=2001:db8::10 receiver=lenient verdict=accept",
            ),
            (
                "a@zone.test",
                "client=192.0.2.10 receiver=fcrdns verdict=reject",
            ),
        ] {
            let run = [
                "--scenario",
                scenario,
                "--expect",
                expected,
                "--",
                "sh",
                "-c",
                "python3 $0 $1 mail.example.test; exit 0",
                SENDER,
                recipient,
            ];
            check(
                caller,
                &run,
                0,
                &["[2001:db8:25::25]:25", "192.0.2.77:25", "1 met, 0 not"],
            );
        }
    }
    std::fs::remove_file(&file).expect("removed");
}

const SIX: &str = r#"
title = "An exchange by IPv6, and one of a zone's text"
receiver = "lenient"
[[domain]]
name = "six.test"
mx = { name = "mx.six.test", addresses = ["2001:db8:25::25"] }
[[domain]]
name = "zone.test"
receiver = "fcrdns"
[[zone]]
origin = "zone.test."
text = """
@ MX 10 mail
mail A 192.0.2.77
"""
[[pool]]
name = "sender"
addresses = ["192.0.2.10", "2001:db8::10"]
helo = "mail.example.test"
"#;

/// A session is printed in one write, so that output of the command does not mix with its lines. Each write to a
/// datagram socket is a separate message.
#[test]
fn a_session_is_printed_in_one_write() {
    if !python() {
        return;
    }
    for caller in callers("one write") {
        let (parent_end, child_end) = UnixDatagram::pair().expect("a pair of sockets");
        let mut command = run_by(caller);
        command
            .args(["--http", "off", "--scenario", "one-to-one", "--", "python3"])
            .args([SENDER, "postmaster@contoso.test", "wrong.test"])
            .stdout(Stdio::null())
            .stderr(Stdio::from(OwnedFd::from(child_end)));
        command.status().expect("martinet runs");
        drop(command);
        parent_end.set_nonblocking(true).expect("a socket");
        let mut octets = vec![0; 64 * 1024];
        let mut writes = Vec::new();
        while let Ok(length) = parent_end.recv(&mut octets) {
            if length == 0 {
                break;
            }
            writes.push(String::from_utf8_lossy(&octets[..length]).into_owned());
        }
        let whole = |text: &&String| {
            text.starts_with("\nsession 1: rejected at helo") && text.contains("  remedy   ")
        };
        assert_eq!(
            writes.iter().filter(whole).count(),
            1,
            "{caller:?}: {writes:#?}"
        );
    }
}
