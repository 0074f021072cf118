//! SPF (RFC 7208) over the zones of the world, with every lookup kept as evidence.

mod evaluate;
mod macros;
mod record;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Lookup, LookupRecord};
use evaluate::Evaluation;

/// Maximum number of terms with DNS lookups (RFC 7208 §4.6.4).
pub(crate) const DNS_TERMS: u32 = 10;
/// The term of a step for the modifier.
pub(crate) const REDIRECT: &str = "redirect";
/// Maximum number of void lookups (RFC 7208 §4.6.4).
pub(crate) const VOID_LOOKUPS: u32 = 2;

/// The identities of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct SpfQuery<'a> {
    /// The client address.
    pub ip: IpAddr,
    /// The HELO name.
    pub helo: &'a str,
    /// The sender; empty means postmaster at the HELO name (RFC 7208 §2.4).
    pub sender: &'a str,
    /// The receiver's host name, for explanations.
    pub receiver: &'a str,
}

/// The result (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// No record, or no domain to ask about.
    None,
    /// The record makes no statement about this client.
    Neutral,
    /// Authorized.
    Pass,
    /// Not authorized.
    Fail,
    /// Probably not authorized.
    SoftFail,
    /// DNS failed temporarily.
    TempError,
    /// The domain's record cannot be interpreted.
    PermError,
}

impl SpfResult {
    /// The word used in headers and files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// A result with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spf {
    /// The result.
    pub result: SpfResult,
    /// The domain whose record was evaluated.
    pub(crate) domain: String,
    /// The directive that matched; empty if none did.
    pub(crate) mechanism: String,
    /// The explanation of a fail (`exp=`); empty without one.
    pub explanation: String,
    /// The reason for temperror and permerror; empty otherwise.
    pub problem: String,
    /// Number of terms with DNS lookups.
    pub(crate) dns_terms: u32,
    /// Number of void lookups.
    pub(crate) void_lookups: u32,
    /// The time of the lookups, one after the other.
    #[serde(rename = "elapsed_ms", serialize_with = "crate::journal::millis")]
    pub(crate) elapsed: Duration,
    /// The terms that were evaluated, in the order in which their evaluation ended.
    #[serde(skip)]
    pub(crate) steps: Vec<SpfStep>,
}

/// A term that was evaluated, with the counts at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfStep {
    /// The domain of its record.
    pub(crate) domain: String,
    /// The term; `redirect` for that modifier.
    pub(crate) term: String,
    /// Number of terms with DNS lookups so far.
    pub(crate) dns_terms: u32,
    /// Number of void lookups so far.
    pub(crate) void_lookups: u32,
}

/// The check_host() function (RFC 7208 §4). Adds the lookups to `evidence`.
pub fn check_host(
    query: &SpfQuery<'_>,
    lookup: &dyn Lookup,
    evidence: &mut Vec<Arc<LookupRecord>>,
) -> Spf {
    Evaluation::new(query, lookup, evidence).run()
}
