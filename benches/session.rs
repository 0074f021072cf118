//! How soon `serve` is ready, and what judging adds to a session. `cargo bench --bench session`.
//!
//! Judged and unjudged sessions alternate over real sockets in one process, so that a slow moment of the machine
//! meets both; the medians are compared.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use martinet::World;
use martinet::scenario::{load_receiver, parse_receiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READY_RUNS: usize = 50;
const SESSIONS: usize = 4000;

fn main() {
    let ready = median((0..READY_RUNS).map(|_| time_to_ready()).collect());
    println!("serve, from start to the ready line: {ready:?} (median of {READY_RUNS})");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(judging());
}

fn time_to_ready() -> Duration {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["serve", "--scenario", "office365", "--format", "json"])
        .args(["--smtp", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("martinet runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("the ready line");
    let ready = start.elapsed();
    assert!(line.contains("\"smtp\""), "{line}");
    child.kill().expect("stopped");
    child.wait().expect("ended");
    ready
}

async fn judging() {
    let unjudged = parse_receiver("unjudged", "title = \"no rules, no facts\"\nrecord = []").expect("a receiver");
    let judged = load_receiver("fcrdns").expect("a receiver");
    let world = |profile| World::builder().scenario("one-to-one").with_receiver(profile).start();
    let (plain, strict) = (world(unjudged).await.expect("a world"), world(judged).await.expect("a world"));
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..SESSIONS {
        let (a, b) = (session(&plain).await, session(&strict).await);
        if round >= SESSIONS / 10 {
            without.push(a);
            with.push(b);
        }
    }
    let (without, with) = (median(without), median(with));
    let record = strict.sessions().entries().last().expect("a session").snapshot();
    println!(
        "session without facts or rules: {without:?}; judged by fcrdns ({} lookups): {with:?}",
        record.evidence.len()
    );
    println!("judging adds {:?} (medians of {} each)", with.saturating_sub(without), SESSIONS * 9 / 10);
}

/// Connect, greeting, EHLO, MAIL, QUIT.
async fn session(world: &World) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(world.smtp_addr()).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut octets = Vec::with_capacity(1024);
    for command in ["", "EHLO mail.example.test\r\n", "MAIL FROM:<a@example.test>\r\n", "QUIT\r\n"] {
        stream.write_all(command.as_bytes()).await.expect("sent");
        octets.clear();
        while !ends(&octets) {
            assert!(stream.read_buf(&mut octets).await.expect("a reply") > 0, "the session goes on");
        }
    }
    start.elapsed()
}

/// Whether the octets end with the last line of a reply.
fn ends(octets: &[u8]) -> bool {
    let last = octets.strip_suffix(b"\r\n").map(|o| o.rsplit(|b| *b == b'\n').next().unwrap_or(o));
    last.is_some_and(|line| line.get(3) == Some(&b' '))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
