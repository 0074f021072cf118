//! The details of a refused message that a bounce or a log line contains.

use std::net::IpAddr;

use serde::Serialize;

/// The details of the refused message that an input contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = FoundSent))]
pub struct Sent {
    /// The client address.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The HELO name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// The envelope sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The envelope recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The receiver's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// The time of the attempt, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}
