//! The program under hostile clients: its memory, ten thousand connections, its end. Linux only: memory is read from
//! /proc, and the program is stopped with a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::skipped::skip;

use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

/// A running `martinet serve`, killed when dropped.
struct Serve {
    child: Child,
    smtp: SocketAddr,
    /// Kept here so that it exists as long as the program.
    _receiver: tempfile::Receiver,
}

mod tempfile {
    //! A receiver file that is removed with the test.

    use std::path::PathBuf;

    pub struct Receiver(pub PathBuf);

    impl Receiver {
        pub fn new(name: &str, text: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("martinet-{name}-{}.toml", std::process::id()));
            std::fs::write(&path, format!("title = \"t\"\n{text}")).expect("a receiver file");
            Self(path)
        }
    }

    impl Drop for Receiver {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

impl Serve {
    fn start(name: &str, receiver: &str, more: &[&str]) -> Self {
        let receiver = tempfile::Receiver::new(name, receiver);
        let path = receiver.0.to_str().expect("a path");
        let mut child = Command::new(env!("CARGO_BIN_EXE_martinet"))
            .args([
                "serve",
                "--receiver",
                path,
                "--smtp",
                "127.0.0.1:0",
                "--dns",
                "127.0.0.1:0",
            ])
            .args(["--http", "off", "--format", "json"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("martinet runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a ready line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let smtp = ready["smtp"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("an address");
        Self {
            child,
            smtp,
            _receiver: receiver,
        }
    }

    /// The memory it occupies, in octets: pages of /proc/PID/statm.
    fn resident(&self) -> usize {
        let statm =
            std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("it is up");
        let pages: usize = statm
            .split(' ')
            .nth(1)
            .and_then(|field| field.parse().ok())
            .expect("a number of pages");
        pages * page()
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.smtp).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let mut stream = BufReader::new(stream);
        assert!(read_reply(&mut stream).starts_with("220"), "a greeting");
        stream
    }

    /// Sends SIGTERM and returns the exit code, and how long it took.
    fn terminate(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let process = Pid::from_raw(self.child.id().cast_signed());
        kill(process, Signal::SIGTERM).expect("it runs");
        (self.child.wait().expect("it ends").code(), start.elapsed())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The size of a page: AT_PAGESZ of the auxiliary vector.
fn page() -> usize {
    let vector = std::fs::read("/proc/self/auxv").expect("an auxiliary vector");
    let words: Vec<_> = vector
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().expect("8 octets")))
        .collect();
    words
        .chunks_exact(2)
        .find(|pair| pair[0] == 6)
        .map_or(4096, |pair| pair[1] as usize)
}

fn say(stream: &mut BufReader<TcpStream>, octets: &[u8]) {
    stream.get_mut().write_all(octets).expect("written");
}

/// The next reply, its last line.
fn read_reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a reply");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

/// Reads a reply that must start with this text.
#[track_caller]
fn expect(stream: &mut BufReader<TcpStream>, code: &str) {
    let reply = read_reply(stream);
    assert!(reply.starts_with(code), "expected {code}, heard {reply:?}");
}

/// Sends a message, which is accepted.
fn serves(serve: &Serve) {
    let mut stream = serve.connect();
    say(&mut stream, b"EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n");
    for code in ["250", "250", "250", "354"] {
        expect(&mut stream, code);
    }
    say(&mut stream, b"x\r\n.\r\nQUIT\r\n");
    expect(&mut stream, "250");
    expect(&mut stream, "221");
}

/// The soft limit of open descriptors.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a limit of open files");
    line.split_ascii_whitespace()
        .nth(3)
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(usize::MAX)
}

const MIB: usize = 1 << 20;
const GREETING: &[u8; 37] = b"220 mx.martinet.test ESMTP martinet\r\n";

/// 10,000 concurrent connections need less than 300 MiB, and are served. `MARTINET_IDLE` sets another number.
#[tokio::test]
async fn ten_thousand_idle_connections() {
    let wanted = std::env::var("MARTINET_IDLE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    if descriptors() < wanted + 200 {
        skip(&format!(
            "{wanted} idle connections: they need {} descriptors, {} are allowed",
            wanted + 200,
            descriptors()
        ));
        return;
    }
    let serve = Serve::start("idle", "", &["--connections", &(wanted + 10).to_string()]);
    let empty = serve.resident();
    let mut connections = Vec::with_capacity(wanted);
    while connections.len() < wanted {
        let mut batch = tokio::task::JoinSet::new();
        for _ in 0..50.min(wanted - connections.len()) {
            batch.spawn(greeted(serve.smtp));
        }
        while let Some(stream) = batch.join_next().await {
            connections.push(stream.expect("no panic"));
        }
    }
    let full = serve.resident();
    println!(
        "{wanted} connections: {} KiB, of which {} KiB before the first",
        full >> 10,
        empty >> 10
    );
    assert!(full < 300 * MIB, "{} MiB", full / MIB);
    serves(&serve);
    drop(connections);
    serves(&serve);
}

/// A connection that has its greeting. It comes from 127.0.0.2, whose ports are otherwise unused.
async fn greeted(address: SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::from(([127, 0, 0, 2], 0)))
        .expect("a port");
    let mut stream = socket.connect(address).await.expect("a connection");
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting).await.expect("a greeting");
    assert_eq!(&greeting, GREETING);
    stream
}

/// Everything that a client can make the program store, twenty times at once: endless lines, endless data, chunks that
/// never end, countless recipients, replies that are never read. It stays within the limits in docs/robustness.md.
#[test]
fn twenty_clients_stay_within_the_memory_bounds() {
    const CLIENTS: usize = 20;
    const MEMORY_PER_CLIENT: usize = 8 * MIB;
    let serve = Serve::start(
        "greedy",
        "smtp.size = 1000000\nsmtp.command_timeout = \"60s\"",
        &[],
    );
    let (empty, mut kept, mut most) = (serve.resident(), Vec::new(), 0);
    let envelope = b"EHLO a.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\n";
    let recipient = format!(
        "RCPT TO:<{}@contoso.test> ORCPT=rfc822;{}\r\n",
        "r".repeat(60),
        "o".repeat(450)
    );
    let line = [vec![b'x'; 998], b"\r\n".to_vec()].concat();
    for client in 0..CLIENTS {
        let mut stream = serve.connect();
        let (before, octets) = match client % 5 {
            0 => (Vec::new(), vec![b'x'; 4 * MIB]),
            1 => ([&envelope[..], b"DATA\r\n"].concat(), line.repeat(4000)),
            2 => (
                [&envelope[..], b"BDAT 99999999999 LAST\r\n"].concat(),
                line.repeat(4000),
            ),
            3 => (envelope.to_vec(), recipient.repeat(1500).into_bytes()),
            _ => (Vec::new(), b"HELP\r\n".repeat(20_000)),
        };
        say(&mut stream, &before);
        stream
            .get_ref()
            .set_write_timeout(Some(Duration::from_millis(500)))
            .expect("a timeout");
        // If replies are not read, not everything can be written.
        let _ = stream.get_mut().write_all(&octets);
        most = most.max(serve.resident());
        kept.push(stream);
    }
    serves(&serve);
    most = most.max(serve.resident());
    println!(
        "{CLIENTS} greedy clients: {} KiB, of which {} KiB before the first",
        most >> 10,
        empty >> 10
    );
    assert!(
        most < empty + CLIENTS * MEMORY_PER_CLIENT,
        "{} KiB",
        most >> 10
    );
}

/// A program that reads the ready line may stop the process at once.
#[test]
fn sigterm_right_after_the_ready_line_ends_in_order() {
    for _ in 0..20 {
        let mut serve = Serve::start("ready-and-gone", "", &[]);
        assert_eq!(serve.terminate().0, Some(0));
    }
}

/// SIGTERM: 421 to idle clients, a limited time for clients in a transaction; exit code 0.
#[test]
fn sigterm_ends_in_order() {
    let mut serve = Serve::start("sigterm", "", &[]);
    let (mut idle, mut busy, mut stuck) = (serve.connect(), serve.connect(), serve.connect());
    for stream in [&mut busy, &mut stuck] {
        say(
            stream,
            b"HELO a.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n",
        );
        for code in ["250", "250", "250", "354"] {
            expect(stream, code);
        }
    }
    let clients = std::thread::spawn(move || {
        expect(&mut idle, "421 4.3.2");
        say(&mut busy, b"x\r\n.\r\n");
        expect(&mut busy, "250");
        expect(&mut busy, "421 4.3.2");
        let mut rest = String::new();
        let _ = stuck.read_to_string(&mut rest);
        assert_eq!(
            rest, "421 4.3.2 Service shutting down\r\n",
            "who never ends hears the same, later"
        );
    });
    let (code, took) = serve.terminate();
    clients.join().expect("the clients heard it");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}
