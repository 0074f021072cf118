//! Compares whole pictures of the examples. After `MARTINET_BLESS=1 cargo test picture`, which redraws them, look at
//! each of them.

use std::path::Path;

use super::*;
use crate::check::{Attempt, judge};
use crate::scenario::{self, ReceiverProfile, Scenario};

const OFFICE: &str = "na01-bn1-obe.outbound.protection.outlook.com";

/// Judges a client of a scenario, and composes the picture.
fn picture(scenario: &str, receiver: &str, client: &str, helo: &str) -> Picture {
    let scenario = scenario::load_scenario(scenario).expect("a scenario");
    let profile = scenario::load_receiver(receiver).expect("a receiver");
    of(&scenario, &profile, client, helo)
}

fn of(scenario: &Scenario, profile: &ReceiverProfile, client: &str, helo: &str) -> Picture {
    let client = client.parse().expect("an address");
    let attempt = Attempt::of(scenario, client, helo);
    let zones = scenario.zones(std::net::Ipv4Addr::LOCALHOST.into());
    let judgement = judge(&profile.receiver, &zones, profile.dns_timeout, &attempt);
    Picture::of(&Case::from(&judgement))
}

/// The strip in words, a line for each edge: the text alternative of the SVG.
fn in_words(picture: &Picture) -> String {
    let lines = picture.lanes.iter().flat_map(lanes::Lane::sentences);
    lines.map(|line| line + "\n").collect()
}

/// Compares with the file of this name in docs/pictures.
#[track_caller]
fn check(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/pictures")
        .join(file);
    if std::env::var_os("MARTINET_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, found).expect("it is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == found,
        "{} is stale: MARTINET_BLESS=1 redraws it",
        path.display()
    );
}

#[test]
fn the_example_cases_are_drawn_as_approved() {
    let branded = "mail.branded.test";
    let message_of_2016 = "NAM02-BL2-obe.outbound.protection.outlook.com";
    let cases = [
        (
            "one-to-one",
            "one-to-one",
            "helo-equals-ptr",
            "192.0.2.10",
            "mail.example.test",
        ),
        (
            "office365-helo-equals-ptr",
            "office365",
            "helo-equals-ptr",
            "207.46.163.150",
            OFFICE,
        ),
        (
            "office365-fcrdns",
            "office365",
            "fcrdns",
            "207.46.163.150",
            OFFICE,
        ),
        (
            "office365-2016",
            "office365",
            "helo-resolves-to-client",
            "104.47.38.131",
            message_of_2016,
        ),
        (
            "office365-other-address",
            "office365",
            "helo-resolves-to-client",
            "157.56.110.65",
            OFFICE,
        ),
        (
            "exchange2003",
            "exchange2003-branding",
            "helo-equals-ptr",
            "203.0.113.11",
            branded,
        ),
        // GMX verifies DMARC.
        #[cfg(feature = "dkim")]
        ("no-ptr", "no-ptr", "gmx", "192.0.2.10", "mail.example.test"),
        (
            "forward-elsewhere",
            "forward-elsewhere",
            "fcrdns",
            "192.0.2.10",
            "mail.example.test",
        ),
    ];
    for (file, scenario, receiver, client, helo) in cases {
        let picture = picture(scenario, receiver, client, helo);
        check(&format!("{file}.svg"), &picture.svg());
        check(
            &format!("{file}.txt"),
            &format!("{}\n\n{}", picture.sentence, in_words(&picture)),
        );
    }
}

#[test]
fn a_hostile_name_is_text_in_every_form() {
    let helo = "<script>alert(1)</script>&\"'.test";
    let picture = picture("one-to-one", "helo-strict", "192.0.2.10", helo);
    for document in [picture.svg(), picture.html()] {
        assert!(!document.contains("<script"), "{document}");
        assert!(document.contains("&lt;script&gt;"), "{document}");
    }
}

#[test]
fn spf_shows_lookups_and_void_lookups_so_far() {
    let scenario = r#"
title  = "t"
sender = "a@example.test"
[[domain]]
name = "contoso.test"
[[zone]]
origin = "example.test."
text = '''
@     TXT  "v=spf1 include:list.example.test a:none.example.test exists:%{i}.example.test redirect=last.example.test"
list  TXT  "v=spf1 mx ~all"
list  MX   10 host
host  A    192.0.2.99
last  TXT  "v=spf1 a ip4:192.0.2.10 -all"
last  A    192.0.2.98
'''
"#;
    let receiver = "title = \"t\"\n[[rule]]\ncheck = \"sender-spf\"\nfail = \"550 5.7.23 no\"\n";
    let scenario = scenario::parse_scenario("s.toml", scenario).expect("a scenario");
    let profile = scenario::parse_receiver("r.toml", receiver).expect("a receiver");
    let page = of(&scenario, &profile, "192.0.2.10", "mail.example.test").html();
    for (term, lookups, void) in [
        ("mx", 2, 0),
        ("include:list.example.test", 2, 0),
        ("a:none.example.test", 3, 1),
        ("exists:%{i}.example.test", 4, 2),
        ("a", 6, 2),
        ("redirect=last.example.test", 6, 2),
    ] {
        let counted = format!(
            "<code>{term}</code> <small>({lookups} of 10 lookups, {void} of 2 void lookups)</small>"
        );
        assert!(page.contains(&counted), "{counted}\n{page}");
    }
    // Neither term makes a lookup, and the evaluation ends before the second one.
    for term in ["ip4:192.0.2.10", "-all"] {
        let bare = format!("<code>{term}</code></li>");
        assert!(page.contains(&bare), "{bare}\n{page}");
    }
}
