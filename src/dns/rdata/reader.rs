//! Reads the tokens of a record one after the other, with parsers for numbers and digits that several fields share.

use crate::dns::token::Token;

/// The remaining tokens of a record, and the octets so far.
pub(super) struct Reader<'r, 't> {
    pub(super) tokens: &'r [Token<'t>],
    pub(super) origin: &'r [u8],
    pub(super) data: &'r mut Vec<u8>,
}

impl<'r, 't> Reader<'r, 't> {
    pub(super) fn next(&mut self) -> Option<&'r Token<'t>> {
        let (token, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(token)
    }

    pub(super) fn word(&mut self) -> Option<&'t str> {
        self.next()
            .filter(|t| !t.quoted && !t.octets.is_empty())
            .map(Token::word)
            .filter(|w| !w.is_empty())
    }
}

/// Parses digits only; Rust's parser also accepts a sign.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Reads hexadecimal digits, two for each octet, from any number of tokens.
pub(super) fn hexadecimal(tokens: &[Token], octets: &mut Vec<u8>) -> Option<()> {
    let mut high = None;
    for digit in tokens.iter().flat_map(|t| t.octets) {
        let digit = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        match high.take() {
            Some(high) => octets.push(high << 4 | digit),
            None => high = Some(digit),
        }
    }
    high.is_none().then_some(())
}

/// Reads digits of `bits` bits each, with optional `=` signs at the end; all bits must be used.
pub(super) fn digits_of(
    tokens: &[Token],
    bits: u32,
    digit: fn(u8) -> Option<u8>,
    octets: &mut Vec<u8>,
) -> Option<()> {
    let (mut held, mut count) = (0_u32, 0);
    let mut digits = tokens.iter().flat_map(|t| t.octets);
    for octet in digits.by_ref() {
        if *octet == b'=' {
            break;
        }
        held = held << bits | u32::from(digit(*octet)?);
        count += bits;
        if count >= 8 {
            count -= 8;
            octets.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    (held == 0 && count < bits && digits.all(|octet| *octet == b'=')).then_some(())
}

/// A digit of base 64 (RFC 4648 §4).
pub(super) fn base64_digit(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
