//! The tokens of zone text, shared by entries and record data.

use std::borrow::Cow;

use super::label::unescape;

/// One word or quoted string, with its escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) octets: &'t [u8],
    pub(super) quoted: bool,
}

impl<'t> Token<'t> {
    /// The octets of the text: `\DDD` is an octet, `\X` is X (RFC 1035 §5.1).
    pub(super) fn unescaped(&self) -> Option<Cow<'t, [u8]>> {
        if !self.octets.contains(&b'\\') {
            return Some(Cow::Borrowed(self.octets));
        }
        let mut octets = Vec::with_capacity(self.octets.len());
        let mut rest = self.octets;
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            if *octet == b'\\' {
                let (octet, after) = unescape(rest)?;
                octets.push(octet);
                rest = after;
            } else {
                octets.push(*octet);
            }
        }
        Some(Cow::Owned(octets))
    }

    /// The token as text, for keywords and reports; empty if it is not UTF-8.
    pub(super) fn word(&self) -> &'t str {
        std::str::from_utf8(self.octets).unwrap_or_default()
    }

    fn written(&self) -> String {
        let text = String::from_utf8_lossy(self.octets);
        if self.quoted {
            format!("\"{text}\"")
        } else {
            text.into_owned()
        }
    }
}

/// Tokens as one text, for reports.
pub(super) fn text(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return "nothing".to_owned();
    }
    tokens
        .iter()
        .map(Token::written)
        .collect::<Vec<_>>()
        .join(" ")
}
