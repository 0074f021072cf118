//! RFC 1035 §5 master-file text. Entries are split here, so that every mistake has its line; the data of a record
//! is read by hickory-proto, except where its text form is an address or a string.

mod entry;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, NULL, PTR, TXT};
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::txt::{Parser, parse_ttl};

use crate::name::{Name, RecordType};
use entry::{Entry, Token};

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

/// Reads zone text; every record comes with the line it begins on, every mistake is reported.
///
/// # Errors
/// All mistakes of the text.
pub fn parse_master(text: &str, origin: &Name, default_ttl: u32) -> Result<Vec<(usize, Record)>, Vec<MasterMistake>> {
    let mut reader = Reader { origin: origin.clone(), ttl: default_ttl, owner: None };
    let (mut records, mut mistakes) = (Vec::new(), Vec::new());
    for entry in entry::split(text) {
        match entry.and_then(|entry| Ok((entry.line, reader.read(&entry)?))) {
            Ok((line, Some(record))) => records.push((line, record)),
            Ok((_, None)) => {}
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(records) } else { Err(mistakes) }
}

/// What earlier entries set for later ones.
struct Reader {
    origin: Name,
    ttl: u32,
    owner: Option<Name>,
}

impl Reader {
    /// Reads one entry: a record, or nothing for a directive.
    fn read(&mut self, entry: &Entry) -> Result<Option<Record>, MasterMistake> {
        let first = entry.tokens.first();
        match first.filter(|t| !entry.blank_owner && t.text.starts_with('$')) {
            Some(directive) => self.directive(entry, &directive.text.to_ascii_uppercase()).map(|()| None),
            None => self.record(entry).map(Some),
        }
    }

    fn directive(&mut self, entry: &Entry, directive: &str) -> Result<(), MasterMistake> {
        let argument = entry.tokens.get(1).map(|t| t.text.as_str());
        match (directive, argument) {
            ("$ORIGIN", Some(name)) => {
                self.origin = self.name(name).ok_or_else(|| entry.mistake("a domain name after $ORIGIN", name))?
            }
            ("$TTL", Some(ttl)) => {
                self.ttl = parse_ttl(ttl).map_err(|_| entry.mistake("a TTL after $TTL, such as 3600 or 1h", ttl))?
            }
            ("$ORIGIN" | "$TTL", None) => return Err(entry.mistake(&format!("a value after {directive}"), "nothing")),
            ("$INCLUDE", _) => {
                return Err(entry.mistake(
                    "a zone in one piece: $INCLUDE is refused, a scenario reads no further files",
                    "$INCLUDE",
                ));
            }
            _ => return Err(entry.mistake("$ORIGIN or $TTL", directive)),
        }
        Ok(())
    }

    fn record(&mut self, entry: &Entry) -> Result<Record, MasterMistake> {
        let mut tokens = entry.tokens.as_slice();
        if !entry.blank_owner
            && let Some((owner, rest)) = tokens.split_first()
        {
            self.owner =
                Some(self.name(&owner.text).ok_or_else(|| entry.mistake("a domain name as owner", &owner.text))?);
            tokens = rest;
        }
        let owner = self.owner.clone().ok_or_else(|| entry.mistake("an owner name in the first record", "a blank"))?;
        let (ttl, record_type, data) = self.head(entry, tokens)?;
        let data = self.data(entry, record_type, data)?;
        Ok(Record::from_rdata(owner, ttl, data))
    }

    /// TTL and class in either order, both optional, then the type.
    fn head<'t>(
        &self,
        entry: &Entry,
        mut tokens: &'t [Token],
    ) -> Result<(u32, RecordType, &'t [Token]), MasterMistake> {
        let mut ttl = self.ttl;
        while let Some((token, rest)) = tokens.split_first() {
            let word = token.text.to_ascii_uppercase();
            tokens = rest;
            if token.quoted {
                break;
            } else if word.starts_with(|c: char| c.is_ascii_digit()) {
                ttl = parse_ttl(&token.text).map_err(|_| entry.mistake("a TTL such as 3600 or 1h", &token.text))?;
            } else if matches!(word.as_str(), "CH" | "HS" | "CS") {
                return Err(entry.mistake("class IN", &token.text));
            } else if word != "IN" {
                let record_type = record_type(&word)
                    .ok_or_else(|| entry.mistake("a record type such as A, PTR, MX or TXT", &token.text))?;
                return Ok((ttl, record_type, rest));
            }
        }
        Err(entry.mistake("a record type such as A, PTR, MX or TXT", "nothing"))
    }

    fn data(&self, entry: &Entry, record_type: RecordType, tokens: &[Token]) -> Result<RData, MasterMistake> {
        let found = || if tokens.is_empty() { "nothing".to_owned() } else { entry::text(tokens) };
        let mistake = || entry.mistake(expected(record_type), &found());
        match (record_type, tokens) {
            (_, [mark, rest @ ..]) if mark.text == "\\#" && !mark.quoted => {
                unknown(record_type, rest).ok_or_else(mistake)
            }
            (_, []) => Err(mistake()),
            (RecordType::A, [address]) => address.text.parse().map(|a| RData::A(A(a))).map_err(|_| mistake()),
            (RecordType::AAAA, [address]) => address.text.parse().map(|a| RData::AAAA(AAAA(a))).map_err(|_| mistake()),
            (RecordType::A | RecordType::AAAA, _) => Err(mistake()),
            // hickory refuses host names with an underscore inside a label; DNS does not (RFC 2181 §11).
            (RecordType::PTR, [t]) => self.name(&t.text).map(|n| RData::PTR(PTR(n))).ok_or_else(mistake),
            (RecordType::NS, [t]) => self.name(&t.text).map(|n| RData::NS(NS(n))).ok_or_else(mistake),
            (RecordType::CNAME, [t]) => self.name(&t.text).map(|n| RData::CNAME(CNAME(n))).ok_or_else(mistake),
            (RecordType::MX, [preference, t]) => {
                let parts = preference.text.parse().ok().zip(self.name(&t.text));
                parts.map(|(preference, n)| RData::MX(MX::new(preference, n))).ok_or_else(mistake)
            }
            (RecordType::TXT, strings) => {
                let strings: Option<Vec<_>> = strings.iter().map(Token::octets).collect();
                let strings = strings.filter(|s| s.iter().all(|s| s.len() <= 255)).ok_or_else(mistake)?;
                Ok(RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect())))
            }
            _ => self.by_hickory(record_type, tokens).ok_or_else(mistake),
        }
    }

    /// Lets hickory-proto read the data: it takes whole files, so it is given one of one line.
    fn by_hickory(&self, record_type: RecordType, tokens: &[Token]) -> Option<RData> {
        let origin = self.origin.to_ascii();
        let written = tokens.iter().map(|t| if t.text == "@" && !t.quoted { origin.clone() } else { t.written() });
        let line = format!(". 0 IN {record_type} {}\n", written.collect::<Vec<_>>().join(" "));
        let (_, mut sets) = Parser::new(line, None, Some(self.origin.clone())).parse().ok()?;
        let (_, set) = sets.pop_first()?;
        set.records_without_rrsigs().next().map(|record| record.data.clone())
    }

    fn name(&self, text: &str) -> Option<Name> {
        let mut name = match text {
            "@" => return Some(self.origin.clone()),
            text if text.ends_with('.') && !text.ends_with("\\.") => Name::from_ascii(text).ok()?,
            text => Name::from_ascii(text).ok()?.append_domain(&self.origin).ok()?,
        };
        name.set_fqdn(true);
        Some(name)
    }
}

/// A type by its mnemonic or as TYPE1234 (RFC 3597 §5). Types that only questions have are none.
fn record_type(word: &str) -> Option<RecordType> {
    let record_type = match word.strip_prefix("TYPE") {
        Some(number) => RecordType::from(number.parse::<u16>().ok()?),
        None => word.parse().ok()?,
    };
    let question = matches!(record_type, RecordType::ANY | RecordType::AXFR | RecordType::IXFR | RecordType::OPT);
    (!question).then_some(record_type)
}

/// Data as `\# length hexadecimal` (RFC 3597 §5).
fn unknown(record_type: RecordType, tokens: &[Token]) -> Option<RData> {
    let (length, digits) = tokens.split_first()?;
    let digits: String = digits.iter().map(|t| t.text.as_str()).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let octets: Vec<u8> = pairs.collect::<Option<_>>()?;
    let whole = digits.len().is_multiple_of(2) && length.text.parse() == Ok(octets.len());
    whole.then(|| RData::Unknown { code: record_type, rdata: NULL::with(octets) })
}

fn expected(record_type: RecordType) -> &'static str {
    match record_type {
        RecordType::A => "an IPv4 address",
        RecordType::AAAA => "an IPv6 address",
        RecordType::PTR | RecordType::NS | RecordType::CNAME => "one domain name",
        RecordType::MX => "a preference and a host name, such as 10 mx.example.test.",
        RecordType::SOA => "mname rname serial refresh retry expire minimum",
        RecordType::SRV => "priority weight port target",
        RecordType::CAA => "flags tag \"value\"",
        RecordType::TXT => "strings of at most 255 octets each",
        _ => "data of the record's type, or \\# length hexadecimal (RFC 3597)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    fn parse(text: &str) -> Result<Vec<String>, Vec<(usize, String, String)>> {
        let origin = name::absolute("example.test").expect("a name");
        let lines = |records: Vec<(usize, Record)>| records.iter().map(|(line, r)| format!("{line} {r}")).collect();
        let parsed = parse_master(text, &origin, 300).map(lines);
        parsed.map_err(|all| all.into_iter().map(|m| (m.line, m.expected, m.found)).collect())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parse(text).expect("no mistakes"), expected);
    }

    #[track_caller]
    fn check_mistake(text: &str, line: usize, expected: &str, found: &str) {
        let mistakes = parse(text).expect_err("a mistake");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!((mistakes[0].0, mistakes[0].2.as_str()), (line, found), "{}", mistakes[0].1);
        assert!(mistakes[0].1.contains(expected), "{}", mistakes[0].1);
    }

    #[test]
    fn rfc1035_5_1_entries() {
        check("www A 192.0.2.1\n", &["1 www.example.test. 300 IN A 192.0.2.1"]);
        check("@ 60 IN A 192.0.2.1", &["1 example.test. 60 IN A 192.0.2.1"]);
        check("www IN 1h A 192.0.2.1", &["1 www.example.test. 3600 IN A 192.0.2.1"]);
        check(
            "a A 192.0.2.1\n  AAAA 2001:db8::1 ; second\n",
            &["1 a.example.test. 300 IN A 192.0.2.1", "2 a.example.test. 300 IN AAAA 2001:db8::1"],
        );
        check("$ORIGIN sub.test.\n$TTL 2d\nm MX 10 mx\n", &["3 m.sub.test. 172800 IN MX 10 mx.sub.test."]);
        check("$ORIGIN sub\nm NS @\n", &["2 m.sub.example.test. 300 IN NS sub.example.test."]);
        check("\n\n; only a comment\n", &[]);
        check("t TXT \"a; b\" \"c\\\"d\" plain\n", &["1 t.example.test. 300 IN TXT a; bc\"dplain"]);
        check("u PTR a_b.test.", &["1 u.example.test. 300 IN PTR a_b.test."]);
        check("* CNAME www.other.test.\n", &["1 *.example.test. 300 IN CNAME www.other.test."]);
    }

    #[test]
    fn several_lines_in_parentheses() {
        let soa = "@ SOA ns hostmaster ( 1 ; serial\n 3600 600\n 86400 60 )\nwww A 192.0.2.1";
        let records = parse(soa).expect("no mistakes");
        assert!(records[0].contains("ns.example.test. hostmaster.example.test. 1 3600 600 86400 60"), "{records:?}");
        assert_eq!(records[1], "4 www.example.test. 300 IN A 192.0.2.1");
    }

    #[test]
    fn further_types() {
        let count = |text: &str| parse(text).expect("no mistakes").len();
        assert_eq!(
            count("_smtp._tcp SRV 0 5 25 mx\n@ CAA 0 issue \"ca.test\"\nx TYPE65280 \\# 3 abcdef\nh HINFO \"a b\" c\n"),
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
        check_mistake("$GENERATE 1-2 a A 1", 1, "$ORIGIN or $TTL", "$GENERATE");
        check_mistake("a TXT \"open", 1, "a closing quote", "the end of the line");
        check_mistake("a SOA ns h ( 1 2", 1, "a closing parenthesis", "the end of the text");
        check_mistake("a A 192.0.2.1 )", 1, "an opening parenthesis", ")");
        check_mistake("a CH TXT x", 1, "class IN", "CH");
        check_mistake("a TYPE9 \\# 2 ab", 1, "RFC 3597", "\\# 2 ab");
    }

    #[test]
    fn every_mistake_is_reported() {
        assert_eq!(parse("a A x\nb A 192.0.2.1\nc AAAA y\nd NOPE z").expect_err("mistakes").len(), 3);
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
