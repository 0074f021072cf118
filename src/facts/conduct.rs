//! The conduct of a client in its session, apart from its claims.

use std::time::Duration;

use serde::Serialize;

use super::Verb;

/// A character that occurs alone in place of CRLF (RFC 5321 §2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum BareLineEnd {
    /// A line feed.
    Lf,
    /// A carriage return.
    Cr,
}

impl BareLineEnd {
    /// The word used in JSON and in reasons.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Cr => "CR",
        }
    }
}

/// The conduct of a client so far in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conduct {
    /// Whether the client sent data before the greeting was complete (RFC 5321 §3.1).
    pub(crate) pregreet: bool,
    /// The command after which the client sent more data without waiting (RFC 2920 §3.1); empty without one.
    pub(crate) unsynchronised: String,
    /// A line in another protocol; empty without one.
    pub(crate) not_smtp: String,
    /// The character that ended a line alone (RFC 5321 §2.3.8); `None` if every line ended with CRLF.
    pub bare_newline: Option<BareLineEnd>,
    /// The HELO names before the current one, including refused ones.
    pub(crate) earlier_helos: Vec<(Verb, String)>,
    /// Whether the last HELO was refused and no earlier one is in force.
    pub(crate) helo_refused: bool,
    /// Number of transactions, including the current one.
    pub(crate) messages: u64,
    /// Number of RCPT commands in the current transaction.
    pub(crate) recipients: u64,
    /// Number of mistakes that the receiver answered with an error.
    pub(crate) errors: u64,
    /// Whether the session is under TLS (RFC 3207).
    pub tls: bool,
    /// The authenticated user (RFC 4954); empty without one.
    pub(crate) login: String,
}

impl Conduct {
    /// Maximum number of earlier HELO names.
    const EARLIER_HELOS: usize = 16;

    /// Adds a HELO name that is replaced by another one.
    pub fn replaced(&mut self, verb: Verb, argument: String) {
        if self.earlier_helos.len() < Self::EARLIER_HELOS {
            self.earlier_helos.push((verb, argument));
        }
    }
}

/// The delay of the greeting that detects early talkers (postscreen, Sendmail `greet_pause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pregreet {
    /// The delay.
    pub(crate) wait: Duration,
    /// Whether the first line of a multi-line greeting is sent before the delay, as postscreen does.
    pub(crate) teaser: bool,
}
