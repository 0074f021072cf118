//! Data that no server loads: records that are not allowed in a zone, or not together with its other records.

use std::fmt;

use super::kind;
use super::node::Node;
use super::{label, rdata};

/// Types that are allowed alongside a CNAME: SIG, KEY, NXT, RRSIG and NSEC (RFC 2181 §10.1, RFC 4034 §3, §4).
const ALLOWED_WITH_CNAME: [u16; 5] = [24, 25, 30, 46, 47];

/// A record that is not allowed in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    owner: Box<[u8]>,
    kind: u16,
    reason: Reason,
}

/// The reason why a record is not allowed in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The owner is not within the zone with this origin.
    OutOfZone(Box<[u8]>),
    /// The origin has SOA and NS records, so it cannot have a CNAME.
    CnameAtOrigin,
    /// A name has a CNAME and other data.
    CnameAndOtherData,
    SecondCname,
    SecondDname,
    SecondSoa,
    SoaBelowOrigin,
    /// The DNAME of this name redirects everything below it.
    BelowDname(Box<[u8]>),
    /// The NS records of this name delegate it, and everything below it.
    Delegated(Box<[u8]>),
    /// The zone with this origin answers for the name.
    InAnotherZone(Box<[u8]>),
}

impl Conflict {
    pub(super) fn new(owner: &[u8], kind: u16, reason: Reason) -> Self {
        let owner = owner.into();
        Self {
            owner,
            kind,
            reason,
        }
    }

    /// The expected data.
    pub(crate) fn expected(&self) -> String {
        match &self.reason {
            Reason::OutOfZone(origin) => format!("a name within the zone {}", label::text(origin)),
            Reason::CnameAtOrigin => {
                "no CNAME at the origin of a zone, which has SOA and NS (RFC 1912 §2.4)".to_owned()
            }
            Reason::CnameAndOtherData => {
                "no other data alongside a CNAME (RFC 1034 §3.6.2)".to_owned()
            }
            Reason::SecondCname => "one CNAME at a name (RFC 2181 §10.1)".to_owned(),
            Reason::SecondDname => "one DNAME at a name (RFC 6672 §2.4)".to_owned(),
            Reason::SecondSoa => "one SOA in a zone (RFC 1035 §5.2)".to_owned(),
            Reason::SoaBelowOrigin => "SOA at the origin of the zone (RFC 1035 §5.2)".to_owned(),
            Reason::BelowDname(owner) => {
                let owner = label::text(owner);
                format!("no data below the DNAME at {owner} (RFC 6672 §2.4)")
            }
            Reason::Delegated(cut) => {
                let cut = label::text(cut);
                format!("no data at or below {cut}, which NS records delegate (RFC 1034 §4.2.1)")
            }
            Reason::InAnotherZone(origin) => {
                let origin = label::text(origin);
                format!("each name in one zone: zone {origin} holds it")
            }
        }
    }

    /// The data found: the owner, and the type unless the owner alone is the mistake.
    pub(crate) fn found(&self) -> String {
        let owner = label::text(&self.owner);
        match self.reason {
            Reason::OutOfZone(_) => owner,
            _ => format!("{owner} {}", rdata::type_text(self.kind)),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected(), self.found())
    }
}

impl std::error::Error for Conflict {}

/// The reason why a record is not allowed together with those of its owner. A repeated record is not a conflict (RFC
/// 2181 §5).
pub(super) fn with_node(node: &Node, kind: u16, data: &[u8]) -> Option<Reason> {
    let another = |kind| node.of(kind).any(|entry| entry.data != data);
    match kind {
        kind::CNAME if another(kind::CNAME) => Some(Reason::SecondCname),
        kind::CNAME => {
            let foreign = |other: u16| other != kind::CNAME && !ALLOWED_WITH_CNAME.contains(&other);
            let others = node.entries().any(|entry| foreign(entry.kind));
            others.then_some(Reason::CnameAndOtherData)
        }
        kind::SOA if another(kind::SOA) => Some(Reason::SecondSoa),
        kind::DNAME if another(kind::DNAME) => Some(Reason::SecondDname),
        _ if ALLOWED_WITH_CNAME.contains(&kind) => None,
        _ => node.has(kind::CNAME).then_some(Reason::CnameAndOtherData),
    }
}
