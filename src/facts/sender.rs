//! The domain of the sender: whether mail can be sent to it.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;

use super::{Lookup, LookupRecord, Outcome};
use crate::name::{self, Name, RecordType};

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
}

pub(super) fn observe(
    domain: &Name,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (SenderDomain, Duration) {
    let question = lookup.ask(domain, RecordType::MX);
    let (mx, mut elapsed) = (question.outcome, question.elapsed);
    let null = |data: &RData| matches!(data, RData::MX(mx) if mx.exchange.is_root());
    let null_mx = question.answers.len() == 1 && question.answers.iter().all(null);
    evidence.push(question);
    let (mut addresses, mut soa) = (None, None);
    if mx != Outcome::Data {
        let questions = [
            lookup.ask(domain, RecordType::A),
            lookup.ask(domain, RecordType::AAAA),
        ];
        addresses = Some(Outcome::combined(questions.iter().map(|q| q.outcome)));
        elapsed += questions
            .iter()
            .map(|q| q.elapsed)
            .max()
            .unwrap_or_default();
        evidence.extend(questions);
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
        },
        elapsed,
    )
}
