//! Queries to an upstream server, if the settings name one: the only place where the server queries another one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::tcp::framed;
use crate::dns::query::{HEADER_OCTETS, Read, read};
use crate::dns::{Transport, Zones};

/// Timeout of one attempt.
const TIMEOUT: Duration = Duration::from_millis(2_500);
/// Number of attempts over UDP.
const TRIES: usize = 2;
/// An OPT record for 1232 octets (RFC 6891 §6.1.2).
const OPT: [u8; 11] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

/// The answer of the upstream server to a request for an outside name, or for the outside name at the end of its
/// CNAMEs. `None` without an answer.
pub(super) async fn ask(
    upstream: SocketAddr,
    zones: &Zones,
    request: &[u8],
    transport: Transport,
) -> Option<Vec<u8>> {
    let question = question(zones, request)?;
    if transport == Transport::Udp {
        for _ in 0..TRIES {
            let reply = timeout(TIMEOUT, over_udp(upstream, &question))
                .await
                .ok()
                .and_then(Result::ok);
            match reply {
                Some(reply) if reply[2] & 2 == 0 => return Some(reply),
                Some(_) => break, // truncated: repeat over TCP, and limit the answer to the client's size
                None => {}
            }
        }
    }
    timeout(TIMEOUT, over_tcp(upstream, &question))
        .await
        .ok()
        .and_then(Result::ok)
}

/// A request for the outside name.
fn question(zones: &Zones, request: &[u8]) -> Option<Vec<u8>> {
    let Read::Query(query) = read(request) else {
        return None;
    };
    let name = zones.truth(query.name, query.kind).left?;
    let head = [
        request[0], request[1], request[2], request[3], 0, 1, 0, 0, 0, 0, 0, 1,
    ];
    Some(
        [
            &head[..],
            &name,
            &query.kind.to_be_bytes(),
            &query.class.to_be_bytes(),
            &OPT,
        ]
        .concat(),
    )
}

async fn over_udp(upstream: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any = if upstream.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(upstream).await?;
    socket.send(question).await?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut reply).await?;
        if answers(&reply[..length], question) {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

async fn over_tcp(upstream: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await?;
    stream.write_all(&framed(question)).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    if answers(&reply, question) {
        Ok(reply)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Whether this is a response with the same id and question (RFC 5452 §4.2, §9.1).
fn answers(reply: &[u8], question: &[u8]) -> bool {
    let end = question.len() - OPT.len();
    let question_section = &question[HEADER_OCTETS..end];
    let echoed = reply
        .get(HEADER_OCTETS..end)
        .is_some_and(|echo| echo.eq_ignore_ascii_case(question_section));
    echoed && reply[..2] == question[..2] && reply[2] & 0x80 != 0
}
