//! Limits and security: errors, sizes, recipients and timeouts of a session, a stop of the server, STARTTLS and AUTH.

use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::commands::BODY;
use crate::dialogue::{self, WAIT};
use crate::foreign::Foreign;
use crate::receivers::{self, Program};
use crate::worlds::{SOUND, World};
use crate::{compare, foreign, play_all};

#[test]
fn real_limits_agree() {
    foreign::agree_within_namespaces(
        "real mail servers at their limits",
        "limits::within_the_lab",
        || {
            let (here, missing) = receivers::here(receivers::LIMITED);
            (here.len(), missing)
        },
    );
}

/// The part of [`real_limits_agree`] that runs in the namespaces.
#[test]
#[ignore = "runs within the namespaces that real_limits_agree makes"]
fn within_the_lab() {
    foreign::run_in_the_lab(async |lab| {
        let mut report = compare::Report::default();
        for (programs, scripts) in [
            (receivers::LIMITED, limits()),
            (receivers::SECURED, security()),
        ] {
            report.add(agree(programs, scripts, lab).await);
        }
        println!("{report}");
        assert!(
            report.disagreements.is_empty(),
            "{} disagreements",
            report.disagreements.len()
        );
    });
}

/// Plays sessions of a correctly configured client with the programs and their profiles, and a last one during which
/// the receivers are stopped.
async fn agree(
    programs: [Program; 2],
    scripts: Vec<Vec<String>>,
    lab: &std::path::Path,
) -> compare::Report {
    let (programs, _) = receivers::here(programs);
    let real = receivers::real(&programs, lab).await;
    let scripts = scripts.into_iter().enumerate();
    let worlds: Vec<_> = scripts
        .map(|(number, commands)| World::sound(number, commands))
        .collect();
    let last = World::sound(worlds.len(), vec![format!("EHLO {SOUND}"), WAIT.to_owned()]);
    let receivers = receivers::start(&programs, &worlds).await;
    let mut report = play_all(worlds, receivers).await;
    report.add(stopped(&programs, last).await);
    drop(real);
    report
}

/// Plays a session that is idle when the receivers are stopped.
async fn stopped(programs: &[(Program, Foreign)], world: World) -> compare::Report {
    let receivers = receivers::start(programs, std::slice::from_ref(&world)).await;
    let dialogues = receivers.iter().flat_map(|receiver| {
        let addresses = [receiver.real(world.client), receiver.ours(world.client)];
        addresses.map(|address| dialogue::play(address, world.client, &world.commands))
    });
    let dialogues = futures_util::future::join_all(dialogues);
    let profiles: Vec<_> = receivers
        .iter()
        .map(|receiver| receiver.profile.clone())
        .collect();
    let stop = async {
        // The greeting and the reply to EHLO need no more than this; the client is then idle.
        tokio::time::sleep(IDLE).await;
        terminate_sessions();
        receivers::stop(receivers).await;
    };
    let (dialogues, ()) = tokio::join!(dialogues, stop);
    let mut report = compare::Report::default();
    for (profile, both) in profiles.iter().zip(dialogues.chunks(2)) {
        report.compare(&world, &profile.name, &both[0], &both[1]);
    }
    report
}

/// Sends SIGTERM to the processes with sessions, as a stopping master process does.
fn terminate_sessions() {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    for process in processes.flatten() {
        let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        let number = process.file_name().to_string_lossy().parse();
        if let (Ok(number), "smtpd" | "exim4") = (number, name.trim()) {
            let _ = signal::kill(Pid::from_raw(number), Signal::SIGTERM);
        }
    }
}

/// A session of these lines, after EHLO and before QUIT.
fn session(lines: &[&str]) -> Vec<String> {
    let hello = format!("EHLO {SOUND}");
    [&[hello.as_str()], lines, &["QUIT"]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// How long a session runs before the receivers are stopped.
const IDLE: Duration = Duration::from_secs(1);
const MAIL: &str = "MAIL FROM:<a@from.test>";
const RCPT: &str = "RCPT TO:<postmaster@contoso.test>";

/// A message, sent after 354.
fn body(text: &str) -> String {
    format!("{BODY}{text}\r\n.\r\n")
}

/// Sessions that reach a limit, with the commands after it.
fn limits() -> Vec<Vec<String>> {
    let long = |octets: usize| "x".repeat(octets);
    let message = |octets: usize| {
        format!(
            "Subject: a\r\n\r\n{}",
            format!("{}\r\n", long(78)).repeat(octets / 80)
        )
    };
    let large = message(6000);
    let chunk = format!("BDAT {} LAST\r\n{large}", large.len());
    let mut sessions = vec![
        session(&["FOO", "FOO", "FOO", "FOO", "NOOP"]),
        session(&[
            "MAIL FROM:<a@>",
            "MAIL FROM:<a@>",
            "MAIL FROM:<a@>",
            "MAIL FROM:<a@>",
            "NOOP",
        ]),
        session(&["DATA", "DATA", "FOO", "RCPT TO:<a@b.test>", "NOOP"]),
        session(&[
            "BDAT 0 LAST",
            "BDAT 0 LAST",
            "BDAT 0 LAST",
            "BDAT 0 LAST",
            "NOOP",
        ]),
        session(&[
            MAIL,
            RCPT,
            RCPT,
            RCPT,
            RCPT,
            "DATA",
            &body("Subject: a\r\n\r\nb"),
        ]),
        session(&[
            "MAIL FROM:<a@from.test> SIZE=4001",
            "MAIL FROM:<a@from.test> SIZE=4000",
            "RSET",
        ]),
        session(&[MAIL, RCPT, "DATA", &body(&large), "NOOP"]),
        session(&[MAIL, RCPT, &chunk, "NOOP"]),
        session(&[
            MAIL,
            RCPT,
            &chunk.replace(" LAST", ""),
            "BDAT 0 LAST",
            "RSET",
            MAIL,
        ]),
        session(&[WAIT]),
        session(&[MAIL, RCPT, WAIT]),
        session(&[MAIL, RCPT, "DATA", &format!("{BODY}Subject: a\r\n")]),
        session(&[MAIL, RCPT, "BDAT 10\r\nabc\n"]),
        vec![WAIT.to_owned()],
    ];
    for first in [
        "GET / HTTP/1.1",
        "connect a",
        "POST",
        "*",
        "Subject: a",
        "a:b",
        "12",
        "<html>",
    ] {
        sessions.push(session(&[first, "NOOP"]));
    }
    sessions.extend(LENGTHS.into_iter().flat_map(long_lines));
    sessions
}

/// Lengths of lines and paths in octets.
const LENGTHS: [usize; 5] = [600, 1100, 2100, 5000, 20_000];

/// Sessions with a command, a path, a text line and a HELO name of these lengths.
fn long_lines(octets: usize) -> [Vec<String>; 5] {
    let long = "x".repeat(octets);
    let sender = format!("MAIL FROM:<{long}@from.test>");
    let recipient = format!("RCPT TO:<{long}@from.test>");
    let text = body(&format!("Subject: a\r\n\r\n{}", &long[..octets.min(3000)]));
    [
        session(&[&format!("NOOP {long}"), "NOOP"]),
        session(&[&sender, "RSET"]),
        session(&[MAIL, &recipient, "RSET"]),
        session(&[MAIL, RCPT, "DATA", &text, "NOOP"]),
        vec![format!("EHLO {long}"), "NOOP".to_owned(), "QUIT".to_owned()],
    ]
}

/// Sessions with a receiver that offers or requires STARTTLS and AUTH.
fn security() -> Vec<Vec<String>> {
    vec![
        session(&[
            "NOOP",
            "RSET",
            "VRFY a",
            "ETRN good.test",
            "EXPN a",
            "HELP",
            "FOO",
            "DATA",
            "BDAT 0 LAST",
        ]),
        session(&[MAIL, RCPT, "DATA"]),
        session(&["AUTH PLAIN AGEAYg=="]),
        session(&["AUTH"]),
        session(&["AUTH FOO"]),
        session(&["AUTH PLAIN", "AGEAYg==", "AUTH PLAIN AGEAYg=="]),
        session(&["AUTH PLAIN", "*", "NOOP"]),
        session(&["AUTH PLAIN ?", "NOOP"]),
        session(&["AUTH PLAIN AGEAYw==", "AUTH PLAIN AGEAYg==", MAIL, RCPT]),
        session(&["AUTH PLAIN =", "NOOP"]),
        session(&["AUTH LOGIN", "YQ==", "Yg==", "NOOP"]),
        session(&["AUTH LOGIN", "YQ==", "Yw==", "NOOP"]),
        session(&["AUTH LOGIN YQ==", "Yg==", "NOOP"]),
        session(&["AUTH LOGIN", "*", "NOOP"]),
        session(&[MAIL, "AUTH PLAIN AGEAYg==", "RSET"]),
        session(&["STARTTLS x", "NOOP"]),
        vec![format!("EHLO {SOUND}"), "STARTTLS".to_owned()],
        vec!["STARTTLS".to_owned()],
        vec!["AUTH PLAIN AGEAYg==".to_owned(), "QUIT".to_owned()],
        vec![
            format!("HELO {SOUND}"),
            "AUTH PLAIN AGEAYg==".to_owned(),
            "QUIT".to_owned(),
        ],
        vec![
            format!("HELO {SOUND}"),
            "STARTTLS x".to_owned(),
            "QUIT".to_owned(),
        ],
    ]
}
