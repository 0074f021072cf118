//! One question and its answer over real sockets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;

use crate::questions::Question;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a query, and reads the answer.
pub fn ask(server: SocketAddr, question: &Question, tcp: bool) -> io::Result<Message> {
    let octets = if tcp {
        over_tcp(server, &question.octets)
    } else {
        over_udp(server, &question.octets, TIMEOUT)
    };
    Message::from_vec(&octets?)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))
}

/// Sends a datagram and returns the one that comes back.
pub fn over_udp(server: SocketAddr, octets: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(timeout))?;
    socket.connect(server)?;
    socket.send(octets)?;
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn over_tcp(server: SocketAddr, octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = u16::try_from(octets.len()).expect("a short question");
    stream.write_all(&[&length.to_be_bytes(), octets].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}
