//! Tests of zone text: entries, parentheses, types, and invalid text.

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
    check_mistake("  A 192.0.2.1", 1, "an owner name", "a space");
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
