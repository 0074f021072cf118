//! The native HTTP API: lists, waits, expectations, worlds, changes, events.

mod waits;
mod worlds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use martinet::World;
use martinet::dns::Transport;
use martinet::harness::{Worlds, bind_tcp};
use martinet::http::{self, Options};
use martinet::name::RecordType;
use martinet::smtp::client::{Delivery, deliver};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A server with its API, stopped when dropped.
pub struct Served {
    pub worlds: Arc<Worlds>,
    pub address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Served {
    pub async fn of(world: World, options: Options) -> Self {
        let worlds = Worlds::new(world);
        let listener = bind_tcp("HTTP", SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        tokio::spawn(http::serve(
            vec![listener],
            Arc::clone(&worlds),
            options,
            shutdown.clone(),
        ));
        Self {
            worlds,
            address,
            shutdown,
        }
    }

    pub async fn start(scenario: &str, receiver: &str) -> Self {
        let world = World::builder()
            .scenario(scenario)
            .receiver(receiver)
            .start()
            .await
            .expect("a world");
        Self::of(world, Options::default()).await
    }

    /// Any request; `fields` are header fields, each with its line end.
    pub async fn ask(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> Answer {
        ask(self.address, method, path, fields, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"").await
    }

    pub async fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(
            method,
            path,
            "Content-Type: application/json\r\n",
            body.to_string().as_bytes(),
        )
        .await
    }

    pub async fn deliver(&self, helo: &str, message: &[u8]) {
        deliver_to(self.worlds.main().smtp_addr(), helo, message).await;
    }
}

/// Any request; `fields` are header fields, each with its line end.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &str,
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let host = if fields.contains("Host:") {
        String::new()
    } else {
        format!("Host: {}\r\n", address)
    };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{fields}\r\n"
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .expect("sent");
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).await.expect("an answer");
    let end = octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a header section");
    let head = String::from_utf8_lossy(&octets[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    Answer {
        status,
        head,
        body: octets[end + 4..].to_vec(),
    }
}

pub async fn deliver_to(smtp: SocketAddr, helo: &str, message: &[u8]) {
    let delivery = Delivery {
        helo: helo.to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        message: message.to_vec(),
        ..Delivery::default()
    };
    deliver(smtp, &delivery).await.expect("a session");
}

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nx\r\n";

/// No value within is null.
#[track_caller]
fn never_null(value: &Value) {
    match value {
        Value::Null => panic!("null"),
        Value::Array(list) => list.iter().for_each(never_null),
        Value::Object(map) => map.values().for_each(never_null),
        _ => {}
    }
}

#[tokio::test]
async fn sessions_by_filter_and_cursor() {
    let served = Served::start("one-to-one", "helo-equals-ptr").await;
    for helo in ["wrong.test", "mail.example.test", "wrong.test"] {
        served.deliver(helo, MESSAGE).await;
    }
    let count = async |query: &str| {
        let answer = served.get(&format!("/api/v1/sessions?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        never_null(&answer.json());
        answer.json()["sessions"].as_array().map(Vec::len)
    };
    for (query, expected) in [
        ("", 3),
        ("verdict=reject", 2),
        ("verdict=accept", 1),
        ("rule=helo-ptr-match&stage=helo&code=554&enhanced=5.7.1", 2),
        ("helo=WRONG.test", 2),
        ("client_address=192.0.2.10", 3),
        ("client_address=192.0.2.0/24", 3),
        ("client_address=198.51.100.0/24", 0),
        ("recipient=b@contoso.test", 1),
        ("recipient=contoso.test", 0),
        ("sender=A@example.test", 1),
        ("since=2100-01-01T00:00:00Z", 0),
        ("after=2", 1),
        ("limit=1&newest=true&full=true", 1),
    ] {
        assert_eq!(count(query).await, Some(expected), "{query}");
    }
    let page = served.get("/api/v1/sessions?limit=2").await.json();
    assert_eq!(
        (&page["next"], &page["more"], &page["dropped"]),
        (&json!(2), &json!(true), &json!(0))
    );
    let one = served.get("/api/v1/sessions/1").await.json();
    never_null(&one);
    assert_eq!(one["facts"]["iprev"]["result"], "pass");
    assert_eq!(one["refusals"][0]["rule"], "helo-ptr-match");
    let transcript = served.get("/api/v1/sessions/1/transcript").await.text();
    assert!(
        transcript.contains("C: EHLO wrong.test\nS: 554 5.7.1"),
        "{transcript}"
    );
    assert!(
        served
            .get("/api/v1/sessions/1/story")
            .await
            .text()
            .contains("remedy   send EHLO mail.example.test")
    );
}

#[tokio::test]
async fn events_as_pages_lines_and_a_stream_that_resumes() {
    let served = Served::start("no-ptr", "fcrdns").await;
    served.deliver("mail.example.test", MESSAGE).await;
    served.get("/api/v1/wait").await;
    let verdicts = served.get("/api/v1/events?event=verdict").await.json();
    assert_eq!(verdicts["events"][0]["rule"], "iprev");
    let lines = served.get("/api/v1/events.jsonl?session=1").await.text();
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["event"], "connection");

    let mut stream = TcpStream::connect(served.address)
        .await
        .expect("a connection");
    let id = first["id"].as_u64().expect("a number");
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: {id}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut read = String::new();
    let mut octets = [0; 4096];
    while !read.contains("event: verdict") {
        let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut octets))
            .await
            .expect("in time");
        read.push_str(&String::from_utf8_lossy(&octets[..count.expect("octets")]));
    }
    assert!(read.contains("text/event-stream"), "{read}");
    assert!(
        read.contains(&format!("id: {}\n", id + 1)) && !read.contains("event: connection"),
        "{read}"
    );
}

/// A server that refused one message and accepted one.
async fn after_two_messages() -> Served {
    let served = Served::start("one-to-one", "helo-equals-ptr").await;
    served.deliver("wrong.test", MESSAGE).await;
    served.deliver("mail.example.test", MESSAGE).await;
    served.get("/api/v1/wait?verdict=accept").await;
    served
}

#[tokio::test]
async fn a_what_if_says_which_rule_refuses() {
    let served = after_two_messages().await;
    let judged = served
        .get("/api/v1/check?client_address=192.0.2.10&helo=wrong.test&receiver=helo-equals-ptr")
        .await
        .json();
    never_null(&judged);
    assert_eq!(judged["judgements"][0]["rule"], "helo-ptr-match");
    let all = served
        .get("/api/v1/check?client_address=192.0.2.10&helo=wrong.test&receiver=all")
        .await
        .json();
    assert!(
        all["judgements"]
            .as_array()
            .is_some_and(|all| all.len() > 20)
    );
    let rows = served
        .get("/api/v1/matrix?scenario=office365&receiver=fcrdns,helo-equals-ptr")
        .await
        .json();
    assert_eq!(rows["rows"][0]["cells"][1]["rule"], "helo-ptr-match");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let served = after_two_messages().await;
    let (dns, name) = (
        served.worlds.main().dns_addr(),
        martinet::name::absolute("mail.example.test").expect("a name"),
    );
    for _ in 0..2 {
        // The first has been counted when the second is answered.
        let response = martinet::dns::client::ask(
            dns,
            &name,
            RecordType::A,
            Transport::Udp,
            None,
            Duration::from_secs(5),
        );
        response.await.expect("an answer");
    }
    let metrics = served.get("/metrics").await.text();
    let answered = metrics
        .lines()
        .find_map(|line| line.strip_prefix("martinet_dns_answer_seconds_count "));
    assert!(matches!(answered, Some("1" | "2")), "{answered:?}");
    for line in [
        "martinet_sessions_total 2",
        "martinet_refusals_total{verdict=\"reject\",source=\"rule\",rule=\"helo-ptr-match\",stage=\"helo\"} 1",
        "martinet_messages_total 1",
        "martinet_session_seconds_count 2",
        "martinet_journal_dropped{log=\"sessions\"} 0",
        "martinet_worlds 1",
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "no {line:?} in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn health_description_and_mail() {
    let served = after_two_messages().await;
    assert_eq!(
        (
            served.get("/livez").await.status,
            served.get("/readyz").await.status
        ),
        (200, 200)
    );
    let api = served.get("/api/openapi.json").await.json();
    assert!(api["paths"]["/api/v1/sessions/{id}"]["get"].is_object());
    let raw = served.get("/api/v1/mail/1/raw").await;
    assert!(
        raw.text().ends_with("\r\nSubject: x\r\n\r\nx\r\n")
            && raw.text().starts_with("Return-Path: <a@example.test>")
    );
    let mail = served
        .get("/api/v1/mail?recipient=B@contoso.test")
        .await
        .json();
    assert_eq!(mail["mail"][0]["session"], 2);
    assert_eq!(
        served
            .get("/api/v1/mail?recipient=contoso.test")
            .await
            .json()["mail"],
        json!([]),
        "whole addresses"
    );
}
