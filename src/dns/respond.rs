//! Converts one request to a response (RFC 1035 §4, RFC 6891). Pure; no input may cause a panic.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;

use super::answer::{Rr, Sections};
use super::fault::{Action, Firing};
use super::kind;
use super::message::{EDNS_UDP_OCTETS, Head, OPT_OCTETS, fit, header_only, write};
use super::query::{Edns, HEADER_OCTETS, Query, Read, op_code, read};
use super::{Outside, Transport, Zones, node};
use crate::name::{Name, RecordType};

/// The maximum size of a UDP answer without EDNS (RFC 1035 §4.2.1).
const PLAIN_UDP_OCTETS: u16 = 512;
/// The octets of a record in addition to owner and data: type, class, TTL, length (RFC 1035 §3.2.1).
const RECORD_OCTETS: usize = 10;
/// The type numbers of zone transfers.
const TRANSFERS: [u16; 2] = [251, 252];

/// The response to one request.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The octets to send; empty if nothing is sent.
    pub octets: Vec<u8>,
    /// The disposition of the response.
    pub disposition: Disposition,
    /// The delay before it is sent.
    pub delay: Duration,
    /// The RCODE with its extension (RFC 6891 §6.1.3).
    pub rcode: u16,
    /// The fault that took effect; empty without one.
    pub fault: &'static str,
    /// Whether an equal request gets the same answer from this snapshot.
    pub(super) lasting: bool,
}

/// The disposition of a response by the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// Send it.
    Send,
    /// Send nothing: the request was ignored, or a `drop` fault took effect.
    #[default]
    Ignore,
    /// Reset the TCP connection.
    Reset,
    /// Never answer on this TCP connection again.
    Hang,
    /// Forward the query to this server, and return its answer.
    Forward(SocketAddr),
    /// Send the zone (RFC 5936).
    Transfer(Vec<u8>),
}

/// Answers one request.
///
/// A request that is too short for a header, or a response, gets no response. An unreadable request, or one without
/// exactly one question, gets FORMERR; an opcode other than QUERY gets NOTIMP; EDNS of another version gets BADVERS
/// (RFC 6891 §6.1.3); a class other than IN, or a zone transfer that the settings do not allow, gets REFUSED.
pub fn respond(zones: &Zones, request: &[u8], transport: Transport) -> Response {
    answer(zones, request, transport, false)
}

/// The same for a client on this machine, which can transfer zones if the settings allow it.
pub(super) fn respond_locally(zones: &Zones, request: &[u8], transport: Transport) -> Response {
    answer(zones, request, transport, true)
}

fn answer(zones: &Zones, request: &[u8], transport: Transport, local: bool) -> Response {
    let query = match read(request) {
        Read::Ignored => return Response::default(),
        Read::Malformed => return unread(request),
        Read::Query(query) => query,
    };
    let responder = Responder {
        zones,
        request,
        query,
        transport,
    };
    let rcode = match (op_code(request), query.class, query.edns) {
        (0, _, Some(edns)) if edns.version > 0 => ResponseCode::BADVERS,
        (0, 1, _) if TRANSFERS.contains(&query.kind) => return responder.transfer(local),
        (0, 1, _) => return responder.answer(),
        (0, ..) => ResponseCode::Refused,
        _ => ResponseCode::NotImp,
    };
    responder.finish(Sections::of(rcode))
}

/// FORMERR (or NOTIMP for another opcode) for an unreadable request: only a header.
fn unread(request: &[u8]) -> Response {
    let rcode = if op_code(request) == 0 {
        ResponseCode::FormErr
    } else {
        ResponseCode::NotImp
    };
    let Some(head) = request.first_chunk() else {
        return Response::default();
    };
    Response {
        octets: header_only(*head, rcode),
        disposition: Disposition::Send,
        rcode: rcode.into(),
        ..Response::default()
    }
}

/// The response to a forwarded request, from the answer of the upstream server; SERVFAIL without a readable answer.
pub(super) fn complete(
    zones: &Zones,
    request: &[u8],
    transport: Transport,
    upstream: Option<&[u8]>,
) -> Response {
    let Read::Query(query) = read(request) else {
        return Response::default();
    };
    let responder = Responder {
        zones,
        request,
        query,
        transport,
    };
    let mut sections = zones.truth(query.name, query.kind);
    let answer = upstream.and_then(|octets| Message::from_vec(octets).ok());
    let Some(answer) = answer else {
        return responder.finish(Sections::of(ResponseCode::ServFail));
    };
    sections.rcode = answer.metadata.response_code;
    sections
        .answers
        .extend(answer.answers.iter().filter_map(owned));
    sections
        .authority
        .extend(answer.authorities.iter().filter_map(owned));
    responder.finish(sections)
}

fn owned<'a>(record: &Record) -> Option<Rr<'a>> {
    let (owner, kind, ttl, data) = node::parts(record)?;
    Some(Rr {
        owner: Cow::Owned(owner),
        kind,
        ttl,
        data: Cow::Owned(data),
    })
}

/// A request for which a response is created.
struct Responder<'a> {
    zones: &'a Zones,
    request: &'a [u8],
    query: Query<'a>,
    transport: Transport,
}

impl<'a> Responder<'a> {
    fn answer(&self) -> Response {
        let Query {
            name, kind, edns, ..
        } = self.query;
        let (firing, concerned) = self.zones.meets(name, kind, self.transport, false);
        let Some(firing) = firing else {
            let sections = self.zones.truth(name, kind);
            let forward = sections.left.is_some();
            return match (forward, self.zones.settings().outside()) {
                (true, Outside::Forward(upstream)) => Response {
                    disposition: Disposition::Forward(upstream),
                    ..Response::default()
                },
                (true, Outside::Drop) if sections.answers.is_empty() => Response::default(),
                _ => {
                    let lasting = !concerned && edns.is_none_or(|edns| !edns.options);
                    Response {
                        lasting,
                        ..self.finish(sections)
                    }
                }
            };
        };
        let response = self.misbehave(firing);
        Response {
            delay: firing.delay(),
            fault: firing.fault.action().word(),
            ..response
        }
    }

    fn misbehave(&self, firing: Firing<'_>) -> Response {
        let Query { name, kind, .. } = self.query;
        let action = firing.fault.action();
        let sections = self.zones.misbehave(firing, name, kind);
        let mut response = match action {
            Action::Truncate => self.send(write(&self.head(), &sections, true), &sections),
            Action::Oversized(octets) => {
                self.send(self.padded(sections.clone(), octets), &sections)
            }
            _ => self.finish(sections),
        };
        match action {
            Action::Drop => {
                response = Response {
                    rcode: response.rcode,
                    ..Response::default()
                }
            }
            Action::TcpRefused => response.disposition = Disposition::Reset,
            Action::TcpHang => response.disposition = Disposition::Hang,
            Action::WrongId => response.octets[..2]
                .iter_mut()
                .for_each(|octet| *octet ^= 0x55),
            // The first letter of the first label, or the type if the question is for the root.
            Action::WrongQuestion => response.octets[HEADER_OCTETS + 1] ^= 1,
            Action::Malformed => replace_by_pointer_loop(
                &mut response.octets,
                HEADER_OCTETS + self.query.question.len(),
            ),
            _ => {}
        }
        if !matches!(response.disposition, Disposition::Send) {
            response.octets.clear();
        }
        response
    }

    /// The message, padded with text in its additional section to this number of octets.
    fn padded(&self, mut sections: Sections<'a>, octets: u16) -> Vec<u8> {
        let string = [&[254][..], &[b'x'; 254]].concat();
        let owner = Cow::Owned(super::label::ROOT.to_vec());
        let padding = Rr {
            owner,
            kind: kind::TXT,
            ttl: 0,
            data: Cow::Owned(string),
        };
        let mut message = write(&self.head(), &sections, false);
        while message.len() < usize::from(octets) {
            sections.additional.push(padding.clone());
            message = write(&self.head(), &sections, false);
        }
        message
    }

    fn transfer(&self, local: bool) -> Response {
        let name = self.query.name.to_ascii_lowercase();
        let held = self
            .zones
            .enclosing(&name)
            .is_some_and(|zone| *zone.origin == *name);
        if local && held && self.zones.settings().transfer && self.transport == Transport::Tcp {
            return Response {
                disposition: Disposition::Transfer(name),
                ..Response::default()
            };
        }
        self.finish(Sections::of(ResponseCode::Refused))
    }

    fn head(&self) -> Head<'a> {
        Head {
            request: self.request.first_chunk().copied().unwrap_or_default(),
            recursion_available: self.zones.settings().recursion_available,
            question: self.query.question,
            edns: self.query.edns,
        }
    }

    fn send(&self, octets: Vec<u8>, sections: &Sections<'_>) -> Response {
        Response {
            octets,
            disposition: Disposition::Send,
            rcode: sections.rcode.into(),
            ..Response::default()
        }
    }

    /// Encodes a response within the client's limit.
    fn finish(&self, mut sections: Sections<'_>) -> Response {
        let most = size(self.query.edns, self.transport);
        let (octets, _) = fit(&self.head(), &mut sections, most);
        self.send(octets, &sections)
    }
}

/// Whether an answer is truncated for a client that accepts [`EDNS_UDP_OCTETS`]; then its records are removed. Records
/// that are short enough even without compression are not encoded.
fn is_too_large(name: &[u8], kind: u16, sections: &mut Sections<'_>) -> bool {
    let most = usize::from(EDNS_UDP_OCTETS);
    let records = (sections.answers.iter())
        .chain(&sections.authority)
        .chain(&sections.additional);
    let uncompressed: usize = records
        .map(|rr| rr.owner.len() + RECORD_OCTETS + rr.data.len())
        .sum();
    if HEADER_OCTETS + name.len() + 4 + uncompressed + OPT_OCTETS <= most {
        return false;
    }
    let question = [name, &kind.to_be_bytes(), &1_u16.to_be_bytes()].concat();
    let head = Head {
        request: [0; 4],
        recursion_available: false,
        question: &question,
        edns: Some(Edns {
            size: EDNS_UDP_OCTETS,
            version: 0,
            dnssec_ok: false,
            options: false,
        }),
    };
    fit(&head, sections, most).1
}

/// The maximum size of the answer (RFC 6891 §6.2.3: a size below 512 counts as 512).
fn size(edns: Option<Edns>, transport: Transport) -> usize {
    let most = match (transport, edns) {
        (Transport::Tcp, _) => u16::MAX,
        (Transport::Udp, None) => PLAIN_UDP_OCTETS,
        (Transport::Udp, Some(edns)) => edns.size.clamp(PLAIN_UDP_OCTETS, EDNS_UDP_OCTETS),
    };
    usize::from(most)
}

/// Replaces all records by one whose owner is a pointer to itself.
fn replace_by_pointer_loop(octets: &mut Vec<u8>, end_of_question: usize) {
    octets.truncate(end_of_question);
    let pointer = 0xc000 | u16::try_from(end_of_question).unwrap_or_default();
    octets.extend(pointer.to_be_bytes());
    octets.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]);
    if let Some(counts) = octets.get_mut(6..HEADER_OCTETS) {
        counts.copy_from_slice(&[0, 1, 0, 0, 0, 0]);
    }
}

/// The answer to one question as records, for lookups within the process.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The RCODE.
    pub rcode: ResponseCode,
    /// The AA bit.
    pub authoritative: bool,
    /// Answer section, CNAMEs first.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section, without OPT.
    pub additional: Vec<Record>,
    /// The TC bit: over UDP, the answer does not fit into the 1232 octets that a resolver offers, and has no records.
    pub truncated: bool,
    /// The last name of the answer if it is outside the zones.
    pub outside: Option<Name>,
    /// The delay of the answer.
    pub delay: Duration,
    /// The fault that took effect.
    pub fault: Option<Action>,
}

impl Zones {
    /// Answers one question of class IN, including faults. CNAMEs are followed within the zones (RFC 2317 delegations
    /// point to another zone of the snapshot). The settings decide about a name outside all zones. Over UDP the client
    /// offers 1232 octets with EDNS, as resolvers do.
    pub fn answer(&self, name: &Name, record_type: RecordType, transport: Transport) -> Answer {
        let (name, kind) = (super::label::of(name), u16::from(record_type));
        let (firing, _) = self.meets(&name, kind, transport, true);
        let mut sections = match firing {
            Some(firing) => self.misbehave(firing, &name, kind),
            None => self.truth(&name, kind),
        };
        let truncated = match firing.map(|firing| firing.fault.action()) {
            Some(Action::Truncate) => true,
            Some(Action::Oversized(_)) => false, // however much there is, it is sent
            _ => transport == Transport::Udp && is_too_large(&name, kind, &mut sections),
        };
        let records = |section: &[Rr<'_>]| {
            let mut records = Vec::with_capacity(section.len());
            records.extend(
                section
                    .iter()
                    .filter_map(|rr| node::record(&rr.owner, rr.kind, rr.ttl, &rr.data)),
            );
            records
        };
        Answer {
            rcode: sections.rcode,
            authoritative: sections.authoritative,
            answers: records(&sections.answers),
            authority: records(&sections.authority),
            additional: records(&sections.additional),
            truncated,
            outside: sections.left.as_deref().map(super::label::name),
            delay: firing.map_or(Duration::ZERO, |firing| firing.delay()),
            fault: firing.map(|firing| firing.fault.action()),
        }
    }

    /// The fault that applies to a new TCP connection before any query.
    pub(super) fn meets_connection(&self) -> Option<Action> {
        let mut faults = self
            .faults
            .iter()
            .filter(|fault| fault.concerns_connections());
        faults
            .find_map(|fault| fault.fires())
            .map(|firing| firing.fault.action())
    }

    /// The fault that takes effect on a query now, and whether any fault can apply to it at another time. Faults after
    /// the first one that takes effect do not count the query. `connecting` includes those that apply to connections.
    fn meets(
        &self,
        name: &[u8],
        kind: u16,
        transport: Transport,
        connecting: bool,
    ) -> (Option<Firing<'_>>, bool) {
        if self.faults.is_empty() {
            return (None, false);
        }
        let name = name.to_ascii_lowercase();
        let concerned = |fault: &&std::sync::Arc<super::Fault>| {
            fault.concerns(&name, kind, transport) && (connecting || !fault.concerns_connections())
        };
        let mut faults = self.faults.iter().filter(concerned).peekable();
        let any = faults.peek().is_some();
        (faults.find_map(|fault| fault.fires()), any)
    }
}

/// The RCODE by its IANA mnemonic.
pub(crate) fn rcode_text(rcode: ResponseCode) -> String {
    match rcode {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A message with TC and only the question, which is no longer than the request, for a client over its limit.
pub(super) fn truncated(request: &[u8]) -> Option<Vec<u8>> {
    let Read::Query(query) = read(request) else {
        return None;
    };
    let request = *request.first_chunk()?;
    let head = Head {
        request,
        recursion_available: false,
        question: query.question,
        edns: query.edns,
    };
    let sections = Sections {
        authoritative: true,
        ..Sections::of(ResponseCode::NoError)
    };
    Some(write(&head, &sections, true))
}
