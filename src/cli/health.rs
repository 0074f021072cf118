//! `martinet readyz` and `livez`: health checks for containers without curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::args::{Health, Readyz};
use super::{print, warn};
use crate::error::Error;

/// Time limit of one request.
const REQUEST: Duration = Duration::from_secs(5);
/// Time between two requests while waiting.
const PAUSE: Duration = Duration::from_millis(50);
/// Maximum size of an answer, in octets.
const ANSWER_OCTETS: u64 = 4096;

/// Asks `/readyz`, once or until it is ready.
pub(super) async fn readyz(options: Readyz) -> Result<bool, Error> {
    let address = reachable(options.health.http);
    let begin = Instant::now();
    loop {
        let answer = ask(address, "/readyz").await;
        let late = begin.elapsed() + PAUSE > options.timeout;
        match answer {
            Ok(text) if is_ok(&text) => return Ok(true),
            other if !options.wait || late => return report(other),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Asks `/livez` once.
pub(super) async fn livez(options: Health) -> Result<bool, Error> {
    match ask(reachable(options.http), "/livez").await {
        Ok(text) if is_ok(&text) => Ok(true),
        other => report(other),
    }
}

/// Converts the address of a listener to an address to connect to: 0.0.0.0 becomes 127.0.0.1.
fn reachable(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

fn is_ok(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

/// Prints why the server is not ready.
fn report(answer: Result<String, Error>) -> Result<bool, Error> {
    match answer {
        Ok(text) => print(&format!("{}\n", text.lines().next().unwrap_or("no answer"))),
        Err(error) => warn(&error.to_string()),
    }
    Ok(false)
}

async fn ask(address: SocketAddr, path: &str) -> Result<String, Error> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_OCTETS).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(REQUEST, exchange).await;
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    answer
        .unwrap_or_else(|_| Err(late()))
        .map_err(|error| Error::io(format!("no answer from http://{address}{path}"), error))
}
