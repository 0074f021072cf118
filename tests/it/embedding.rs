//! The embedding API: waits, assertions, expectations, changes while a world runs.

mod blocking;
mod parallel;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use martinet::World;
use martinet::dns::{self, Transport};
use martinet::expect::{Expectation, Queries, Sessions};
use martinet::journal::EventKind;
use martinet::name::{RecordType, absolute};
use martinet::scenario::{load_receiver, load_scenario, parse_receiver};
use martinet::smtp::ClientSource;
use martinet::smtp::client::{Delivery, Dialogue, deliver};
use martinet::stage::Stage;
use rstest::{fixture, rstest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A typical world of a test: one server, one name, the strictest receiver.
#[fixture]
fn world() -> martinet::harness::blocking::World {
    World::blocking()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .expect("a world")
}

fn delivery(helo: &str) -> Delivery {
    Delivery {
        helo: helo.to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
        ..Delivery::default()
    }
}

async fn send(world: &World, helo: &str) -> Dialogue {
    deliver(world.smtp_addr(), &delivery(helo))
        .await
        .expect("a session")
}

fn send_blocking(world: &World, helo: &str) -> Dialogue {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(send(world, helo))
}

/// The text of a panic.
fn complaint(then: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(then)).expect_err("it panics");
    payload
        .downcast::<String>()
        .map_or_else(|_| "(no text)".to_owned(), |text| *text)
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[rstest]
#[case::its_own_name("mail.example.test", None)]
#[case::in_capitals("MAIL.EXAMPLE.TEST", None)]
#[case::another_name("wrong.test", Some("helo-ptr-match"))]
fn a_fixture_and_cases(
    world: martinet::harness::blocking::World,
    #[case] helo: &str,
    #[case] rule: Option<&str>,
) -> Result<(), Box<dyn std::error::Error>> {
    send_blocking(&world, helo);
    let session = world.wait_for_session()?;
    match rule {
        None => session
            .assert_accepted()
            .saying(helo)
            .with_code(250)
            .to(&["B@contoso.test"]),
        Some(rule) => session
            .assert_rejected()
            .by_rule(rule)
            .with_code(554)
            .at_stage(Stage::Helo)
            .with_text("does not match"),
    };
    Ok(())
}

#[tokio::test]
async fn each_wait_gives_the_next_session() -> Result<(), Box<dyn std::error::Error>> {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .await?;
    send(&world, "wrong.test").await;
    send(&world, "mail.example.test").await;
    let first = world.wait_for_session().await?;
    first
        .assert_rejected()
        .by_rule("helo-ptr-match")
        .with_code(554)
        .with_enhanced("5.7.1")
        .saying("wrong.test");
    let address: IpAddr = first.client_address();
    world
        .wait_for_session()
        .await?
        .assert_accepted()
        .from_client(address)
        .by_sender("a@example.test");
    let message = world.wait_for_message().await?;
    assert_eq!(
        (message.session, message.envelope.sender.as_str()),
        (2, "a@example.test")
    );
    let both = world
        .wait_for_sessions(&Sessions::any().from_client(address), 2)
        .await?;
    assert_eq!(both.len(), 2);
    let until = world
        .wait_until(|session| session.helo() == "wrong.test")
        .await?;
    assert_eq!(until.id(), 1);
    Ok(())
}

#[tokio::test]
async fn a_failed_wait_reports_the_entries_seen() {
    let timeout = Duration::from_millis(50);
    let world = World::builder()
        .receiver("helo-equals-ptr")
        .wait_timeout(timeout)
        .start()
        .await
        .expect("a world");
    let nothing = world.wait_for_session().await.expect_err("nobody came");
    assert_eq!(
        nothing.to_string(),
        "waited 50ms for a session to end, found 0; no entries were seen"
    );
    send(&world, "wrong.test").await;
    let wanted = Sessions::rejected().by_rule("iprev").saying("wrong.test");
    let missed = world
        .wait_for_sessions(&wanted, 1)
        .await
        .expect_err("another rule refused");
    let text = missed.to_string();
    has(
        &text,
        &["waited 50ms for 1 sessions with helo wrong.test, verdict reject, rule iprev, found 0"],
    );
    has(
        &text,
        &[
            "session 1 from 192.0.2.10, wrong.test: reject at helo by rule helo-ptr-match: 554 5.7.1",
        ],
    );
    has(
        &text,
        &[
            "nearest miss: session 1",
            "expected rule iprev, found helo-ptr-match",
        ],
    );
    assert_eq!(
        text,
        format!("{missed:?}"),
        "a test that returns the error shows the same"
    );
    let no_message = world.wait_for_message().await.expect_err("it was refused");
    has(
        &no_message.to_string(),
        &["for a message, found 0", "by rule helo-ptr-match"],
    );
}

#[tokio::test]
async fn an_assertion_that_fails_prints_the_session() {
    let world = World::builder()
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    send(&world, "wrong.test").await;
    let session = world.wait_for_session().await.expect("a session");
    let text = complaint(|| _ = session.assert_rejected().with_code(550));
    let parts = [
        "expected code 550, found 554",
        "DNS      10.2.0.192.in-addr.arpa PTR: mail.example.test.",
    ];
    has(&text, &parts);
    has(
        &text,
        &[
            "remedy   send EHLO mail.example.test",
            "C: EHLO wrong.test",
            "S: 554 5.7.1",
        ],
    );
    has(
        &complaint(|| _ = session.assert_accepted()),
        &["expected verdict accept, found reject"],
    );
    has(
        &complaint(|| _ = session.assert_that().to(&["x@y.test"])),
        &["expected recipients x@y.test, found "],
    );
}

#[tokio::test]
async fn expectations_are_counted_and_verified_on_drop() {
    let world = World::builder()
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    send(&world, "wrong.test").await;
    let guard = world.expect_scoped(
        Expectation::of(Sessions::rejected())
            .times(1)
            .named("one refusal"),
    );
    assert_eq!(guard.outcome().count, 0, "what came before does not count");
    send(&world, "mail.example.test").await;
    let text = complaint(|| drop(guard));
    has(
        &text,
        &["not met: expected one refusal: sessions with verdict reject, once; found 0"],
    );
    has(
        &text,
        &[
            "near miss: session 2 from 192.0.2.10, mail.example.test: accept",
            "found accept",
        ],
    );

    world.expect(Expectation::of(Sessions::accepted()).at_least(1));
    world.expect(Expectation::of(Sessions::any().by_rule("iprev")).never());
    has(
        &world
            .verify()
            .expect_err("nobody was accepted yet")
            .to_string(),
        &["at least once; found 0"],
    );
    send(&world, "mail.example.test").await;
    world.verify().expect("met");
    assert!(world.outcomes().iter().all(|outcome| outcome.met));
    world.expect(Sessions::deferred());
    has(
        &complaint(|| drop(world)),
        &["sessions with verdict defer, at least once; found 0"],
    );
}

#[tokio::test]
async fn clients_that_never_connect_and_queries_before_a_session() {
    let world = World::builder()
        .scenario("one-to-one")
        .start()
        .await
        .expect("a world");
    world.assert_no_attempt_from([192, 0, 2, 99]);
    has(
        &complaint(|| world.assert_looked_up_mx_before_connecting("contoso.test")),
        &["found no connection"],
    );
    world.expect(Expectation::of(Queries::of("contoso.test", "MX")).times(1));
    let name = absolute("contoso.test").expect("a name");
    let timeout = Duration::from_secs(5);
    dns::client::ask(
        world.dns_addr(),
        &name,
        RecordType::MX,
        Transport::Udp,
        None,
        timeout,
    )
    .await
    .expect("an answer");
    send(&world, "mail.example.test").await;
    world.wait_for_session().await.expect("a session");
    world.assert_looked_up_mx_before_connecting("Contoso.test.");
    has(
        &complaint(|| world.assert_looked_up_mx_before_connecting("other.test")),
        &["contoso.test. MX, NOERROR"],
    );
    has(
        &complaint(|| world.assert_no_attempt_from([192, 0, 2, 10])),
        &["found 1", "session 1 from 192.0.2.10"],
    );
}

#[tokio::test]
async fn rfc6647_retries_are_spaced_by_the_receivers_clock() {
    let rules = "title = \"t\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"";
    let receiver = parse_receiver("greylist", rules).expect("a receiver");
    let world = World::builder()
        .with_receiver(receiver)
        .start()
        .await
        .expect("a world");
    send(&world, "mail.example.test").await;
    world
        .advance(Duration::from_secs(301))
        .expect("within the bound");
    send(&world, "mail.example.test").await;
    let tries = world
        .wait_for_sessions(&Sessions::any().to("b@contoso.test"), 2)
        .await
        .expect("two tries");
    tries[0]
        .assert_deferred()
        .by_rule("greylist")
        .at_stage(Stage::Rcpt)
        .to(&["b@contoso.test"]);
    tries[1].assert_accepted();
    world.assert_retry_spacing(&Sessions::any(), Duration::from_secs(300));
    let text = complaint(|| world.assert_retry_spacing(&Sessions::any(), Duration::from_secs(900)));
    has(&text, &["expected 900s or more between tries, found 301."]);
}

#[tokio::test]
async fn a_world_changes_while_it_runs() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    let verdict = async |helo: &str| {
        send(&world, helo).await;
        world.wait_for_session().await.expect("a session")
    };
    verdict("wrong.test")
        .await
        .assert_rejected()
        .by_rule("helo-ptr-match");
    world.set_receiver(load_receiver("fcrdns").expect("a receiver"));
    verdict("wrong.test").await.assert_accepted();
    world
        .set_client(ClientSource::Fixed([192, 0, 2, 77].into()))
        .expect("a client");
    verdict("wrong.test")
        .await
        .assert_rejected()
        .by_rule("iprev")
        .from_client([192, 0, 2, 77]);
    world
        .set_zone("2.0.192.in-addr.arpa.", "77 PTR new.example.test.")
        .expect("a zone");
    verdict("wrong.test")
        .await
        .assert_rejected()
        .with_text("5.7.25");
    world
        .set_zone("new.example.test.", "@ A 192.0.2.77")
        .expect("a zone");
    verdict("wrong.test").await.assert_accepted();
    let action = load_scenario("ptr-servfail").expect("a scenario").faults[0].action();
    world.set_faults(vec![
        martinet::dns::Fault::new("77.2.0.192.in-addr.arpa", action).expect("a name"),
    ]);
    verdict("wrong.test")
        .await
        .assert_deferred()
        .by_rule("iprev");
    world
        .set_scenario(load_scenario("no-ptr").expect("a scenario"))
        .expect("served");
    verdict("mail.example.test")
        .await
        .assert_rejected()
        .by_rule("iprev");
    let error = world
        .set_zone("x.test", "a A not-an-address\nb FROB x")
        .expect_err("mistakes");
    assert_eq!(error.mistakes_found().len(), 2, "{error}");
    let changes = world
        .events()
        .entries()
        .iter()
        .filter(|e| e.what.name() == "changed")
        .count();
    assert_eq!(changes, 6);
}

/// The event log alone explains a refusal: client, lookups, facts, rule and reply.
#[tokio::test]
async fn the_event_log_has_everything_in_order() {
    let world = World::builder()
        .scenario("no-ptr")
        .receiver("fcrdns")
        .start()
        .await
        .expect("a world");
    send(&world, "mail.example.test").await;
    world.wait_for_session().await.expect("a session");
    let names: Vec<_> = world
        .events()
        .entries()
        .iter()
        .map(|e| e.what.name())
        .collect();
    let of = |name| {
        names
            .iter()
            .position(|n| *n == name)
            .unwrap_or_else(|| panic!("no {name} in {names:?}"))
    };
    let order = ["connection", "lookup", "facts", "verdict", "closed"].map(of);
    assert!(order.is_sorted(), "{names:?}");
    of("command");
    of("reply");
    let verdict = serde_json::to_value(&*world.events().entries()[of("verdict")]).expect("JSON");
    assert_eq!(
        (&verdict["rule"], &verdict["session"]),
        (&"iprev".into(), &1.into())
    );
    for event in world.events().entries() {
        let name = event.what.name();
        assert!(
            martinet::journal::EventKind::NAMES.contains(&name),
            "{name}"
        );
    }
    assert_eq!(world.events().counts().dropped, 0);
}

/// A second EHLO with the same name makes new lookups, and the event log has both answers: the first failed, the second
/// did not.
#[tokio::test]
async fn lookups_of_a_second_helo_are_recorded_again() {
    let builder = World::builder()
        .scenario("one-to-one")
        .receiver("helo-resolves-to-client");
    let world = builder.start().await.expect("a world");
    // The forward lookup of the PTR name comes first; then the HELO name.
    let once = dns::Fault::new("mail.example.test", dns::Action::ServFail).expect("a name");
    world.set_faults(vec![once.of_type(RecordType::A).from_question(2).times(1)]);
    let mut stream = TcpStream::connect(world.smtp_addr()).await.expect("open");
    let ehlo = "EHLO mail.example.test\r\n";
    stream
        .write_all(format!("{ehlo}{ehlo}QUIT\r\n").as_bytes())
        .await
        .expect("written");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.expect("read");
    let session = world.wait_for_session().await.expect("a session");
    let entries = world.events().entries();
    let outcomes = entries.iter().filter_map(|event| match &event.what {
        EventKind::Lookup(lookup) if lookup.record_type == RecordType::A => {
            Some(lookup.outcome.word())
        }
        _ => None,
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        ["data", "SERVFAIL", "data"],
        "{replies}{session:?}"
    );
}
