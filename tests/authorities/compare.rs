//! Two answers side by side: what has to agree, and the report of what does not.

use std::collections::BTreeMap;
use std::fmt;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::questions::Question;

/// Most disagreements that are written out.
const WRITTEN: usize = 25;

/// A difference that is meant to be.
struct Intended {
    reason: &'static str,
    holds: fn(server: &str, &Question, ours: &Message, theirs: &Message) -> bool,
}

/// The whole list. An entry says when it holds as narrowly as it can, so that it hides nothing else.
const INTENDED: &[Intended] = &[
    Intended {
        reason: "sixteen aliases are followed where a DNAME leads below itself; NSD stops at the first, Knot at the fifth",
        holds: |_, _, ours, theirs| {
            let aliases = |message: &Message| {
                let cname = |r: &&Record| r.record_type() == RecordType::CNAME;
                message.answers.iter().filter(cname).count()
            };
            let known = set(&ours.answers);
            let followed =
                aliases(ours) == 16 && set(&theirs.answers).iter().all(|r| known.contains(r));
            followed
                && (1..=5).contains(&aliases(theirs))
                && theirs.answers.iter().any(leads_below_itself)
        },
    },
    Intended {
        reason: "ANY gets the HINFO record of RFC 8482 §4.2; NSD sends all sets over TCP and TC over UDP, Knot one set",
        holds: |_, question, ours, theirs| {
            let refused = ours
                .answers
                .last()
                .is_some_and(|r| r.record_type() == RecordType::HINFO);
            question.record_type == RecordType::ANY
                && refused
                && ours.authorities == theirs.authorities
        },
    },
    Intended {
        reason: "a CNAME is followed into another zone of the server (RFC 1034 §4.3.2 3a); Knot stays in the zone",
        holds: |server, _, ours, theirs| {
            let crossing = theirs
                .answers
                .last()
                .is_some_and(|r| r.record_type() == RecordType::CNAME);
            let known = set(&ours.answers);
            let more = set(&theirs.answers).iter().all(|r| known.contains(r));
            server == "knot" && crossing && more && theirs.authorities.is_empty()
        },
    },
    Intended {
        reason: "the DS set stands in the zone above (RFC 4035 §3.1.4.1), also behind an alias of the child; Knot stays in the child",
        holds: |server, question, ours, theirs| {
            let known = set(&ours.answers);
            let negative = theirs
                .authorities
                .iter()
                .all(|r| r.record_type() == RecordType::SOA);
            server == "knot"
                && question.record_type == RecordType::DS
                && ours.authorities.is_empty()
                && negative
                && set(&theirs.answers).iter().all(|r| known.contains(r))
                && !theirs.answers.is_empty()
                && ours
                    .answers
                    .last()
                    .is_some_and(|r| r.record_type() == RecordType::DS)
        },
    },
    Intended {
        reason: "addresses of hosts in another zone of the server are added; Knot looks into the zone only",
        holds: |server, question, ours, theirs| {
            let bare = |message| summary(message, false);
            let more: Vec<_> = ours
                .additionals
                .iter()
                .filter(|r| !theirs.additionals.contains(r))
                .collect();
            let elsewhere = |r: &&Record| ends(&r.name.to_string()) != ends(&question.name);
            server == "knot"
                && bare(ours) == bare(theirs)
                && !more.is_empty()
                && more.iter().all(elsewhere)
        },
    },
    Intended {
        reason: "a record stands once (RFC 2181 §5); NSD has a CNAME that leads to itself twice, Knot the address of two SRV records",
        holds: |server, _, ours, theirs| {
            let single = without_doubles(theirs);
            let additional = server == "knot";
            let doubled = summary(&single, true) != summary(theirs, true);
            doubled && summary(ours, additional) == summary(&single, additional)
        },
    },
    Intended {
        reason: "an alias is followed into a child zone of the server; Knot answers with the referral to it",
        holds: |server, _, ours, theirs| {
            let delegates = theirs.authorities.iter().all(|r| {
                r.record_type() == RecordType::NS
                    && r.name.to_string().eq_ignore_ascii_case("child.one.test.")
            });
            let known = set(&ours.answers);
            let more = set(&theirs.answers).iter().all(|r| known.contains(r));
            let crossing = theirs
                .answers
                .last()
                .is_some_and(|r| r.record_type() == RecordType::CNAME);
            server == "knot" && crossing && more && delegates && !theirs.authorities.is_empty()
        },
    },
    Intended {
        reason: "DO is copied into every response (RFC 3225 §3); NSD leaves it out of BADVERS",
        holds: |server, question, ours, _| {
            server == "nsd"
                && question.version == Some(1)
                && u16::from(ours.metadata.response_code) == 16
        },
    },
];

/// What came out.
#[derive(Default)]
pub struct Report {
    /// Answers compared, by server and RCODE.
    pub answers: BTreeMap<(&'static str, String), usize>,
    /// Differences that are meant, by server and reason.
    pub intended: BTreeMap<(&'static str, &'static str), usize>,
    /// Questions whose answers the size decided about, asked again over TCP, by server.
    pub again: BTreeMap<&'static str, usize>,
    /// Everything else.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares two answers to one question. Where the size decides about them, both are asked `again` over TCP, as a
    /// client does: those answers have to agree, and ours over UDP has to be a sound part of ours over TCP.
    pub fn compare(
        &mut self,
        server: &'static str,
        question: &Question,
        (ours, theirs): (&Message, &Message),
        again: impl FnOnce() -> (Message, Message),
    ) {
        *self
            .answers
            .entry((server, format!("{:?}", ours.metadata.response_code)))
            .or_default() += 1;
        let cut = |message: &Message| message.metadata.truncation;
        let additional = compares_additional(server, ours);
        if summary(ours, additional) == summary(theirs, additional) {
            return;
        }
        let sized = cut(ours) || cut(theirs) || summary(ours, false) == summary(theirs, false);
        if question.tcp || !sized {
            self.judge(server, question, "", ours, theirs);
            return;
        }
        *self.again.entry(server).or_default() += 1;
        let (whole, other) = again();
        if let Some(fault) = unsound(question, ours, &whole) {
            self.disagree(server, question, fault, ours, &whole);
        }
        let agreed = self.judge(server, question, "again over tcp", &whole, &other);
        if agreed && header(ours, false) != header(theirs, false) {
            self.disagree(server, question, "headers over udp", ours, theirs);
        }
    }

    /// Whether two answers agree; if not, the difference is counted or reported.
    fn judge(
        &mut self,
        server: &'static str,
        question: &Question,
        how: &str,
        ours: &Message,
        theirs: &Message,
    ) -> bool {
        let additional = compares_additional(server, ours);
        if summary(ours, additional) == summary(theirs, additional) {
            return true;
        }
        let mut intended = INTENDED.iter();
        match intended.find(|meant| (meant.holds)(server, question, ours, theirs)) {
            Some(meant) => *self.intended.entry((server, meant.reason)).or_default() += 1,
            None => self.disagree(server, question, how, ours, theirs),
        }
        false
    }

    fn disagree(
        &mut self,
        server: &str,
        question: &Question,
        how: &str,
        ours: &Message,
        theirs: &Message,
    ) {
        self.disagreements.push(format!(
            "{server}: {} {} {}{:?} {how}\n  ours   {}\n  theirs {}",
            question.name,
            question.record_type,
            if question.tcp { "tcp " } else { "" },
            question.version.map(|version| (version, question.size)),
            summary(ours, true),
            summary(theirs, true),
        ));
    }
}

/// What NSD adds to an answer is a setting, which is off; what it adds to a referral has to agree.
fn compares_additional(server: &str, ours: &Message) -> bool {
    server == "knot" || !ours.metadata.authoritative && !ours.authorities.is_empty()
}

/// Why an answer over UDP is no sound part of the one over TCP. With TC it has no records, and more to say than fits; without
/// TC it has all answers, all of the authority section, and the addresses of name servers within a delegated zone.
fn unsound(question: &Question, part: &Message, whole: &Message) -> Option<&'static str> {
    let mut needed = whole.clone();
    needed.additionals.retain(|record| is_glue(record, whole));
    if part.metadata.truncation {
        let empty =
            part.answers.is_empty() && part.authorities.is_empty() && part.additionals.is_empty();
        // hickory-proto compresses names a little otherwise.
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

/// The message with each record of a section once.
fn without_doubles(message: &Message) -> Message {
    let mut message = message.clone();
    for section in [
        &mut message.answers,
        &mut message.authorities,
        &mut message.additionals,
    ] {
        let mut seen = Vec::new();
        section.retain(|record| {
            let new = !seen.contains(&text(record));
            seen.push(text(record));
            new
        });
    }
    message
}

/// The last two labels of a name: each zone here has its own, but for a child and its parent.
fn ends(name: &str) -> String {
    let labels: Vec<_> = name.trim_end_matches('.').rsplit('.').take(2).collect();
    labels.join(".").to_ascii_lowercase()
}

/// Everything that has to agree, as text: sections are sets, names have no case.
fn summary(message: &Message, additional: bool) -> String {
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

/// Whether a record is a DNAME with a target below its own name.
fn leads_below_itself(record: &Record) -> bool {
    match &record.data {
        RData::Unknown { rdata, .. } if u16::from(record.record_type()) == 39 => {
            let target = Name::read(&mut BinDecoder::new(&rdata.anything));
            target.is_ok_and(|target| record.name.zone_of(&target))
        }
        _ => false,
    }
}

/// A record without case. The data of a DNAME are octets for hickory-proto, so that their case goes first.
fn text(record: &Record) -> String {
    match &record.data {
        RData::Unknown { rdata, .. } if u16::from(record.record_type()) == 39 => {
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
