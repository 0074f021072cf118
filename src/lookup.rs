//! A DNS lookup as a value: its transport, its outcome, and the question with its answers, which is kept as evidence.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::{Deserialize, Serialize};

use crate::name::{self, Name, RecordType};

/// The transport of a DNS query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Transport {
    /// One datagram (RFC 1035 §4.2.1).
    Udp,
    /// Length-prefixed messages on a connection (RFC 1035 §4.2.2, RFC 7766).
    Tcp,
}

impl Transport {
    /// The word used in files and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// The outcome of a lookup. The five outcomes without data are different facts with different consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = LookupOutcome))]
pub enum Outcome {
    /// At least one record of the requested type.
    Data,
    /// The name exists, without records of this type (RFC 2308 §2.2).
    NoData,
    /// The name does not exist (RFC 2308 §2.1).
    NxDomain,
    /// The server could not answer (RCODE 2).
    ServFail,
    /// The server refused to answer (RCODE 5), or was not authoritative.
    Refused,
    /// No answer within the timeout of the receiver.
    Timeout,
}

impl Outcome {
    /// Whether a later try can have another result: SERVFAIL, REFUSED, timeout. Such a failure never proves absence.
    pub(crate) const fn is_temporary(self) -> bool {
        matches!(self, Self::ServFail | Self::Refused | Self::Timeout)
    }

    /// Whether the answer proves absence: NODATA or NXDOMAIN.
    pub(crate) const fn is_absent(self) -> bool {
        matches!(self, Self::NoData | Self::NxDomain)
    }

    /// Combines several lookups of one name: data, else a temporary failure, else NODATA, else NXDOMAIN.
    pub(crate) fn combined(outcomes: impl Iterator<Item = Self>) -> Self {
        let rank = |o: Self| match o {
            Self::Data => 3,
            o if o.is_temporary() => 2,
            Self::NoData => 1,
            _ => 0,
        };
        outcomes.max_by_key(|o| rank(*o)).unwrap_or(Self::NxDomain)
    }

    /// The conventional word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::NoData => "NODATA",
            Self::NxDomain => "NXDOMAIN",
            Self::ServFail => "SERVFAIL",
            Self::Refused => "REFUSED",
            Self::Timeout => "timeout",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// One DNS lookup of the receiver with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LookupRecord {
    /// The query name.
    #[serde(serialize_with = "name::as_text")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub name: Name,
    /// The query type.
    #[serde(rename = "type", serialize_with = "as_display")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub record_type: RecordType,
    /// The outcome.
    pub outcome: Outcome,
    /// The data of the records of the query type, in the order of the answer, after following CNAMEs.
    #[serde(serialize_with = "as_displays")]
    #[cfg_attr(feature = "http", schema(value_type = Vec<String>))]
    pub answers: Vec<RData>,
    /// The time of the lookup, in milliseconds in JSON.
    #[serde(rename = "elapsed_ms", serialize_with = "crate::journal::millis")]
    #[cfg_attr(feature = "http", schema(value_type = f64))]
    pub elapsed: Duration,
    /// The DNS fault that took effect; empty, and left out of JSON, if none did.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub fault: &'static str,
}

impl LookupRecord {
    /// The approximate size in memory, in octets.
    pub(crate) fn octets(&self) -> usize {
        size_of::<Self>() + self.answers.len() * size_of::<RData>()
    }

    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.answers.iter().filter_map(|data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(a) => Some(IpAddr::V6(a.0)),
            _ => None,
        })
    }

    /// The names among the records of a PTR question.
    pub fn names(&self) -> impl Iterator<Item = &Name> + '_ {
        self.answers.iter().filter_map(|data| match data {
            RData::PTR(name) => Some(&name.0),
            _ => None,
        })
    }
}

fn as_display<S: serde::Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_displays<S: serde::Serializer>(values: &[RData], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}
