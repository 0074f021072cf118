//! Commands that show a reply, ready to copy.

use super::cases::Case;
use crate::smtp::client::ClientConduct;

/// The commands `check`, if one session with the default message is enough, `serve` and `send`; or `verify`, if no flag
/// can repeat the session.
pub(super) fn of(case: &Case, receiver: &str) -> Vec<String> {
    let attempt = &case.attempt;
    let (scenario, receiver) = (quoted(&case.scenario), quoted(receiver));
    if attempt.verb != "EHLO" {
        return vec![
            format!("martinet show scenario {scenario}"),
            "martinet verify".to_owned(),
        ];
    }
    let client = format!(
        "--client {} --helo {}",
        attempt.client,
        quoted(&attempt.helo)
    );
    let from = format!("--from {}", quoted(&attempt.sender));
    let to = quoted(&attempt.recipient);
    let serve = format!("martinet serve --scenario {scenario} --receiver {receiver}");
    let conduct = &attempt.conduct;
    let send = format!("martinet send {client} {from} --to {to}{}", flags(conduct));
    if case.own_message {
        let lines = message(case).lines().map(quoted).collect::<Vec<_>>();
        let file = format!("printf '%s\\n' {} > message.eml", lines.join(" "));
        return vec![
            serve,
            file,
            repeated(&format!("{send} --file message.eml"), case),
        ];
    }
    if case.sessions > 1 || *conduct != ClientConduct::default() {
        return vec![serve, repeated(&send, case)];
    }
    let check = format!(
        "martinet check --scenario {scenario} --receiver {receiver} {client} {from} --to {to}"
    );
    vec![check, serve, send]
}

/// The flags of `send` for deviations from the usual dialogue.
fn flags(conduct: &ClientConduct) -> String {
    let mut flags = String::new();
    if conduct.early {
        flags.push_str(" --early");
    }
    for input in &conduct.says {
        let escaped = input.replace('\\', "\\\\");
        let escaped = escaped.replace('\r', "\\r").replace('\n', "\\n");
        flags += &format!(" --say {}", quoted(&escaped));
    }
    for (name, count, usual) in counts(conduct) {
        if count != usual {
            flags += &format!(" --{name} {count}");
        }
    }
    flags
}

/// The numbers of a conduct by the name of their flag and key, each with the usual one.
const fn counts(conduct: &ClientConduct) -> [(&'static str, u64, u64); 3] {
    [
        ("messages", conduct.messages, 1),
        ("recipients", conduct.recipients, 1),
        ("open", conduct.open, 0),
    ]
}

/// Repeats a command for each session.
fn repeated(command: &str, case: &Case) -> String {
    match case.sessions {
        1 => command.to_owned(),
        sessions => {
            let pause = match case.pause.as_secs() {
                0 => String::new(),
                seconds => format!("; sleep {seconds}"),
            };
            format!("for i in $(seq {sessions}); do {command}{pause}; done")
        }
    }
}

fn message(case: &Case) -> String {
    String::from_utf8_lossy(&case.attempt.message).replace("\r\n", "\n")
}

/// The expectation in the form of a scenario file.
pub(super) fn expectation(case: &Case, receiver: &str) -> String {
    let attempt = &case.attempt;
    let reply = case.judgement.reply.wire_line(0);
    let code: String = reply.chars().take(3).collect();
    let mut text = format!(
        "# in scenario {}\n[[expect]]\nclient   = \"{}\"\nhelo     = {}\nsender   = {}\nreceiver = {}\nreply    = \"{code}\"\n",
        case.scenario,
        attempt.client,
        toml_text(&attempt.helo),
        toml_text(&attempt.sender),
        toml_text(receiver),
    );
    if let Some(rule) = case.judgement.rule {
        text += &format!("rule     = \"{rule}\"\n");
    }
    if attempt.verb != "EHLO" {
        text += &format!("verb     = \"{}\"\n", attempt.verb);
    }
    if case.sessions > 1 {
        text += &format!("sessions = {}\n", case.sessions);
    }
    if !case.pause.is_zero() {
        text += &format!("pause    = \"{}s\"\n", case.pause.as_secs());
    }
    let conduct = &attempt.conduct;
    if !conduct.says.is_empty() {
        let says: Vec<_> = conduct.says.iter().map(|input| toml_text(input)).collect();
        text += &format!("says     = [{}]\n", says.join(", "));
    }
    if conduct.early {
        text += "early    = true\n";
    }
    for (name, count, usual) in counts(conduct) {
        if count != usual {
            text += &format!("{name:<8} = {count}\n");
        }
    }
    if case.own_message {
        text += &format!("message  = {}\n", toml_text(&message(case)));
    }
    text
}

/// A string in TOML syntax.
pub(super) fn toml_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// An argument in the syntax of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:+/".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
