//! Zones and their records, indexed by name.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use hickory_proto::rr::{RData, Record};

use super::conflict::{self, Conflict, Reason};
use super::master::Row;
use super::node::{self, Entry, Node};
use super::{kind, label, rdata};
use crate::name::{Name, RecordType};

/// TTL of SOA and NS records that a zone lacks, in seconds.
const SUPPLIED_TTL: u32 = 60;
/// The name server of zones without NS records: ns.martinet.test.
const SERVER: &[u8] = b"\x02ns\x08martinet\x04test\x00";
/// The mailbox of a generated SOA: hostmaster.martinet.test.
const MAILBOX: &[u8] = b"\x0ahostmaster\x08martinet\x04test\x00";
/// Serial, refresh, retry, expire and minimum of a generated SOA.
const TIMES: [u32; 5] = [1, 3600, 600, 86400, 60];

/// One zone: its origin and its records by owner, in the order given. Copies share the records until one of them
/// changes.
#[derive(Clone)]
pub struct Zone {
    /// The origin in lower case.
    pub(super) origin: Box<[u8]>,
    /// Records by owner in lower case; an empty non-terminal has an entry without records (RFC 4592 §2.2.2).
    nodes: Arc<HashMap<Box<[u8]>, Node>>,
    /// Whether any name has a DNAME, which conflicts with data below it.
    redirects: bool,
}

impl Zone {
    /// Creates a zone without records, to be filled with `Zone::take` or `Zone::add` and then completed.
    pub fn empty(origin: &Name) -> Self {
        let origin: Box<[u8]> = label::of(origin).to_ascii_lowercase().into();
        let apex = (origin.clone(), Node::default());
        Self {
            origin,
            nodes: Arc::new(HashMap::from([apex])),
            redirects: false,
        }
    }

    /// Adds a record of hickory-proto.
    ///
    /// # Errors
    /// The record is outside the zone, or conflicts with the other records. The zone is unchanged.
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), Conflict> {
        match node::parts(record) {
            Some((owner, kind, ttl, data)) => self.insert(&owner, kind, ttl, &data),
            None => Ok(()),
        }
    }

    /// Adds a record from zone text.
    ///
    /// # Errors
    /// As [`Zone::add`].
    pub(crate) fn take(&mut self, row: &Row<'_>) -> Result<(), Conflict> {
        self.insert(row.owner, row.kind, row.ttl, row.data)
    }

    /// The conflict that adding a record of hickory-proto would cause, if any.
    pub(crate) fn conflict(&self, record: &Record) -> Option<Conflict> {
        let (written, kind, _, data) = node::parts(record)?;
        let owner = written.to_ascii_lowercase();
        let reason = self.forbids(&owner, kind).or_else(|| {
            let delegated = || self.delegation(&owner, kind).map(Reason::Delegated);
            let node = self.node(&owner);
            node.and_then(|node| conflict::with_node(node, kind, &data))
                .or_else(delegated)
        });
        reason.map(|reason| Conflict::new(&written, kind, reason))
    }

    /// The delegation at or above `owner` that would hide a record; addresses of its own servers are not hidden.
    fn delegation(&self, owner: &[u8], kind: u16) -> Option<Box<[u8]>> {
        let cut = label::and_above(owner)
            .take_while(|above| above.len() > self.origin.len())
            .filter(|above| self.node(above).is_some_and(|node| node.has(kind::NS)))
            .last()?;
        let of_the_parent = *owner == *cut && matches!(kind, kind::NS | kind::DS);
        (!of_the_parent && !self.is_glue(cut, owner, kind)).then(|| cut.into())
    }

    /// Whether a record is an address of a server of this delegation.
    fn is_glue(&self, cut: &[u8], owner: &[u8], kind: u16) -> bool {
        let serves = |node: &Node| {
            node.of(kind::NS)
                .any(|entry| entry.data.eq_ignore_ascii_case(owner))
        };
        matches!(kind, kind::A | kind::AAAA) && self.node(cut).is_some_and(serves)
    }

    /// The first record that a deeper zone with this origin would hide, apart from those of its delegation.
    pub(crate) fn hidden_by(&self, origin: &Name) -> Option<Conflict> {
        let origin = label::of(origin).to_ascii_lowercase();
        if origin.len() <= self.origin.len() || !label::is_within(&origin, &self.origin) {
            return None;
        }
        let below = self
            .nodes()
            .filter(|(owner, _)| label::is_within(owner, &origin));
        let hidden = |owner: &[u8], kind| {
            let of_the_parent = *owner == *origin && matches!(kind, kind::NS | kind::DS);
            !of_the_parent && !self.is_glue(&origin, owner, kind)
        };
        let first = below.filter_map(|(owner, node)| {
            let entry = node.entries().find(|entry| hidden(owner, entry.kind))?;
            Some((owner, entry.kind))
        });
        let (owner, kind) = first.min_by_key(|(owner, _)| canonical(owner))?;
        Some(Conflict::new(
            owner,
            kind,
            Reason::InAnotherZone(origin.into()),
        ))
    }

    /// Adds SOA and NS if they are missing.
    pub fn complete(&mut self) {
        let origin = self.origin.clone();
        if !self.nodes[&origin].has(kind::SOA) {
            let times = TIMES.iter().flat_map(|time| time.to_be_bytes());
            let data: Vec<u8> = SERVER.iter().chain(MAILBOX).copied().chain(times).collect();
            self.put(origin.clone(), kind::SOA, SUPPLIED_TTL, &data);
        }
        if !self.nodes[&origin].has(kind::NS) {
            self.put(origin, kind::NS, SUPPLIED_TTL, SERVER);
        }
    }

    fn insert(&mut self, written: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Result<(), Conflict> {
        let owner: Box<[u8]> = written.to_ascii_lowercase().into();
        let reason = match self.forbids(&owner, kind) {
            Some(reason) => Some(reason),
            None => self.put(owner, kind, ttl, data),
        };
        reason.map_or(Ok(()), |reason| Err(Conflict::new(written, kind, reason)))
    }

    /// The reason why a name in lower case cannot have records of a type, whatever its other records.
    fn forbids(&self, owner: &[u8], kind: u16) -> Option<Reason> {
        if !label::is_within(owner, &self.origin) {
            return Some(Reason::OutOfZone(self.origin.clone()));
        }
        match (kind, *owner == *self.origin) {
            (kind::SOA, false) => Some(Reason::SoaBelowOrigin),
            (kind::CNAME, true) => Some(Reason::CnameAtOrigin),
            _ => self.dname_above(owner).map(Reason::BelowDname),
        }
    }

    /// The name above `owner`, within the zone, that has a DNAME.
    fn dname_above(&self, owner: &[u8]) -> Option<Box<[u8]>> {
        let mut above = label::and_above(owner)
            .skip(1)
            .take_while(|above| self.redirects && above.len() >= self.origin.len());
        above
            .find(|above| self.node(above).is_some_and(|node| node.has(kind::DNAME)))
            .map(Into::into)
    }

    /// For each DNAME with data below it, its name and one of the records below, ordered by name.
    pub(super) fn below_dnames(&self) -> Vec<(Box<[u8]>, Conflict)> {
        let mut found = BTreeMap::new();
        if self.redirects {
            for (owner, entry) in self.rows() {
                if let Some(dname) = self.dname_above(owner) {
                    found.entry(dname).or_insert((owner, entry.kind));
                }
            }
        }
        let conflict = |(dname, (owner, kind)): (Box<[u8]>, (&[u8], u16))| {
            let reason = Reason::BelowDname(dname.clone());
            (dname, Conflict::new(owner, kind, reason))
        };
        found.into_iter().map(conflict).collect()
    }

    /// Adds a record to an owner within the zone, in lower case, or returns the conflict with the others there.
    fn put(&mut self, owner: Box<[u8]>, kind: u16, ttl: u32, data: &[u8]) -> Option<Reason> {
        let nodes = Arc::make_mut(&mut self.nodes);
        if let Some(node) = nodes.get_mut(&owner) {
            let reason = conflict::with_node(node, kind, data);
            if reason.is_none() {
                node.add(kind, ttl, data);
                self.redirects |= kind == kind::DNAME;
            }
            return reason;
        }
        // All names above a name that exists also exist.
        for above in label::and_above(&owner)
            .skip(1)
            .take_while(|above| above.len() > self.origin.len())
        {
            if nodes.contains_key(above) {
                break;
            }
            nodes.insert(above.into(), Node::default());
        }
        nodes.entry(owner).or_default().add(kind, ttl, data);
        self.redirects |= kind == kind::DNAME;
        None
    }

    /// The origin.
    pub fn origin(&self) -> Name {
        label::name(&self.origin)
    }

    /// The number of records.
    pub fn records(&self) -> usize {
        self.nodes.values().map(|node| node.entries().count()).sum()
    }

    /// Whether a name has records of a type.
    pub fn has(&self, name: &Name, record_type: RecordType) -> bool {
        let name = label::of(name).to_ascii_lowercase();
        self.node(&name)
            .is_some_and(|node| node.has(record_type.into()))
    }

    /// The data of records of a type at a name.
    pub(crate) fn find(&self, name: &Name, record_type: RecordType) -> Vec<RData> {
        let owner = label::of(name).to_ascii_lowercase();
        let entries = self.node(&owner).into_iter();
        let entries = entries.flat_map(|node| node.of(record_type.into()));
        entries
            .filter_map(|Entry { kind, ttl, data }| node::record(&owner, kind, ttl, data))
            .map(|record| record.data)
            .collect()
    }

    /// Makes a name exist without records.
    pub(super) fn claim(&mut self, name: &[u8]) {
        let nodes = Arc::make_mut(&mut self.nodes);
        for above in label::and_above(name).take_while(|above| above.len() > self.origin.len()) {
            nodes.entry(above.into()).or_default();
        }
    }

    /// Whether a record of a type can be added to a name: not below a delegation, and not alongside a CNAME.
    pub(super) fn permits(&self, name: &Name, record_type: RecordType) -> bool {
        let name = label::of(name).to_ascii_lowercase();
        let cut = label::and_above(&name)
            .take_while(|above| above.len() > self.origin.len())
            .filter_map(|above| self.node(above))
            .any(|node| node.has(kind::NS) || node.has(kind::DNAME));
        let alias = self.node(&name).is_some_and(|node| node.has(kind::CNAME));
        !cut && !alias && record_type != RecordType::CNAME
    }

    /// Removes records of a name. The name continues to exist, so that no wildcard matches it.
    pub(super) fn withdraw(&mut self, owner: &[u8], which: impl Fn(&Entry<'_>) -> bool) {
        let owner = owner.to_ascii_lowercase();
        self.claim(&owner);
        let nodes = Arc::make_mut(&mut self.nodes);
        if let Some(node) = nodes.get_mut(&*owner) {
            let mut left = Node::default();
            for entry in node.entries().filter(|entry| !which(entry)) {
                left.add(entry.kind, entry.ttl, entry.data);
            }
            *node = left;
        }
    }

    /// All names with their records.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(name, node)| (&**name, node))
    }

    /// The records of a name in lower case; `None` if the name does not exist.
    pub(super) fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The SOA and its TTL for a negative answer: the lesser of its own TTL and its minimum (RFC 2308 §3).
    pub(super) fn negative_soa(&self) -> Option<Entry<'_>> {
        let soa = self.soa()?;
        let minimum = soa
            .data
            .last_chunk()
            .map_or(0, |octets| u32::from_be_bytes(*octets));
        Some(Entry {
            ttl: soa.ttl.min(minimum),
            ..soa
        })
    }

    pub(super) fn soa(&self) -> Option<Entry<'_>> {
        self.node(&self.origin)?.of(kind::SOA).next()
    }

    /// All records with their owners, the SOA first, in canonical order of names (RFC 4034 §6.1).
    pub(super) fn rows(&self) -> Vec<(&[u8], Entry<'_>)> {
        let mut names: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, node)| !node.is_empty())
            .collect();
        names.sort_by_cached_key(|(name, _)| canonical(name));
        let mut rows: Vec<_> = names
            .iter()
            .flat_map(|(name, node)| node.entries().map(|e| (&***name, e)))
            .collect();
        rows.sort_by_key(|(_, entry)| entry.kind != kind::SOA);
        rows
    }

    /// The zone as master-file text (RFC 1035 §5), which `read_master` reads back.
    ///
    /// Names are absolute and in lower case; unknown types are `TYPE1234 \# …` (RFC 3597 §5).
    pub fn to_master(&self) -> String {
        let mut text = format!("$ORIGIN {}\n", label::text(&self.origin));
        for (owner, Entry { kind, ttl, data }) in self.rows() {
            let (owner, data) = (label::text(owner), rdata::text(kind, data));
            let _ = writeln!(text, "{owner} {ttl} IN {} {data}", rdata::type_text(kind));
        }
        text
    }
}

fn canonical(name: &[u8]) -> Vec<&[u8]> {
    let mut labels: Vec<_> = label::and_above(name)
        .map(|n| n.get(1..=usize::from(n[0])).unwrap_or_default())
        .collect();
    labels.reverse();
    labels
}

impl fmt::Debug for Zone {
    /// Only the origin and the number of names, because a zone can have a million records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Zone({}, {} names)",
            label::text(&self.origin),
            self.nodes.len()
        )
    }
}
