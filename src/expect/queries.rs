//! Filters of DNS queries.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Addresses;
use super::differences::{Differences, Mismatch, describe, some_text};
use super::words;
use crate::journal::DnsQuery;

/// A filter of DNS queries: every given condition must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "http", into_params(parameter_in = Query))]
pub struct Queries {
    /// The client address of the query, or a network that contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_address: Option<Addresses>,
    /// The query name, in any case, with or without a trailing dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The query type, for example MX.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "words::record_type")]
    pub record_type: Option<String>,
    /// The RCODE of the answer, for example NXDOMAIN; `none` if no answer was sent.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::rcode"
    )]
    pub rcode: Option<String>,
    /// Only queries received at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(feature = "http", param(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

impl Queries {
    /// Matches queries for this name and type.
    pub fn of(name: &str, record_type: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            record_type: Some(record_type.to_owned()),
            ..Self::default()
        }
    }

    /// Whether a query meets every condition.
    pub fn matches(&self, query: &DnsQuery) -> bool {
        let mut whether = Differences::whether();
        self.compare(query, &mut whether);
        whether.none()
    }

    /// The conditions that a query does not meet.
    pub(crate) fn mismatches(&self, query: &DnsQuery) -> Vec<Mismatch> {
        let mut found = Differences::default();
        self.compare(query, &mut found);
        found.into_list()
    }

    fn compare(&self, query: &DnsQuery, found: &mut Differences) {
        let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let client = query.client.ip().to_canonical();
        found.compare(
            "client_address",
            &self.client_address,
            |net| net.contains(&client),
            || client,
        );
        found.compare(
            "name",
            &self.name,
            |name| bare(name) == bare(&query.name()),
            || some_text(&query.name()),
        );
        found.compare(
            "type",
            &self.record_type,
            |wanted| wanted.eq_ignore_ascii_case(&query.record_type()),
            || query.record_type(),
        );
        found.compare(
            "rcode",
            &self.rcode,
            |wanted| wanted.eq_ignore_ascii_case(&query.rcode()),
            || query.rcode(),
        );
        found.compare(
            "since",
            &self.since,
            |since| query.at >= *since,
            || query.at,
        );
    }
}

impl fmt::Display for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "DNS queries", self)
    }
}
