//! All faults, in sections and in octets.

use std::time::Duration;

use hickory_proto::op::ResponseCode;

use super::*;

#[track_caller]
fn check(action: Action, expected: &str) {
    let zones = zones(vec![fault("mail.example.test", action)]);
    let transport = action.only().unwrap_or(Transport::Udp);
    let answer = ask(&zones, "mail.example.test A", transport);
    assert_eq!(summary(&answer), expected);
    assert_eq!(answer.fault, Some(action));
    let response = respond(
        &zones,
        &request("mail.example.test", RecordType::A, None),
        transport,
    );
    assert_eq!((response.fault, response.lasting), (action.word(), false));
}

#[test]
fn sections() {
    check(Action::NxDomain, "NXDomain aa | SOA");
    check(Action::NoData, "NoError aa | SOA");
    check(Action::ServFail, "ServFail |");
    check(Action::Refused, "Refused |");
    check(Action::NotImp, "NotImp |");
    check(Action::FormErr, "FormErr |");
    check(Action::Lame, "NoError |");
    check(Action::Referral, "NoError | NS NS");
    check(Action::Drop, "ServFail |");
    check(Action::TcpRefused, "ServFail |");
    check(Action::TcpHang, "ServFail |");
    check(Action::Truncate, "NoError aa |");
    check(Action::Delay, "NoError aa A 192.0.2.10 |");
    check(Action::WrongId, "NoError aa A 192.0.2.10 |");
    check(Action::WrongQuestion, "NoError aa A 192.0.2.10 |");
    check(Action::Malformed, "NoError aa A 192.0.2.10 |");
    check(Action::Oversized(4096), "NoError aa A 192.0.2.10 |");
    check(Action::Ttl(0), "NoError aa A 192.0.2.10 |");
    check(Action::Reorder(Order::Fixed), "NoError aa A 192.0.2.10 |");
    check(Action::SingleRecord, "NoError aa A 192.0.2.10 |");
    check(
        Action::CnameLoop,
        "NoError aa CNAME c1.chain.martinet.test. CNAME mail.example.test. |",
    );
    let two =
        "NoError aa CNAME c1.chain.martinet.test. CNAME c2.chain.martinet.test. A 192.0.2.10 |";
    check(Action::CnameChain(2), two);
}

#[track_caller]
fn wrong(question: &str, address: Option<&str>, expected: &str) {
    let address = address.map(|a| a.parse().expect("an address"));
    let zones = zones(vec![fault("*.", Action::WrongAnswer(address))]);
    let answer = ask(&zones, question, Transport::Udp);
    assert_eq!(summary(&answer), expected, "{question}");
    assert!(
        answer.additional.is_empty(),
        "true addresses of wrong hosts"
    );
}

#[test]
fn wrong_answers() {
    wrong("mail.example.test A", None, "NoError aa A 192.0.2.255 |");
    wrong(
        "mail.example.test A",
        Some("203.0.113.9"),
        "NoError aa A 203.0.113.9 |",
    );
    wrong(
        "mail.example.test AAAA",
        Some("203.0.113.9"),
        "NoError aa AAAA 2001:db8::ffff |",
    );
    wrong("mail.example.test TXT", None, "NoError aa TXT wrong |");
    wrong(
        "example.test MX",
        None,
        "NoError aa MX 10 wrong.martinet.test. |",
    );
    wrong(
        "example.test NS",
        None,
        "NoError aa NS wrong.martinet.test. |",
    );
    wrong(
        "alias.example.test CNAME",
        None,
        "NoError aa CNAME wrong.martinet.test. |",
    );
    wrong(
        "alias.example.test A",
        None,
        "NoError aa CNAME mail.example.test. A 192.0.2.255 |",
    );
    wrong(
        "_s._tcp.example.test SRV",
        None,
        "NoError aa SRV 1 2 25 wrong.martinet.test. |",
    );
    wrong(
        "nobody.example.test A",
        Some("203.0.113.9"),
        "NoError aa A 203.0.113.9 |",
    );
    wrong("nobody.example.test TXT", None, "NXDomain aa | SOA");
}

#[track_caller]
fn fires(fault: Fault, expected: &str) {
    let zones = zones(vec![fault]);
    let mark_fired = |_| {
        if ask(&zones, "mail.example.test A", Transport::Udp)
            .fault
            .is_some()
        {
            'x'
        } else {
            '.'
        }
    };
    assert_eq!(
        (0..expected.len()).map(mark_fired).collect::<String>(),
        expected
    );
}

#[test]
fn schedules() {
    let servfail = || fault("mail.example.test", Action::ServFail);
    fires(servfail(), "xxxxxx");
    fires(servfail().times(2), "xx....");
    fires(servfail().from_question(3), "..xxxx");
    fires(servfail().from_question(2).times(1), ".x....");
    fires(servfail().times(1).every(2), "x.x.x.");
    fires(servfail().times(2).every(3), "xx.xx.xx.");
    fires(servfail().from_question(2).times(1).every(3), ".x..x..x");
    fires(fault("mail.example.test", Action::Drop).times(1), "x...");
}

#[test]
fn a_fault_applies_only_to_its_questions() {
    let zones = zones(vec![
        fault("*.Example.test", Action::ServFail)
            .of_type(RecordType::TXT)
            .times(2),
        fault("example.test", Action::Refused).over(Transport::Tcp),
        fault("case.example.test", Action::Truncate),
    ]);
    let rcode = |question, transport| ask(&zones, question, transport).rcode;
    assert_eq!(
        rcode("mail.example.test A", Transport::Udp),
        ResponseCode::NoError
    );
    assert_eq!(
        rcode("example.test TXT", Transport::Udp),
        ResponseCode::NoError
    );
    for expected in [
        ResponseCode::ServFail,
        ResponseCode::ServFail,
        ResponseCode::NoError,
    ] {
        assert_eq!(rcode("MAIL.example.test TXT", Transport::Udp), expected);
    }
    assert_eq!(
        rcode("example.test MX", Transport::Udp),
        ResponseCode::NoError
    );
    assert_eq!(
        rcode("example.test MX", Transport::Tcp),
        ResponseCode::Refused
    );
    assert_eq!(
        ask(&zones, "case.example.test A", Transport::Udp).fault,
        Some(Action::Truncate)
    );
    assert_eq!(
        ask(&zones, "case.example.test A", Transport::Tcp).fault,
        None
    );
}

#[test]
fn several_faults_follow_each_other() {
    let zones = zones(vec![
        fault("mail.example.test", Action::ServFail).times(1),
        fault("mail.example.test", Action::Drop).times(1),
        fault("*.", Action::Ttl(0)),
    ]);
    let word = |_| {
        ask(&zones, "mail.example.test A", Transport::Udp)
            .fault
            .map_or("", Action::word)
    };
    assert_eq!(
        (0..3).map(word).collect::<Vec<_>>(),
        ["servfail", "drop", "ttl"]
    );
}

#[test]
fn the_octets_of_faults() {
    let octets = |action| {
        let zones = zones(vec![fault("*.", action)]);
        respond(
            &zones,
            &request("mail.example.test", RecordType::A, None),
            Transport::Udp,
        )
        .octets
    };
    let id = |octets: &[u8]| u16::from_be_bytes([octets[0], octets[1]]);
    assert_eq!(id(&octets(Action::WrongId)), 7 ^ 0x5555);
    let other = Message::from_vec(&octets(Action::WrongQuestion)).expect("a message");
    assert_eq!(
        (other.metadata.id, other.queries[0].name().to_ascii()),
        (7, "lail.example.test.".to_owned())
    );
    assert!(Message::from_vec(&octets(Action::Malformed)).is_err());
    let oversized = octets(Action::Oversized(4096));
    assert!((4096..4400).contains(&oversized.len()));
    let oversized = Message::from_vec(&oversized).expect("a message");
    assert!(!oversized.metadata.truncation && oversized.answers.len() == 1);
    let truncated = Message::from_vec(&octets(Action::Truncate)).expect("a message");
    assert!(truncated.metadata.truncation && truncated.answers.is_empty());
    assert_eq!(octets(Action::Drop).len(), 0);
    for ttl in [0, u32::MAX] {
        let message = Message::from_vec(&octets(Action::Ttl(ttl))).expect("a message");
        assert_eq!(message.answers[0].ttl, ttl);
    }
}

#[test]
fn connections() {
    let disposition = |action| {
        let zones = zones(vec![fault("mail.example.test", action)]);
        respond(
            &zones,
            &request("mail.example.test", RecordType::A, None),
            Transport::Tcp,
        )
        .disposition
    };
    assert_eq!(disposition(Action::TcpRefused), Disposition::Reset);
    assert_eq!(disposition(Action::TcpHang), Disposition::Hang);
    let zones = zones(vec![fault("*.", Action::TcpHang).times(1)]);
    let udp = respond(
        &zones,
        &request("mail.example.test", RecordType::A, None),
        Transport::Udp,
    );
    assert_eq!(udp.fault, "");
    assert_eq!(zones.meets_connection(), Some(Action::TcpHang));
    assert_eq!(zones.meets_connection(), None, "once");
}

fn order(fault: Fault) -> Vec<String> {
    let zones = zones(vec![fault]);
    let last = |r: &hickory_proto::rr::Record| {
        r.data.to_string().trim_start_matches("192.0.2.").to_owned()
    };
    (0..5)
        .map(|_| {
            ask(&zones, "many.example.test A", Transport::Udp)
                .answers
                .iter()
                .map(last)
                .collect()
        })
        .collect()
}

#[test]
fn orders() {
    let reorder = |order| fault("*.", Action::Reorder(order));
    assert_eq!(order(reorder(Order::Fixed)), ["4321"; 5]);
    assert_eq!(
        order(reorder(Order::RoundRobin)),
        ["1234", "2341", "3412", "4123", "1234"]
    );
    let single = order(fault("*.", Action::SingleRecord));
    assert_eq!(single, ["1", "2", "3", "4", "1"]);
    let fault = fault("*.", Action::SingleRecord);
    let mx = ask(&zones(vec![fault]), "example.test MX", Transport::Udp);
    assert_eq!((mx.answers.len(), mx.additional.len()), (1, 0));
    let seeded = |seed| order(reorder(Order::Seeded).seeded(seed));
    assert_eq!(seeded(1), seeded(1), "equal seeds give equal answers");
    assert_ne!(seeded(1), seeded(2));
    assert!(
        seeded(1)
            .iter()
            .collect::<std::collections::HashSet<_>>()
            .len()
            > 2
    );
}

#[test]
fn delays() {
    let times = |seed| {
        let (delay, jitter) = (Duration::from_millis(100), Duration::from_millis(50));
        let zones = zones(vec![
            fault("*.", Action::Delay)
                .delayed(delay, jitter)
                .seeded(seed),
        ]);
        (0..20)
            .map(|_| ask(&zones, "mail.example.test A", Transport::Udp).delay)
            .collect::<Vec<_>>()
    };
    assert!(
        times(1)
            .iter()
            .all(|t| (100..=150).contains(&t.as_millis()))
    );
    assert_eq!(times(1), times(1));
    assert_ne!(times(1), times(2));
    let zones = zones(vec![
        fault("*.", Action::ServFail).delayed(Duration::from_secs(1), Duration::ZERO),
    ]);
    let answer = ask(&zones, "mail.example.test A", Transport::Udp);
    assert_eq!(
        (answer.delay.as_secs(), answer.rcode),
        (1, ResponseCode::ServFail),
        "all answers can be delayed"
    );
}

#[test]
fn specifications_read_and_written() {
    for &word in Action::WORDS {
        let spec = FaultSpec {
            name: "*.example.test.".to_owned(),
            action: Some(word.to_owned()),
            record_type: Some("PTR".to_owned()),
            from: Some(2),
            times: Some(1),
            every: Some(3),
            delay: (word == "delay").then(|| Duration::from_secs(1).into()),
            ttl: (word == "ttl").then_some(0),
            length: (word == "cname-chain").then_some(20),
            octets: (word == "oversized").then_some(5000),
            order: (word == "reorder").then(|| "round-robin".to_owned()),
            address: (word == "wrong-answer").then(|| "192.0.2.7".to_owned()),
            ..FaultSpec::default()
        };
        let fault = spec.build().unwrap_or_else(|m| panic!("{word}: {m:?}"));
        assert_eq!(FaultSpec::of(&fault), spec);
        assert_eq!(fault.action().word(), word);
    }
}

fn spec(word: &str) -> FaultSpec {
    FaultSpec {
        name: "a.test".to_owned(),
        action: Some(word.to_owned()),
        ..FaultSpec::default()
    }
}

/// The keys of the mistakes of a specification.
fn keys(spec: FaultSpec) -> Vec<&'static str> {
    let mistakes = spec.build().expect_err("a mistake");
    mistakes.iter().map(|mistake| mistake.key).collect()
}

#[test]
fn mistakes_of_actions() {
    assert_eq!(keys(FaultSpec::default()), ["do", "name"]);
    assert_eq!(keys(spec("explode")), ["do"]);
    assert_eq!(keys(spec("delay")), ["delay"]);
    assert_eq!(
        keys(FaultSpec {
            delay: Some(Duration::ZERO.into()),
            ..spec("drop")
        }),
        ["delay"]
    );
    assert_eq!(keys(spec("ttl")), ["ttl"]);
    assert_eq!(
        keys(FaultSpec {
            ttl: Some(1 << 32),
            ..spec("ttl")
        }),
        ["ttl"]
    );
    assert_eq!(keys(spec("reorder")), ["order"]);
    assert_eq!(
        keys(FaultSpec {
            length: Some(0),
            ..spec("cname-chain")
        }),
        ["length"]
    );
    assert_eq!(
        keys(FaultSpec {
            octets: Some(100),
            ..spec("oversized")
        }),
        ["octets"]
    );
    assert_eq!(
        keys(FaultSpec {
            octets: Some(1000),
            ..spec("servfail")
        }),
        ["octets"]
    );
    assert_eq!(
        keys(FaultSpec {
            address: Some("x".to_owned()),
            ..spec("wrong-answer")
        }),
        ["address"]
    );
}

#[test]
fn mistakes_in_the_selection_of_a_fault() {
    assert_eq!(
        keys(FaultSpec {
            transport: Some("tcp".to_owned()),
            ..spec("truncate")
        }),
        ["transport"]
    );
    assert_eq!(
        keys(FaultSpec {
            transport: Some("quic".to_owned()),
            ..spec("drop")
        }),
        ["transport"]
    );
    assert_eq!(
        keys(FaultSpec {
            record_type: Some("X".to_owned()),
            ..spec("drop")
        }),
        ["type"]
    );
    assert_eq!(
        keys(FaultSpec {
            every: Some(2),
            ..spec("drop")
        }),
        ["every"]
    );
    assert_eq!(
        keys(FaultSpec {
            every: Some(2),
            times: Some(2),
            from: Some(0),
            ..spec("drop")
        }),
        ["from", "every"]
    );
    assert_eq!(
        keys(FaultSpec {
            name: "a..b".to_owned(),
            ..spec("drop")
        }),
        ["name"]
    );
}

#[test]
fn replaced_faults_continue_their_counts() {
    let first = zones(vec![fault("mail.example.test", Action::ServFail).times(2)]);
    ask(&first, "mail.example.test A", Transport::Udp);
    let second =
        first.with_faults([first.faults(), &[Arc::new(fault("*.", Action::Refused))]].concat());
    let rcode = || ask(&second, "mail.example.test A", Transport::Udp).rcode;
    assert_eq!(
        (rcode(), rcode()),
        (ResponseCode::ServFail, ResponseCode::Refused)
    );
    assert_eq!(
        (second.faults()[0].seen(), second.faults()[0].fired()),
        (3, 2)
    );
    assert_eq!(
        second.faults()[0].as_ref().clone().fired(),
        0,
        "a copy has its own counts"
    );
}
