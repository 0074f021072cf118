//! The algorithm of RFC 1034 §4.3.2 over a snapshot, with wildcards (RFC 4592), negative answers (RFC 2308) and DNAME
//! (RFC 6672).

use std::borrow::Cow;

use hickory_proto::op::ResponseCode;

use super::kind;
use super::node::{Entry, Node};
use super::zone::Zone;
use super::{Outside, Zones, label, rdata};

/// Maximum number of CNAMEs followed for one query.
pub(super) const CNAME_LINKS: usize = 16;

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rr<'z> {
    pub(super) owner: Cow<'z, [u8]>,
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: Cow<'z, [u8]>,
}

impl<'z> Rr<'z> {
    fn of(owner: &[u8], Entry { kind, ttl, data }: Entry<'z>) -> Self {
        Self {
            owner: Cow::Owned(owner.to_vec()),
            kind,
            ttl,
            data: Cow::Borrowed(data),
        }
    }
}

/// The three sections with their header bits.
#[derive(Clone, Debug)]
pub(super) struct Sections<'z> {
    pub(super) rcode: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Rr<'z>>,
    pub(super) authority: Vec<Rr<'z>>,
    pub(super) additional: Vec<Rr<'z>>,
    /// Number of records at the start of the additional section that a referral needs: the addresses of name servers within
    /// the delegated zone (RFC 9471 §3.1).
    pub(super) glue: usize,
    /// The last name of the answer, if it is outside the zones and the settings do not answer it.
    pub(super) left: Option<Vec<u8>>,
}

impl Sections<'_> {
    pub(super) fn of(rcode: ResponseCode) -> Self {
        let (answers, authority, additional) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            rcode,
            authoritative: false,
            answers,
            authority,
            additional,
            glue: 0,
            left: None,
        }
    }
}

impl Zones {
    /// The true answer to a query for a name in wire form, with its case, and a type.
    pub(super) fn truth(&self, name: &[u8], kind: u16) -> Sections<'_> {
        let mut sections = Sections {
            authoritative: true,
            ..Sections::of(ResponseCode::NoError)
        };
        let mut current = name.to_vec();
        let mut visited = Vec::new();
        loop {
            let lower = current.to_ascii_lowercase();
            let Some(zone) = self.zone_for(&lower, kind) else {
                self.outside(current, &mut sections);
                break;
            };
            let next = step(zone, &current, &lower, kind, &mut sections);
            visited.push(lower);
            match next {
                Some(target)
                    if visited.len() < CNAME_LINKS
                        && !visited.contains(&target.to_ascii_lowercase()) =>
                {
                    current = target;
                }
                _ => break,
            }
        }
        self.add_addresses(&mut sections);
        sections
    }

    /// The zone that answers the query; for DS, the zone above the delegation (RFC 4035 §3.1.4.1).
    fn zone_for(&self, lower: &[u8], kind: u16) -> Option<&Zone> {
        let zone = self.zone(lower)?;
        let above = || self.zone(label::parent(lower));
        if kind == kind::DS && *zone.origin == *lower {
            above().or(Some(zone))
        } else {
            Some(zone)
        }
    }

    fn outside(&self, name: Vec<u8>, sections: &mut Sections<'_>) {
        if sections.answers.is_empty() {
            sections.authoritative = false;
            sections.rcode = match self.settings().outside() {
                Outside::ServFail | Outside::Drop | Outside::Forward(_) => ResponseCode::ServFail,
                Outside::Refused | Outside::NxDomain => ResponseCode::Refused,
            };
        }
        sections.left = Some(name);
    }

    /// Adds the addresses of the hosts in MX, NS and SRV records (RFC 1035 §3.3.9, RFC 2782). In a referral, those of
    /// name servers within the delegated zone come first.
    fn add_addresses<'z>(&'z self, sections: &mut Sections<'z>) {
        let naming = |rr: &&Rr<'z>| matches!(rr.kind, kind::MX | kind::NS | kind::SRV);
        let (mut within, mut others) = (Vec::new(), Vec::new());
        for (rr, delegates) in (sections.answers.iter().map(|rr| (rr, false)))
            .chain(sections.authority.iter().map(|rr| (rr, true)))
            .filter(|(rr, _)| naming(rr))
        {
            let Some(host) = rdata::target(rr.kind, &rr.data) else {
                continue;
            };
            let (host, lower) = (host.to_vec(), host.to_ascii_lowercase());
            if delegates && label::is_within(&lower, &rr.owner.to_ascii_lowercase()) {
                within.push((host, lower));
            } else {
                others.push((host, lower));
            }
        }
        let mut seen = Vec::new();
        self.add_addresses_of(within, &mut seen, sections);
        sections.glue = sections.additional.len();
        self.add_addresses_of(others, &mut seen, sections);
    }

    /// Adds the addresses of hosts, given as written and in lower case, that are not `seen` yet.
    fn add_addresses_of<'z>(
        &'z self,
        hosts: Vec<(Vec<u8>, Vec<u8>)>,
        seen: &mut Vec<Vec<u8>>,
        sections: &mut Sections<'z>,
    ) {
        for (host, lower) in hosts {
            let node = self
                .enclosing(&lower)
                .and_then(|zone| addresses_at(zone, &lower));
            let Some(node) = node.filter(|_| !seen.contains(&lower)) else {
                continue;
            };
            // In groups, so that a record set is kept or omitted as a whole if not all sets fit.
            let addresses = node.of(kind::A).chain(node.of(kind::AAAA));
            sections
                .additional
                .extend(addresses.map(|entry| Rr::of(&host, entry)));
            seen.push(lower);
        }
    }
}

/// The node with the addresses of a host: that of the name itself, even below a delegation (glue), or a wildcard.
fn addresses_at<'z>(zone: &'z Zone, lower: &[u8]) -> Option<&'z Node> {
    zone.node(lower)
        .or_else(|| match place(zone, lower, kind::A) {
            Place::Here(wildcard) => Some(wildcard),
            _ => None,
        })
}

/// The place of a name within its zone.
enum Place<'z> {
    /// At or below a delegation; the length of its name in octets.
    Cut(usize, &'z Node),
    /// Below a DNAME; the length of its name in octets.
    Redirected(usize, Entry<'z>),
    /// The name itself, or the wildcard that matches it.
    Here(&'z Node),
    Nowhere,
}

/// One step within one zone. Returns the next name if a CNAME or DNAME leads to one.
fn step<'z>(
    zone: &'z Zone,
    name: &[u8],
    lower: &[u8],
    kind: u16,
    sections: &mut Sections<'z>,
) -> Option<Vec<u8>> {
    match place(zone, lower, kind) {
        Place::Cut(owner, node) => {
            // A referral: another zone has the data (RFC 1034 §4.3.2 3b). AA remains set if a CNAME led here.
            sections.authoritative = !sections.answers.is_empty();
            sections
                .authority
                .extend(node.of(kind::NS).map(|e| Rr::of(above(name, owner), e)));
            None
        }
        Place::Redirected(owner, entry) => {
            let target = redirect(name, owner, entry, sections);
            // The CNAME synthesised from the DNAME is itself the answer to a query for CNAME (RFC 1034 §3.6.2).
            target.filter(|_| kind != kind::CNAME)
        }
        Place::Nowhere => {
            sections.rcode = ResponseCode::NXDomain;
            negative(zone, name, sections);
            None
        }
        Place::Here(node) => at_node(zone, node, name, kind, sections),
    }
}

fn place<'z>(zone: &'z Zone, lower: &[u8], kind: u16) -> Place<'z> {
    let mut path: Vec<&[u8]> = label::and_above(lower)
        .take_while(|above| above.len() >= zone.origin.len())
        .collect();
    path.reverse();
    let mut closest: &[u8] = &zone.origin;
    for above in path {
        let Some(node) = zone.node(above) else {
            let wildcard = [b"\x01*", closest].concat();
            return zone.node(&wildcard).map_or(Place::Nowhere, Place::Here);
        };
        let (apex, itself) = (above.len() == zone.origin.len(), above.len() == lower.len());
        // The parent answers for the DS set of a delegation (RFC 4035 §3.1.4.1).
        if !apex && node.has(kind::NS) && !(itself && kind == kind::DS) {
            return Place::Cut(above.len(), node);
        }
        if !itself && let Some(entry) = node.of(kind::DNAME).next() {
            return Place::Redirected(above.len(), entry);
        }
        closest = above;
    }
    zone.node(lower).map_or(Place::Nowhere, Place::Here)
}

/// The ancestor of `name` with a length of `octets`, in the case of the query.
fn above(name: &[u8], octets: usize) -> &[u8] {
    &name[name.len().saturating_sub(octets)..]
}

/// Adds a DNAME and its synthesised CNAME (RFC 6672 §3.2). A name that becomes too long is YXDOMAIN.
fn redirect<'z>(
    name: &[u8],
    owner: usize,
    entry: Entry<'z>,
    sections: &mut Sections<'z>,
) -> Option<Vec<u8>> {
    let dname = Rr::of(above(name, owner), entry);
    // A name can pass the same DNAME several times, but a record set has no duplicates (RFC 2181 §5).
    if !holds(&sections.answers, &dname) {
        sections.answers.push(dname);
    }
    let target = [&name[..name.len() - owner], entry.data].concat();
    if target.len() > label::WIRE_OCTETS {
        sections.rcode = ResponseCode::YXDomain;
        return None;
    }
    let (owner, data) = (Cow::Owned(name.to_vec()), Cow::Owned(target.clone()));
    sections.answers.push(Rr {
        owner,
        kind: kind::CNAME,
        ttl: entry.ttl,
        data,
    });
    Some(target)
}

/// Whether a record is among others, ignoring the case of names.
fn holds(records: &[Rr<'_>], rr: &Rr<'_>) -> bool {
    let same = |other: &Rr<'_>| {
        (other.kind, &other.data) == (rr.kind, &rr.data)
            && other.owner.eq_ignore_ascii_case(&rr.owner)
    };
    records.iter().any(same)
}

fn at_node<'z>(
    zone: &'z Zone,
    node: &'z Node,
    name: &[u8],
    kind: u16,
    sections: &mut Sections<'z>,
) -> Option<Vec<u8>> {
    if kind == kind::ANY && !node.is_empty() {
        sections.answers.push(refused_any(name));
        return None;
    }
    let before = sections.answers.len();
    // The answer can have the DNAME already, because it led here.
    for entry in node.of(kind) {
        let rr = Rr::of(name, entry);
        if kind != kind::DNAME || !holds(&sections.answers[..before], &rr) {
            sections.answers.push(rr);
        }
    }
    if node.has(kind) {
        return None;
    }
    if let Some(alias) = node.of(kind::CNAME).next() {
        sections.answers.push(Rr::of(name, alias));
        return Some(alias.data.to_vec());
    }
    negative(zone, name, sections);
    None
}

/// The SOA of a negative answer (RFC 2308 §2).
pub(super) fn negative<'z>(zone: &'z Zone, name: &[u8], sections: &mut Sections<'z>) {
    sections.authority.extend(
        zone.negative_soa()
            .map(|soa| Rr::of(above(name, zone.origin.len()), soa)),
    );
}

/// The answer to ANY: a HINFO record as in RFC 8482 §4.2.
fn refused_any(name: &[u8]) -> Rr<'static> {
    let data = Cow::Borrowed(&b"\x07RFC8482\x00"[..]);
    Rr {
        owner: Cow::Owned(name.to_vec()),
        kind: kind::HINFO,
        ttl: 3600,
        data,
    }
}
