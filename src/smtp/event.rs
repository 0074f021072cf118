//! What a session tells of itself.

use std::sync::Arc;

use super::ClientAddress;
use super::trace::Trace;
use crate::facts::Facts;
use crate::journal::Envelope;
use crate::policy::Refusal;
use crate::reply::Reply;

/// What happened, to be published once the reply has been sent.
#[derive(Clone, Debug)]
pub enum Event {
    /// The client said a line, or sent so many octets of data.
    Client(Arc<str>),
    /// The receiver replied.
    Server(Arc<str>),
    /// A line beyond what a transcript keeps.
    LineDropped,
    /// Facts were observed.
    Observed(Box<Facts>),
    /// The client address was replaced (XCLIENT).
    Renamed(ClientAddress),
    /// The session is under TLS now: version and cipher suite.
    Secured(String),
    /// An allow entry let the client pass.
    Allowed(String),
    /// A recipient was tried, whatever comes of it.
    Tried {
        /// The reverse-path of the transaction.
        reverse_path: String,
        /// The argument of RCPT.
        forward_path: String,
    },
    /// A rule refused.
    Refused(Box<Refusal>),
    /// A transaction reached its final dot.
    Transaction {
        /// Its envelope.
        envelope: Envelope,
        /// The reply to the final dot.
        reply: Reply,
        /// The message, where it was accepted, and what the receiver writes above it.
        message: Option<(Trace, Vec<u8>)>,
    },
    /// A script spoke.
    Scripted(String),
    /// The session ended, and how: `quit`, `refused`, `lost`, `timeout`, `errors`, `shutdown`, `script`, `proxy`, `tls`.
    Closed(&'static str),
}
