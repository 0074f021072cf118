//! Rules about conduct and memory over real sockets: pipelining, other protocols, limits, greylisting, header fields
//! before a message.

use std::time::Duration;

use martinet::World;
use martinet::scenario::parse_receiver;
use martinet::smtp::ClientSource;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Builds a world from the rules of a receiver; connections come from 192.0.2.10.
async fn world(scenario: &str, receiver: &str) -> World {
    let profile =
        parse_receiver("conduct.toml", &format!("title = \"t\"\n{receiver}")).expect("a receiver");
    let client = ClientSource::Fixed([192, 0, 2, 10].into());
    World::builder()
        .scenario(scenario)
        .with_receiver(profile)
        .client(client)
        .start()
        .await
        .expect("a world")
}

/// A client that can make every mistake.
struct TestClient(BufReader<TcpStream>);

impl TestClient {
    async fn with(world: &World) -> Self {
        Self(BufReader::new(
            TcpStream::connect(world.smtp_addr())
                .await
                .expect("a connection"),
        ))
    }

    async fn say(&mut self, octets: &str) {
        self.0
            .get_mut()
            .write_all(octets.as_bytes())
            .await
            .expect("written");
    }

    /// The next reply, its lines joined by `|`.
    async fn read_reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.expect("a line") == 0 {
                return "(closed)".to_owned();
            }
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.trim_end().to_owned());
            if !more {
                return lines.join("|");
            }
        }
    }

    /// Sends one line and reads the reply.
    async fn ask(&mut self, line: &str) -> String {
        self.say(&format!("{line}\r\n")).await;
        self.read_reply().await
    }

    /// Sends everything up to RCPT, and returns the last reply.
    async fn try_recipient(world: &World, helo: &str, sender: &str) -> String {
        let mut talk = Self::with(world).await;
        talk.read_reply().await;
        for line in [format!("EHLO {helo}"), format!("MAIL FROM:<{sender}>")] {
            let reply = talk.ask(&line).await;
            if !reply.starts_with("250") {
                return reply;
            }
        }
        talk.ask("RCPT TO:<b@contoso.test>").await
    }
}

#[tokio::test]
async fn an_early_talker_is_refused() {
    let rule = "greeting = [\"{mx} one\", \"two\"]\n[[rule]]\ncheck = \"pregreet\"\nwait = \"300ms\"\nteaser = true";
    let world = world("one-to-one", rule).await;
    let mut patient = TestClient::with(&world).await;
    assert_eq!(
        patient.read_reply().await,
        "220-mx.martinet.test one|220 two"
    );
    let mut hasty = TestClient::with(&world).await;
    hasty.say("EHLO mail.example.test\r\n").await;
    assert_eq!(
        hasty.read_reply().await,
        "220-mx.martinet.test one|521 5.5.1 Protocol error"
    );
    assert_eq!(hasty.read_reply().await, "(closed)");
}

#[tokio::test]
async fn an_early_talker_is_put_off_until_rcpt() {
    let rule = "[[rule]]\ncheck = \"pregreet\"\nwait = \"300ms\"\nstage = \"rcpt\"\nfail = \"550 5.5.1 Protocol error\"";
    let world = world("one-to-one", rule).await;
    let mut hasty = TestClient::with(&world).await;
    hasty
        .say("EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\n")
        .await;
    let mut last = String::new();
    for _ in 0..4 {
        last = hasty.read_reply().await;
    }
    assert_eq!(last, "550 5.5.1 Protocol error");
}

#[tokio::test]
async fn rfc2920_unannounced_pipelining_is_refused() {
    let world = world(
        "one-to-one",
        "smtp.xclient = []\n[[rule]]\ncheck = \"sync\"",
    )
    .await;
    let mut good = TestClient::with(&world).await;
    good.read_reply().await;
    good.ask("EHLO mail.example.test").await;
    good.say("MAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n")
        .await;
    for expected in ["250", "250", "354"] {
        assert!(good.read_reply().await.starts_with(expected));
    }
    for burst in [
        "EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\n",
        "HELO mail.example.test\r\nRSET\r\n",
        "NOOP\r\nNOOP\r\n",
    ] {
        let mut bad = TestClient::with(&world).await;
        bad.read_reply().await;
        bad.say(burst).await;
        assert_eq!(
            bad.read_reply().await,
            "554 5.5.0 Error: SMTP protocol synchronization",
            "{burst}"
        );
    }
}

#[tokio::test]
async fn other_protocols_are_sent_away() {
    let world = world("one-to-one", "[[rule]]\ncheck = \"non-smtp-command\"").await;
    let mut browser = TestClient::with(&world).await;
    browser.read_reply().await;
    assert_eq!(
        browser.ask("FROB").await,
        "500 5.5.2 Error: command not recognized"
    );
    browser.say("GET / HTTP/1.1\r\nHost: mx\r\n\r\n").await;
    assert_eq!(
        browser.read_reply().await,
        "221 2.7.0 Error: I can break rules, too. Goodbye."
    );
    let mut rest = String::new();
    browser
        .0
        .read_to_string(&mut rest)
        .await
        .expect("closed in order, not reset");
    assert_eq!(rest, "");
}

#[tokio::test]
async fn a_bare_line_feed_is_refused_in_the_receivers_words() {
    let world = world(
        "one-to-one",
        "syntax.bare_lf = \"normalize\"\nsyntax.bare_cr = \"normalize\"\n[[rule]]\ncheck = \"bare-lf\"",
    )
    .await;
    let mut talk = TestClient::with(&world).await;
    talk.read_reply().await;
    talk.ask("EHLO mail.example.test").await;
    talk.ask("MAIL FROM:<a@example.test>").await;
    talk.ask("RCPT TO:<b@contoso.test>").await;
    talk.ask("DATA").await;
    let reply = talk.ask("Subject: x\n\r\nbare\nline\r\n.").await;
    assert_eq!(
        reply,
        "550 5.5.2 mx.martinet.test Error: bare <LF> received"
    );
    assert_eq!(world.messages().counts().kept, 0);
}

#[tokio::test]
async fn rfc6647_greylisting_on_an_advanced_clock() {
    let world = world(
        "one-to-one",
        "[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"",
    )
    .await;
    let attempt = || TestClient::try_recipient(&world, "mail.example.test", "a@example.test");
    assert_eq!(
        attempt().await,
        "451 4.7.1 Greylisting in action, please come back in 00:05:00"
    );
    world
        .advance(Duration::from_secs(240))
        .expect("within the bound");
    assert_eq!(
        attempt().await,
        "451 4.7.1 Greylisting in action, please come back in 00:01:00"
    );
    world
        .advance(Duration::from_secs(61))
        .expect("within the bound");
    assert!(attempt().await.starts_with("250"));
    let other = TestClient::try_recipient(&world, "mail.example.test", "other@example.test").await;
    assert!(other.starts_with("451"), "{other}");
    world.reset();
    assert!(
        attempt().await.starts_with("451"),
        "a reset world knows nobody"
    );
}

#[tokio::test]
async fn limits_of_connections_messages_and_recipients() {
    let rules = "[[rule]]\ncheck = \"limits\"\nconnections = 2\n\
                 [[rule]]\ncheck = \"limits\"\nmessages = 1\nfail = \"421 one message only\"\n\
                 [[rule]]\ncheck = \"limits\"\nrecipients = 2\nfail = \"452 4.5.3 enough\"";
    let world = world("one-to-one", rules).await;
    let mut first = TestClient::with(&world).await;
    let mut second = TestClient::with(&world).await;
    assert!(
        first.read_reply().await.starts_with("220") && second.read_reply().await.starts_with("220")
    );
    let mut third = TestClient::with(&world).await;
    assert_eq!(
        third.read_reply().await,
        "421 4.7.0 mx.martinet.test Error: too many connections"
    );
    first.ask("EHLO mail.example.test").await;
    first.ask("MAIL FROM:<a@example.test>").await;
    for expected in ["250", "250", "452 4.5.3 enough"] {
        assert!(
            first
                .ask("RCPT TO:<b@contoso.test>")
                .await
                .starts_with(expected)
        );
    }
    first.ask("RSET").await;
    assert_eq!(
        first.ask("MAIL FROM:<a@example.test>").await,
        "421 one message only"
    );
    assert_eq!(first.read_reply().await, "(closed)");
}

#[tokio::test]
async fn helo_names_of_a_client_are_remembered() {
    let rules =
        "[[rule]]\ncheck = \"helo-stable\"\nscope = \"client\"\nfail = \"450 you were {earlier}\"";
    let stable = world("one-to-one", rules).await;
    assert!(
        TestClient::try_recipient(&stable, "mail.example.test", "")
            .await
            .starts_with("250")
    );
    assert_eq!(
        TestClient::try_recipient(&stable, "other.test", "").await,
        "450 you were mail.example.test"
    );
    stable
        .advance(Duration::from_secs(3601))
        .expect("within the bound");
    assert!(
        TestClient::try_recipient(&stable, "new.test", "")
            .await
            .starts_with("250")
    );

    let two = world(
        "one-to-one",
        "[[rule]]\ncheck = \"unverifiable-per-ip\"\nnames = 2",
    )
    .await;
    for helo in ["a.test", "b.test", "mail.example.test"] {
        assert!(
            TestClient::try_recipient(&two, helo, "")
                .await
                .starts_with("250"),
            "{helo}"
        );
    }
    let third = TestClient::try_recipient(&two, "c.test", "").await;
    assert_eq!(
        third,
        "450 service permits 2 unverifyable sending IPs - c.test is not 192.0.2.10"
    );
}

#[tokio::test]
async fn rfc8601_an_accepted_message_carries_its_results() {
    let rules = "[[rule]]\ncheck = \"sender-spf\"\n[[rule]]\ncheck = \"dmarc\"";
    let world = world("one-to-one", rules).await;
    let mut talk = TestClient::with(&world).await;
    talk.read_reply().await;
    talk.ask("EHLO mail.example.test").await;
    talk.ask("MAIL FROM:<a@example.test>").await;
    talk.ask("RCPT TO:<b@contoso.test>").await;
    talk.ask("DATA").await;
    assert!(
        talk.ask("From: a@example.test\r\n\r\nx\r\n.")
            .await
            .starts_with("250")
    );
    let message = world.messages().wait(|log| log.entry(1)).await;
    let raw = String::from_utf8(message.raw()).expect("text");
    for part in [
        "Return-Path: <a@example.test>\r\nDelivered-To: b@contoso.test\r\nAuthentication-Results: mx.martinet.test;\r\n\tiprev=pass (mail.example.test)",
        "smtp.mailfrom=a@example.test;\r\n\tdkim=none;\r\n\tdmarc=",
        "Received: from mail.example.test (mail.example.test [192.0.2.10])\r\n\tby mx.martinet.test with ESMTP id ",
        "\r\n\tfor <b@contoso.test>;\r\n\t",
        " +0000\r\nFrom: a@example.test\r\n\r\nx\r\n",
    ] {
        assert!(raw.contains(part), "no {part:?} in {raw}");
    }
}
