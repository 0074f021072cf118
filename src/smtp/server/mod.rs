//! Listeners and the connections that they accept. The caller owns the listener and stops it.

pub(crate) mod accepted;
pub(crate) mod connection;
pub(crate) mod flush;
pub(crate) mod gateway;
pub(crate) mod proxy;
pub(crate) mod reset;
pub(crate) mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::dns::Zones;
use crate::facts::{Clock, LookupCache, Memory};
use crate::journal::{
    Backlog, Event, Failures, JournalStore, Log, MailCounts, Message, Metrics, Waiting,
};
use crate::smtp::server::accepted::{Accepted, announce};
use crate::smtp::server::connection::Connection;
use crate::smtp::session::{ListenerMode, Protocol};
use crate::smtp::{
    Gateways, Identity, LastReset, MessageBudget, PendingEvents, ProxyMode, Receiver, Recipients,
    SessionEntry, StartTls,
};
use crate::tls::Tls;

/// Time limit of sessions after the world is stopped.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of clients beyond the limit that are given time after their 421; others are closed at once.
const TURNED_AWAY: usize = 256;

/// Number of running sessions from which other tasks run before another connection is accepted: with fewer sessions at
/// a time, their data is more likely in the CPU cache.
const BUSY_SESSIONS: usize = 64;

/// What all sessions of a listener share.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// The name of the world, for the log.
    pub(crate) world: String,
    /// The receiver of the main listener and the source of client addresses; a change applies to later connections.
    pub(crate) session_config: Arc<SharedSessionConfig>,
    /// The zones of the world.
    pub(crate) zones: Arc<ArcSwap<Zones>>,
    /// The last reset, which separates earlier sessions from later ones.
    pub(crate) last_reset: Arc<LastReset>,
    /// The log of sessions.
    pub(crate) sessions: Arc<Log<SessionEntry>>,
    /// The log of messages.
    pub(crate) messages: Arc<Log<Message>>,
    /// The event log.
    pub(crate) events: Arc<Log<Event>>,
    /// Events of sessions that the event log has not read yet.
    pub(crate) pending: Arc<Backlog<PendingEvents>>,
    /// The metrics, which several worlds can share.
    pub(crate) metrics: Arc<Metrics>,
    /// The counts of this world.
    pub(crate) mail_counts: Arc<MailCounts>,
    /// The memory budget of incoming messages.
    pub(crate) budget: Arc<MessageBudget>,
    /// The journal file, in which messages are stored before they are acknowledged.
    pub(crate) journal_store: Option<Arc<dyn JournalStore>>,
    /// Maximum number of concurrent connections; further ones get 421.
    pub(crate) max_connections: usize,
    /// Maximum time that a session waits for DNS or before its greeting; the receiver's clock skips the rest.
    pub(crate) longest_wait: Duration,
    /// Where accepted connections are announced before their greeting.
    pub(crate) accepted: Option<mpsc::Sender<Accepted>>,
    /// The default gateways of the machine, which several worlds can share: one of them reports that it meets one as a client.
    pub(crate) gateways: Arc<Gateways>,
}

impl ServerState {
    /// The time that a session waits in place of `pause`; the clock is advanced by the rest.
    pub(crate) fn shortened(&self, pause: Duration, clock: &Clock) -> Duration {
        let wait = pause.min(self.longest_wait);
        // At its maximum the clock stands still; no memory lasts that long.
        let _ = wait == pause || clock.advance(pause - wait);
        wait
    }

    /// Passes events to the event log, and wakes its readers.
    pub(crate) fn append_events(&self, pending: PendingEvents) {
        if self.last_reset.is_after(pending.session()) {
            return;
        }
        if pending.entries() > 0 {
            self.pending.push(pending);
        }
        self.events.touch();
    }
}

impl ServerState {
    /// Tells the log and the journal that connections cannot be accepted.
    fn accept_failed(&self, listener: &TcpListener, error: &std::io::Error, failures: u64) {
        let listener = listener.local_addr();
        tracing::error!(world = %self.world, ?listener, %error, failures, "cannot accept a connection");
        self.events
            .append(|id| Event::accept_failed(id, listener, error, failures));
    }
}

/// The configuration of one listener.
#[derive(Clone, Debug, Default)]
pub struct ListenerConfig {
    /// Its receiver and source of client addresses; those of the world if `None`.
    pub(crate) session_config: Option<Arc<SharedSessionConfig>>,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// Whether connections begin with a PROXY header.
    pub(crate) proxy: ProxyMode,
    /// The setting of STARTTLS; that of the receiver if `None`.
    pub(crate) starttls: Option<StartTls>,
    /// The networks that may use XCLIENT; those of the receiver if `None`.
    pub(crate) xclient: Option<Arc<[IpNet]>>,
    /// TLS; `None` if the listener has none, or its receiver brings its own.
    pub(crate) tls: Option<Tls>,
    /// Whether the listener uses implicit TLS (RFC 8314 §3.3).
    pub(crate) implicit_tls: bool,
    /// Whether the current scenario does not use the listener. Its connections are then reset.
    pub(crate) unused: Arc<AtomicBool>,
}

impl ListenerConfig {
    /// The mode of the listener for a session of this receiver.
    pub(crate) fn mode(&self, config: &SessionConfig) -> ListenerMode {
        let Self {
            protocol,
            starttls,
            implicit_tls,
            ..
        } = *self;
        ListenerMode {
            protocol,
            tls: self.tls_of(config).is_some(),
            starttls,
            xclient: self.xclient.clone(),
            secured: implicit_tls,
        }
    }

    /// TLS of a session of this receiver.
    pub(crate) fn tls_of<'c>(&'c self, config: &'c SessionConfig) -> Option<&'c Tls> {
        self.tls.as_ref().or(config.tls.as_ref())
    }
}

/// The session configuration behind listeners. A replaced configuration applies to later connections.
pub(crate) type SharedSessionConfig = ArcSwap<SessionConfig>;

/// The configuration of a session from its beginning to its end.
#[derive(Clone, Debug)]
pub(crate) struct SessionConfig {
    /// The receiver.
    pub(crate) receiver: Arc<Receiver>,
    /// The memory of the receiver about its clients. All listeners of a receiver share it; receivers do not.
    pub(crate) memory: Arc<Memory>,
    /// TLS for listeners that have none of their own.
    pub(crate) tls: Option<Tls>,
    /// The assignment of client addresses.
    pub(crate) identity: Arc<Identity>,
    /// The timeout of the receiver for DNS lookups.
    pub(crate) lookup_timeout: Duration,
    /// The mailboxes of the recipient domains.
    pub(crate) recipients: Arc<Recipients>,
    /// The cache of earlier lookups.
    pub(crate) lookup_cache: Arc<LookupCache>,
}

/// Serves sessions until shutdown. Idle sessions then get 421, and all get a limited time to end.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<ServerState>,
    listener_config: ListenerConfig,
    shutdown: CancellationToken,
) {
    let listener_config = Arc::new(listener_config);
    let permits = Arc::new(Semaphore::new(service.max_connections));
    let refusal_permits = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut sessions = JoinSet::new();
    let (mut rejected, mut failures) = (JoinSet::new(), Failures::default());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while sessions.try_join_next().is_some() {}
        while rejected.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(count) = failures.count(Instant::now()) {
                    service.accept_failed(&listener, &error, count);
                }
                tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: let sessions end
                continue;
            }
        };
        if listener_config.unused.load(Ordering::Relaxed) {
            let _ = stream.set_zero_linger();
            continue;
        }
        if let Some(notices) = &service.accepted {
            announce(notices, &stream).await;
        }
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => {
                let (service, listener_config, shutdown) = (
                    Arc::clone(&service),
                    Arc::clone(&listener_config),
                    shutdown.clone(),
                );
                sessions.spawn(async move {
                    Connection::accept(stream, peer, &service, &listener_config, &shutdown).await;
                    drop(permit);
                });
            }
            Err(_) => match Arc::clone(&refusal_permits).try_acquire_owned() {
                Ok(permit) => {
                    let (service, listener_config) =
                        (Arc::clone(&service), Arc::clone(&listener_config));
                    rejected.spawn(async move {
                        Connection::reject(stream, peer, &service, &listener_config, true).await;
                        drop(permit);
                    });
                }
                // The reply goes into the empty buffer of the socket, and the connection ends at once.
                Err(_) => Connection::reject(stream, peer, &service, &listener_config, false).await,
            },
        }
        if sessions.len() >= BUSY_SESSIONS {
            tokio::task::yield_now().await;
        }
    }
    drop(listener);
    let _ = timeout(SHUTDOWN_TIMEOUT, async {
        while sessions.join_next().await.is_some() {}
    })
    .await;
    sessions.shutdown().await;
    rejected.shutdown().await;
}
