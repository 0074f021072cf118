//! Zone text in master-file format (RFC 1035 §5). It is read entry by entry, so that each mistake has its line and a
//! large file needs no more memory than its records.

mod entries;
mod generate;
#[cfg(test)]
mod tests;

use hickory_proto::rr::Record;

use super::token::{self, Token};
use super::{label, rdata};
use crate::name::{Name, RecordType};
use entries::{Entries, Entry};

/// A mistake in zone text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterMistake {
    /// Line within the text, from 1.
    pub line: usize,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// A record from zone text, in wire form.
#[derive(Clone, Copy, Debug)]
pub struct Row<'r> {
    /// The line on which it begins, from 1.
    pub line: usize,
    pub(super) owner: &'r [u8],
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: &'r [u8],
}

impl Row<'_> {
    /// The owner.
    pub fn owner(&self) -> Name {
        label::name(self.owner)
    }

    /// The type.
    pub fn record_type(&self) -> RecordType {
        self.kind.into()
    }

    /// The host in an NS, MX or SRV record.
    pub fn target(&self) -> Option<Name> {
        rdata::target(self.kind, self.data).map(label::name)
    }

    /// The record as a type of hickory-proto; `None` if hickory-proto cannot parse the data.
    pub fn record(&self) -> Option<Record> {
        super::node::record(self.owner, self.kind, self.ttl, self.data)
    }
}

/// Parses zone text. Every record has the line on which it begins, and all mistakes are reported.
///
/// # Errors
/// All mistakes of the text.
pub fn parse_master(
    text: &str,
    origin: &Name,
    default_ttl: u32,
) -> Result<Vec<(usize, Record)>, Vec<MasterMistake>> {
    let mut records = Vec::new();
    let take = |row: Row<'_>| records.extend(row.record().map(|record| (row.line, record)));
    read_master(text.as_bytes(), origin, default_ttl, take).map(|()| records)
}

/// Parses zone text and passes each record to `take` immediately. The text need not be UTF-8.
///
/// # Errors
/// All mistakes of the text. Records without a mistake are passed on nevertheless.
pub(crate) fn read_master(
    text: &[u8],
    origin: &Name,
    default_ttl: u32,
    mut take: impl FnMut(Row<'_>),
) -> Result<(), Vec<MasterMistake>> {
    let origin = label::of(origin);
    let mut reader = Reader {
        origin,
        ttl: if default_ttl > i32::MAX as u32 {
            0
        } else {
            default_ttl
        },
        owner: Vec::new(),
        data: Vec::new(),
        written: Vec::new(),
    };
    let mut entries = Entries::new(text);
    let (mut tokens, mut mistakes) = (Vec::new(), Vec::new());
    while let Some(entry) = entries.next(&mut tokens) {
        let read = entry.and_then(|entry| reader.read(&entry, &tokens, &mut take));
        mistakes.extend(read.err());
    }
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(mistakes)
    }
}

/// The state between entries.
struct Reader {
    origin: Vec<u8>,
    ttl: u32,
    /// The last owner; empty before the first record.
    owner: Vec<u8>,
    /// The text of `owner`; empty if the origin has changed since.
    written: Vec<u8>,
    /// The data of the current record.
    data: Vec<u8>,
}

impl Reader {
    /// Reads one entry: a record, which is passed on, or a directive.
    fn read(
        &mut self,
        entry: &Entry,
        tokens: &[Token],
        take: &mut impl FnMut(Row<'_>),
    ) -> Result<(), MasterMistake> {
        match tokens
            .first()
            .filter(|t| !entry.blank_owner && !t.quoted && t.octets.starts_with(b"$"))
        {
            Some(directive) if directive.octets.eq_ignore_ascii_case(b"$GENERATE") => {
                self.generate(entry, tokens, take)
            }
            Some(directive) => {
                self.directive(entry, &directive.word().to_ascii_uppercase(), tokens)
            }
            None => self.record(entry, tokens, take),
        }
    }

    fn directive(
        &mut self,
        entry: &Entry,
        directive: &str,
        tokens: &[Token],
    ) -> Result<(), MasterMistake> {
        match (directive, tokens) {
            ("$INCLUDE", _) => {
                let expected = "the whole zone in one text: $INCLUDE is refused, because a scenario reads no further files";
                Err(entry.mistake(expected, "$INCLUDE"))
            }
            ("$ORIGIN" | "$TTL", [_]) => {
                Err(entry.mistake(&format!("a value after {directive}"), "nothing"))
            }
            ("$ORIGIN", [_, name]) => {
                let origin = label::parse(name.octets, &self.origin);
                self.origin = origin.ok_or_else(|| {
                    entry.mistake("a domain name after $ORIGIN", token::text(&[*name]))
                })?;
                self.written.clear();
                Ok(())
            }
            ("$TTL", [_, ttl]) => {
                let seconds = rdata::ttl(ttl.word()).filter(|_| !ttl.octets.is_empty());
                self.ttl = seconds.ok_or_else(|| {
                    entry.mistake(&format!("{TTL}, after $TTL"), token::text(&[*ttl]))
                })?;
                Ok(())
            }
            ("$ORIGIN" | "$TTL", [_, _, more @ ..]) => {
                Err(entry.mistake(&format!("one value after {directive}"), token::text(more)))
            }
            _ => Err(entry.mistake("$ORIGIN, $TTL or $GENERATE", directive)),
        }
    }

    fn record(
        &mut self,
        entry: &Entry,
        tokens: &[Token],
        take: &mut impl FnMut(Row<'_>),
    ) -> Result<(), MasterMistake> {
        let mut rest = tokens;
        if !entry.blank_owner
            && let Some((owner, after)) = rest.split_first()
        {
            self.owner(entry, owner)?;
            rest = after;
        }
        if self.owner.is_empty() {
            return Err(entry.mistake("an owner name in the first record", "a space"));
        }
        let (ttl, kind, data) = self.head(entry, rest)?;
        self.data(kind, data)
            .ok_or_else(|| entry.mistake(rdata::expected(kind), token::text(data)))?;
        take(Row {
            line: entry.line,
            owner: &self.owner,
            kind,
            ttl,
            data: &self.data,
        });
        Ok(())
    }

    fn owner(&mut self, entry: &Entry, token: &Token) -> Result<(), MasterMistake> {
        if self.written == token.octets && !self.written.is_empty() {
            return Ok(());
        }
        let name = (!token.quoted)
            .then(|| label::parse(token.octets, &self.origin))
            .flatten();
        // An invalid owner is not kept: the following records would be added to another name.
        self.written.clear();
        self.owner =
            name.ok_or_else(|| entry.mistake("a domain name as owner", token::text(&[*token])))?;
        self.written.extend_from_slice(token.octets);
        Ok(())
    }

    /// Reads TTL and class in either order, each at most once, then the type.
    fn head<'k, 't>(
        &self,
        entry: &Entry,
        mut tokens: &'k [Token<'t>],
    ) -> Result<(u32, u16, &'k [Token<'t>]), MasterMistake> {
        let (mut ttl, mut class) = (None, false);
        while let Some((token, rest)) = tokens.split_first() {
            let word = if token.quoted { "" } else { token.word() };
            let mistake = |expected: &str| Err(entry.mistake(expected, token::text(&[*token])));
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                match rdata::ttl(word) {
                    Some(seconds) if ttl.is_none() => ttl = Some(seconds),
                    Some(_) => return mistake("one TTL"),
                    None => return mistake(TTL),
                }
            } else if is_class(word, &["IN", "CLASS1"]) && !class {
                class = true;
            } else if is_class(word, &["CH", "HS", "CS", "CLASS2", "CLASS3", "CLASS4"]) {
                return mistake("class IN");
            } else {
                return match rdata::record_type(word) {
                    Some(kind) => Ok((ttl.unwrap_or(self.ttl), kind, rest)),
                    None => mistake(TYPE),
                };
            }
            tokens = rest;
        }
        Err(entry.mistake(TYPE, "nothing"))
    }

    fn data(&mut self, kind: u16, tokens: &[Token]) -> Option<()> {
        match tokens {
            [mark, rest @ ..] if mark.octets == b"\\#" && !mark.quoted => {
                rdata::read_unknown(kind, rest, &mut self.data)
            }
            _ => rdata::read(kind, tokens, &self.origin, &mut self.data),
        }
    }
}

/// Whether a word is one of these classes (RFC 3597 §5 has the numbered form).
fn is_class(word: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| word.eq_ignore_ascii_case(class))
}

const TTL: &str = "a TTL in seconds below 2^32, such as 3600 or 1h (RFC 2181 §8)";
const TYPE: &str = "a record type such as A, PTR, MX or TXT";
