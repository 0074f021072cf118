//! Every remedy that any receiver shows to any client of any scenario works: the test applies it, and the receiver
//! judges again.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use martinet::check::{Attempt, Judgement, judge};
use martinet::dns::{Amendment, Zones};
use martinet::name;
use martinet::policy::{Change, Remedy};
use martinet::scenario::{
    ReceiverProfile, Scenario, list_receivers, list_scenarios, load_scenario, parse_receiver,
    parse_scenario, plain_message,
};

/// The state with a remedy: the zones, the attempt and the receiver.
fn applied(
    remedy: &Remedy,
    rule: &str,
    zones: &Zones,
    attempt: &Attempt,
    profile: &ReceiverProfile,
) -> (Zones, Attempt, ReceiverProfile) {
    let (mut amendments, mut attempt, mut profile) = (Vec::new(), attempt.clone(), profile.clone());
    for change in &remedy.all_of {
        match change {
            Change::AddRecord { name, data } => {
                amendments.push(Amendment::Add(name.clone(), data.clone()));
            }
            Change::ReplaceRecord { name, old, data } => {
                for old in old {
                    amendments.push(Amendment::Remove(name.clone(), old.clone()));
                }
                amendments.push(Amendment::Add(name.clone(), data.clone()));
            }
            Change::Delist { entry, .. } => amendments.push(Amendment::Clear(entry.clone())),
            Change::MendDns(name) => amendments.push(Amendment::RemoveFaults(name.clone())),
            Change::SayHelo(Some(helo)) => attempt.helo.clone_from(helo),
            Change::SendFrom(address) => attempt.client = *address,
            Change::AskReceiver(address) => {
                let path = format!("scenarios/receivers/{}.toml", profile.name);
                let file = fs::read_to_string(&path).expect("a receiver file");
                let allow = format!(
                    "{file}\n[[allow]]\naddresses = [\"{address}\"]\nchecks = [\"{rule}\"]\n"
                );
                profile = parse_receiver(&path, &allow).expect("a receiver");
            }
            other => panic!("{other:?} is not definite, or nothing that a matrix client does"),
        }
    }
    let zones = zones
        .amended(&amendments)
        .expect("records that can be published");
    (zones, attempt, profile)
}

/// Clients of one scenario that one rule of one receiver refuses, and whose remedies are applied.
const ALIKE: usize = 3;

/// Whether a remedy changes the session in a way that an attempt cannot.
fn needs_another_session(remedy: &Remedy) -> bool {
    remedy
        .all_of
        .iter()
        .any(|change| matches!(change, Change::Behave(_)))
}

fn judged(profile: &ReceiverProfile, zones: &Zones, attempt: &Attempt) -> Judgement {
    judge(&profile.receiver, zones, profile.dns_timeout, attempt)
}

#[track_caller]
fn no_foreign_record(remedy: &Remedy, zones: &Zones) {
    for change in &remedy.all_of {
        if let Change::AddRecord { name, .. } | Change::ReplaceRecord { name, .. } = change {
            let text = name::display(name);
            assert!(zones.holds(name), "{remedy}: {text} is in no zone");
            for nobodys in ["localhost", "invalid", "local", "10.in-addr.arpa"] {
                assert!(!text.ends_with(nobodys), "{remedy}");
            }
            let suffix = name::organisational_domain(name).is_none();
            assert!(!suffix, "{remedy}: {text} is a public suffix");
        }
    }
}

#[test]
fn every_remedy_of_the_matrix_is_accepted() {
    let (scenarios, receivers) = (
        list_scenarios().expect("the scenarios"),
        list_receivers().expect("the receivers"),
    );
    let (mut kinds, mut refused, mut only_contact) = (BTreeMap::<_, usize>::new(), 0, 0);
    let mut seen = BTreeMap::new();
    for scenario in &scenarios {
        // Faults count queries: each attempt needs fresh counts. Without faults the zones are the same for all.
        let anew = || scenario.zones([127, 0, 0, 1].into());
        let shared = scenario.faults.is_empty().then(anew);
        for client in scenario.clients() {
            for profile in &receivers {
                let attempt = Attempt::of(scenario, client.address, &client.helo);
                let made = shared.is_none().then(anew);
                let zones = shared.as_ref().or(made.as_ref()).expect("one of both");
                let judgement = judged(profile, zones, &attempt);
                let Some(rule) = judgement.rule else { continue };
                // Hundreds of hosts of a pool are refused by the same rule for the same reason.
                let alike = seen
                    .entry((&scenario.name, &profile.name, rule))
                    .or_insert(0);
                *alike += 1;
                if *alike > ALIKE {
                    continue;
                }
                refused += 1;
                assert!(!judgement.remedies.is_empty());
                only_contact += usize::from(judgement.remedies.len() == 1);
                for remedy in judgement.remedies.iter() {
                    no_foreign_record(remedy, zones);
                    for change in &remedy.all_of {
                        *kinds.entry(change.view().action).or_default() += 1;
                    }
                    if needs_another_session(remedy) {
                        continue;
                    }
                    let made = shared.is_none().then(anew);
                    let before = shared.as_ref().or(made.as_ref()).expect("one of both");
                    let (zones, attempt, profile) =
                        applied(remedy, rule, before, &attempt, profile);
                    let again = judged(&profile, &zones, &attempt);
                    let same = again.rule == Some(rule)
                        && again.stage == judgement.stage
                        && again.why == judgement.why;
                    assert!(
                        !same,
                        "{} {} {} at {}: {} | {remedy} does not cure {rule}: {}",
                        scenario.name,
                        client.address,
                        client.helo,
                        profile.name,
                        judgement.why,
                        again.why
                    );
                }
            }
        }
    }
    println!("{refused} refusals, {only_contact} with nothing but to ask the receiver, {kinds:?}");
    assert!(refused > 500, "{refused}");
    for kind in [
        "add-record",
        "replace-record",
        "say-helo",
        "send-from",
        "mend-dns",
        "ask-receiver",
    ] {
        assert!(kinds.contains_key(kind), "{kind} of {kinds:?}");
    }
}

/// A small world: two zones, one pool, and a receiver with the rules given.
fn world(zones: &str, rules: &str) -> (Scenario, ReceiverProfile) {
    let scenario = format!(
        "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n[[pool]]\nname = \"p\"\naddresses = [\"192.0.2.10\"]\n\
         helo = \"mail.example.test\"\n{zones}"
    );
    (
        parse_scenario("world.toml", &scenario).expect("a scenario"),
        parse_receiver("receiver.toml", &format!("title = \"t\"\n{rules}")).expect("a receiver"),
    )
}

fn remedies(zones: &str, rules: &str, client: &str, helo: &str) -> Vec<String> {
    let (scenario, profile) = world(zones, rules);
    let attempt = Attempt {
        client: client.parse().expect("an address"),
        helo: helo.to_owned(),
        verb: "EHLO".to_owned(),
        sender: "info@example.test".to_owned(),
        recipient: scenario.recipient(),
        message: plain_message("info@example.test"),
        recipients: std::sync::Arc::default(),
        conduct: martinet::smtp::client::ClientConduct::default(),
        sent: std::sync::Arc::default(),
    };
    let judgement = judged(&profile, &scenario.zones([127, 0, 0, 1].into()), &attempt);
    assert!(judgement.rule.is_some(), "{judgement:?}");
    judgement.remedies.iter().map(ToString::to_string).collect()
}

const REVERSE: &str = "[[zone]]\norigin = \"2.0.192.in-addr.arpa.\"\ntext = \"\"\"\n";
const EXAMPLE: &str = "[[zone]]\norigin = \"example.test.\"\ntext = \"\"\"\n";
const ASK: &str = "ask the receiver to allow 192.0.2.10 past this rule";

fn zones(reverse: &str, example: &str) -> String {
    format!("{REVERSE}{reverse}\n\"\"\"\n{EXAMPLE}{example}\n\"\"\"\n")
}

#[test]
fn changes_that_belong_together_are_one_remedy() {
    let zones = zones("99 PTR a.example.test.", "a A 192.0.2.99");
    assert_eq!(
        remedies(
            &zones,
            "[[rule]]\ncheck = \"iprev\"\nstage = \"helo\"",
            "192.0.2.10",
            "mail.example.test"
        ),
        [
            "add this PTR record: 10.2.0.192.in-addr.arpa. PTR mail.example.test.; and add this A record: \
             mail.example.test. A 192.0.2.10",
            ASK
        ]
    );
}

#[test]
fn existing_records_are_not_added() {
    let zones = zones("99 PTR a.example.test.", "mail A 192.0.2.10");
    assert_eq!(
        remedies(
            &zones,
            "[[rule]]\ncheck = \"iprev\"",
            "192.0.2.10",
            "mail.example.test"
        ),
        [
            "add this PTR record: 10.2.0.192.in-addr.arpa. PTR mail.example.test.",
            ASK
        ]
    );
}

#[test]
fn a_record_is_added_at_the_target_of_a_cname() {
    let zones = zones(
        "10 CNAME 10.0-31.2.0.192.in-addr.arpa.\n9.0-31 PTR x.example.test.",
        "mail A 192.0.2.10",
    );
    assert_eq!(
        remedies(
            &zones,
            "[[rule]]\ncheck = \"ptr-exists\"",
            "192.0.2.10",
            "mail.example.test"
        ),
        [
            "add this PTR record: 10.0-31.2.0.192.in-addr.arpa. PTR mail.example.test.",
            ASK
        ]
    );
}

#[test]
fn remedies_publish_only_names_of_the_client() {
    let zones = zones("99 PTR a.example.test.", "out A 192.0.2.10");
    for helo in [
        "localhost",
        "mail.gmail.com",
        "localhost.localdomain",
        "co.uk",
    ] {
        for rule in [
            "iprev",
            "helo-ptr-match",
            "helo-ip-match",
            "helo-resolves",
            "helo-verify",
        ] {
            let rule = format!("[[rule]]\ncheck = \"{rule}\"\nstage = \"helo\"");
            for remedy in remedies(&zones, &rule, "192.0.2.10", helo) {
                let foreign = ["localhost", "gmail", "co.uk"]
                    .iter()
                    .any(|name| remedy.contains(name));
                assert!(!foreign, "{helo}: {remedy}");
            }
        }
    }
}

#[test]
fn another_address_has_to_pass_too() {
    // The target of the name, 192.0.2.9, has no PTR record either.
    let zones = zones("99 PTR a.example.test.", "mail A 192.0.2.9");
    let all = remedies(
        &zones,
        "[[rule]]\ncheck = \"iprev\"\nstage = \"helo\"",
        "192.0.2.10",
        "mail.example.test",
    );
    assert!(
        !all.iter().any(|remedy| remedy.contains("send from")),
        "{all:?}"
    );
    // A private address is not a solution.
    let zones = format!(
        "{}[[zone]]\norigin = \"10.in-addr.arpa.\"\ntext = \"\"\"\n9.0.0 PTR mail.example.test.\n\"\"\"\n",
        self::zones("10 PTR mail.example.test.", "mail A 10.0.0.9")
    );
    let all = remedies(
        &zones,
        "[[rule]]\ncheck = \"iprev\"",
        "192.0.2.10",
        "mail.example.test",
    );
    assert!(
        !all.iter().any(|remedy| remedy.contains("10.0.0.9")),
        "{all:?}"
    );
    let all = remedies(
        &zones,
        "[[rule]]\ncheck = \"ptr-exists\"",
        "10.0.0.77",
        "mail.example.test",
    );
    assert_eq!(all, ["ask the receiver to allow 10.0.0.77 past this rule"]);
}

#[test]
fn an_spf_record_that_authorizes_is_written_out() {
    let zones = zones(
        "",
        "@ TXT \"v=spf1 include:none.example.test -all\"\nnone TXT \"v=spf1 -all\"",
    );
    assert_eq!(
        remedies(
            &zones,
            "[[rule]]\ncheck = \"sender-spf\"",
            "192.0.2.10",
            "mail.example.test"
        ),
        [
            "replace the TXT record of example.test (\"v=spf1 include:none.example.test -all\"): example.test. TXT \
             \"v=spf1 ip4:192.0.2.10 include:none.example.test -all\"",
            ASK
        ]
    );
}

#[test]
fn a_single_ptr_name_replaces_the_existing_ones() {
    let zones = zones(
        "10 PTR a.example.test.",
        "mail A 192.0.2.10\na A 192.0.2.11",
    );
    let rule = "[iprev]\nptr_names = 1\n[[rule]]\ncheck = \"iprev\"";
    let all = remedies(&zones, rule, "192.0.2.10", "mail.example.test");
    assert!(
        all.iter()
            .any(|r| r == "add this A record: a.example.test. A 192.0.2.10"),
        "{all:?}"
    );
}

#[test]
fn a_block_list_entry_of_a_wildcard_is_removed_too() {
    let zones = format!(
        "{}[[zone]]\norigin = \"bl.example.test.\"\ntext = \"\"\"\n*.2.0.192 A 127.0.0.2\n\"\"\"\n",
        zones("", "mail A 192.0.2.10")
    );
    assert_eq!(
        remedies(
            &zones,
            "[[rule]]\ncheck = \"dnsbl\"\nzones = [\"bl.example.test\"]",
            "192.0.2.10",
            "mail.example.test"
        ),
        ["have 192.0.2.10 removed from bl.example.test", ASK]
    );
}

/// Remedies can be read any number of times, without changing the counts of faults.
#[test]
fn verifying_a_remedy_does_not_count_for_faults() {
    let scenario = load_scenario("flapping").expect("a scenario");
    let zones = scenario.zones([127, 0, 0, 1].into());
    let client = scenario.clients().remove(0);
    let attempt = Attempt {
        client: client.address,
        helo: client.helo,
        verb: "EHLO".to_owned(),
        sender: scenario.sender.clone(),
        recipient: scenario.recipient(),
        message: plain_message(&scenario.sender),
        recipients: std::sync::Arc::default(),
        conduct: martinet::smtp::client::ClientConduct::default(),
        sent: std::sync::Arc::default(),
    };
    let profile = Arc::new(martinet::scenario::load_receiver("fcrdns").expect("a receiver"));
    let judgement = judged(&profile, &zones, &attempt);
    let seen = || {
        zones
            .faults()
            .iter()
            .map(|fault| fault.seen())
            .collect::<Vec<_>>()
    };
    let before = seen();
    assert_eq!(judgement.verdict, martinet::verdict::Verdict::Defer);
    assert!(judgement.remedies.len() > 1, "{:?}", judgement.remedies);
    assert_eq!(seen(), before);
}

/// The faults of a header belong together: one remedy names all of them, it is verified with the message, and a client
/// that follows it is accepted.
#[test]
fn one_remedy_fixes_every_fault_of_a_header() {
    let zones = zones("10 PTR mail.example.test.", "mail A 192.0.2.10");
    let (scenario, profile) = world(&zones, "[[rule]]\ncheck = \"message-format\"");
    let judged_with = |header: &str| {
        let attempt = Attempt {
            client: [192, 0, 2, 10].into(),
            helo: "mail.example.test".to_owned(),
            verb: "EHLO".to_owned(),
            sender: "info@example.test".to_owned(),
            recipient: scenario.recipient(),
            message: format!("{header}\r\nx\r\n").into_bytes(),
            recipients: std::sync::Arc::default(),
            conduct: martinet::smtp::client::ClientConduct::default(),
            sent: std::sync::Arc::default(),
        };
        judged(&profile, &scenario.zones([127, 0, 0, 1].into()), &attempt)
    };
    let broken = judged_with(
        "From: a@example.test, b@example.test\r\nDate: soon\r\nTo: <>\r\nTo: c@contoso.test\r\n",
    );
    let texts: Vec<_> = broken.remedies.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "write the Date header field as RFC 5322 §3.6 defines it; and send one To header field instead of \
             several; and leave one address in the From header field",
            ASK
        ],
        "{}",
        broken.why
    );
    let mended = judged_with(
        "From: a@example.test\r\nDate: Thu, 26 Nov 2026 03:00:00 +0000\r\nTo: c@contoso.test\r\n",
    );
    assert_eq!(mended.verdict, martinet::verdict::Verdict::Accept);
}
