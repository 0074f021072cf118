//! One question with its two answers, and the properties of them that rows use.

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::compare::{set, summary, text};
use crate::questions::Question;
use crate::zones::Zone;

/// The number of the type DNAME, for which hickory-proto has no name.
const DNAME: u16 = 39;

/// A question and its answers.
pub struct Case<'a> {
    /// The name of the other server.
    pub server: &'static str,
    /// What was asked.
    pub question: &'a Question,
    /// The answer of martinet.
    pub ours: &'a Message,
    /// The answer of the other server.
    pub real: &'a Message,
    /// The zones that both serve.
    pub zones: &'a [Zone],
}

impl Case<'_> {
    /// Whether this is the type of the question.
    pub fn asks(&self, kind: RecordType) -> bool {
        self.question.record_type == kind
    }

    /// Whether our answer section has all records of the other, and possibly more.
    pub fn ours_goes_on(&self) -> bool {
        let known = set(&self.ours.answers);
        let all = set(&self.real.answers);
        all.iter().all(|record| known.contains(record))
    }

    /// Whether their answer section ends with an alias that was not followed.
    pub fn they_stop_at_an_alias(&self) -> bool {
        last_is(self.real, RecordType::CNAME)
    }

    /// Whether our answer section ends with a record of a type.
    pub fn ours_ends_with(&self, kind: RecordType) -> bool {
        last_is(self.ours, kind)
    }

    /// Whether their authority section has only records of one type, and at least one.
    pub fn their_authority_is(&self, kind: RecordType) -> bool {
        let records = &self.real.authorities;
        records.iter().all(|record| record.record_type() == kind)
    }

    /// Whether both agree except for the additional section.
    pub fn agree_without_additional(&self) -> bool {
        summary(self.ours, false) == summary(self.real, false)
    }

    /// Whether both agree after duplicates within their sections are removed, and they have such duplicates.
    pub fn agree_without_doubles(&self, additional: bool) -> bool {
        let single = without_doubles(self.real);
        let doubled = summary(&single, true) != summary(self.real, true);
        doubled && summary(self.ours, additional) == summary(&single, additional)
    }

    /// The additional records that they lack.
    pub fn additional_of_ours(&self) -> Vec<&Record> {
        let real = &self.real.additionals;
        let ours = self.ours.additionals.iter();
        ours.filter(|record| !real.contains(record)).collect()
    }

    /// Whether a name is in another zone than the question: each zone here has its own last two labels, except a child
    /// and its parent.
    pub fn is_elsewhere(&self, name: &Name) -> bool {
        last_labels(&name.to_string()) != last_labels(&self.question.name)
    }

    /// Whether our answer has a DNAME record that redirects: its owner is above the name that is looked up at that
    /// point.
    pub fn ours_is_redirected(&self) -> bool {
        let dnames = self.ours.answers.iter().filter(|r| is_dname(r));
        let aliases = || {
            self.ours
                .answers
                .iter()
                .filter(|r| r.record_type() == RecordType::CNAME)
        };
        let too_long = u16::from(self.ours.metadata.response_code) == 6;
        dnames.into_iter().any(|dname| {
            too_long
                || aliases()
                    .any(|alias| alias.name != dname.name && dname.name.zone_of(&alias.name))
        })
    }

    /// Whether they have a record from a wildcard that ours does not have.
    pub fn they_use_a_wildcard(&self) -> bool {
        let ours = set(&self.ours.answers);
        let more = self.real.answers.iter().chain(&self.real.authorities);
        let mut more = more.filter(|record| !ours.contains(&text(record)));
        more.any(|record| self.is_below_a_wildcard(&record.name))
    }

    /// Whether there is a wildcard at the origin of the zone, or between the origin and the name.
    pub fn is_below_a_wildcard(&self, name: &Name) -> bool {
        let has = |name: &str| {
            let mut nodes = self.zones.iter().flat_map(|zone| zone.nodes.keys());
            nodes.any(|node| node.eq_ignore_ascii_case(name))
        };
        let mut above = name.base_name();
        while !above.is_root() {
            if has(&format!("*.{above}")) {
                return true;
            }
            above = above.base_name();
        }
        false
    }

    /// The name of the question.
    pub fn name(&self) -> Name {
        Name::from_ascii(&self.question.name).expect("a name was asked for")
    }
}

/// The number of aliases in an answer.
pub fn aliases(message: &Message) -> usize {
    let records = message.answers.iter();
    records
        .filter(|r| r.record_type() == RecordType::CNAME)
        .count()
}

fn last_is(message: &Message, kind: RecordType) -> bool {
    let last = message.answers.last();
    last.is_some_and(|record| record.record_type() == kind)
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

fn last_labels(name: &str) -> String {
    let labels: Vec<_> = name.trim_end_matches('.').rsplit('.').take(2).collect();
    labels.join(".").to_ascii_lowercase()
}

/// Whether a record is a DNAME.
pub fn is_dname(record: &Record) -> bool {
    u16::from(record.record_type()) == DNAME
}

/// Whether a record is a DNAME with a target below its own name.
pub fn leads_below_itself(record: &Record) -> bool {
    match &record.data {
        RData::Unknown { rdata, .. } if is_dname(record) => {
            let target = Name::read(&mut BinDecoder::new(&rdata.anything));
            target.is_ok_and(|target| record.name.zone_of(&target))
        }
        _ => false,
    }
}
