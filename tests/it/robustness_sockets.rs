//! Hostile clients over real sockets: clients that are slow, silent, many, or disconnect early.

mod bounds;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use martinet::World;
use martinet::harness::{Builder, Retention};
use martinet::journal::Limits;
use martinet::scenario::{Listener, parse_receiver};
use martinet::smtp::client::{Delivery, deliver};
use martinet::smtp::{ClientSource, SessionRecord};
use martinet::verdict::ClosedBy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

fn builder(receiver: &str) -> Builder {
    let profile = parse_receiver(
        "r",
        &format!("title = \"t\"\nsmtp.xclient = []\n{receiver}"),
    )
    .expect("a receiver");
    World::builder()
        .with_receiver(profile)
        .client(ClientSource::Fixed([192, 0, 2, 10].into()))
}

async fn world(receiver: &str) -> World {
    builder(receiver).start().await.expect("a world")
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Reads until the text ends like this; returns what came if the connection ends before.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut octets = Vec::new();
    while !octets.ends_with(end.as_bytes())
        && stream
            .read_buf(&mut octets)
            .await
            .is_ok_and(|read| read > 0)
    {}
    String::from_utf8(octets).expect("replies are text")
}

/// Reads to the end, however the connection ends.
async fn rest(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets).await;
    String::from_utf8_lossy(&octets).into_owned()
}

/// Waits until written octets arrive: a paused clock would advance before them.
async fn arrived() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

async fn ended(world: &World, session: u64) -> SessionRecord {
    let ended = |entry: std::sync::Arc<martinet::smtp::SessionEntry>| {
        entry.is_closed().then(|| entry.snapshot())
    };
    world
        .sessions()
        .wait(move |log| log.entry(session).and_then(ended))
        .await
}

/// Sends a message as a normal client does.
async fn serves(world: &World) {
    let delivery = Delivery {
        helo: "mail.example.test".to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        message: b"Subject: x\r\n\r\nx\r\n".to_vec(),
        timeout: Duration::from_secs(20),
        ..Delivery::default()
    };
    let dialogue = deliver(world.smtp_addr(), &delivery)
        .await
        .expect("a session");
    assert!(dialogue.refused.is_none(), "{:?}", dialogue.refused);
}

/// RFC 5321 §4.5.3.2: a command has one timeout, however many octets arrive within it. The paused clock skips the five
/// minutes.
#[tokio::test(start_paused = true)]
async fn an_octet_a_minute_does_not_extend_the_timeout() {
    let world = world("").await;
    let mut stream = connect(world.smtp_addr()).await;
    assert_eq!(
        read_until(&mut stream, "\r\n").await,
        "220 mx.martinet.test ESMTP martinet\r\n"
    );
    let start = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut octets = Vec::new();
    let drip = async {
        for octet in std::iter::repeat(b'x') {
            if writing.write_all(&[octet]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    };
    tokio::select! {
        read = reading.read_to_end(&mut octets) => drop(read),
        () = drip => {}
    }
    assert_eq!(
        String::from_utf8_lossy(&octets),
        "421 4.4.2 Error: timeout exceeded\r\n"
    );
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(300) && took < Duration::from_secs(420),
        "{took:?}"
    );
    assert_eq!(ended(&world, 1).await.closed_by(), Some(ClosedBy::Timeout));
}

/// The timeout starts again with each command, and data has its own: a client that continues is not disconnected.
#[tokio::test(start_paused = true)]
async fn a_command_every_four_minutes_is_served() {
    let world = world("smtp.data_timeout = \"3m\"").await;
    let mut stream = connect(world.smtp_addr()).await;
    read_until(&mut stream, "\r\n").await;
    for (line, reply) in [
        ("EHLO mail.example.test", "250 "),
        ("MAIL FROM:<a@example.test>", "250 "),
        ("RCPT TO:<b@contoso.test>", "250 "),
        ("DATA", "354 "),
    ] {
        tokio::time::sleep(Duration::from_secs(240)).await;
        stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .expect("written");
        arrived().await;
        assert!(
            read_until(&mut stream, "\r\n").await.contains(reply),
            "{line}"
        );
    }
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(150)).await;
        stream.write_all(b"a line\r\n").await.expect("written");
        arrived().await;
    }
    stream.write_all(b".\r\n").await.expect("written");
    assert_eq!(read_until(&mut stream, "\r\n").await, "250 2.0.0 Ok\r\n");
}

/// A client that sends commands and never reads replies is blocked by TCP, then loses its session; others are served
/// meanwhile.
#[tokio::test]
async fn a_client_that_never_reads_replies_is_disconnected() {
    let world = world("smtp.command_timeout = \"300ms\"").await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket
        .connect(world.smtp_addr())
        .await
        .expect("a connection");
    let burst = b"HELP\r\n".repeat(10_000);
    let flood = async { while stream.write_all(&burst).await.is_ok() {} };
    let (record, ()) = tokio::join!(ended(&world, 1), async {
        tokio::select! {
            () = flood => {}
            () = async { serves(&world).await; ended(&world, 1).await; } => {}
        }
    });
    assert_eq!(record.closed_by(), Some(ClosedBy::Lost));
    assert_eq!(world.messages().counts().kept, 1);
}

#[tokio::test]
async fn octets_after_quit_are_ignored() {
    let world = world("").await;
    let mut stream = connect(world.smtp_addr()).await;
    let after = "MAIL FROM:<evil@example.test>\r\n".repeat(3000);
    stream
        .write_all(format!("QUIT\r\n{after}").as_bytes())
        .await
        .expect("written");
    let all = rest(&mut stream).await;
    assert_eq!(
        all, "220 mx.martinet.test ESMTP martinet\r\n221 2.0.0 Bye\r\n",
        "closed in order, not reset"
    );
    let record = ended(&world, 1).await;
    assert_eq!(
        (record.closed_by(), record.transcript_lines().count()),
        (Some(ClosedBy::Quit), 3)
    );
}

/// A client that speaks HTTP or TLS on the SMTP port gets SMTP replies, and is disconnected if it continues.
#[tokio::test]
async fn other_protocols_on_the_plain_port() {
    let helo = [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        &[0x0a; 300],
        &[0x8f; 200],
    ]
    .concat();
    let http =
        b"POST / HTTP/1.1\r\nHost: mx\r\nContent-Length: 27\r\n\r\nMAIL FROM:<a@example.test>\r\n"
            .repeat(9);
    for (octets, first) in [
        (&helo, "500 5.5.2"),
        (&http, "500 5.5.2 Error: command not recognized"),
    ] {
        let world = world("").await;
        let mut stream = connect(world.smtp_addr()).await;
        stream.write_all(octets).await.expect("written");
        let all = rest(&mut stream).await;
        let mut lines = all.lines().skip(1);
        assert!(
            lines.next().is_some_and(|line| line.starts_with(first)),
            "{all}"
        );
        assert!(
            all.ends_with("421 4.7.0 Error: too many errors\r\n"),
            "{all}"
        );
        serves(&world).await;
    }
}

/// Plain text, and invalid records, on the port with implicit TLS.
#[tokio::test]
async fn other_protocols_on_the_tls_port() {
    let listener = Listener {
        implicit_tls: true,
        ..Listener::default()
    };
    let world = builder("").listen(listener).start().await.expect("a world");
    let records = [
        &b"EHLO mail.example.test\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        &[0; 70_000],
        b"\x17\x03\x03\x00\x01x",
    ];
    for (session, octets) in records.into_iter().enumerate() {
        let mut stream = connect(world.listeners()[0]).await;
        let _ = stream.write_all(octets).await;
        let _ = stream.shutdown().await;
        let replies = rest(&mut stream).await;
        assert!(
            !replies.contains("220"),
            "no greeting in clear text: {replies}"
        );
        assert_eq!(
            ended(&world, session as u64 + 1).await.closed_by(),
            Some(ClosedBy::Tls)
        );
    }
    serves(&world).await;
}

/// Beyond the limit each client gets 421; earlier clients are served, and a free place is used again.
#[tokio::test]
async fn floods_beyond_the_limit_get_421() {
    let world = builder("").connections(20).start().await.expect("a world");
    let mut first = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(world.smtp_addr()).await;
        assert!(read_until(&mut stream, "\r\n").await.starts_with("220"));
        first.push(stream);
    }
    for _ in 0..2 {
        let mut flood = tokio::task::JoinSet::new();
        for _ in 0..500 {
            let address = world.smtp_addr();
            flood.spawn(async move { rest(&mut connect(address).await).await });
        }
        while let Some(replies) = flood.join_next().await {
            assert_eq!(
                replies.expect("no panic"),
                "421 4.7.0 Error: too many connections\r\n"
            );
        }
    }
    // Clients beyond the 256 waiting places get the same reply.
    let mut staying = Vec::new();
    for _ in 0..300 {
        let mut stream = connect(world.smtp_addr()).await;
        assert_eq!(
            read_until(&mut stream, "\r\n").await,
            "421 4.7.0 Error: too many connections\r\n"
        );
        staying.push(stream);
    }
    let entries = world.sessions().entries();
    let turned_away = entries.iter().filter(|entry| {
        entry.look(|record| {
            record.closed_by() == Some(ClosedBy::Connections) && record.code() == Some(421)
        })
    });
    assert_eq!(turned_away.count(), 1300, "each one is a session");
    first[7].write_all(b"NOOP\r\n").await.expect("written");
    assert_eq!(read_until(&mut first[7], "\r\n").await, "250 2.0.0 Ok\r\n");
    drop(first);
    world
        .sessions()
        .wait(|log| {
            log.entries()
                .iter()
                .all(|entry| entry.is_closed())
                .then_some(())
        })
        .await;
    while !read_until(&mut connect(world.smtp_addr()).await, "\r\n")
        .await
        .starts_with("220")
    {}
}

/// Clients that reset the connection, at once or later, leave lost sessions and nothing else.
#[tokio::test]
async fn resets_at_any_point() {
    let world = world("").await;
    let dialogue = b"EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\nx\r\n";
    for round in 0..200 {
        let mut stream = connect(world.smtp_addr()).await;
        let cut = round * dialogue.len() / 200;
        stream.write_all(&dialogue[..cut]).await.expect("written");
        stream.set_zero_linger().expect("a reset");
    }
    for session in 1..=200 {
        assert_eq!(
            ended(&world, session).await.closed_by(),
            Some(ClosedBy::Lost)
        );
    }
    serves(&world).await;
    assert_eq!(world.messages().counts().kept, 1);
}

/// Connecting to a stopped world fails in this way.
#[tokio::test]
async fn stopping_closes_idle_sessions_and_waits_for_transactions() {
    let world = world("").await;
    let (address, mut idle) = (world.smtp_addr(), connect(world.smtp_addr()).await);
    read_until(&mut idle, "\r\n").await;
    let mut busy = connect(address).await;
    busy.write_all(
        b"HELO a.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n",
    )
    .await
    .expect("w");
    read_until(&mut busy, "354 End data with <CR><LF>.<CR><LF>\r\n").await;
    let messages = world.messages().clone();
    let finish = async {
        assert_eq!(rest(&mut idle).await, "421 4.3.2 Service shutting down\r\n");
        busy.write_all(b"x\r\n.\r\n").await.expect("written");
        assert_eq!(
            rest(&mut busy).await,
            "250 2.0.0 Ok\r\n421 4.3.2 Service shutting down\r\n"
        );
    };
    tokio::join!(world.stop(), finish);
    assert_eq!(
        messages.counts().kept,
        1,
        "what was accepted is in the journal"
    );
    let refused = TcpStream::connect(address)
        .await
        .expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}
