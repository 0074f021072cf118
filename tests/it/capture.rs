//! `martinet capture` and `check --resolver`: the resolver is martinet itself, on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use martinet::World;
use martinet::capture::{Capture, Captured};
use martinet::check::{Attempt, judge};
use martinet::dns::Outside;
use martinet::scenario::{self, ReceiverProfile, Scenario};

/// The judgement of a receiver: verdict, stage, rule, code.
type Decision = (String, String, Option<&'static str>, u16);

fn decisions(
    scenario: &Scenario,
    profiles: &[ReceiverProfile],
    client: IpAddr,
    helo: &str,
    sender: &str,
) -> Vec<Decision> {
    let attempt = Attempt::of(scenario, client, helo).from_sender(sender.to_owned());
    let one = |profile: &ReceiverProfile| {
        let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
        let judgement = judge(&profile.receiver, &zones, profile.dns_timeout, &attempt);
        (
            format!("{} {:?}", profile.name, judgement.verdict),
            judgement.stage.to_string(),
            judgement.rule,
            judgement.reply.code().get(),
        )
    };
    profiles.iter().map(one).collect()
}

/// A world that serves a scenario as the whole of DNS.
pub(crate) async fn served(name: &str) -> (World, Scenario) {
    let mut scenario = scenario::load_scenario(name).expect("a scenario");
    scenario.dns.outside = Some(Outside::NxDomain);
    let world = World::builder()
        .with_scenario(scenario.clone())
        .start()
        .await
        .expect("a world");
    (world, scenario)
}

pub(crate) async fn captured(
    resolver: SocketAddr,
    client: IpAddr,
    helo: &str,
    sender: &str,
) -> Captured {
    let capture = Capture {
        client,
        helo: helo.to_owned(),
        sender: sender.to_owned(),
        selectors: vec!["brisbane".to_owned()],
        lists: true,
        resolver,
        timeout: Duration::from_millis(1500),
    };
    let profiles = scenario::list_receivers().expect("receivers");
    let captured = tokio::task::spawn_blocking(move || capture.run(&profiles));
    captured.await.expect("no panic")
}

/// Scenarios with every kind of DNS data that receivers look up.
pub(crate) const ROUND_TRIPS: &[&str] = &[
    "one-to-one",
    "no-ptr",
    "office365",
    "forward-nxdomain",
    "forward-nodata",
    "forward-servfail",
    "ptr-servfail",
    "ptr-nodata",
    "rfc2317",
    "two-ptrs",
    "ipv6-good",
    "ipv6-no-ptr",
    "dnsbl-listed",
    "sender-domain",
    "mixed-family",
    "generic-ptr",
];

/// Captures the first client of a scenario that martinet serves, through a resolver: every receiver must give it the
/// same verdict.
pub(crate) async fn round_trip(
    profiles: &[ReceiverProfile],
    name: &str,
    original: &Scenario,
    resolver: SocketAddr,
) {
    let client = original.clients().into_iter().next().expect("a client");
    let (address, helo, sender) = (
        client.address,
        client.helo.as_str(),
        original.sender.as_str(),
    );
    let captured = captured(resolver, address, helo, sender).await;
    let again = scenario::parse_scenario("captured", &captured.text)
        .unwrap_or_else(|error| panic!("{name}: {error}\n{}", captured.text));
    let expected = decisions(original, profiles, address, helo, sender);
    let got = decisions(&again, profiles, address, helo, sender);
    for (expected, got) in expected.iter().zip(&got) {
        assert_eq!(got, expected, "{name}\n{}", captured.text);
    }
    assert!(captured.questions > 4, "{name}");
    assert_eq!(
        again.expectations.len(),
        profiles.len(),
        "an expectation for each receiver"
    );
}

/// A scenario that martinet serves, captured through its own DNS, gets the same verdicts from every receiver.
#[tokio::test(flavor = "multi_thread")]
async fn captured_scenarios_get_the_same_verdicts() {
    let profiles = scenario::list_receivers().expect("receivers");
    for name in ROUND_TRIPS {
        let (world, original) = served(name).await;
        round_trip(&profiles, name, &original, world.dns_addr()).await;
    }
}

/// Failures become faults of the same kind; options that are not given cause no queries.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_captured_as_faults() {
    let (world, _) = served("ptr-servfail").await;
    let text = captured(
        world.dns_addr(),
        "192.0.2.10".parse().expect("an address"),
        "mail.example.test",
        "a@example.test",
    )
    .await
    .text;
    assert!(text.contains("do   = \"servfail\""), "{text}");
    let (world, _) = served("ptr-timeout").await;
    let text = captured(
        world.dns_addr(),
        "192.0.2.10".parse().expect("an address"),
        "mail.example.test",
        "a@example.test",
    )
    .await
    .text;
    assert!(text.contains("do   = \"drop\""), "{text}");
}

/// Each failing RCODE is a fault with the same RCODE, for each type that is asked.
#[tokio::test(flavor = "multi_thread")]
async fn rcodes_are_captured() {
    for (action, owner) in [
        ("refused", "10.2.0.192.in-addr.arpa"),
        ("servfail", "mail.example.test"),
        ("refused", "mail.example.test"),
        ("drop", "example.test"),
    ] {
        let mut scenario = scenario::load_scenario("one-to-one").expect("a scenario");
        let text = format!(
            "{}\n[[fault]]\nname = \"{owner}.\"\ndo   = \"{action}\"\n",
            scenario.text
        );
        scenario = scenario::parse_scenario("failing", &text).expect("a sound scenario");
        scenario.dns.outside = Some(Outside::NxDomain);
        let client = scenario.clients().into_iter().next().expect("a client");
        let sender = scenario.sender.clone();
        let world = World::builder()
            .with_scenario(scenario)
            .start()
            .await
            .expect("a world");
        let captured = captured(world.dns_addr(), client.address, &client.helo, &sender).await;
        let wanted = format!("do   = \"{action}\"");
        assert!(captured.failures > 0, "{action} {owner}");
        assert!(
            captured.text.contains(&wanted),
            "{action} {owner}: {}",
            captured.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_and_check_by_the_command_line() {
    let (world, _) = served("no-ptr").await;
    let resolver = world.dns_addr().to_string();
    let file = std::env::temp_dir().join(format!("martinet-captured-{}.toml", std::process::id()));
    let path = file.display().to_string();
    let run = |arguments: Vec<String>| {
        tokio::task::spawn_blocking(move || {
            let output = Command::new(env!("CARGO_BIN_EXE_martinet"))
                .args(arguments)
                .output()
                .expect("martinet runs");
            let text = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            (output.status.code(), text)
        })
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (code, text) = run(words(&format!(
        "capture --client 192.0.2.10 --helo mail.example.test --from a@example.test --resolver {resolver} -o {path}"
    )))
    .await
    .expect("no panic");
    assert_eq!(code, Some(0), "{text}");
    let line = text
        .lines()
        .find(|line| line.starts_with("martinet check"))
        .expect("a command");
    let (_, judged) = run(words(line).split_off(1)).await.expect("no panic");
    assert!(
        judged.contains("fcrdns: rejected at mail, rule iprev"),
        "{judged}"
    );
    let (code, direct) = run(words(&format!(
        "check --resolver {resolver} --receiver fcrdns --client 192.0.2.10 --helo mail.example.test"
    )))
    .await
    .expect("no panic");
    assert_eq!(code, Some(1), "{direct}");
    assert!(
        direct.contains("fcrdns: rejected at mail, rule iprev"),
        "{direct}"
    );
    std::fs::remove_file(&file).expect("the file is there");
}
