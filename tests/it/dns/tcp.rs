//! DNS over TCP (RFC 7766) and zone transfers (RFC 5936).

use super::*;

#[tokio::test]
async fn rfc7766_many_queries_on_one_connection() {
    let world = world(&zone("")).await;
    let mut stream = connect(world.dns_addr()).await;
    for id in 0..200 {
        send(
            &mut stream,
            &[query(id, "mail.example.test", RecordType::A)],
        )
        .await;
        assert_eq!(receive(&mut stream).await.metadata.id, id);
    }
    assert_eq!(world.dns_counts().tcp, 200);
}

#[tokio::test]
async fn rfc7766_pipelined_queries() {
    let world = world(&zone("")).await;
    let mut stream = connect(world.dns_addr()).await;
    let queries: Vec<_> = (0..500)
        .map(|id| query(id, "mail.example.test", RecordType::A))
        .collect();
    send(&mut stream, &queries).await;
    for id in 0..500 {
        assert_eq!(receive(&mut stream).await.metadata.id, id);
    }
    // A client may close its sending side after its last query: all queries are answered.
    send(&mut stream, &queries[..3]).await;
    stream.shutdown().await.expect("closed");
    for id in 0..3 {
        assert_eq!(receive(&mut stream).await.metadata.id, id);
    }
}

/// RFC 7766 §6.2.1.1: a slow answer does not delay the following ones.
#[tokio::test]
async fn rfc7766_answers_out_of_order() {
    let world = world(&zone(
        "[[fault]]\nname = \"mail.example.test\"\ndo = \"delay\"\ndelay = \"300ms\"",
    ))
    .await;
    let mut stream = connect(world.dns_addr()).await;
    let names = [
        "mail.example.test",
        "many.example.test",
        "mail.example.test",
        "many.example.test",
    ];
    let queries: Vec<_> = (0..4)
        .map(|id| query(id, names[usize::from(id)], RecordType::A))
        .collect();
    send(&mut stream, &queries).await;
    stream.shutdown().await.expect("closed");
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(receive(&mut stream).await.metadata.id);
    }
    assert_eq!(ids[..2], [1, 3]);
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3]);
}

async fn transfer(settings: &str, record_type: RecordType) -> Vec<Message> {
    let world = world(&zone(settings)).await;
    let mut stream = connect(world.dns_addr()).await;
    send(&mut stream, &[query(5, "example.test", record_type)]).await;
    stream.shutdown().await.expect("closed");
    let mut messages = Vec::new();
    while let Ok(length) = stream.read_u16().await {
        let mut octets = vec![0; usize::from(length)];
        stream.read_exact(&mut octets).await.expect("a message");
        messages.push(Message::from_vec(&octets).expect("a message"));
    }
    messages
}

#[tokio::test]
async fn rfc5936_transfers_are_refused_by_default() {
    let refused = transfer("", RecordType::AXFR).await;
    assert_eq!(refused.iter().map(summary).collect::<Vec<_>>(), ["Refused"]);
    let zone = transfer("[dns]\naxfr = \"loopback\"", RecordType::AXFR).await;
    let records: Vec<_> = zone.iter().flat_map(|m| &m.answers).collect();
    assert_eq!(
        records.len(),
        5 + 2 + 1,
        "what was written, SOA and NS, and the SOA again"
    );
    assert_eq!(records.first(), records.last());
    assert_eq!(records[0].record_type(), RecordType::SOA);
}

/// A zone in several messages: the first repeats the question, all have the id.
#[tokio::test]
async fn rfc5936_a_large_zone() {
    let hosts: String = (0..3000)
        .map(|n| format!("h{n} A 192.0.2.{}\n", n % 250))
        .collect();
    let scenario = format!(
        "title = \"t\"\n[dns]\naxfr = \"loopback\"\n[[zone]]\norigin = \"big.test\"\ntext = '''\n{hosts}'''"
    );
    let world = world(&scenario).await;
    let mut stream = connect(world.dns_addr()).await;
    send(&mut stream, &[query(5, "big.test", RecordType::AXFR)]).await;
    let (mut records, mut soas, mut messages) = (0, 0, 0);
    while soas < 2 {
        let message = receive(&mut stream).await;
        assert_eq!(
            (message.metadata.id, message.queries.len()),
            (5, usize::from(messages == 0))
        );
        records += message.answers.len();
        soas += message
            .answers
            .iter()
            .filter(|r| r.record_type() == RecordType::SOA)
            .count();
        messages += 1;
    }
    assert_eq!(records, 3000 + 3);
    assert!(messages > 3);
}

/// An independent client transfers the zone, and loads the result.
#[test]
fn dig_transfers_a_zone() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(world(&zone("[dns]\naxfr = \"loopback\"")));
    let port = world.dns_addr().port().to_string();
    let Some(text) = crate::foreign::run(
        "dig",
        &["@127.0.0.1", "-p", &port, "example.test", "AXFR", "+tcp"],
    ) else {
        return;
    };
    let origin = absolute("example.test").expect("a name");
    let records =
        martinet::dns::parse_master(&text, &origin, 300).expect("dig prints master-file lines");
    assert_eq!(records.len(), 8, "{text}");
}
