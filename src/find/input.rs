//! Parsing of a bounce: a reply, a log line, JSON or a whole delivery status notification (RFC 3464).

use std::net::IpAddr;

use mail_parser::{MessageParser, MimeHeaders};

use super::canonical::{canonical, without_enhanced, words};
use super::sent::Sent;

/// Maximum number of octets of a reply that are examined.
const REPLY_OCTETS: usize = 4_000;
/// Maximum number of replies of one input.
const REPLIES: usize = 24;
/// Maximum depth of JSON.
const LEVELS: usize = 16;

/// A reply of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QuotedReply {
    /// The reply code, if known.
    pub(super) code: Option<u16>,
    /// The enhanced status code.
    pub(super) enhanced: Option<String>,
    /// The text in the form of [`canonical`].
    pub(super) canonical: String,
    /// The words.
    pub(super) words: Vec<String>,
    /// The text as it was found.
    pub(super) text: String,
}

/// A parsed input.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    pub(super) replies: Vec<QuotedReply>,
    pub(super) sent: Sent,
}

impl Input {
    /// Parses an input of any kind.
    pub(super) fn of(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let trimmed = text.trim_start_matches('\u{feff}').trim();
        let mut input = if let Some(json) = json(trimmed) {
            of_json(&json)
        } else if is_message(trimmed) {
            of_message(trimmed.as_bytes())
        } else {
            Self {
                replies: QuotedReply::of_text(trimmed),
                sent: super::log::sent(trimmed),
            }
        };
        let address = || {
            input
                .replies
                .iter()
                .find_map(|quoted| address(&quoted.text))
        };
        input.sent.client = input.sent.client.or_else(address);
        input
    }
}

impl QuotedReply {
    /// All replies in a text, or the whole text if it has no reply code.
    pub(super) fn of_text(text: &str) -> Vec<Self> {
        let text = unquoted(text);
        let starts = starts(&text);
        let mut replies: Vec<Self> = Vec::new();
        let mut end = 0;
        for &(at, code) in &starts {
            // Further lines of the same reply have the same code.
            if at < end {
                continue;
            }
            let next = starts
                .iter()
                .find(|(next, other)| *next > at && *other != code && is_line_start(&text, *next));
            let limit = next.map_or(text.len(), |(next, _)| *next);
            end = end_of(&text, at, limit);
            let quoted = Self::of_reply(code, &text[at..end]);
            if !quoted.canonical.is_empty() && !replies.contains(&quoted) && replies.len() < REPLIES
            {
                replies.push(quoted);
            }
        }
        if replies.is_empty() {
            replies.push(Self::of_reply_text(&text));
        }
        replies
    }

    /// Splits a reply into its codes and its text.
    pub(super) fn of_parts(code: Option<u16>, enhanced: Option<String>, text: &str) -> Self {
        let mut quoted = Self::of_text(text).swap_remove(0);
        quoted.code = quoted.code.or(code);
        quoted.enhanced = quoted.enhanced.or(enhanced);
        quoted
    }

    fn of_reply_text(text: &str) -> Self {
        let (text, enhanced) = without_enhanced(text);
        Self {
            code: None,
            enhanced,
            canonical: canonical(text),
            words: words(text),
            text: text.to_owned(),
        }
    }

    /// Removes the codes at the beginning of each line, even if lines were joined.
    pub(super) fn of_reply(code: u16, text: &str) -> Self {
        let digits = code.to_string();
        let hyphen = format!("{digits}-");
        let joined = text.starts_with(&hyphen);
        let (mut without_codes, mut enhanced) = (String::with_capacity(text.len()), None);
        let mut at_start = true;
        for token in text.split_whitespace() {
            let mut token = token;
            let bare = token == digits && (without_codes.is_empty() || joined);
            if bare
                || token.starts_with(&hyphen)
                || (without_codes.is_empty() && token.starts_with(&digits))
            {
                token = token[3..].trim_start_matches(['-', ':', '#']);
                at_start = true;
            }
            if at_start
                && let (_, Some(found)) = without_enhanced(token.trim_end_matches([':', ',']))
            {
                enhanced = enhanced.or(Some(found));
                at_start = false;
                continue;
            }
            at_start &= token.is_empty();
            without_codes.push_str(token);
            without_codes.push(' ');
        }
        Self {
            code: Some(code),
            enhanced,
            canonical: canonical(&without_codes),
            words: words(&without_codes),
            text: without_codes,
        }
    }
}

/// Removes quotation marks, escapes of JSON and logs, and HTML entities.
fn unquoted(text: &str) -> String {
    let text = text
        .replace("\\r\\n", "\n")
        .replace("\\n", "\n")
        .replace("\\r", "")
        .replace("\\t", " ")
        .replace("\\\"", "\"")
        .replace("\\'", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim_start_matches(['>', '|', ' ', '\t']);
        let line = line.strip_prefix("<<<").unwrap_or(line).trim();
        lines.push_str(&super::log::without_underscores(line));
        lines.push('\n');
    }
    lines
}

/// The reply codes in a text, with their offsets.
fn starts(text: &str) -> Vec<(usize, u16)> {
    let octets = text.as_bytes();
    let is_start = |at: &usize| {
        let before = at.checked_sub(1).map_or(b' ', |before| octets[before]);
        let before_it = at.checked_sub(2).map_or(b' ', |before| octets[before]);
        let free = match before {
            b':' | b'=' | b'/' => !before_it.is_ascii_digit(),
            b'.' | b'-' | b'@' | b'[' | b',' | b'_' | b'+' => false,
            before => !before.is_ascii_alphanumeric(),
        };
        let after = octets.get(at + 3).copied().unwrap_or(b' ');
        let code = &octets[*at..*at + 3];
        free && matches!(code[0], b'4' | b'5')
            && matches!(code[1], b'0'..=b'7')
            && code[2].is_ascii_digit()
            && matches!(after, b' ' | b'-' | b'\n' | b'#' | b':')
    };
    let places = (0..octets.len().saturating_sub(3)).filter(is_start);
    places
        .filter_map(|at| Some((at, text.get(at..at + 3)?.parse().ok()?)))
        .collect()
}

fn is_line_start(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n'
}

/// The end of the reply that begins at `at`: before the text that a program adds to it.
fn end_of(text: &str, at: usize, limit: usize) -> usize {
    /// Texts that follow a reply in logs and notifications.
    const AFTER: &[&str] = &[
        "\n\n",
        "(in reply to",
        "/Giving up on",
        "Giving up on ",
        "\n--- ",
        "\n... ",
        "##",
        "\nFinal-Recipient:",
        "\nOriginal-Recipient:",
        "\nAction:",
        "\nStatus:",
        "\nRemote-MTA:",
        "\nDiagnostic-Code:",
        "\nLast-Attempt-Date:",
        "\nWill-Retry-Until:",
        "\nReporting-MTA:",
        "\nReceived:",
        "\nQUIT",
        "\nDATA",
        "\nRCPT ",
        "\nMAIL ",
        "\", \"",
        "\" responsecode",
        " {\n",
    ];
    let text = &text[at..limit];
    let most = (0..=text.len().min(REPLY_OCTETS)).rev();
    let most = most
        .into_iter()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let text = &text[..most];
    let ends = AFTER.iter().filter_map(|after| text.find(after));
    at + ends.min().unwrap_or(text.len())
}

/// The first address in a text.
fn address(text: &str) -> Option<IpAddr> {
    let is_other = |c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':');
    let tokens = text
        .split(is_other)
        .map(|token| token.trim_matches(['.', ':']));
    let candidates = tokens.filter(|t| t.contains('.') || t.matches(':').count() > 1);
    candidates.filter_map(|token| token.parse().ok()).next()
}

fn json(text: &str) -> Option<serde_json::Value> {
    let opens = text.starts_with(['{', '[']);
    opens.then(|| serde_json::from_str(text).ok()).flatten()
}

/// JSON keys of replies: those of nodemailer, Sisimai and HTTP APIs of mail services.
const REPLY_KEYS: &[&str] = &[
    "response",
    "diagnosticcode",
    "diagnostic_code",
    "diagnostic-code",
    "message",
    "reason",
    "reply",
    "error",
    "description",
    "smtp_response",
    "raw_reason",
    "details",
];

fn of_json(json: &serde_json::Value) -> Input {
    let mut input = Input::default();
    gather(json, &mut input, LEVELS);
    input
}

fn gather(json: &serde_json::Value, input: &mut Input, levels: usize) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    match json {
        serde_json::Value::Array(all) if all.iter().any(serde_json::Value::is_string) => {
            let lines: Vec<_> = all.iter().filter_map(serde_json::Value::as_str).collect();
            input
                .replies
                .extend(QuotedReply::of_text(&lines.join("\n")));
        }
        serde_json::Value::Array(all) => all.iter().for_each(|value| gather(value, input, levels)),
        serde_json::Value::Object(map) => {
            let text = |keys: &[&str]| {
                let values = map
                    .iter()
                    .filter(|(key, _)| keys.contains(&key.to_lowercase().as_str()));
                values
                    .map(|(_, value)| {
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned)
                    })
                    .find(|value| !value.is_empty())
            };
            let code = text(&["replycode", "responsecode", "code", "smtp_code"])
                .and_then(|c| c.parse().ok());
            let enhanced = text(&["deliverystatus", "status", "enhanced_code"])
                .filter(|status| without_enhanced(status).1.is_some());
            for (key, value) in map {
                match value {
                    serde_json::Value::String(text)
                        if REPLY_KEYS.contains(&key.to_lowercase().as_str()) =>
                    {
                        input
                            .replies
                            .push(QuotedReply::of_parts(code, enhanced.clone(), text));
                    }
                    serde_json::Value::String(_) => {}
                    other => gather(other, input, levels),
                }
            }
            let sent = &mut input.sent;
            sent.helo = sent.helo.take().or_else(|| text(&["lhost", "helo"]));
            sent.receiver = sent.receiver.take().or_else(|| text(&["rhost"]));
            sent.sender = sent
                .sender
                .take()
                .or_else(|| text(&["addresser", "sender"]).filter(|a| a.contains('@')));
            sent.recipient = sent
                .recipient
                .take()
                .or_else(|| text(&["recipient"]).filter(|a| a.contains('@')));
            sent.time = sent.time.take().or_else(|| text(&["timestamp", "time"]));
        }
        _ => {}
    }
}

/// Whether a text begins with header fields of a message.
fn is_message(text: &str) -> bool {
    const FIELDS: &[&str] = &[
        "received",
        "return-path",
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "delivered-to",
        "auto-submitted",
        "reporting-mta",
        "x-failed-recipients",
    ];
    let head: Vec<_> = text.lines().take_while(|line| !line.is_empty()).collect();
    let named = |line: &&&str| {
        let name = line.split_once(':').map(|(name, _)| name.to_lowercase());
        name.is_some_and(|name| FIELDS.contains(&name.as_str()))
    };
    head.iter().filter(named).count() >= 2
}

/// Parses a notification: its delivery status first, then its text, and the envelope of the returned message.
fn of_message(octets: &[u8]) -> Input {
    let Some(message) = MessageParser::default().parse(octets) else {
        return Input {
            replies: QuotedReply::of_text(&String::from_utf8_lossy(octets)),
            sent: Sent::default(),
        };
    };
    let mut input = Input::default();
    let mut texts = Vec::new();
    for part in &message.parts {
        let subtype = part
            .content_type()
            .and_then(|kind| kind.subtype())
            .unwrap_or_default();
        match (subtype, part.message(), part.text_contents()) {
            ("delivery-status" | "global-delivery-status", None, text) => {
                let text =
                    text.map_or_else(|| String::from_utf8_lossy(part.contents()), Into::into);
                of_status(&text, &mut input);
            }
            (_, Some(returned), _) => {
                let path = returned.return_address();
                let from = returned
                    .from()
                    .and_then(|from| from.first())
                    .and_then(|from| from.address());
                input.sent.sender = path.or(from).map(str::to_owned);
            }
            (_, None, Some(text)) => texts.push(text.to_owned()),
            _ => {}
        }
    }
    if texts.is_empty() && input.replies.is_empty() {
        texts.push(String::from_utf8_lossy(octets).into_owned());
    }
    for text in texts {
        for quoted in QuotedReply::of_text(&text) {
            // A text without a code can be any sentence of the notification.
            if (quoted.code.is_some() || input.replies.is_empty())
                && !input.replies.contains(&quoted)
            {
                input.replies.push(quoted);
            }
        }
    }
    input
}

/// The fields of a delivery status (RFC 3464 §2).
fn of_status(text: &str, input: &mut Input) {
    let unfolded = text
        .replace("\r\n", "\n")
        .replace("\n ", " ")
        .replace("\n\t", " ");
    let value = |typed: &str| {
        typed
            .split_once(';')
            .map_or(typed, |(_, value)| value)
            .trim()
            .to_owned()
    };
    let mut enhanced = None;
    let sent = &mut input.sent;
    for line in unfolded.lines() {
        let Some((field, text)) = line.split_once(':') else {
            continue;
        };
        let text = text.trim();
        match field.to_lowercase().as_str() {
            // x.0.0 has no information about the reply (RFC 3463 §3.1).
            "status" => {
                let code = text
                    .split_whitespace()
                    .next()
                    .filter(|code| !code.ends_with(".0.0"));
                enhanced = code.map(str::to_owned);
            }
            "reporting-mta" => sent.helo = sent.helo.take().or(Some(value(text))),
            "remote-mta" => sent.receiver = Some(value(text)),
            "final-recipient" | "original-recipient" => sent.recipient = Some(value(text)),
            "last-attempt-date" => sent.time = Some(text.to_owned()),
            "arrival-date" => sent.time = sent.time.take().or(Some(text.to_owned())),
            "diagnostic-code" => {
                // One field has all lines of a reply, each with its code.
                let quoted = QuotedReply::of_parts(None, enhanced.clone(), &value(text));
                input.replies.push(quoted);
            }
            _ => {}
        }
    }
}
