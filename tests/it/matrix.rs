//! The matrix of DNS scenarios and implementations, row by row and column by column: how each implementation judges a
//! client, according to its source. A cell with `?` is inferred, not read in the source; one with `~` depends on the
//! order of the resolver's answer, which here is the order of the zone.

use std::time::Duration;

use martinet::check::{Attempt, Judgement, judge};
use martinet::scenario::{
    ReceiverProfile, load_receiver, load_scenario, parse_receiver, plain_message,
};
use martinet::verdict::Verdict;

/// A column: its name, its receiver, and the terms of its judgement.
struct Column {
    name: &'static str,
    receiver: ReceiverProfile,
    word: fn(&Judgement) -> String,
}

fn columns() -> Vec<Column> {
    let real = |name, profile: &str, word| Column {
        name,
        receiver: load_receiver(profile).expect("a profile"),
        word,
    };
    let postfix = |name, check: &str| {
        let text = format!(
            "title = \"t\"\n[iprev]\nptr_names = 1\nforward_family = \"client\"\n[[rule]]\ncheck = \"{check}\"\n\
             stage = \"rcpt\"\nfail = \"550 no\"\nerror = \"450 later\""
        );
        Column {
            name,
            receiver: parse_receiver("column.toml", &text).expect("a receiver"),
            word: by_code,
        }
    };
    let rfc8601 = "title = \"t\"\nrecord = [\"iprev\"]\n[iprev]\nptr_names = \"all\"\nforward_family = \"client\"";
    vec![
        postfix(
            "Postfix reject_unknown_reverse_client_hostname",
            "ptr-exists",
        ),
        postfix("Postfix reject_unknown_client_hostname", "iprev"),
        real(
            "Exim verify = reverse_host_lookup",
            "exim-reverse-host-lookup",
            by_code,
        ),
        real("Sendmail require_rdns", "sendmail-rdns", sendmail),
        real("OpenSMTPD fcrdns", "opensmtpd-fcrdns", opensmtpd),
        real("Haraka fcrdns", "haraka-all", haraka),
        real("mail-auth iprev (Stalwart)", "stalwart-strict", iprev),
        Column {
            name: "RFC 8601 iprev",
            receiver: parse_receiver("column.toml", rfc8601).expect("a receiver"),
            word: iprev,
        },
    ]
}

fn by_code(judgement: &Judgement) -> String {
    match judgement.reply.code().class() {
        2 => "ok",
        4 => "defer",
        _ => "fail",
    }
    .to_owned()
}

fn sendmail(judgement: &Judgement) -> String {
    let text = judgement.reply.to_string();
    let words = [
        ("Fix reverse DNS", "FAIL"),
        ("forged", "FORGED"),
        ("does not resolve", "TEMP"),
    ];
    words
        .into_iter()
        .find(|(part, _)| text.contains(part))
        .map_or("ok", |(_, word)| word)
        .to_owned()
}

/// 1 for a match, 0 for none, -1 if DNS failed, as in its filters.
fn opensmtpd(judgement: &Judgement) -> String {
    let iprev = judgement.facts.iprev().expect("looked up");
    match (
        judgement.verdict,
        serde_json::to_value(iprev.result).expect("a word").as_str(),
    ) {
        (Verdict::Accept, _) => "1",
        (_, Some("temperror")) => "-1",
        _ => "0",
    }
    .to_owned()
}

fn haraka(judgement: &Judgement) -> String {
    let text = judgement.reply.to_string();
    let words = [
        ("no rDNS", "no_rdns"),
        ("lookup error", "DENYSOFT"),
        ("invalid TLD", "invalid_tld"),
        ("no FCrDNS", "no_fcrdns"),
    ];
    words
        .into_iter()
        .find(|(part, _)| text.contains(part))
        .map_or("pass", |(_, word)| word)
        .to_owned()
}

fn iprev(judgement: &Judgement) -> String {
    let result = judgement.facts.iprev().expect("looked up").result;
    serde_json::to_value(result)
        .expect("a word")
        .as_str()
        .expect("a word")
        .to_owned()
}

/// Each row: its number, the scenario, and the eight cells.
/// Row 13 of Postfix and Exim follows the differential test: Exim 4.96 accepts such a name.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "1",
        "no-ptr",
        "fail fail fail FAIL 0 no_rdns permerror permerror",
    ),
    (
        "2",
        "ptr-nodata",
        "fail fail fail FAIL 0 no_rdns? permerror permerror",
    ),
    (
        "3 SERVFAIL",
        "ptr-servfail",
        "defer defer defer TEMP -1 DENYSOFT temperror temperror",
    ),
    (
        "3 timeout",
        "ptr-timeout",
        "defer defer defer TEMP -1 DENYSOFT temperror temperror",
    ),
    ("4", "one-to-one", "ok ok ok ok 1 pass pass pass"),
    (
        "5",
        "forward-elsewhere",
        "ok fail fail FORGED 0 no_fcrdns fail fail",
    ),
    (
        "6",
        "forward-nxdomain",
        "ok fail fail FORGED? 0 no_fcrdns permerror fail",
    ),
    (
        "7",
        "forward-servfail",
        "ok defer defer FORGED? -1 no_fcrdns temperror temperror",
    ),
    (
        "8",
        "mixed-family",
        "ok fail fail FORGED? 0 no_fcrdns permerror fail",
    ),
    ("9", "two-ptrs", "ok fail~ ok FORGED~ 0~ pass pass pass"),
    (
        "10",
        "three-ptrs-third-good",
        "ok fail~ ok FORGED~ 0~ pass fail pass",
    ),
    (
        "11",
        "good-and-servfail",
        "ok ok~ defer ok~ 1~ pass pass pass",
    ),
    (
        "12",
        "mismatch-and-nxdomain",
        "ok fail fail FORGED? 0 no_fcrdns permerror fail",
    ),
    ("13", "ptr-underscore", "ok ok ok ok? 1? pass? pass? pass?"),
    (
        "14",
        "ptr-numeric",
        "fail? fail? fail? FAIL 0? invalid_tld? permerror? fail?",
    ),
    ("15", "rfc2317", "ok? ok? ok? ok? 1? pass? pass? pass?"),
    (
        "16",
        "ptr-root",
        "fail? fail? fail? FAIL? 0? no_rdns? permerror? permerror?",
    ),
    (
        "17",
        "one-to-one as ::ffff:192.0.2.10",
        "ok? ok? ok? ok? 1? pass? pass? pass?",
    ),
];

#[test]
fn every_cell() {
    let columns = columns();
    let (mut inferred, mut wrong) = (0, Vec::new());
    for (number, row, cells) in ROWS {
        let (scenario, client) = row.split_once(" as ").unwrap_or((row, "192.0.2.10"));
        let cells: Vec<_> = cells.split(' ').collect();
        assert_eq!(cells.len(), columns.len(), "row {number}");
        for (column, cell) in columns.iter().zip(cells) {
            let expected = cell.trim_end_matches(['?', '~']);
            inferred += usize::from(expected != cell);
            let got = (column.word)(&judged(scenario, client, &column.receiver));
            if got != expected {
                wrong.push(format!(
                    "row {number} ({scenario}), {}: expected {cell}, found {got}",
                    column.name
                ));
            }
        }
    }
    println!(
        "{} cells, of which {inferred} are inferred or depend on the resolver",
        ROWS.len() * columns.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judged(scenario: &str, client: &str, receiver: &ReceiverProfile) -> Judgement {
    let scenario = load_scenario(scenario).expect("a scenario");
    let attempt = Attempt {
        client: client.parse().expect("an address"),
        helo: "mail.example.test".to_owned(),
        verb: "EHLO".to_owned(),
        sender: scenario.sender.clone(),
        recipient: scenario.recipient(),
        message: plain_message(&scenario.sender),
        recipients: std::sync::Arc::default(),
        conduct: martinet::smtp::client::ClientConduct::default(),
        sent: scenario.sent.as_slice().into(),
    };
    judge(
        &receiver.receiver,
        &scenario.zones([127, 0, 0, 1].into()),
        Duration::from_secs(5),
        &attempt,
    )
}
