//! Measures what open waits cost the SMTP server: sessions per second without waits, and with waits of different
//! filters that read all stored sessions (no cursor) and match none of them. `cargo bench --bench waits`.
//!
//! Clients, server and waits share one process; rounds without and with waits alternate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use martinet::World;
use martinet::harness::{Worlds, bind_tcp};
use martinet::http::{self, Options};
use martinet::smtp::ClientSource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 20;
const KEPT: u64 = 2_000;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let world = World::builder()
        .scenario("one-to-one")
        .receiver("fcrdns")
        .client(ClientSource::Fixed([192, 0, 2, 10].into()))
        .start()
        .await
        .expect("a world");
    let smtp = world.smtp_addr();
    let worlds = Worlds::new(world);
    let listener = bind_tcp("HTTP", SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = listener.await.expect("a port");
    let http = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let serving = http::serve(
        vec![listener],
        Arc::clone(&worlds),
        Options::default(),
        stop,
    );
    tokio::spawn(serving);
    while worlds.main().sessions().last() < KEPT {
        rate(smtp, Duration::from_millis(500)).await;
    }
    for waits in [10, 50, 1_000] {
        let mut ratios = Vec::new();
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let alone = rate(smtp, ROUND).await;
            let began = Instant::now();
            let open = open(http, waits).await;
            let opened = began.elapsed();
            let with_waits = rate(smtp, ROUND).await;
            assert_eq!(still_open(&open), waits, "no wait is to end");
            drop(open);
            println!(
                "  {alone:.0}/s alone, {with_waits:.0}/s beside {waits} waits, opened in {opened:?}"
            );
            ratios.push(with_waits / alone);
            without.push(alone);
            with.push(with_waits);
        }
        let (without, with, ratio) = (median(without), median(with), median(ratios));
        println!("{waits} waits: {with:.0}/s beside {without:.0}/s, ratio {ratio:.3}");
    }
}

/// Sessions per second, with one connection for each message.
async fn rate(smtp: SocketAddr, time: Duration) -> f64 {
    let (began, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let sent = Arc::clone(&sent);
        clients.spawn(async move {
            while began.elapsed() < time {
                session(smtp).await;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while clients.join_next().await.is_some() {}
    sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

async fn session(smtp: SocketAddr) {
    let mut stream = TcpStream::connect(smtp).await.expect("a connection");
    let dialogue = [
        ("", "220"),
        ("EHLO mail.example.test\r\n", "250 "),
        (
            "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n",
            "354",
        ),
        ("Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n", "221"),
    ];
    let mut buffer = Vec::with_capacity(1024);
    for (line, until) in dialogue {
        stream.write_all(line.as_bytes()).await.expect("written");
        buffer.clear();
        while !buffer
            .split(|octet| *octet == b'\n')
            .any(|line| line.starts_with(until.as_bytes()))
        {
            let read = stream.read_buf(&mut buffer).await.expect("a reply");
            assert!(read > 0, "closed before {until}");
        }
    }
}

/// Opens waits, and returns once the server has read each request.
async fn open(http: SocketAddr, waits: usize) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(waits);
    for index in 0..waits {
        let mut stream = TcpStream::connect(http).await.expect("a connection");
        let filter = filter(index);
        let request = format!(
            "GET /api/v1/wait?{filter}&timeout_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        open.push(stream);
    }
    // One more request on the last connection: when it is answered, the server has read the others.
    let mut last = TcpStream::connect(http).await.expect("a connection");
    let ask = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    last.write_all(ask.as_bytes()).await.expect("written");
    last.read_to_end(&mut Vec::new()).await.expect("an answer");
    open
}

/// A filter that no session of the load matches; every number gives another filter.
fn filter(index: usize) -> String {
    match index % 10 {
        0 => format!("recipient=user{index}@contoso.test"),
        1 => format!("sender=user{index}@example.test"),
        2 => format!("helo=host{index}.example.test"),
        3 => format!("client_address=198.51.{}.{}", index / 250, index % 250),
        4 => format!("client_address=10.{}.{}.0/24", index / 250, index % 250),
        5 => format!("rule=iprev&code={}", 500 + index % 100),
        6 => format!("enhanced=5.7.{}", index % 1000),
        7 => format!("verdict=reject&helo=host{index}.example.test"),
        8 => format!("transaction=defer&stage=rcpt&after={}", index % 7),
        _ => format!("verdict=accept&sender=user{index}@example.test&code=250"),
    }
}

/// The number of waits without a response.
fn still_open(open: &[TcpStream]) -> usize {
    let answered = |stream: &&TcpStream| stream.try_read(&mut [0; 64]).is_err();
    open.iter().filter(answered).count()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
