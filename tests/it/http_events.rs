//! Server-sent events: a client that missed events that are no longer stored gets a `gap` event at once.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::Served;

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

/// A stream of events, read one by one.
struct Events {
    stream: TcpStream,
    read: String,
}

impl Events {
    async fn open(served: &Served, query: &str, fields: &str) -> Self {
        let mut stream = TcpStream::connect(served.address)
            .await
            .expect("a connection");
        let request = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let read = String::new();
        Self { stream, read }
    }

    /// Id, kind and data of the next event.
    async fn next(&mut self) -> (u64, String, Value) {
        loop {
            if let Some(event) = self.whole() {
                return event;
            }
            let mut octets = [0; 4096];
            let reading =
                tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut octets));
            let count = reading.await.expect("an event at once").expect("octets");
            assert!(count > 0, "the stream ended after {:?}", self.read);
            self.read
                .push_str(&String::from_utf8_lossy(&octets[..count]));
        }
    }

    fn whole(&mut self) -> Option<(u64, String, Value)> {
        let begin = self.read.find("id: ")?;
        let end = begin + self.read[begin..].find("\n\n")?;
        let event = self.read[begin..end].to_owned();
        self.read.drain(..end);
        let field = |name: &str| {
            let mut lines = event.lines();
            lines
                .find_map(|line| line.strip_prefix(name))
                .expect("a field")
                .to_owned()
        };
        let id = field("id: ").parse().expect("a number");
        let data = serde_json::from_str(&field("data: ")).expect("JSON");
        Some((id, field("event: "), data))
    }
}

async fn served() -> (Served, u64) {
    let served = Served::start("one-to-one", "lenient").await;
    served.deliver("mail.example.test", MESSAGE).await;
    served.get("/api/v1/wait").await;
    let page = served
        .get("/api/v1/events?newest=true&limit=1")
        .await
        .json();
    let last = page["events"][0]["id"].as_u64().expect("a number");
    (served, last)
}

/// As after a restart: the numbers start again, and all stored events are new to the client.
#[tokio::test]
async fn an_id_beyond_the_end_is_a_gap() {
    let (served, _) = served().await;
    for (query, fields) in [
        ("", "Last-Event-ID: 999999\r\n"),
        ("?after=999999", ""),
        ("?event=command", "Last-Event-ID: 999999\r\n"),
    ] {
        let mut events = Events::open(&served, query, fields).await;
        let (id, kind, data) = events.next().await;
        assert_eq!((id, kind.as_str()), (0, "gap"));
        assert_eq!(data, serde_json::json!({ "after": 999_999, "next": 1 }));
        let (id, kind, _) = events.next().await;
        assert!(
            id == 1 || query.contains("command") && kind == "command",
            "{id} {kind}"
        );
    }
}

#[tokio::test]
async fn an_id_older_than_the_log_is_a_gap() {
    let (served, last) = served().await;
    served.worlds.main().events().clear();
    let last = last.max(served.worlds.main().events().last());
    let mut events = Events::open(&served, "", "Last-Event-ID: 2\r\n").await;
    let (id, kind, data) = events.next().await;
    assert_eq!((id, kind.as_str()), (last, "gap"));
    assert_eq!(
        data,
        serde_json::json!({ "after": 2, "next": last + 1, "missed": last - 2 })
    );
    served.deliver("mail.example.test", MESSAGE).await;
    assert_eq!(events.next().await.0, last + 1, "and goes on");
}

/// The last id, and no id at all, are not gaps.
#[tokio::test]
async fn without_missing_events_there_is_no_gap() {
    let (served, last) = served().await;
    for fields in [format!("Last-Event-ID: {last}\r\n"), String::new()] {
        let mut events = Events::open(&served, "", &fields).await;
        // The position of the stream is fixed once its header has been read.
        let mut head = [0; 15];
        events.stream.read_exact(&mut head).await.expect("a head");
        served.deliver("mail.example.test", MESSAGE).await;
        assert_ne!(events.next().await.1, "gap", "{fields}");
    }
    let first = Events::open(&served, "", "Last-Event-ID: 0\r\n")
        .await
        .next()
        .await;
    assert_eq!((first.0, first.1 == "gap"), (1, false));
    let wrong = "Accept: text/event-stream\r\nLast-Event-ID: abc\r\n";
    let wrong = served.ask("GET", "/api/v1/events", wrong, b"").await;
    assert_eq!(
        (wrong.status, wrong.json()["field"].as_str()),
        (400, Some("Last-Event-ID"))
    );
}
