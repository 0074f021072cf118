//! Zones and what they answer.

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Record;

use super::{Fault, Transport};
use crate::name::{Name, RecordType};

/// One zone.
#[derive(Debug)]
pub struct Zone {
    _origin: Name,
}

impl Zone {
    /// Makes a zone; SOA and NS are supplied where the records have none.
    pub fn new(origin: Name, records: Vec<Record>) -> Self {
        let _ = records;
        Self { _origin: origin }
    }
}

/// An immutable snapshot of all zones of a world, and the faults that apply to them.
#[derive(Debug, Default)]
pub struct Zones {}

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
        let _ = (zones, faults);
        Self {}
    }

    /// Answers one question of class IN, faults included. CNAMEs are chased within the zones.
    /// A name outside every zone gets REFUSED with AA clear.
    pub fn answer(&self, name: &Name, record_type: RecordType, transport: Transport) -> Answer {
        let _ = (name, record_type, transport);
        todo!()
    }

    /// Whether some zone holds the name.
    pub fn holds(&self, name: &Name) -> bool {
        let _ = name;
        false
    }
}
