//! An authoritative DNS server over the zones of one scenario. Knows no mail.
//!
//! Zone text becomes records ([`parse_master`]), records become an immutable snapshot ([`Zones`]), a snapshot
//! answers questions ([`Zones::answer`]), octets are answered with octets ([`respond`]), and sockets carry them
//! ([`serve`]).

mod answer;
pub mod client;
mod fault;
mod master;
mod server;
mod wire;
mod zone;

pub use fault::{Action, Fault};
pub use master::{MasterMistake, parse_master};
pub use server::serve;
pub(crate) use wire::rcode_text;
pub use wire::{Response, respond};
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

impl Transport {
    /// The word used in files and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}
