//! The header of a message: the fields that RFC 5322 §3.6 limits, and flaws of their values.

use std::borrow::Cow;

use hickory_proto::rr::Name;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Serialize;

use super::address_list::addresses;
use super::hostname_mistake;
use crate::facts::message_id::{is_dot_atom, is_message_id};
use crate::name;

/// The fields that a message can have at most once (RFC 5322 §3.6), in lower case.
pub(crate) const SINGLE_FIELDS: &[&str] = &[
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
];

/// A field that a message can have at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    /// The name in lower case.
    pub name: &'static str,
    /// The number of such fields in the header.
    pub count: u64,
    /// The first flaw of their values; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mistake: String,
}

/// The header of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Header {
    /// The fields that the header has, of those that are allowed once.
    pub(crate) fields: Vec<Field>,
    /// The addresses in From.
    pub(crate) from: Vec<String>,
    /// The domain of the only address in From; `None` if From has no address, or several.
    #[serde(serialize_with = "name::as_optional_text")]
    pub(crate) from_domain: Option<Name>,
    /// The first line that is not a field; empty if every line is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) stray_line: String,
}

/// A fault of a header, which a sender can fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// A field is missing.
    Missing(&'static str),
    /// A field is repeated.
    Doubled(&'static str),
    /// The value of a field does not conform to RFC 5322.
    Malformed(&'static str),
    /// From has several addresses.
    SeveralFrom,
    /// A line is not a field.
    StrayLine,
}

impl HeaderFault {
    /// The name of the faulty field in lower case; empty if the fault is not in a field.
    pub fn field(&self) -> String {
        let name = match self {
            Self::Missing(name) | Self::Doubled(name) | Self::Malformed(name) => name,
            Self::SeveralFrom => "from",
            Self::StrayLine => "",
        };
        name.to_owned()
    }
}

/// Maximum number of quoted characters of a line that is not a field.
const QUOTED: usize = 60;
/// The date and the message identifier of a message that is judged again, because verification reads no clock.
const DATE: &str = "Thu, 1 Jan 2026 00:00:00 +0000";
const MESSAGE_ID: &str = "<proof@martinet.test>";

impl Header {
    /// Reads the header of a message.
    pub fn read(message: &[u8]) -> Self {
        let mut header = Self::default();
        for line in lines(message) {
            let Some((name, value)) = split(&line) else {
                if header.stray_line.is_empty() {
                    let text = String::from_utf8_lossy(&line);
                    header.stray_line = text.chars().take(QUOTED).collect();
                }
                continue;
            };
            if name == "from" {
                header
                    .from
                    .extend(addresses(&String::from_utf8_lossy(value)));
            }
            header.count(&name, value);
        }
        if let [address] = &header.from[..] {
            let domain = address.rsplit_once('@').map(|(_, domain)| domain);
            header.from_domain = domain
                .filter(|domain| hostname_mistake(domain, true).is_none())
                .and_then(name::absolute);
        }
        header
    }

    /// The number of fields with this name in the header.
    pub fn times(&self, name: &str) -> u64 {
        self.field(name).map_or(0, |field| field.count)
    }

    /// The field with this name, if the header has it.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn count(&mut self, name: &str, value: &[u8]) {
        let Some(name) = SINGLE_FIELDS.iter().find(|known| **known == name) else {
            return;
        };
        let mistake = mistake(name, value).unwrap_or_default();
        match self.fields.iter_mut().find(|field| field.name == *name) {
            Some(field) => {
                field.count += 1;
                if field.mistake.is_empty() {
                    field.mistake = mistake;
                }
            }
            None => self.fields.push(Field {
                name,
                count: 1,
                mistake,
            }),
        }
    }
}

/// The message without this fault, as its sender would write it.
pub(crate) fn without_fault(message: &[u8], fault: &HeaderFault) -> Vec<u8> {
    let end = header_end(message);
    let (mut without_fault, mut seen) = (Vec::new(), 0);
    for raw in raw_fields(&message[..end]) {
        let line = unfolded(raw);
        let field = split(&line);
        let is = |name: &str| field.as_ref().is_some_and(|(found, _)| found == name);
        let keep = match fault {
            HeaderFault::StrayLine => field.is_some(),
            HeaderFault::Doubled(name) if is(name) => {
                seen += 1;
                seen == 1
            }
            HeaderFault::Malformed(name) => !is(name),
            HeaderFault::SeveralFrom => !is("from"),
            _ => true,
        };
        if keep {
            without_fault.extend_from_slice(raw);
        }
    }
    let from = || {
        let header = Header::read(message);
        let first = header.from.into_iter().find(|a| is_address(a));
        first.unwrap_or_else(|| "sender@example.test".to_owned())
    };
    let added = match fault {
        HeaderFault::Missing(name) | HeaderFault::Malformed(name) => {
            Some((*name, valid_value(name, from)))
        }
        HeaderFault::SeveralFrom => Some(("from", format!("<{}>", from()))),
        HeaderFault::Doubled(_) | HeaderFault::StrayLine => None,
    };
    if let Some((name, value)) = added {
        without_fault.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    without_fault.extend_from_slice(b"\r\n");
    without_fault.extend_from_slice(message.get(body_start(message, end)..).unwrap_or_default());
    without_fault
}

/// A valid value for a field.
fn valid_value(name: &str, from: impl Fn() -> String) -> String {
    match name {
        "date" => DATE.to_owned(),
        "message-id" | "in-reply-to" | "references" => MESSAGE_ID.to_owned(),
        "subject" => "a subject".to_owned(),
        _ => format!("<{}>", from()),
    }
}

/// The end of the header: the first empty line, or the end of the message.
fn header_end(message: &[u8]) -> usize {
    if message.starts_with(b"\r\n") {
        return 0;
    }
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 2)
}

fn body_start(message: &[u8], end: usize) -> usize {
    end + if message[end..].starts_with(b"\r\n") {
        2
    } else {
        0
    }
}

/// The fields of a header, each with its folded lines and its last CRLF.
fn raw_fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end = match memchr::memmem::find(&rest[end..], b"\r\n") {
                Some(at) => end + at + 2,
                None => rest.len(),
            };
            let folded = matches!(rest.get(end), Some(b' ' | b'\t'));
            if !folded {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        Some(field)
    })
}

fn lines(message: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    raw_fields(&message[..header_end(message)]).map(unfolded)
}

/// A field without the line ends of folding (RFC 5322 §2.2.3).
fn unfolded(raw: &[u8]) -> Cow<'_, [u8]> {
    let raw = raw.strip_suffix(b"\r\n").unwrap_or(raw);
    match raw.contains(&b'\r') {
        true => raw
            .iter()
            .copied()
            .filter(|b| !b"\r\n".contains(b))
            .collect::<Vec<_>>()
            .into(),
        false => raw.into(),
    }
}

/// The name of a field in lower case, and its value; `None` if a line has no name (RFC 5322 §2.2).
fn split(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let printable = !name.is_empty() && name.iter().all(|b| (33..=126).contains(b));
    let name = printable.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())?;
    Some((name, line[colon + 1..].trim_ascii()))
}

/// The flaw of a value.
fn mistake(name: &str, value: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Some("invalid UTF-8".to_owned());
    };
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Some(format!("the control character U+{:04X}", u32::from(c)));
    }
    match name {
        "date" => {
            let parsed = DateTimeParser::new().parse_zoned(text);
            parsed.err().map(|error| format!("not a date: {error}"))
        }
        "message-id" => (!is_message_id(text)).then(|| "no <left@right>".to_owned()),
        "from" | "sender" => match &addresses(text)[..] {
            [] => Some("no address".to_owned()),
            all => wrong_address(all),
        },
        "reply-to" | "to" | "cc" | "bcc" => wrong_address(&addresses(text)),
        _ => None,
    }
}

fn wrong_address(all: &[String]) -> Option<String> {
    let wrong = all.iter().find(|address| !is_address(address))?;
    Some(format!("{wrong:?} is not an address"))
}

/// `addr-spec` of RFC 5322 §3.4.1, with non-ASCII letters (RFC 6532 §3.2).
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let domain_sound = match domain.strip_prefix('[') {
        Some(literal) => literal.ends_with(']'),
        None => {
            let ascii = idna::domain_to_ascii(domain).unwrap_or_default();
            !domain.ends_with('.') && hostname_mistake(&ascii, true).is_none()
        }
    };
    (quoted || is_dot_atom(local)) && domain_sound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Header {
        Header::read(format!("{}\r\n\r\nbody: x\r\n", lines.join("\r\n")).as_bytes())
    }

    #[track_caller]
    fn mistake_of(line: &str, expected: &str) {
        let name = line.split(':').next().expect("a name").to_ascii_lowercase();
        let header = read(&[line]);
        let field = header.field(&name).expect("the field");
        match expected {
            "" => assert_eq!(field.mistake, "", "{line}"),
            _ => assert!(
                field.mistake.contains(expected),
                "{line}: {:?}",
                field.mistake
            ),
        }
    }

    #[test]
    fn fields_are_counted_up_to_the_empty_line() {
        let header = read(&[
            "From: <a@x.test>",
            "SUBJECT: one",
            "Subject : two",
            "X-Other: 1",
            "Subject:",
            "\tthree",
        ]);
        assert_eq!(
            (
                header.times("subject"),
                header.times("from"),
                header.times("date")
            ),
            (3, 1, 0)
        );
        assert_eq!(header.stray_line, "");
        assert_eq!(Header::read(b"\r\nFrom: <a@x.test>\r\n").fields, []);
        assert_eq!(Header::read(b"From: <a@x.test>\r\n").times("from"), 1);
        assert_eq!(Header::read(b"").fields, []);
        assert_eq!(
            read(&["From: <a@x.test>", "no field here"]).stray_line,
            "no field here"
        );
        assert_eq!(read(&["Two words: x"]).stray_line, "Two words: x");
    }

    #[test]
    fn from_addresses() {
        let from = |value: &str| read(&[&format!("From: {value}")]).from;
        assert_eq!(from("Joe <joe@x.test>"), ["joe@x.test"]);
        assert_eq!(from("joe@x.test (Joe, not Jim)"), ["joe@x.test"]);
        assert_eq!(from("\"Joe, Jim\" <joe@x.test>"), ["joe@x.test"]);
        assert_eq!(from("a@x.test, B <b@y.test>"), ["a@x.test", "b@y.test"]);
        assert_eq!(from("=?utf-8?q?J=C3=B6?=\r\n <joe@x.test>"), ["joe@x.test"]);
        assert_eq!(from("Team: a@x.test, b@x.test;"), ["a@x.test", "b@x.test"]);
        let domain = |value: &str| {
            let header = read(&[&format!("From: {value}")]);
            header.from_domain.map(|name| name::display(&name))
        };
        assert_eq!(domain("Joe <joe@X.test>").as_deref(), Some("X.test"));
        assert_eq!(domain("a@x.test, b@y.test"), None);
        assert_eq!(domain("<>"), None);
    }

    #[test]
    fn values() {
        for sound in [
            "From: Joe <joe@x.test>",
            "From: \"Joe S. Pack\" <\"joe pack\"@x.test>",
            "From: \"joe pack\"@x.test",
            "From: joe@[192.0.2.1]",
            "Sender: joe@x.test",
            "To: undisclosed-recipients:;",
            "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
            "Date: 11 Jul 2003 21:00 +0000",
            "Date: Fri, 11 Jul 2003 21:00:37 GMT",
            "Message-ID: <20030712040037.46341.5F8J@football.example.com>",
            "Message-ID:\r\n <a@[192.0.2.1]>",
            "Subject: Grüße",
            "Subject:",
        ] {
            mistake_of(sound, "");
        }
        for (wrong, why) in [
            ("From: <>", "no address"),
            ("From:", "no address"),
            ("From: Joe", "not an address"),
            ("From: <joe>", "not an address"),
            ("From: <joe@>", "not an address"),
            ("From: <a@x.test> <b@x.test>", "not an address"),
            ("From: mailto:a@x.test", "not an address"),
            ("To: Joe <joe@x.test", "not an address"),
            ("From: <joe@x..test>", "not an address"),
            ("From: <.joe@x.test>", "not an address"),
            ("Date: yesterday", "not a date"),
            ("Date: 2003-07-11T21:00:37Z", "not a date"),
            ("Date: Mon, 11 Jul 2003 21:00:37 -0700", "not a date"),
            ("Date: Fri, 31 Feb 2003 21:00:37 -0700", "not a date"),
            ("Message-ID: 1@x.test", "no <left@right>"),
            ("Message-ID: <1>", "no <left@right>"),
            ("Message-ID: <1@x.test> <2@x.test>", "no <left@right>"),
            ("Message-ID: <a b@x.test>", "no <left@right>"),
            ("Subject: a\u{0}b", "U+0000"),
        ] {
            mistake_of(wrong, why);
        }
        let latin1 = [b"Subject: Gr".as_slice(), &[0xfc, 0xdf], b"e\r\n\r\n"].concat();
        assert_eq!(Header::read(&latin1).fields[0].mistake, "invalid UTF-8");
    }

    #[test]
    fn a_fixed_header_no_longer_has_the_fault() {
        let message = b"From: a@x.test, b@y.test\r\nstray\r\nSubject: 1\r\nSubject: 2\r\nDate: x\r\n\r\nbody\r\n";
        let missing = without_fault(message, &HeaderFault::Missing("message-id"));
        assert_eq!(Header::read(&missing).times("message-id"), 1);
        assert!(missing.ends_with(b"\r\n\r\nbody\r\n"));
        let doubled = without_fault(message, &HeaderFault::Doubled("subject"));
        assert_eq!(Header::read(&doubled).times("subject"), 1);
        let date = Header::read(&without_fault(message, &HeaderFault::Malformed("date")));
        assert_eq!(
            date.field("date").map(|f| (f.count, f.mistake.as_str())),
            Some((1, ""))
        );
        assert_eq!(
            Header::read(&without_fault(message, &HeaderFault::SeveralFrom)).from,
            ["a@x.test"]
        );
        assert_eq!(
            Header::read(&without_fault(message, &HeaderFault::StrayLine)).stray_line,
            ""
        );
        assert_eq!(
            Header::read(&without_fault(b"", &HeaderFault::Missing("from"))).times("from"),
            1
        );
    }
}
