//! The log: a session is a span with one event at its end, commands and DNS queries are at debug, nothing is logged
//! when it is off.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martinet::World;
use martinet::dns::{self, Action, Fault, Transport};
use martinet::name::{RecordType, absolute};
use martinet::smtp::client::{Delivery, deliver};
use tracing_subscriber::EnvFilter;

/// Where the log goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log output at a level while a client is refused and a DNS fault applies; everything runs on this thread.
async fn logged(level: &str) -> Vec<String> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .fault(Fault::new("mail.example.test", Action::ServFail).expect("a fault"))
        .start()
        .await
        .expect("a world");
    let name = absolute("mail.example.test").expect("a name");
    let (kind, transport, timeout) = (RecordType::A, Transport::Udp, Duration::from_secs(10));
    let response = dns::client::ask(world.dns_addr(), &name, kind, transport, None, timeout);
    response.await.expect("an answer");
    let delivery = Delivery {
        helo: "wrong.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        ..Delivery::default()
    };
    let sent = deliver(world.smtp_addr(), &delivery).await;
    sent.expect("a session");
    world.stop().await;
    drop(guard);
    let octets = lines.0.lock().expect("a lock").clone();
    let text = String::from_utf8(octets).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_session_is_a_span_with_one_event_at_its_end() {
    let lines = logged("martinet=info").await;
    let [line] = lines.as_slice() else {
        panic!("one line: {lines:#?}")
    };
    for part in [
        " INFO session{world=main id=1 peer=127.0.0.1:",
        " client_address=192.0.2.10}: ",
        "session ended verdict=\"reject\" source=\"rule\" rule=\"helo-ptr-match\" code=554 stage=\"helo\" closed_by=\"quit\"",
    ] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

#[tokio::test]
async fn commands_and_queries_are_logged_at_debug() {
    let lines = logged("martinet=debug").await;
    let has = |parts: &[&str]| {
        let found = |line: &&String| parts.iter().all(|part| line.contains(part));
        assert_eq!(
            lines.iter().filter(found).count(),
            1,
            "{parts:?} in {lines:#?}"
        );
    };
    has(&[
        "DEBUG session{world=main id=1",
        "command=\"EHLO wrong.test\"",
    ]);
    has(&["DEBUG session{world=main id=1", "command=\"QUIT\""]);
    has(&[
        "DNS query",
        "name=\"mail.example.test.\" type=\"A\" rcode=SERVFAIL fault=\"servfail\"",
    ]);
}

#[tokio::test]
async fn nothing_is_logged_when_off() {
    assert_eq!(logged("martinet=warn").await, [""; 0]);
}
