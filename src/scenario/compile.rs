//! Compiles a scenario to the zones of a world.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_proto::rr::{RData, Record};

use super::exchange::{self, ExchangeAddresses, Place};
use super::{Domain, Pool, Scenario};
use crate::dns::{Conflict, Zone, Zones};
use crate::name::{self, Name, RecordType};

/// TTL of generated records, in seconds.
const TTL: u32 = 300;

/// The part of a scenario that generates a record, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    /// A recipient domain.
    Domain(usize),
    /// A pool.
    Pool(usize),
}

/// A generated record that conflicts with the text of a zone.
#[derive(Clone, Debug)]
pub(crate) struct Clash {
    pub(crate) by: Generator,
    pub(crate) conflict: Conflict,
    /// The number of further records of the same generator that conflict.
    pub(crate) more: usize,
}

impl Clash {
    /// The expected text of the zone, and the generated records.
    pub(crate) fn expected_and_found(&self) -> (String, String) {
        let Self { conflict, more, .. } = self;
        let expected = format!("{}, in the text of the zone", conflict.expected());
        let found = match more {
            0 => format!("the generated {}", conflict.found()),
            more => format!("the generated {} and {more} more", conflict.found()),
        };
        (expected, found)
    }
}

impl Scenario {
    /// The zones, faults and DNS settings. Exchanges whose addresses the file does not specify have the address
    /// `receiver`.
    ///
    /// A zone without generated records shares its records with the scenario.
    pub fn zones(&self, receiver: IpAddr) -> Zones {
        self.zones_of(&ExchangeAddresses::one(receiver))
    }

    /// The zones, faults and DNS settings of a world whose exchanges are at these places.
    pub(crate) fn zones_with(&self, places: &[Place]) -> Zones {
        self.zones_of(&ExchangeAddresses::at(places))
    }

    fn zones_of(&self, exchanges: &ExchangeAddresses) -> Zones {
        let mut plan = Plan::default();
        for zone in &self.zones {
            plan.places.insert(zone.origin(), plan.zones.len());
            plan.zones.push(zone.clone());
        }
        for domain in &self.domains {
            plan.zone(&domain.name);
        }
        self.generate(exchanges, &mut |_, record, origin| plan.add(record, origin));
        for zone in &mut plan.zones {
            zone.complete();
        }
        Zones::new(plan.zones, self.faults.clone()).with_settings(self.dns)
    }

    /// The generated records that conflict with the text of a zone: the first one of each domain and pool.
    pub(crate) fn clashes(&self) -> Vec<Clash> {
        let mut clashes: Vec<Clash> = Vec::new();
        if self.zones.is_empty() {
            return clashes; // generated records never conflict with each other
        }
        let zones: HashMap<Name, &Zone> = self.zones.iter().map(|z| (z.origin(), z)).collect();
        let loopback = ExchangeAddresses::one(IpAddr::from([127, 0, 0, 1]));
        self.generate(&loopback, &mut |by, record, _| {
            let enclosing = above(&record.name, |name| zones.get(name).copied());
            let Some(conflict) = enclosing.and_then(|zone| zone.conflict(&record)) else {
                return;
            };
            match clashes.iter_mut().find(|clash| clash.by == by) {
                Some(first) => first.more += 1,
                None => clashes.push(Clash {
                    by,
                    conflict,
                    more: 0,
                }),
            }
        });
        clashes
    }

    /// Calls `add` for each generated record, with the origin of the zone to create if no zone encloses the record.
    fn generate(
        &self,
        exchanges: &ExchangeAddresses,
        each: &mut dyn FnMut(Generator, Record, &Name),
    ) {
        let mut hosts_done = HashSet::new();
        let specified_addresses = exchange::specified_addresses(&self.domains);
        for (index, domain) in self.domains.iter().enumerate() {
            let mut add = |record, origin: &Name| each(Generator::Domain(index), record, origin);
            let written = |zone: &Zone| zone.has(&domain.name, RecordType::MX);
            if !self.zones.iter().any(written) {
                for (preference, host) in exchange::hosts(domain) {
                    if let Some(preference) = preference {
                        let mx = RData::MX(MX::new(preference, host.clone()));
                        let record = Record::from_rdata(domain.name.clone(), TTL, mx);
                        add(record, &domain.name);
                    }
                    if host.is_root() || !hosts_done.insert(host.clone()) {
                        continue;
                    }
                    let specified_addresses = specified_addresses.get(&host).map(Vec::as_slice);
                    self.generate_addresses(
                        domain,
                        &host,
                        &exchanges.of(&host, specified_addresses),
                        &mut add,
                    );
                }
            }
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let mut add = |name, data, origin: &Name| {
                each(
                    Generator::Pool(index),
                    Record::from_rdata(name, TTL, data),
                    origin,
                );
            };
            generate_hosts(pool, &mut add);
            generate_helo(pool, &mut add);
        }
    }
}

impl Scenario {
    /// The addresses of an exchange, unless the text of a zone has some.
    fn generate_addresses(
        &self,
        domain: &Domain,
        host: &Name,
        addresses: &[IpAddr],
        add: &mut dyn FnMut(Record, &Name),
    ) {
        if !self.written_addresses(host).is_empty() {
            return;
        }
        let origin = match domain.name.zone_of(host) {
            true => domain.name.clone(),
            false => forward_origin(host),
        };
        for address in addresses {
            let record = Record::from_rdata(host.clone(), TTL, address_data(*address));
            add(record, &origin);
        }
    }
}

/// PTR records of a pool, and the addresses of their names.
fn generate_hosts(pool: &Pool, add: &mut dyn FnMut(Name, RData, &Name)) {
    for (position, address) in pool.hosts() {
        for ptr in &pool.ptr {
            let Some(name) = ptr.name(position, address) else {
                continue;
            };
            let data = RData::PTR(PTR(name.clone()));
            add(name::reverse(address), data, &reverse_origin(address));
            if pool.forward {
                add(name.clone(), address_data(address), &forward_origin(&name));
            }
        }
    }
}

/// Addresses and SPF record of a pool's HELO name.
fn generate_helo(pool: &Pool, add: &mut dyn FnMut(Name, RData, &Name)) {
    let Some((position, first)) = pool.hosts().next() else {
        return;
    };
    let Some(helo) = pool.helo.name(position, first) else {
        return;
    };
    let origin = forward_origin(&helo);
    for address in &pool.helo_addresses {
        add(helo.clone(), address_data(*address), &origin);
    }
    if let Some(spf) = &pool.spf {
        let strings: Vec<_> = spf.as_bytes().chunks(255).collect();
        add(helo, RData::TXT(TXT::from_bytes(strings)), &origin);
    }
}

/// The result for a name, or for the nearest name above it.
fn above<T>(name: &Name, find: impl Fn(&Name) -> Option<T>) -> Option<T> {
    let mut above = name.clone();
    loop {
        match find(&above) {
            Some(found) => return Some(found),
            None if above.is_root() => return None,
            None => above = above.base_name(),
        }
    }
}

#[derive(Default)]
struct Plan {
    zones: Vec<Zone>,
    /// The index of the zone with each origin.
    places: HashMap<Name, usize>,
}

impl Plan {
    /// Adds a record to the deepest zone that encloses it, or to a new one. Conflicts with the text of a zone were
    /// reported when the scenario was read; those records are left out.
    fn add(&mut self, record: Record, origin: &Name) {
        let enclosing = above(&record.name, |name| self.places.get(name).copied());
        let index = enclosing.unwrap_or_else(|| self.zone(origin));
        let _ = self.zones[index].add(&record);
    }

    fn zone(&mut self, origin: &Name) -> usize {
        let index = *self
            .places
            .entry(origin.clone())
            .or_insert(self.zones.len());
        if index == self.zones.len() {
            self.zones.push(Zone::empty(origin));
        }
        index
    }
}

fn address_data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    }
}

/// The zone for the PTR record of an address: its /24, or /64 for IPv6.
fn reverse_origin(address: IpAddr) -> Name {
    let labels = if address.is_ipv4() { 3 + 2 } else { 16 + 2 };
    name::reverse(address).trim_to(labels)
}

/// The zone for a host: its organisational domain, or its name without the first label.
fn forward_origin(host: &Name) -> Name {
    let organisation = name::organisational_domain(host).and_then(|domain| name::absolute(&domain));
    organisation.unwrap_or_else(|| {
        if host.num_labels() > 1 {
            host.base_name()
        } else {
            host.clone()
        }
    })
}
