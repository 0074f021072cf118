//! Zones and what they hold: an immutable snapshot, indexed by name.

use std::collections::HashMap;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{RData, Record};

use super::Fault;
use crate::name::{self, Name, RecordType};

/// TTL of what is supplied where a zone leaves it out, in seconds.
const SUPPLIED_TTL: u32 = 60;
/// The server's own name, where a zone names no other.
const SERVER: &str = "ns.martinet.test";
/// The mailbox of the supplied SOA.
const MAILBOX: &str = "hostmaster.martinet.test";

/// One zone: its origin and its records by owner, in the order given.
#[derive(Debug)]
pub struct Zone {
    pub(super) origin: Name,
    /// Records by owner; an empty non-terminal has an entry without records (RFC 4592 §2.2.2).
    nodes: HashMap<Name, Vec<Record>>,
}

impl Zone {
    /// Makes a zone; SOA and NS are supplied where the records have none. Duplicates are dropped (RFC 2181 §5).
    pub fn new(origin: Name, records: Vec<Record>) -> Self {
        let mut zone = Self { origin: origin.clone(), nodes: HashMap::new() };
        zone.nodes.insert(origin.clone(), Vec::new());
        for record in records {
            zone.add(record);
        }
        let has = |zone: &Self, t| zone.nodes[&origin].iter().any(|r| r.record_type() == t);
        let own = |text| name::absolute(text).unwrap_or_default();
        if !has(&zone, RecordType::SOA) {
            let soa = SOA::new(own(SERVER), own(MAILBOX), 1, 3600, 600, 86400, 60);
            zone.add(Record::from_rdata(origin.clone(), SUPPLIED_TTL, RData::SOA(soa)));
        }
        if !has(&zone, RecordType::NS) {
            zone.add(Record::from_rdata(origin.clone(), SUPPLIED_TTL, RData::NS(NS(own(SERVER)))));
        }
        zone
    }

    fn add(&mut self, record: Record) {
        let mut above = record.name.base_name();
        while self.origin.zone_of(&above) && above != self.origin {
            self.nodes.entry(above.clone()).or_default();
            above = above.base_name();
        }
        let node = self.nodes.entry(record.name.clone()).or_default();
        if !node.iter().any(|r| r.data == record.data) {
            node.push(record);
        }
    }

    /// The records of a name; `None` where the name does not exist.
    pub(super) fn node(&self, name: &Name) -> Option<&[Record]> {
        self.nodes.get(name).map(Vec::as_slice)
    }

    /// The delegation that a name falls under: the highest NS set below the apex (RFC 1034 §4.3.2 3b).
    pub(super) fn cut(&self, name: &Name) -> Option<&[Record]> {
        let depth = name.num_labels();
        let apex = self.origin.num_labels();
        (apex + 1..=depth).find_map(|labels| {
            let node = self.node(&name.trim_to(usize::from(labels)))?;
            node.iter().any(|r| r.record_type() == RecordType::NS).then_some(node)
        })
    }

    /// The records that answer for a name which does not exist itself: those of the wildcard at its closest
    /// encloser (RFC 4592 §3.3.1).
    pub(super) fn wildcard(&self, name: &Name) -> Option<&[Record]> {
        let mut encloser = name.base_name();
        while self.node(&encloser).is_none() {
            if encloser == self.origin || encloser.is_root() {
                return None;
            }
            encloser = encloser.base_name();
        }
        let star = Name::from_ascii("*").ok()?.append_domain(&encloser).ok()?;
        self.node(&star)
    }

    /// The SOA for a negative answer, its TTL the lesser of its own and the minimum (RFC 2308 §3).
    pub(super) fn negative_soa(&self) -> Option<Record> {
        let mut soa = self.nodes[&self.origin].iter().find(|r| r.record_type() == RecordType::SOA)?.clone();
        if let RData::SOA(data) = &soa.data {
            soa.ttl = soa.ttl.min(data.minimum);
        }
        Some(soa)
    }
}

/// An immutable snapshot of all zones of a world, and the faults that apply to them.
#[derive(Debug, Default)]
pub struct Zones {
    zones: HashMap<Name, Zone>,
    pub(super) faults: Vec<Fault>,
}

/// What the zones say to one question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The RCODE.
    pub rcode: ResponseCode,
    /// The AA bit.
    pub authoritative: bool,
    /// The TC bit, set by a `truncate` fault (size limits are the wire's concern).
    pub truncated: bool,
    /// Answer section, CNAMEs first.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section, without OPT.
    pub additional: Vec<Record>,
    /// A `drop` fault fired: nothing is sent.
    pub dropped: bool,
    /// A `delay` fault fired: the answer is sent after this time.
    pub delay: Duration,
    /// The word of the fault that fired, as in files.
    pub fault: Option<&'static str>,
}

impl Zones {
    /// Makes a snapshot.
    pub fn new(zones: Vec<Zone>, faults: Vec<Fault>) -> Self {
        Self { zones: zones.into_iter().map(|zone| (zone.origin.clone(), zone)).collect(), faults }
    }

    /// Whether some zone holds the name, or a name of it would be an answer.
    pub fn holds(&self, name: &Name) -> bool {
        self.zone(name).is_some()
    }

    /// The deepest zone that encloses a name.
    pub(super) fn zone(&self, name: &Name) -> Option<&Zone> {
        let mut origin = name.clone();
        loop {
            if let Some(zone) = self.zones.get(&origin) {
                return Some(zone);
            }
            if origin.is_root() {
                return None;
            }
            origin = origin.base_name();
        }
    }
}
