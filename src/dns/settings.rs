//! How the server presents itself beside its zones.

use std::net::SocketAddr;

/// What is said of a name outside every zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// RCODE 5, as an authoritative server says.
    #[default]
    Refused,
    /// RCODE 3 from a root zone that holds the zones and nothing else: senders take it for final.
    NxDomain,
    /// RCODE 2.
    ServFail,
    /// Nothing at all.
    Drop,
    /// What this other server says. The one case in which the process asks outside itself.
    Forward(SocketAddr),
}

impl Outside {
    /// The words used in files.
    pub const WORDS: [&'static str; 5] = ["refused", "nxdomain", "servfail", "drop", "forward"];
}

/// Limits on clients that are not on this machine's loopback; those have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most answers a second to one client network (an IPv4 /24, an IPv6 /56) over UDP; 0 for no limit.
    pub responses_per_second: u32,
    /// Most TCP connections at a time of one client address; 0 for no limit.
    pub tcp_connections: u32,
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
    /// Names outside the zones.
    pub outside: Outside,
    /// The RA bit: some clients take an answer without it for that of a server that cannot help.
    pub recursion_available: bool,
    /// Whether clients on loopback may transfer zones (AXFR, RFC 5936); nobody else may.
    pub transfer: bool,
    /// Limits on clients elsewhere.
    pub limits: Limits,
}
