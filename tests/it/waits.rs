//! Waits and expectations: counted entries stay counted, values out of range are refused, and names are checked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use martinet::World;
use martinet::dns::{self, Transport};
use martinet::expect::{Expectation, Mail, Queries, Sessions, Verdict};
use martinet::harness::Retention;
use martinet::http::Options;
use martinet::journal::Limits;
use martinet::name::{RecordType, absolute};
use martinet::smtp::client::{Delivery, deliver};
use serde_json::json;

use crate::http::{Served, deliver_to};

async fn send(world: &World, sender: &str) {
    let delivery = Delivery {
        helo: "mail.example.test".to_owned(),
        from: sender.to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
        ..Delivery::default()
    };
    let sent = deliver(world.smtp_addr(), &delivery).await;
    sent.expect("a session");
}

/// A world that keeps three sessions, messages and queries.
async fn small_journal() -> World {
    let three = Limits {
        entries: 3,
        octets: 64 << 20,
    };
    World::builder()
        .scenario("one-to-one")
        .receiver("lenient")
        .keep(Retention {
            sessions: three,
            messages: three,
            dns_queries: three,
            ..Retention::default()
        })
        .start()
        .await
        .expect("a world")
}

#[tokio::test]
async fn earlier_entries_stay_counted() {
    let world = small_journal().await;
    world.expect(Expectation::of(Sessions::any().by_sender("bob@example.test")).never());
    world.expect(Expectation::of(Sessions::accepted()).times(12));
    world.expect(Expectation::of(Mail::to("b@contoso.test")).times(12));
    world.expect(Expectation::of(Queries::of("mail.example.test", "A")).times(7));
    send(&world, "bob@example.test").await;
    for _ in 0..11 {
        send(&world, "a@example.test").await;
    }
    for _ in 0..7 {
        ask(&world, "mail.example.test").await;
    }
    assert_eq!(world.sessions().counts().kept, 3, "the first are gone");
    let last = Sessions::any().by_sender("a@example.test");
    world.wait_for_sessions(&last, 3).await.expect("sessions");
    let outcomes = world.outcomes();
    let counts: Vec<_> = outcomes.iter().map(|o| (o.count, o.met)).collect();
    assert_eq!(counts, [(1, false), (12, true), (12, true), (7, true)]);
    let violation = outcomes[0].violation.as_ref().expect("the first violation");
    assert_eq!(violation.id, 1);
    for part in ["C: MAIL FROM:<bob@example.test>", "S: 250 2.0.0 Ok"] {
        assert!(violation.story.contains(part), "{}", violation.story);
    }
    let report = world.verify().expect_err("one is violated").to_string();
    assert!(report.contains("MAIL FROM:<bob@example.test>"), "{report}");
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(world))).expect_err("unmet");
}

async fn ask(world: &World, name: &str) {
    let name = absolute(name).expect("a name");
    let (kind, transport, timeout) = (RecordType::A, Transport::Udp, Duration::from_secs(10));
    let response = dns::client::ask(world.dns_addr(), &name, kind, transport, None, timeout);
    response.await.expect("an answer");
}

#[tokio::test]
async fn a_session_counts_once_and_each_verdict_when_it_changes() {
    let world = World::builder().receiver("lenient").start().await;
    let world = world.expect("a world");
    world.expect(Expectation::of(Sessions::accepted()).times(1));
    world.expect(Expectation::of(Sessions::rejected()).times(1));
    world.expect(Expectation::of(Sessions::any().with_transaction(Verdict::Accept)).times(1));
    let delivery = Delivery {
        helo: "mail.example.test".to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned(), "550@contoso.test".to_owned()],
        ..Delivery::default()
    };
    send(&world, "a@example.test").await;
    deliver(world.smtp_addr(), &delivery)
        .await
        .expect("a session");
    let both = world.wait_for_sessions(&Sessions::any(), 2).await;
    assert_eq!(both.expect("both").len(), 2);
    world.verify().expect("met");
}

#[tokio::test]
async fn mail_and_queries_are_waited_for() {
    let world = Arc::new(small_journal().await);
    let waiting = Arc::clone(&world);
    let mail = tokio::spawn(async move {
        let mail = Mail::to("B@contoso.test").by_sender("second@example.test");
        waiting.wait_for_mail(&mail, 1).await
    });
    let waiting = Arc::clone(&world);
    let queries = tokio::spawn(async move {
        let queries = Queries::of("MAIL.example.test.", "a");
        waiting.wait_for_queries(&queries, 2).await
    });
    for sender in ["first@example.test", "second@example.test"] {
        send(&world, sender).await;
        ask(&world, "mail.example.test").await;
    }
    let mail = mail.await.expect("a task").expect("a message");
    assert_eq!((mail.len(), mail[0].session), (1, 2));
    assert_eq!(queries.await.expect("a task").expect("queries").len(), 2);
    let late = Mail::to("nobody@contoso.test");
    let missed = world
        .wait_for_mail_within(&late, 1, 0, Duration::ZERO)
        .await;
    let missed = missed.expect_err("none").to_string();
    assert!(
        missed.contains("expected recipient nobody@contoso.test, found b@contoso.test"),
        "{missed}"
    );
}

#[tokio::test]
async fn http_waits_for_mail_and_queries() {
    let served = Served::start("one-to-one", "lenient").await;
    let world = Arc::clone(served.worlds.main());
    let mail = served.get("/api/v1/wait/mail?recipient=b@contoso.test&timeout_ms=20000");
    let queries = served.get("/api/v1/wait/dns/queries?name=mail.example.test&type=A");
    let (mail, queries, ..) = tokio::join!(
        mail,
        queries,
        deliver_to(
            world.smtp_addr(),
            "mail.example.test",
            b"Subject: x\r\n\r\nx\r\n"
        ),
        ask(&world, "mail.example.test"),
    );
    assert_eq!(mail.json()["mail"][0]["session"], 1, "{}", mail.text());
    let queries = queries.json();
    assert_eq!(queries["queries"][0]["type"], "A", "{queries}");
    let none = served
        .get("/api/v1/wait/mail?sender=nobody@x.test&timeout_ms=1")
        .await;
    assert_eq!(
        (none.status, none.json()["matched"].as_bool()),
        (417, Some(false))
    );
}

#[tokio::test]
async fn bounds_are_named_and_names_are_checked() {
    let served = Served::start("one-to-one", "lenient").await;
    let rows = [
        ("wait?count=0", "count", "a number from 1 to 1000"),
        ("wait?count=1001", "count", "a number from 1 to 1000"),
        (
            "wait?timeout_ms=60001",
            "timeout_ms",
            "a number from 0 to 60000",
        ),
        ("wait?timeout=5", "timeout", "did you mean \"timeout_ms\"?"),
        ("wait?code=5", "code", "a reply code from 200 to 599"),
        (
            "wait?enhanced=5.7",
            "enhanced",
            "an enhanced status code such as 5.7.25",
        ),
        (
            "wait?rule=helo-prt-match",
            "rule",
            "did you mean \"helo-ptr-match\"?",
        ),
        ("wait?stage=rctp", "stage", "did you mean \"rcpt\"?"),
        (
            "wait?verdict=rejected",
            "verdict",
            "did you mean \"reject\"?",
        ),
        (
            "wait?transaction=acept",
            "transaction",
            "did you mean \"accept\"?",
        ),
        ("wait?source=scrip", "source", "did you mean \"script\"?"),
        (
            "wait/mail?recipent=x",
            "recipent",
            "did you mean \"recipient\"?",
        ),
        ("wait/mail?count=0", "count", "a number from 1 to 1000"),
        ("wait/dns/queries?rcode=NXDOMIAN", "rcode", "NXDOMAIN"),
        ("wait/dns/queries?type=MXX", "type", "a record type"),
        ("sessions?limit=100000", "limit", "a number from 1 to 1000"),
        ("sessions?limit=0", "limit", "a number from 1 to 1000"),
        ("sessions?code=99", "code", "a reply code from 200 to 599"),
        ("mail?limit=1001", "limit", "a number from 1 to 1000"),
        (
            "events?event=verdicts",
            "event",
            "did you mean \"verdict\"?",
        ),
        ("events?limit=1001", "limit", "a number from 1 to 1000"),
    ];
    for (path, field, expected) in rows {
        let answer = served.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["field"], field, "{path}: {problem}");
        let expected_text = problem["expected"].as_str().unwrap_or_default();
        assert!(expected_text.contains(expected), "{path}: {problem}");
    }
    let typo = json!({"sessions": {"rule": "ipref"}, "times": {"most": 0}});
    let problem = served
        .send_json("POST", "/api/v1/expectations", &typo)
        .await;
    assert_eq!(problem.status, 400, "a never with a typo would always pass");
    assert!(
        problem.text().contains("did you mean"),
        "{}",
        problem.text()
    );
}

#[test]
fn rust_reports_an_unknown_rule() {
    let says = |what: fn() -> Sessions| {
        let panic = std::panic::catch_unwind(what).expect_err("a panic");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    let rule = says(|| Sessions::rejected().by_rule("helo-prt-match"));
    assert!(rule.contains("did you mean \"helo-ptr-match\"?"), "{rule}");
    let code = says(|| Sessions::rejected().with_code(5));
    assert!(code.contains("a reply code from 200 to 599"), "{code}");
    let enhanced = says(|| Sessions::rejected().with_enhanced("5.7"));
    assert!(enhanced.contains("such as 5.7.25"), "{enhanced}");
}

#[tokio::test]
async fn a_wait_ends_with_its_world() {
    let main = World::builder().start().await.expect("a world");
    let served = Served::of(main, Options::default()).await;
    let named = json!({"name": "w"});
    let created = served.send_json("POST", "/api/v1/worlds", &named).await;
    assert_eq!(created.status, 201);
    let world = served.worlds.find("w").expect("the world");
    let began = Instant::now();
    let over_http = served.get("/api/v1/worlds/w/wait?timeout_ms=60000");
    let mail = served.get("/api/v1/worlds/w/wait/mail?timeout_ms=60000");
    let patient = Duration::from_secs(60);
    let any = Queries::default();
    let in_rust = world.wait_for_queries_within(&any, 1, 0, patient);
    let removed = async {
        // The map, this test, and each waiting request hold a reference to the world.
        while Arc::strong_count(&world) < 4 {
            tokio::task::yield_now().await;
        }
        served.worlds.remove("w").await
    };
    let (waited, mail, in_rust, removed) = tokio::join!(over_http, mail, in_rust, removed);
    assert!(removed && began.elapsed() < Duration::from_secs(30));
    assert_eq!(
        (waited.status, mail.status),
        (410, 410),
        "{}",
        waited.text()
    );
    let in_rust = in_rust.expect_err("the world stopped");
    assert!(in_rust.stopped && in_rust.to_string().contains("the world stopped"));
}
