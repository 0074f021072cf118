//! Transfers a whole zone over TCP (RFC 5936).

use std::borrow::Cow;

use hickory_proto::op::ResponseCode;

use crate::dns::Zones;
use crate::dns::answer::{Rr, Sections};
use crate::dns::message::{Head, write};
use crate::dns::node::Entry;
use crate::dns::query::{Read, read};

/// Approximate size of the record data in one message.
const MESSAGE_OCTETS: usize = 16 << 10;

/// The messages of a transfer: all records between two copies of the SOA (RFC 5936 §2.2).
pub(super) fn messages(zones: &Zones, origin: &[u8], request: &[u8]) -> Vec<Vec<u8>> {
    let (Some(zone), Read::Query(query)) = (zones.enclosing(origin), read(request)) else {
        return Vec::new();
    };
    let mut rows = zone.rows();
    rows.extend(zone.soa().map(|soa| (&*zone.origin, soa)));
    let mut head = Head {
        request: request.first_chunk().copied().unwrap_or_default(),
        recursion_available: zones.settings().recursion_available,
        question: query.question,
        edns: query.edns,
    };
    let mut messages = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut sections = Sections {
            authoritative: true,
            ..Sections::of(ResponseCode::NoError)
        };
        let mut octets = 0;
        while octets < MESSAGE_OCTETS
            && let Some((owner, Entry { kind, ttl, data })) =
                rows.next_if(|(_, e)| octets + e.data.len() < 60_000)
        {
            octets += owner.len() + data.len() + 10;
            sections.answers.push(Rr {
                owner: Cow::Borrowed(owner),
                kind,
                ttl,
                data: Cow::Borrowed(data),
            });
        }
        if sections.answers.is_empty() {
            break; // a record that no message can hold
        }
        messages.push(write(&head, &sections, false));
        // Only the first message repeats the question (RFC 5936 §2.2.1).
        head.question = &[];
    }
    messages
}
