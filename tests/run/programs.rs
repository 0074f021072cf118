//! Unmodified programs that look MX records up with their own resolvers: Node (c-ares), Go (its own), Java (JNDI).
//! Python is in the other tests.

use std::path::PathBuf;
use std::process::Command;

use super::{callers, check, skipped};

const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

/// Sends from an address with a PTR name, and from one without.
fn sends_by_mx(command: &[&str]) {
    for caller in callers(command[0]) {
        for (scenario, code, part) in [
            ("one-to-one", 0, "accepted at eod"),
            ("no-ptr", 1, "rejected"),
        ] {
            let run = [
                "--scenario",
                scenario,
                "--receiver",
                "fcrdns",
                "--expect",
                "times=1",
                "--",
            ];
            let to = ["postmaster@contoso.test", "mail.example.test"];
            let text = check(
                caller,
                &[&run[..], command, &to].concat(),
                code,
                &[part, "1 met, 0 not"],
            );
            assert!(
                text.contains("(socket), saying mail.example.test"),
                "{text}"
            );
        }
    }
}

fn present(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok()
        && Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .is_ok_and(|found| found.status.success());
    if !found {
        skipped::skip(&format!("run, sending by MX: there is no {program}"));
    }
    found
}

#[test]
fn node_sends_by_mx() {
    if present("node") {
        sends_by_mx(&["node", &format!("{FOREIGN}/mx_sender.mjs")]);
    }
}

#[test]
fn java_sends_by_mx() {
    if present("java") {
        sends_by_mx(&["java", &format!("{FOREIGN}/MxSender.java")]);
    }
}

#[test]
fn go_sends_by_mx() {
    if !present("go") {
        return;
    }
    let program: PathBuf =
        std::env::temp_dir().join(format!("martinet-mx-sender-{}", std::process::id()));
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(format!("{FOREIGN}/mx_sender.go"))
        .status();
    assert!(built.expect("go runs").success());
    sends_by_mx(&[program.to_str().expect("text")]);
    std::fs::remove_file(&program).expect("removed");
}
