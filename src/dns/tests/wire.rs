//! Requests and responses as octets.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::*;

const OWNER: &str = "na01-bn1-obe.outbound.protection.outlook.com";

fn pool(addresses: u8) -> Zones {
    let text: String = (1..=addresses)
        .map(|n| format!("na01-bn1-obe A 192.0.2.{n}\n"))
        .collect();
    Zones::new(
        vec![zone("outbound.protection.outlook.com", &text)],
        Vec::new(),
    )
}

/// The number of addresses that fit: the figures for Office 365 names.
#[test]
fn sizes_of_address_sets() {
    let udp = |n, edns| {
        reply(
            &pool(n),
            &request(OWNER, RecordType::A, edns),
            Transport::Udp,
        )
    };
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
        assert_eq!(
            message.metadata.truncation, truncated,
            "{addresses} addresses, EDNS {edns:?}"
        );
        let expected = if truncated { 0 } else { usize::from(addresses) };
        assert_eq!(message.answers.len(), expected);
        assert_eq!(message.edns.is_some(), edns.is_some());
    }
    let tcp = reply(
        &pool(73),
        &request(OWNER, RecordType::A, None),
        Transport::Tcp,
    );
    assert_eq!((tcp.answers.len(), tcp.metadata.truncation), (73, false));
}

#[test]
fn the_header_is_an_authoritative_servers() {
    let query = request(
        "Na01-BN1-obe.outbound.protection.outlook.com",
        RecordType::A,
        None,
    );
    let message = reply(&pool(1), &query, Transport::Udp);
    let header = message.metadata;
    assert!(header.authoritative && header.recursion_desired && !header.recursion_available);
    assert_eq!((header.id, header.message_type), (7, MessageType::Response));
    let owner = "Na01-BN1-obe.outbound.protection.outlook.com.";
    assert_eq!(
        message.queries[0].name().to_ascii(),
        owner,
        "case preserved"
    );
    assert_eq!(message.answers[0].name.to_ascii(), owner);
    let available = pool(1).with_settings(Settings {
        recursion_available: true,
        ..Settings::default()
    });
    assert!(
        reply(&available, &query, Transport::Udp)
            .metadata
            .recursion_available
    );
}

/// A zone with a delegation to `servers` servers within the delegated zone and as many outside it, each with two
/// addresses.
fn delegation(servers: u8) -> Zones {
    let hosts = (1..=servers).flat_map(|n| [format!("ns{n}.sub"), format!("ns{n}.beside")]);
    let lines =
        |host: String| format!("sub NS {host}\n{host} A 192.0.2.1\n{host} AAAA 2001:db8::1\n");
    Zones::new(
        vec![zone("example.test", &hosts.map(lines).collect::<String>())],
        Vec::new(),
    )
}

/// RFC 9471 §3: if addresses of name servers within the delegated zone do not fit, TC is set; of other addresses, each
/// set that fits is kept.
#[test]
fn rfc9471_glue_that_does_not_fit_sets_tc() {
    let referral = |servers, edns, transport| {
        let query = request("www.sub.example.test", RecordType::A, edns);
        let message = reply(&delegation(servers), &query, transport);
        (
            message.metadata.truncation,
            message.authorities.len(),
            message.additionals.len(),
        )
    };
    let udp = |servers, edns| referral(servers, edns, Transport::Udp);
    assert_eq!(udp(2, None), (false, 4, 8), "everything fits");
    assert_eq!(
        udp(5, None),
        (false, 10, 13),
        "all of sub, three other sets"
    );
    assert_eq!(
        udp(8, None),
        (true, 0, 0),
        "not even the required addresses"
    );
    assert_eq!(udp(8, Some(1232)), (false, 16, 32));
    assert_eq!(
        udp(12, Some(1232)),
        (false, 24, 34),
        "an A set fits after an AAAA set that does not"
    );
    assert_eq!(udp(20, Some(1232)), (true, 0, 0));
    assert_eq!(referral(20, None, Transport::Tcp), (false, 40, 80));
    // TC is also set if a CNAME leads to the delegation.
    let text = "alias CNAME www.sub\n".to_owned()
        + &(1..=8)
            .map(|n| format!("sub NS ns{n}.sub\nns{n}.sub A 192.0.2.{n}\nns{n}.sub AAAA ::{n}\n"))
            .collect::<String>();
    let zones = Zones::new(vec![zone("example.test", &text)], Vec::new());
    let query = request("alias.example.test", RecordType::A, None);
    assert!(reply(&zones, &query, Transport::Udp).metadata.truncation);
}

/// A set of additional addresses is kept or omitted as a whole (RFC 2181 §9), in any order within its zone.
#[test]
fn rfc2181_9_additional_sets_are_whole() {
    let others: String = (1..=6)
        .map(|n| {
            let host = format!("ns{n}.beside");
            let address = |m| format!("{host} AAAA 2001:db8::{m}\n{host} A 192.0.2.{m}\n");
            format!("sub NS {host}\n") + &(1..=3).map(address).collect::<String>()
        })
        .collect();
    let zones = Zones::new(vec![zone("example.test", &others)], Vec::new());
    for size in 512..=1232 {
        let query = request("www.sub.example.test", RecordType::A, Some(size));
        let octets = respond(&zones, &query, Transport::Udp).octets;
        assert!(octets.len() <= usize::from(size));
        let message = Message::from_vec(&octets).expect("a message");
        assert!(!message.metadata.truncation, "nothing of these is needed");
        assert!(!message.additionals.is_empty(), "some fit");
        for set in &message.additionals {
            let same = (message.additionals.iter())
                .filter(|r| (&r.name, r.record_type()) == (&set.name, set.record_type()));
            assert_eq!(same.count(), 3, "{size} octets: {set}");
        }
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Vec<u8>), expected: Option<ResponseCode>) {
    let mut octets = request(OWNER, RecordType::A, None);
    change(&mut octets);
    let response = respond(&pool(1), &octets, Transport::Udp);
    let rcode = Message::from_vec(&response.octets)
        .ok()
        .map(|m| m.metadata.response_code);
    assert_eq!(rcode, expected);
    if expected != Some(ResponseCode::NoError) {
        assert!(
            response.octets.len() <= octets.len(),
            "a refusal is no longer than the request"
        );
    }
}

#[test]
fn odd_requests() {
    check(|_| {}, Some(ResponseCode::NoError));
    check(|o| o.truncate(11), None);
    check(Vec::clear, None);
    check(|o| o[2] |= 0x80, None);
    check(|o| o.truncate(12), Some(ResponseCode::FormErr));
    check(|o| o.truncate(20), Some(ResponseCode::FormErr));
    check(|o| o[5] = 0, Some(ResponseCode::FormErr));
    check(|o| o[5] = 2, Some(ResponseCode::FormErr));
    check(|o| o[11] = 1, Some(ResponseCode::FormErr));
    check(|o| o[12] = 64, Some(ResponseCode::FormErr));
    check(
        |o| o.splice(12..13, [0xc0, 12]).for_each(drop),
        Some(ResponseCode::FormErr),
    );
    check(|o| o[2] |= 4 << 3, Some(ResponseCode::NotImp));
    check(
        |o| *o.last_mut().expect("octets") = 3,
        Some(ResponseCode::Refused),
    );
    let transfer = request(OWNER, RecordType::AXFR, None);
    assert_eq!(
        reply(&pool(1), &transfer, Transport::Tcp)
            .metadata
            .response_code,
        ResponseCode::Refused
    );
    let unknown = request("unknown.test", RecordType::A, None);
    assert_eq!(
        reply(&pool(1), &unknown, Transport::Udp)
            .metadata
            .response_code,
        ResponseCode::Refused
    );
}

fn with_edns(change: impl FnOnce(&mut Edns)) -> Vec<u8> {
    let mut message =
        Message::from_vec(&request(OWNER, RecordType::A, Some(1232))).expect("a message");
    change(message.edns.as_mut().expect("EDNS"));
    message.to_vec().expect("a message")
}

/// RFC 6891 §6.1.3: RCODE 16 is four bits in the header and the rest in OPT, which has the supported version.
#[test]
fn rfc6891_badvers_on_the_wire() {
    let query = with_edns(|edns| _ = edns.set_version(1));
    let octets = respond(&pool(1), &query, Transport::Udp).octets;
    assert_eq!(octets[3] & 0x0f, 0);
    assert_eq!(
        octets[octets.len() - 11..],
        [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]
    );
    let message = Message::from_vec(&octets).expect("a message");
    // hickory-proto reports BADSIG: both are 16.
    assert_eq!(
        (
            u16::from(message.metadata.response_code),
            message.answers.len()
        ),
        (16, 0)
    );
}

#[test]
fn rfc6891_two_opt_records_and_broken_options() {
    let mut twice = with_edns(|_| {});
    let opt = twice[twice.len() - 11..].to_vec();
    twice.extend(opt);
    twice[11] = 2;
    let rcode = |octets: &[u8]| {
        reply(&pool(1), octets, Transport::Udp)
            .metadata
            .response_code
    };
    assert_eq!(rcode(&twice), ResponseCode::FormErr);
    let mut owned = with_edns(|_| {});
    let at = owned.len() - 11;
    owned.splice(at..=at, [1, b'x', 0]);
    assert_eq!(
        rcode(&owned),
        ResponseCode::FormErr,
        "the owner of OPT is the root"
    );
    let mut cut = with_edns(|edns| {
        edns.options_mut()
            .insert(EdnsOption::Unknown(65_001, vec![1, 2, 3]))
    });
    let length = cut.len();
    cut[length - 4] = 9;
    assert_eq!(
        rcode(&cut),
        ResponseCode::FormErr,
        "an option longer than the record"
    );
}

/// RFC 6891 §6.1.2: unknown options are ignored, including cookies (RFC 7873 §5.2.1) of any length and reporting
/// channels (RFC 9567). DO is copied (RFC 3225 §3).
#[test]
fn edns_options_are_ignored() {
    let plain = reply(&pool(1), &with_edns(|_| {}), Transport::Udp);
    for (code, data) in [
        (10, vec![1; 8]),
        (10, vec![1; 3]),
        (10, vec![1; 40]),
        (18, vec![0; 5]),
        (65_001, Vec::new()),
    ] {
        let query = with_edns(|edns| edns.options_mut().insert(EdnsOption::Unknown(code, data)));
        let message = reply(&pool(1), &query, Transport::Udp);
        assert_eq!(message.answers, plain.answers);
        assert_eq!(
            message
                .edns
                .as_ref()
                .expect("EDNS")
                .options()
                .get(EdnsCode::Cookie),
            None
        );
        assert!(
            !respond(&pool(1), &query, Transport::Udp).lasting,
            "each cookie would fill the cache"
        );
    }
    let query = with_edns(|edns| _ = edns.set_dnssec_ok(true));
    assert!(
        reply(&pool(1), &query, Transport::Udp)
            .edns
            .expect("EDNS")
            .flags()
            .dnssec_ok
    );
}

/// Names are compressed only if case and labels are equal; SRV targets never are (RFC 3597 §4).
#[test]
fn names_are_compressed() {
    let zones = zones(Vec::new());
    let mx = respond(
        &zones,
        &request("example.test", RecordType::MX, None),
        Transport::Udp,
    )
    .octets;
    let labels = |octets: &[u8]| {
        octets
            .windows(8)
            .filter(|w| w.eq_ignore_ascii_case(b"\x07example"))
            .count()
    };
    assert_eq!(labels(&mx), 1);
    let other = respond(
        &zones,
        &request("Example.test", RecordType::MX, None),
        Transport::Udp,
    )
    .octets;
    assert_eq!(labels(&other), 2);
    let srv = respond(
        &zones,
        &request("_s._tcp.example.test", RecordType::SRV, None),
        Transport::Udp,
    )
    .octets;
    assert_eq!(
        srv.windows(18)
            .filter(|w| **w == *b"\x04mail\x07example\x04test")
            .count(),
        1
    );
    assert_eq!(
        Message::from_vec(&srv)
            .expect("a message")
            .additionals
            .len(),
        2
    );
}

/// hickory-proto can parse every message of this server.
#[test]
fn encoded_messages_can_be_parsed() {
    let zones = zones(Vec::new());
    for line in ZONE.lines().filter(|l| !l.is_empty()) {
        let owner = line
            .split_whitespace()
            .next()
            .expect("an owner")
            .trim_start_matches(['@', '*']);
        for kind in [
            RecordType::A,
            RecordType::MX,
            RecordType::TXT,
            RecordType::ANY,
            RecordType::NS,
            RecordType::DS,
        ] {
            let name = format!("{}.example.test", owner.trim_matches('.'));
            let query = request(name.trim_start_matches('.'), kind, Some(1232));
            reply(&zones, &query, Transport::Udp);
        }
    }
}
