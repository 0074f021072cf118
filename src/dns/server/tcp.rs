//! DNS over TCP (RFC 1035 §4.2.2, RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{ServerState, Tasks, exchange, transfer};
use crate::dns::counts::Counters;
use crate::dns::fault::Action;
use crate::dns::respond::{Disposition, Response};
use crate::dns::{Transport, Zones};
use crate::journal::{DnsExchange, Event, Failures};

/// Maximum time without input (RFC 7766 §6.2.3), and maximum time for sending an answer.
const IDLE: Duration = Duration::from_secs(10);
/// Maximum number of concurrent connections of all clients; further ones wait in the backlog.
const CONNECTIONS: usize = 1_024;
/// Maximum number of answers of one connection that are delayed or wait for the upstream server; then no further query
/// is read.
const WAITING: usize = 256;

/// Accepts connections until dropped.
pub(super) async fn serve(listener: TcpListener, service: Arc<ServerState>, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut failures = Failures::default();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(failures) = failures.count(Instant::now()) {
                    tracing::error!(%error, failures, "cannot accept a DNS connection");
                    let listener = listener.local_addr();
                    service
                        .events
                        .append(|id| Event::accept_failed(id, listener, &error, failures));
                }
                tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: let connections end
                continue;
            }
        };
        let most = service.zones.load().settings().limits.tcp_connections;
        if !service.limiter.connect(client.ip(), most) {
            Counters::add(&service.counters.refused_connections, 1);
            continue;
        }
        let service = Arc::clone(&service);
        tasks.spawn(async move {
            let _ = serve_connection(stream, client, &service).await;
            service.limiter.disconnect(client.ip());
            drop(place);
        });
    }
}

/// Applies the faults for connections, and otherwise serves the connection.
async fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    service: &Arc<ServerState>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let met = service.zones.load().meets_connection();
    if let Some(action) = met {
        Counters::add(&service.counters.faults, 1);
        let exchange = Arc::new(DnsExchange {
            fault: action.word(),
            ..DnsExchange::default()
        });
        service.record(Transport::Tcp, Timestamp::now(), [(exchange, client)]);
        if action == Action::TcpRefused {
            return stream.set_zero_linger();
        }
        return read_to_end(stream).await;
    }
    let (reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(writer));
    Connection {
        client,
        service,
        writer,
        ready: Vec::new(),
        waiting: JoinSet::new(),
    }
    .serve_queries(reader)
    .await
}

/// Reads until the client closes the connection.
async fn read_to_end(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map(|_| ())
}

struct Connection<'a> {
    client: SocketAddr,
    service: &'a Arc<ServerState>,
    writer: Arc<Mutex<OwnedWriteHalf>>,
    /// Framed answers, which are sent together when no further query is available.
    ready: Vec<u8>,
    /// Delayed answers.
    waiting: JoinSet<()>,
}

impl Connection<'_> {
    /// Answers queries until the client ends. A delayed answer does not block later ones: answers are sent as they
    /// become ready (RFC 7766 §6.2.1.1).
    async fn serve_queries(mut self, reader: OwnedReadHalf) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(16 << 10, reader);
        let mut request = Vec::new();
        loop {
            let Some(length) = self.length(&mut reader).await? else {
                break;
            };
            request.resize(usize::from(length), 0);
            timeout(IDLE, reader.read_exact(&mut request)).await??;
            let began = Instant::now();
            let zones = self.service.zones.load_full();
            Counters::add(&self.service.counters.tcp, 1);
            let response = self
                .service
                .respond(&zones, &request, Transport::Tcp, self.client);
            match response.disposition.clone() {
                Disposition::Reset => {
                    self.record(&request, &response);
                    return self.reset(reader.into_inner()).await;
                }
                Disposition::Hang => {
                    self.record(&request, &response);
                    self.flush().await?;
                    return read_to_end(reader).await;
                }
                Disposition::Transfer(origin) => {
                    self.flush().await?;
                    let messages = transfer::messages(&zones, &origin, &request);
                    self.record(
                        &request,
                        &Response {
                            octets: messages.first().cloned().unwrap_or_default(),
                            ..response
                        },
                    );
                    for message in messages {
                        self.frame(&message);
                        self.flush().await?;
                    }
                }
                Disposition::Forward(upstream) => {
                    self.forward(upstream, zones, request.clone()).await
                }
                Disposition::Send | Disposition::Ignore => {
                    self.record(&request, &response);
                    let at_once = response.delay.is_zero();
                    self.answer(response).await;
                    if at_once {
                        self.service.metrics.answer_time.observe(began.elapsed());
                    }
                }
            }
            if !holds_message(reader.buffer()) {
                self.flush().await?;
            }
        }
        while self.waiting.join_next().await.is_some() {}
        Ok(())
    }

    /// Closes the connection with RST; unsent answers are dropped.
    async fn reset(mut self, reader: OwnedReadHalf) -> io::Result<()> {
        self.waiting.shutdown().await;
        let writer = Arc::into_inner(self.writer).map(Mutex::into_inner);
        // The two halves are joined, because dropping only the writing half would close the connection without RST.
        match writer.and_then(|writer| reader.reunite(writer).ok()) {
            Some(stream) => stream.set_zero_linger(),
            None => Ok(()),
        }
    }

    /// The length of the next message; `None` if the client has closed, or is idle and no answer is pending.
    async fn length(&mut self, reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<u16>> {
        loop {
            match timeout(IDLE, reader.read_u16()).await {
                Ok(Ok(length)) => return Ok(Some(length)),
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    while self.waiting.try_join_next().is_some() {}
                    if self.waiting.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn record(&self, request: &[u8], response: &Response) {
        let exchange = exchange(request, response);
        self.service
            .record(Transport::Tcp, Timestamp::now(), [(exchange, self.client)]);
    }

    fn frame(&mut self, octets: &[u8]) {
        self.ready.extend_from_slice(&framed(octets));
    }

    async fn answer(&mut self, response: Response) {
        if response.octets.is_empty() {
            return;
        }
        if response.delay.is_zero() {
            return self.frame(&response.octets);
        }
        self.make_room().await;
        let writer = Arc::clone(&self.writer);
        self.waiting.spawn(async move {
            tokio::time::sleep(response.delay).await;
            let _ = timeout(
                IDLE,
                writer.lock().await.write_all(&framed(&response.octets)),
            )
            .await;
        });
    }

    async fn forward(&mut self, upstream: SocketAddr, zones: Arc<Zones>, request: Vec<u8>) {
        self.make_room().await;
        let (writer, service, client) = (
            Arc::clone(&self.writer),
            Arc::clone(self.service),
            self.client,
        );
        self.waiting.spawn(async move {
            let response = service
                .forward(upstream, &zones, &request, Transport::Tcp)
                .await;
            service.record(
                Transport::Tcp,
                Timestamp::now(),
                [(exchange(&request, &response), client)],
            );
            let _ = timeout(
                IDLE,
                writer.lock().await.write_all(&framed(&response.octets)),
            )
            .await;
        });
    }

    async fn make_room(&mut self) {
        while self.waiting.try_join_next().is_some() {}
        if self.waiting.len() >= WAITING {
            self.waiting.join_next().await;
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.ready.is_empty() {
            timeout(IDLE, self.writer.lock().await.write_all(&self.ready)).await??;
            self.ready.clear();
        }
        Ok(())
    }
}

/// Whether another whole message is in the buffer.
fn holds_message(buffer: &[u8]) -> bool {
    let length = buffer
        .first_chunk()
        .map(|length| usize::from(u16::from_be_bytes(*length)));
    length.is_some_and(|length| buffer.len() >= 2 + length)
}

/// A message with its length before it (RFC 1035 §4.2.2).
pub(super) fn framed(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), octets].concat()
}
