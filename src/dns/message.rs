//! Encodes a response (RFC 1035 §4.1) with compressed names.

use hickory_proto::op::ResponseCode;

use super::answer::{Rr, Sections};
use super::query::{Edns, HEADER_OCTETS};
use super::{label, rdata};

/// Maximum size over UDP, sent and advertised: no fragments on any path (DNS flag day 2020).
pub(super) const EDNS_UDP_OCTETS: u16 = 1232;
/// Maximum number of targets for name compression: enough for any answer, and few to search.
const PLACES: usize = 64;
/// Octets of an OPT record without options (RFC 6891 §6.1.2).
pub(super) const OPT_OCTETS: usize = 11;
/// The maximum offset of a pointer (RFC 1035 §4.1.4).
const POINTER: usize = 0x3fff;

/// The parts of a response header that come from the request and the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'r> {
    /// The first four octets of the request: id and flags.
    pub(super) request: [u8; 4],
    pub(super) recursion_available: bool,
    /// The question section; empty if it is unreadable.
    pub(super) question: &'r [u8],
    pub(super) edns: Option<Edns>,
}

/// The whole message with the given TC bit. All sections are written; the caller checks the length.
pub(super) fn write(head: &Head<'_>, sections: &Sections<'_>, truncated: bool) -> Vec<u8> {
    let mut message = written(head, sections, truncated);
    if let Some(edns) = head.edns {
        message.opt(edns, u16::from(sections.rcode));
    }
    message.octets
}

/// The message without its OPT record, which comes last.
fn written(head: &Head<'_>, sections: &Sections<'_>, truncated: bool) -> Writer {
    let mut message = Writer {
        octets: Vec::with_capacity(512),
        places: Vec::new(),
    };
    message.header(head, sections, truncated);
    if !head.question.is_empty() {
        message.octets.extend_from_slice(head.question);
        message.remember(HEADER_OCTETS);
    }
    for rr in sections
        .answers
        .iter()
        .chain(&sections.authority)
        .chain(&sections.additional)
    {
        message.record(rr);
    }
    message
}

/// Encodes a response of at most `most` octets. Returns whether it is truncated. First, additional record sets that are
/// not required are omitted if they do not fit (RFC 2181 §9, RFC 9471 §3.2). If that is not enough, the response has no
/// records and TC set, so that no client takes a part for the whole. The addresses that a referral requires are never
/// omitted without TC (RFC 9471 §3.1).
pub(super) fn fit(head: &Head<'_>, sections: &mut Sections<'_>, most: usize) -> (Vec<u8>, bool) {
    let mut octets = write(head, sections, false);
    if octets.len() > most && sections.additional.len() > sections.glue {
        fit_additional(head, sections, most);
        octets = write(head, sections, false);
    }
    let truncated = octets.len() > most;
    if truncated {
        sections.answers.clear();
        sections.authority.clear();
        sections.additional.clear();
        octets = write(head, sections, true);
    }
    (octets, truncated)
}

/// Keeps the additional record sets that fit after the glue, each as a whole. A set that does not fit is omitted, and a
/// smaller set after it can still fit, as in NSD.
fn fit_additional(head: &Head<'_>, sections: &mut Sections<'_>, most: usize) {
    let optional = sections.additional.split_off(sections.glue);
    let mut message = written(head, sections, false);
    let most = most.saturating_sub(head.edns.map_or(0, |_| OPT_OCTETS));
    if message.octets.len() > most {
        return;
    }
    for set in optional.chunk_by(|one, next| one.kind == next.kind && one.owner == next.owner) {
        let (octets, places) = (message.octets.len(), message.places.len());
        set.iter().for_each(|rr| message.record(rr));
        if message.octets.len() <= most {
            sections.additional.extend_from_slice(set);
        } else {
            message.octets.truncate(octets);
            message.places.truncate(places);
        }
    }
}

struct Writer {
    octets: Vec<u8>,
    /// The offsets of names and of their suffixes.
    places: Vec<u16>,
}

impl Writer {
    fn header(&mut self, head: &Head<'_>, sections: &Sections<'_>, truncated: bool) {
        let [id1, id2, flags1, _] = head.request;
        // QR, the opcode, AA, TC, RD as asked; RA, AD and CD clear, the low four bits of the RCODE.
        let aa = u8::from(sections.authoritative) << 2;
        let tc = u8::from(truncated) << 1;
        let ra = u8::from(head.recursion_available) << 7;
        let rcode = (u16::from(sections.rcode) & 0x0f) as u8;
        self.octets
            .extend([id1, id2, 0x80 | flags1 & 0x79 | aa | tc, ra | rcode]);
        let count = |records: &[Rr<'_>]| u16::try_from(records.len()).unwrap_or(u16::MAX);
        let additional = count(&sections.additional).saturating_add(u16::from(head.edns.is_some()));
        let counts = [
            u16::from(!head.question.is_empty()),
            count(&sections.answers),
            count(&sections.authority),
            additional,
        ];
        self.octets
            .extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    }

    fn record(&mut self, rr: &Rr<'_>) {
        self.name(&rr.owner);
        self.octets.extend(rr.kind.to_be_bytes());
        self.octets.extend(1_u16.to_be_bytes());
        self.octets.extend(rr.ttl.to_be_bytes());
        let length_at = self.octets.len();
        self.octets.extend([0, 0]);
        if rdata::compressible(rr.kind) {
            for (is_name, part) in rdata::names(rr.kind, &rr.data) {
                if is_name {
                    self.name(part)
                } else {
                    self.octets.extend_from_slice(part)
                }
            }
        } else {
            self.octets.extend_from_slice(&rr.data);
        }
        let length = u16::try_from(self.octets.len() - length_at - 2).unwrap_or(u16::MAX);
        self.octets[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn opt(&mut self, edns: Edns, rcode: u16) {
        let flags: u16 = if edns.dnssec_ok { 0x8000 } else { 0 };
        self.octets.extend([0, 0, 41]);
        self.octets.extend(EDNS_UDP_OCTETS.to_be_bytes());
        self.octets.extend([(rcode >> 4) as u8, 0]); // EDNS version 0
        self.octets.extend(flags.to_be_bytes());
        self.octets.extend([0, 0]);
    }

    /// Writes a name. Its end becomes a pointer if the message already has the same labels in the same case.
    fn name(&mut self, name: &[u8]) {
        let known = label::and_above(name)
            .filter(|above| above.len() > 1)
            .find_map(|above| {
                Some((
                    above.len(),
                    *self
                        .places
                        .iter()
                        .find(|at| self.has_name_at(above, **at))?,
                ))
            });
        let Some((length, at)) = known else {
            let at = self.octets.len();
            self.octets.extend_from_slice(name);
            return self.remember(at);
        };
        let pointer = (0xc000 | at).to_be_bytes();
        let begin = self.octets.len();
        self.octets.extend_from_slice(&name[..name.len() - length]);
        self.octets.extend(pointer);
        self.remember(begin);
    }

    /// Stores the offsets of a name and of its suffixes, up to its end or a pointer.
    fn remember(&mut self, mut at: usize) {
        while self.places.len() < PLACES && at <= POINTER {
            match self.octets.get(at) {
                None | Some(0 | 0xc0..) => return,
                Some(length) => {
                    self.places.extend(u16::try_from(at));
                    at += 1 + usize::from(*length);
                }
            }
        }
    }

    /// Whether a name is at an offset of the message; only offsets of written names are passed.
    fn has_name_at(&self, name: &[u8], at: u16) -> bool {
        let (mut at, mut rest) = (usize::from(at), name);
        loop {
            match (self.octets.get(at), self.octets.get(at + 1)) {
                (Some(high @ 0xc0..), Some(low)) => {
                    at = usize::from(high & 0x3f) << 8 | usize::from(*low)
                }
                (Some(length), _) => {
                    let label = 1 + usize::from(*length);
                    if self.octets.get(at..at + label) != rest.get(..label) {
                        return false;
                    }
                    if label == 1 {
                        return true;
                    }
                    (at, rest) = (at + label, &rest[label..]);
                }
                (None, _) => return false,
            }
        }
    }
}

/// A header without a question, for an unreadable request.
pub(super) fn header_only(request: [u8; 4], rcode: ResponseCode) -> Vec<u8> {
    let head = Head {
        request,
        recursion_available: false,
        question: &[],
        edns: None,
    };
    write(&head, &Sections::of(rcode), false)
}
