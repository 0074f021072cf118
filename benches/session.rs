//! Measures how soon `serve` is ready, and what rules add to the time of a session. `cargo bench --bench session`.
//!
//! Sessions with and without rules alternate over real sockets in one process, so that a slow moment of the machine
//! affects both; the medians are compared.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use martinet::World;
use martinet::policy::check::Check;
use martinet::policy::checks::CATALOGUE;
use martinet::scenario::{Scenario, load_receiver, parse_receiver, parse_scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READY_RUNS: usize = 50;
const SESSIONS: usize = 4000;

fn main() {
    let ready = median((0..READY_RUNS).map(|_| time_to_ready()).collect());
    println!("serve, from start to the ready line: {ready:?} (median of {READY_RUNS})");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(judging());
    runtime.block_on(everything());
}

/// A receiver with block lists, SPF and every HELO check, to compare with `lenient`.
async fn everything() {
    let lenient = load_receiver("lenient").expect("a receiver");
    let all = parse_receiver("all", &all_rules()).expect("a receiver");
    let world = |profile| {
        World::builder()
            .with_scenario(all_good())
            .with_receiver(profile)
            .start()
    };
    let (plain, strict) = (
        world(lenient).await.expect("a world"),
        world(all).await.expect("a world"),
    );
    let (without, with) = in_turn(&plain, &strict).await;
    let record = strict
        .sessions()
        .entries()
        .last()
        .expect("a session")
        .snapshot();
    assert!(record.refusals().is_empty(), "{:?}", record.refusals());
    println!(
        "session by lenient: {without:?}; by SPF, DNSBL, FCrDNS and {} helo checks ({} lookups): {with:?}",
        helo_checks().count(),
        record.evidence().len()
    );
    println!("they add {:?}", with.saturating_sub(without));
}

fn helo_checks() -> impl Iterator<Item = &'static Check> {
    // helo-literal-match and helo-bad-ip do not apply to names, but are evaluated.
    CATALOGUE
        .iter()
        .copied()
        .filter(|check| check.name.starts_with("helo-"))
}

fn all_rules() -> String {
    let mut text =
        "title = \"everything\"\n[[rule]]\ncheck = \"dnsbl\"\nzones = [\"zen.list.test\", \"bl.list.test\"]\n\
                    [[rule]]\ncheck = \"rhsbl-helo\"\nzones = [\"dbl.list.test\"]\n\
                    [[rule]]\ncheck = \"iprev\"\n[[rule]]\ncheck = \"sender-spf\"\n"
            .to_owned();
    for check in helo_checks() {
        text.push_str(&format!("[[rule]]\ncheck = \"{}\"\n", check.name));
    }
    text
}

/// The client that passes all rules.
fn all_good() -> Scenario {
    let text = "title = \"good\"\n[[domain]]\nname = \"contoso.test\"\n\
        [[zone]]\norigin = \"example.test.\"\ntext = \"\"\"\n@ TXT \"v=spf1 include:spf.example.test -all\"\n\
        spf TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\nmail TXT \"v=spf1 a -all\"\nmail A 192.0.2.10\n\"\"\"\n\
        [[zone]]\norigin = \"2.0.192.in-addr.arpa.\"\ntext = \"10 PTR mail.example.test.\"\n\
        [[zone]]\norigin = \"list.test.\"\ntext = \"2.0.0.127.zen A 127.0.0.2\"\n\
        [client]\nfrom = \"192.0.2.10\"\n";
    parse_scenario("good", text).expect("a scenario")
}

fn time_to_ready() -> Duration {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(["serve", "--scenario", "office365", "--format", "json"])
        .args([
            "--smtp",
            "127.0.0.1:0",
            "--dns",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("martinet runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout"))
        .read_line(&mut line)
        .expect("the ready line");
    let ready = start.elapsed();
    assert!(line.contains("\"smtp\""), "{line}");
    child.kill().expect("stopped");
    child.wait().expect("ended");
    ready
}

async fn judging() {
    let unjudged = parse_receiver("unjudged", "title = \"no rules, no facts\"\nrecord = []")
        .expect("a receiver");
    let judged = load_receiver("fcrdns").expect("a receiver");
    let world = |profile| {
        World::builder()
            .scenario("one-to-one")
            .with_receiver(profile)
            .start()
    };
    let (plain, strict) = (
        world(unjudged).await.expect("a world"),
        world(judged).await.expect("a world"),
    );
    let (without, with) = in_turn(&plain, &strict).await;
    let record = strict
        .sessions()
        .entries()
        .last()
        .expect("a session")
        .snapshot();
    println!(
        "session without facts or rules: {without:?}; judged by fcrdns ({} lookups): {with:?}",
        record.evidence().len()
    );
    println!(
        "judging adds {:?} (medians of {} each)",
        with.saturating_sub(without),
        SESSIONS * 9 / 10
    );
}

/// Alternates sessions between two worlds: the median of each, without the first tenth.
async fn in_turn(plain: &World, strict: &World) -> (Duration, Duration) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..SESSIONS {
        let (a, b) = (session(plain).await, session(strict).await);
        if round >= SESSIONS / 10 {
            without.push(a);
            with.push(b);
        }
    }
    (median(without), median(with))
}

/// Connect, greeting, EHLO, MAIL, QUIT.
async fn session(world: &World) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(world.smtp_addr())
        .await
        .expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut octets = Vec::with_capacity(1024);
    for command in [
        "",
        "EHLO mail.example.test\r\n",
        "MAIL FROM:<a@example.test>\r\n",
        "QUIT\r\n",
    ] {
        stream.write_all(command.as_bytes()).await.expect("sent");
        octets.clear();
        while !ends(&octets) {
            assert!(
                stream.read_buf(&mut octets).await.expect("a reply") > 0,
                "the session goes on"
            );
        }
    }
    start.elapsed()
}

/// Whether the octets end with the last line of a reply.
fn ends(octets: &[u8]) -> bool {
    let last = octets
        .strip_suffix(b"\r\n")
        .map(|o| o.rsplit(|b| *b == b'\n').next().unwrap_or(o));
    last.is_some_and(|line| line.get(3) == Some(&b' '))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
