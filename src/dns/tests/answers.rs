//! True answers, by RFC.

use super::*;

#[track_caller]
fn check(question: &str, expected: &str) {
    assert_eq!(
        summary(&ask(&zones(Vec::new()), question, Transport::Udp)),
        expected,
        "{question}"
    );
}

#[test]
fn rfc1034_answers() {
    check("mail.example.test A", "NoError aa A 192.0.2.10 |");
    check("MAIL.Example.Test AAAA", "NoError aa AAAA 2001:db8::10 |");
    check("case.example.test A", "NoError aa A 192.0.2.13 |");
    check("example.test MX", "NoError aa MX 10 mail.example.test. |");
    check(
        "alias.example.test A",
        "NoError aa CNAME mail.example.test. A 192.0.2.10 |",
    );
    check(
        "far.example.test A",
        "NoError aa CNAME host.other.test. A 192.0.2.99 |",
    );
    check(
        "lost.example.test A",
        "NoError aa CNAME nowhere.elsewhere.test. |",
    );
    check(
        "alias.example.test CNAME",
        "NoError aa CNAME mail.example.test. |",
    );
    check("www.unknown.test A", "Refused |");
    check("sub.example.test A", "NoError | NS");
    check("deep.sub.example.test A", "NoError | NS");
    check(
        "down.example.test A",
        "NoError aa CNAME www.sub.example.test. | NS",
    );
}

#[test]
fn rfc4035_the_parent_answers_for_ds() {
    let ds =
        "NoError aa DS 1 8 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF |";
    let answer = ask(&zones(Vec::new()), "sub.example.test DS", Transport::Udp);
    assert_eq!(
        (answer.answers.len(), answer.authoritative),
        (1, true),
        "{}",
        summary(&answer)
    );
    assert!(summary(&answer).len() <= ds.len() + 20);
    check("deep.sub.example.test DS", "NoError | NS");
}

#[test]
fn rfc2308_negative_answers() {
    check("nobody.example.test A", "NXDomain aa | SOA");
    check("mail.example.test MX", "NoError aa | SOA");
    check("ent.example.test A", "NoError aa | SOA");
    check(
        "alias.example.test MX",
        "NoError aa CNAME mail.example.test. | SOA",
    );
    let answer = ask(&zones(Vec::new()), "nobody.example.test A", Transport::Udp);
    assert_eq!(
        answer.authority[0].ttl, 60,
        "the lesser of the SOA's TTL and its minimum"
    );
}

/// RFC 8020: names below a name that does not exist do not exist, and a name with names below it exists.
#[test]
fn rfc8020_nothing_below_what_does_not_exist() {
    check("x.nobody.example.test A", "NXDomain aa | SOA");
    check("b.ent.example.test A", "NXDomain aa | SOA");
    check("ent.example.test TXT", "NoError aa | SOA");
    check("_tcp.example.test SRV", "NoError aa | SOA");
}

#[test]
fn rfc4592_wildcards() {
    check("x.wild.example.test TXT", "NoError aa TXT wild |");
    check("x.y.wild.example.test TXT", "NoError aa TXT wild |");
    check("x.wild.example.test A", "NoError aa | SOA");
    check("host.wild.example.test TXT", "NoError aa | SOA");
    check("x.host.wild.example.test TXT", "NXDomain aa | SOA");
    check("wild.example.test TXT", "NoError aa | SOA");
    check("*.wild.example.test TXT", "NoError aa TXT wild |");
    let answer = ask(
        &zones(Vec::new()),
        "X.wild.example.test TXT",
        Transport::Udp,
    );
    assert_eq!(
        answer.answers[0].name.to_ascii(),
        "X.wild.example.test.",
        "the owner is the name asked for"
    );
}

#[test]
fn rfc8482_any() {
    check("mail.example.test ANY", "NoError aa HINFO RFC8482  |");
    check("x.wild.example.test ANY", "NoError aa HINFO RFC8482  |");
    check("ent.example.test ANY", "NoError aa | SOA");
    check("nobody.example.test ANY", "NXDomain aa | SOA");
    check("sub.example.test ANY", "NoError | NS");
}

#[test]
fn rfc6672_dname() {
    let answer = ask(
        &zones(Vec::new()),
        "host.tree.example.test A",
        Transport::Udp,
    );
    let owners: Vec<_> = answer
        .answers
        .iter()
        .map(|r| format!("{} {:?}", r.name, u16::from(r.record_type())))
        .collect();
    assert_eq!(
        owners,
        [
            "tree.example.test. 39",
            "host.tree.example.test. 5",
            "host.other.test. 1"
        ]
    );
    assert_eq!(
        ask(&zones(Vec::new()), "tree.example.test A", Transport::Udp)
            .answers
            .len(),
        0,
        "not for itself"
    );
    let long = format!(
        "{0}.{0}.{0}.{1}.tree.example.test",
        "x".repeat(60),
        "y".repeat(40)
    );
    let zones = Zones::new(
        vec![zone(
            "example.test",
            &format!("tree DNAME {}", "z".repeat(60)),
        )],
        Vec::new(),
    );
    let answer = zones.answer(&name(&long), RecordType::A, Transport::Udp);
    assert_eq!(answer.rcode, hickory_proto::op::ResponseCode::YXDomain);
}

#[track_caller]
fn check_in(text: &str, question: &str, expected: &str) {
    let zones = Zones::new(vec![zone("test", text)], Vec::new());
    // hickory-proto has no type for the data of a DNAME.
    let found = summary(&ask(&zones, question, Transport::Udp)).replace("AWIEdGVzdAA=", "b.test.");
    assert_eq!(found, expected, "{question}");
}

/// RFC 6672 §3.2: the CNAME synthesised from a DNAME answers a question for CNAME itself. A question for ANY follows
/// it, as in NSD and Knot.
#[test]
fn a_cname_question_below_a_dname_stops_at_the_cname() {
    let text = "a DNAME b\nx.b CNAME y.a\ny.b A 192.0.2.1\nw A 192.0.2.2";
    check_in(
        text,
        "x.a.test CNAME",
        "NoError aa DNAME b.test. CNAME x.b.test. |",
    );
    check_in(
        text,
        "y.a.test ANY",
        "NoError aa DNAME b.test. CNAME y.b.test. HINFO RFC8482  |",
    );
    check_in(
        text,
        "y.a.test A",
        "NoError aa DNAME b.test. CNAME y.b.test. A 192.0.2.1 |",
    );
}

/// Each DNAME occurs once, even if a name passes it several times (RFC 2181 §5).
#[test]
fn the_same_dname_is_added_once() {
    let text = "a DNAME b\nx.b CNAME y.A\ny.b A 192.0.2.1\nl DNAME l.l";
    check_in(
        text,
        "x.a.test A",
        "NoError aa DNAME b.test. CNAME x.b.test. CNAME y.A.test. CNAME y.b.test. A 192.0.2.1 |",
    );
    let zones = Zones::new(vec![zone("test", text)], Vec::new());
    let answer = ask(&zones, "x.l.test A", Transport::Udp);
    let dnames = answer
        .answers
        .iter()
        .filter(|r| u16::from(r.record_type()) == 39);
    assert_eq!((dnames.count(), answer.answers.len()), (1, 17));
    // A question for the DNAME itself, which it leads to.
    let zones = Zones::new(vec![zone("test", "a.b DNAME b")], Vec::new());
    let answer = zones.answer(&name("a.a.b.test"), 39.into(), Transport::Udp);
    let kinds: Vec<_> = (answer.answers.iter())
        .map(|r| u16::from(r.record_type()))
        .collect();
    assert_eq!(kinds, [39, 5]);
}

/// Each CNAME occurs once: a record set has no duplicates (RFC 2181 §5).
#[test]
fn a_cname_loop_ends() {
    let links = |question| {
        ask(&zones(Vec::new()), question, Transport::Udp)
            .answers
            .len()
    };
    assert_eq!(links("loop.example.test A"), 2);
    assert_eq!(links("b.self.example.test A"), 2);
    assert_eq!(links("x.self.example.test A"), 1);
}

#[test]
fn rfc2181_one_ttl_a_set_and_no_duplicates() {
    let text =
        "a 300 A 192.0.2.1\na 60 A 192.0.2.2\na 900 A 192.0.2.1\nA.Example.TEST. 300 A 192.0.2.2";
    let zones = Zones::new(vec![zone("example.test", text)], Vec::new());
    let answer = ask(&zones, "a.example.test A", Transport::Udp);
    assert_eq!(
        answer.answers.iter().map(|r| r.ttl).collect::<Vec<_>>(),
        [60, 60]
    );
}

#[test]
fn referrals_mx_and_srv_bring_addresses() {
    let additional = |question| {
        ask(&zones(Vec::new()), question, Transport::Udp)
            .additional
            .len()
    };
    assert_eq!(additional("sub.example.test A"), 1);
    assert_eq!(additional("example.test MX"), 2);
    assert_eq!(additional("_s._tcp.example.test SRV"), 2);
}

#[track_caller]
fn outside(outside: Outside, question: &str, expected: &str) {
    let zones = zones(Vec::new()).with_settings(Settings {
        outside: Some(outside),
        ..Settings::default()
    });
    assert_eq!(
        summary(&ask(&zones, question, Transport::Udp)),
        expected,
        "{outside:?} {question}"
    );
}

#[test]
fn names_outside_the_zones() {
    outside(Outside::Refused, "www.unknown.test A", "Refused |");
    outside(Outside::ServFail, "www.unknown.test A", "ServFail |");
    outside(Outside::NxDomain, "www.unknown.test A", "NXDomain aa | SOA");
    // RFC 8020: a resolver with the answer that test. does not exist would never query example.test.
    outside(Outside::NxDomain, "test A", "NoError aa | SOA");
    outside(Outside::NxDomain, ". A", "NoError aa | SOA");
    outside(Outside::NxDomain, "com A", "NXDomain aa | SOA");
    // The parent answers for DS (RFC 4035 §3.1.4.1): here the root, which delegates without a signature.
    let zones = zones(Vec::new()).with_settings(Settings {
        outside: Some(Outside::NxDomain),
        ..Settings::default()
    });
    let ds = ask(&zones, "example.test DS", Transport::Udp);
    assert_eq!(summary(&ds), "NoError aa | SOA");
    assert_eq!(ds.authority[0].name.to_ascii(), ".");
    let below = ask(&zones, "mail.example.test DS", Transport::Udp);
    assert_eq!(below.authority[0].name.to_ascii(), "example.test.");
    outside(
        Outside::NxDomain,
        "lost.example.test A",
        "NXDomain aa CNAME nowhere.elsewhere.test. | SOA",
    );
    outside(
        Outside::NxDomain,
        "mail.example.test A",
        "NoError aa A 192.0.2.10 |",
    );
}

#[test]
fn a_zone_is_printed_and_read_back() {
    let one = zone("example.test", ZONE);
    let text = one.to_master();
    let two = zone("example.test", &text);
    assert_eq!(two.to_master(), text);
    assert_eq!(one.records(), two.records());
    assert!(
        text.contains("\nexample.test. 60 IN SOA ns.martinet.test. hostmaster.martinet.test. 1 3600 600 86400 60\n")
    );
    assert!(
        text.contains("mail.example.test. 300 IN TXT \"v=spf1 -all\"\n"),
        "{text}"
    );
}
