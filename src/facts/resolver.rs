//! The resolver of a receiver over the zones of the world.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, Record};

use super::{CachedLookups, Lookup, LookupCache};
use crate::dns::{Action, Amendment, Answer, Zones};
use crate::lookup::{LookupRecord, Outcome, Transport};
use crate::name::{Name, RecordType};

/// The lookups of a receiver, with its cache, and with its zones for trying a change on a copy.
pub trait ReceiverLookup: Lookup {
    /// The cache of earlier lookups, if there is one.
    fn cached_lookups(&self) -> Option<CachedLookups<'_>> {
        None
    }

    /// The zones, for trying a change on a copy; `None` without zones.
    fn snapshot(&self) -> Option<ResolverSnapshot> {
        None
    }
}

/// The zones of a receiver, and its timeout.
#[derive(Clone, Debug)]
pub struct ResolverSnapshot {
    zones: Arc<Zones>,
    timeout: Duration,
}

impl ResolverSnapshot {
    /// The snapshot with these changes; `None` if one is impossible.
    pub fn amended(&self, amendments: &[Amendment]) -> Option<Self> {
        Some(Self {
            zones: Arc::new(self.zones.amended(amendments)?),
            timeout: self.timeout,
        })
    }

    /// A resolver for the snapshot.
    pub fn resolver(&self) -> Resolver<'_> {
        Resolver::new(&self.zones, self.timeout)
    }

    /// The zones of the snapshot.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }
}

/// Maximum number of CNAMEs that the resolver follows (as in BIND 9; unbound has 11).
const CNAME_LINKS: usize = 16;

/// Looks up the zones of the world like a stub resolver: over UDP with a buffer of 1232 octets, and over TCP if the answer is
/// truncated. Each transport has its own faults.
#[derive(Clone, Copy, Debug)]
pub struct Resolver<'a> {
    zones: &'a Zones,
    timeout: Duration,
    cached_lookups: Option<CachedLookups<'a>>,
}

impl<'a> Resolver<'a> {
    /// Creates a resolver with this timeout.
    pub fn new(zones: &'a Zones, timeout: Duration) -> Self {
        Self {
            zones,
            timeout,
            cached_lookups: None,
        }
    }

    /// Creates a resolver with the cache of a receiver.
    pub(crate) fn remembering(
        zones: &'a Arc<Zones>,
        timeout: Duration,
        cached_lookups: &'a LookupCache,
    ) -> Self {
        Self {
            zones,
            timeout,
            cached_lookups: cached_lookups.of(zones),
        }
    }

    /// Queries over UDP, and over TCP if the answer is truncated (RFC 7766 §5). The timeout applies to both together.
    fn resolve(&self, name: &Name, record_type: RecordType) -> LookupRecord {
        let over_udp = self.over(name, record_type, Transport::Udp, self.timeout);
        let (first, spent) = match over_udp {
            Attempt::Done(lookup) => return lookup,
            Attempt::Truncated { fault, elapsed } => (fault, elapsed),
        };
        let rest = self.timeout.saturating_sub(spent);
        let Attempt::Done(again) = self.over(name, record_type, Transport::Tcp, rest) else {
            // TC over TCP: there is no further transport.
            return failure(name, record_type, Outcome::ServFail, spent, first);
        };
        LookupRecord {
            elapsed: spent + again.elapsed,
            fault: if again.fault.is_empty() {
                first
            } else {
                again.fault
            },
            ..again
        }
    }

    fn over(
        &self,
        name: &Name,
        record_type: RecordType,
        transport: Transport,
        timeout: Duration,
    ) -> Attempt {
        let answer = self.zones.answer(name, record_type, transport);
        let fault = answer.fault.map_or("", Action::word);
        let failed =
            |outcome, elapsed| Attempt::Done(failure(name, record_type, outcome, elapsed, fault));
        match answer.fault {
            // A resolver ignores a message with another id or question, and keeps waiting (RFC 5452 §9.1).
            Some(Action::Drop | Action::TcpHang | Action::WrongId | Action::WrongQuestion) => {
                return failed(Outcome::Timeout, timeout);
            }
            _ if answer.delay >= timeout => return failed(Outcome::Timeout, timeout),
            // A reset connection, a malformed message, or one larger than the buffer of the resolver.
            Some(Action::TcpRefused | Action::Malformed | Action::Oversized(_)) => {
                return failed(Outcome::ServFail, answer.delay);
            }
            _ if answer.truncated => {
                let elapsed = answer.delay;
                return Attempt::Truncated { fault, elapsed };
            }
            _ => {}
        }
        let outcome = outcome(&answer, record_type);
        if outcome != Outcome::Data {
            return failed(outcome, answer.delay);
        }
        Attempt::Done(LookupRecord {
            name: name.clone(),
            record_type,
            outcome,
            answers: matching(answer.answers, record_type),
            elapsed: answer.delay,
            fault,
        })
    }
}

/// The result of one query over one transport.
enum Attempt {
    Done(LookupRecord),
    /// TC: the query must be repeated over TCP.
    Truncated {
        fault: &'static str,
        elapsed: Duration,
    },
}

/// A lookup without data.
fn failure(
    name: &Name,
    record_type: RecordType,
    outcome: Outcome,
    elapsed: Duration,
    fault: &'static str,
) -> LookupRecord {
    LookupRecord {
        name: name.clone(),
        record_type,
        outcome,
        answers: Vec::new(),
        elapsed,
        fault,
    }
}

impl Lookup for Resolver<'_> {
    fn ask(&self, name: &Name, record_type: RecordType) -> Arc<LookupRecord> {
        Arc::new(self.resolve(name, record_type))
    }
}

impl ReceiverLookup for Resolver<'_> {
    fn cached_lookups(&self) -> Option<CachedLookups<'_>> {
        self.cached_lookups
    }

    fn snapshot(&self) -> Option<ResolverSnapshot> {
        // The records and the counts of faults are shared.
        let zones = self.zones.with_faults(self.zones.faults().to_vec());
        Some(ResolverSnapshot {
            zones: Arc::new(zones),
            timeout: self.timeout,
        })
    }
}

fn matching(answers: Vec<Record>, record_type: RecordType) -> Vec<RData> {
    answers
        .into_iter()
        .filter(|r| r.record_type() == record_type)
        .map(|r| r.data)
        .collect()
}

/// The outcome of an answer for a resolver.
///
/// A lame answer (no AA, no data), a referral to servers that do not exist, a CNAME loop and too many CNAMEs are SERVFAIL, as
/// resolvers report them. A name outside the zones does not exist, because the root zone contains only the zones of the
/// scenario.
fn outcome(answer: &Answer, record_type: RecordType) -> Outcome {
    let of = |wanted| {
        answer
            .answers
            .iter()
            .filter(move |r: &&Record| r.record_type() == wanted)
    };
    let data = of(record_type).next().is_some();
    let referral = answer
        .authority
        .iter()
        .any(|r| r.record_type() == RecordType::NS);
    match answer.rcode {
        _ if record_type != RecordType::CNAME && of(RecordType::CNAME).count() > CNAME_LINKS => {
            Outcome::ServFail
        }
        ResponseCode::NoError if data => Outcome::Data,
        _ if answer.outside.is_some() => Outcome::NxDomain,
        ResponseCode::NoError if !answer.authoritative || referral || ends_in_cname(answer) => {
            Outcome::ServFail
        }
        ResponseCode::NoError => Outcome::NoData,
        ResponseCode::NXDomain => Outcome::NxDomain,
        ResponseCode::Refused => Outcome::Refused,
        _ => Outcome::ServFail,
    }
}

/// Whether the answer ends with a CNAME, without data or SOA for its target, as in a CNAME loop.
fn ends_in_cname(answer: &Answer) -> bool {
    !answer.answers.is_empty() && answer.authority.is_empty()
}
