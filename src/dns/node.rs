//! The records of one owner, packed into octets: a million records need little more memory than their text.

use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{
    BinDecodable, BinDecoder, BinEncodable, BinEncoder, NameEncoding,
};

use super::label;

/// Octets before the data: type, TTL, length.
const HEAD: usize = 2 + 4 + 2;

/// The records of one owner, in the order given; empty at an empty non-terminal (RFC 4592 §2.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node(Box<[u8]>);

/// One record without its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'n> {
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: &'n [u8],
}

impl Node {
    /// Adds a record. A duplicate is dropped (RFC 2181 §5), and all records of a set get the lowest TTL (RFC 2181
    /// §5.2).
    pub(super) fn add(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        let least = self.of(kind).map(|e| e.ttl).min().unwrap_or(ttl).min(ttl);
        let known = self.of(kind).any(|e| e.data == data);
        let added = if known { 0 } else { HEAD + data.len() };
        let mut octets = Vec::with_capacity(self.0.len() + added);
        for entry in self.entries() {
            pack(
                &mut octets,
                Entry {
                    ttl: if entry.kind == kind { least } else { entry.ttl },
                    ..entry
                },
            );
        }
        if !known {
            pack(
                &mut octets,
                Entry {
                    kind,
                    ttl: least,
                    data,
                },
            );
        }
        self.0 = octets.into_boxed_slice();
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<HEAD>()?;
            let [k1, k2, t1, t2, t3, t4, l1, l2] = *head;
            let (data, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes([l1, l2])))?;
            rest = after;
            Some(Entry {
                kind: u16::from_be_bytes([k1, k2]),
                ttl: u32::from_be_bytes([t1, t2, t3, t4]),
                data,
            })
        })
    }

    /// The records of one type.
    pub(super) fn of(&self, kind: u16) -> impl Iterator<Item = Entry<'_>> {
        self.entries().filter(move |entry| entry.kind == kind)
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.of(kind).next().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn pack(octets: &mut Vec<u8>, entry: Entry<'_>) {
    octets.extend(entry.kind.to_be_bytes());
    octets.extend(entry.ttl.to_be_bytes());
    octets.extend(
        u16::try_from(entry.data.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    octets.extend_from_slice(entry.data);
}

/// The record as a type of hickory-proto; `None` if hickory-proto cannot parse the data.
pub(super) fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Option<Record> {
    let mut octets = owner.to_vec();
    octets.extend(kind.to_be_bytes());
    octets.extend(1_u16.to_be_bytes());
    octets.extend(ttl.to_be_bytes());
    octets.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
    octets.extend_from_slice(data);
    let mut record = Record::read(&mut BinDecoder::new(&octets)).ok()?;
    record.name = label::name(owner);
    Some(record)
}

/// The parts of a record of hickory-proto: owner, type, TTL, data. `None` if it cannot be encoded.
pub(super) fn parts(record: &Record) -> Option<(Vec<u8>, u16, u32, Vec<u8>)> {
    let owner = label::of(&record.name);
    let kind = u16::from(record.record_type());
    let mut data = Vec::new();
    let mut encoder = BinEncoder::new(&mut data);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    record.data.emit(&mut encoder).ok()?;
    Some((owner, kind, record.ttl, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_in_order_without_duplicates() {
        let mut node = Node::default();
        for (kind, ttl, data) in [
            (1, 300, b"abcd"),
            (16, 60, b"\x03xyz"),
            (1, 60, b"efgh"),
            (1, 900, b"abcd"),
        ] {
            node.add(kind, ttl, data);
        }
        let entry = |kind, data: &'static [u8; 4]| Entry {
            kind,
            ttl: 60,
            data,
        };
        let expected = [entry(1, b"abcd"), entry(16, b"\x03xyz"), entry(1, b"efgh")];
        assert_eq!(node.entries().collect::<Vec<_>>(), expected);
        assert_eq!(node.of(1).count(), 2);
        assert!(node.has(16) && !node.has(28));
    }
}
