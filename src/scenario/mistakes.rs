//! Tests of mistakes that have no test elsewhere: numbers out of range, repeated names, receivers that do not exist.

use std::fs;

use super::{lint, parse_receiver, parse_scenario};
use crate::error::Error;
use crate::smtp::Extension;

/// Compares the line of each mistake, and parts of what was expected and found.
#[track_caller]
fn check(error: Option<Error>, expected: &[(usize, &str, &str)]) {
    let found = error
        .as_ref()
        .map(Error::mistakes_found)
        .unwrap_or_default();
    let got: Vec<_> = found
        .iter()
        .map(|m| format!("{}: {} | {}", m.line, m.expected, m.found))
        .collect();
    assert_eq!(found.len(), expected.len(), "{got:#?}");
    for (mistake, (line, part, found)) in found.iter().zip(expected) {
        let same = mistake.line == *line
            && mistake.expected.contains(part)
            && mistake.found.contains(found);
        assert!(same, "expected {line}: …{part}… | …{found}… in {got:#?}");
    }
}

#[track_caller]
fn scenario(text: &str, expected: &[(usize, &str, &str)]) {
    check(
        parse_scenario("bad.toml", &format!("title = \"t\"\n{text}")).err(),
        expected,
    );
}

#[track_caller]
fn receiver(text: &str, expected: &[(usize, &str, &str)]) {
    check(
        parse_receiver("bad.toml", &format!("title = \"t\"\n{text}")).err(),
        expected,
    );
}

#[test]
fn numbers_out_of_range() {
    let fault = "[[fault]]\nname = \"a.test\"\ndo = \"servfail\"\n";
    scenario(&format!("{fault}times = 4294967295"), &[]);
    scenario(
        &format!("{fault}times = -1"),
        &[(5, "a whole number", "-1")],
    );
    scenario(
        "[[expect]]\nask = \"a.test A\"\nedns = 65536",
        &[(4, "below 2^16", "65536")],
    );
    scenario(
        "[[zone]]\norigin = \"a.test\"\nttl = 99999999999\ntext = \"\"",
        &[(4, "below 2^32", "99999999999")],
    );
    scenario(
        "[[zone]]\norigin = \"a.test\"\nttl = -1\ntext = \"\"",
        &[(4, "a whole number", "-1")],
    );
    receiver("[smtp]\nsize = \"1M\"", &[(3, "a whole number", "1M")]);
}

#[test]
fn pools_of_one_name() {
    let pool = "[[pool]]\nname = \"p\"\naddresses = [\"192.0.2.1\"]\nhelo = \"h.test\"\n";
    scenario(
        &format!("{pool}{pool}"),
        &[(7, "a name that no other pool has", "a second pool \"p\"")],
    );
}

#[test]
fn receivers_that_do_not_exist() {
    scenario(
        "receiver = \"fcrdn\"",
        &[(2, "a known receiver", "did you mean \"fcrdns\"?")],
    );
    scenario(
        "receiver = \"./nosuch.toml\"",
        &[(2, "a receiver file that can be read", "nosuch.toml")],
    );
    let expect = "[[expect]]\nclient = \"192.0.2.1\"\nhelo = \"h.test\"\nreply = \"250\"\n";
    scenario(expect, &[]);
    scenario(
        &format!("{expect}receiver = \"nobody\""),
        &[(6, "a path with / or .toml", "unknown receiver")],
    );
}

#[test]
fn records_in_a_string_of_one_line() {
    let zone = "[[zone]]\norigin = \"a.test\"\ntext = \"@ A 192.0.2.1\\n@ A bogus\"\n[client]\nfrom = \"socket\"";
    scenario(zone, &[(4, "an IPv4 address", "bogus")]);
}

#[test]
fn error_replies() {
    let rule =
        |temp: &str| format!("[[rule]]\ncheck = \"iprev\"\ntemp = \"{temp}\"\nerror = \"550 no\"");
    receiver(&rule("as_fail"), &[]);
    receiver(&rule("defer_now"), &[(5, "never a 5yz", "550")]);
}

#[test]
fn extensions() {
    let text = "title = \"t\"\n[smtp]\nextensions = [\"SIZE\"]";
    let extensions = parse_receiver("r.toml", text)
        .expect("a receiver")
        .receiver
        .settings
        .extensions;
    assert!(extensions.offers(Extension::Size) && !extensions.offers(Extension::Pipelining));
    receiver(
        "[smtp]\nextensions = [\"TURN\"]",
        &[(3, "one of PIPELINING", "TURN")],
    );
    receiver(
        "[smtp]\nextensions = [\"SIZE\"]\nwithout = [\"SIZE\"]",
        &[(2, "extensions, or with", "both")],
    );
}

#[test]
fn scenarios_of_one_title() {
    let directory = std::env::temp_dir().join(format!("martinet-titles-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    for name in ["one.toml", "two.toml"] {
        fs::write(directory.join(name), "sources = []\ntitle = \"same\"\n").expect("a file");
    }
    let error = lint(std::slice::from_ref(&directory), false).err();
    fs::remove_dir_all(&directory).expect("the directory is removed");
    check(
        error,
        &[(2, "a title that no other scenario has", "one.toml")],
    );
}
