//! Settings of the DNS server, apart from its zones.

use std::net::SocketAddr;

/// The answer for names outside all zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// RCODE 5, like an authoritative server.
    #[default]
    Refused,
    /// RCODE 3 from a root zone that contains only the zones; senders treat it as a permanent failure.
    NxDomain,
    /// RCODE 2.
    ServFail,
    /// No answer.
    Drop,
    /// The answer of this server. This is the only setting with which the process queries another server.
    Forward(SocketAddr),
}

impl Outside {
    /// The words used in files.
    pub const WORDS: [&'static str; 5] = ["refused", "nxdomain", "servfail", "drop", "forward"];
}

/// Limits for clients outside loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of UDP answers per second to one client network (IPv4 /24, IPv6 /56); 0 for no limit.
    pub(crate) responses_per_second: u32,
    /// Maximum number of concurrent TCP connections of one client address; 0 for no limit.
    pub(crate) tcp_connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            responses_per_second: 1_000,
            tcp_connections: 32,
        }
    }
}

/// Settings of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names outside the zones; `None` if the file does not specify it.
    pub outside: Option<Outside>,
    /// The RA bit: some clients reject answers without it.
    pub recursion_available: bool,
    /// Whether clients on loopback can transfer zones (AXFR, RFC 5936); other clients cannot.
    pub transfer: bool,
    /// Limits for clients outside loopback.
    pub limits: Limits,
}

impl Settings {
    /// The answer for names outside the zones.
    pub fn outside(&self) -> Outside {
        self.outside.unwrap_or_default()
    }
}
