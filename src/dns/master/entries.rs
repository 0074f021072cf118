//! Splits master-file text into entries: tokens with their quoting, with parentheses joined and comments removed.

use super::MasterMistake;
use crate::dns::token::Token;

/// One entry, on one or several lines.
pub(super) struct Entry {
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    /// Whether it begins with a space, so that its owner is that of the previous entry.
    pub(super) blank_owner: bool,
}

impl Entry {
    pub(super) fn mistake(&self, expected: &str, found: impl Into<String>) -> MasterMistake {
        mistake(self.line, expected, found)
    }
}

fn mistake(line: usize, expected: &str, found: impl Into<String>) -> MasterMistake {
    MasterMistake {
        line,
        expected: expected.to_owned(),
        found: found.into(),
    }
}

/// Reads a text entry by entry.
pub(super) struct Entries<'t> {
    rest: &'t [u8],
    line: usize,
}

impl<'t> Entries<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            line: 0,
        }
    }

    /// Reads the next entry into `tokens`. After a mistake, reading continues on the next line.
    pub(super) fn next(
        &mut self,
        tokens: &mut Vec<Token<'t>>,
    ) -> Option<Result<Entry, MasterMistake>> {
        loop {
            tokens.clear();
            let first = self.take_line()?;
            let entry = Entry {
                line: self.line,
                blank_owner: first.first().is_some_and(|c| matches!(c, b' ' | b'\t')),
            };
            let mut open = match split(first, self.line, false, tokens) {
                Ok(open) => open,
                Err(mistake) => return Some(Err(mistake)),
            };
            while open {
                let Some(line) = self.take_line() else {
                    return Some(Err(
                        entry.mistake("a closing parenthesis", "the end of the text")
                    ));
                };
                open = match split(line, self.line, true, tokens) {
                    Ok(open) => open,
                    Err(mistake) => return Some(Err(mistake)),
                };
            }
            if !tokens.is_empty() {
                return Some(Ok(entry));
            }
        }
    }

    fn take_line(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.line += 1;
        Some(line)
    }
}

/// Reads the tokens of a line. Returns true if a parenthesis is open at its end.
fn split<'t>(
    line: &'t [u8],
    number: usize,
    mut open: bool,
    tokens: &mut Vec<Token<'t>>,
) -> Result<bool, MasterMistake> {
    let mut at = 0;
    while let Some(first) = line.get(at) {
        match first {
            b';' => break,
            b'(' => open = true,
            b')' if open => open = false,
            b')' => return Err(mistake(number, "an opening parenthesis before", ")")),
            b'"' => {
                let end = at + 1 + end_of(&line[at + 1..], |c| c == b'"');
                if end >= line.len() {
                    return Err(mistake(number, "a closing quote", "the end of the line"));
                }
                tokens.push(Token {
                    octets: &line[at + 1..end],
                    quoted: true,
                });
                at = end;
            }
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {}
            _ => {
                let stop = |c| {
                    matches!(
                        c,
                        b' ' | b'\t' | b'\r' | 0x0b | 0x0c | b';' | b'(' | b')' | b'"'
                    )
                };
                let length = end_of(&line[at..], stop);
                tokens.push(Token {
                    octets: &line[at..at + length],
                    quoted: false,
                });
                at += length - 1;
            }
        }
        at += 1;
    }
    Ok(open)
}

/// The end of a token, with escapes skipped: the index of the stop character, or the length.
fn end_of(text: &[u8], stop: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(octet) = text.get(at) {
        if *octet == b'\\' {
            at += 1;
        } else if stop(*octet) {
            return at;
        }
        at += 1;
    }
    text.len()
}
