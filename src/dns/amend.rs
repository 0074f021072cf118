//! A copy of a snapshot with other records or without faults, for finding out the effect of a change.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::{RData, Record};

use super::kind;
use super::zone::Zone;
use super::{Transport, Zones, label, node};
use crate::name::{Name, RecordType};

/// TTL of a record that is added, in seconds.
const TTL: u32 = 300;

/// One change of a snapshot.
#[derive(Clone, Debug)]
pub enum Amendment {
    /// Adds a record.
    Add(Name, RData),
    /// Removes a record.
    Remove(Name, RData),
    /// Removes all data of a name, even below a wildcard.
    Clear(Name),
    /// Removes the faults that apply to a name.
    RemoveFaults(Name),
}

impl Zones {
    /// Returns the snapshot with these changes; `None` if one is impossible: for a name outside the zones or below a
    /// delegation, or for data alongside a CNAME.
    ///
    /// Unchanged zones are shared. Faults are counted separately, so that queries to the copy do not change the counts of this
    /// snapshot.
    pub fn amended(&self, amendments: &[Amendment]) -> Option<Self> {
        let faults = self.faults.iter().map(|fault| Arc::new(fault.continued()));
        let mut amended = self.with_faults(faults.collect());
        for amendment in amendments {
            match amendment {
                Amendment::Add(name, data) => {
                    let zone = amended.changing(name)?;
                    zone.permits(name, data.record_type()).then_some(())?;
                    zone.add(&Record::from_rdata(name.clone(), TTL, data.clone()))
                        .ok()?;
                }
                Amendment::Remove(name, data) => {
                    let record = Record::from_rdata(name.clone(), TTL, data.clone());
                    let (owner, kind, _, data) = node::parts(&record)?;
                    let same = |entry: &node::Entry<'_>| entry.kind == kind && entry.data == &*data;
                    amended.changing(name)?.withdraw(&owner, same);
                }
                Amendment::Clear(name) => {
                    amended.changing(name)?.withdraw(&label::of(name), |_| true)
                }
                Amendment::RemoveFaults(name) => {
                    let name = label::of(name).to_ascii_lowercase();
                    let concerned = |fault: &super::Fault| {
                        [
                            kind::A,
                            kind::AAAA,
                            kind::MX,
                            kind::TXT,
                            kind::SOA,
                            u16::from(RecordType::PTR),
                        ]
                        .iter()
                        .any(|kind| {
                            fault.concerns(&name, *kind, Transport::Udp)
                                || fault.concerns(&name, *kind, Transport::Tcp)
                        })
                    };
                    amended.faults.retain(|fault| !concerned(fault));
                }
            }
        }
        Some(amended)
    }

    /// Returns names that have this address, in canonical order, after examining at most `most` names.
    pub(crate) fn names_of(&self, address: IpAddr, most: usize) -> Vec<Name> {
        let data = match address {
            IpAddr::V4(v4) => RData::A(v4.into()),
            IpAddr::V6(v6) => RData::AAAA(v6.into()),
        };
        let record = Record::from_rdata(Name::root(), TTL, data);
        let Some((_, kind, _, data)) = node::parts(&record) else {
            return Vec::new();
        };
        let all = self.zones().flat_map(Zone::nodes).take(most);
        let holding = all.filter(|(_, node)| node.of(kind).any(|entry| entry.data == &*data));
        let mut names: Vec<_> = holding.map(|(name, _)| label::name(name)).collect();
        names.sort();
        names
    }
}
