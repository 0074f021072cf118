//! Measures thousands of worlds, and the API with 100,000 stored messages. `cargo bench --bench api`.
//!
//! Memory is the resident set of this process, read from /proc.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use martinet::World;
use martinet::harness::{Worlds, bind_tcp};
use martinet::http::{self, Options};
use martinet::journal::{Envelope, Message};
use martinet::scenario::{load_receiver, load_scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WORLDS: usize = 1_000;
const MESSAGES: usize = 100_000;
const RUNS: usize = 50;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(thousand_worlds());
    runtime.block_on(thousand_worlds_over_http());
    runtime.block_on(stored_messages());
}

async fn thousand_worlds() {
    // The code and files that all worlds share are loaded before the first world is measured.
    let warm = World::builder()
        .scenario("one-to-one")
        .receiver("helo-equals-ptr")
        .start()
        .await
        .expect("a world");
    for (how, by_name) in [("by name", true), ("read once", false)] {
        let scenario = load_scenario("one-to-one").expect("a scenario");
        let receiver = load_receiver("helo-equals-ptr").expect("a receiver");
        let (began, before) = (Instant::now(), resident());
        let mut worlds = Vec::with_capacity(WORLDS);
        for _ in 0..WORLDS {
            let builder = World::builder();
            let builder = if by_name {
                builder.scenario("one-to-one").receiver("helo-equals-ptr")
            } else {
                builder
                    .with_scenario(scenario.clone())
                    .with_receiver(receiver.clone())
            };
            worlds.push(builder.start().await.expect("a world"));
        }
        let took = began.elapsed();
        let each = resident().saturating_sub(before) / WORLDS;
        println!(
            "{WORLDS} worlds, {how}: {took:?}, {:.1} KiB each",
            each as f64 / 1024.0
        );
        drop(worlds);
    }
    drop(warm);
}

/// The same with `POST /api/v1/worlds`, one after the other, each on its own connection; then each world is deleted.
async fn thousand_worlds_over_http() {
    let address = api(World::builder().start().await.expect("a world")).await;
    let body = r#"{"scenario": "one-to-one", "receiver": "helo-equals-ptr"}"#;
    let (began, before) = (Instant::now(), resident());
    for _ in 0..WORLDS {
        let length = body.len();
        let fields =
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        ask(
            address,
            &format!("POST /api/v1/worlds HTTP/1.1\r\n{fields}"),
            "HTTP/1.1 201",
        )
        .await;
    }
    let (made, each) = (began.elapsed(), resident().saturating_sub(before) / WORLDS);
    for number in 1..=WORLDS {
        ask(
            address,
            &format!("DELETE /api/v1/worlds/w{number:04} HTTP/1.1\r\n\r\n"),
            "HTTP/1.1 204",
        )
        .await;
    }
    let deleted = began.elapsed() - made;
    println!(
        "{WORLDS} worlds over HTTP: {made:?}, {:.1} KiB each; deleted in {deleted:?}",
        each as f64 / 1024.0
    );
}

/// Serves a world's API; returns its address.
async fn api(world: World) -> SocketAddr {
    let listener = bind_tcp("HTTP", SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(http::serve(
        vec![listener],
        Worlds::new(world),
        Options::default(),
        stop,
    ));
    address
}

async fn stored_messages() {
    let before = resident();
    let world = World::builder()
        .receiver("lenient")
        .start()
        .await
        .expect("a world");
    let octets = [
        b"Subject: x\r\n\r\n".as_slice(),
        &b"x".repeat(1024 - 16),
        b"\r\n",
    ]
    .concat();
    for n in 0..MESSAGES {
        let recipients = vec![format!("user{n}@contoso.test")];
        let envelope = Envelope {
            sender: "a@example.test".into(),
            recipients,
            ..Envelope::default()
        };
        let (at, trace, octets) = (jiff::Timestamp::now(), "x".repeat(400), octets.clone());
        world.messages().append(|id| Message {
            id,
            session: 1,
            at,
            envelope: envelope.into(),
            trace,
            octets: octets.into(),
        });
    }
    let counts = world.messages().counts();
    let used = resident().saturating_sub(before);
    println!(
        "{} messages of 1 KiB kept, {} dropped: {:.0} MiB",
        counts.kept,
        counts.dropped,
        used as f64 / (1 << 20) as f64
    );

    let address = api(world).await;
    for (what, path) in [
        ("mail, first page", "/api/v1/mail".to_owned()),
        ("mail, newest page", "/api/v1/mail?newest=true".to_owned()),
        (
            "mail by exact recipient",
            format!("/api/v1/mail?recipient=user{}@contoso.test", MESSAGES / 2),
        ),
        ("Mailpit's list", "/api/v1/messages".to_owned()),
        ("MailHog's list", "/api/v2/messages".to_owned()),
    ] {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let began = Instant::now();
            let octets = get(address, &path).await;
            times.push(began.elapsed());
            assert!(octets > 150, "{path} gives something");
        }
        times.sort_unstable();
        println!(
            "{what}: {:?} (median of {RUNS}), {:?} at most",
            times[RUNS / 2],
            times[RUNS - 1]
        );
    }
}

async fn get(address: SocketAddr, path: &str) -> usize {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\n\r\n"),
        "HTTP/1.1 200",
    )
    .await
}

/// Sends a request, with the header fields that every request needs added; returns the octets of the response.
async fn ask(address: SocketAddr, request: &str, status: &str) -> usize {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = request.replacen("\r\n", "\r\nHost: localhost\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut octets = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut octets)).await;
    read.expect("in time").expect("an answer");
    assert!(
        octets.starts_with(status.as_bytes()),
        "{request}: {}",
        String::from_utf8_lossy(&octets)
    );
    octets.len()
}

/// The resident memory of this process, in octets.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or_default()
        * 4096
}
