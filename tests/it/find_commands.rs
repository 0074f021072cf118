//! The commands that `martinet find` prints cause the reply: `check`, and `serve` with `send`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use martinet::find::{Finder, Match};

const MARTINET: &str = env!("CARGO_BIN_EXE_martinet");

/// Output of a command of `find`, run by a shell in this directory with additional flags.
fn run(command: &str, flags: &str, directory: &Path) -> String {
    let command = command.replace("martinet send", &format!("'{MARTINET}' send {flags}"));
    let command = command.replace("martinet check", &format!("'{MARTINET}' check {flags}"));
    let output = Command::new("sh")
        .args(["-c", &command])
        .current_dir(directory)
        .output()
        .expect("a shell");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Starts `serve` on free ports, and returns it with its SMTP address.
fn serve(command: &str) -> (Child, String) {
    let ports = "--smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http 127.0.0.1:0";
    let command = command.replacen("martinet", &format!("exec '{MARTINET}'"), 1);
    let mut child = Command::new("sh")
        .args(["-c", &format!("{command} {ports}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    let smtp = loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "{command}");
        if let Some(address) = line.trim().strip_prefix("SMTP") {
            break address.trim().to_owned();
        }
    };
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (child, smtp)
}

/// The longest text of the last line of a reply between its placeholders.
fn words(one: &Match) -> &str {
    let last = one.reply.last().expect("a line");
    let texts = last.split('{').map(|part| match part.split_once('}') {
        Some((_, after)) => after,
        None => part,
    });
    texts.max_by_key(|text| text.len()).expect("a text")
}

#[test]
fn printed_commands_bring_the_reply() {
    let finder = Finder::built_in().expect("the built-in files are sound");
    let directory = std::env::temp_dir().join(format!("martinet-find-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let replies = [
        "554-Bad DNS PTR resource record.",
        "421 smtp.orange.fr ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR005_104 [104]",
        "421 Max message per connection reached, closing transmission channel",
        "503 5.5.1 Polite people say EHLO first.",
        "554 mx.test cox ESMTP no data before greeting",
        "500 5.5.1 Invalid command: Pipelining not supported",
        "221 2.7.0 Error: I can break rules, too. Goodbye.",
        "452 4.5.3 CON-T4 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#con",
        "450 Reject due to policy violations.",
        // The same message three times, after 4,999 others.
        "550 5.7.40 Your message was blocked because the sending domain doesn't have a DMARC record",
    ];
    for reply in replies {
        let found = finder.find(reply.as_bytes());
        let one = found.matches.first().expect("a match");
        let is = |name: &str| one.commands.iter().find(|command| command.contains(name));
        if let Some(check) = is("martinet check") {
            let text = run(check, "", &directory);
            assert!(text.contains(words(one)), "{check}: {text}");
        }
        if let Some(file) = is("printf") {
            run(file, "", &directory);
        }
        let (mut server, smtp) = serve(is("martinet serve").expect("a server"));
        let send = is("martinet send").expect("a client");
        let text = run(send, &format!("--smtp {smtp}"), &directory);
        server.kill().expect("it runs");
        server.wait().expect("it ended");
        assert!(text.contains(words(one)), "{reply}: {send}: {text}");
    }
    std::fs::remove_dir_all(&directory).expect("the directory is there");
}
