//! Random and mutated input.

use super::*;
use crate::dns::master::read_master;
use crate::dns::query::{HEADER_OCTETS, op_code};

fn seed(default: u64) -> u64 {
    let seed = std::env::var("MARTINET_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(default);
    println!("MARTINET_SEED={seed}");
    seed
}

fn random(mut state: u64) -> impl FnMut() -> usize {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    }
}

/// A hundred thousand packets, from valid questions to noise: none causes a panic, and a refusal is never longer than
/// the request.
#[test]
fn mutated_packets_never_panic_and_never_amplify() {
    let mut random = random(seed(0x6d61_7274));
    let zones = zones(vec![fault("loop.example.test", Action::CnameLoop)]);
    let owners = [
        "mail.example.test",
        "x.wild.example.test",
        "example.test",
        "nobody.example.test",
        "unknown.test",
    ];
    let kinds = [
        RecordType::A,
        RecordType::MX,
        RecordType::ANY,
        RecordType::AXFR,
        RecordType::NS,
    ];
    let (mut answered, mut refused, mut ignored) = (0, 0, 0);
    for _ in 0..100_000 {
        let edns = [None, Some(512), Some(1232)][random() % 3];
        let mut octets = request(
            owners[random() % owners.len()],
            kinds[random() % kinds.len()],
            edns,
        );
        match random() % 8 {
            0 => octets.truncate(random() % (octets.len() + 1)),
            1 => octets[5] = random() as u8,
            2 => octets[12] = 64 + (random() % 192) as u8,
            3 => octets.iter_mut().skip(2).for_each(|o| *o = random() as u8),
            4 => octets.extend((0..random() % 40).map(|n| n as u8 ^ 0xc0)),
            _ => {}
        }
        for _ in 0..random() % 4 {
            if !octets.is_empty() {
                let at = random() % octets.len();
                octets[at] = random() as u8;
            }
        }
        let transport = if random().is_multiple_of(4) {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        let response = respond(&zones, &octets, transport);
        let real = response.rcode == 0 || response.rcode == 3;
        assert!(real || response.octets.len() <= octets.len(), "{octets:x?}");
        assert!(
            response.octets.is_empty() || octets.len() >= HEADER_OCTETS && octets[2] & 0x80 == 0
        );
        assert!(op_code(&octets) == 0 || !real || response.octets.is_empty());
        match (response.octets.is_empty(), real) {
            (true, _) => ignored += 1,
            (false, true) => answered += 1,
            (false, false) => refused += 1,
        }
    }
    println!("{answered} answered, {refused} refused, {ignored} ignored");
    assert!(answered > 10_000 && refused > 10_000 && ignored > 1_000);
}

/// Random zone text never causes a panic; its records can be printed and parsed again.
#[test]
fn random_zone_text_never_panics_and_round_trips() {
    let mut random = random(seed(42));
    let origin = name("example.test");
    let mut records = 0;
    for _ in 0..100_000 {
        let mut text = String::from("a ");
        for _ in 0..random() % 10 + 1 {
            text.push_str(WORDS[random() % WORDS.len()]);
            text.push(' ');
        }
        let mut zone = Zone::empty(&origin);
        let _ = read_master(text.as_bytes(), &origin, 300, |row| _ = zone.take(&row));
        if zone.records() > 0 {
            let printed = zone.to_master();
            let mut again = Zone::empty(&origin);
            let read = read_master(printed.as_bytes(), &origin, 300, |row| {
                again.take(&row).expect("no conflict")
            });
            assert_eq!((read, again.to_master()), (Ok(()), printed), "{text:?}");
            records += zone.records();
        }
        let octets: Vec<u8> = text
            .bytes()
            .map(|b| {
                if random().is_multiple_of(20) {
                    random() as u8
                } else {
                    b
                }
            })
            .collect();
        let _ = read_master(&octets, &origin, 300, |_| {});
    }
    println!("{records} records");
    assert!(records > 1_000);
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "a", "@", "*", "$TTL", "$ORIGIN", "IN", "CH", "60", "1h", "99999999999", "A", "AAAA", "PTR", "MX", "TXT", "SRV",
    "CAA", "SOA", "NS", "SVCB", "HTTPS", "TLSA", "SSHFP", "NAPTR", "HINFO", "CERT", "CSYNC", "DS", "DNSKEY", "NSEC",
    "NSEC3", "NSEC3PARAM", "RRSIG", "KEY", "OPENPGPKEY", "SMIMEA", "NULL", "ANAME", "TSIG", "CDS", "CDNSKEY", "URI",
    "EUI48", "L64", "TYPE9", "TYPE65280", "\\#", "0", "1", "-1", "+1", "3", "256", "65536", "4294967296", "192.0.2.1",
    "::1", "\"x y\"", "\"\"", "\\", "\\300", "(", ")", "\n", "\n ", ";", "é", "\u{0}", "A.", "..", "a=b", "alpn=h2",
    "alpn=\"h2,h3\"", "ipv4hint=", "key65535=x", "zz", "abcd", "99999999w", "20200101000000", "issue",
    "LOC", "APL", "NSAP", "WKS", "HIP", "IPSECKEY", "AMTRELAY", "GPOS", "DSYNC", "DNAME", "N", "W", "10m", "0x1234.56",
    "1:192.0.2.0/24", "!2:ff00::/8", "tcp", "smtp", "$GENERATE", "1-3", "h$", "${1,2,x}", "CLASS1",
    "mandatory=alpn", ".", "RSASHA256", "-", "00-11-22-33-44-55", "1:2:3:4", "AQID",
];
