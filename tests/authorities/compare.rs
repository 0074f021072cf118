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
            // Sixteen aliases may not fit.
            let truncated = ours.metadata.truncation && ours.answers.is_empty();
            (followed || truncated)
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
        reason: "an answer that does not fit has TC and no records: no client takes a part for the whole",
        holds: |_, question, ours, theirs| {
            let both = ours.metadata.truncation && theirs.metadata.truncation && !question.tcp;
            both && ours.answers.is_empty() && ours.authorities.is_empty()
        },
    },
    Intended {
        reason: "a CNAME is followed into another zone of the server (RFC 1034 §4.3.2 3a); Knot stays in the zone",
        holds: |server, _, ours, theirs| {
            let crossing = theirs
                .answers
                .last()
                .is_some_and(|r| r.record_type() == RecordType::CNAME);
            let truncated = ours.metadata.truncation && ours.answers.is_empty();
            let more = truncated
                || set(&theirs.answers)
                    .iter()
                    .all(|record| set(&ours.answers).contains(record));
            server == "knot" && crossing && more && theirs.authorities.is_empty()
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
        reason: "addresses of servers within the delegated zone that do not fit set TC (RFC 9471 §3.1); NSD 4.6 is older",
        holds: |server, question, ours, theirs| {
            let within = |r: &Record| matches!(&r.data, RData::NS(host) if r.name.zone_of(&host.0));
            let whole = ours.answers.is_empty() && ours.authorities.is_empty();
            server == "nsd"
                && !question.tcp
                && whole
                && ours.metadata.truncation
                && !theirs.metadata.truncation
                && !theirs.metadata.authoritative
                && theirs.authorities.iter().any(within)
        },
    },
    Intended {
        reason: "a CNAME that leads to itself stands once (RFC 2181 §5); NSD has it twice",
        holds: |server, _, ours, theirs| {
            let mut once = set(&theirs.answers);
            once.dedup();
            server == "nsd"
                && ours.metadata.response_code == theirs.metadata.response_code
                && once.len() < theirs.answers.len()
                && once == set(&ours.answers)
                && set(&ours.authorities) == set(&theirs.authorities)
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
            let truncated = ours.metadata.truncation && ours.answers.is_empty();
            let more = truncated || set(&theirs.answers).iter().all(|r| known.contains(r));
            let crossing = theirs
                .answers
                .last()
                .is_some_and(|r| r.record_type() == RecordType::CNAME);
            server == "knot" && crossing && more && delegates && !theirs.authorities.is_empty()
        },
    },
    Intended {
        reason: "a referral that just fits, with all its glue; Knot sends it with TC",
        holds: |server, question, ours, theirs| {
            let known = set(&ours.additionals);
            let octets = ours.to_vec().map_or(0, |octets| octets.len());
            server == "knot"
                && theirs.metadata.truncation
                && !ours.metadata.authoritative
                && octets * 5 > question.size * 4
                && set(&ours.authorities) == set(&theirs.authorities)
                && set(&theirs.additionals).iter().all(|r| known.contains(r))
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
    /// Everything else.
    pub disagreements: Vec<String>,
}

impl Report {
    /// Compares two answers to one question.
    pub fn compare(
        &mut self,
        server: &'static str,
        question: &Question,
        ours: &Message,
        theirs: &Message,
    ) {
        *self
            .answers
            .entry((server, format!("{:?}", ours.metadata.response_code)))
            .or_default() += 1;
        // What NSD adds to an answer is a setting, which is off; what it adds to a referral has to agree.
        let referral = !ours.metadata.authoritative && !ours.authorities.is_empty();
        let additional = server == "knot" || referral;
        let (one, other) = (summary(ours, additional), summary(theirs, additional));
        if one == other {
            return;
        }
        match INTENDED
            .iter()
            .find(|meant| (meant.holds)(server, question, ours, theirs))
        {
            Some(meant) => *self.intended.entry((server, meant.reason)).or_default() += 1,
            None => self.disagreements.push(format!(
                "{server}: {} {} {}{:?}\n  ours   {one}\n  theirs {other}",
                question.name,
                question.record_type,
                if question.tcp { "tcp " } else { "" },
                question.version.map(|version| (version, question.size)),
            )),
        }
    }
}

/// The last two labels of a name: each zone here has its own, but for a child and its parent.
fn ends(name: &str) -> String {
    let labels: Vec<_> = name.trim_end_matches('.').rsplit('.').take(2).collect();
    labels.join(".").to_ascii_lowercase()
}

/// Everything that has to agree, as text: sections are sets, names have no case.
fn summary(message: &Message, additional: bool) -> String {
    let header = &message.metadata;
    let flags = [
        ("aa", header.authoritative),
        ("tc", header.truncation),
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
    let additional = if additional {
        &message.additionals[..]
    } else {
        &[]
    };
    let sections =
        [&message.answers, &message.authorities, additional].map(|section| set(section).join(", "));
    format!(
        "rcode {rcode} {flags} edns {edns} | {}",
        sections.join(" | ")
    )
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
        for ((server, reason), count) in &self.intended {
            writeln!(f, "  {count:6} times meant, {server}: {reason}")?;
        }
        write!(f, "{} disagreements", self.disagreements.len())
    }
}
