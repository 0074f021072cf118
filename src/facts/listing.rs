//! DNSBL lookups of addresses and names (RFC 5782).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;

use super::{Lookup, LookupRecord, Outcome};
use crate::name::{self, Name, RecordType};

/// The subject of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The client address.
    Client,
    /// The HELO name.
    Helo,
    /// The domain of the envelope sender.
    Sender,
}

/// The result of one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listing {
    /// The subject.
    pub subject: Subject,
    /// The list.
    #[serde(serialize_with = "name::as_text")]
    pub zone: Name,
    /// The query name; the root if there is none.
    #[serde(skip)]
    pub entry: Name,
    /// The outcome of the lookup.
    pub outcome: Outcome,
    /// The addresses in 127.0.0.0/8 that mean a listing.
    pub codes: Vec<Ipv4Addr>,
    /// An address that means an error (127.255.255.0/24: wrong query, public resolver, too many queries).
    pub error: Option<Ipv4Addr>,
    /// The list's TXT record, empty without one.
    pub text: String,
}

impl Listing {
    /// Whether the subject is listed. An error code is not a listing.
    pub(crate) fn is_listed(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Whether the list gave no answer.
    pub(crate) fn is_unknown(&self) -> bool {
        !self.is_listed() && (self.outcome.is_temporary() || self.error.is_some())
    }
}

/// Looks a name up in block lists. Returns the results, and the time of the slowest lookup.
pub(super) fn observe_all(
    subject: Subject,
    name: &str,
    lists: &[Name],
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (Vec<Listing>, Duration) {
    let observed = lists
        .iter()
        .map(|zone| observe(subject, name, zone, lookup, evidence));
    let (listings, took): (Vec<_>, Vec<_>) = observed.unzip();
    (listings, took.into_iter().max().unwrap_or_default())
}

/// The client address as block lists use it: octets or nibbles reversed, without in-addr.arpa (RFC 5782 §2.1, §2.4).
pub(super) fn reversed(address: IpAddr) -> String {
    let name = name::display(&name::reverse(address));
    name.trim_end_matches(".in-addr.arpa")
        .trim_end_matches(".ip6.arpa")
        .to_owned()
}

/// Looks up one list, and the TXT record if the subject is listed.
pub(super) fn observe(
    subject: Subject,
    text: &str,
    zone: &Name,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (Listing, Duration) {
    let mut listing = Listing {
        subject,
        zone: zone.clone(),
        entry: Name::root(),
        outcome: Outcome::NxDomain,
        codes: Vec::new(),
        error: None,
        text: String::new(),
    };
    let owner = name::of_octets(text).and_then(|n| n.append_domain(zone).ok());
    let Some(owner) = owner else {
        return (listing, Duration::ZERO);
    };
    listing.entry.clone_from(&owner);
    let question = lookup.ask(&owner, RecordType::A);
    let mut elapsed = question.elapsed;
    listing.outcome = question.outcome;
    for address in question.addresses() {
        match address {
            IpAddr::V4(v4) if v4.octets()[..3] == [127, 255, 255] => listing.error = Some(v4),
            IpAddr::V4(v4) if v4.is_loopback() => listing.codes.push(v4),
            _ => {}
        }
    }
    evidence.push(question);
    if listing.is_listed() {
        let reason = lookup.ask(&owner, RecordType::TXT);
        listing.text = reason.answers.iter().find_map(text_of).unwrap_or_default();
        elapsed += reason.elapsed;
        evidence.push(reason);
    }
    (listing, elapsed)
}

fn text_of(data: &RData) -> Option<String> {
    match data {
        RData::TXT(txt) => Some(
            txt.txt_data
                .iter()
                .map(|s| String::from_utf8_lossy(s))
                .collect(),
        ),
        _ => None,
    }
}
