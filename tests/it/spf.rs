//! SPF with the openspf test suite for RFC 7208, if its file is present.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use martinet::facts::{Lookup, LookupRecord, Outcome, SpfQuery, check_host};
use martinet::name::{Name, RecordType, of_octets};
use serde::Deserialize;

#[derive(Deserialize)]
struct Suite {
    description: String,
    tests: HashMap<String, Case>,
    zonedata: HashMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Case {
    helo: Option<String>,
    host: String,
    mailfrom: String,
    result: OneOrMore,
    explanation: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::More(more) => more.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    /// `TIMEOUT`: types without an entry get no answer.
    Word(String),
    Record(HashMap<String, Value>),
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(u32),
    List(Vec<Value>),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::List(list) => list.iter().map(Self::text).collect(),
        }
    }
}

struct World<'a> {
    zone: &'a HashMap<String, Vec<Entry>>,
}

impl World<'_> {
    fn entries(&self, name: &Name) -> Option<&Vec<Entry>> {
        self.zone
            .iter()
            .find(|(owner, _)| of_octets(owner).as_ref() == Some(name))
            .map(|(_, entries)| entries)
    }

    fn look(&self, name: &Name, record_type: RecordType, depth: usize) -> (Outcome, Vec<RData>) {
        let Some(entries) = self.entries(name) else {
            return (Outcome::NxDomain, Vec::new());
        };
        if depth > 10 {
            return (Outcome::ServFail, Vec::new());
        }
        let of = |wanted: &str| {
            let record = |e: &Entry| match e {
                Entry::Record(record) => record.get(wanted).cloned(),
                Entry::Word(_) => None,
            };
            entries.iter().filter_map(record).collect::<Vec<_>>()
        };
        let mut values = of(&record_type.to_string());
        // Records of type SPF are served as TXT, unless the suite has TXT too.
        if record_type == RecordType::TXT && values.is_empty() {
            values = of("SPF");
        }
        let records: Vec<_> = values
            .iter()
            .filter(|v| v.text() != "NONE")
            .filter_map(|v| data(record_type, v))
            .collect();
        if !records.is_empty() {
            return (Outcome::Data, records);
        }
        if let Some(alias) = of("CNAME").first() {
            let target = of_octets(&alias.text()).expect("a name");
            return self.look(&target, record_type, depth + 1);
        }
        let timeout = entries
            .iter()
            .any(|e| matches!(e, Entry::Word(word) if word == "TIMEOUT"));
        (
            if timeout {
                Outcome::Timeout
            } else {
                Outcome::NoData
            },
            Vec::new(),
        )
    }
}

fn data(record_type: RecordType, value: &Value) -> Option<RData> {
    let name = |text: &str| {
        if text.is_empty() {
            Some(Name::root())
        } else {
            of_octets(text)
        }
    };
    match record_type {
        RecordType::A => value.text().parse().ok().map(|a| RData::A(A(a))),
        RecordType::AAAA => value.text().parse().ok().map(|a| RData::AAAA(AAAA(a))),
        RecordType::PTR => name(&value.text()).map(|n| RData::PTR(PTR(n))),
        RecordType::MX => match value {
            Value::List(pair) => name(&pair[1].text()).map(|n| RData::MX(MX::new(0, n))),
            _ => None,
        },
        // A character of the file beyond ASCII is the octet with that number (ISO 8859-1).
        RecordType::TXT => {
            let octets: Vec<u8> = value
                .text()
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect();
            Some(RData::TXT(TXT::from_bytes(octets.chunks(255).collect())))
        }
        _ => None,
    }
}

impl Lookup for World<'_> {
    fn ask(&self, name: &Name, record_type: RecordType) -> Arc<LookupRecord> {
        let (outcome, records) = self.look(name, record_type, 0);
        Arc::new(LookupRecord {
            name: name.clone(),
            record_type,
            outcome,
            answers: records,
            elapsed: Duration::ZERO,
            fault: "",
        })
    }
}

#[test]
fn rfc7208_test_suite() {
    let default = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/spf/rfc7208-tests.yml"
    );
    let path = std::env::var_os("MARTINET_SPF_TESTS")
        .map_or_else(|| PathBuf::from(default), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(&path) else {
        let name = path.file_name().unwrap_or_default().display();
        crate::skipped::record(&format!("the test suite of RFC 7208: {name} is not here"));
        return;
    };
    let suites: Vec<Suite> = serde_saphyr::from_multiple(&text).expect("the test suite");
    let (mut all, mut failed) = (0, Vec::new());
    for suite in &suites {
        let world = World {
            zone: &suite.zonedata,
        };
        for (name, case) in &suite.tests {
            all += 1;
            let helo = case.helo.as_deref().unwrap_or_default();
            let query = SpfQuery {
                ip: case.host.parse().expect("an address"),
                helo,
                sender: &case.mailfrom,
                receiver: "receiver.test",
            };
            let spf = check_host(&query, &world, &mut Vec::new());
            let accepted = case.result.list();
            if !accepted.iter().any(|r| r == spf.result.word()) {
                failed.push(format!(
                    "{} / {name}: expected {accepted:?}, found {} {}",
                    suite.description,
                    spf.result.word(),
                    spf.problem
                ));
            } else if let Some(expected) = case
                .explanation
                .as_ref()
                .filter(|e| *e != "DEFAULT" && spf.result.word() == "fail")
                && *expected != spf.explanation
            {
                failed.push(format!(
                    "{} / {name}: expected explanation {expected:?}, found {:?}",
                    suite.description, spf.explanation
                ));
            }
        }
    }
    println!(
        "SPF: {} of {all} tests of the RFC 7208 suite",
        all - failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(all > 200, "only {all} tests");
}
