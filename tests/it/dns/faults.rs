//! Faults as clients see them, and as the receiver sees them.

use martinet::dns::{Action, Fault};
use martinet::smtp::client::{Delivery, deliver};

use super::*;

fn fault(lines: &str) -> String {
    zone(&format!("[[fault]]\nname = \"mail.example.test\"\n{lines}"))
}

#[tokio::test]
async fn a_connection_is_reset() {
    let world = world(&fault("do = \"tcp-refused\"")).await;
    assert_eq!(
        summary(
            &ask(world.dns_addr(), "mail.example.test", Transport::Udp)
                .await
                .expect("UDP")
        ),
        "NoError 192.0.2.10"
    );
    let error = ask(world.dns_addr(), "mail.example.test", Transport::Tcp)
        .await
        .expect_err("no answer");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(
        summary(
            &ask(world.dns_addr(), "many.example.test", Transport::Tcp)
                .await
                .expect("another")
        ),
        "NoError 192.0.2.1 192.0.2.2"
    );
    assert_eq!(journalled(&world, 3).await, ["", "tcp-refused", ""]);
}

/// For every name: the server reads nothing and resets the connection at once, one time.
#[tokio::test]
async fn every_connection_is_reset() {
    let world = world(&zone(
        "[[fault]]\nname = \"*.\"\ndo = \"tcp-refused\"\ntimes = 1",
    ))
    .await;
    let mut stream = TcpStream::connect(world.dns_addr())
        .await
        .expect("the kernel accepts");
    let error = stream.read_u16().await.expect_err("no answer");
    assert!(
        matches!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof
        ),
        "{error}"
    );
    ask(world.dns_addr(), "mail.example.test", Transport::Tcp)
        .await
        .expect("the second connection is served");
    assert_eq!(journalled(&world, 2).await, ["tcp-refused", ""]);
    assert_eq!(world.dns_counts().faults, 1);
}

#[tokio::test]
async fn a_connection_hangs() {
    let world = world(&fault("do = \"tcp-hang\"\ntimes = 1")).await;
    let mut stream = connect(world.dns_addr()).await;
    send(
        &mut stream,
        &[
            query(1, "mail.example.test", RecordType::A),
            query(2, "many.example.test", RecordType::A),
        ],
    )
    .await;
    assert_eq!(
        journalled(&world, 1).await,
        ["tcp-hang"],
        "the second query is never read"
    );
    let silence = tokio::time::timeout(Duration::from_millis(200), stream.read_u16()).await;
    assert!(
        silence.is_err(),
        "neither an answer nor an end: {silence:?}"
    );
    ask(world.dns_addr(), "mail.example.test", Transport::Tcp)
        .await
        .expect("the second connection is served");
}

/// Answers that no resolver accepts, as clients see them.
#[tokio::test]
async fn wrong_ids_and_malformed_packets() {
    let world = world(&zone("")).await;
    let error = async |action| {
        world.set_faults(vec![Fault::new("*.", action).expect("a name")]);
        ask(world.dns_addr(), "mail.example.test", Transport::Udp)
            .await
            .expect_err("no answer")
            .to_string()
    };
    assert_eq!(error(Action::WrongId).await, "the answer has another id");
    assert!(!error(Action::Malformed).await.is_empty());
    world.set_faults(vec![
        Fault::new("*.", Action::Oversized(4000)).expect("a name"),
    ]);
    let large = ask(world.dns_addr(), "mail.example.test", Transport::Udp)
        .await
        .expect("an answer");
    assert!(large.to_vec().expect("a message").len() > 3900 && !large.metadata.truncation);
    assert_eq!(
        journalled(&world, 3).await,
        ["wrong-id", "malformed", "oversized"]
    );
}

#[tokio::test]
async fn faults_are_set_while_running() {
    let world = world(&fault("do = \"servfail\"\ntimes = 1")).await;
    let rcode = async || {
        summary(
            &ask(world.dns_addr(), "mail.example.test", Transport::Udp)
                .await
                .expect("an answer"),
        )
    };
    assert_eq!(
        (rcode().await, rcode().await),
        ("ServFail".to_owned(), "NoError 192.0.2.10".to_owned())
    );
    world.add_fault(Fault::new("*.example.test", Action::Refused).expect("a name"));
    assert_eq!(rcode().await, "Refused");
    let counts: Vec<_> = world
        .faults()
        .iter()
        .map(|f| (f.action().word(), f.seen(), f.fired()))
        .collect();
    assert_eq!(counts, [("servfail", 3, 1), ("refused", 1, 1)]);
    world.set_faults(Vec::new());
    assert_eq!(rcode().await, "NoError 192.0.2.10");
    world.reset();
    assert_eq!(
        rcode().await,
        "ServFail",
        "the scenario's faults, not fired yet"
    );
}

/// Faults apply to the receiver's PTR lookup too. A failure that may be temporary gives a 4yz reply, and the evidence
/// names the fault.
#[tokio::test]
async fn faults_apply_to_the_receiver_too() {
    for (lines, code, outcome) in [
        ("do = \"servfail\"", "451", "servfail"),
        ("do = \"refused\"", "451", "refused"),
        ("do = \"notimp\"", "451", "servfail"),
        ("do = \"formerr\"", "451", "servfail"),
        ("do = \"drop\"", "451", "timeout"),
        ("do = \"delay\"\ndelay = \"60s\"", "451", "timeout"),
        ("do = \"lame\"", "451", "servfail"),
        ("do = \"referral\"", "451", "servfail"),
        ("do = \"wrong-id\"", "451", "timeout"),
        ("do = \"wrong-question\"", "451", "timeout"),
        ("do = \"malformed\"", "451", "servfail"),
        ("do = \"oversized\"", "451", "servfail"),
        ("do = \"cname-loop\"", "451", "servfail"),
        ("do = \"cname-chain\"\nlength = 20", "451", "servfail"),
        ("do = \"cname-chain\"\nlength = 5", "250", "data"),
        ("do = \"nxdomain\"", "550", "nxdomain"),
        ("do = \"nodata\"", "550", "nodata"),
        ("do = \"wrong-answer\"", "550", "data"),
        ("do = \"truncate\"", "250", "data"),
        ("do = \"ttl\"\nttl = 0", "250", "data"),
        ("do = \"reorder\"\norder = \"fixed\"", "250", "data"),
        ("do = \"single-record\"", "250", "data"),
        (
            "do = \"delay\"\ndelay = \"10ms\"\njitter = \"5ms\"",
            "250",
            "data",
        ),
        ("do = \"servfail\"\nfrom = 2", "250", "data"),
    ] {
        let pool = "[[pool]]\nname = \"p\"\naddresses = [\"192.0.2.25\"]\nptr = \"out.example.test.\"\nhelo = \"out.example.test\"";
        let text = format!(
            "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n{pool}\n[[fault]]\nname = \"25.2.0.192.in-addr.arpa\"\n{lines}"
        );
        let scenario = martinet::scenario::parse_scenario("t", &text).expect("a scenario");
        let receiver = martinet::scenario::load_receiver("fcrdns").expect("a receiver");
        let zones = scenario.zones([127, 0, 0, 1].into());
        let attempt = martinet::check::Attempt {
            client: [192, 0, 2, 25].into(),
            helo: "out.example.test".to_owned(),
            verb: "EHLO".to_owned(),
            sender: String::new(),
            recipient: "b@contoso.test".to_owned(),
            message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
            recipients: std::sync::Arc::default(),
            conduct: martinet::smtp::client::ClientConduct::default(),
            sent: std::sync::Arc::default(),
        };
        let judgement =
            martinet::check::judge(&receiver.receiver, &zones, Duration::from_secs(5), &attempt);
        let json = serde_json::to_value(&judgement).expect("JSON");
        let reply = json["reply"][0].as_str().unwrap_or("250");
        assert_eq!(&reply[..3], code, "{lines}: {json}");
        let ptr = json["evidence"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|q| q["type"] == "PTR")
            .expect("PTR");
        assert_eq!(ptr["outcome"], outcome, "{lines}");
        if !lines.contains("from") {
            let word = lines.split('"').nth(1).expect("a word");
            assert_eq!(ptr["fault"], word, "{lines}");
        }
    }
}

/// The same over SMTP: the answer is truncated, and TCP fails.
#[tokio::test]
async fn truncated_and_tcp_refused_is_deferred() {
    for (action, verdict) in [
        ("tcp-refused", "defer"),
        ("tcp-hang", "defer"),
        ("ttl\"\nttl = \"0", "accept"),
    ] {
        let pool = "[[pool]]\nname = \"p\"\naddresses = [\"192.0.2.25\"]\nptr = \"out.example.test.\"\nhelo = \"out.example.test\"";
        let faults = ["truncate", action].map(|word| {
            format!("[[fault]]\nname = \"25.2.0.192.in-addr.arpa\"\ndo = \"{word}\"\n")
        });
        let text = format!(
            "title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n{pool}\n{}",
            faults.concat()
        )
        .replace("\"0\"", "0");
        let receiver = "title = \"t\"\ndns_timeout = \"50ms\"\n[[rule]]\ncheck = \"iprev\"";
        let world = World::builder()
            .with_scenario(martinet::scenario::parse_scenario("t", &text).expect("a scenario"))
            .with_receiver(martinet::scenario::parse_receiver("r", receiver).expect("a receiver"))
            .start()
            .await
            .expect("a world");
        let delivery = Delivery {
            helo: "out.example.test".to_owned(),
            from: "a@example.test".to_owned(),
            to: vec!["b@contoso.test".to_owned()],
            message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
            ..Delivery::default()
        };
        let _ = deliver(world.smtp_addr(), &delivery).await;
        let ended = world
            .sessions()
            .wait(|log| {
                log.entry(1)
                    .map(|e| e.snapshot())
                    .filter(|r| r.closed_by().is_some())
            })
            .await;
        assert_eq!(ended.verdict().name(), verdict, "{action}");
    }
}

/// An answer that waits for its delay uses the socket: it must not keep the port open after its world has ended.
#[tokio::test]
async fn a_world_that_ends_gives_its_ports_back() {
    let world = world(&fault("do = \"delay\"\ndelay = \"20s\"")).await;
    let address = world.dns_addr();
    let udp = tokio::spawn(async move { ask(address, "mail.example.test", Transport::Udp).await });
    let tcp = tokio::spawn(async move { ask(address, "mail.example.test", Transport::Tcp).await });
    journalled(&world, 2).await;
    world.close().await;
    tokio::net::UdpSocket::bind(address)
        .await
        .expect("the port is free over UDP");
    tokio::net::TcpListener::bind(address)
        .await
        .expect("the port is free over TCP");
    udp.abort();
    tcp.abort();
}
