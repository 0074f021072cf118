//! Compares two answers: what must agree, and the report of differences.

use std::collections::BTreeMap;
use std::fmt;

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record};

use crate::case::{Case, is_dname};
use crate::questions::Question;
use crate::{hickory, intended};

/// Maximum number of differences in the report.
const WRITTEN: usize = 25;

/// The result.
#[derive(Default)]
pub struct Report {
    /// Answers compared, by server and RCODE.
    pub answers: BTreeMap<(&'static str, String), usize>,
    /// Intended differences, by server and reason.
    pub intended: BTreeMap<(&'static str, &'static str), usize>,
    /// Questions whose answers depended on the size limit and were asked again over TCP, by server.
    pub again: BTreeMap<&'static str, usize>,
    /// All other differences.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares two answers to one question. If they depend on the size limit, both servers are asked `again` over TCP,
    /// as a client does: those answers must agree, and our answer over UDP must be a valid part of ours over TCP.
    pub fn compare(&mut self, case: &Case, again: impl FnOnce() -> (Message, Message)) {
        let (server, question, ours) = (case.server, case.question, case.ours);
        *self
            .answers
            .entry((server, format!("{:?}", ours.metadata.response_code)))
            .or_default() += 1;
        let real = &self.without_peculiarities(case);
        let case = &Case { real, ..*case };
        if agree(case) {
            return;
        }
        let cut = |message: &Message| message.metadata.truncation;
        let sized = cut(ours) || cut(real) || case.agree_without_additional();
        if question.tcp || !sized {
            self.judge(case, "");
            return;
        }
        *self.again.entry(server).or_default() += 1;
        let (whole, other) = again();
        if let Some(fault) = invalid_part(question, ours, &whole) {
            let real = &whole;
            self.disagree(&Case { real, ..*case }, fault);
        }
        let (ours, real) = (&whole, &other);
        let whole = &Case {
            ours,
            real,
            ..*case
        };
        let real = &self.without_peculiarities(whole);
        let agreed = self.judge(&Case { real, ..*whole }, "again over tcp");
        if agreed && header(case.ours, false) != header(case.real, false) {
            self.disagree(case, "headers over udp");
        }
    }

    /// Their answer after the peculiarities of the server are reverted.
    fn without_peculiarities(&mut self, case: &Case) -> Message {
        let mut real = case.real.clone();
        for peculiarity in intended::peculiarities(case.server) {
            let before = summary(&real, false);
            peculiarity.undo(case, &mut real);
            if summary(&real, false) != before {
                let seen = self.intended.entry((case.server, peculiarity.reason));
                *seen.or_default() += 1;
            }
        }
        real
    }

    /// Whether two answers agree; if not, the difference is counted or reported.
    fn judge(&mut self, case: &Case, how: &str) -> bool {
        if agree(case) {
            return true;
        }
        match intended::explains(case) {
            Some(row) => *self.intended.entry((case.server, row.reason)).or_default() += 1,
            None => self.disagree(case, how),
        }
        false
    }

    fn disagree(&mut self, case: &Case, how: &str) {
        let question = case.question;
        self.disagreements.push(format!(
            "{}: {} {} {}{:?} {how}\n  ours {}\n  real {}",
            case.server,
            question.name,
            question.record_type,
            if question.tcp { "tcp " } else { "" },
            question.version.map(|version| (version, question.size)),
            summary(case.ours, true),
            summary(case.real, true),
        ));
    }
}

/// Whether two answers are equal in everything that is compared.
fn agree(case: &Case) -> bool {
    let additional = compares_additional(case.server, case.ours);
    summary(case.ours, additional) == summary(case.real, additional)
}

/// NSD adds nothing to an answer, because that setting is off; what it adds to a referral must agree. hickory-server
/// adds nothing to a referral, and to an answer the addresses of the first host of the set.
fn compares_additional(server: &str, ours: &Message) -> bool {
    match server {
        "knot" => true,
        hickory::NAME => false,
        _ => !ours.metadata.authoritative && !ours.authorities.is_empty(),
    }
}

/// Why an answer over UDP is not a valid part of the one over TCP; `None` if it is. With TC it has no records, and the
/// full answer does not fit; without TC it has all answers, the whole authority section, and the addresses of name
/// servers within a delegated zone.
fn invalid_part(question: &Question, part: &Message, whole: &Message) -> Option<&'static str> {
    let mut needed = whole.clone();
    needed.additionals.retain(|record| is_glue(record, whole));
    if part.metadata.truncation {
        let empty =
            part.answers.is_empty() && part.authorities.is_empty() && part.additionals.is_empty();
        // hickory-proto compresses names slightly differently.
        let octets = needed.to_vec().map_or(0, |octets| octets.len());
        return match (empty, octets * 5 > question.size * 4) {
            (false, _) => Some("TC with records"),
            (true, false) => Some("TC though everything fits"),
            (true, true) => None,
        };
    }
    let same = |one: &[Record], other: &[Record]| set(one) == set(other);
    let within = |some: &[Record], all: &[Record]| {
        let all = set(all);
        set(some).iter().all(|record| all.contains(record))
    };
    let sound = same(&part.answers, &whole.answers)
        && same(&part.authorities, &whole.authorities)
        && within(&part.additionals, &whole.additionals)
        && within(&needed.additionals, &part.additionals);
    (!sound).then_some("a part for the whole without TC")
}

/// Whether a record is the address of a name server within the zone that a referral delegates.
fn is_glue(record: &Record, referral: &Message) -> bool {
    referral.authorities.iter().any(|delegation| {
        matches!(&delegation.data, RData::NS(host)
            if host.0 == record.name && delegation.name.zone_of(&host.0))
    })
}

/// Everything that must agree, as text: sections are sets, names are in lower case.
pub fn summary(message: &Message, additional: bool) -> String {
    let additional = if additional {
        &message.additionals[..]
    } else {
        &[]
    };
    let sections =
        [&message.answers, &message.authorities, additional].map(|section| set(section).join(", "));
    format!("{} | {}", header(message, true), sections.join(" | "))
}

/// RCODE, flags and EDNS, as text, with or without TC.
fn header(message: &Message, truncation: bool) -> String {
    let header = &message.metadata;
    let flags = [
        ("aa", header.authoritative),
        ("tc", header.truncation && truncation),
        ("rd", header.recursion_desired),
        ("ra", header.recursion_available),
        ("ad", header.authentic_data),
        ("cd", header.checking_disabled),
    ];
    let flags: Vec<_> = flags
        .iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| *name)
        .collect();
    let edns = message.edns.as_ref().map_or("none".to_owned(), |edns| {
        format!(
            "{}{}",
            edns.version(),
            if edns.flags().dnssec_ok { " do" } else { "" }
        )
    });
    let (rcode, flags) = (u16::from(header.response_code), flags.join(" "));
    format!("rcode {rcode} {flags} edns {edns}")
}

/// The records of a section, sorted.
pub fn set(section: &[Record]) -> Vec<String> {
    let mut records: Vec<_> = section.iter().map(text).collect();
    records.sort();
    records
}

/// A record in lower case. For hickory-proto the data of a DNAME are octets, so their case is changed first.
pub fn text(record: &Record) -> String {
    match &record.data {
        RData::Unknown { rdata, .. } if is_dname(record) => {
            let target = rdata.anything.to_ascii_lowercase();
            format!("{} {} dname {target:?}", record.name, record.ttl)
        }
        _ => record.to_string(),
    }
    .to_ascii_lowercase()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for disagreement in self.disagreements.iter().take(WRITTEN) {
            writeln!(f, "DISAGREEMENT {disagreement}")?;
        }
        for ((server, rcode), count) in &self.answers {
            writeln!(f, "  {count:6} {rcode} {server}")?;
        }
        for (server, count) in &self.again {
            writeln!(f, "  {count:6} asked again over TCP, {server}")?;
        }
        for ((server, reason), count) in &self.intended {
            writeln!(f, "  {count:6} times meant, {server}: {reason}")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
