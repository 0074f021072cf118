//! One query over a real socket, for `verify` and tests.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Transport;
use crate::name::{Name, RecordType};

/// Sends one query and returns the response unchanged. A truncated answer is not repeated over TCP.
///
/// # Errors
/// Errors of the socket; `TimedOut` without an answer within `time_limit`; `InvalidData` for an unreadable answer.
pub async fn ask(
    server: SocketAddr,
    name: &Name,
    record_type: RecordType,
    transport: Transport,
    edns: Option<u16>,
    time_limit: Duration,
) -> io::Result<Message> {
    let id = server.port() ^ 0x4d54;
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name.clone(), record_type));
    message.edns = edns.map(|size| {
        let mut edns = Edns::new();
        edns.set_max_payload(size);
        edns
    });
    let unreadable =
        |e: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
    let request = message.to_vec().map_err(|e| unreadable(&e))?;
    let exchange = async {
        match transport {
            Transport::Udp => over_udp(server, &request).await,
            Transport::Tcp => over_tcp(server, &request).await,
        }
    };
    let octets = timeout(time_limit, exchange)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let reply = Message::from_vec(&octets).map_err(|e| unreadable(&e))?;
    if reply.metadata.id != id {
        return Err(unreadable(&"the answer has another id"));
    }
    Ok(reply)
}

async fn over_udp(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(request).await?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    let length = socket.recv(&mut reply).await?;
    reply.truncate(length);
    Ok(reply)
}

async fn over_tcp(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length =
        u16::try_from(request.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let framed = [&length.to_be_bytes()[..], request].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}
