//! Commands that show a reply, ready to copy.

use super::cases::Case;

/// `check`, or `verify` if the message of the scenario file is needed; then `serve` and `send`.
pub(super) fn of(case: &Case, receiver: &str) -> Vec<String> {
    let attempt = &case.attempt;
    let (scenario, receiver) = (quoted(&case.scenario), quoted(receiver));
    if case.own_message {
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
    vec![
        format!("martinet check --scenario {scenario} --receiver {receiver} {client} {from}"),
        format!("martinet serve --scenario {scenario} --receiver {receiver}"),
        format!("martinet send {client} {from} --to {to}"),
    ]
}

/// The expectation in the form of a scenario file.
pub(super) fn expectation(case: &Case, receiver: &str) -> String {
    let attempt = &case.attempt;
    let reply = case.judgement.reply.wire_line(0);
    let code: String = reply.chars().take(3).collect();
    let rule = case
        .judgement
        .rule
        .map(|rule| format!("rule     = \"{rule}\"\n"))
        .unwrap_or_default();
    format!(
        "# in scenario {}\n[[expect]]\nclient   = \"{}\"\nhelo     = {}\nsender   = {}\nreceiver = \"{receiver}\"\nreply    = \"{code}\"\n{rule}",
        case.scenario,
        attempt.client,
        toml_text(&attempt.helo),
        toml_text(&attempt.sender),
    )
}

/// A string in TOML syntax.
pub(super) fn toml_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
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
