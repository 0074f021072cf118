//! Earlier messages of a sender (`[[sent]]`), and clients that deviate from the usual dialogue: in scenario files and
//! with `send`.

use std::process::Command;
use std::time::Duration;

use martinet::World;
use martinet::scenario::{load_scenario, parse_scenario};
use martinet::smtp::client::{ClientConduct, Delivery, Dialogue, deliver};

/// A scenario in which example.test has sent 4,999 messages.
const FILE: &str = r#"
title = "t"
receiver = "fcrdns"

[[domain]]
name = "contoso.test"
receiver = "gmail"

[[zone]]
origin = "example.test."
text = """
@     TXT  "v=spf1 ip4:192.0.2.10 -all"
mail  A    192.0.2.10
"""

[[zone]]
origin = "2.0.192.in-addr.arpa."
text = """
10  PTR  mail.example.test.
"""

[[pool]]
name      = "mail"
addresses = ["192.0.2.10"]
helo      = "mail.example.test"

[client]
from = { pool = "mail" }
"#;

const SENT: &str = "[[sent]]\nfrom_domain = \"mail.example.test\"\nmessages = 4999\n";

fn delivery() -> Delivery {
    Delivery {
        helo: "mail.example.test".to_owned(),
        from: "news@example.test".to_owned(),
        to: vec!["postmaster@contoso.test".to_owned()],
        message: martinet::scenario::plain_message("news@example.test"),
        ..Delivery::default()
    }
}

/// The first code of the deciding reply of the receiver of contoso.test.
async fn code(world: &World) -> String {
    let place = world.exchanges().first().and_then(|place| place.listener);
    let receiver = place.expect("a listener of the domain");
    let dialogue = deliver(receiver, &delivery()).await.expect("a session");
    let last = dialogue.last.expect("a reply");
    last.wire_line(0).chars().take(9).collect()
}

#[tokio::test]
async fn messages_sent_before_count_until_their_time_is_over() {
    let with = parse_scenario("t", &format!("{FILE}{SENT}")).expect("a scenario");
    let world = World::builder()
        .with_scenario(with.clone())
        .start()
        .await
        .expect("a world");
    assert_eq!(code(&world).await, "421-4.7.3");
    world.advance(Duration::from_secs(24 * 3600)).expect("time");
    assert_eq!(code(&world).await, "250 2.0.0", "a day later");
    world.reset();
    assert_eq!(code(&world).await, "421-4.7.3", "as at the start");

    let without = parse_scenario("t", FILE).expect("a scenario");
    let world = World::builder()
        .with_scenario(without)
        .start()
        .await
        .expect("a world");
    assert_eq!(code(&world).await, "250 2.0.0");
    world.set_scenario(with.clone()).expect("the scenario");
    assert_eq!(code(&world).await, "421-4.7.3", "of the new scenario");
    // Messages that are counted already are not counted twice.
    world.set_scenario(with).expect("the scenario");
    assert_eq!(code(&world).await, "421-4.7.3");
}

#[test]
fn mistakes_in_sent_are_reported() {
    let report = |sent: &str| {
        let parsed = parse_scenario("t", &format!("{FILE}{sent}"));
        parsed.expect_err("a mistake").to_string()
    };
    for (sent, part) in [
        (
            "[[sent]]\nmessages = 5",
            "one of client, sender_domain and from_domain, found none",
        ),
        (
            "[[sent]]\nmessages = 5\nclient = \"192.0.2.1\"\nfrom_domain = \"a.test\"",
            "found several",
        ),
        (
            "[[sent]]\nmessages = 0\nclient = \"192.0.2.1\"",
            "from 1 to 10000",
        ),
        (
            "[[sent]]\nmessages = 10001\nclient = \"192.0.2.1\"",
            "from 1 to 10000",
        ),
        ("[[sent]]\nclient = \"192.0.2.1\"", "messages"),
        (
            "[[expect]]\nclient = \"192.0.2.10\"\nhelo = \"a\"\nreply = \"250\"\nearly = true",
            "says beside early = true",
        ),
        (
            "[[expect]]\nclient = \"192.0.2.10\"\nhelo = \"a\"\nreply = \"250\"\nsays = [\"NOOP\"]\nmessages = 2",
            "says alone",
        ),
        (
            "[[expect]]\nclient = \"192.0.2.10\"\nhelo = \"a\"\nreply = \"250\"\nopen = 1001",
            "from 0 to 1000",
        ),
    ] {
        let report = report(sent);
        assert!(report.contains(part), "{part}: {report}");
    }
}

async fn with(receiver: &str, conduct: ClientConduct) -> (Dialogue, String) {
    let world = World::builder()
        .with_scenario(load_scenario("one-to-one").expect("a scenario"))
        .receiver(receiver)
        .start()
        .await
        .expect("a world");
    let delivery = Delivery {
        conduct,
        ..delivery()
    };
    let dialogue = deliver(world.smtp_addr(), &delivery)
        .await
        .expect("a session");
    let last = dialogue.last.as_ref().expect("a reply").wire_line(0);
    (dialogue, last)
}

fn says(texts: &[&str]) -> ClientConduct {
    ClientConduct {
        says: texts.iter().map(|text| (*text).to_owned()).collect(),
        ..ClientConduct::default()
    }
}

#[tokio::test]
async fn a_client_sends_the_given_lines() {
    let conduct = says(&[
        "NOOP\r\nNOOP",
        "EHLO mail.example.test",
        "MAIL FROM:<a@example.test>",
        "NOOP",
    ]);
    let (dialogue, last) = with("lenient", conduct).await;
    assert!(last.starts_with("250"), "{last}");
    let lines = dialogue.lines.iter().filter(|(who, _)| *who == "C");
    let lines: Vec<_> = lines.map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "NOOP",
            "NOOP",
            "EHLO mail.example.test",
            "MAIL FROM:<a@example.test>",
            "NOOP",
            "QUIT"
        ]
    );
    // A whole message is one string after DATA, and has one reply.
    let message = "Subject: x\r\n\r\nx\r\n.\r\n";
    let conduct = says(&[
        "EHLO mail.example.test",
        "MAIL FROM:<a@example.test>",
        "RCPT TO:<postmaster@contoso.test>",
        "DATA",
        message,
        "NOOP",
    ]);
    let (_, last) = with("lenient", conduct).await;
    assert!(last.starts_with("250"), "{last}");
    // A refusal ends it, and so does 221.
    let (dialogue, last) = with("postfix-default", says(&["GET / HTTP/1.1", "NOOP"])).await;
    assert!(last.starts_with("221 2.7.0"), "{last}");
    assert!(dialogue.refused.is_none());
    let (dialogue, last) = with(
        "stalwart-strict",
        says(&["MAIL FROM:<a@example.test>", "NOOP"]),
    )
    .await;
    assert!(last.starts_with("503 5.5.1"), "{last}");
    let refused = dialogue.refused.map(|(stage, _)| stage);
    assert_eq!(refused, Some(martinet::stage::Stage::Mail));
}

#[tokio::test]
async fn a_client_does_more_than_is_usual() {
    let (_, last) = with(
        "cox",
        ClientConduct {
            early: true,
            ..says(&["EHLO mail.example.test"])
        },
    )
    .await;
    assert!(last.contains("no data before greeting"), "{last}");
    for (receiver, conduct, reply) in [
        (
            "orange",
            ClientConduct {
                open: 2,
                ..ClientConduct::default()
            },
            "421",
        ),
        (
            "yahoo",
            ClientConduct {
                messages: 21,
                ..ClientConduct::default()
            },
            "421 Max message",
        ),
        (
            "facebook",
            ClientConduct {
                recipients: 101,
                ..ClientConduct::default()
            },
            "4",
        ),
    ] {
        let (_, last) = with(receiver, conduct.clone()).await;
        assert!(last.starts_with(reply), "{receiver}: {last}");
    }
}

#[tokio::test]
async fn send_deviates_too() {
    let world = World::builder()
        .with_scenario(load_scenario("one-to-one").expect("a scenario"))
        .receiver("opensmtpd-fcrdns")
        .start()
        .await
        .expect("a world");
    let smtp = world.smtp_addr().to_string();
    let send = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_martinet"));
        command.args(["send", "--smtp", &smtp]).args(arguments);
        let running = tokio::task::spawn_blocking(move || command.output().expect("martinet runs"));
        async move {
            let output = running.await.expect("no panic");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), text + &errors)
        }
    };
    let (code, text) = send(&[
        "--say",
        r"EHLO mail.example.test\r\nMAIL FROM:<a@example.test>",
    ])
    .await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Pipelining not supported"), "{text}");
    let helo = [
        "--helo",
        "mail.example.test",
        "--messages",
        "2",
        "--recipients",
        "3",
        "--open",
        "1",
    ];
    let (code, text) = send(&helo).await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("C: RCPT").count(), 6, "{text}");
    for wrong in [&["--early"][..], &["--say", r"\x"], &["--messages", "0"]] {
        let (code, text) = send(wrong).await;
        assert_eq!(code, Some(2), "{text}");
    }
}
