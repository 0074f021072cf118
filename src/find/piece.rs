//! The pieces of a reply template: literal text, and placeholders with their possible values.

use super::canonical::canonical;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Any(Value),
}

/// The possible values of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// Minimum number of letters and digits.
    pub(super) least: usize,
    /// Maximum number of letters and digits.
    pub(super) most: usize,
    /// Whether it is an address: hexadecimal digits only.
    is_address: bool,
}

impl Value {
    /// The value of a placeholder.
    fn of(word: &str) -> Self {
        Self {
            least: shortest(word),
            most: longest(word),
            is_address: word == "ip",
        }
    }

    /// Two values without text between them.
    fn and(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            most: self.most + other.most,
            is_address: self.is_address && other.is_address,
        }
    }

    /// The maximum length of the value at the start of a text.
    pub(super) fn length(self, text: &[u8]) -> usize {
        let most = text.len().min(self.most);
        if !self.is_address {
            return most;
        }
        let digits = text[..most].iter().take_while(|c| c.is_ascii_hexdigit());
        digits.count()
    }
}

/// The number of letters and digits of the literal pieces.
pub(super) fn letters(pieces: &[Piece]) -> usize {
    let length = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Any(_) => 0,
    };
    pieces.iter().map(length).sum()
}

/// Splits the text of a template.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    loop {
        let (before, word, after) = match rest.split_once('{') {
            Some((before, from)) => match from.split_once('}') {
                Some((word, after)) => (before, Some(word), after),
                None => (rest, None, ""),
            },
            None => (rest, None, ""),
        };
        let literal = canonical(before);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        let Some(word) = word else {
            return pieces;
        };
        match pieces.last_mut() {
            Some(Piece::Any(value)) => *value = value.and(Value::of(word)),
            _ => pieces.push(Piece::Any(Value::of(word))),
        }
        rest = after;
    }
}

/// The maximum number of letters and digits of a placeholder.
fn longest(word: &str) -> usize {
    match word {
        "ip" => 40,
        "verb" | "spf" | "dkim" | "dmarc" => 4,
        "score" | "permitted" | "wait" => 12,
        "txt" | "exp" | "sender" | "rcpt" => 320,
        "id" | "what" => 80,
        _ => 255,
    }
}

/// The minimum: a sender can be null, and a list can have no text.
fn shortest(word: &str) -> usize {
    usize::from(!matches!(
        word,
        "sender" | "domain" | "txt" | "exp" | "what"
    ))
}
