//! How a client behaves in its session, apart from what it claims to be.

use std::time::Duration;

use serde::Serialize;

use super::Verb;

/// A character that stands alone where CRLF ends a line (RFC 5321 §2.3.8).
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

/// What a client did so far in one session. Some of it stands for the rest of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conduct {
    /// It spoke before the greeting was complete (RFC 5321 §3.1: the client waits for it).
    pub pregreet: bool,
    /// The command behind which more came although the client had to wait (RFC 2920 §3.1); empty where none.
    pub unsynchronised: String,
    /// A line in another protocol's words; empty where none.
    pub not_smtp: String,
    /// The character that ended a line alone (RFC 5321 §2.3.8); `None` where every line ended with CRLF.
    pub bare_newline: Option<BareLineEnd>,
    /// Every helo before the present one, refused ones too.
    pub earlier_helos: Vec<(Verb, String)>,
    /// Whether the last HELO was refused, and no earlier one stands.
    pub helo_refused: bool,
    /// Transactions begun, the present one included.
    pub messages: u64,
    /// Recipients tried in the present transaction.
    pub recipients: u64,
    /// Mistakes the receiver answered with an error of its own.
    pub errors: u64,
    /// Whether the session is under TLS (RFC 3207).
    pub tls: bool,
    /// The user that authenticated (RFC 4954), empty where none did.
    pub login: String,
}

impl Conduct {
    /// Most earlier helos kept; a client that goes on beyond has told enough.
    const EARLIER_HELLOS: usize = 16;

    /// Keeps a HELO that another one replaces.
    pub fn replaced(&mut self, verb: Verb, argument: String) {
        if self.earlier_helos.len() < Self::EARLIER_HELLOS {
            self.earlier_helos.push((verb, argument));
        }
    }
}

/// How long the greeting is held back, to see who cannot wait (postscreen, Sendmail `greet_pause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pregreet {
    /// How long.
    pub wait: Duration,
    /// Whether the first line of a longer greeting is said before the wait, as postscreen does.
    pub teaser: bool,
}
