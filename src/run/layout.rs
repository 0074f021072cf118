//! The addresses of the sealed network.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RData;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::SMTP;
use crate::error::Error;
use crate::facts::{Lookup, Resolver};
use crate::name::{self, RecordType};
use crate::scenario::{Exchange, ExchangeKind, Expectation, Placement, Scenario};
use crate::smtp::ClientSource;

/// Maximum length of a hostname in Linux.
const HOSTNAME_OCTETS: usize = 64;

/// The addresses of a scenario within the sealed network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The address of the receiver, for exchanges without addresses in the file.
    pub(crate) receiver: IpAddr,
    /// All addresses on which a receiver listens, that of `receiver` first.
    pub(crate) exchanges: Vec<IpAddr>,
    /// The addresses of exchanges on which nothing listens: connections are refused.
    pub(crate) dead: Vec<IpAddr>,
    /// The assignment of addresses to exchanges, if recipient domains have their own receivers or exchanges.
    pub(crate) placement: Option<Placement>,
    /// The networks from which the command can connect.
    pub(crate) clients: Vec<IpNet>,
    /// The default source address of connections, for each address family.
    pub(crate) sources: Vec<IpAddr>,
    /// The hostname: the HELO name of the first client.
    pub(crate) hostname: String,
}

impl Layout {
    /// Computes the addresses of a scenario. `source` is the default source address instead of that of the first
    /// client.
    ///
    /// # Errors
    /// The recipient domains have more exchanges than there are addresses.
    pub(crate) fn of(scenario: &Scenario, source: Option<IpAddr>) -> Result<Self, Error> {
        let clients = client_addresses(scenario);
        let first = |v4: bool| {
            let chosen = source.filter(|address| address.is_ipv4() == v4);
            chosen.or_else(|| clients.iter().copied().find(|a| a.is_ipv4() == v4))
        };
        let leading = source.or_else(|| clients.first().copied());
        let receiver = receiver(leading, &clients);
        let own = |exchange: &Exchange| exchange.kind != ExchangeKind::Main;
        let placement = scenario
            .exchanges()
            .iter()
            .any(own)
            .then(|| Placement::Written {
                network: free_network(&clients),
                port: SMTP,
            });
        let mut exchanges = vec![receiver];
        let mut dead = Vec::new();
        match &placement {
            Some(placement) => {
                let main = SocketAddr::new(receiver, SMTP);
                for place in scenario.places(placement, main)? {
                    match place.listener {
                        Some(listener) => exchanges.push(listener.ip()),
                        None => dead.extend(place.address),
                    }
                }
            }
            None => exchanges.extend(written(scenario, receiver)),
        }
        let mut seen = HashSet::new();
        exchanges.retain(|address| seen.insert(*address));
        dead.retain(|address| seen.insert(*address));
        let nets = clients.iter().copied().chain(source).map(around);
        let inside = scenario.nat.iter().flat_map(|nat| nat.from.iter().copied());
        let mut nets: Vec<_> = nets
            .chain(inside)
            .filter(|net| !net.addr().is_loopback())
            .collect();
        nets.sort();
        Ok(Self {
            receiver,
            exchanges,
            dead,
            placement,
            clients: IpNet::aggregate(&nets),
            sources: [first(true), first(false)].into_iter().flatten().collect(),
            hostname: hostname(scenario),
        })
    }
}

impl Layout {
    /// The addresses in the network of a container: those of the loopback device.
    pub(crate) fn in_container(scenario: &Scenario) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            receiver: loopback,
            exchanges: vec![loopback],
            dead: Vec::new(),
            placement: None,
            clients: Vec::new(),
            sources: Vec::new(),
            hostname: hostname(scenario),
        }
    }
}

/// The addresses of all clients of the scenario, in order, before translation.
fn client_addresses(scenario: &Scenario) -> Vec<IpAddr> {
    let chosen: Vec<IpAddr> = match &scenario.client {
        ClientSource::Socket => Vec::new(),
        ClientSource::Fixed(address) => vec![*address],
        ClientSource::Map(map) => {
            let mut addresses: Vec<_> = map.values().copied().collect();
            addresses.sort();
            addresses
        }
        ClientSource::Pool { addresses, .. } => addresses.clone(),
    };
    let pools = scenario
        .pools
        .iter()
        .flat_map(|pool| pool.addresses.clone());
    let expected = scenario
        .expectations
        .iter()
        .filter_map(|expectation| match expectation {
            Expectation::Session(session) => Some(session.client),
            Expectation::Dns(_) => None,
        });
    let mut seen = HashSet::new();
    let all = chosen.into_iter().chain(pools).chain(expected);
    all.filter(|address| seen.insert(*address)).collect()
}

/// The addresses for `--source random`: the pool of the scenario's client addresses, or all pools.
pub(crate) fn random_sources(scenario: &Scenario) -> Vec<IpAddr> {
    match &scenario.client {
        ClientSource::Pool { addresses, .. } => addresses.clone(),
        _ => client_addresses(scenario),
    }
}

/// The network that one route makes local: the /24, or the /64 of an IPv6 address.
fn around(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4, 24).trunc()),
        IpAddr::V6(v6) => IpNet::V6(Ipv6Net::new_assert(v6, 64).trunc()),
    }
}

/// An address in a documentation network (RFC 5737, RFC 3849) that no client has, in the family of the first client.
fn receiver(first: Option<IpAddr>, clients: &[IpAddr]) -> IpAddr {
    let free = |address: &IpAddr| !clients.contains(address);
    if first.is_none_or(|address| address.is_ipv4()) {
        let hosts = (25..=254).map(|host| Ipv4Addr::new(198, 51, 100, host).into());
        hosts
            .into_iter()
            .find(free)
            .unwrap_or(Ipv4Addr::new(198, 51, 100, 25).into())
    } else {
        let hosts =
            (0x25..0xffff).map(|host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0x25, 0, 0, 0, host).into());
        hosts
            .into_iter()
            .find(free)
            .unwrap_or(Ipv6Addr::LOCALHOST.into())
    }
}

/// A documentation network (RFC 5737) or a benchmark network (RFC 2544) without clients.
fn free_network(clients: &[IpAddr]) -> Ipv4Net {
    let candidates = [[198, 51, 100, 0], [203, 0, 113, 0], [198, 18, 25, 0]];
    let mut networks = candidates
        .map(|octets| Ipv4Net::new_assert(octets.into(), 24))
        .into_iter();
    let has_client = |network: &Ipv4Net| {
        clients
            .iter()
            .any(|client| IpNet::V4(*network).contains(client))
    };
    let free = networks.find(|network| !has_client(network));
    free.unwrap_or(Ipv4Net::new_assert([198, 19, 25, 0].into(), 24))
}

/// The addresses in the text of zones for the MX hosts of the recipient domains.
fn written(scenario: &Scenario, receiver: IpAddr) -> Vec<IpAddr> {
    let mut without_faults = scenario.clone();
    without_faults.faults.clear();
    let zones = without_faults.zones(receiver);
    let resolver = Resolver::new(&zones, Duration::MAX);
    let mut addresses = Vec::new();
    for domain in &scenario.domains {
        let mx = resolver.ask(&domain.name, RecordType::MX);
        let mut hosts: Vec<_> = mx
            .answers
            .iter()
            .filter_map(|data| match data {
                RData::MX(mx) => Some(mx.exchange.clone()),
                _ => None,
            })
            .collect();
        if hosts.is_empty() && mx.outcome.is_absent() {
            hosts.push(domain.name.clone()); // RFC 5321 §5.1: the implicit MX
        }
        for host in hosts.iter().filter(|host| !host.is_root()) {
            for record_type in [RecordType::A, RecordType::AAAA] {
                let found = resolver.ask(host, record_type);
                addresses.extend(found.answers.iter().filter_map(|data| match data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                    _ => None,
                }));
            }
        }
    }
    addresses
}

fn hostname(scenario: &Scenario) -> String {
    let clients = scenario.clients();
    let helo = clients
        .first()
        .map(|client| client.helo.trim_end_matches('.'));
    let usable = |helo: &&str| {
        helo.len() <= HOSTNAME_OCTETS
            && helo.contains('.')
            && helo
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            && name::absolute(helo).is_some()
    };
    helo.filter(usable)
        .unwrap_or("sender.test")
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_scenario;

    #[track_caller]
    fn check(scenario: &str, receiver: &str, clients: &[&str], sources: &[&str], hostname: &str) {
        let layout =
            Layout::of(&load_scenario(scenario).expect("a scenario"), None).expect("addresses");
        assert_eq!(layout.receiver.to_string(), receiver);
        let shown: Vec<_> = layout.clients.iter().map(ToString::to_string).collect();
        assert_eq!(shown, clients);
        let shown: Vec<_> = layout.sources.iter().map(ToString::to_string).collect();
        assert_eq!(shown, sources);
        assert_eq!(layout.hostname, hostname);
    }

    #[test]
    fn layouts() {
        check(
            "office365",
            "198.51.100.25",
            &[
                "104.47.38.0/24",
                "157.56.110.0/24",
                "203.0.113.0/24",
                "207.46.163.0/24",
            ],
            &["207.46.163.149"],
            "na01-bn1-obe.outbound.protection.outlook.com",
        );
    }

    #[test]
    fn every_shipped_scenario_has_a_source_and_a_free_receiver() {
        for scenario in crate::scenario::list_scenarios().expect("scenarios") {
            let layout = Layout::of(&scenario, None).expect("addresses");
            assert!(!layout.sources.is_empty(), "{}", scenario.name);
            assert!(
                !layout.sources.contains(&layout.receiver),
                "{}",
                scenario.name
            );
            assert_eq!(layout.exchanges[0], layout.receiver);
            let clients = client_addresses(&scenario);
            let taken = layout.exchanges.iter().find(|at| clients.contains(at));
            assert_eq!(taken, None, "{}", scenario.name);
        }
    }
}
