//! UDP and TCP sockets in front of the wire. The caller owns the sockets and the end of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::wire::{Response, respond};
use super::{Transport, Zones};
use crate::journal::{DnsQuery, Log};

/// How long a TCP connection may stay silent (RFC 7766 §6.2.3).
const TCP_IDLE: Duration = Duration::from_secs(10);
/// Most TCP connections at a time; a further one waits in the backlog.
const TCP_CONNECTIONS: usize = 256;
/// The largest request over UDP that is read whole.
const UDP_REQUEST_OCTETS: usize = 4096;

/// Answers on both sockets until shut down. Every query goes to the journal.
pub async fn serve(
    udp: UdpSocket,
    tcp: TcpListener,
    zones: Arc<ArcSwap<Zones>>,
    journal: Arc<Log<DnsQuery>>,
    shutdown: CancellationToken,
) {
    let desk = Arc::new(Desk { zones, journal });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = serve_udp(Arc::new(udp), Arc::clone(&desk)) => {}
        () = serve_tcp(tcp, desk) => {}
    }
}

/// What both transports share.
struct Desk {
    zones: Arc<ArcSwap<Zones>>,
    journal: Arc<Log<DnsQuery>>,
}

impl Desk {
    fn answer(&self, request: &[u8], transport: Transport, client: SocketAddr) -> (Vec<u8>, Duration) {
        let response = respond(&self.zones.load(), request, transport);
        let Response { octets, delay, name, record_type, rcode, answers, truncated, fault } = response;
        tracing::debug!(%client, name, record_type, rcode, fault, "query answered");
        let at = Timestamp::now();
        let transport = transport.word();
        self.journal.append(|id| DnsQuery {
            id,
            at,
            client,
            transport,
            name,
            record_type,
            rcode,
            answers,
            truncated,
            fault,
        });
        (octets, delay)
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, desk: Arc<Desk>) {
    let mut request = vec![0; UDP_REQUEST_OCTETS];
    loop {
        // An error here is another host's ICMP message, not ours: the socket goes on.
        let Ok((length, client)) = socket.recv_from(&mut request).await else { continue };
        let (octets, delay) = desk.answer(&request[..length], Transport::Udp, client);
        if octets.is_empty() {
            continue;
        }
        if delay.is_zero() {
            let _ = socket.send_to(&octets, client).await;
        } else {
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = socket.send_to(&octets, client).await;
            });
        }
    }
}

async fn serve_tcp(listener: TcpListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(TCP_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let Ok((stream, client)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: let connections end
            continue;
        };
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let _ = converse(stream, client, &desk).await;
            drop(place);
        });
    }
}

/// Answers the queries of one connection in order, as many as come (RFC 7766 §6.2.1). A fault's delay holds up the
/// queries behind it: that is what a slow server looks like.
async fn converse(stream: TcpStream, client: SocketAddr, desk: &Desk) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut request = Vec::new();
    loop {
        let length = timeout(TCP_IDLE, reader.read_u16()).await??;
        request.resize(usize::from(length), 0);
        timeout(TCP_IDLE, reader.read_exact(&mut request)).await??;
        let (octets, delay) = desk.answer(&request, Transport::Tcp, client);
        if octets.is_empty() {
            continue;
        }
        tokio::time::sleep(delay).await;
        let mut framed = Vec::with_capacity(octets.len() + 2);
        framed.extend_from_slice(&u16::try_from(octets.len()).unwrap_or(u16::MAX).to_be_bytes());
        framed.extend_from_slice(&octets);
        writer.write_all(&framed).await?;
    }
}
