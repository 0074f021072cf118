//! A stored message as mail-parser reads it. One that cannot be read is still shown, raw.

use std::borrow::Cow;

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
        let text = self.parsed.as_ref().and_then(|mail| mail.body_text(0));
        text.map(Cow::into_owned).unwrap_or_default()
    }

    /// The HTML, empty where the message has none of its own.
    pub fn html(&self) -> String {
        let Some(mail) = &self.parsed else {
            return String::new();
        };
        let own = mail.html_bodies().find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.clone().into_owned()),
            _ => None,
        });
        own.unwrap_or_default()
    }

    /// The fields of the header section in their order, unfolded.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(mail) = &self.parsed else {
            return Vec::new();
        };
        mail.headers_raw()
            .map(|(name, value)| (name.to_owned(), unfolded(value)))
            .collect()
    }

    /// The parts that are attached or inline.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let Some(mail) = &self.parsed else {
            return Vec::new();
        };
        let part = |id: &u32| mail.part(*id).map(|part| self.part_of(*id as usize, part));
        mail.attachments.iter().filter_map(part).collect()
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
            inline: part.content_disposition().is_some_and(|d| d.is_inline())
                || part.content_id().is_some(),
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

fn unfolded(value: &str) -> String {
    value
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
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
    fn fields_are_unfolded() {
        assert_eq!(unfolded(" a\r\n\tb \r\n"), "a b");
    }
}
