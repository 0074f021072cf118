//! Rules that apply only to heavy senders, and rules whose replies become harder, with the clock of a world.

use std::time::Duration;

use martinet::World;
use martinet::expect::Sessions;
use martinet::policy::{Behaviour, Change};
use martinet::scenario::{load_receiver, parse_receiver};
use martinet::smtp::ClientSource;
use martinet::smtp::client::{Delivery, deliver};

const CLIENT: [u8; 4] = [192, 0, 2, 10];
const HOUR: Duration = Duration::from_secs(3600);

async fn world(rules: &str) -> World {
    let profile =
        parse_receiver("counts.toml", &format!("title = \"t\"\n{rules}")).expect("a receiver");
    World::builder()
        .scenario("one-to-one")
        .with_receiver(profile)
        .client(ClientSource::Fixed(CLIENT.into()))
        .start()
        .await
        .expect("a world")
}

/// Sends one message with a From domain, and returns the deciding reply.
async fn send(world: &World, from: &str, sender: &str, recipients: usize) -> String {
    let delivery = Delivery {
        helo: "mail.example.test".to_owned(),
        from: sender.to_owned(),
        to: (0..recipients)
            .map(|nth| format!("b{nth}@contoso.test"))
            .collect(),
        message: format!("From: <{from}>\r\nSubject: x\r\n\r\nx\r\n").into_bytes(),
        ..Delivery::default()
    };
    let dialogue = deliver(world.smtp_addr(), &delivery)
        .await
        .expect("a session");
    let reply = dialogue.refused.map(|(_, reply)| reply).or(dialogue.last);
    let line = reply.expect("a reply").wire_lines().next();
    line.expect("a line").chars().take(9).collect()
}

fn advance(world: &World, by: Duration) {
    world.advance(by).expect("a clock that goes on");
}

const BULK: &str = "[[rule]]\ncheck = \"tls-required\"\nstage = \"eod\"\nfail = \"550 5.7.29 no TLS\"\n\
                    bulk = { messages = 3, per = \"24h\", by = \"from-domain\" }\n";

#[tokio::test]
async fn a_rule_applies_to_heavy_senders_only() {
    let world = world(BULK).await;
    let example = || send(&world, "news@mail.example.test", "a@example.test", 1);
    assert_eq!(example().await, "250 2.0.0");
    advance(&world, HOUR);
    assert_eq!(example().await, "250 2.0.0");
    assert_eq!(example().await, "550 5.7.2", "the third message of a day");
    assert_eq!(
        send(&world, "Info@EXAMPLE.test", "b@other.test", 1).await,
        "550 5.7.2",
        "one organizational domain"
    );
    assert_eq!(
        send(&world, "news@contoso.test", "a@example.test", 1).await,
        "250 2.0.0",
        "another From domain"
    );
    // The first message is a day old now, the second is not; refused messages do not count.
    advance(&world, 23 * HOUR);
    assert_eq!(example().await, "250 2.0.0");
    assert_eq!(example().await, "550 5.7.2");
    world.reset();
    assert_eq!(example().await, "250 2.0.0", "a reset forgets");
}

#[tokio::test]
async fn heavy_senders_by_address_and_by_envelope() {
    for (by, other_is_bound) in [("client", true), ("sender-domain", false)] {
        let rules = format!(
            "[[rule]]\ncheck = \"tls-required\"\nfail = \"550 5.7.29 no TLS\"\n\
             bulk = {{ messages = 2, by = \"{by}\" }}\n"
        );
        let world = world(&rules).await;
        let send = |sender: &'static str| send(&world, "a@example.test", sender, 1);
        assert_eq!(send("a@example.test").await, "250 2.0.0");
        assert_eq!(send("a@example.test").await, "550 5.7.2", "{by}");
        let other = send("a@other.test").await;
        assert_eq!(other.starts_with("550"), other_is_bound, "{by}: {other}");
    }
}

#[tokio::test]
async fn the_remedy_of_a_heavy_sender_is_to_send_less() {
    let world = world(BULK).await;
    for _ in 0..3 {
        send(&world, "a@example.test", "a@example.test", 1).await;
    }
    let refused = Sessions::any().by_rule("tls-required");
    let sessions = world
        .wait_for_sessions(&refused, 1)
        .await
        .expect("a session");
    let remedies = sessions[0].refusals()[0].remedies.clone();
    let fewer =
        |change: &Change| matches!(change, Change::Behave(Behaviour::SendFewer { most: 2, .. }));
    let found = remedies
        .iter()
        .any(|remedy| remedy.all_of.iter().any(fewer));
    assert!(found, "{remedies:?}");
    let text: Vec<_> = remedies.iter().map(ToString::to_string).collect();
    let expected = "send at most 2 messages within 24h from one From domain".to_owned();
    assert!(text.contains(&expected), "{text:?}");
}

const ESCALATING: &str = "[[rule]]\ncheck = \"tls-required\"\nstage = \"rcpt\"\nfail = \"550 5.7.29 blocked\"\n\
                          escalate = { after = 2, per = \"24h\", first = \"421 4.7.29 rate limited\" }\n";

#[tokio::test]
async fn the_same_fault_is_deferred_first_and_rejected_later() {
    let world = world(ESCALATING).await;
    let attempt = || send(&world, "a@example.test", "a@example.test", 1);
    assert_eq!(attempt().await, "421 4.7.2");
    advance(&world, HOUR);
    assert_eq!(attempt().await, "421 4.7.2");
    assert_eq!(attempt().await, "550 5.7.2");
    advance(&world, 30 * HOUR);
    assert_eq!(attempt().await, "421 4.7.2", "what is older does not count");
}

#[tokio::test]
async fn a_transaction_counts_once_and_a_check_counts_nothing() {
    let world = world(&ESCALATING.replace("421 4.7.29", "451 4.7.29")).await;
    let client = CLIENT.into();
    for _ in 0..5 {
        let judgement = world.check(&world.attempt(client, "mail.example.test"));
        assert_eq!(judgement.verdict.name(), "defer");
    }
    let mut session = tokio::net::TcpStream::connect(world.smtp_addr())
        .await
        .expect("a connection");
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let recipients: String = (0..4)
        .map(|nth| format!("RCPT TO:<b{nth}@contoso.test>\r\n"))
        .collect();
    let transaction = format!("MAIL FROM:<a@example.test>\r\n{recipients}RSET\r\n");
    let octets =
        format!("EHLO mail.example.test\r\n{transaction}{transaction}{transaction}QUIT\r\n");
    let mut replies = String::new();
    let (mut read, mut write) = session.split();
    write.write_all(octets.as_bytes()).await.expect("written");
    read.read_to_string(&mut replies).await.expect("read");
    let count = |text: &str| replies.matches(text).count();
    assert_eq!(
        (count("451 4.7.29"), count("550 5.7.29")),
        (8, 4),
        "{replies}"
    );
    let judgement = world.check(&world.attempt(client, "mail.example.test"));
    assert_eq!(judgement.verdict.name(), "reject");
}

#[test]
fn mistakes_of_counts() {
    let report = |rule: &str| {
        parse_receiver("r.toml", &format!("title = \"t\"\n[[rule]]\n{rule}\n"))
            .expect_err("a mistake")
            .to_string()
    };
    for (rule, part) in [
        ("check = \"iprev\"\nbulk = {}", "messages"),
        (
            "check = \"iprev\"\nbulk = { messages = 0 }",
            "from 1 to 10000",
        ),
        (
            "check = \"iprev\"\nbulk = { messages = 10001 }",
            "from 1 to 10000",
        ),
        (
            "check = \"iprev\"\nbulk = { messages = 5, by = \"from\" }",
            "from-domain",
        ),
        ("check = \"iprev\"\nbulk = { message = 5 }", "message"),
        (
            "check = \"iprev\"\nstage = \"mail\"\nbulk = { messages = 5 }",
            "a stage from eod on",
        ),
        ("check = \"iprev\"\nescalate = { per = \"1h\" }", "after"),
        (
            "check = \"iprev\"\nescalate = { after = 1, first = \"550 no\" }",
            "a 4yz reply",
        ),
        (
            "check = \"iprev\"\nstage = \"connect\"\nescalate = { after = 1, by = \"sender-domain\" }",
            "a stage from mail on",
        ),
    ] {
        let report = report(rule);
        assert!(report.contains(part), "{rule}\n{report}");
    }
}

/// The earliest stage of a rule depends on what it counts by: without `stage`, the rule applies from there on.
#[test]
fn a_rule_waits_until_the_sender_is_known() {
    let text = "title = \"t\"\n[[rule]]\ncheck = \"iprev\"\nbulk = { messages = 5 }\n";
    let profile = parse_receiver("r.toml", text).expect("a receiver");
    assert_eq!(profile.receiver.policy.rules()[0].stage().name(), "eod");
    assert!(load_receiver("bulk-sender-rules").is_ok());
}
