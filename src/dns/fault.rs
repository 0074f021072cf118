//! DNS misbehaviour on purpose: scripted, repeatable, journalled when it fires.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::Transport;
use crate::name::{Name, RecordType};

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
    /// TC set and no records over UDP.
    Truncate,
    /// The answer of a server that is not authoritative: AA clear, nothing in it.
    Lame,
    /// Another address (or name) than the zone holds.
    WrongAnswer,
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
