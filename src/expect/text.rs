//! Expectations as one line of text: `client=192.0.2.10 verdict=reject rule=iprev times=2`.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::words::did_you_mean;
use super::{Expectation, Mail, Queries, Sessions, Times};

/// The entries that an expectation counts, with the names of their filters. A test checks each name.
const KINDS: [(&str, &[&str]); 3] = [
    (
        "sessions",
        &[
            "client_address",
            "helo",
            "receiver",
            "verdict",
            "transaction",
            "rule",
            "source",
            "stage",
            "code",
            "enhanced",
            "sender",
            "recipient",
            "since",
        ],
    ),
    (
        "queries",
        &["client_address", "name", "type", "rcode", "since"],
    ),
    ("mail", &["recipient", "sender", "session", "since"]),
];
/// The names for the number of matches.
const TIMES: [&str; 3] = ["times", "at_least", "at_most"];
/// The name of `client_address` in `[[expect]]`.
const CLIENT: &str = "client";
/// The names whose values are numbers.
const NUMBERS: [&str; 2] = ["code", "session"];

/// Parses conditions of a filter, with the names and values of the HTTP API, and a number of matches (`times`,
/// `at_least`, `at_most`). `client` is short for `client_address`. The first word `queries` or `mail` selects those
/// entries; otherwise sessions are counted. A value with spaces is quoted.
impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = words(text)?.into_iter().peekable();
        let (kind, names) = match words.next_if(|word| !word.contains('=')) {
            None => KINDS[0],
            Some(word) => *KINDS
                .iter()
                .find(|(kind, _)| *kind == word)
                .ok_or_else(|| {
                    let near = did_you_mean(&word, KINDS.map(|(kind, _)| kind));
                    format!("expected sessions, queries, mail or NAME=VALUE, found {word:?}{near}")
                })?,
        };
        let (mut filter, mut counts) = (Map::new(), Counts::default());
        let mut seen = Vec::new();
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("expected NAME=VALUE, found {word:?}"))?;
            if seen.iter().any(|other| other == name) {
                return Err(format!("expected {name} once, found it twice"));
            }
            seen.push(name.to_owned());
            if TIMES.contains(&name) {
                counts.read(name, value)?;
                continue;
            }
            let name = match name {
                CLIENT if names.contains(&"client_address") => "client_address",
                name => name,
            };
            if !names.contains(&name) {
                let near = did_you_mean(name, names.iter().chain(&TIMES).copied());
                let known = names.join(", ");
                return Err(format!(
                    "unknown name {name:?}, expected one of {known}, times, at_least, at_most{near}"
                ));
            }
            let number = NUMBERS.contains(&name).then(|| value.parse::<u64>().ok());
            let value = match number.flatten() {
                Some(number) => number.into(),
                None => value.into(),
            };
            filter.insert(name.to_owned(), value);
        }
        let times = counts.times()?;
        let expectation: Self = match kind {
            "queries" => read::<Queries>(filter)?.into(),
            "mail" => read::<Mail>(filter)?.into(),
            _ => read::<Sessions>(filter)?.into(),
        };
        Ok(expectation.often(times))
    }
}

fn read<T: DeserializeOwned>(filter: Map<String, Value>) -> Result<T, String> {
    // One condition at a time, so that a wrong value is reported with its name.
    for (name, value) in &filter {
        let condition = Map::from_iter([(name.clone(), value.clone())]);
        serde_json::from_value::<T>(condition.into()).map_err(|e| format!("{name}: {e}"))?;
    }
    serde_json::from_value(filter.into()).map_err(|e| e.to_string())
}

/// The number of matches, as written.
#[derive(Default)]
struct Counts {
    exactly: Option<u64>,
    least: Option<u64>,
    most: Option<u64>,
}

impl Counts {
    fn read(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = value
            .parse()
            .map_err(|_| format!("{name}: expected a number, found {value:?}"))?;
        let count = match name {
            "times" => &mut self.exactly,
            "at_least" => &mut self.least,
            _ => &mut self.most,
        };
        *count = Some(number);
        Ok(())
    }

    fn times(&self) -> Result<Times, String> {
        match (self.exactly, self.least, self.most) {
            (None, None, None) => Ok(Times::default()),
            (Some(times), None, None) => Ok(Times::exactly(times)),
            (Some(_), ..) => Err("expected times, or at_least and at_most, found both".to_owned()),
            (None, least, most) => {
                let least = least.unwrap_or(0);
                if most.is_some_and(|most| most < least) {
                    return Err("expected at_most to be at least at_least".to_owned());
                }
                Ok(Times { least, most })
            }
        }
    }
}

/// Splits a text at spaces. Quotes group a value with spaces.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("expected a closing quote, found the end".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = Expectation::from_str(text).map(|e| e.to_string());
        assert_eq!(read.unwrap_or_else(|e| e), expected, "{text}");
    }

    #[test]
    fn filters_and_times() {
        check(
            "client=192.0.2.10 verdict=reject rule=iprev",
            "sessions with client address 192.0.2.10, verdict reject, rule iprev, at least once",
        );
        check(
            "code=550 receiver=gmail times=2",
            "sessions with receiver gmail, code 550, 2 times",
        );
        check("times=0", "sessions, never");
        check(
            "sender='' at_most=3",
            "sessions with sender , at most 3 times",
        );
        check(
            "queries name=gmail.com type=MX",
            "DNS queries with name gmail.com, type MX, at least once",
        );
        check(
            "mail recipient='a b@c.test' at_least=2",
            "messages with recipient a b@c.test, at least 2 times",
        );
    }

    #[test]
    fn mistakes_suggest_the_intended_word() {
        for (text, part) in [
            ("verdct=reject", "did you mean \"verdict\"?"),
            ("rule=iprv", "rule: invalid value \"iprv\""),
            ("rule=iprv", "did you mean \"iprev\"?"),
            ("verdict=rejct", "did you mean \"reject\"?"),
            ("code=9", "code: invalid value 9"),
            ("code=x", "code: invalid type"),
            ("client=here", "client_address: invalid value \"here\""),
            ("session verdict=reject", "did you mean \"sessions\"?"),
            ("mail client=192.0.2.1", "unknown name \"client\""),
            ("verdict=reject stage", "expected NAME=VALUE"),
            ("rule=iprev rule=iprev", "found it twice"),
            ("times=x", "times: expected a number"),
            ("at_least=3 times=1", "found both"),
            ("at_least=3 at_most=2", "at_most to be at least at_least"),
            ("helo='a", "closing quote"),
        ] {
            let error = Expectation::from_str(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_name_is_read() {
        for (kind, names) in KINDS {
            for name in names {
                let value = match *name {
                    "client_address" => "192.0.2.0/24",
                    "verdict" | "transaction" => "defer",
                    "rule" => "iprev",
                    "source" => "rule",
                    "stage" => "helo",
                    "code" | "session" => "550",
                    "enhanced" => "5.7.25",
                    "since" => "2026-11-26T10:00:00Z",
                    "type" => "PTR",
                    "rcode" => "NXDOMAIN",
                    _ => "a.test",
                };
                let text = format!("{kind} {name}={value}");
                assert_eq!(Expectation::from_str(&text).map(drop), Ok(()), "{text}");
            }
        }
    }
}
