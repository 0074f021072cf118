//! The reasons of sessions that end abnormally, and of connections that are not accepted.

use rstest::rstest;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use martinet::World;
use martinet::smtp::SessionRecord;
use martinet::verdict::ClosedBy;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use super::http::ask;

type Client = tokio::io::BufReader<tokio::net::TcpStream>;

async fn world(receiver: &str) -> World {
    let receiver = format!("title = \"t\"\n{receiver}");
    let profile = martinet::scenario::parse_receiver("reasons", &receiver).expect("a receiver");
    let world = World::builder().with_receiver(profile).start().await;
    world.expect("a world")
}

/// A client that sends lines and reads the last line of each reply.
async fn client(world: &World, lines: &[&str]) -> Client {
    let stream = tokio::net::TcpStream::connect(world.smtp_addr()).await;
    let mut client = tokio::io::BufReader::new(stream.expect("a connection"));
    read_reply(&mut client).await;
    for line in lines {
        let line = format!("{line}\r\n");
        client.write_all(line.as_bytes()).await.expect("sent");
        read_reply(&mut client).await;
    }
    client
}

async fn read_reply(client: &mut Client) {
    let mut line = String::new();
    while line.as_bytes().get(3) != Some(&b' ') {
        line.clear();
        client.read_line(&mut line).await.expect("a reply");
    }
}

async fn ended(world: &World) -> SessionRecord {
    let ended = world.wait_until(|session| session.closed_by().is_some());
    SessionRecord::clone(&ended.await.expect("it ends"))
}

#[track_caller]
fn check(record: &SessionRecord, by: ClosedBy, reason: &str) {
    assert_eq!(record.closed_by(), Some(by));
    assert!(
        record.closed_reason().contains(reason),
        "{}",
        record.closed_reason()
    );
}

#[tokio::test]
async fn a_lost_connection_has_a_reason() {
    let closing = world("").await;
    drop(client(&closing, &["EHLO x.test", "MAIL FROM:<a@example.test>"]).await);
    check(
        &ended(&closing).await,
        ClosedBy::Lost,
        "the client closed the connection",
    );
    let event = closing.events().entries().pop().expect("an event");
    let event = serde_json::to_value(&*event).expect("JSON");
    assert_eq!(event["event"], "closed");
    assert_eq!(event["reason"], "the client closed the connection");

    let resetting = world("").await;
    let client = client(&resetting, &["EHLO x.test"]).await;
    client.get_ref().set_zero_linger().expect("an option");
    drop(client);
    check(&ended(&resetting).await, ClosedBy::Lost, "reset by peer");
}

#[tokio::test]
async fn a_failed_handshake_has_a_reason() {
    let receiver = "smtp.starttls = \"offered\"";
    let speaking = world(receiver).await;
    let mut client_hello = client(&speaking, &["EHLO x.test", "STARTTLS"]).await;
    let sent = client_hello.write_all(b"EHLO again.test\r\n").await;
    sent.expect("sent");
    let record = ended(&speaking).await;
    check(&record, ClosedBy::Tls, "TLS handshake: ");
    assert!(
        record.closed_reason().len() > "TLS handshake: ".len() + 5,
        "{}",
        record.closed_reason()
    );

    let leaving = world(receiver).await;
    drop(client(&leaving, &["EHLO x.test", "STARTTLS"]).await);
    let expected = "TLS handshake: the client closed the connection";
    check(&ended(&leaving).await, ClosedBy::Tls, expected);
}

/// A program without free descriptors reports that in its log and its journal, and continues when there are some again.
#[cfg(target_os = "linux")]
#[rstest]
#[case::smtp("smtp", "cannot accept a connection")]
#[case::dns("dns", "cannot accept a DNS connection")]
#[tokio::test]
async fn a_failed_accept_has_a_reason(#[case] server: &str, #[case] logged: &str) {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 48; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_martinet"))
        .args("serve --receiver lenient --format json --log-format json".split(' '))
        .args("--smtp 127.0.0.1:0 --dns 127.0.0.1:0 --http 127.0.0.1:0".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a ready line");
    let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address = |word: &str| -> SocketAddr {
        let address = ready[word].as_str().and_then(|text| text.parse().ok());
        address.expect("an address")
    };
    let many: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(address(server)).expect("the kernel takes it"))
        .collect();
    let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut error = String::new();
    while !error.contains(logged) {
        error.clear();
        assert!(
            log.read_line(&mut error).expect("text") > 0,
            "no error in the log"
        );
    }
    assert!(
        error.contains("\"ERROR\"") && error.contains("Too many open files"),
        "{error}"
    );
    drop(many);
    let events = ask(
        address("http"),
        "GET",
        "/api/v1/events?event=accept-failed",
        "",
        b"",
    )
    .await;
    let event = &events.json()["events"][0];
    assert_eq!(event["listener"], address(server).to_string(), "{event}");
    let reason = event["reason"].as_str().expect("a reason");
    assert!(reason.contains("Too many open files"), "{reason}");
    let greeted = tokio::net::TcpStream::connect(address("smtp")).await;
    read_reply(&mut tokio::io::BufReader::new(
        greeted.expect("a connection"),
    ))
    .await;
    child.kill().expect("SIGKILL");
    log.read_to_string(&mut error).expect("text");
    let lines = error.matches(logged).count();
    assert!(lines < 20, "{lines} lines: one a second");
    child.wait().expect("ended");
}
