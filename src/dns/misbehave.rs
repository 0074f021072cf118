//! The effect of a fault on the sections of an answer.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::ResponseCode;

use super::answer::{Rr, Sections, negative};
use super::fault::{Action, Firing, Order};
use super::kind;
use super::{Zones, rdata};

/// The target of wrong names: wrong.martinet.test.
const WRONG: &[u8] = b"\x05wrong\x08martinet\x04test\x00";
/// The domain of aliases: chain.martinet.test.
const CHAIN: &[u8] = b"\x05chain\x08martinet\x04test\x00";
/// TTL of records made by faults, in seconds.
const TTL: u32 = 300;

impl Zones {
    /// The sections of the answer under a fault. The encoder changes header and octets.
    pub(super) fn misbehave(&self, firing: Firing<'_>, name: &[u8], kind: u16) -> Sections<'_> {
        let rcode = |rcode| Sections::of(rcode);
        let authoritative = |rcode| Sections {
            authoritative: true,
            ..Sections::of(rcode)
        };
        match firing.fault.action() {
            Action::NxDomain => self.negative(authoritative(ResponseCode::NXDomain), name),
            Action::NoData => self.negative(authoritative(ResponseCode::NoError), name),
            Action::ServFail | Action::Drop | Action::TcpRefused | Action::TcpHang => {
                rcode(ResponseCode::ServFail)
            }
            Action::Refused => rcode(ResponseCode::Refused),
            Action::NotImp => rcode(ResponseCode::NotImp),
            Action::FormErr => rcode(ResponseCode::FormErr),
            Action::Lame => rcode(ResponseCode::NoError),
            Action::Referral => upwards(),
            Action::Truncate => authoritative(ResponseCode::NoError),
            Action::Delay
            | Action::WrongId
            | Action::WrongQuestion
            | Action::Oversized(_)
            | Action::Malformed => self.truth(name, kind),
            Action::WrongAnswer(address) => falsify(self.truth(name, kind), name, kind, address),
            Action::CnameLoop => round(name, authoritative(ResponseCode::NoError)),
            Action::CnameChain(links) => chain(self.truth(name, kind), name, links),
            Action::Ttl(ttl) => {
                let mut sections = self.truth(name, kind);
                let Sections {
                    answers,
                    authority,
                    additional,
                    ..
                } = &mut sections;
                answers
                    .iter_mut()
                    .chain(authority)
                    .chain(additional)
                    .for_each(|rr| rr.ttl = ttl);
                sections
            }
            Action::Reorder(order) => {
                let mut sections = self.truth(name, kind);
                for set in sections
                    .answers
                    .chunk_by_mut(|a, b| a.owner == b.owner && a.kind == b.kind)
                {
                    reorder(set, order, firing);
                }
                sections
            }
            Action::SingleRecord => {
                let mut sections = self.truth(name, kind);
                if !sections.answers.is_empty() {
                    sections.answers = one_of_each_set(&sections.answers, firing.nth);
                    sections.additional.clear(); // addresses of the hosts in the other records
                }
                sections
            }
        }
    }

    fn negative<'z>(&'z self, mut sections: Sections<'z>, name: &[u8]) -> Sections<'z> {
        if let Some(zone) = self.zone(&name.to_ascii_lowercase()) {
            negative(zone, name, &mut sections);
        }
        sections
    }
}

/// A referral to the root servers, as from a server without the zone.
fn upwards() -> Sections<'static> {
    let servers = [
        &b"\x01a\x0croot-servers\x03net\x00"[..],
        b"\x01b\x0croot-servers\x03net\x00",
    ];
    let ns = |data| Rr {
        owner: Cow::Borrowed(super::label::ROOT),
        kind: kind::NS,
        ttl: 518_400,
        data: Cow::Borrowed(data),
    };
    Sections {
        authority: servers.map(ns).to_vec(),
        ..Sections::of(ResponseCode::NoError)
    }
}

fn falsify<'z>(
    mut truth: Sections<'z>,
    name: &[u8],
    kind: u16,
    address: Option<IpAddr>,
) -> Sections<'z> {
    truth.additional.clear();
    let mut met = false;
    for rr in truth.answers.iter_mut().filter(|rr| rr.kind == kind) {
        rr.data = Cow::Owned(falsified(kind, &rr.data, address));
        met = true;
    }
    if !met && matches!(kind, kind::A | kind::AAAA) {
        let data = Cow::Owned(falsified(kind, &[], address));
        truth = Sections {
            authoritative: true,
            ..Sections::of(ResponseCode::NoError)
        };
        truth.answers.push(Rr {
            owner: Cow::Owned(name.to_vec()),
            kind,
            ttl: TTL,
            data,
        });
    }
    truth
}

/// Wrong data: documentation addresses, names below martinet.test, another text; for other types, data with a changed
/// last octet.
fn falsified(kind: u16, data: &[u8], address: Option<IpAddr>) -> Vec<u8> {
    let replacement = match (kind, address) {
        (kind::A, Some(IpAddr::V4(v4))) => Some(v4.octets().to_vec()),
        (kind::AAAA, Some(IpAddr::V6(v6))) => Some(v6.octets().to_vec()),
        _ => None,
    };
    let other = |choices: [Vec<u8>; 2]| {
        choices
            .into_iter()
            .find(|choice| choice != data)
            .unwrap_or_default()
    };
    let v4 = |last| Ipv4Addr::new(192, 0, 2, last).octets().to_vec();
    let v6 = |last| {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
            .octets()
            .to_vec()
    };
    match (replacement, kind) {
        (Some(address), _) => address,
        (None, kind::A) => other([v4(255), v4(254)]),
        (None, kind::AAAA) => other([v6(0xffff), v6(0xfffe)]),
        (None, kind::TXT) => other([b"\x05wrong".to_vec(), b"\x06untrue".to_vec()]),
        (None, _) => misnamed(kind, data),
    }
}

fn misnamed(kind: u16, data: &[u8]) -> Vec<u8> {
    let parts = rdata::names(kind, data);
    if parts.iter().any(|(is_name, _)| *is_name) {
        return parts
            .into_iter()
            .flat_map(|(is_name, part)| if is_name { WRONG } else { part })
            .copied()
            .collect();
    }
    let mut data = data.to_vec();
    if let Some(last) = data.last_mut() {
        *last ^= 1;
    }
    data
}

fn alias(owner: &[u8], target: &[u8]) -> Rr<'static> {
    let (owner, data) = (Cow::Owned(owner.to_vec()), Cow::Owned(target.to_vec()));
    Rr {
        owner,
        kind: kind::CNAME,
        ttl: TTL,
        data,
    }
}

fn link(number: u8) -> Vec<u8> {
    let label = format!("c{number}");
    [&[label.len() as u8], label.as_bytes(), CHAIN].concat()
}

fn round(name: &[u8], mut sections: Sections<'static>) -> Sections<'static> {
    let other = link(1);
    sections.answers = vec![alias(name, &other), alias(&other, name)];
    sections
}

/// The true answer for a name after this number of aliases.
fn chain<'z>(mut truth: Sections<'z>, name: &[u8], links: u8) -> Sections<'z> {
    let mut answers = Vec::new();
    let mut owner = name.to_vec();
    for number in 1..=links {
        let target = link(number);
        answers.push(alias(&owner, &target));
        owner = target;
    }
    for rr in truth
        .answers
        .iter_mut()
        .filter(|rr| rr.owner.eq_ignore_ascii_case(name))
    {
        rr.owner = Cow::Owned(owner.clone());
    }
    answers.append(&mut truth.answers);
    truth.answers = answers;
    truth
}

fn one_of_each_set<'z>(answers: &[Rr<'z>], nth: u64) -> Vec<Rr<'z>> {
    answers
        .chunk_by(|a, b| a.owner == b.owner && a.kind == b.kind)
        .map(|set| set[(nth % set.len() as u64) as usize].clone())
        .collect()
}

fn reorder(set: &mut [Rr<'_>], order: Order, firing: Firing<'_>) {
    match order {
        Order::Fixed => set.reverse(),
        Order::RoundRobin => set.rotate_left((firing.nth % set.len() as u64) as usize),
        Order::Seeded => {
            for end in (1..set.len()).rev() {
                set.swap(end, (firing.chance(end as u64) % (end as u64 + 1)) as usize);
            }
        }
    }
}
