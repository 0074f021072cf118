//! `--verify`, `--expect` and `--source random`.

use super::{SENDER, callers, check, python};

const BRANDED: [&str; 4] = [
    "--scenario",
    "exchange2003-branding",
    "--receiver",
    "helo-equals-ptr",
];

/// Sends `count` messages one after the other, whatever their outcome.
fn sends(count: usize) -> String {
    format!(
        "for i in $(seq {count}); do python3 {SENDER} postmaster@contoso.test mail.branded.test; done; exit 0"
    )
}

#[test]
fn expectations_decide_the_exit_code() {
    if !python() {
        return;
    }
    let send = sends(1);
    for caller in callers("expectations") {
        let run = |options: &[&str], code, parts: &[&str]| {
            let command = ["--", "bash", "-c", &send];
            check(
                caller,
                &[&BRANDED[..], options, &command].concat(),
                code,
                parts,
            )
        };
        let rejected = "client=203.0.113.11 verdict=reject rule=helo-ptr-match times=1";
        let from_11 = ["--source", "203.0.113.11", "--expect", rejected];
        run(
            &from_11,
            0,
            &["met: expected sessions with client address 203.0.113.11"],
        );
        run(
            &["--expect", rejected],
            1,
            &["not met", "near miss", "1 expectation, 0 met, 1 not"],
        );
        run(
            &["--expect", "queries name=contoso.test type=MX"],
            0,
            &["1 met, 0 not"],
        );
        // The scenario expects two sessions of this receiver, and only one address sends.
        run(
            &["--verify"],
            1,
            &[
                "2 expectations, 1 met, 1 not",
                "answers 554 to 203.0.113.11",
            ],
        );
        let mistake = ["--expect", "client=203.0.113.11 verdct=reject"];
        run(&mistake, 2, &["did you mean \"verdict\"?"]);
        let lenient = [
            "--scenario",
            BRANDED[1],
            "--receiver",
            "lenient",
            "--verify",
        ];
        let command = ["--", "true"];
        check(
            caller,
            &[&lenient[..], &command].concat(),
            2,
            &["none in exchange2003-branding for lenient"],
        );
    }
}

#[test]
fn each_connection_has_a_random_source_by_its_seed() {
    if !python() {
        return;
    }
    let send = sends(6);
    for caller in callers("--source random") {
        let clients = |seed: &str| {
            let source = ["--source", seed, "--verify", "--", "bash", "-c", &send];
            let text = check(
                caller,
                &[&BRANDED[..], &source].concat(),
                0,
                &["seed 7, of 203.0.113.10-12", "2 met, 0 not"],
            );
            let clients = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("client "));
            let clients: Vec<_> = clients.map(str::to_owned).collect();
            assert_eq!(clients.len(), 6, "{text}");
            clients
        };
        let first = clients("random:7");
        assert_eq!(first, clients("random:7"));
        let mut different = first.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 1, "{first:?}");
        let send = format!("python3 {SENDER} postmaster@contoso.test mail.example.test");
        let v6 = [
            "--scenario",
            "ipv6-good",
            "--source",
            "random",
            "--",
            "bash",
            "-c",
            &send,
        ];
        check(caller, &v6, 0, &["source   random, seed ", "2001:db8"]);
    }
}
