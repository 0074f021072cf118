//! `[recipients]`: mailboxes that do not exist are refused, with the receiver's text.

use std::net::SocketAddr;
use std::time::Duration;

use martinet::World;
use martinet::check::{Attempt, judge};
use martinet::scenario::{load_receiver, parse_receiver, parse_scenario, plain_message};
use martinet::smtp::client::{Delivery, deliver};
use martinet::verdict::{Source, Verdict};

use crate::script::Stage;

const FILE: &str = r#"
title = "Two domains with few mailboxes"
receiver = "postfix-default"
[recipients]
known = ["info", "sales-*@contoso.test"]
[[domain]]
name = "contoso.test"
[[domain]]
name = "gmail.com"
receiver = "gmail"
recipients = ["someone"]
"#;

async fn sent(to: SocketAddr, recipient: &str) -> Vec<String> {
    let delivery = Delivery {
        helo: "mail.example.test".to_owned(),
        from: "sender@example.test".to_owned(),
        to: vec![recipient.to_owned()],
        message: plain_message("sender@example.test"),
        timeout: Duration::from_secs(30),
        ..Delivery::default()
    };
    let dialogue = deliver(to, &delivery).await.expect("a session");
    dialogue.last.expect("a reply").wire_lines().collect()
}

#[tokio::test]
async fn unknown_recipients_get_the_text_of_their_receiver() {
    let scenario = parse_scenario("few.toml", FILE).expect("a scenario");
    let world = World::builder()
        .with_scenario(scenario)
        .start()
        .await
        .expect("a world");
    let gmail = world.exchanges().iter().find_map(|place| {
        let is_gmail = place.receiver.as_deref() == Some("gmail");
        place.listener.filter(|_| is_gmail)
    });
    let postfix = world.smtp_addr();
    let unknown = "User unknown in local recipient table";
    for (recipient, expected) in [
        ("info@contoso.test", None),
        ("Sales-EU@contoso.test", None),
        ("postmaster@contoso.test", None),
        (
            "nobody@contoso.test",
            Some(format!(
                "550 5.1.1 <nobody@contoso.test>: Recipient address rejected: {unknown}"
            )),
        ),
        // The local part requests its own reply.
        (
            "451-4.3.0@contoso.test",
            Some("451 4.3.0 <451-4.3.0@contoso.test> asked for this".to_owned()),
        ),
    ] {
        let reply = sent(postfix, recipient).await;
        match expected {
            None => assert!(reply[0].starts_with("250"), "{recipient}: {reply:?}"),
            Some(expected) => assert_eq!(reply, [expected], "{recipient}"),
        }
    }
    let reply = sent(gmail.expect("a listener"), "info@gmail.com").await;
    assert!(
        reply[0].starts_with("550-5.1.1 The email account that you tried to reach"),
        "{reply:?}"
    );
    let session = world
        .sessions()
        .entries()
        .last()
        .expect("a session")
        .snapshot();
    assert_eq!(session.verdict(), Verdict::Reject);
    assert_eq!(session.refusals()[0].source, Source::Protocol);
    world.close().await;
}

/// `check` gives the reply that a session would get.
#[test]
fn check_rejects_unknown_recipients() {
    let scenario = parse_scenario("few.toml", FILE).expect("a scenario");
    let postfix = load_receiver("postfix-default").expect("a receiver");
    let catch_all = parse_receiver(
        "all.toml",
        "title = \"All\"\nsmtp.any_recipient = true\nsmtp.any_domain = false",
    )
    .expect("a receiver");
    let zones = scenario.zones([127, 0, 0, 1].into());
    let judged = |profile: &martinet::scenario::ReceiverProfile, recipient: &str| {
        let attempt = Attempt {
            recipient: recipient.to_owned(),
            ..Attempt::of(&scenario, [192, 0, 2, 1].into(), "mail.example.test")
        };
        let judgement = judge(&profile.receiver, &zones, profile.dns_timeout, &attempt);
        judgement.reply.wire_lines().next().unwrap_or_default()
    };
    assert!(judged(&postfix, "nobody@contoso.test").starts_with("550 5.1.1"));
    assert!(judged(&postfix, "x@elsewhere.test").starts_with("250"));
    assert!(judged(&catch_all, "nobody@contoso.test").starts_with("250"));
    assert_eq!(
        judged(&catch_all, "x@elsewhere.test"),
        "554 5.7.1 <x@elsewhere.test>: Relay access denied"
    );
}

#[test]
fn a_mailbox_with_a_space_is_a_mistake() {
    let file = "title = \"x\"\n[recipients]\nknown = [\"a b\"]\n[[domain]]\nname = \"contoso.test\"\nrecipients = [\"\"]";
    let error = parse_scenario("x.toml", file)
        .expect_err("mistakes")
        .to_string();
    assert!(
        error.contains("expected a local part or a mailbox"),
        "{error}"
    );
    assert!(
        error.contains("\"a b\"") && error.contains("\"\""),
        "{error}"
    );
}

/// DATA after only unknown recipients gets the reply of a transaction without valid recipients (RFC 5321 §3.3).
#[test]
fn data_after_unknown_recipients() {
    let receiver = "title = \"t\"\nsmtp.extensions = []\n[replies]\nno_valid_recipients = \"503 all refused: {refused}\"\ndata_without_rcpt = \"503 none named\"";
    Stage {
        scenario: FILE,
        receiver,
        client: "192.0.2.10",
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: DATA
         S: 503 none named
         C: RCPT TO:<nobody@contoso.test>
         S: 550 <nobody@contoso.test>: User unknown
         C: DATA
         S: 503 all refused: <nobody@contoso.test>: User unknown
         C: RCPT TO:<info@contoso.test>
         S: 250 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>",
    );
}
