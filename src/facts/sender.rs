//! The domain of the reverse-path: whether a bounce could be sent there.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;

use super::iprev::{combined, name_text};
use super::{Lookup, LookupRecord, Outcome};
use crate::name::{Name, RecordType};

/// What DNS says of the domain of the reverse-path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SenderDomain {
    /// The domain.
    #[serde(serialize_with = "name_text")]
    pub domain: Name,
    /// What looking for MX came to.
    pub mx: Outcome,
    /// Whether the domain accepts no mail at all (RFC 7505).
    pub null_mx: bool,
    /// What looking for A and AAAA came to; asked only without MX (RFC 5321 §5.1).
    pub addresses: Option<Outcome>,
    /// What looking for SOA came to; asked only without addresses too (Yahoo).
    pub soa: Option<Outcome>,
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
        addresses = Some(combined(questions.iter().map(|q| q.outcome)));
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
