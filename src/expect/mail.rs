//! Filters of messages.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::differences::{Differences, Mismatch, describe, listed};
use crate::journal::Message;

/// A filter of messages: every given condition must match. Without conditions it matches every message.
///
/// ```
/// use martinet::expect::Mail;
/// let mail = Mail::to("b@contoso.test").by_sender("a@example.test");
/// assert_eq!(mail.to_string(), "messages with recipient b@contoso.test, sender a@example.test");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "http", into_params(parameter_in = Query))]
pub struct Mail {
    /// An envelope recipient: the whole address, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The envelope sender: the whole address, in any case; empty for the null sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The number of the session of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", param(minimum = 0))]
    pub session: Option<u64>,
    /// Only messages accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(feature = "http", param(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

impl Mail {
    /// Matches every message.
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches messages to this recipient.
    pub fn to(recipient: &str) -> Self {
        Self {
            recipient: Some(recipient.to_owned()),
            ..Self::default()
        }
    }

    /// Matches only messages from this sender; empty for the null sender.
    #[must_use]
    pub fn by_sender(self, sender: &str) -> Self {
        Self {
            sender: Some(sender.to_owned()),
            ..self
        }
    }

    /// Matches only messages of this session.
    #[must_use]
    pub fn of_session(self, session: u64) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Whether a message meets every condition.
    pub fn matches(&self, message: &Message) -> bool {
        let mut whether = Differences::whether();
        self.compare(message, &mut whether);
        whether.none()
    }

    /// The conditions that a message does not meet.
    pub(crate) fn mismatches(&self, message: &Message) -> Vec<Mismatch> {
        let mut found = Differences::default();
        self.compare(message, &mut found);
        found.into_list()
    }

    fn compare(&self, message: &Message, found: &mut Differences) {
        let (sender, paths) = (&message.envelope.sender, &message.envelope.recipients);
        found.compare(
            "recipient",
            &self.recipient,
            |wanted| paths.iter().any(|path| path.eq_ignore_ascii_case(wanted)),
            || listed(paths.iter().map(String::as_str)),
        );
        found.compare(
            "sender",
            &self.sender,
            |wanted| wanted.eq_ignore_ascii_case(sender),
            || format!("<{sender}>"),
        );
        found.compare(
            "session",
            &self.session,
            |wanted| *wanted == message.session,
            || message.session,
        );
        found.compare(
            "since",
            &self.since,
            |since| message.at >= *since,
            || message.at,
        );
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "messages", self)
    }
}
