//! The client address of a connection. A scenario can assign one, so that no network setup is needed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::name;

/// The source of client addresses.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ClientSource {
    /// The peer of the socket.
    #[default]
    Socket,
    /// One address for all connections.
    Fixed(IpAddr),
    /// A map from peers to client addresses; other peers are used unchanged.
    Map(HashMap<IpAddr, IpAddr>),
    /// The next address of a pool for each connection.
    Pool {
        /// The addresses; not empty.
        addresses: Vec<IpAddr>,
        /// The order.
        order: Order,
    },
}

impl ClientSource {
    /// Checks that a pool or map is not empty, because that would mean the peer of the socket.
    ///
    /// # Errors
    /// The pool or the map is empty.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Pool { addresses, .. } if addresses.is_empty() => {
                let expected = "one or more addresses in the pool of client addresses";
                Err(Error::unexpected(expected, "none"))
            }
            Self::Map(map) if map.is_empty() => {
                let expected = "one or more addresses in the map of client addresses";
                Err(Error::unexpected(expected, "none"))
            }
            _ => Ok(()),
        }
    }
}

/// The order in which the addresses of a pool are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Each address in turn.
    #[default]
    RoundRobin,
    /// A pseudo-random order, which is the same for the same seed.
    Random {
        /// The seed.
        seed: u64,
    },
}

/// Network address translation of client addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nat {
    /// The inside networks.
    pub from: Vec<IpNet>,
    /// The public address.
    pub to: IpAddr,
}

/// The source of the client address of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum AddressSource {
    /// The peer of the socket.
    #[default]
    Socket,
    /// The one address that is configured for all connections.
    Fixed,
    /// The configured map from peers to client addresses.
    Map,
    /// The next address of the configured pool.
    Pool,
    /// The PROXY header.
    Proxy,
    /// The XCLIENT command.
    Xclient,
}

impl AddressSource {
    /// The word used in JSON and in live lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Fixed => "fixed",
            Self::Map => "map",
            Self::Pool => "pool",
            Self::Proxy => "proxy",
            Self::Xclient => "xclient",
        }
    }
}

/// The client address of a session, and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClientAddress {
    /// The address.
    pub(crate) address: IpAddr,
    /// The source.
    pub(crate) source: AddressSource,
    /// The address before NAT; `None` without NAT.
    pub(crate) translated_from: Option<IpAddr>,
}

impl ClientAddress {
    /// Makes a fixed client address.
    pub fn fixed(address: IpAddr) -> Self {
        Self::of(address, AddressSource::Fixed)
    }

    pub(crate) fn of(address: IpAddr, source: AddressSource) -> Self {
        Self {
            address: name::normalise(address),
            source,
            translated_from: None,
        }
    }
}

/// Assigns client addresses to connections.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    source: ClientSource,
    nat: Vec<Nat>,
    connections: AtomicU64,
}

impl Identity {
    /// Makes an assignment.
    pub(crate) fn new(source: ClientSource, nat: Vec<Nat>) -> Self {
        Self {
            source,
            nat,
            connections: AtomicU64::new(0),
        }
    }

    /// Restarts a pool with its first address.
    pub(crate) fn begin_again(&self) {
        self.connections.store(0, Ordering::Relaxed);
    }

    /// The client address of the next connection, which comes from `peer`.
    pub(crate) fn next(&self, peer: IpAddr) -> ClientAddress {
        self.numbered(peer, || self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// The client address of the next connection, without using it.
    pub(crate) fn peek(&self, peer: IpAddr) -> ClientAddress {
        self.numbered(peer, || self.connections.load(Ordering::Relaxed))
    }

    fn numbered(&self, peer: IpAddr, number: impl FnOnce() -> u64) -> ClientAddress {
        let peer = name::normalise(peer);
        let client = match &self.source {
            ClientSource::Socket => ClientAddress::of(peer, AddressSource::Socket),
            ClientSource::Fixed(address) => ClientAddress::of(*address, AddressSource::Fixed),
            ClientSource::Map(map) => match map.get(&peer) {
                Some(address) => ClientAddress::of(*address, AddressSource::Map),
                None => ClientAddress::of(peer, AddressSource::Socket),
            },
            ClientSource::Pool { addresses, order } => match of_pool(addresses, *order, number) {
                Some(address) => ClientAddress::of(address, AddressSource::Pool),
                None => ClientAddress::of(peer, AddressSource::Socket),
            },
        };
        self.translate(client)
    }

    /// Applies NAT to a client address from another source.
    pub(crate) fn translated(&self, client: ClientAddress) -> ClientAddress {
        self.translate(client)
    }

    fn translate(&self, client: ClientAddress) -> ClientAddress {
        let nat = self
            .nat
            .iter()
            .find(|nat| nat.from.iter().any(|net| net.contains(&client.address)));
        match nat {
            Some(nat) => ClientAddress {
                address: nat.to,
                translated_from: Some(client.address),
                ..client
            },
            None => client,
        }
    }
}

fn of_pool(addresses: &[IpAddr], order: Order, number: impl FnOnce() -> u64) -> Option<IpAddr> {
    let count = u64::try_from(addresses.len())
        .ok()
        .filter(|count| *count > 0)?;
    let number = number();
    let index = match order {
        Order::RoundRobin => number % count,
        Order::Random { seed } => splitmix64(seed.wrapping_add(number)) % count,
    };
    addresses.get(usize::try_from(index).ok()?).copied()
}

/// Sebastiano Vigna's mixing function: a seed and a number give an arbitrary, repeatable value.
pub(crate) fn splitmix64(value: u64) -> u64 {
    let mut z = value
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[track_caller]
    fn check(source: ClientSource, peers: &[&str], expected: &[&str]) {
        let identity = Identity::new(source, Vec::new());
        let got: Vec<_> = peers
            .iter()
            .map(|p| identity.next(ip(p)).address.to_string())
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn sources() {
        let pool = |order| ClientSource::Pool {
            addresses: vec![ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")],
            order,
        };
        check(
            ClientSource::Socket,
            &["127.0.0.9", "::ffff:127.0.0.9"],
            &["127.0.0.9", "127.0.0.9"],
        );
        check(
            ClientSource::Fixed(ip("192.0.2.1")),
            &["127.0.0.1"],
            &["192.0.2.1"],
        );
        let map = ClientSource::Map([(ip("127.0.0.2"), ip("192.0.2.2"))].into());
        check(
            map,
            &["127.0.0.2", "127.0.0.3", "::ffff:127.0.0.2"],
            &["192.0.2.2", "127.0.0.3", "192.0.2.2"],
        );
        check(
            pool(Order::RoundRobin),
            &["::1"; 4],
            &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1"],
        );
        check(
            ClientSource::Pool {
                addresses: Vec::new(),
                order: Order::RoundRobin,
            },
            &["127.0.0.1"],
            &["127.0.0.1"],
        );
    }

    #[test]
    fn random_order_is_the_seeds() {
        let addresses: Vec<_> = (1..=9).map(|n| ip(&format!("192.0.2.{n}"))).collect();
        let draw = |seed| {
            let source = ClientSource::Pool {
                addresses: addresses.clone(),
                order: Order::Random { seed },
            };
            let identity = Identity::new(source, Vec::new());
            (0..50)
                .map(|_| identity.next(ip("::1")).address)
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(
            addresses.iter().all(|a| draw(7).contains(a)),
            "every address has its turn"
        );
    }

    #[test]
    fn translation_keeps_the_inside() {
        let nat = Nat {
            from: vec!["10.0.0.0/8".parse().expect("a network")],
            to: ip("203.0.113.25"),
        };
        let identity = Identity::new(ClientSource::Fixed(ip("10.1.2.3")), vec![nat]);
        let client = identity.next(ip("127.0.0.1"));
        assert_eq!(
            (client.address, client.translated_from),
            (ip("203.0.113.25"), Some(ip("10.1.2.3")))
        );
    }
}
