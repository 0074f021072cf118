//! The verdict of a session or a transaction, the source of a refusal, and the reason why a session ended: plain
//! values.
//!
//! | what happened | verdict |
//! | --- | --- |
//! | a message was acknowledged with 2yz, and nothing was refused | `accept` |
//! | something was refused, and the first refusal is a 4yz reply | `defer` |
//! | something was refused, and the first refusal is a 5yz reply | `reject` |
//! | nothing was refused, and no message was acknowledged | `none` |
//!
//! A refusal is a 4yz or 5yz reply, whatever its source ([`Source`]). Two replies do not count as refusals: the same
//! reply again after a refusal that applies to the rest of the session, and a 421 that ends an idle session when the
//! world stops or after a message was acknowledged. A reply that is never sent (`silence`, `close`, `reset`) is neither
//! an acknowledgement nor a refusal.
//!
//! A transaction has a verdict by the same table, for the events from its MAIL command to its end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::reply::ReplyCode;

/// The verdict of a session or a transaction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// No message was acknowledged, and nothing was refused.
    #[default]
    None,
    /// A message was acknowledged with a 2yz reply, and nothing was refused.
    Accept,
    /// The first refusal is a 4yz reply.
    Defer,
    /// The first refusal is a 5yz reply.
    Reject,
}

impl Verdict {
    /// All verdicts.
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Accept, Self::Defer, Self::Reject];

    /// The definition: `refusal` is the code of the first refusal, and `acknowledged` whether a message was
    /// acknowledged with a 2yz reply.
    pub(crate) fn of(refusal: Option<ReplyCode>, acknowledged: bool) -> Self {
        match refusal.map(ReplyCode::class) {
            Some(4) => Self::Defer,
            Some(5) => Self::Reject,
            _ if acknowledged => Self::Accept,
            _ => Self::None,
        }
    }

    /// The word used in files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Accept => "accept",
            Self::Defer => "defer",
            Self::Reject => "reject",
        }
    }

    /// The word in a sentence: accepted, deferred, rejected, undecided.
    pub const fn past(self) -> &'static str {
        match self {
            Self::None => "undecided",
            Self::Accept => "accepted",
            Self::Defer => "deferred",
            Self::Reject => "rejected",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Verdict {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|v| v.name() == text).ok_or(())
    }
}

/// The source of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Source {
    /// A rule of the receiver.
    Rule,
    /// A `[[script]]` of the receiver.
    Script,
    /// A recipient whose local part asks for the reply, such as `550-5.1.1@…`.
    Recipient,
    /// The SMTP server itself: syntax, sequence, limits, timeouts, AUTH, TLS, PROXY.
    Protocol,
}

impl Source {
    /// All sources.
    pub(crate) const ALL: [Self; 4] = [Self::Rule, Self::Script, Self::Recipient, Self::Protocol];

    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Script => "script",
            Self::Recipient => "recipient",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Source {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(())
    }
}

/// The reason why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum ClosedBy {
    /// The client sent QUIT.
    Quit,
    /// The receiver closed the connection with a refusal.
    Refused,
    /// The client closed the connection, or the connection broke.
    Lost,
    /// The client was idle longer than the timeout of the receiver.
    Timeout,
    /// The client made more mistakes than the receiver allows.
    Errors,
    /// The receiver shut down.
    Shutdown,
    /// A script closed the connection.
    Script,
    /// The PROXY header was missing or wrong.
    Proxy,
    /// The TLS handshake failed.
    Tls,
    /// The listener had reached its limit of connections.
    Connections,
}

impl ClosedBy {
    /// The word used in JSON and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Errors => "errors",
            Self::Shutdown => "shutdown",
            Self::Script => "script",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Connections => "connections",
        }
    }
}

impl fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let code = |code| ReplyCode::new(code);
        for (refusal, acknowledged, verdict) in [
            (None, true, Verdict::Accept),
            (None, false, Verdict::None),
            (code(450), true, Verdict::Defer),
            (code(421), false, Verdict::Defer),
            (code(554), true, Verdict::Reject),
            (code(500), false, Verdict::Reject),
        ] {
            assert_eq!(Verdict::of(refusal, acknowledged), verdict);
        }
    }

    #[test]
    fn one_spelling() {
        for verdict in Verdict::ALL {
            let json = serde_json::to_value(verdict).expect("JSON");
            assert_eq!(json, verdict.name());
            assert_eq!(verdict.name().parse(), Ok(verdict));
        }
        for source in Source::ALL {
            let json = serde_json::to_value(source).expect("JSON");
            assert_eq!(json, source.name());
            assert_eq!(source.name().parse(), Ok(source));
        }
    }
}
