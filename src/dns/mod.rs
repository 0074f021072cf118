//! An authoritative DNS server over the zones of one scenario. Knows no mail.

mod fault;
mod master;
mod zone;

pub use fault::{Action, Fault};
pub use master::{MasterMistake, parse_master};
pub use zone::{Answer, Zone, Zones};

use serde::Serialize;

/// How a question came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One datagram (RFC 1035 §4.2.1).
    Udp,
    /// Length-prefixed messages on a connection (RFC 1035 §4.2.2, RFC 7766).
    Tcp,
}
