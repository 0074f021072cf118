//! From a scenario to the zones of a world.

use std::collections::HashMap;
use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_proto::rr::{RData, Record};

use super::{Pool, Scenario};
use crate::dns::{Zone, Zones};
use crate::name::{self, Name, RecordType};

/// TTL of generated records, in seconds.
const TTL: u32 = 300;

impl Scenario {
    /// The zones, faults and DNS settings; the recipient domains' MX leads to `receiver`, where the receiver listens.
    ///
    /// A zone that nothing is added to shares its records with the scenario.
    pub fn zones(&self, receiver: IpAddr) -> Zones {
        let mut plan = Plan::default();
        for zone in &self.zones {
            plan.places.insert(zone.origin(), plan.zones.len());
            plan.zones.push(zone.clone());
        }
        for domain in &self.domains {
            plan.recipient_domain(domain, receiver);
        }
        for pool in &self.pools {
            plan.pool(pool);
        }
        for zone in &mut plan.zones {
            zone.complete();
        }
        Zones::new(plan.zones, self.faults.clone()).with_settings(self.dns)
    }
}

#[derive(Default)]
struct Plan {
    zones: Vec<Zone>,
    /// Which zone has which origin.
    places: HashMap<Name, usize>,
}

impl Plan {
    fn recipient_domain(&mut self, domain: &Name, receiver: IpAddr) {
        self.zone(domain);
        if self
            .zones
            .iter()
            .any(|zone| zone.has(domain, RecordType::MX))
        {
            return;
        }
        let Ok(exchange) = Name::from_ascii("mx").and_then(|mx| mx.append_domain(domain)) else {
            return;
        };
        self.add(
            domain.clone(),
            RData::MX(MX::new(10, exchange.clone())),
            domain,
        );
        self.add(exchange, address_data(receiver), domain);
    }

    fn pool(&mut self, pool: &Pool) {
        for (position, address) in pool.hosts() {
            for ptr in &pool.ptr {
                let Some(name) = ptr.name(position, address) else {
                    continue;
                };
                self.add(
                    name::reverse(address),
                    RData::PTR(PTR(name.clone())),
                    &reverse_origin(address),
                );
                if pool.forward {
                    self.add(name.clone(), address_data(address), &forward_origin(&name));
                }
            }
        }
        let Some((position, first)) = pool.hosts().next() else {
            return;
        };
        let Some(helo) = pool.helo.name(position, first) else {
            return;
        };
        let origin = forward_origin(&helo);
        for address in &pool.helo_addresses {
            self.add(helo.clone(), address_data(*address), &origin);
        }
        if let Some(spf) = &pool.spf {
            let strings: Vec<_> = spf.as_bytes().chunks(255).collect();
            self.add(helo, RData::TXT(TXT::from_bytes(strings)), &origin);
        }
    }

    /// Adds a record to the deepest zone that encloses it, or to a new one.
    fn add(&mut self, name: Name, data: RData, origin: &Name) {
        let mut above = name.clone();
        let enclosing = loop {
            match self.places.get(&above) {
                Some(index) => break Some(*index),
                None if above.is_root() => break None,
                None => above = above.base_name(),
            }
        };
        let index = enclosing.unwrap_or_else(|| self.zone(origin));
        self.zones[index].add(&Record::from_rdata(name, TTL, data));
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

/// The zone of an address's PTR record: the /24, or the /64 of an IPv6 address.
fn reverse_origin(address: IpAddr) -> Name {
    let labels = if address.is_ipv4() { 3 + 2 } else { 16 + 2 };
    name::reverse(address).trim_to(labels)
}

/// The zone of a host: its organisational domain, or what is above its first label.
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
