//! Stored messages as mail-parser reads them, parsed once, on the threads of [`Blocking`]. A message that cannot be
//! parsed is shown raw.

mod cache;

use std::ops::Range;
use std::sync::Arc;

use mail_parser::{Addr, Address, MessageParser, MessagePart, MimeHeaders, PartType};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use self::cache::Cache;
use crate::http::server::blocking::Blocking;
use crate::http::server::problem::Problem;
use crate::journal::Message;

/// Parses messages on blocking threads, and caches the results up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Mails {
    pub blocking: Blocking,
    cache: Arc<Cache>,
}

impl Mails {
    /// Parses messages one after the other on a blocking thread, and applies `then` to them.
    pub(crate) async fn all<R: Send + 'static>(
        &self,
        messages: Vec<Arc<Message>>,
        then: impl FnOnce(&mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let cache = Arc::clone(&self.cache);
        let work = move || {
            let mut mails = messages.into_iter().map(|message| {
                let mail = cache.read(&message);
                (message, mail)
            });
            then(&mut mails)
        };
        self.blocking.run(work).await
    }

    /// Parses one message on a blocking thread, and applies `then` to it.
    pub(crate) async fn one<R: Send + 'static>(
        &self,
        message: Arc<Message>,
        then: impl FnOnce(&Message, &Mail) -> R + Send + 'static,
    ) -> Result<R, Problem> {
        let cache = Arc::clone(&self.cache);
        let work = move || then(&message, &cache.read(&message));
        self.blocking.run(work).await
    }
}

/// A display name, or an empty text, and an address.
pub(crate) type Mailbox = (String, String);

/// A parsed message: the fields that the receiver added, and the message from the client.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// The header fields in order, unfolded, with their names as sent.
    pub(crate) fields: Vec<(String, String)>,
    /// The decoded subject.
    pub(crate) subject: String,
    /// The Message-ID without angle brackets.
    pub(crate) message_id: String,
    pub(crate) from: Vec<Mailbox>,
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    pub(crate) bcc: Vec<Mailbox>,
    pub(crate) reply_to: Vec<Mailbox>,
    /// The Date field (RFC 3339), if it is valid.
    pub(crate) date: Option<String>,
    /// The text, or the text within the HTML.
    pub(crate) text: String,
    /// The HTML; empty if the message has none.
    pub(crate) html: String,
    /// The parts that are attached or inline.
    pub(crate) parts: Vec<Part>,
    /// The positions of the header section and the body of each part without parts; empty for a message without parts.
    pub(crate) leaves: Vec<(Range<usize>, Range<usize>)>,
    /// The position of the body.
    pub(crate) body: usize,
    /// The size of the whole message.
    pub(crate) size: usize,
}

/// A part other than the message text.
#[derive(Debug)]
pub(crate) struct Part {
    /// The number of the part within the message.
    pub(crate) id: usize,
    /// The position of the part in the message, with its header section.
    place: Range<usize>,
    /// The file name without dangerous characters; empty without one.
    pub(crate) file_name: String,
    /// The content type, for example `image/png`.
    pub(crate) content_type: String,
    /// The Content-ID without angle brackets; empty without one.
    pub(crate) content_id: String,
    /// Whether the part is to be shown within the text.
    pub(crate) inline: bool,
    /// The decoded size.
    pub(crate) size: usize,
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha256: String,
}

impl Mail {
    /// Reads a message.
    fn read(raw: &[u8]) -> Self {
        let size = raw.len();
        let Some(parsed) = MessageParser::default().parse(raw) else {
            return Self {
                size,
                ..Self::default()
            };
        };
        let fields = fields(&raw[..root_body(&parsed).min(size)]);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            subject: text(parsed.subject()),
            message_id: text(parsed.message_id()),
            from: mailboxes(parsed.from()),
            to: mailboxes(parsed.to()),
            cc: mailboxes(parsed.cc()),
            bcc: mailboxes(parsed.bcc()),
            reply_to: mailboxes(parsed.reply_to()),
            date: date(&parsed, &fields),
            text: body_text(&parsed),
            html: body_html(&parsed),
            parts: parts(&parsed),
            leaves: leaves(&parsed, size),
            body: root_body(&parsed).min(size),
            fields,
            size,
        }
    }

    /// The first field with this name.
    pub(crate) fn field(&self, wanted: &str) -> Option<&str> {
        let found = self
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }

    /// The first words of the text.
    pub(crate) fn snippet(&self) -> String {
        let mut snippet = String::new();
        for word in self.text.split_whitespace() {
            if !snippet.is_empty() {
                snippet.push(' ');
            }
            snippet.push_str(word);
            if snippet.len() > 1000 {
                break;
            }
        }
        snippet.chars().take(250).collect()
    }

    /// The approximate memory use.
    fn octets(&self) -> usize {
        let pairs = |all: &[(String, String)]| {
            all.iter()
                .map(|(a, b)| a.len() + b.len() + 48)
                .sum::<usize>()
        };
        let part = |part: &Part| {
            size_of::<Part>()
                + part.file_name.len()
                + part.content_type.len()
                + part.content_id.len()
                + 136
        };
        size_of::<Self>()
            + [
                &self.fields,
                &self.from,
                &self.to,
                &self.cc,
                &self.bcc,
                &self.reply_to,
            ]
            .into_iter()
            .map(|all| pairs(all))
            .sum::<usize>()
            + self.text.len()
            + self.html.len()
            + self.parts.iter().map(part).sum::<usize>()
            + self.leaves.len() * size_of::<(Range<usize>, Range<usize>)>()
    }
}

/// The fields of a header section in order: names as sent, values unfolded. Lines that are not fields are left out.
pub(crate) fn fields(section: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut continues = false;
    for line in section.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = fields.last_mut().filter(|_| continues) {
                let more = String::from_utf8_lossy(line);
                let more = more.trim();
                if !value.is_empty() && !more.is_empty() {
                    value.push(' ');
                }
                value.push_str(more);
            }
            continue;
        }
        let colon = line.iter().position(|octet| *octet == b':');
        continues = false;
        if let Some(colon) = colon.filter(|colon| *colon > 0) {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
            fields.push((text(&line[..colon]), text(&line[colon + 1..])));
            continues = true;
        }
    }
    fields
}

/// The content of a part.
pub(crate) struct Contents {
    pub(crate) content_type: String,
    pub(crate) file_name: String,
    /// The decoded content.
    pub(crate) octets: Vec<u8>,
}

/// Any part by its number. An attached part is parsed alone if the result is the same.
pub(crate) fn part(raw: &[u8], mail: &Mail, id: usize) -> Option<Contents> {
    let attached = mail.parts.iter().find(|part| part.id == id);
    attached.and_then(|part| alone(raw, part)).or_else(|| {
        let parsed = MessageParser::default().parse(raw)?;
        let part = parsed.part(u32::try_from(id).ok()?)?;
        Some(Contents::of(part))
    })
}

fn alone(raw: &[u8], part: &Part) -> Option<Contents> {
    let parsed = MessageParser::default().parse(raw.get(part.place.clone())?)?;
    let contents = Contents::of(parsed.part(0)?);
    let same = contents.octets.len() == part.size
        && contents.content_type == part.content_type
        && contents.file_name == part.file_name;
    same.then_some(contents)
}

impl Contents {
    fn of(part: &MessagePart<'_>) -> Self {
        Self {
            content_type: content_type(part),
            file_name: file_name(part),
            octets: part.contents().to_vec(),
        }
    }
}

fn root_body(parsed: &mail_parser::Message<'_>) -> usize {
    parsed
        .parts
        .first()
        .map_or(0, |root| root.offset_body as usize)
}

fn mailboxes(field: Option<&Address<'_>>) -> Vec<Mailbox> {
    let mailbox = |addr: &Addr<'_>| {
        (
            addr.name().unwrap_or_default().to_owned(),
            addr.address().unwrap_or_default().to_owned(),
        )
    };
    field.map_or_else(Vec::new, |address| address.iter().map(mailbox).collect())
}

/// The date by RFC 5322 §3.3, where the seconds are optional; mail-parser requires them.
fn date(parsed: &mail_parser::Message<'_>, fields: &[(String, String)]) -> Option<String> {
    let (_, text) = fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    if let Ok(zoned) = parser.parse_zoned(text) {
        let offset = zoned.offset();
        return Some(match offset.seconds() {
            0 => zoned.timestamp().to_string(),
            _ => zoned.timestamp().display_with_offset(offset).to_string(),
        });
    }
    let date = parsed.date().filter(|date| date.is_valid());
    date.map(mail_parser::DateTime::to_rfc3339)
}

fn is_attachment(part: &MessagePart<'_>) -> bool {
    part.content_disposition()
        .is_some_and(|d| d.is_attachment())
}

/// mail-parser takes any text within multipart/alternative for the body, even a part with the disposition attachment.
fn body_text(parsed: &mail_parser::Message<'_>) -> String {
    let shown = |id: &u32| parsed.part(*id).is_some_and(|part| !is_attachment(part));
    let position = parsed.text_body.iter().position(shown);
    let text = position.and_then(|position| parsed.body_text(position));
    text.map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn body_html(parsed: &mail_parser::Message<'_>) -> String {
    let mut bodies = parsed.html_bodies().filter(|part| !is_attachment(part));
    let own = bodies.find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.clone().into_owned()),
        _ => None,
    });
    own.unwrap_or_default()
}

/// The parts that mail-parser takes for attachments, and those with the disposition attachment.
fn parts(parsed: &mail_parser::Message<'_>) -> Vec<Part> {
    let attached: std::collections::BTreeSet<_> = parsed.attachments.iter().copied().collect();
    let all = (0_u32..).zip(&parsed.parts);
    let wanted = all
        .filter(|(id, part)| attached.contains(id) || !part.is_multipart() && is_attachment(part));
    wanted
        .map(|(id, part)| part_of(id as usize, part))
        .collect()
}

fn part_of(id: usize, part: &MessagePart<'_>) -> Part {
    let octets = part.contents();
    let hex = |digest: &[u8]| digest.iter().map(|octet| format!("{octet:02x}")).collect();
    Part {
        id,
        place: part.offset_header as usize..part.offset_end as usize,
        file_name: file_name(part),
        content_type: content_type(part),
        content_id: part.content_id().unwrap_or_default().to_owned(),
        inline: !is_attachment(part)
            && (part.content_disposition().is_some_and(|d| d.is_inline())
                || part.content_id().is_some()),
        size: octets.len(),
        md5: hex(&Md5::digest(octets)),
        sha1: hex(&Sha1::digest(octets)),
        sha256: hex(&Sha256::digest(octets)),
    }
}

fn content_type(part: &MessagePart<'_>) -> String {
    let kind = match part.content_type() {
        Some(kind) => {
            let subtype = kind.subtype().unwrap_or("octet-stream");
            format!("{}/{subtype}", kind.ctype())
        }
        None if part.is_text() => "text/plain".to_owned(),
        None => "application/octet-stream".to_owned(),
    };
    kind.to_ascii_lowercase()
}

fn file_name(part: &MessagePart<'_>) -> String {
    harmless(part.attachment_name().unwrap_or_default())
}

fn leaves(parsed: &mail_parser::Message<'_>, size: usize) -> Vec<(Range<usize>, Range<usize>)> {
    if parsed.parts.len() < 2 {
        return Vec::new();
    }
    let leaves = parsed
        .parts
        .iter()
        .skip(1)
        .filter(|part| !part.is_multipart());
    let place = |part: &MessagePart<'_>| {
        let end = (part.offset_end as usize).min(size);
        let body = (part.offset_body as usize).min(end);
        ((part.offset_header as usize).min(body)..body, body..end)
    };
    leaves.map(place).collect()
}

/// A file name without directories, control characters and quotes (MailHog's CVE-2022-50908, MailDev's CVE-2024-27448).
pub(crate) fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain =
        |c: &char| !c.is_control() && !matches!(c, '"' | '<' | '>' | '\'' | '`' | '&' | ';');
    let kept: String = last.chars().filter(plain).take(120).collect();
    kept.trim_start_matches('.').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attachments_are_names() {
        for (name, expected) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            (
                "<img src=x onerror=alert(1)>.png",
                "img src=x onerror=alert(1).png",
            ),
            ("a\"; filename=\"b.exe", "a filename=b.exe"),
            ("x\r\nSet-Cookie: y", "xSet-Cookie: y"),
            ("..", ""),
        ] {
            assert_eq!(harmless(name), expected);
        }
    }

    #[test]
    fn fields_are_unchanged() {
        let section = b"From x\r\n lost\r\nX-One: a\r\n\tb \r\nsubject:c\r\nX-ONE: \xff\r\n: none\r\nEmpty:\r\n folded\r\n\r\n";
        let expected = [
            ("X-One", "a b"),
            ("subject", "c"),
            ("X-ONE", "\u{fffd}"),
            ("Empty", "folded"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields(section), expected);
    }

    #[test]
    fn rfc5322_dates() {
        for (text, date) in [
            (
                "Sat, 21 Nov 2026 08:00:00 +0000",
                Some("2026-11-21T08:00:00Z"),
            ),
            ("Sat, 21 Nov 2026 08:00 +0000", Some("2026-11-21T08:00:00Z")),
            ("21 Nov 2026 08:00 +0100", Some("2026-11-21T08:00:00+01:00")),
            ("Sat, 21 Nov 2026 08:00 GMT", Some("2026-11-21T08:00:00Z")),
            (
                "Sun, 21 Nov 2026 08:00 -0330 (comment)",
                Some("2026-11-21T08:00:00-03:30"),
            ),
            ("yesterday", None),
            ("", None),
        ] {
            let raw = format!("Date: {text}\r\n\r\nx\r\n");
            assert_eq!(Mail::read(raw.as_bytes()).date.as_deref(), date, "{text}");
        }
        assert_eq!(Mail::read(b"Subject: x\r\n\r\n").date, None);
    }

    /// The disposition attachment decides, whatever the part has otherwise: text, a Content-ID, or alternatives around
    /// it.
    #[test]
    fn a_part_with_disposition_attachment_is_an_attachment() {
        let inner = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\nContent-ID: <1@x>\r\n\r\nattached\r\n";
        for (kind, before) in [
            ("mixed", "--x\r\nContent-Type: text/plain\r\n\r\nshown\r\n"),
            (
                "alternative",
                "--x\r\nContent-Type: text/plain\r\n\r\nshown\r\n",
            ),
            ("related", "--x\r\nContent-Type: text/html\r\n\r\nshown\r\n"),
            ("mixed", ""),
            ("alternative", ""),
        ] {
            let raw = format!(
                "Content-Type: multipart/{kind}; boundary=x\r\n\r\n{before}--x\r\n{inner}--x--\r\n"
            );
            let mail = Mail::read(raw.as_bytes());
            let found: Vec<_> = mail
                .parts
                .iter()
                .map(|p| (p.file_name.as_str(), p.inline))
                .collect();
            assert_eq!(found, [("a.txt", false)], "{raw}");
            assert!(!mail.text.contains("attached"), "{raw}");
            assert_eq!(mail.text.contains("shown"), !before.is_empty(), "{raw}");
        }
        let whole = Mail::read(format!("Subject: x\r\n{inner}").as_bytes());
        assert_eq!((whole.parts.len(), whole.text.as_str()), (1, ""));
        let inline = inner.replace("attachment", "inline");
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\ny\r\n--x\r\n{}--x--\r\n",
            inline.replace("text/plain", "image/png")
        );
        assert!(Mail::read(raw.as_bytes()).parts[0].inline);
    }
}
