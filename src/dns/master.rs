//! RFC 1035 §5 master-file text, read entry by entry, so that every mistake has its line, and a large file takes
//! no more memory than its records.

mod generate;
mod token;

use hickory_proto::rr::Record;

use super::{label, rdata};
use crate::name::{Name, RecordType};
pub(super) use token::Token;
use token::{Entries, Entry};

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

/// A record as it was read, in wire form.
#[derive(Clone, Copy, Debug)]
pub struct Row<'r> {
    /// The line it begins on, from 1.
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

    /// The host that an NS, MX or SRV record names.
    pub fn target(&self) -> Option<Name> {
        rdata::target(self.kind, self.data).map(label::name)
    }

    /// The record as hickory-proto has it; `None` where it cannot read the data.
    pub fn record(&self) -> Option<Record> {
        super::node::record(self.owner, self.kind, self.ttl, self.data)
    }
}

/// Reads zone text; every record comes with the line it begins on, every mistake is reported.
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

/// Reads zone text and hands on each record as it comes; octets need not be UTF-8.
///
/// # Errors
/// All mistakes of the text; the records without a mistake are handed on all the same.
pub fn read_master(
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

/// What earlier entries set for later ones.
struct Reader {
    origin: Vec<u8>,
    ttl: u32,
    /// Empty before the first record.
    owner: Vec<u8>,
    /// The text that `owner` was read from, empty where the origin has changed since.
    written: Vec<u8>,
    /// The data of the record being read.
    data: Vec<u8>,
}

impl Reader {
    /// Reads one entry: a record, which is handed on, or a directive.
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
                let expected =
                    "a zone in one piece: $INCLUDE is refused, a scenario reads no further files";
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
            return Err(entry.mistake("an owner name in the first record", "a blank"));
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
        // A bad owner leaves none behind: the records below it would go to another name.
        self.written.clear();
        self.owner =
            name.ok_or_else(|| entry.mistake("a domain name as owner", token::text(&[*token])))?;
        self.written.extend_from_slice(token.octets);
        Ok(())
    }

    /// TTL and class in either order, each at most once, then the type.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    fn parse(text: &str) -> Result<Vec<String>, Vec<(usize, String, String)>> {
        let origin = name::absolute("example.test").expect("a name");
        let lines = |records: Vec<(usize, Record)>| {
            records
                .iter()
                .map(|(line, r)| format!("{line} {r}"))
                .collect()
        };
        let parsed = parse_master(text, &origin, 300).map(lines);
        parsed.map_err(|all| {
            all.into_iter()
                .map(|m| (m.line, m.expected, m.found))
                .collect()
        })
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parse(text).expect("no mistakes"), expected);
    }

    #[track_caller]
    fn check_mistake(text: &str, line: usize, expected: &str, found: &str) {
        let mistakes = parse(text).expect_err("a mistake");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(
            (mistakes[0].0, mistakes[0].2.as_str()),
            (line, found),
            "{}",
            mistakes[0].1
        );
        assert!(mistakes[0].1.contains(expected), "{}", mistakes[0].1);
    }

    #[test]
    fn rfc1035_5_1_entries() {
        check(
            "www A 192.0.2.1\n",
            &["1 www.example.test. 300 IN A 192.0.2.1"],
        );
        check(
            "@ 60 IN A 192.0.2.1",
            &["1 example.test. 60 IN A 192.0.2.1"],
        );
        check(
            "www IN 1h A 192.0.2.1",
            &["1 www.example.test. 3600 IN A 192.0.2.1"],
        );
        check(
            "a A 192.0.2.1\n  AAAA 2001:db8::1 ; second\n",
            &[
                "1 a.example.test. 300 IN A 192.0.2.1",
                "2 a.example.test. 300 IN AAAA 2001:db8::1",
            ],
        );
        check(
            "$ORIGIN sub.test.\n$TTL 2d\nm MX 10 mx\n",
            &["3 m.sub.test. 172800 IN MX 10 mx.sub.test."],
        );
        check(
            "$ORIGIN sub\nm NS @\n",
            &["2 m.sub.example.test. 300 IN NS sub.example.test."],
        );
        check("\n\n; only a comment\n", &[]);
        check(
            "t TXT \"a; b\" \"c\\\"d\" plain\n",
            &["1 t.example.test. 300 IN TXT a; bc\"dplain"],
        );
        check(
            "u PTR a_b.test.",
            &["1 u.example.test. 300 IN PTR a_b.test."],
        );
        check(
            "* CNAME www.other.test.\n",
            &["1 *.example.test. 300 IN CNAME www.other.test."],
        );
    }

    #[test]
    fn several_lines_in_parentheses() {
        let soa = "@ SOA ns hostmaster ( 1 ; serial\n 3600 600\n 86400 60 )\nwww A 192.0.2.1";
        let records = parse(soa).expect("no mistakes");
        assert!(
            records[0].contains("ns.example.test. hostmaster.example.test. 1 3600 600 86400 60"),
            "{records:?}"
        );
        assert_eq!(records[1], "4 www.example.test. 300 IN A 192.0.2.1");
    }

    #[test]
    fn further_types() {
        let count = |text: &str| parse(text).expect("no mistakes").len();
        assert_eq!(
            count(
                "_smtp._tcp SRV 0 5 25 mx\n@ CAA 0 issue \"ca.test\"\nx TYPE65280 \\# 3 abcdef\nh HINFO \"a b\" c\n"
            ),
            4
        );
    }

    #[test]
    fn mistakes_have_line_expected_found() {
        check_mistake("a A 300.1.2.3", 1, "an IPv4 address", "300.1.2.3");
        check_mistake("a A 192.0.2.1\n\nb AAAA x", 3, "an IPv6 address", "x");
        check_mistake("a A", 1, "an IPv4 address", "nothing");
        check_mistake("a FOO 1", 1, "a record type", "FOO");
        check_mistake("a MX mx", 1, "a preference and a host name", "mx");
        check_mistake("a", 1, "a record type", "nothing");
        check_mistake("  A 192.0.2.1", 1, "an owner name", "a blank");
        check_mistake("$INCLUDE x.zone", 1, "$INCLUDE is refused", "$INCLUDE");
        check_mistake("$DATE 1", 1, "$ORIGIN, $TTL or $GENERATE", "$DATE");
        check_mistake("$GENERATE 1-2 a A 1", 1, "an IPv4 address", "1");
        check_mistake("$GENERATE 2-1 a A 192.0.2.$", 1, "first-last", "2-1");
        check_mistake(
            "$GENERATE 1-2 a A 192.0.2.${x}",
            1,
            "offset",
            "192.0.2.${x}",
        );
        check_mistake("$GENERATE 1-2", 1, "first-last", "$GENERATE 1-2");
        check_mistake("a CLASS3 TXT x", 1, "class IN", "CLASS3");
        check_mistake("a TXT \"open", 1, "a closing quote", "the end of the line");
        check_mistake(
            "a SOA ns h ( 1 2",
            1,
            "a closing parenthesis",
            "the end of the text",
        );
        check_mistake("a A 192.0.2.1 )", 1, "an opening parenthesis", ")");
        check_mistake("a CH TXT x", 1, "class IN", "CH");
        check_mistake("a TYPE9 \\# 2 ab", 1, "RFC 3597", "\\# 2 ab");
    }

    #[test]
    fn numbers_have_no_signs_and_ttls_an_end() {
        check_mistake("a 99999999999 A 192.0.2.1", 1, "a TTL", "99999999999");
        check_mistake("a 99999999w A 192.0.2.1", 1, "a TTL", "99999999w");
        check_mistake("a 4294967296 A 192.0.2.1", 1, "below 2^32", "4294967296");
        check_mistake("a 1w2 A 192.0.2.1", 1, "a TTL", "1w2");
        check_mistake("a 1 2 A 192.0.2.1", 1, "one TTL", "2");
        check_mistake(
            "$TTL 99999999999w\nx A 192.0.2.1",
            1,
            "after $TTL",
            "99999999999w",
        );
        check_mistake("a MX +1 x", 1, "a preference", "+1 x");
        check_mistake("a MX 65536 x", 1, "a preference", "65536 x");
        check_mistake(
            "a SOA ns h 1 99999999w 1 1 1",
            1,
            "mname",
            "ns h 1 99999999w 1 1 1",
        );
        check_mistake("a TYPE9 \\# 1 +1", 1, "RFC 3597", "\\# 1 +1");
        check_mistake("a TYPE+9 \\# 0", 1, "a record type", "TYPE+9");
        check_mistake("a TYPE1 \\# 3 c00002", 1, "an IPv4 address", "\\# 3 c00002");
        // RFC 2181 §8: with its first bit set, a TTL is 0.
        check(
            "a 2147483648 CLASS1 A 192.0.2.1\n$TTL 4294967295\nb A 192.0.2.1",
            &[
                "1 a.example.test. 0 IN A 192.0.2.1",
                "3 b.example.test. 0 IN A 192.0.2.1",
            ],
        );
        check(
            "a 2147483647 A 192.0.2.1",
            &["1 a.example.test. 2147483647 IN A 192.0.2.1"],
        );
        check(
            "_x SRV 0 5 25 mx",
            &["1 _x.example.test. 300 IN SRV 0 5 25 mx.example.test."],
        );
        check(
            "_x SRV 0 5 25 @",
            &["1 _x.example.test. 300 IN SRV 0 5 25 example.test."],
        );
        check(
            "A A 192.0.2.1\r\nIN A 192.0.2.2\r\n",
            &[
                "1 A.example.test. 300 IN A 192.0.2.1",
                "2 IN.example.test. 300 IN A 192.0.2.2",
            ],
        );
    }

    #[test]
    fn generated_records() {
        check(
            "$GENERATE 1-3/2 h$ 60 IN A 192.0.2.${10}\n  TXT \"of the last\"\n$generate 8-9 $ CNAME $.8-9",
            &[
                "1 h1.example.test. 60 IN A 192.0.2.11",
                "1 h3.example.test. 60 IN A 192.0.2.13",
                "2 h3.example.test. 300 IN TXT of the last",
                "3 8.example.test. 300 IN CNAME 8.8-9.example.test.",
                "3 9.example.test. 300 IN CNAME 9.8-9.example.test.",
            ],
        );
    }

    #[test]
    fn every_mistake_is_reported() {
        assert_eq!(
            parse("a A x\nb A 192.0.2.1\nc AAAA y\nd NOPE z")
                .expect_err("mistakes")
                .len(),
            3
        );
    }

    #[test]
    fn odd_text_never_panics() {
        for text in [
            "\\",
            "a TXT \\",
            "a TXT \\9",
            "a TXT \"\\300\"",
            "(",
            ")",
            "\"",
            "a SRV",
            "a CAA",
            "a CAA 0",
            "a TLSA 1 1 1 zz",
            "a SSHFP",
            "a NAPTR",
            "a\0 A 1",
            "é A 1",
            "$TTL",
            "$TTL x",
            "$ORIGIN",
            "a SVCB 1 . x=y",
            "a CERT 1 1 1",
            "a OPENPGPKEY",
            "a A ( 192.0.2.1",
        ] {
            let _ = parse(text);
        }
    }
}
