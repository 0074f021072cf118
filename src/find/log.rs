//! Log lines of mail servers: the details of an attempt, apart from the reply.

use super::sent::Sent;

/// A line of qmail's log without its underscores, which stand for spaces (`qmail-rspawn` writes no space in a report).
pub(super) fn without_underscores(line: &str) -> String {
    let is_qmail = [
        "Remote_host_said:",
        "_does_not_like_",
        "_failed_after_I_sent_",
    ]
    .iter()
    .any(|sign| line.contains(sign));
    if is_qmail {
        line.replace('_', " ")
            .replace("/Giving up on", "\n\nGiving up on")
            .replace('/', "/ ")
            .replace(":/ / ", "://")
    } else {
        line.to_owned()
    }
}

/// The details of the message in a log line.
pub(super) fn sent(text: &str) -> Sent {
    Sent {
        client: None,
        helo: field(text, "helo=<", '>'),
        sender: field(text, "from=<", '>').filter(|sender| !sender.is_empty()),
        recipient: field(text, "to=<", '>'),
        receiver: receiver(text),
        time: None,
    }
}

/// The host in a log line: Postfix and Sendmail `relay=`, Exim `H=` and `host`, Postfix `host … said`.
fn receiver(text: &str) -> Option<String> {
    let starts = ["relay=", " H=", "host ", "talking to "];
    let after = starts
        .iter()
        .find_map(|start| Some(text.split_once(start)?.1))?;
    let is_end = |c: char| c.is_whitespace() || "[,(:".contains(c);
    let name = after.split(is_end).next()?.trim_end_matches('.');
    let is_name = name.contains('.') && !name.contains(['/', '@', '\'']);
    is_name.then(|| name.to_owned())
}

fn field(text: &str, start: &str, end: char) -> Option<String> {
    let (value, _) = text.split_once(start)?.1.split_once(end)?;
    Some(value.to_owned())
}
