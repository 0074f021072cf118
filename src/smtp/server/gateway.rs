//! The default gateway as the client. A container engine that publishes a port translates addresses: every client that
//! connects through the port has the address of the gateway, and the rules judge the gateway.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::name;
use crate::smtp::{AddressSource, SessionRecord};

/// The default gateways of the machine, and whether a session from one of them was reported.
#[derive(Debug, Default)]
pub(crate) struct Gateways {
    addresses: Vec<IpAddr>,
    reported: AtomicBool,
}

impl Gateways {
    /// Creates a value that has not reported yet.
    pub(crate) fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            reported: AtomicBool::new(false),
        }
    }

    /// Logs a warning after the first session in which a gateway is judged as the client. A client that sends no HELO, such as the
    /// probe of a port, is not judged.
    pub(crate) fn report(&self, record: &SessionRecord) {
        let peer = name::normalise(record.peer.ip());
        let judged = record.client_source == AddressSource::Socket
            && record.client_address == peer
            && !record.helo.is_empty();
        if judged && self.addresses.contains(&peer) && !self.reported.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "the client address {peer} is the default gateway of this machine: every client that comes through a published port \
                 has it. To judge the real clients, let the sender send XCLIENT (--xclient-from {peer}) or a PROXY header (--proxy \
                 optional), or put it into the network of this server; or choose client addresses in the scenario ([client] from)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::smtp::{ClientAddress, SessionEntry};

    #[track_caller]
    fn check(peer: &str, client: &str, source: AddressSource, helo: &str, expected: bool) {
        let gateways = Gateways::new(["172.17.0.1", "fd00::1"].map(ip).to_vec());
        let client = ClientAddress {
            source,
            ..ClientAddress::fixed(ip(client))
        };
        let entry = SessionEntry::new(1, (ip(peer), 40_000).into(), client, "", Duration::ZERO);
        let mut record = entry.snapshot();
        helo.clone_into(&mut record.helo);
        gateways.report(&record);
        assert_eq!(
            gateways.reported.into_inner(),
            expected,
            "{peer} {client:?} {helo:?}"
        );
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_gateway_judged_as_the_client_is_reported() {
        use AddressSource::{Fixed, Pool, Proxy, Socket, Xclient};
        check("172.17.0.1", "172.17.0.1", Socket, "a.test", true);
        check("::ffff:172.17.0.1", "172.17.0.1", Socket, "a.test", true);
        check("fd00::1", "fd00::1", Socket, "a.test", true);
        check("172.17.0.2", "172.17.0.2", Socket, "a.test", false);
        // Another address is judged: that of the scenario, of the sender, or of NAT.
        check("172.17.0.1", "192.0.2.10", Pool, "a.test", false);
        check("172.17.0.1", "172.17.0.1", Fixed, "a.test", false);
        check("172.17.0.1", "192.0.2.10", Proxy, "a.test", false);
        check("172.17.0.1", "192.0.2.10", Xclient, "a.test", false);
        check("172.17.0.1", "192.0.2.10", Socket, "a.test", false);
        // A probe of the port.
        check("172.17.0.1", "172.17.0.1", Socket, "", false);
    }
}
