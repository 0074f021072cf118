//! DNS misbehaviour on purpose: scripted, repeatable, journalled when it fires.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA, PTR};

use super::Transport;
use crate::name::{self, Name, RecordType};

/// What a fault does instead of answering truthfully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// RCODE 3 with SOA.
    NxDomain,
    /// NOERROR without the records asked for.
    NoData,
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// No answer at all.
    Drop,
    /// The truthful answer, later.
    Delay(Duration),
    /// TC set and no records over UDP; the truth over TCP.
    Truncate,
    /// The answer of a server that is not authoritative: AA clear, nothing in it.
    Lame,
    /// Another address (or name) than the zone holds.
    WrongAnswer,
}

impl Action {
    /// The word used in files and in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NxDomain => "nxdomain",
            Self::NoData => "nodata",
            Self::ServFail => "servfail",
            Self::Refused => "refused",
            Self::Drop => "drop",
            Self::Delay(_) => "delay",
            Self::Truncate => "truncate",
            Self::Lame => "lame",
            Self::WrongAnswer => "wrong-answer",
        }
    }
}

/// One fault: which questions it meets, how often, and what it does.
#[derive(Debug)]
pub struct Fault {
    /// The name, or the suffix where `suffix` is set.
    pub name: Name,
    /// Whether every name below `name` is meant (`*.example.test.` in files), and not `name` itself.
    pub suffix: bool,
    /// Only questions of this type; all where `None`.
    pub record_type: Option<RecordType>,
    /// Only questions over this transport; both where `None`.
    pub transport: Option<Transport>,
    /// Fires this many times, then answers truthfully; always where `None`.
    pub times: Option<u32>,
    /// What it does.
    pub action: Action,
    /// How often it has fired.
    pub fired: AtomicU32,
}

impl Fault {
    /// The same fault, not fired yet.
    pub fn fresh(&self) -> Self {
        let Self { name, suffix, record_type, transport, times, action, fired: _ } = self;
        let (suffix, record_type, transport, times, action) = (*suffix, *record_type, *transport, *times, *action);
        Self { name: name.clone(), suffix, record_type, transport, times, action, fired: AtomicU32::new(0) }
    }

    /// Whether the fault meets this question now. Counts the firing, exactly, also between threads.
    pub(super) fn fires(&self, name: &Name, record_type: RecordType, transport: Transport) -> bool {
        let concerns =
            if self.suffix { *name != self.name && name::is_within(name, &self.name) } else { *name == self.name };
        let concerns = concerns
            && self.record_type.is_none_or(|t| t == record_type)
            && self.transport.is_none_or(|t| t == transport)
            && !(self.action == Action::Truncate && transport == Transport::Tcp);
        let most = self.times.unwrap_or(u32::MAX);
        let count = |fired: u32| (self.times.is_none() || fired < most).then(|| fired.saturating_add(1));
        concerns && self.fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }
}

impl Clone for Fault {
    /// A copy counts for itself.
    fn clone(&self) -> Self {
        self.fresh()
    }
}

/// The wrong data in place of the right: addresses of documentation ranges, a name of our own.
pub(super) fn falsified(data: RData) -> RData {
    match data {
        RData::A(_) => RData::A(A(Ipv4Addr::new(192, 0, 2, 255))),
        RData::AAAA(_) => RData::AAAA(AAAA(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff))),
        RData::PTR(_) => RData::PTR(PTR(name::absolute("wrong.martinet.test").unwrap_or_default())),
        other => other,
    }
}
