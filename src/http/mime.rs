//! A stored message as mail-parser reads it. One that cannot be read is still shown, raw.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mail_parser::{Addr, Address, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::journal::Message;

/// A message with what could be read of it.
pub(super) struct Mail<'a> {
    /// Its octets, the receiver's fields first.
    pub raw: &'a [u8],
    /// What could be read.
    pub parsed: Option<mail_parser::Message<'a>>,
}

/// A part that is not the text itself.
pub(super) struct Part<'a> {
    /// Its number within the message.
    pub id: usize,
    /// Its file name, made harmless; empty where it has none.
    pub file_name: String,
    /// Its type, for example `image/png`.
    pub content_type: String,
    /// Its Content-ID without brackets, empty where it has none.
    pub content_id: String,
    /// Whether it is meant to be shown within the text.
    pub inline: bool,
    /// Its octets, decoded.
    pub octets: &'a [u8],
}

impl<'a> Mail<'a> {
    /// Reads a message.
    pub fn read(raw: &'a [u8]) -> Self {
        Self {
            raw,
            parsed: MessageParser::default().parse(raw),
        }
    }

    /// The subject, decoded.
    pub fn subject(&self) -> String {
        self.parsed
            .as_ref()
            .and_then(|mail| mail.subject())
            .unwrap_or_default()
            .to_owned()
    }

    /// The Message-ID without brackets.
    pub fn message_id(&self) -> String {
        self.parsed
            .as_ref()
            .and_then(|mail| mail.message_id())
            .unwrap_or_default()
            .to_owned()
    }

    /// The addresses of a field of the header section, as names and addresses.
    pub fn addresses(
        &self,
        field: impl Fn(&mail_parser::Message<'a>) -> Option<Address<'a>>,
    ) -> Vec<(String, String)> {
        let one = |addr: &Addr<'_>| {
            (
                addr.name().unwrap_or_default().to_owned(),
                addr.address().unwrap_or_default().to_owned(),
            )
        };
        let found = self.parsed.as_ref().and_then(field);
        found
            .iter()
            .flat_map(|address| address.iter().map(one).collect::<Vec<_>>())
            .collect()
    }

    /// The text, or what of the HTML is text.
    pub fn text(&self) -> String {
        let Some(mail) = &self.parsed else {
            return String::new();
        };
        // mail-parser takes a text within multipart/alternative for a body, even one that says that it is attached.
        let shown = |id: &u32| mail.part(*id).is_some_and(|part| !says_attachment(part));
        let position = mail.text_body.iter().position(shown);
        let text = position.and_then(|position| mail.body_text(position));
        text.map(Cow::into_owned).unwrap_or_default()
    }

    /// The HTML, empty where the message has none of its own.
    pub fn html(&self) -> String {
        let Some(mail) = &self.parsed else {
            return String::new();
        };
        let mut bodies = mail.html_bodies().filter(|part| !says_attachment(part));
        let own = bodies.find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.clone().into_owned()),
            _ => None,
        });
        own.unwrap_or_default()
    }

    /// The fields of the header section in their order: named as they stand there, unfolded.
    pub fn headers(&self) -> Vec<(String, String)> {
        let root = self.parsed.as_ref().and_then(|mail| mail.parts.first());
        let end = root.map_or(0, |root| root.offset_body as usize);
        fields(&self.raw[..end.min(self.raw.len())])
    }

    /// The Date field, where it is a date (RFC 5322 §3.3). The seconds may be left out, which mail-parser does not read.
    pub fn date(&self) -> Option<String> {
        let fields = self.headers();
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
        let date = self.parsed.as_ref()?.date().filter(|date| date.is_valid());
        date.map(mail_parser::DateTime::to_rfc3339)
    }

    /// The parts that are attached or inline.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let Some(mail) = &self.parsed else {
            return Vec::new();
        };
        let attached: BTreeSet<_> = mail.attachments.iter().copied().collect();
        let all = (0_u32..).zip(&mail.parts);
        let wanted = all.filter(|(id, part)| {
            attached.contains(id) || !part.is_multipart() && says_attachment(part)
        });
        wanted
            .map(|(id, part)| self.part_of(id as usize, part))
            .collect()
    }

    /// Any part by its number.
    pub fn part(&self, id: usize) -> Option<Part<'_>> {
        let part = self.parsed.as_ref()?.part(u32::try_from(id).ok()?)?;
        Some(self.part_of(id, part))
    }

    fn part_of<'p>(&'p self, id: usize, part: &'p MessagePart<'a>) -> Part<'p> {
        let kind = part.content_type();
        let content_type = match kind {
            Some(kind) => format!(
                "{}/{}",
                kind.ctype(),
                kind.subtype().unwrap_or("octet-stream")
            ),
            None if part.is_text() => "text/plain".to_owned(),
            None => "application/octet-stream".to_owned(),
        };
        Part {
            id,
            file_name: harmless(part.attachment_name().unwrap_or_default()),
            content_type: content_type.to_ascii_lowercase(),
            content_id: part.content_id().unwrap_or_default().to_owned(),
            inline: !says_attachment(part)
                && (part.content_disposition().is_some_and(|d| d.is_inline())
                    || part.content_id().is_some()),
            octets: part.contents(),
        }
    }

    /// The first words of the text.
    pub fn snippet(&self) -> String {
        let text = self.text();
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ").chars().take(250).collect()
    }
}

/// The octets of a message as the compatible APIs show them.
pub(super) fn raw(message: &Message) -> Vec<u8> {
    message.raw()
}

/// The fields of a header section in their order: names as they stand there, values unfolded. What is no field is
/// left out.
fn fields(section: &[u8]) -> Vec<(String, String)> {
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

fn says_attachment(part: &MessagePart<'_>) -> bool {
    part.content_disposition()
        .is_some_and(|d| d.is_attachment())
}

/// A file name that is a name and nothing else: no directory, no control character, no quote (MailHog's
/// CVE-2022-50908, MailDev's CVE-2024-27448).
pub(super) fn harmless(name: &str) -> String {
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
        for (given, kept) in [
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
            assert_eq!(harmless(given), kept);
        }
    }

    #[test]
    fn fields_as_they_stand() {
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
            assert_eq!(Mail::read(raw.as_bytes()).date().as_deref(), date, "{text}");
        }
        assert_eq!(Mail::read(b"Subject: x\r\n\r\n").date(), None);
    }

    /// A part is attached where it says so, whatever else it has: text, a Content-ID, or alternatives around it.
    #[test]
    fn what_says_attachment_is_attached() {
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
                .parts()
                .iter()
                .map(|p| (p.file_name.clone(), p.inline))
                .collect();
            assert_eq!(found, [("a.txt".to_owned(), false)], "{raw}");
            assert!(!mail.text().contains("attached"), "{raw}");
            assert_eq!(mail.text().contains("shown"), !before.is_empty(), "{raw}");
        }
        let whole = format!("Subject: x\r\n{inner}");
        let whole = Mail::read(whole.as_bytes());
        assert_eq!((whole.parts().len(), whole.text().as_str()), (1, ""));
        let inline = inner.replace("attachment", "inline");
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\ny\r\n--x\r\n{}--x--\r\n",
            inline.replace("text/plain", "image/png")
        );
        assert!(Mail::read(raw.as_bytes()).parts()[0].inline);
    }
}
