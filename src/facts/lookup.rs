//! The one seam towards DNS: a question, and what came back, kept as evidence.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, Record};
use serde::Serialize;

use crate::dns::{Transport, Zones};
use crate::name::{self, Name, RecordType};

/// What a lookup came to. The five ways to have no data are different facts with different consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// At least one record of the type asked for.
    Data,
    /// The name exists, without records of this type (RFC 2308 §2.2).
    NoData,
    /// The name does not exist (RFC 2308 §2.1).
    NxDomain,
    /// The server could not answer (RCODE 2).
    ServFail,
    /// The server would not answer (RCODE 5), or was not authoritative.
    Refused,
    /// No answer within the receiver's patience.
    Timeout,
}

impl Outcome {
    /// True where a later try may tell: SERVFAIL, REFUSED, timeout. Such a failure is never proof of absence.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::ServFail | Self::Refused | Self::Timeout)
    }

    /// True where the answer is a proof of absence: NODATA or NXDOMAIN.
    pub const fn is_absent(self) -> bool {
        matches!(self, Self::NoData | Self::NxDomain)
    }

    /// The word people use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::NoData => "NODATA",
            Self::NxDomain => "NXDOMAIN",
            Self::ServFail => "SERVFAIL",
            Self::Refused => "REFUSED",
            Self::Timeout => "timeout",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// One question the receiver asked, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The name asked for.
    #[serde(serialize_with = "as_text")]
    pub name: Name,
    /// The type asked for.
    #[serde(rename = "type", serialize_with = "as_display")]
    pub record_type: RecordType,
    /// What it came to.
    pub outcome: Outcome,
    /// The data of the records of the type asked for, in answer order, CNAMEs followed.
    #[serde(serialize_with = "as_displays")]
    pub records: Vec<RData>,
    /// The time the answer took, in milliseconds in JSON.
    #[serde(rename = "elapsed_ms", serialize_with = "crate::journal::millis")]
    pub elapsed: Duration,
}

impl Question {
    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.records.iter().filter_map(|data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(a) => Some(IpAddr::V6(a.0)),
            _ => None,
        })
    }

    /// The names among the records of a PTR question.
    pub fn names(&self) -> impl Iterator<Item = &Name> + '_ {
        self.records.iter().filter_map(|data| match data {
            RData::PTR(name) => Some(&name.0),
            _ => None,
        })
    }
}

/// Answers the receiver's questions. The world's zones do it; a test may do it from a table.
pub trait Lookup {
    /// Asks one question. Never waits: the time it would have taken is in the answer.
    fn ask(&self, name: &Name, record_type: RecordType) -> Question;
}

/// Asks the world's zones as a stub resolver would: over UDP, again over TCP where the answer was truncated.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    zones: &'a Zones,
    patience: Duration,
}

impl<'a> Resolver<'a> {
    /// Makes a resolver that waits `patience` for an answer.
    pub fn new(zones: &'a Zones, patience: Duration) -> Self {
        Self { zones, patience }
    }

    fn over(&self, name: &Name, record_type: RecordType, transport: Transport) -> Question {
        let question =
            |outcome, records, elapsed| Question { name: name.clone(), record_type, outcome, records, elapsed };
        if !self.zones.holds(name) {
            // The root of this closed world knows the scenario's zones and nothing else.
            return question(Outcome::NxDomain, Vec::new(), Duration::ZERO);
        }
        let answer = self.zones.answer(name, record_type, transport);
        if answer.dropped || answer.delay >= self.patience {
            return question(Outcome::Timeout, Vec::new(), self.patience);
        }
        if answer.truncated && transport == Transport::Udp {
            let mut again = self.over(name, record_type, Transport::Tcp);
            again.elapsed += answer.delay;
            return again;
        }
        let records = matching(answer.answers, record_type);
        let outcome = outcome(answer.rcode, answer.authoritative, !records.is_empty());
        question(outcome, records, answer.delay)
    }
}

impl Lookup for Resolver<'_> {
    fn ask(&self, name: &Name, record_type: RecordType) -> Question {
        self.over(name, record_type, Transport::Udp)
    }
}

fn matching(answers: Vec<Record>, record_type: RecordType) -> Vec<RData> {
    answers.into_iter().filter(|r| r.record_type() == record_type).map(|r| r.data).collect()
}

/// A lame answer (no AA, no data) is a failure to answer, as a resolver reports it: SERVFAIL.
fn outcome(rcode: ResponseCode, authoritative: bool, data: bool) -> Outcome {
    match rcode {
        ResponseCode::NoError if data => Outcome::Data,
        ResponseCode::NoError if authoritative => Outcome::NoData,
        ResponseCode::NXDomain => Outcome::NxDomain,
        ResponseCode::Refused => Outcome::Refused,
        _ => Outcome::ServFail,
    }
}

fn as_text<S: serde::Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name::display(name))
}

fn as_display<S: serde::Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_displays<S: serde::Serializer>(values: &[RData], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

/// A [`Lookup`] over a few lines of text, for tests: `name TYPE data…` or `name TYPE SERVFAIL`.
#[cfg(test)]
pub(crate) mod table {
    use super::*;
    use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, SOA, TXT};

    /// Lines of a small world. A name that is not in it does not exist.
    pub(crate) struct Table {
        rows: Vec<(Name, RecordType, Outcome, Vec<RData>)>,
    }

    impl Table {
        /// What a timeout takes.
        pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

        /// Reads the lines; anything unreadable fails the test.
        pub(crate) fn new(text: &str) -> Self {
            Self { rows: text.lines().filter(|l| !l.trim().is_empty()).map(row).collect() }
        }
    }

    fn row(line: &str) -> (Name, RecordType, Outcome, Vec<RData>) {
        let words: Vec<_> = line.split_whitespace().collect();
        let name = name::absolute(words[0]).expect("a name");
        let record_type: RecordType = words[1].parse().expect("a type");
        let failures = [Outcome::NoData, Outcome::NxDomain, Outcome::ServFail, Outcome::Refused, Outcome::Timeout];
        if let Some(failure) = failures.into_iter().find(|o| o.word() == words[2]) {
            return (name, record_type, failure, Vec::new());
        }
        if record_type == RecordType::TXT {
            let text = words[2..].join(" ");
            return (name, record_type, Outcome::Data, vec![RData::TXT(TXT::from_bytes(vec![text.as_bytes()]))]);
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
        (name, record_type, Outcome::Data, words[2..].iter().map(data).collect())
    }

    impl Lookup for Table {
        fn ask(&self, name: &Name, record_type: RecordType) -> Question {
            let exact = self.rows.iter().find(|(n, t, ..)| n == name && *t == record_type);
            let (outcome, records) = match exact {
                Some((_, _, outcome, records)) => (*outcome, records.clone()),
                None if self.rows.iter().any(|(n, ..)| n == name) => (Outcome::NoData, Vec::new()),
                None => (Outcome::NxDomain, Vec::new()),
            };
            let elapsed = if outcome == Outcome::Timeout { Self::PATIENCE } else { Duration::ZERO };
            Question { name: name.clone(), record_type, outcome, records, elapsed }
        }
    }
}
