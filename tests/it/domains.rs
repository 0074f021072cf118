//! Recipient domains with their own receivers: their DNS records, listeners and memories.

use std::net::SocketAddr;
use std::time::Duration;

use martinet::World;
use martinet::scenario::{Placement, load_scenario, parse_scenario};
use martinet::smtp::ClientSource;
use martinet::smtp::client::{Delivery, Dialogue, deliver};
use martinet::verdict::Verdict;

const FILE: &str = r#"
title = "Two domains"
receiver = "lenient"
[[domain]]
name = "plain.test"
[[domain]]
name = "strict.test"
receiver = "fcrdns"
mx = [{ name = "mx1.strict.test", dead = true, addresses = ["192.0.2.25"] }, "20 mx2.strict.test"]
[[domain]]
name = "implicit.test"
receiver = "fcrdns"
mx = []
[[domain]]
name = "null.test"
mx = "."
"#;

async fn world(placement: Placement) -> World {
    let scenario = parse_scenario("two.toml", FILE).expect("a scenario");
    let world = World::builder()
        .with_scenario(scenario)
        .exchanges(placement)
        .client(ClientSource::Fixed([203, 0, 113, 7].into()));
    world.start().await.expect("a world")
}

fn listeners(world: &World, domain: &str) -> Vec<Option<SocketAddr>> {
    let of = |place: &&martinet::scenario::Place| martinet::name::display(&place.domain) == domain;
    world
        .exchanges()
        .iter()
        .filter(of)
        .map(|place| place.listener)
        .collect()
}

async fn send(to: SocketAddr, recipient: &str, helo: &str) -> Dialogue {
    let delivery = Delivery {
        helo: helo.to_owned(),
        from: "sender@example.test".to_owned(),
        to: vec![recipient.to_owned()],
        message: martinet::scenario::plain_message("sender@example.test"),
        timeout: Duration::from_secs(30),
        ..Delivery::default()
    };
    deliver(to, &delivery).await.expect("a session")
}

#[tokio::test]
async fn mail_for_each_domain_reaches_its_receiver() {
    for placement in [Placement::Automatic, Placement::Ports(None)] {
        let world = world(placement).await;
        assert_eq!(listeners(&world, "plain.test"), [Some(world.smtp_addr())]);
        assert_eq!(listeners(&world, "null.test"), []);
        let [None, Some(strict)] = listeners(&world, "strict.test")[..] else {
            panic!("{:?}", world.exchanges());
        };
        let [Some(implicit)] = listeners(&world, "implicit.test")[..] else {
            panic!("{:?}", world.exchanges());
        };
        for (to, domain, refused) in [
            (world.smtp_addr(), "plain.test", false),
            (strict, "strict.test", true),
            (implicit, "implicit.test", true),
        ] {
            let dialogue = send(to, &format!("user@{domain}"), "mail.example.test").await;
            assert_eq!(
                dialogue.refused.is_some(),
                refused,
                "{domain}: {dialogue:?}"
            );
        }
        let record = |id| {
            let entry = world.sessions().entry(id).expect("a session");
            entry.snapshot().receiver().to_owned()
        };
        assert_eq!(
            [record(1), record(2), record(3)],
            ["lenient", "fcrdns", "fcrdns"]
        );
    }
}

/// A receiver has one memory for all its listeners, separate from other receivers.
#[tokio::test]
async fn each_receiver_has_one_memory() {
    let file = "title = \"t\"\nreceiver = \"lenient\"\n\
        [[domain]]\nname = \"a.test\"\nreceiver = \"rfc5321-clean\"\n\
        [[domain]]\nname = \"b.test\"\nreceiver = \"rfc5321-clean\"\n\
        [[domain]]\nname = \"c.test\"\nreceiver = \"postfix-default\"\n";
    let world = World::builder()
        .with_scenario(parse_scenario("three.toml", file).expect("a scenario"))
        .start()
        .await
        .expect("a world");
    let at = |domain| listeners(&world, domain)[0].expect("a listener");
    // The recipient is accepted because its receiver saw it once before.
    let recipient = "after-1-accept@other.test";
    let mut refused = Vec::new();
    for domain in ["a.test", "c.test", "b.test", "c.test"] {
        let dialogue = send(at(domain), recipient, "mail.example.test").await;
        refused.push(dialogue.refused.is_some());
    }
    assert_eq!(refused, [true, true, false, false]);
    world.reset();
    let dialogue = send(at("b.test"), recipient, "mail.example.test").await;
    assert!(
        dialogue.refused.is_some(),
        "a reset makes it forget: {dialogue:?}"
    );
}

#[tokio::test]
async fn nothing_listens_at_a_dead_exchange() {
    let world = world(Placement::Automatic).await;
    let dead = world
        .exchanges()
        .iter()
        .find(|place| place.listener.is_none())
        .cloned();
    let address = dead
        .and_then(|place| place.address)
        .expect("an address in the DNS");
    let to = SocketAddr::new(address, world.smtp_addr().port());
    let refused = tokio::net::TcpStream::connect(to)
        .await
        .expect_err("a dead host");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_reset_and_another_scenario_bring_their_exchanges() {
    let world = world(Placement::Automatic).await;
    let before = world.exchanges();
    let [_, Some(strict)] = listeners(&world, "strict.test")[..] else {
        panic!("{before:?}");
    };
    world
        .set_scenario(load_scenario("one-to-one").expect("a scenario"))
        .expect("the scenario is taken");
    assert_eq!(world.exchanges().len(), 1);
    // No domain of the scenario has this exchange, so connections to it fail.
    let mut gone = tokio::net::TcpStream::connect(strict)
        .await
        .expect("the listener is kept for a reset");
    let mut octets = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut gone, &mut octets).await;
    let reset = read.expect_err("a reset");
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    world.reset();
    assert_eq!(world.exchanges(), before);
    let dialogue = send(strict, "user@strict.test", "mail.example.test").await;
    assert!(dialogue.refused.is_some(), "{dialogue:?}");
}

#[test]
fn the_file_says_where_mail_goes_and_lint_reports_contradictions() {
    let main: SocketAddr = "127.0.0.1:1025".parse().expect("an address");
    let scenario = parse_scenario("two.toml", FILE).expect("a scenario");
    let network = "198.51.100.0/24".parse().expect("a network");
    let placement = Placement::Written { network, port: 25 };
    let places = scenario.places(&placement, main).expect("places");
    let lines: Vec<_> = places
        .iter()
        .map(|place| format!("{place} {:?}", place.listener.map(|at| at.to_string())))
        .collect();
    assert_eq!(
        lines,
        [
            "10 mx.plain.test 198.51.100.1 Some(\"198.51.100.1:25\")",
            "10 mx1.strict.test 192.0.2.25 None",
            "20 mx2.strict.test 198.51.100.2 Some(\"198.51.100.2:25\")",
            "implicit.test 198.51.100.3 Some(\"198.51.100.3:25\")",
        ]
    );
    assert_eq!(scenario.receiver_for("a@STRICT.test"), "fcrdns");
    assert_eq!(scenario.receiver_for("a@plain.test"), "lenient");
    for (keys, report) in [
        ("mx = [\".\", \"mx.a.test\"]", "a null MX"),
        (
            "mx = [\"mx.a.test\", \"20 mx.a.test\"]",
            "each MX host once",
        ),
        ("mx = \"ten mx.a.test\"", "a host such as"),
        ("addresses = [\"192.0.2.1\"]", "mx = [] with addresses"),
        ("receiver = \"gmial\"", "gmail"),
        (
            "mx = \"mx.b.test\"\n[[domain]]\nname = \"b.test\"\nreceiver = \"gmail\"\nmx = \"mx.b.test\"",
            "one receiver for mx.b.test",
        ),
        (
            "mx = \"mx.b.test\"\n[[zone]]\norigin = \"a.test\"\ntext = \"@ MX 10 mx\"",
            "MX records in the text of the zone",
        ),
    ] {
        let file = format!("title = \"t\"\n[[domain]]\nname = \"a.test\"\n{keys}\n");
        let error = parse_scenario("t.toml", &file).expect_err(keys).to_string();
        assert!(error.contains(report), "{keys}: {error}");
    }
}

/// Every client of the scenario sends to every domain over real sockets; the what-if gives the same replies.
#[tokio::test]
async fn internet_2026_gives_the_verdicts_of_check() {
    let scenario = load_scenario("internet-2026").expect("a scenario");
    let clients = scenario.clients();
    let world = World::builder()
        .with_scenario(scenario.clone())
        .longest_wait(Duration::ZERO)
        .start()
        .await
        .expect("a world");
    let (mut sessions, mut accepted) = (0, 0);
    for client in &clients {
        world
            .set_client(ClientSource::Fixed(client.address))
            .expect("a client");
        for domain in &scenario.domains {
            let recipient = format!("user@{}", martinet::name::display(&domain.name));
            let listener = world
                .exchanges()
                .iter()
                .filter(|place| place.domain == domain.name)
                .find_map(|place| place.listener);
            let Some(listener) = listener else {
                continue;
            };
            let mut attempt = world.attempt(client.address, &client.helo);
            attempt.recipient.clone_from(&recipient);
            let judged = world.check(&attempt);
            let dialogue = send(listener, &recipient, &client.helo).await;
            sessions += 1;
            let code = dialogue.last.as_ref().map(|reply| reply.code());
            let shown = format!(
                "{} to {recipient} at {listener}: {dialogue:?}",
                client.address
            );
            assert_eq!(code, Some(judged.reply.code()), "{shown}");
            let record = world
                .sessions()
                .entry(sessions)
                .expect("a session")
                .snapshot();
            assert_eq!(record.receiver(), judged.receiver, "{shown}");
            assert_eq!(
                Some(record.receiver()),
                domain.receiver.as_deref(),
                "{shown}"
            );
            accepted += u32::from(judged.verdict == Verdict::Accept);
        }
    }
    assert_eq!(clients.len(), 12);
    assert_eq!(sessions, 12 * 40);
    assert!(accepted > 40, "{accepted}");
}
