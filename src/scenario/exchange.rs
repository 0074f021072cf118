//! Mail servers of recipient domains: their names and addresses in the DNS, and their listeners.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use hickory_proto::rr::RData;
use ipnet::Ipv4Net;

use super::domain::{MailServer, MailServers};
use super::values::domain_name;
use super::{Domain, Scenario};
use crate::error::Error;
use crate::name::{self, Name, RecordType};

/// The default loopback network for the addresses of exchanges.
pub(crate) const EXCHANGES: Ipv4Net = match Ipv4Net::new(Ipv4Addr::new(127, 0, 25, 0), 24) {
    Ok(network) => network,
    Err(_) => panic!("24 is a prefix length"),
};

/// A mail server of a recipient domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The recipient domain.
    pub(crate) domain: Name,
    /// The preference of the MX record; `None` for a domain without MX records, which is its own exchange (RFC 5321
    /// §5.1).
    pub(crate) preference: Option<u16>,
    /// The name of the host.
    pub(crate) name: Name,
    /// The addresses in the file; empty if the world assigns one.
    pub(crate) addresses: Vec<IpAddr>,
    /// The receiver by name or path; `None` for that of the world.
    pub(crate) receiver: Option<String>,
    /// The kind of its listener.
    pub(crate) kind: ExchangeKind,
}

/// The kind of listener at the addresses of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeKind {
    /// The main listener of the world, for a domain with only a name.
    Main,
    /// A listener of its own.
    Own,
    /// Nothing: connections are refused.
    Dead,
    /// No address: the exchange has no address record.
    Nowhere,
}

/// The assignment of addresses and listeners to exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each address of an exchange becomes an address of this loopback network, with the port of the main listener. On
    /// systems without those addresses, such as macOS, receivers get free ports.
    Automatic,
    /// The same with this network; missing addresses are an error.
    Addresses(Ipv4Net),
    /// Each receiver has a port on the address of the main listener: one of these, or a free one. All exchanges have
    /// the same address, because the DNS has no ports.
    Ports(Option<RangeInclusive<u16>>),
    /// Each exchange has its addresses of the file, or the next address of this network. All listen on one port. This
    /// is for the sealed network of `martinet run`, which has all these addresses.
    Written {
        /// The network for exchanges without addresses.
        network: Ipv4Net,
        /// The port.
        port: u16,
    },
}

/// One address of an exchange, and the listener there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The recipient domain.
    pub domain: Name,
    /// The preference of its MX record; `None` for an implicit MX.
    pub preference: Option<u16>,
    /// The exchange.
    pub exchange: Name,
    /// The address in the DNS; `None` if there is none.
    pub address: Option<IpAddr>,
    /// The address on which the receiver listens, with port 0 if it is not chosen yet. `None` if nothing listens.
    pub listener: Option<SocketAddr>,
    /// The receiver by name or path; `None` for that of the world.
    pub receiver: Option<String>,
}

/// The addresses of exchanges in the DNS.
#[derive(Clone, Debug, Default)]
pub(super) struct ExchangeAddresses {
    /// The address of exchanges that are not listed and have none in the file.
    usual: Option<IpAddr>,
    each: HashMap<Name, Vec<IpAddr>>,
}

impl ExchangeAddresses {
    /// The same address for all exchanges that have none in the file.
    pub(super) fn one(usual: IpAddr) -> Self {
        Self {
            usual: Some(usual),
            each: HashMap::new(),
        }
    }

    /// The addresses of these places.
    pub(super) fn at(places: &[Place]) -> Self {
        let mut each: HashMap<Name, Vec<IpAddr>> = HashMap::new();
        for place in places {
            let addresses = each.entry(place.exchange.clone()).or_default();
            addresses.extend(place.address.filter(|address| !addresses.contains(address)));
        }
        Self { usual: None, each }
    }

    /// The addresses of an exchange; `written` are those of the file.
    pub(super) fn of(&self, exchange: &Name, written: Option<&[IpAddr]>) -> Vec<IpAddr> {
        match (self.each.get(exchange), written) {
            (Some(addresses), _) => addresses.clone(),
            (None, Some(written)) => written.to_vec(),
            (None, None) => self.usual.into_iter().collect(),
        }
    }
}

impl Scenario {
    /// The exchanges of every recipient domain, in the order of the file and of preference. A domain with a null MX has none.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut all: Vec<_> = self
            .domains
            .iter()
            .flat_map(|d| self.exchanges_of(d))
            .collect();
        // An exchange that several domains share has the addresses from all of them.
        let mut addresses_by_name: HashMap<Name, Vec<IpAddr>> = HashMap::new();
        for exchange in &all {
            let addresses = addresses_by_name.entry(exchange.name.clone()).or_default();
            for address in &exchange.addresses {
                if !addresses.contains(address) {
                    addresses.push(*address);
                }
            }
        }
        for exchange in &mut all {
            let addresses = addresses_by_name
                .get(&exchange.name)
                .cloned()
                .unwrap_or_default();
            if exchange.kind == ExchangeKind::Main && !addresses.is_empty() {
                exchange.kind = ExchangeKind::Own;
            }
            exchange.addresses = addresses;
        }
        all
    }

    /// The exchanges of one domain, by preference.
    pub(crate) fn exchanges_of(&self, domain: &Domain) -> Vec<Exchange> {
        let exchange = |name: &Name, preference, receiver: Option<&String>, kind| Exchange {
            domain: domain.name.clone(),
            preference,
            name: name.clone(),
            addresses: self.written_addresses(name),
            receiver: receiver.or(domain.receiver.as_ref()).cloned(),
            kind,
        };
        let usual = match domain.receiver {
            Some(_) => ExchangeKind::Own,
            None => ExchangeKind::Main,
        };
        let written = self.written_exchanges(&domain.name);
        let mut exchanges: Vec<_> = match &domain.servers {
            _ if !written.is_empty() => {
                let host = |(preference, name): &(u16, Name)| {
                    exchange(name, Some(*preference), None, usual)
                };
                let hosts = written.iter().filter(|(_, name)| !name.is_root());
                hosts.map(host).collect()
            }
            MailServers::Usual => domain
                .usual_exchange()
                .map(|name| exchange(&name, Some(10), None, usual))
                .into_iter()
                .collect(),
            MailServers::Null => Vec::new(),
            MailServers::Implicit(addresses) => {
                let mut exchange = exchange(&domain.name, None, None, ExchangeKind::Own);
                exchange.addresses.extend(addresses);
                vec![exchange]
            }
            MailServers::Mx(servers) => {
                let host = |server: &MailServer| {
                    let kind = match (&server.addresses, server.dead) {
                        (Some(addresses), _) if addresses.is_empty() => ExchangeKind::Nowhere,
                        (_, true) => ExchangeKind::Dead,
                        (_, false) => ExchangeKind::Own,
                    };
                    let receiver = server.receiver.as_ref();
                    let preference = Some(server.preference);
                    let mut exchange = exchange(&server.name, preference, receiver, kind);
                    exchange.addresses.extend(server.addresses.iter().flatten());
                    exchange
                };
                servers.iter().map(host).collect()
            }
        };
        exchanges.sort_by_key(|exchange| exchange.preference);
        exchanges
    }

    /// The distinct names of the exchanges of a receiver; `None` for the receiver of the world.
    pub(crate) fn exchange_names(&self, receiver: Option<&str>) -> Vec<String> {
        let all = self.exchanges().into_iter();
        let own = all.filter(|exchange| exchange.receiver.as_deref() == receiver);
        let names: BTreeSet<_> = own.map(|exchange| name::display(&exchange.name)).collect();
        names.into_iter().collect()
    }

    /// The MX records of a domain in the text of a zone.
    fn written_exchanges(&self, domain: &Name) -> Vec<(u16, Name)> {
        let records = self
            .zones
            .iter()
            .flat_map(|zone| zone.find(domain, RecordType::MX));
        let exchange = |data: RData| match data {
            RData::MX(mx) => Some((mx.preference, mx.exchange)),
            _ => None,
        };
        records.filter_map(exchange).collect()
    }

    /// The addresses of a host in the text of a zone.
    pub(super) fn written_addresses(&self, host: &Name) -> Vec<IpAddr> {
        let types = [RecordType::A, RecordType::AAAA];
        let records = self
            .zones
            .iter()
            .flat_map(|zone| types.map(|of| zone.find(host, of)).concat());
        records.filter_map(|data| data.ip_addr()).collect()
    }

    /// The receiver for a recipient, by name or path: that of the recipient's domain, or that of the scenario, which
    /// also serves domains that are not in the scenario.
    pub fn receiver_for(&self, recipient: &str) -> String {
        let own = self.receiver_of(recipient);
        own.unwrap_or_else(|| self.receiver.clone())
    }

    /// The receiver of a recipient's domain: that of its first exchange with a listener. `None` if the domain has none
    /// of its own.
    pub(crate) fn receiver_of(&self, recipient: &str) -> Option<String> {
        self.receiver_of_domain(self.domain_of(recipient)?)
    }

    fn receiver_of_domain(&self, domain: &Domain) -> Option<String> {
        let listens =
            |exchange: &Exchange| matches!(exchange.kind, ExchangeKind::Main | ExchangeKind::Own);
        let exchanges = self.exchanges_of(domain);
        let first = exchanges.into_iter().find(listens);
        first.map_or_else(|| domain.receiver.clone(), |exchange| exchange.receiver)
    }

    /// The default recipient at a receiver: postmaster at its first domain, or at the first domain of the scenario.
    pub(crate) fn recipient_at(&self, receiver: &str) -> String {
        let own = |domain: &&Domain| self.receiver_of_domain(domain).as_deref() == Some(receiver);
        match self.domains.iter().find(own) {
            Some(domain) => format!("postmaster@{}", name::display(&domain.name)),
            None => self.recipient(),
        }
    }

    /// The scenario reduced to one recipient and this receiver: exchanges of other domains have no listener of their
    /// own, so that the world is small. Another receiver replaces that of the domain.
    #[must_use]
    pub(crate) fn for_one(mut self, recipient: &str, receiver: &str) -> Self {
        let domain = self.domain_of(recipient).map(|domain| domain.name.clone());
        let is_own = self.receiver_for(recipient) == receiver;
        for other in &mut self.domains {
            let is_recipients = Some(&other.name) == domain.as_ref();
            if is_recipients && is_own {
                continue;
            }
            other.receiver = None;
            if let MailServers::Mx(servers) = &mut other.servers {
                for server in servers {
                    server.receiver = None;
                    server.dead |= !is_recipients;
                }
            }
        }
        self
    }

    /// The recipient domain of a mailbox.
    pub(crate) fn domain_of(&self, recipient: &str) -> Option<&Domain> {
        let (_, domain) = recipient.rsplit_once('@')?;
        let name = domain_name(domain)?;
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// The place of each exchange in a world whose main listener has the address `main`.
    ///
    /// # Errors
    /// The network has fewer addresses than exchanges need.
    pub fn places(&self, placement: &Placement, main: SocketAddr) -> Result<Vec<Place>, Error> {
        let exchanges = self.exchanges();
        let mut assigning = Assigning::new(placement, main, &exchanges);
        let mut places = Vec::new();
        for exchange in &exchanges {
            for at in assigning.of(exchange)? {
                places.push(Place {
                    domain: exchange.domain.clone(),
                    preference: exchange.preference,
                    exchange: exchange.name.clone(),
                    address: at.0,
                    listener: at.1,
                    receiver: exchange.receiver.clone(),
                });
            }
        }
        Ok(places)
    }
}

impl Domain {
    /// The exchange of a domain without `mx`.
    pub(super) fn usual_exchange(&self) -> Option<Name> {
        let host = Name::from_ascii("mx").and_then(|mx| mx.append_domain(&self.name));
        host.ok()
    }
}

/// An address in the DNS, and the listener.
type At = (Option<IpAddr>, Option<SocketAddr>);

/// Assigns addresses to exchanges.
struct Assigning<'p> {
    placement: &'p Placement,
    main: SocketAddr,
    /// Addresses of exchanges in the file, which are not assigned.
    taken: HashSet<IpAddr>,
    network: Ipv4Net,
    /// The number of the next address of the network.
    next: u32,
    /// The addresses assigned to each exchange, which several domains can share.
    assigned: HashMap<Name, Vec<At>>,
}

impl<'p> Assigning<'p> {
    fn new(placement: &'p Placement, main: SocketAddr, exchanges: &[Exchange]) -> Self {
        let network = match placement {
            Placement::Addresses(network) | Placement::Written { network, .. } => *network,
            Placement::Automatic | Placement::Ports(_) => EXCHANGES,
        };
        let written = exchanges.iter().flat_map(|e| &e.addresses).copied();
        Self {
            placement,
            main,
            taken: written.chain([main.ip()]).collect(),
            network,
            next: 1,
            assigned: HashMap::new(),
        }
    }

    /// The places of an exchange, one for each of its addresses.
    fn of(&mut self, exchange: &Exchange) -> Result<Vec<At>, Error> {
        if let Some(assigned) = self.assigned.get(&exchange.name) {
            return Ok(assigned.clone());
        }
        let places = match exchange.kind {
            ExchangeKind::Nowhere => vec![(None, None)],
            kind => self.at_each(exchange, kind)?,
        };
        self.assigned.insert(exchange.name.clone(), places.clone());
        Ok(places)
    }

    fn at_each(&mut self, exchange: &Exchange, kind: ExchangeKind) -> Result<Vec<At>, Error> {
        let dead = kind == ExchangeKind::Dead;
        let count = exchange.addresses.len().max(1);
        let main = (Some(self.main.ip()), Some(self.main));
        match self.placement {
            Placement::Written { port, .. } => {
                let addresses = match exchange.addresses.as_slice() {
                    [] => vec![self.assign()?],
                    written => written.to_vec(),
                };
                let at = |address| {
                    let listener = SocketAddr::new(address, *port);
                    (Some(address), (!dead).then_some(listener))
                };
                Ok(addresses.into_iter().map(at).collect())
            }
            _ if kind == ExchangeKind::Main => Ok(vec![main]),
            Placement::Ports(_) if !dead => {
                let own = SocketAddr::new(self.main.ip(), 0);
                let listener = exchange.receiver.as_ref().map_or(self.main, |_| own);
                Ok(vec![(Some(self.main.ip()), Some(listener))])
            }
            Placement::Automatic | Placement::Addresses(_) | Placement::Ports(_) => (0..count)
                .map(|_| {
                    let address = self.assign()?;
                    let listener = SocketAddr::new(address, self.main.port());
                    Ok((Some(address), (!dead).then_some(listener)))
                })
                .collect(),
        }
    }

    /// The next free address of the network.
    fn assign(&mut self) -> Result<IpAddr, Error> {
        let (first, last) = (
            u32::from(self.network.network()),
            u32::from(self.network.broadcast()),
        );
        loop {
            let address = first
                .checked_add(self.next)
                .filter(|address| *address < last);
            let Some(address) = address else {
                let network = self.network;
                return Err(Error::unexpected(
                    "a network with an address for each exchange",
                    network.to_string(),
                ));
            };
            self.next += 1;
            let address = IpAddr::from(Ipv4Addr::from(address));
            if self.taken.insert(address) {
                return Ok(address);
            }
        }
    }
}

/// The hosts in the MX records of a domain with their preferences; without a preference, the domain itself. A null MX
/// has the root as its host.
pub(super) fn hosts(domain: &Domain) -> Vec<(Option<u16>, Name)> {
    match &domain.servers {
        MailServers::Usual => {
            let host = domain.usual_exchange().map(|host| (Some(10), host));
            host.into_iter().collect()
        }
        MailServers::Null => vec![(Some(0), Name::root())],
        MailServers::Implicit(_) => vec![(None, domain.name.clone())],
        MailServers::Mx(servers) => {
            let host = |server: &MailServer| (Some(server.preference), server.name.clone());
            servers.iter().map(host).collect()
        }
    }
}

/// The addresses that the domains of a file specify for hosts. A missing host has no address in the file.
pub(super) fn specified_addresses(domains: &[Domain]) -> HashMap<&Name, Vec<IpAddr>> {
    let mut specified_addresses: HashMap<&Name, Vec<IpAddr>> = HashMap::new();
    for domain in domains {
        match &domain.servers {
            MailServers::Usual | MailServers::Null => {}
            MailServers::Implicit(addresses) if addresses.is_empty() => {}
            MailServers::Implicit(addresses) => {
                specified_addresses
                    .entry(&domain.name)
                    .or_default()
                    .extend(addresses);
            }
            MailServers::Mx(servers) => {
                for server in servers {
                    if let Some(addresses) = &server.addresses {
                        specified_addresses
                            .entry(&server.name)
                            .or_default()
                            .extend(addresses);
                    }
                }
            }
        }
    }
    specified_addresses
}

/// A place in one line: `10 mx1.example.test 192.0.2.1`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(preference) = self.preference {
            write!(f, "{preference} ")?;
        }
        f.write_str(&name::display(&self.exchange))?;
        match self.address {
            Some(address) => write!(f, " {address}"),
            None => f.write_str(" (no address)"),
        }
    }
}
