//! What-ifs of a running world: they use its current zones and memory, and change nothing.

use std::time::Duration;

use martinet::World;
use martinet::dns::{Action, Fault};
use martinet::name::RecordType;
use martinet::scenario::parse_receiver;
use martinet::verdict::Verdict;
use serde_json::{Value, json};

use crate::http::{Served, deliver_to};

const GREYLIST: &str = "title = \"t\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"";

#[tokio::test]
async fn a_what_if_uses_the_current_zones_faults_and_receiver() {
    let world = World::builder().scenario("one-to-one").receiver("fcrdns");
    let world = world.start().await.expect("a world");
    let client = "192.0.2.10".parse().expect("an address");
    let verdict = || world.check(&world.attempt(client, "mail.example.test"));
    assert_eq!(verdict().verdict, Verdict::Accept);

    let once = Fault::new("10.2.0.192.in-addr.arpa.", Action::ServFail);
    world.add_fault(once.expect("a name").of_type(RecordType::PTR).times(1));
    for _ in 0..2 {
        let deferred = verdict();
        assert_eq!(
            (deferred.verdict, deferred.rule),
            (Verdict::Defer, Some("iprev"))
        );
    }
    assert_eq!(world.faults()[0].fired(), 0, "asking leaves no trace");
    let deliver = || {
        deliver_to(
            world.smtp_addr(),
            "mail.example.test",
            b"Subject: x\r\n\r\nx\r\n",
        )
    };
    deliver().await;
    let session = world.wait_for_session().await.expect("a session");
    session.assert_deferred().by_rule("iprev");
    assert_eq!(
        verdict().verdict,
        Verdict::Accept,
        "the fault has fired for a client"
    );

    world.set_zone("2.0.192.in-addr.arpa.", "").expect("a zone");
    assert_eq!(verdict().rule, Some("iprev"));
    let lenient = martinet::scenario::load_receiver("lenient").expect("a receiver");
    let attempt = world.attempt(client, "mail.example.test");
    assert_eq!(world.check_by(&lenient, &attempt).verdict, Verdict::Accept);
    world.set_receiver(lenient);
    assert_eq!(verdict().verdict, Verdict::Accept);
    assert_eq!(
        world.sessions().entries().len(),
        1,
        "no what-if is a session"
    );
}

#[tokio::test]
async fn a_what_if_reads_the_memory_and_does_not_change_it() {
    let receiver = parse_receiver("greylist", GREYLIST).expect("a receiver");
    let world = World::builder().with_receiver(receiver);
    let world = world.start().await.expect("a world");
    let attempt = martinet::check::Attempt {
        sender: "a@example.test".to_owned(),
        recipient: "b@contoso.test".to_owned(),
        ..world.attempt(world.next_client(), "mail.example.test")
    };
    let verdict = || world.check(&attempt).verdict;
    assert_eq!(verdict(), Verdict::Defer);
    world.advance(Duration::from_secs(301)).expect("an advance");
    assert_eq!(verdict(), Verdict::Defer, "nobody has tried yet");

    deliver_to(
        world.smtp_addr(),
        "mail.example.test",
        b"Subject: x\r\n\r\nx\r\n",
    )
    .await;
    let session = world.wait_for_session().await.expect("a session");
    session.assert_deferred().by_rule("greylist");
    assert_eq!(verdict(), Verdict::Defer, "five minutes are not over");
    world.advance(Duration::from_secs(301)).expect("an advance");
    assert_eq!(verdict(), Verdict::Accept);
    let other = martinet::check::Attempt {
        recipient: "other@contoso.test".to_owned(),
        ..attempt.clone()
    };
    assert_eq!(world.check(&other).verdict, Verdict::Defer);
    world.reset();
    assert_eq!(verdict(), Verdict::Defer);
}

#[tokio::test]
async fn a_what_if_comes_from_the_next_client_and_is_translated() {
    let world = World::builder()
        .scenario("exchange2003-nat")
        .start()
        .await
        .expect("a world");
    let next = world.next_client();
    assert!(next.to_string().starts_with("10.0.0."), "{next}");
    assert_eq!(world.next_client(), next, "asking takes none from the pool");
    let judged = world.check(&world.attempt(next, "mail.branded.test"));
    assert_eq!(
        (judged.verdict, judged.client.to_string().as_str()),
        (Verdict::Accept, "203.0.113.10")
    );
    deliver_to(
        world.smtp_addr(),
        "mail.branded.test",
        b"Subject: x\r\n\r\nx\r\n",
    )
    .await;
    let session = world.wait_for_session().await.expect("a session");
    assert_eq!(session.translated_from(), Some(next));
}

/// A server with a lenient main world and a world named strict.
async fn lenient_and_strict() -> Served {
    let served = Served::start("one-to-one", "lenient").await;
    let made = json!({"name": "strict", "scenario": "one-to-one", "receiver": "helo-equals-ptr"});
    assert_eq!(
        served
            .send_json("POST", "/api/v1/worlds", &made)
            .await
            .status,
        201
    );
    served
}

#[tokio::test]
async fn over_http_a_what_if_uses_the_world_in_the_path() {
    let served = lenient_and_strict().await;
    let first = |answer: Value| answer["judgements"][0].clone();
    let check_path = "check?client_address=192.0.2.10&helo=wrong.test";
    for (path, verdict, receiver) in [
        (format!("/api/v1/{check_path}"), "accept", "lenient"),
        (
            format!("/api/v1/worlds/main/{check_path}"),
            "accept",
            "lenient",
        ),
        (
            format!("/api/v1/worlds/strict/{check_path}"),
            "reject",
            "helo-equals-ptr",
        ),
        (
            format!("/api/v1/{check_path}&receiver=fcrdns"),
            "accept",
            "fcrdns",
        ),
        // The request has a scenario: the world is not used.
        (
            format!("/api/v1/{check_path}&scenario=office365"),
            "reject",
            "fcrdns",
        ),
        (
            "/api/v1/worlds/strict/check?helo=wrong.test".to_owned(),
            "reject",
            "helo-equals-ptr",
        ),
    ] {
        let answer = served.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let judged = first(answer.json());
        assert_eq!(
            (&judged["verdict"], &judged["receiver"]),
            (&json!(verdict), &json!(receiver)),
            "{path}"
        );
    }
    let all = served
        .get("/api/v1/worlds/strict/check?helo=mail.example.test&receiver=all")
        .await
        .json();
    assert!(
        all["judgements"]
            .as_array()
            .is_some_and(|all| all.len() > 20)
    );
    assert_eq!(
        served.get("/api/v1/worlds/nope/check?helo=a").await.status,
        404
    );
}

#[tokio::test]
async fn over_http_a_what_if_can_have_a_receiver_or_a_message() {
    let served = lenient_and_strict().await;
    let first = |answer: Value| answer["judgements"][0].clone();
    let post = async |body: Value| {
        served
            .send_json("POST", "/api/v1/worlds/strict/check", &body)
            .await
    };
    let greylist = post(json!({"helo": "mail.example.test", "receiver": GREYLIST})).await;
    assert_eq!(first(greylist.json())["rule"], "greylist");
    let subject = "title = \"t\"\n[[script]]\nstage = \"eod\"\nheader = \"Subject: urgent*\"\nreply = \"554 5.7.1 Not so fast\"";
    for (message, verdict) in [
        ("Subject: urgent\n\nx\n", "reject"),
        ("Subject: later\n\nx\n", "accept"),
    ] {
        let judged = post(json!({"helo": "x.test", "receiver": subject, "message": message})).await;
        assert_eq!(first(judged.json())["verdict"], verdict, "{message}");
    }
    for (body, field) in [
        (json!({}), "helo"),
        (json!({"helo": "a\nb"}), "helo"),
        (
            json!({"helo": "a", "client_address": "300.1.1.1"}),
            "client_address",
        ),
        (json!({"helo": "a", "receiver": "/etc/passwd"}), "receiver"),
        (json!({"helo": "a", "receiver": "title = 1\n"}), "receiver"),
        (json!({"helo": "a", "client": "192.0.2.1"}), "client"),
    ] {
        let answer = post(body.clone()).await;
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (400, &json!(field)),
            "{body}: {}",
            answer.text()
        );
    }
}

/// Runs `martinet check`, and compares its exit code and parts of its output; returns the output.
async fn check(arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_martinet"));
    command.arg("check").args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("a thread").expect("martinet runs");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let text = format!("{out}{err}");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: no {part:?} in\n{text}");
    }
    text
}

#[tokio::test]
async fn the_command_asks_a_running_world() {
    let served = lenient_and_strict().await;
    let main = format!("http://{}", served.address);
    let strict = format!("{main}/worlds/strict");
    let file = std::env::temp_dir().join(format!("martinet-what-if-{}.toml", std::process::id()));
    std::fs::write(&file, GREYLIST).expect("a file");
    let file = file.to_str().expect("a path");
    let refused = "helo-equals-ptr: rejected at helo, rule helo-ptr-match\n  client   192.0.2.10, saying wrong.test\n  DNS      \
        10.2.0.192.in-addr.arpa PTR: mail.example.test.\n";
    let helo = ["--helo", "wrong.test"];
    let ask = |world| [&["--world", world][..], &helo].concat();
    check(&ask(&main), 0, &["lenient: accepted at eod"]).await;
    let text = check(
        &ask(&strict),
        1,
        &[
            refused,
            "  remedy   send EHLO mail.example.test\n  or       ",
        ],
    )
    .await;
    let alone = ["--receiver", "helo-equals-ptr", "--client", "192.0.2.10"];
    let same = check(&[&alone[..], &helo].concat(), 1, &[]).await;
    assert_eq!(
        text, same,
        "a world that nobody changed answers as its scenario does"
    );
    let more = |more: &[&'static str]| [&ask(&strict)[..], more].concat();
    let json = check(&more(&["--format", "json"]), 1, &[]).await;
    let json: Value = serde_json::from_str(&json).expect("one line of JSON");
    assert_eq!(json["rule"], "helo-ptr-match");
    for format in ["svg", "html"] {
        let drawn = check(&more(&["--format", format]), 1, &["helo-ptr-match"]).await;
        let same = [&alone[..], &helo, &["--format", format]].concat();
        assert_eq!(drawn, check(&same, 1, &[]).await, "{format}");
        let all = more(&["--receiver", "all", "--format", format]);
        check(&all, 2, &["expected one receiver for --format"]).await;
    }
    let file_drawn = [&ask(&strict)[..], &["--receiver", file, "--format", "svg"]].concat();
    check(&file_drawn, 1, &["<svg ", "deferred"]).await;
    let all = check(&more(&["--receiver", "all", "--format", "json"]), 1, &[]).await;
    let all: Value = serde_json::from_str(&all).expect("one line of JSON");
    assert!(all.as_array().is_some_and(|all| all.len() > 20));
    check(
        &[&ask(&strict)[..], &["--receiver", file]].concat(),
        1,
        &["deferred at rcpt, rule greylist"],
    )
    .await;
    check(
        &more(&["--client", "203.0.113.9"]),
        1,
        &["client   203.0.113.9"],
    )
    .await;
    std::fs::remove_file(file).expect("removed");
}

#[tokio::test]
async fn combinations_that_the_command_refuses() {
    let served = lenient_and_strict().await;
    let main = format!("http://{}", served.address);
    let strict = format!("{main}/worlds/strict");
    let helo = ["--helo", "wrong.test"];
    let ask = |world| [&["--world", world][..], &helo].concat();
    let nowhere = format!("{main}/worlds/none");
    check(
        &ask(&nowhere),
        2,
        &["/worlds/none/check: 404 Not Found: expected the name of a world"],
    )
    .await;
    check(
        &ask("http://127.0.0.1:1"),
        2,
        &["cannot reach http://127.0.0.1:1/api/v1/check"],
    )
    .await;
    check(
        &ask("127.0.0.1:8025"),
        2,
        &["expected http://HOST:PORT or http://HOST:PORT/worlds/NAME"],
    )
    .await;
    check(
        &[&ask(&strict)[..], &["--scenario", "office365"]].concat(),
        2,
        &["cannot be used with"],
    )
    .await;
    check(&helo, 2, &["--client <IP>"]).await;
}
