//! The one interface to DNS: a lookup.

use std::sync::Arc;

use crate::lookup::LookupRecord;
use crate::name::{Name, RecordType};

/// Answers lookups: from the zones of a world, from a resolver outside, or from a table in tests.
pub trait Lookup {
    /// Performs one lookup. It never waits; the answer has the time that it would have taken.
    fn ask(&self, name: &Name, record_type: RecordType) -> Arc<LookupRecord>;
}

/// A [`Lookup`] over a few lines of text, for tests: `name TYPE data…` or `name TYPE SERVFAIL`.
#[cfg(test)]
pub(crate) mod table {
    use std::time::Duration;

    use hickory_proto::rr::RData;
    use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, SOA, TXT};

    use super::*;
    use crate::facts::ReceiverLookup;
    use crate::lookup::Outcome;
    use crate::name;

    /// The lines of a small world. Other names do not exist.
    pub(crate) struct Table {
        rows: Vec<(Name, RecordType, Outcome, Vec<RData>)>,
    }

    impl Table {
        /// The time of a timeout.
        pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

        /// Parses the lines; an invalid line fails the test.
        pub(crate) fn new(text: &str) -> Self {
            Self {
                rows: text
                    .lines()
                    .filter(|l| !l.trim().is_empty())
                    .map(row)
                    .collect(),
            }
        }
    }

    fn row(line: &str) -> (Name, RecordType, Outcome, Vec<RData>) {
        let words: Vec<_> = line.split_whitespace().collect();
        let name = name::absolute(words[0]).expect("a name");
        let record_type: RecordType = words[1].parse().expect("a type");
        let failures = [
            Outcome::NoData,
            Outcome::NxDomain,
            Outcome::ServFail,
            Outcome::Refused,
            Outcome::Timeout,
        ];
        if let Some(failure) = failures.into_iter().find(|o| o.word() == words[2]) {
            return (name, record_type, failure, Vec::new());
        }
        if record_type == RecordType::TXT {
            let text = words[2..].join(" ");
            return (
                name,
                record_type,
                Outcome::Data,
                vec![RData::TXT(TXT::from_bytes(vec![text.as_bytes()]))],
            );
        }
        let data = |text: &&str| match record_type {
            RecordType::A => RData::A(A(text.parse().expect("an IPv4 address"))),
            RecordType::AAAA => RData::AAAA(AAAA(text.parse().expect("an IPv6 address"))),
            RecordType::PTR => RData::PTR(PTR(name::absolute(text).expect("a name"))),
            RecordType::SOA => {
                let name = || name::absolute(text).expect("a name");
                RData::SOA(SOA::new(name(), name(), 1, 3600, 600, 86400, 60))
            }
            RecordType::MX => RData::MX(MX::new(10, name::absolute(text).expect("a name"))),
            other => panic!("no {other} in a table"),
        };
        (
            name,
            record_type,
            Outcome::Data,
            words[2..].iter().map(data).collect(),
        )
    }

    impl ReceiverLookup for Table {}

    impl Lookup for Table {
        fn ask(&self, name: &Name, record_type: RecordType) -> Arc<LookupRecord> {
            let exact = self
                .rows
                .iter()
                .find(|(n, t, ..)| n == name && *t == record_type);
            let (outcome, answers) = match exact {
                Some((_, _, outcome, answers)) => (*outcome, answers.clone()),
                None if self.rows.iter().any(|(n, ..)| n == name) => (Outcome::NoData, Vec::new()),
                None => (Outcome::NxDomain, Vec::new()),
            };
            let elapsed = if outcome == Outcome::Timeout {
                Self::TIMEOUT
            } else {
                Duration::ZERO
            };
            Arc::new(LookupRecord {
                name: name.clone(),
                record_type,
                outcome,
                answers,
                elapsed,
                fault: "",
            })
        }
    }
}
