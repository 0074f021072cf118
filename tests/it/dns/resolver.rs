//! The receiver's own lookups work like those of a stub resolver: over UDP, and over TCP if an answer is truncated.

use martinet::check::{Attempt, judge};
use martinet::dns::Zones;
use martinet::facts::{Lookup, LookupRecord, Outcome, Resolver};
use martinet::scenario::{parse_receiver, parse_scenario};
use martinet::verdict::Verdict;

use super::*;

/// How long the receiver waits.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(5);

/// Zones whose TXT set of `big.example.test` has some 4 KB, including an SPF record, with these faults.
fn zones(faults: &str) -> Zones {
    let more: String = (0..16)
        .map(|n| format!("big TXT \"{n:02}{}\"\n", "x".repeat(240)))
        .collect();
    let text = format!("big TXT \"v=spf1 ip4:192.0.2.1 -all\"\n{more}small TXT \"v=spf1 -all\"");
    let zone = format!("[[zone]]\norigin = \"example.test\"\ntext = '''\n{text}\n'''");
    parse_scenario("t", &format!("title = \"t\"\n{zone}\n{faults}"))
        .expect("a scenario")
        .zones([127, 0, 0, 1].into())
}

fn fault(keys: &str) -> String {
    format!("[[fault]]\nname = \"*.example.test\"\n{keys}\n")
}

fn lookup(zones: &Zones, name: &str) -> LookupRecord {
    let name = absolute(name).expect("a name");
    let resolver = Resolver::new(zones, RECEIVER_TIMEOUT);
    LookupRecord::clone(&resolver.ask(&name, RecordType::TXT))
}

#[track_caller]
fn check(name: &str, faults: &[&str], outcome: Outcome, fault_word: &str, elapsed_ms: u64) {
    let faults: String = faults.iter().map(|keys| fault(keys)).collect();
    let lookup = lookup(&zones(&faults), name);
    assert_eq!(
        (lookup.outcome, lookup.fault, lookup.elapsed),
        (outcome, fault_word, Duration::from_millis(elapsed_ms)),
        "{name} {faults}"
    );
    let expected = match outcome {
        Outcome::Data if name.starts_with("big") => 17,
        Outcome::Data => 1,
        _ => 0,
    };
    assert_eq!(lookup.answers.len(), expected);
}

const BIG: &str = "big.example.test";
const SMALL: &str = "small.example.test";

#[test]
fn a_large_answer_comes_over_tcp_with_the_faults_of_tcp() {
    check(BIG, &[], Outcome::Data, "", 0);
    check(SMALL, &[], Outcome::Data, "", 0);
    let tcp = |word| format!("do = \"{word}\"\ntransport = \"tcp\"");
    for (word, outcome, elapsed) in [
        ("servfail", Outcome::ServFail, 0),
        ("tcp-refused", Outcome::ServFail, 0),
        ("malformed", Outcome::ServFail, 0),
        ("refused", Outcome::Refused, 0),
        ("nxdomain", Outcome::NxDomain, 0),
        ("nodata", Outcome::NoData, 0),
        ("drop", Outcome::Timeout, 5_000),
        ("tcp-hang", Outcome::Timeout, 5_000),
        ("wrong-id", Outcome::Timeout, 5_000),
    ] {
        check(BIG, &[&tcp(word)], outcome, word, elapsed);
        check(SMALL, &[&tcp(word)], Outcome::Data, "", 0);
    }
}

/// UDP and TCP share the receiver's timeout, and each has its own delay.
#[test]
fn both_transports_share_the_timeout() {
    let late = |transport, delay| {
        format!("do = \"delay\"\ntransport = \"{transport}\"\ndelay = \"{delay}\"")
    };
    let (udp, tcp) = (late("udp", "2s"), late("tcp", "1s"));
    check(BIG, &[&udp, &tcp], Outcome::Data, "delay", 3_000);
    check(
        BIG,
        &[&udp, &late("tcp", "3s")],
        Outcome::Timeout,
        "delay",
        5_000,
    );
    check(BIG, &[&late("udp", "6s")], Outcome::Timeout, "delay", 5_000);
    check(SMALL, &[&udp, &tcp], Outcome::Data, "delay", 2_000);
    let silent = "do = \"tcp-hang\"";
    check(BIG, &[&udp, silent], Outcome::Timeout, "tcp-hang", 5_000);
    check(
        SMALL,
        &["do = \"truncate\"", silent],
        Outcome::Timeout,
        "tcp-hang",
        5_000,
    );
}

/// The limit is the size on the wire: 1232 octets fit into UDP, and one octet more needs TCP.
#[test]
fn the_size_is_that_of_the_message() {
    for (length, over_tcp) in [(1231, false), (1232, false), (1233, true)] {
        // Header, question, OPT; then for each record a pointer, ten octets, and the strings with their lengths.
        let overhead = 12 + 16 + 4 + 11 + 12;
        let data = length - overhead;
        let strings: String = std::iter::repeat_n(255, data / 256)
            .chain([data % 256 - 1])
            .map(|length| format!(" \"{}\"", "x".repeat(length)))
            .collect();
        let zone = format!("[[zone]]\norigin = \"example.test\"\ntext = '''\nx TXT {strings}\n'''");
        let faults = fault("do = \"servfail\"\ntransport = \"tcp\"");
        let zones = parse_scenario("t", &format!("title = \"t\"\n{zone}\n{faults}"))
            .expect("a scenario")
            .zones([127, 0, 0, 1].into());
        let outcome = lookup(&zones, "x.example.test").outcome;
        let expected = if over_tcp {
            Outcome::ServFail
        } else {
            Outcome::Data
        };
        assert_eq!(outcome, expected, "{length} octets");
    }
}

/// Lookups that fail for dig fail for the receiver's rules too.
#[test]
fn faults_of_tcp_apply_to_sender_spf() {
    let receiver =
        parse_receiver("r", "title = \"t\"\n[[rule]]\ncheck = \"sender-spf\"").expect("a receiver");
    let verdict = |domain: &str, faults: &str| {
        let attempt = Attempt {
            client: [192, 0, 2, 1].into(),
            helo: "mail.example.test".to_owned(),
            verb: "EHLO".to_owned(),
            sender: format!("a@{domain}"),
            recipient: "b@contoso.test".to_owned(),
            message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
            recipients: std::sync::Arc::default(),
            conduct: martinet::smtp::client::ClientConduct::default(),
            sent: std::sync::Arc::default(),
        };
        judge(
            &receiver.receiver,
            &zones(faults),
            RECEIVER_TIMEOUT,
            &attempt,
        )
        .verdict
    };
    assert_eq!(verdict(BIG, ""), Verdict::Accept);
    let refused = fault("do = \"tcp-refused\"");
    assert_eq!(verdict(BIG, &refused), Verdict::Defer);
    assert_eq!(verdict(SMALL, &refused), Verdict::Reject);
}
