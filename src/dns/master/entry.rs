//! Master-file text split into entries: tokens with their quoting, parentheses joined, comments left out.

use super::MasterMistake;

/// One entry, maybe of several lines.
pub(super) struct Entry {
    /// The line it begins on, from 1.
    pub(super) line: usize,
    /// Whether it begins with a blank: the owner is that of the entry before.
    pub(super) blank_owner: bool,
    pub(super) tokens: Vec<Token>,
}

/// One word or quoted string, escapes kept as written.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl Token {
    /// The octets that the text stands for: `\DDD` is an octet, `\X` is X (RFC 1035 §5.1).
    pub(super) fn octets(&self) -> Option<Vec<u8>> {
        let mut octets = Vec::with_capacity(self.text.len());
        let mut rest = self.text.as_bytes();
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            if *octet != b'\\' {
                octets.push(*octet);
            } else if let Some(digits) = after.get(..3).filter(|d| d.iter().all(u8::is_ascii_digit)) {
                octets.push(std::str::from_utf8(digits).ok()?.parse().ok()?);
                rest = &after[3..];
            } else {
                let (escaped, after) = after.split_first()?;
                octets.push(*escaped);
                rest = after;
            }
        }
        Some(octets)
    }

    /// The token as it stood in the text.
    pub(super) fn written(&self) -> String {
        if self.quoted { format!("\"{}\"", self.text) } else { self.text.clone() }
    }
}

impl Entry {
    pub(super) fn mistake(&self, expected: &str, found: &str) -> MasterMistake {
        mistake(self.line, expected, found)
    }
}

fn mistake(line: usize, expected: &str, found: &str) -> MasterMistake {
    MasterMistake { line, expected: expected.to_owned(), found: found.to_owned() }
}

/// Tokens as one text, for reports.
pub(super) fn text(tokens: &[Token]) -> String {
    tokens.iter().map(Token::written).collect::<Vec<_>>().join(" ")
}

/// Splits text into entries; an entry that cannot be split is a mistake, and the next line begins anew.
pub(super) fn split(text: &str) -> Vec<Result<Entry, MasterMistake>> {
    let mut entries = Vec::new();
    let mut open: Option<Entry> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let continued = open.is_some();
        let entry = open.get_or_insert_with(|| Entry {
            line: number,
            blank_owner: line.starts_with([' ', '\t']),
            tokens: Vec::new(),
        });
        match tokens(line, number, continued, &mut entry.tokens) {
            Ok(true) => {}
            Ok(false) => entries.extend(open.take().filter(|e| !e.tokens.is_empty()).map(Ok)),
            Err(mistake) => {
                open = None;
                entries.push(Err(mistake));
            }
        }
    }
    if let Some(entry) = open {
        entries.push(Err(entry.mistake("a closing parenthesis", "the end of the text")));
    }
    entries
}

/// Takes the tokens of a line; true where a parenthesis stays open.
fn tokens(line: &str, number: usize, mut open: bool, tokens: &mut Vec<Token>) -> Result<bool, MasterMistake> {
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            ';' => break,
            '(' => open = true,
            ')' if open => open = false,
            ')' => return Err(mistake(number, "an opening parenthesis before", ")")),
            '"' => {
                let end = end_of(&rest[1..], |c| c == '"').filter(|end| rest[1..].len() > *end);
                let end = end.ok_or_else(|| mistake(number, "a closing quote", "the end of the line"))?;
                tokens.push(Token { text: rest[1..=end].to_owned(), quoted: true });
                length = end + 2;
            }
            c if c.is_whitespace() => {}
            _ => {
                let stop = |c: char| c.is_whitespace() || matches!(c, ';' | '(' | ')' | '"');
                length = end_of(rest, stop).unwrap_or(rest.len());
                tokens.push(Token { text: rest[..length].to_owned(), quoted: false });
            }
        }
        rest = &rest[length..];
    }
    Ok(open)
}

/// Where a token ends, escapes passed over: the index of the stop, or the length.
fn end_of(text: &str, stop: impl Fn(char) -> bool) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((index, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if stop(c) {
            return Some(index);
        }
    }
    Some(text.len())
}
