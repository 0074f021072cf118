//! One connection: the octets and the time of a session.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::Instrument;

use crate::facts::Resolver;
use crate::smtp::record::events::EventWriter;
use crate::smtp::script::{End, SendMode};
use crate::smtp::server::SHUTDOWN_TIMEOUT;
use crate::smtp::server::proxy;
use crate::smtp::server::stream::{LINGER, MaybeTlsStream, linger};
use crate::smtp::session::{Session, Step};
use crate::smtp::{
    AddressSource, ClientAddress, ListenerConfig, ServerState, SessionConfig, SessionEntry,
};
use crate::verdict::ClosedBy;

/// Initial size of the read buffer: most idle clients have sent little.
const FIRST_READ_OCTETS: usize = 4 << 10;
/// Size of later reads.
const READ_OCTETS: usize = 64 << 10;
/// Initial capacity for replies.
const OUTPUT_OCTETS: usize = 512;
/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection and its session.
pub(crate) struct Connection<'a> {
    pub(crate) wire: MaybeTlsStream,
    pub(crate) session: Session,
    pub(crate) entry: Arc<SessionEntry>,
    pub(crate) session_config: Arc<SessionConfig>,
    pub(crate) service: &'a ServerState,
    listener_config: &'a ListenerConfig,
    pub(crate) writer: EventWriter,
    input: BytesMut,
    pub(crate) output: Vec<u8>,
    /// The time at which the connection was accepted.
    accepted: std::time::Instant,
    /// The time at which the octets that are being answered were read.
    pub(crate) began: std::time::Instant,
    /// The time by which the next command must be complete; a single octet does not extend it.
    command_by: Option<Instant>,
    /// The time at which a stopping world ends this session.
    deadline: Option<Instant>,
}

impl<'a> Connection<'a> {
    /// Serves a connection to its end.
    pub(crate) async fn accept(
        mut stream: TcpStream,
        peer: SocketAddr,
        service: &'a ServerState,
        listener_config: &'a ListenerConfig,
        shutdown: &CancellationToken,
    ) {
        let mut input = BytesMut::new();
        let named = proxy::client(&mut stream, &mut input, listener_config.proxy).await;
        let address = named.as_ref().ok().copied().flatten();
        let mut connection = Self::begin(stream, peer, address, service, listener_config);
        connection.input = input;
        let span = connection.span(peer);
        match named {
            Ok(_) => {
                let serving = connection.serve(shutdown);
                serving.instrument(span.clone()).await;
            }
            Err(why) => {
                let refusing = connection.refuse_proxy(&why);
                refusing.instrument(span.clone()).await;
            }
        }
        connection.end(&span);
    }

    /// Refuses a connection beyond the limit. With time granted, the client may still send, so that its system does not
    /// discard the reply.
    pub(crate) async fn reject(
        stream: TcpStream,
        peer: SocketAddr,
        service: &'a ServerState,
        listener_config: &'a ListenerConfig,
        granted: bool,
    ) {
        let mut connection = Self::begin(stream, peer, None, service, listener_config);
        let span = connection.span(peer);
        connection.session.reject(&mut connection.output);
        let sending = connection.flush(SendMode::default());
        let sent = timeout(LINGER, sending.instrument(span.clone())).await;
        let mut wire = std::mem::replace(&mut connection.wire, MaybeTlsStream::Gone);
        connection.end(&span);
        if granted && matches!(sent, Ok(Ok(()))) {
            let _ = linger(&mut wire).await;
        }
    }

    /// Starts the session of a connection; `named` is the address in its PROXY header.
    fn begin(
        stream: TcpStream,
        peer: SocketAddr,
        named: Option<SocketAddr>,
        service: &'a ServerState,
        listener_config: &'a ListenerConfig,
    ) -> Self {
        let begin = || {
            let session_config = listener_config
                .session_config
                .as_ref()
                .unwrap_or(&service.session_config);
            let session_config = session_config.load_full();
            let client = match named {
                Some(address) => session_config
                    .identity
                    .translated(ClientAddress::of(address.ip(), AddressSource::Proxy)),
                None => session_config.identity.next(peer.ip()),
            };
            (session_config, client)
        };
        // Under the lock of the log, which a reset takes too, so that receiver, client address and memory are from the
        // same side of a reset.
        let mut begun = None;
        let entry = service.sessions.append(|id| {
            let (session_config, client) = begun.insert(begin());
            let receiver = &session_config.receiver.name;
            SessionEntry::new(
                id,
                peer,
                *client,
                receiver,
                session_config.memory.clock().now(),
            )
        });
        let (session_config, client) = begun.unwrap_or_else(begin);
        service.metrics.sessions.add(1);
        service.append_events(entry.connected());
        let session = Session::new(
            Arc::clone(&session_config.receiver),
            Arc::clone(&session_config.memory),
            client,
            peer,
            entry.id,
        )
        .on_listener(listener_config.mode(&session_config))
        .with_recipients(&session_config.recipients)
        .storing_in(&service.budget)
        .keeping_messages(service.journal_store.is_some());
        let began = std::time::Instant::now();
        Self {
            wire: MaybeTlsStream::Plain(stream),
            session,
            entry,
            session_config,
            service,
            listener_config,
            writer: EventWriter::default(),
            input: BytesMut::new(),
            output: Vec::with_capacity(OUTPUT_OCTETS),
            accepted: began,
            began,
            command_by: None,
            deadline: None,
        }
    }

    fn span(&self, peer: SocketAddr) -> tracing::Span {
        let client = self.entry.look(|record| record.client_address);
        tracing::info_span!("session", world = %self.service.world, id = self.entry.id, %peer, client_address = %client)
    }

    /// Publishes the remaining events of the session, and counts it.
    fn end(mut self, span: &tracing::Span) {
        span.in_scope(|| {
            self.publish();
            self.entry.log_end();
            self.entry
                .look(|record| self.service.gateways.report(record));
        });
        let service = self.service;
        service
            .metrics
            .ended
            .count(self.entry.look(|record| record.verdict.name()));
        service
            .metrics
            .session_time
            .observe(self.accepted.elapsed());
        if let Some(journal_store) = &service.journal_store
            && !service.last_reset.is_after(self.entry.id)
        {
            journal_store.session(self.entry.clone());
        }
    }

    async fn serve(&mut self, shutdown: &CancellationToken) {
        let secured = match self.listener_config.implicit_tls {
            true => self.secure(shutdown).await,
            false => Ok(()),
        };
        let ended = match secured {
            Ok(()) => self.run(shutdown).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            self.session.failed(ClosedBy::Lost, lost_reason(&error));
        }
    }

    /// Sends Postfix's reply to a wrong header; the journal has the reason.
    async fn refuse_proxy(&mut self, why: &str) {
        self.session.refuse_proxy(why, &mut self.output);
        let _ = self.flush(SendMode::default()).await;
        let _ = linger(&mut self.wire).await;
    }

    async fn run(&mut self, shutdown: &CancellationToken) -> io::Result<()> {
        self.wire.set_nodelay()?;
        let timer = pin!(sleep(Duration::MAX));
        let stop = pin!(shutdown.cancelled());
        let mut until = Until { timer, stop };
        loop {
            let step = {
                let service = self.service;
                let zones = service.last_reset.zones(self.entry.id, &service.zones);
                let SessionConfig {
                    lookup_timeout,
                    lookup_cache,
                    ..
                } = &*self.session_config;
                let resolver = Resolver::remembering(&zones, *lookup_timeout, lookup_cache);
                self.session
                    .advance(&mut self.input, &mut self.output, &resolver)
            };
            if step == Step::Store {
                self.store().await;
                continue;
            }
            if step != Step::Read || !self.output.is_empty() {
                self.command_by = None;
            }
            let send_mode = if step == Step::Flush {
                self.session.take_send_mode()
            } else {
                SendMode::default()
            };
            if send_mode == SendMode::default() {
                self.flush(send_mode).await?;
            } else {
                tokio::select! {
                    flushed = self.flush(send_mode) => flushed?,
                    // Delayed or slow output must not prevent a world from stopping.
                    () = shutdown.cancelled() => return self.wire.reset(),
                }
            }
            match (step, send_mode.end) {
                (_, Some(End::Reset)) => {
                    self.session.ended(ClosedBy::Script);
                    return self.wire.reset();
                }
                (_, Some(End::Close)) => {
                    self.session.ended(ClosedBy::Script);
                    return linger(&mut self.wire).await;
                }
                (Step::Flush | Step::Store, None) => {}
                (Step::Read, None) => self.read(shutdown, &mut until).await?,
                (Step::Pause(pause), None) => self.wait(pause, shutdown).await,
                (Step::Listen(wait), None) => self.listen(wait, shutdown).await?,
                (Step::StartTls, None) => self.secure(shutdown).await?,
                // A client that waits for the reply to QUIT sends nothing more, so there is no input to read.
                (Step::Close, None)
                    if self.session.has_quit()
                        && self.input.is_empty()
                        && self.wire.is_silent() =>
                {
                    return Ok(());
                }
                (Step::Close, None) => return linger(&mut self.wire).await,
            }
        }
    }

    /// Starts TLS. Input in clear text after STARTTLS is discarded (RFC 3207 §4; CVE-2011-0411).
    async fn secure(&mut self, shutdown: &CancellationToken) -> io::Result<()> {
        let discarded = self.input.len();
        self.input.clear();
        let Some(tls) = self.listener_config.tls_of(&self.session_config) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let handshake = tokio::select! {
            handshake = timeout(HANDSHAKE_TIMEOUT, self.wire.secure(tls)) => handshake.map_err(io::Error::from).flatten(),
            () = shutdown.cancelled() => Err(io::ErrorKind::Interrupted.into()),
        };
        match handshake {
            Ok(suite) if self.listener_config.implicit_tls => self.session.under_tls(suite),
            Ok(suite) => self.session.secured(suite, discarded, &mut self.output),
            Err(error) => {
                self.session.failed(
                    ClosedBy::Tls,
                    format!("TLS handshake: {}", lost_reason(&error)),
                );
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits for the time of lookups; a stopping world does not wait.
    async fn wait(&mut self, pause: Duration, shutdown: &CancellationToken) {
        let pause = self
            .service
            .shortened(pause, self.session_config.memory.clock());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => self.session.shut_down(&mut self.output),
        }
    }

    /// Waits a fixed time for input before the client is allowed to send.
    async fn listen(&mut self, wait: Duration, shutdown: &CancellationToken) -> io::Result<()> {
        self.make_room();
        let wait = self
            .service
            .shortened(wait, self.session_config.memory.clock());
        tokio::select! {
            read = timeout(wait, self.wire.read_buf(&mut self.input)) => match read {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) | Err(_) => self.began = std::time::Instant::now(),
            },
            () = shutdown.cancelled() => self.session.shut_down(&mut self.output),
        }
        Ok(())
    }

    fn make_room(&mut self) {
        if self.input.capacity() - self.input.len() < FIRST_READ_OCTETS / 2 {
            let first = self.input.capacity() == 0;
            self.input.reserve(if first {
                FIRST_READ_OCTETS
            } else {
                READ_OCTETS
            });
        }
    }

    /// The time limit of the client: each block of data has its own limit, and a command has one from its beginning to
    /// its end (RFC 5321 §4.5.3.2).
    fn time_limit(&mut self) -> Instant {
        let settings = &self.session_config.receiver.settings;
        if self.session.awaits_data() {
            return Instant::now() + settings.data_timeout;
        }
        *self
            .command_by
            .get_or_insert_with(|| Instant::now() + settings.command_timeout)
    }

    /// Reads more input. A stopping world sends 421 to idle clients; a running transaction has a limited time to end.
    async fn read(
        &mut self,
        shutdown: &CancellationToken,
        until: &mut Until<'_, '_>,
    ) -> io::Result<()> {
        let (mut by, stops, in_transaction) = (
            self.time_limit(),
            shutdown.is_cancelled(),
            self.session.in_transaction(),
        );
        if stops && !in_transaction {
            self.session.shut_down(&mut self.output);
            return Ok(());
        }
        if stops {
            by = by.min(
                *self
                    .deadline
                    .get_or_insert_with(|| Instant::now() + SHUTDOWN_TIMEOUT * 3 / 4),
            );
        }
        if until.timer.deadline() != by {
            until.timer.as_mut().reset(by);
        }
        self.make_room();
        tokio::select! {
            biased;
            read = self.wire.read_buf(&mut self.input) => match read? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => self.began = std::time::Instant::now(),
            },
            () = until.timer.as_mut() => match stops {
                true => self.session.shut_down(&mut self.output),
                false => self.session.timed_out(&mut self.output),
            },
            () = until.stop.as_mut(), if !stops => if !in_transaction {
                self.session.shut_down(&mut self.output);
            },
        }
        Ok(())
    }
}

/// The reason why a connection is lost.
fn lost_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the client closed the connection".to_owned(),
        io::ErrorKind::TimedOut => "the client took too long".to_owned(),
        io::ErrorKind::Interrupted => "the server shuts down".to_owned(),
        _ => error.to_string(),
    }
}

/// The two ends of a wait for input. Both exist for the whole connection, because resetting a timer costs less than
/// creating one.
struct Until<'a, 't> {
    timer: Pin<&'a mut Sleep>,
    stop: Pin<&'a mut WaitForCancellationFuture<'t>>,
}
