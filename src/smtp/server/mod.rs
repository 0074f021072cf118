//! Listeners and the connections they accept. The caller owns the listener and the end of it.

pub(crate) mod client_address;
pub(crate) mod connection;
pub(crate) mod flush;
pub(crate) mod proxy;
pub(crate) mod reset;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::dns::Zones;
use crate::facts::{LookupCache, Memory};
use crate::journal::{Backlog, Event, JournalStore, Log, MailCounts, Message, Metrics, Waiting};
use crate::smtp::server::connection::Connection;
use crate::smtp::session::{ListenerMode, Protocol};
use crate::smtp::{
    Identity, LastReset, MessageBudget, ProxyMode, Receiver, SessionEntry, StartTls, Telling,
};
use crate::tls::Tls;

/// How long sessions may take to end once the world stops.
pub(crate) const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

/// Most clients at a time that are turned away with patience; a further one gets its 421, and no time to speak.
const TURNED_AWAY: usize = 256;

/// From so many sessions on, those that have begun come before a further one: fewer are under way at a time, and what
/// they need is nearer at hand.
const CROWD: usize = 64;

/// What all sessions of a listener share.
#[derive(Debug)]
pub struct ServerState {
    /// The name of the world, for the log.
    pub world: String,
    /// The receiver, and whom it takes connections to come from; replaced for later connections.
    pub reception: ArcSwap<SessionConfig>,
    /// The zones of the world.
    pub zones: Arc<ArcSwap<Zones>>,
    /// What the receiver remembers of its clients; a reset replaces it.
    pub memory: ArcSwap<Memory>,
    /// What separates sessions of before the last reset from later ones.
    pub last_reset: Arc<LastReset>,
    /// Sessions go here.
    pub sessions: Arc<Log<SessionEntry>>,
    /// Accepted messages go here.
    pub messages: Arc<Log<Message>>,
    /// Everything that happens, in order.
    pub events: Arc<Log<Event>>,
    /// What the event log has yet to take in of the sessions.
    pub tellings: Arc<Backlog<Telling>>,
    /// Counts for monitoring, maybe of several worlds.
    pub tally: Arc<Metrics>,
    /// Counts of this world alone.
    pub mail_counts: Arc<MailCounts>,
    /// What messages under way may take.
    pub storage: Arc<MessageBudget>,
    /// Where messages have to be safe before they are acknowledged, if anywhere.
    pub keeper: Option<Arc<dyn JournalStore>>,
    /// Most connections at a time; a further one gets 421.
    pub max_connections: usize,
}

impl ServerState {
    /// Tells the event log, and who waits for it.
    pub(crate) fn tell(&self, telling: Telling) {
        if self.last_reset.is_after(telling.session()) {
            return;
        }
        let much = telling.entries() > 0 && self.tellings.push(telling);
        if much && let Some(keeper) = &self.keeper {
            keeper.hurry();
        }
        self.events.touch();
    }
}

/// One listener of a world: what is its own.
#[derive(Clone, Debug, Default)]
pub struct ListenerConfig {
    /// Its own receiver and client identity; the world's where `None`.
    pub reception: Option<Arc<SessionConfig>>,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether connections begin with a PROXY header.
    pub proxy: ProxyMode,
    /// What becomes of STARTTLS; as the receiver says where `None`.
    pub starttls: Option<StartTls>,
    /// TLS, where the listener can do it.
    pub tls: Option<Tls>,
    /// Whether TLS begins with the first octet (RFC 8314 §3.3).
    pub implicit_tls: bool,
}

impl ListenerConfig {
    /// What a session has to know of the listener.
    pub(crate) fn front(&self) -> ListenerMode {
        let Self {
            protocol,
            starttls,
            implicit_tls,
            ..
        } = *self;
        ListenerMode {
            protocol,
            tls: self.tls.is_some(),
            starttls,
            secured: implicit_tls,
        }
    }
}

/// How connections are received: what a session keeps from its beginning to its end.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The receiver.
    pub receiver: Arc<Receiver>,
    /// Which client address each connection has.
    pub identity: Arc<Identity>,
    /// How long the receiver waits for a DNS answer.
    pub lookup_patience: Duration,
    /// What the receiver found out before.
    pub recall: Arc<LookupCache>,
}

/// Serves sessions until shut down: idle ones then get 421, and all a bounded time to end.
pub async fn serve(
    listener: TcpListener,
    service: Arc<ServerState>,
    door: ListenerConfig,
    shutdown: CancellationToken,
) {
    let door = Arc::new(door);
    let places = Arc::new(Semaphore::new(service.max_connections));
    let lobby = Arc::new(Semaphore::new(TURNED_AWAY));
    let mut sessions = JoinSet::new();
    let mut turned_away = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while sessions.try_join_next().is_some() {}
        while turned_away.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: let sessions end
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let (service, door, shutdown) =
                    (Arc::clone(&service), Arc::clone(&door), shutdown.clone());
                sessions.spawn(async move {
                    Connection::accept(stream, peer, &service, &door, &shutdown).await;
                    drop(place);
                });
            }
            Err(_) => match Arc::clone(&lobby).try_acquire_owned() {
                Ok(place) => {
                    let (service, door) = (Arc::clone(&service), Arc::clone(&door));
                    turned_away.spawn(async move {
                        Connection::turn_away(stream, peer, &service, &door, true).await;
                        drop(place);
                    });
                }
                // The reply goes into the empty buffer of the socket, and the connection ends at once.
                Err(_) => Connection::turn_away(stream, peer, &service, &door, false).await,
            },
        }
        if sessions.len() >= CROWD {
            tokio::task::yield_now().await;
        }
    }
    drop(listener);
    let _ = timeout(SHUTDOWN_PATIENCE, async {
        while sessions.join_next().await.is_some() {}
    })
    .await;
    sessions.shutdown().await;
    turned_away.shutdown().await;
}
