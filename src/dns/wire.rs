//! Octets in, octets out: one DNS message answered (RFC 1035 §4, RFC 6891). Pure; no octets may panic it.

use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};

use super::Transport;
use super::zone::{Answer, Zones};

/// Octets of a DNS header.
const HEADER_OCTETS: usize = 12;
/// The most that a UDP answer may have without EDNS (RFC 1035 §4.2.1).
const PLAIN_UDP_OCTETS: u16 = 512;
/// The most that we send over UDP and advertise: no fragments on any path (DNS flag day 2020).
const EDNS_UDP_OCTETS: u16 = 1232;

/// What becomes of one request.
#[derive(Clone, Debug)]
pub struct Response {
    /// What to send; empty where nothing is sent.
    pub octets: Vec<u8>,
    /// Send it after this time.
    pub delay: Duration,
    /// The name asked for, empty where there was no readable question.
    pub name: String,
    /// The type asked for, likewise.
    pub record_type: String,
    /// The RCODE sent, `none` where nothing is.
    pub rcode: String,
    /// The answer section as zone-file lines.
    pub answers: Vec<String>,
    /// Whether TC is set.
    pub truncated: bool,
    /// The fault that fired, empty where none did.
    pub fault: &'static str,
}

impl Response {
    fn silent() -> Self {
        Self {
            octets: Vec::new(),
            delay: Duration::ZERO,
            name: String::new(),
            record_type: String::new(),
            rcode: "none".to_owned(),
            answers: Vec::new(),
            truncated: false,
            fault: "",
        }
    }
}

/// Answers one request.
///
/// Too short for a header, or itself a response: nothing is sent. Unreadable, or not exactly one question: FORMERR.
/// An opcode other than QUERY: NOTIMP. A class other than IN, or a zone transfer: REFUSED.
pub fn respond(zones: &Zones, request: &[u8], transport: Transport) -> Response {
    // QR set: answering responses would let two servers talk for ever.
    if request.len() < HEADER_OCTETS || request[2] & 0x80 != 0 {
        return Response::silent();
    }
    match Message::read(&mut BinDecoder::new(request)) {
        Ok(message) => answer(zones, message, transport),
        Err(_) => refuse_unread(request),
    }
}

/// FORMERR (or NOTIMP for another opcode) to a request that cannot be read: the header alone.
fn refuse_unread(request: &[u8]) -> Response {
    let id = u16::from_be_bytes([request[0], request[1]]);
    let op_code = OpCode::from_u8((request[2] >> 3) & 0x0f);
    let rcode = if op_code == OpCode::Query { ResponseCode::FormErr } else { ResponseCode::NotImp };
    let mut message = Message::error_msg(id, op_code, rcode);
    message.metadata.recursion_desired = request[2] & 1 != 0;
    finish(message, u16::MAX, Response::silent())
}

fn answer(zones: &Zones, request: Message, transport: Transport) -> Response {
    let mut reply = Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    reply.metadata = Metadata::response_from_request(&request.metadata);
    reply.metadata.recursion_available = false;
    reply.metadata.authentic_data = false;
    reply.queries = request.queries;
    let size = size(request.edns.as_ref(), transport);
    let bad_version = request.edns.as_ref().is_some_and(|edns| edns.version() > 0);
    reply.edns = request.edns.map(|asked| {
        let mut edns = Edns::new();
        edns.set_max_payload(EDNS_UDP_OCTETS).set_version(0).set_dnssec_ok(asked.flags().dnssec_ok);
        edns
    });

    let mut response = Response::silent();
    if let [question] = reply.queries.as_slice() {
        response.name = question.name().to_ascii();
        response.record_type = question.query_type().to_string();
    }
    let refusal = match (reply.metadata.op_code, reply.queries.as_slice()) {
        (OpCode::Query, _) if bad_version => Some(ResponseCode::BADVERS),
        (OpCode::Query, [question]) if question.query_class() != DNSClass::IN => Some(ResponseCode::Refused),
        (OpCode::Query, [question]) if is_transfer(question.query_type()) => Some(ResponseCode::Refused),
        (OpCode::Query, [_]) => None,
        (OpCode::Query, _) => Some(ResponseCode::FormErr),
        _ => Some(ResponseCode::NotImp),
    };
    if let Some(rcode) = refusal {
        reply.metadata.response_code = rcode;
        return finish(reply, size, response);
    }
    let answer = zones.answer(reply.queries[0].name(), reply.queries[0].query_type(), transport);
    response.delay = answer.delay;
    response.fault = answer.fault.unwrap_or_default();
    if answer.dropped {
        return response;
    }
    fill(&mut reply, answer);
    finish(reply, size, response)
}

fn is_transfer(record_type: RecordType) -> bool {
    matches!(record_type, RecordType::AXFR | RecordType::IXFR)
}

/// The most octets of the answer (RFC 6891 §6.2.3: a size below 512 counts as 512).
fn size(edns: Option<&Edns>, transport: Transport) -> u16 {
    match (transport, edns) {
        (Transport::Tcp, _) => u16::MAX,
        (Transport::Udp, None) => PLAIN_UDP_OCTETS,
        (Transport::Udp, Some(edns)) => edns.max_payload().clamp(PLAIN_UDP_OCTETS, EDNS_UDP_OCTETS),
    }
}

fn fill(reply: &mut Message, answer: Answer) {
    reply.metadata.response_code = answer.rcode;
    reply.metadata.authoritative = answer.authoritative;
    reply.metadata.truncation = answer.truncated;
    reply.answers = answer.answers;
    reply.authorities = answer.authority;
    reply.additionals = answer.additional;
}

/// Encodes a reply within `size` octets: first without the additional section, which is no loss (RFC 2181 §9), then
/// without any records and with TC, so that nobody takes a part for the whole.
fn finish(mut reply: Message, size: u16, mut response: Response) -> Response {
    let mut octets = encode(&reply, size);
    if octets.is_none() && !reply.additionals.is_empty() {
        reply.additionals.clear();
        octets = encode(&reply, size);
    }
    if octets.is_none() {
        reply.answers.clear();
        reply.authorities.clear();
        reply.metadata.truncation = true;
        octets = encode(&reply, size);
    }
    response.octets = octets.unwrap_or_default();
    response.rcode = rcode_text(reply.metadata.response_code);
    response.answers = reply.answers.iter().map(ToString::to_string).collect();
    response.truncated = reply.metadata.truncation;
    response
}

/// The encoded message, or `None` where it does not fit. The encoder's own limit would leave out single records.
fn encode(message: &Message, size: u16) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(usize::from(PLAIN_UDP_OCTETS));
    message.emit(&mut BinEncoder::new(&mut octets)).ok()?;
    (octets.len() <= usize::from(size)).then_some(octets)
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

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;

    use super::*;
    use crate::dns::{Zone, parse_master};
    use crate::name;

    const OWNER: &str = "na01-bn1-obe.outbound.protection.outlook.com";

    fn zones(addresses: u8) -> Zones {
        let text: String = (1..=addresses).map(|n| format!("na01-bn1-obe A 192.0.2.{n}\n")).collect();
        let origin = name::absolute("outbound.protection.outlook.com").expect("a name");
        let records = parse_master(&text, &origin, 300).expect("a zone");
        Zones::new(vec![Zone::new(origin, records.into_iter().map(|(_, r)| r).collect())], Vec::new())
    }

    fn request(owner: &str, record_type: RecordType, edns: Option<u16>) -> Vec<u8> {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name::absolute(owner).expect("a name"), record_type));
        message.edns = edns.map(|size| {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            edns
        });
        message.to_vec().expect("a message")
    }

    fn reply(zones: &Zones, request: &[u8], transport: Transport) -> Message {
        Message::from_vec(&respond(zones, request, transport).octets).expect("a readable reply")
    }

    /// How many addresses fit: the figures for Office 365 names.
    #[test]
    fn sizes_of_address_sets() {
        let udp = |n, edns| reply(&zones(n), &request(OWNER, RecordType::A, edns), Transport::Udp);
        for (addresses, edns, truncated) in [
            (10, None, false),
            (28, None, false),
            (29, None, true),
            (27, Some(100), false),
            (28, Some(100), true),
            (72, Some(1232), false),
            (73, Some(1232), true),
            (73, Some(4096), true),
        ] {
            let message = udp(addresses, edns);
            assert_eq!(message.metadata.truncation, truncated, "{addresses} addresses, EDNS {edns:?}");
            let expected = if truncated { 0 } else { usize::from(addresses) };
            assert_eq!(message.answers.len(), expected);
            assert_eq!(message.edns.is_some(), edns.is_some());
        }
        let tcp = reply(&zones(73), &request(OWNER, RecordType::A, None), Transport::Tcp);
        assert_eq!((tcp.answers.len(), tcp.metadata.truncation), (73, false));
    }

    #[test]
    fn the_header_is_an_authoritative_servers() {
        let message = reply(
            &zones(1),
            &request("Na01-BN1-obe.outbound.protection.outlook.com", RecordType::A, None),
            Transport::Udp,
        );
        let header = message.metadata;
        assert!(header.authoritative && header.recursion_desired && !header.recursion_available);
        assert_eq!((header.id, header.message_type), (7, MessageType::Response));
        assert_eq!(
            message.queries[0].name().to_ascii(),
            "Na01-BN1-obe.outbound.protection.outlook.com.",
            "case preserved"
        );
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut octets = request(OWNER, RecordType::A, None);
        change(&mut octets);
        assert_eq!(respond(&zones(1), &octets, Transport::Udp).rcode, expected);
    }

    #[test]
    fn odd_requests() {
        check(|_| {}, "NOERROR");
        check(|o| o.truncate(11), "none");
        check(Vec::clear, "none");
        check(|o| o[2] |= 0x80, "none");
        check(|o| o.truncate(20), "FORMERR");
        check(|o| o[5] = 0, "FORMERR");
        check(|o| o[5] = 2, "FORMERR");
        check(|o| o[2] |= 4 << 3, "NOTIMP");
        check(|o| *o.last_mut().expect("octets") = 3, "REFUSED");
        let edns1 = {
            let mut message = Message::from_vec(&request(OWNER, RecordType::A, Some(1232))).expect("a message");
            message.edns.as_mut().expect("EDNS").set_version(1);
            message.to_vec().expect("a message")
        };
        assert_eq!(respond(&zones(1), &edns1, Transport::Udp).rcode, "BADVERS");
        assert_eq!(respond(&zones(1), &request(OWNER, RecordType::AXFR, None), Transport::Tcp).rcode, "REFUSED");
        assert_eq!(respond(&zones(1), &request("unknown.test", RecordType::A, None), Transport::Udp).rcode, "REFUSED");
    }

    #[test]
    fn random_octets_never_panic() {
        let seed =
            std::env::var("MARTINET_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x6d61_7274_696e_6574_u64);
        println!("seed {seed}");
        let mut state = seed;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let zones = zones(3);
        for _ in 0..20_000 {
            let mut octets = request(OWNER, RecordType::A, Some(1232));
            for _ in 0..random() % 6 {
                let at = random() % octets.len();
                octets[at] = random() as u8;
            }
            octets.truncate(random() % (octets.len() + 1));
            let _ = respond(&zones, &octets, Transport::Udp);
        }
    }
}
