//! The Mailpit API for messages that lack fields, have blind recipients, or have very many parts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use martinet::dns::{Transport, client};
use martinet::name::{self, RecordType};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::http::Served;

async fn of(messages: &[&str]) -> Served {
    let served = Served::start("one-to-one", "lenient").await;
    for message in messages {
        served
            .deliver("mail.example.test", message.as_bytes())
            .await;
    }
    let count = messages.len();
    let waited = served.get(&format!("/api/v1/wait?count={count}")).await;
    assert_eq!(waited.status, 200, "{}", waited.text());
    served
}

/// A message of 30,000 parts is parsed on a separate thread: one thread serves HTTP, SMTP and DNS here, and answers
/// commands and queries while four requests wait for the message.
#[tokio::test]
async fn a_message_of_30_000_parts_stalls_neither_smtp_nor_dns() {
    let mut message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    message.push_str(&"--b\r\nContent-Type: image/png\r\n\r\nx\r\n".repeat(30_000));
    message.push_str("--b--\r\n");
    let served = Arc::new(of(&[&message]).await);
    let world = served.worlds.main();
    let mut smtp = BufReader::new(
        TcpStream::connect(world.smtp_addr())
            .await
            .expect("a connection"),
    );
    let mut line = String::new();
    smtp.read_line(&mut line).await.expect("a greeting");
    let name = name::absolute("mail.example.test").expect("a name");
    let began = Instant::now();
    let mut reading = tokio::task::JoinSet::new();
    for path in [
        "message/1/headers",
        "search?query=nothing",
        "message/1/part/1",
        "message/1",
    ] {
        let served = Arc::clone(&served);
        reading.spawn(async move { served.get(&format!("/api/v1/{path}")).await });
    }
    let (mut rounds, mut longest) = (0, Duration::ZERO);
    let first = loop {
        if let Some(first) = reading.try_join_next() {
            break first.expect("no panic");
        }
        let round = Instant::now();
        smtp.write_all(b"NOOP\r\n").await.expect("sent");
        line.clear();
        smtp.read_line(&mut line).await.expect("a reply");
        assert_eq!(line, "250 2.0.0 Ok\r\n");
        let timeout = Duration::from_secs(5);
        let response = client::ask(
            world.dns_addr(),
            &name,
            RecordType::A,
            Transport::Udp,
            None,
            timeout,
        );
        assert_eq!(response.await.expect("an answer").answers.len(), 1);
        longest = longest.max(round.elapsed());
        rounds += 1;
    };
    let whole = began.elapsed();
    assert_eq!(first.status, 200);
    assert!(
        rounds > 10 && longest < whole / 2,
        "{rounds} rounds in {whole:?}, one of {longest:?}"
    );
    let mut parts = 0;
    while let Some(answer) = reading.join_next().await {
        let answer = answer.expect("no panic");
        assert_eq!(answer.status, 200);
        parts += answer.text().matches("\"PartID\":").count();
    }
    assert_eq!(parts, 30_000);
}

/// Missing fields are not invented.
#[tokio::test]
async fn a_message_without_from_and_date_has_none() {
    let served = of(&["Subject: bare\r\n\r\nx\r\n"]).await;
    let message = served.get("/api/v1/message/1").await.json();
    assert_eq!(message["From"], json!({ "Name": "", "Address": "" }));
    assert_eq!(message["Date"], "0001-01-01T00:00:00Z");
    assert_eq!(
        (&message["MessageID"], &message["To"]),
        (&json!(""), &json!([]))
    );
    let headers = served.get("/api/v1/message/1/headers").await.json();
    let names: Vec<_> = headers.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "Return-Path",
            "Delivered-To",
            "Authentication-Results",
            "Received",
            "Subject"
        ],
        "what the receiver adds, it adds to the stored message"
    );
    let raw = served.get("/api/v1/message/1/raw").await.text();
    for name in names {
        assert!(raw.contains(&format!("{name}: ")), "{name} in {raw}");
    }
    for query in ["from:example", "addressed:example", "to:contoso"] {
        let found = served
            .get(&format!("/api/v1/search?query={query}"))
            .await
            .json();
        assert_eq!(
            found["messages_count"], 0,
            "{query}: the envelope is no header field"
        );
    }
}

#[tokio::test]
async fn headers_are_unchanged() {
    let served = of(&["X-B: 2\r\nx-a: 1\r\nX-B: 1\r\nDate: Sat, 21 Nov 2026 08:00 +0000\r\nFrom: a@example.test\r\n\r\nx\r\n"]).await;
    let headers = served.get("/api/v1/message/1/headers").await.json();
    assert_eq!(
        (&headers["X-B"], &headers["X-A"]),
        (&json!(["2", "1"]), &json!(["1"]))
    );
    let message = served.get("/api/v1/message/1").await.json();
    assert_eq!(
        message["Date"], "2026-11-21T08:00:00Z",
        "a date without seconds is a date"
    );
}

/// A recipient that is only in the envelope is a blind recipient; `addressed:` searches every address field.
#[tokio::test]
async fn searches_look_at_every_field_of_addresses() {
    let served = of(&[
        "From: Ann <ann@example.test>\r\nTo: x@contoso.test\r\nReply-To: Help <help@example.test>\r\n\r\nx\r\n",
        "From: Bob <bob@example.test>\r\nTo: b@contoso.test\r\nCc: carl@contoso.test\r\n\r\nx\r\n",
        "From: Eve <eve@example.test>\r\nTo: b@contoso.test\r\nBcc: dora@contoso.test\r\n\r\nx\r\n",
    ])
    .await;
    for (query, found) in [
        ("addressed:ann@", &[1][..]),
        ("addressed:help@", &[1]),
        ("addressed:carl@", &[2]),
        ("addressed:dora@", &[3]),
        // b@contoso.test is in the envelope of all three, and in To of two.
        ("addressed:b@contoso.test", &[3, 2, 1]),
        ("to:b@contoso.test", &[3, 2]),
        ("bcc:b@contoso.test", &[1]),
        ("bcc:dora", &[3]),
        ("cc:carl", &[2]),
        ("reply-to:help", &[1]),
        ("reply-to:ann", &[]),
        ("-addressed:example.test", &[]),
        ("from:ann+-to:nobody", &[1]),
        ("addressed:nobody", &[]),
    ] {
        let list = served
            .get(&format!("/api/v1/search?query={query}"))
            .await
            .json();
        let ids: Vec<u64> = list["messages"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|message| {
                message["ID"]
                    .as_str()
                    .and_then(|id| id.parse().ok())
                    .expect("a number")
            })
            .collect();
        assert_eq!(ids, found, "{query}");
    }
    let first = served.get("/api/v1/message/1").await.json();
    assert_eq!(
        first["ReplyTo"],
        json!([{ "Name": "Help", "Address": "help@example.test" }])
    );
    assert_eq!(
        first["Bcc"],
        json!([{ "Name": "", "Address": "b@contoso.test" }])
    );
    let second = served.get("/api/v1/message/2").await.json();
    assert_eq!(second["Bcc"], json!([]));
}

/// A part with the disposition attachment is an attachment, whatever its type; each part can be fetched decoded.
#[tokio::test]
async fn parts_are_served_decoded() {
    let served = of(&["Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthe text\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Disposition: attachment; filename=a.txt\r\nContent-Transfer-Encoding: base64\r\n\r\nYXR0YWNoZWQ=\r\n--b\r\n\
        Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<b>x</b>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner\r\n\r\nwithin\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <i>\r\nContent-Disposition: inline\r\n\r\nPNG\r\n--b--\r\n"])
    .await;
    let message = served.get("/api/v1/message/1").await.json();
    assert_eq!(message["Text"].as_str().map(str::trim), Some("the text"));
    let attachments = message["Attachments"].as_array().expect("a list");
    let types: Vec<_> = attachments
        .iter()
        .map(|part| part["ContentType"].as_str().expect("a type"))
        .collect();
    assert_eq!(types, ["text/plain", "text/html", "message/rfc822"]);
    assert_eq!(message["Inline"][0]["ContentID"], "i");
    for (part, octets) in [
        (&attachments[0], "attached"),
        (&attachments[1], "<b>x</b>"),
        (&attachments[2], "Subject: inner\r\n\r\nwithin"),
        (&message["Inline"][0], "PNG"),
    ] {
        let id = part["PartID"].as_str().expect("a number");
        let got = served.get(&format!("/api/v1/message/1/part/{id}")).await;
        assert_eq!((got.status, got.text().as_str()), (200, octets), "{part}");
        assert_eq!(part["Size"], octets.len());
    }
    let text = served.get("/api/v1/message/1/part/1").await;
    assert_eq!(text.text(), "the text");
    assert_eq!(served.get("/api/v1/message/1/part/99").await.status, 404);
}
