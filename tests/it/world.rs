//! A world as a whole: its journal and its end.

use std::io;
use std::time::Duration;

use martinet::World;
use martinet::dns::{self, Transport};
use martinet::name::{RecordType, absolute};
use martinet::smtp::client::{Delivery, deliver};
use martinet::verdict::{ClosedBy, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn delivery(helo: &str) -> Delivery {
    Delivery {
        helo: helo.to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        message: b"Subject: x\r\n\r\n.dot\r\n".to_vec(),
        ..Delivery::default()
    }
}

#[tokio::test]
async fn the_journal_has_the_session() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    deliver(world.smtp_addr(), &delivery("mail.example.test"))
        .await
        .expect("a session");
    deliver(world.smtp_addr(), &delivery("wrong.test"))
        .await
        .expect("a session");
    let ended = |n| {
        world.sessions().wait(move |log| {
            log.entry(n)
                .map(|e| e.snapshot())
                .filter(|r| r.closed_by() == Some(ClosedBy::Quit))
        })
    };
    let (good, bad) = (ended(1).await, ended(2).await);
    assert_eq!(
        (good.verdict(), bad.verdict()),
        (Verdict::Accept, Verdict::Reject)
    );
    assert_eq!(good.transactions()[0].message, Some(1));
    assert_eq!(bad.refusals()[0].rule, "helo-ptr-match");
    assert_eq!(
        good.transcript_lines().next().map(|l| l.text),
        Some("220 mx.martinet.test ESMTP martinet")
    );
    assert!(
        bad.transactions()
            .iter()
            .all(|t| t.verdict == Verdict::Reject)
    );
    let message = world.messages().entry(1).expect("a message");
    assert_eq!(*message.octets, b"Subject: x\r\n\r\n.dot\r\n");
    assert_eq!(message.envelope.recipients, ["b@contoso.test"]);
    assert_eq!((message.session, world.messages().counts().kept), (1, 1));
    world.stop().await;
}

#[tokio::test]
async fn dns_queries_are_journalled_and_zones_replaced() {
    let world = World::builder()
        .scenario("one-to-one")
        .start()
        .await
        .expect("a world");
    let name = absolute("mail.example.test").expect("a name");
    let timeout = Duration::from_secs(10);
    for transport in [Transport::Udp, Transport::Tcp] {
        let reply = dns::client::ask(
            world.dns_addr(),
            &name,
            RecordType::A,
            transport,
            None,
            timeout,
        )
        .await
        .expect("an answer");
        assert_eq!(reply.answers.len(), 1);
    }
    world.replace_zones(dns::Zones::new(Vec::new(), Vec::new()));
    let reply = dns::client::ask(
        world.dns_addr(),
        &name,
        RecordType::A,
        Transport::Udp,
        None,
        timeout,
    )
    .await
    .expect("an answer");
    assert!(reply.answers.is_empty());
    let seen: Vec<_> = world
        .dns_queries()
        .entries()
        .iter()
        .map(|q| format!("{} {} {}", q.transport, q.record_type(), q.rcode()))
        .collect();
    assert_eq!(seen, ["udp A NOERROR", "tcp A NOERROR", "udp A REFUSED"]);
}

#[tokio::test]
async fn a_port_in_use_is_an_environment_error() {
    let world = World::builder().start().await.expect("a world");
    let error = World::builder()
        .smtp(world.smtp_addr())
        .start()
        .await
        .expect_err("the port is taken");
    assert!(error.is_environment());
    assert!(
        error.to_string().contains(&world.smtp_addr().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_a_world_closes_its_ports() {
    let world = World::builder().start().await.expect("a world");
    let address = world.smtp_addr();
    world.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// Pipelined commands are answered in one write: the client needs one read, and no reply waits for another packet.
#[tokio::test]
async fn rfc2920_a_pipelined_burst() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("lenient")
        .start()
        .await
        .expect("a world");
    let mut stream = TcpStream::connect(world.smtp_addr())
        .await
        .expect("a connection");
    let burst =
        b"EHLO x.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n";
    read_until(&mut stream, b"\r\n").await.expect("a greeting");
    stream.write_all(burst).await.expect("sent");
    let replies = read_until(&mut stream, b"354 End data with <CR><LF>.<CR><LF>\r\n")
        .await
        .expect("replies");
    assert!(replies.contains("250 2.1.5 Ok\r\n354"), "{replies}");
    stream.write_all(b"x\r\n.\r\nQUIT\r\n").await.expect("sent");
    let end = read_until(&mut stream, b"Bye\r\n").await.expect("replies");
    assert_eq!(end, "250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n");
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) -> io::Result<String> {
    let mut octets = Vec::new();
    while !octets.ends_with(end) {
        if stream.read_buf(&mut octets).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// RFC 5321 §4.5.3.2: a silent client gets 421, and the journal has the reason for the end of the session.
#[tokio::test]
async fn a_silent_client_gets_421() {
    let receiver = martinet::scenario::parse_receiver(
        "impatient",
        "title = \"t\"\nsmtp.command_timeout = \"50ms\"",
    );
    let world = World::builder()
        .with_receiver(receiver.expect("a receiver"))
        .start()
        .await
        .expect("a world");
    let mut stream = TcpStream::connect(world.smtp_addr())
        .await
        .expect("a connection");
    let replies = read_until(&mut stream, b"exceeded\r\n")
        .await
        .expect("replies");
    assert_eq!(
        replies,
        "220 mx.martinet.test ESMTP martinet\r\n421 4.4.2 Error: timeout exceeded\r\n"
    );
    let closed = |log: &martinet::journal::Log<martinet::smtp::SessionEntry>| {
        log.entry(1).and_then(|e| e.snapshot().closed_by())
    };
    assert_eq!(world.sessions().wait(closed).await, ClosedBy::Timeout);
}

/// No octets from a socket may stop the world: random ones, then a normal session.
#[tokio::test]
async fn random_octets_do_not_stop_the_world() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    let seed = std::env::var("MARTINET_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(25_u64);
    println!("seed {seed}");
    let mut state = seed;
    let mut octet = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pieces: &[u8] = b"\r\n. <>:@[]EHLOMAILRCPTDATAXCLIENT=+\0\xff";
        pieces[(state >> 33) as usize % pieces.len()]
    };
    for _ in 0..50 {
        let mut stream = TcpStream::connect(world.smtp_addr())
            .await
            .expect("a connection");
        let octets: Vec<u8> = (0..2000).map(|_| octet()).collect();
        let _ = stream.write_all(&octets).await;
        let _ = stream.shutdown().await;
        let mut sink = Vec::new();
        let _ = stream.read_to_end(&mut sink).await;
    }
    let dialogue = deliver(world.smtp_addr(), &delivery("mail.example.test"))
        .await
        .expect("a session");
    assert!(dialogue.refused.is_none());
}

/// A world with shortened waits gives the replies from after the waits, and its clock has advanced.
#[tokio::test]
async fn a_shortened_wait_is_a_whole_one_by_the_clock() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("postfix-postscreen");
    let world = world
        .longest_wait(Duration::from_millis(50))
        .start()
        .await
        .expect("a world");
    let began = std::time::Instant::now();
    deliver(world.smtp_addr(), &delivery("mail.example.test"))
        .await
        .expect("a session");
    let session = world.wait_for_session().await.expect("a session");
    session.assert_deferred().by_rule("greylist").with_code(450);
    assert!(
        world.now() >= Duration::from_secs(6),
        "postscreen waits six seconds: {:?}",
        world.now()
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "and the client does not: {:?}",
        began.elapsed()
    );
}
