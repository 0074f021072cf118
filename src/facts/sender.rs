//! The domain of the sender: whether mail can be sent to it.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;

use super::helo::{MxHost, mx_hosts, slowest};
use super::{Lookup, LookupRecord, Outcome};
use crate::name::{self, Name, RecordType};

/// The observations of the domain of a sender that a check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct SenderObservations {
    /// Look up whether mail can be sent to it.
    pub(crate) domain: bool,
    /// The same, with the addresses of its MX hosts.
    pub(crate) mx_addresses: bool,
}

impl SenderObservations {
    /// Only whether mail can be sent to the domain.
    pub(crate) const DOMAIN: Self = Self {
        domain: true,
        mx_addresses: false,
    };

    pub(super) fn add(&mut self, other: Self) {
        self.domain |= other.domain;
        self.mx_addresses |= other.mx_addresses;
    }

    /// Whether anything is looked up.
    pub(super) fn any(self) -> bool {
        self.domain || self.mx_addresses
    }
}

/// The lookups about the domain of the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SenderDomain {
    /// The domain.
    #[serde(serialize_with = "name::as_text")]
    pub(crate) domain: Name,
    /// The outcome of the MX lookup.
    pub(crate) mx: Outcome,
    /// Whether the domain has a null MX (RFC 7505).
    pub(crate) null_mx: bool,
    /// The outcome of the address lookup; only without MX (RFC 5321 §5.1).
    pub(crate) addresses: Option<Outcome>,
    /// The outcome of the SOA lookup; only without addresses too (Yahoo).
    pub(crate) soa: Option<Outcome>,
    /// The MX hosts with their addresses; without MX records the domain itself (RFC 5321 §5.1). Empty if no rule needs them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mx_hosts: Vec<MxHost>,
}

pub(super) fn observe(
    domain: &Name,
    needs: SenderObservations,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (SenderDomain, Duration) {
    let question = lookup.ask(domain, RecordType::MX);
    let (mx, mut elapsed) = (question.outcome, question.elapsed);
    let null = |data: &RData| matches!(data, RData::MX(mx) if mx.exchange.is_root());
    let null_mx = question.answers.len() == 1 && question.answers.iter().all(null);
    let hosts = mx_hosts(&question);
    evidence.push(question);
    let mut mx_hosts = Vec::new();
    if needs.mx_addresses {
        let before = evidence.len();
        let hosts = hosts.into_iter();
        mx_hosts.extend(hosts.map(|host| MxHost::observe(host, lookup, evidence)));
        elapsed += slowest(&evidence[before..]);
    }
    let (mut addresses, mut soa) = (None, None);
    if mx != Outcome::Data {
        let before = evidence.len();
        let itself = MxHost::observe(domain.clone(), lookup, evidence);
        addresses = Some(itself.outcome);
        mx_hosts.extend((needs.mx_addresses && mx.is_absent()).then_some(itself));
        elapsed += slowest(&evidence[before..]);
    }
    if addresses.is_some_and(Outcome::is_absent) {
        let question = lookup.ask(domain, RecordType::SOA);
        soa = Some(question.outcome);
        elapsed += question.elapsed;
        evidence.push(question);
    }
    (
        SenderDomain {
            domain: domain.clone(),
            mx,
            null_mx,
            addresses,
            soa,
            mx_hosts,
        },
        elapsed,
    )
}
