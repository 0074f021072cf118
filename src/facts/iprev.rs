//! iprev (FCrDNS): whether a PTR name of the client address resolves back to it (RFC 8601 §2.7.3 and §3).
//!
//! "FCrDNS" is not one algorithm: receivers differ in the number of names they look up, in the address family of the
//! forward query, in the meaning of a missing forward name, and in whether one temporary failure outweighs a match.
//! [`IprevSettings`] has those differences.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::{Lookup, LookupRecord, Outcome, hostname_mistake};
use crate::name::{self, Name, RecordType};

/// The address families of the forward query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ForwardFamily {
    /// That of the client address: A for IPv4, AAAA for IPv6 (RFC 8601, Postfix, OpenSMTPD).
    #[default]
    Client,
    /// A and AAAA (Exim, Haraka).
    Both,
}

/// The meaning of a PTR name without addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum ForwardNxdomain {
    /// The names disagree: fail (RFC 8601 §3).
    #[default]
    Fail,
    /// Nothing could be compared: permerror (mail-auth).
    Permerror,
}

/// The meaning of a temporary failure if another name matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum AnyTempfail {
    /// The match counts (RFC 8601).
    #[default]
    Ignored,
    /// The failure wins: temperror (Exim).
    Wins,
}

/// The comparison of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Relaxed {
    /// The address is equal.
    #[default]
    Exact,
    /// The address is in the same /24 (IPv4) or /64 (IPv6), as Haraka records.
    SameNetwork,
}

/// The parameters of the procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IprevSettings {
    /// Maximum number of PTR names to look up, in answer order.
    pub(crate) ptr_names: usize,
    /// The PTR names that are looked up.
    pub(crate) names: PtrNames,
    /// Families of the forward query.
    pub(crate) forward_family: ForwardFamily,
    /// Meaning of a forward name without addresses.
    pub(crate) forward_nxdomain: ForwardNxdomain,
    /// Meaning of a temporary failure if another name matches.
    pub(crate) any_tempfail: AnyTempfail,
    /// The comparison of addresses.
    pub(crate) relaxed: Relaxed,
}

/// The PTR names that can be host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum PtrNames {
    /// Valid host names, including those with `_`: Exim looks up no others, and glibc and Postfix ignore others in PTR
    /// records.
    #[default]
    Host,
    /// All names that do not look like an address (libasr in OpenSMTPD).
    NotNumeric,
    /// All names except the root.
    Any,
}

impl PtrNames {
    /// All choices with their words.
    pub(crate) const ALL: [(&'static str, Self); 3] = [
        ("host", Self::Host),
        ("not-numeric", Self::NotNumeric),
        ("any", Self::Any),
    ];

    /// Whether a name is looked up.
    pub(crate) fn count(self, name: &Name) -> bool {
        let text = name::display(name);
        match self {
            Self::Host => hostname_mistake(&text, true).is_none(),
            Self::NotNumeric => !name.is_root() && text.parse::<IpAddr>().is_err(),
            Self::Any => !name.is_root(),
        }
    }
}

/// RFC 8601 with the customary limit of ten names (RFC 7208 §4.6.4 sets it for the `ptr` mechanism).
impl Default for IprevSettings {
    fn default() -> Self {
        Self {
            ptr_names: 10,
            names: PtrNames::default(),
            forward_family: ForwardFamily::default(),
            forward_nxdomain: ForwardNxdomain::default(),
            any_tempfail: AnyTempfail::default(),
            relaxed: Relaxed::default(),
        }
    }
}

/// The result of the procedure (RFC 8601 §2.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IprevResult {
    /// A PTR name leads back to the client address.
    Pass,
    /// Names and addresses exist, but none of the addresses is the client address.
    Fail,
    /// DNS failed temporarily.
    Temperror,
    /// There is no PTR name to compare.
    Permerror,
}

impl IprevResult {
    /// The word of RFC 8601.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

/// The forward lookup of one PTR name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Forward {
    /// The PTR name.
    #[serde(serialize_with = "name::as_text")]
    pub(crate) name: Name,
    /// Its addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// The outcome; data in either family counts as data. NXDOMAIN if the name is not a host name.
    pub(crate) outcome: Outcome,
    /// Whether a lookup of this name failed temporarily and none returned an address: Exim uses the addresses of one
    /// family if the other lookup fails.
    pub(crate) temporary: bool,
    /// Whether an address is the client address.
    pub(crate) confirms: bool,
}

/// The PTR names, their addresses, and the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Iprev {
    /// The result.
    pub result: IprevResult,
    /// The outcome of the reverse lookup.
    pub(crate) reverse: Outcome,
    /// The PTR names in answer order, unconfirmed.
    #[serde(serialize_with = "name::as_texts")]
    pub(crate) ptr_names: Vec<Name>,
    /// The first PTR name that leads back.
    #[serde(serialize_with = "name::as_optional_text")]
    pub(crate) verified_name: Option<Name>,
    /// The forward lookup of each name that was tried.
    pub(crate) forwards: Vec<Forward>,
    /// The result in one sentence.
    pub(crate) explanation: String,
}

impl Iprev {
    /// PTR names given by XCLIENT NAME and REVERSE_NAME, without lookups.
    pub fn from_xclient(
        ptr_name: Option<Name>,
        verified_name: Option<Name>,
        temporary: bool,
    ) -> Self {
        let (result, reverse) = match (&ptr_name, &verified_name) {
            _ if temporary => (IprevResult::Temperror, Outcome::ServFail),
            (_, Some(_)) => (IprevResult::Pass, Outcome::Data),
            (Some(_), None) => (IprevResult::Fail, Outcome::Data),
            (None, None) => (IprevResult::Permerror, Outcome::NxDomain),
        };
        let explanation = format!(
            "the names are from XCLIENT, not from DNS: {}",
            result.word()
        );
        let ptr_names: Vec<_> = ptr_name
            .or_else(|| verified_name.clone())
            .into_iter()
            .collect();
        let forward = |name: &Name| Forward {
            name: name.clone(),
            addresses: Vec::new(),
            outcome: Outcome::NoData,
            temporary: false,
            confirms: verified_name.as_ref() == Some(name),
        };
        let forwards = ptr_names.iter().map(forward).collect();
        Self {
            result,
            reverse,
            ptr_names,
            verified_name,
            forwards,
            explanation,
        }
    }

    /// The PTR names that can be host names: not the root, not a numeric address, only valid characters (including `_`,
    /// as in Postfix).
    pub(crate) fn host_names(&self) -> impl Iterator<Item = &Name> {
        self.ptr_names.iter().filter(|n| PtrNames::Host.count(n))
    }

    /// The verified names.
    pub(crate) fn verified_names(&self) -> impl Iterator<Item = &Name> {
        self.forwards.iter().filter(|f| f.confirms).map(|f| &f.name)
    }
}

/// Runs the procedure. Adds the lookups to `evidence`, and returns their time: that of the reverse lookup, then that of
/// all concurrent forward lookups.
pub(super) fn observe(
    client: IpAddr,
    settings: &IprevSettings,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> (Iprev, Duration) {
    let question = lookup.ask(&name::reverse(client), RecordType::PTR);
    let (reverse, mut elapsed) = (question.outcome, question.elapsed);
    let ptr_names: Vec<Name> = question.names().cloned().collect();
    evidence.push(question);

    let mut slowest = Duration::ZERO;
    let tried = ptr_names.iter().take(settings.ptr_names);
    let forwards: Vec<_> = tried
        .map(|n| forward(n, client, settings, lookup, evidence, &mut slowest))
        .collect();
    elapsed += slowest;

    let verified_name = forwards.iter().find(|f| f.confirms).map(|f| f.name.clone());
    let result = conclude(reverse, &forwards, settings);
    let explanation = explain(client, reverse, &forwards, result, verified_name.as_ref());
    (
        Iprev {
            result,
            reverse,
            ptr_names,
            verified_name,
            forwards,
            explanation,
        },
        elapsed,
    )
}

fn forward(
    name: &Name,
    client: IpAddr,
    settings: &IprevSettings,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
    slowest: &mut Duration,
) -> Forward {
    if !settings.names.count(name) {
        let (addresses, outcome) = (Vec::new(), Outcome::NxDomain);
        return Forward {
            name: name.clone(),
            addresses,
            outcome,
            temporary: false,
            confirms: false,
        };
    }
    let own = if client.is_ipv4() {
        RecordType::A
    } else {
        RecordType::AAAA
    };
    let types: &[RecordType] = match settings.forward_family {
        ForwardFamily::Client => &[own],
        ForwardFamily::Both => &[RecordType::A, RecordType::AAAA],
    };
    let questions: Vec<_> = types.iter().map(|t| lookup.ask(name, *t)).collect();
    *slowest = questions
        .iter()
        .map(|q| q.elapsed)
        .fold(*slowest, Duration::max);
    let addresses: Vec<IpAddr> = questions
        .iter()
        .flat_map(|question| question.addresses())
        .collect();
    let outcome = Outcome::combined(questions.iter().map(|q| q.outcome));
    let forward = Forward {
        name: name.clone(),
        confirms: addresses
            .iter()
            .any(|a| agrees(*a, client, settings.relaxed)),
        addresses,
        outcome,
        temporary: outcome.is_temporary(),
    };
    evidence.extend(questions);
    forward
}

fn agrees(address: IpAddr, client: IpAddr, relaxed: Relaxed) -> bool {
    let address = name::normalise(address);
    let prefix = match (relaxed, client) {
        (Relaxed::Exact, _) => return address == client,
        (Relaxed::SameNetwork, IpAddr::V4(_)) => 24,
        (Relaxed::SameNetwork, IpAddr::V6(_)) => 64,
    };
    IpNet::new(client, prefix).is_ok_and(|net| net.contains(&address))
}

fn conclude(reverse: Outcome, forwards: &[Forward], settings: &IprevSettings) -> IprevResult {
    let confirmed = forwards.iter().any(|f| f.confirms);
    let temporary = forwards.iter().any(|f| f.temporary);
    let absent = forwards.iter().any(|f| f.outcome.is_absent());
    match reverse {
        r if r.is_temporary() => IprevResult::Temperror,
        r if r.is_absent() => IprevResult::Permerror,
        _ if forwards.iter().all(|f| f.name.is_root()) => IprevResult::Permerror,
        _ if temporary && settings.any_tempfail == AnyTempfail::Wins => IprevResult::Temperror,
        _ if confirmed => IprevResult::Pass,
        _ if temporary => IprevResult::Temperror,
        _ if absent && settings.forward_nxdomain == ForwardNxdomain::Permerror => {
            IprevResult::Permerror
        }
        _ => IprevResult::Fail,
    }
}

fn explain(
    client: IpAddr,
    reverse: Outcome,
    forwards: &[Forward],
    result: IprevResult,
    verified: Option<&Name>,
) -> String {
    if reverse != Outcome::Data {
        return format!("the PTR lookup of {client} ended with {reverse}");
    }
    if let (IprevResult::Pass, Some(name)) = (result, verified) {
        return format!(
            "{client} has the name {}, which leads back to it",
            name::display(name)
        );
    }
    let each: Vec<_> = forwards
        .iter()
        .map(|f| match f.outcome {
            Outcome::Data => {
                let addresses: Vec<_> = f.addresses.iter().map(ToString::to_string).collect();
                format!(
                    "{} resolves to {}",
                    name::display(&f.name),
                    addresses.join(", ")
                )
            }
            _ if hostname_mistake(&name::display(&f.name), true).is_some() => {
                format!("{} is not a host name", name::display(&f.name))
            }
            outcome => format!(
                "the address lookup of {} ended with {outcome}",
                name::display(&f.name)
            ),
        })
        .collect();
    format!("{}, so no name of {client} is confirmed", each.join("; "))
}

#[cfg(test)]
mod tests;
