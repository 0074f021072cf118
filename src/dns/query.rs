//! Parses a request (RFC 1035 §4.1, RFC 6891 §6.1). No input may cause a panic.

use crate::name::LABEL_OCTETS;

/// Octets of a DNS header.
pub(super) const HEADER_OCTETS: usize = 12;
/// The type of the OPT pseudo-record.
const OPT: u16 = 41;

/// The result of parsing a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read<'r> {
    /// Too short for a header, or a response: nothing is sent, because two servers could otherwise answer each other
    /// forever.
    Ignored,
    /// A header, followed by nothing that can be answered.
    Malformed,
    /// One question, with or without EDNS.
    Query(Query<'r>),
}

/// A request with one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query<'r> {
    /// The question section as sent: name, type, class.
    pub(super) question: &'r [u8],
    /// The name of the question, in the case sent.
    pub(super) name: &'r [u8],
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) edns: Option<Edns>,
}

/// The content of an OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edns {
    /// The maximum size of an answer over UDP.
    pub(super) size: u16,
    pub(super) version: u8,
    pub(super) dnssec_ok: bool,
    /// Whether there are options. This server has none, so they are ignored (RFC 6891 §6.1.2).
    pub(super) options: bool,
}

/// The opcode of a header.
pub(super) fn op_code(request: &[u8]) -> u8 {
    request.get(2).map_or(0, |flags| flags >> 3 & 0x0f)
}

/// Parses a request.
pub(super) fn read(request: &[u8]) -> Read<'_> {
    let Some((header, _)) = request.split_first_chunk::<HEADER_OCTETS>() else {
        return Read::Ignored;
    };
    if header[2] & 0x80 != 0 {
        return Read::Ignored;
    }
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    // Exactly one question (RFC 9619 §4), and no answers; the authority section can have records (IXFR, RFC 1995 §3).
    if count(4) != 1 || (op_code(request) == 0 && count(6) != 0) {
        return Read::Malformed;
    }
    let mut reader = Reader {
        octets: request,
        at: HEADER_OCTETS,
    };
    let query = reader.query(count(6) + count(8), count(10));
    query.map_or(Read::Malformed, Read::Query)
}

struct Reader<'r> {
    octets: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    fn query(&mut self, records: usize, additional: usize) -> Option<Query<'r>> {
        let name = self.question_name()?;
        let (kind, class) = (self.short()?, self.short()?);
        let question = &self.octets[HEADER_OCTETS..self.at];
        for _ in 0..records {
            // OPT is only allowed in the additional section.
            self.record()?.is_none().then_some(())?;
        }
        let mut edns = None;
        for _ in 0..additional {
            let found = self.record()?;
            if found.is_some() && edns.is_some() {
                return None; // two OPT records (RFC 6891 §6.1.1)
            }
            edns = edns.or(found);
        }
        Some(Query {
            question,
            name,
            kind,
            class,
            edns,
        })
    }

    /// The name of the question. It cannot have a pointer, because no name precedes it.
    fn question_name(&mut self) -> Option<&'r [u8]> {
        let start = self.at;
        loop {
            let length = usize::from(*self.octets.get(self.at)?);
            self.at += 1 + length;
            if length > LABEL_OCTETS || self.at - start > super::label::WIRE_OCTETS {
                return None;
            }
            if length == 0 {
                return self.octets.get(start..self.at);
            }
        }
    }

    /// Skips a record; returns the content of an OPT record.
    fn record(&mut self) -> Option<Option<Edns>> {
        let owner = self.at;
        self.skip_name()?;
        let (kind, class, high, low, length) = (
            self.short()?,
            self.short()?,
            self.short()?,
            self.short()?,
            self.short()?,
        );
        let data = self.octets.get(self.at..self.at + usize::from(length))?;
        self.at += usize::from(length);
        if kind != OPT {
            return Some(None);
        }
        let options = well_formed_options(data)? > 0;
        let root = self.octets.get(owner) == Some(&0);
        let edns = Edns {
            size: class,
            version: (high & 0xff) as u8,
            dnssec_ok: low & 0x8000 != 0,
            options,
        };
        root.then_some(Some(edns))
    }

    /// Skips a name: a pointer ends it, and must point backwards.
    fn skip_name(&mut self) -> Option<()> {
        let start = self.at;
        loop {
            let length = *self.octets.get(self.at)?;
            match length {
                0 => {
                    self.at += 1;
                    return Some(());
                }
                0xc0.. => {
                    let to = usize::from(self.short()? & 0x3fff);
                    return (to < start).then_some(());
                }
                _ if usize::from(length) > LABEL_OCTETS => return None,
                _ => self.at += 1 + usize::from(length),
            }
        }
    }

    fn short(&mut self) -> Option<u16> {
        let octets = self.octets.get(self.at..)?.first_chunk()?;
        self.at += 2;
        Some(u16::from_be_bytes(*octets))
    }
}

/// The number of EDNS options; `None` if their lengths are inconsistent.
fn well_formed_options(mut data: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !data.is_empty() {
        let (head, after) = data.split_first_chunk::<4>()?;
        data = after.get(usize::from(u16::from_be_bytes([head[2], head[3]]))..)?;
        count += 1;
    }
    Some(count)
}
