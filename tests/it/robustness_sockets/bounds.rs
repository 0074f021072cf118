//! Limits of stored data.

use super::*;

/// A message ten times too large, by DATA and by BDAT: read to its end, discarded, refused; the session continues.
#[tokio::test]
async fn a_message_over_the_limit_is_read_and_discarded() {
    let world = world("smtp.size = 1000000").await;
    let mut stream = connect(world.smtp_addr()).await;
    read_until(&mut stream, "\r\n").await;
    let begin = "EHLO a.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\n";
    let text = format!("{}\r\n", "x".repeat(98)).repeat(5000);
    let size = 10 * text.len();
    for (command, before, after) in [
        (
            "DATA\r\n".to_owned(),
            "354 End data with <CR><LF>.<CR><LF>\r\n",
            ".\r\nNOOP\r\n",
        ),
        (
            format!("BDAT {size} LAST\r\n"),
            "250 2.1.5 Ok\r\n",
            "NOOP\r\n",
        ),
    ] {
        stream
            .write_all(format!("{begin}{command}").as_bytes())
            .await
            .expect("written");
        assert!(read_until(&mut stream, before).await.ends_with(before));
        for _ in 0..10 {
            stream.write_all(text.as_bytes()).await.expect("written");
        }
        serves(&world).await;
        stream.write_all(after.as_bytes()).await.expect("written");
        let replies = read_until(&mut stream, "250 2.0.0 Ok\r\n").await;
        assert_eq!(
            replies,
            "552 5.3.4 Error: message exceeds the size limit\r\n250 2.0.0 Ok\r\n"
        );
    }
}

/// The journal keeps the latest entries within its limits; dropped entries are counted, and no client is refused
/// because of them.
#[tokio::test]
async fn journals_stay_within_their_bounds() {
    let limits = |entries, octets| Limits { entries, octets };
    let keep = Retention {
        sessions: limits(5, 1 << 20),
        messages: limits(100, 200_000),
        events: limits(50, 20_000),
        ..Retention::default()
    };
    let world = builder("").keep(keep).start().await.expect("a world");
    let mut stream = connect(world.smtp_addr()).await;
    let mail = "MAIL FROM:<a@example.test> ENVID=x\r\nRCPT TO:<b@contoso.test> ORCPT=rfc822;"
        .to_owned()
        + &"o".repeat(400)
        + "\r\nDATA\r\n"
        + &"0123456789\r\n".repeat(800)
        + ".\r\n";
    stream
        .write_all(b"EHLO mail.example.test\r\n")
        .await
        .expect("written");
    for _ in 0..100 {
        stream.write_all(mail.as_bytes()).await.expect("written");
        let end = "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok\r\n";
        assert!(read_until(&mut stream, end).await.ends_with(end));
    }
    let messages = world.messages().counts();
    assert!(
        messages.octets <= 200_000
            && messages.kept >= 15
            && messages.dropped + messages.kept as u64 == 100
    );
    let newest = world.messages().entry(100).expect("the newest is kept");
    assert_eq!((newest.id, newest.octets.len()), (100, 9600));
    for _ in 0..20 {
        serves(&world).await;
    }
    let (sessions, events) = (world.sessions().counts(), world.events().counts());
    assert!(
        sessions.kept <= 5 && events.kept <= 50 && events.octets <= 20_000,
        "{sessions:?} {events:?}"
    );
    stream.write_all(b"QUIT\r\n").await.expect("written");
    assert_eq!(
        rest(&mut stream).await,
        "221 2.0.0 Bye\r\n",
        "a session that the journal has dropped goes on"
    );
}

/// All sessions share one limit for messages being received; a client that gets 452 may try again (RFC 5321 §4.2.2).
#[tokio::test]
async fn messages_being_received_share_one_limit() {
    let keep = Retention {
        under_way: 40_000,
        ..Retention::default()
    };
    let world = builder("").keep(keep).start().await.expect("a world");
    let line = "0123456789\r\n".repeat(2000);
    let go_ahead = "354 End data with <CR><LF>.<CR><LF>\r\n";
    let (mut first, mut second) = (
        connect(world.smtp_addr()).await,
        connect(world.smtp_addr()).await,
    );
    let opening = "EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n";
    for stream in [&mut first, &mut second] {
        stream.write_all(opening.as_bytes()).await.expect("written");
        assert!(read_until(stream, go_ahead).await.ends_with(go_ahead));
    }
    first.write_all(line.as_bytes()).await.expect("written");
    second
        .write_all((line.clone() + ".\r\n").as_bytes())
        .await
        .expect("written");
    let reply = read_until(&mut second, "\r\n").await;
    let mut kept = u64::from(reply == "250 2.0.0 Ok\r\n");
    assert!(
        kept == 1 || reply == "452 4.3.1 Insufficient system storage\r\n",
        "{reply}"
    );
    first
        .write_all((line.clone() + ".\r\n").as_bytes())
        .await
        .expect("written");
    assert_eq!(
        read_until(&mut first, "\r\n").await,
        "452 4.3.1 Insufficient system storage\r\n"
    );
    second
        .write_all(b"MAIL FROM:<a@example.test> SIZE=40001\r\n")
        .await
        .expect("written");
    assert_eq!(
        read_until(&mut second, "\r\n").await,
        "452 4.3.1 Insufficient system storage\r\n"
    );
    let again = "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n".to_owned()
        + &line
        + ".\r\n";
    second.write_all(again.as_bytes()).await.expect("written");
    let end = go_ahead.to_owned() + "250 2.0.0 Ok\r\n";
    assert!(
        read_until(&mut second, &end).await.ends_with(&end),
        "what others had is free again"
    );
    kept += 1;
    assert_eq!(world.messages().counts().kept as u64, kept);
    serves(&world).await;
}
