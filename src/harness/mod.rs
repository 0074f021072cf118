//! Worlds: one scenario, one receiver, their own ports, zones and journal. The only module that binds and spawns.
//!
//! [`World`] is the embedding API: [`World::builder`] sets one up, its methods read what happened, wait for it, expect
//! it and change the world while it runs. [`blocking`] is the same for tests without tokio; [`Worlds`] keeps many.

pub mod blocking;
mod builder;
mod change;
mod listen;
mod logs;
mod restored;
mod watch;
mod what_if;
mod worlds;

pub use builder::{Builder, CONNECTIONS, PATIENCE, Retention, bind_tcp};
pub use worlds::{MAIN, WORLDS, Worlds};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dns::{self, Fault, Zones};
use crate::expect::Ledger;
use crate::journal::{DnsQuery, Event, Log, MailCounts, Message, Metrics};
use crate::scenario::{ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, ServerState, SessionConfig, SessionEntry};

/// How long a world that stops waits for its sessions.
const STOPPING: Duration = Duration::from_secs(3);

/// A running world. Dropping it stops it, and verifies what is expected of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martinet::World;
///
/// let world = World::blocking().scenario("no-ptr").receiver("fcrdns").start()?;
/// // … point the software under test at world.smtp_addr() and world.dns_addr(), then:
/// assert!(world.sessions().entries().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct World {
    /// What a reset brings back.
    start: Start,
    /// Held by every change from its first look at the world to its `changed` event. Lock order: this, the log of sessions,
    /// the other logs.
    changing: Mutex<()>,
    /// What an API keeps beside the world.
    #[cfg(feature = "http")]
    beside: std::sync::OnceLock<Box<dyn std::any::Any + Send + Sync>>,
    scenario: ArcSwap<Scenario>,
    profile: ArcSwap<ReceiverProfile>,
    smtp_addr: SocketAddr,
    listeners: Vec<SocketAddr>,
    authorities: String,
    dns_addr: SocketAddr,
    zones: Arc<ArcSwap<Zones>>,
    service: Arc<ServerState>,
    dns: Arc<dns::ServerState>,
    dns_queries: Arc<Log<DnsQuery>>,
    ledger: Arc<Ledger>,
    taken: watch::Taken,
    patience: Duration,
    shutdown: CancellationToken,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

/// The state a world starts with.
#[derive(Debug)]
struct Start {
    scenario: Arc<Scenario>,
    profile: Arc<ReceiverProfile>,
    /// How far the receiver's clock is advanced.
    clock: Duration,
    /// The receivers and client addresses of further listeners that have their own.
    receptions: Vec<Arc<SessionConfig>>,
}

impl World {
    /// Begins to set up a world: scenario `one-to-one`, the scenario's receiver, free ports of 127.0.0.1.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The same for tests without tokio.
    pub fn blocking() -> blocking::Builder {
        blocking::Builder::default()
    }

    /// Where the receiver listens.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp_addr
    }

    /// Where the further listeners are, in the order they were asked for: those of the scenario first.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// The authorities that a client has to trust for STARTTLS and implicit TLS, as PEM; empty without TLS, or with one's
    /// own certificate.
    pub fn authorities(&self) -> &str {
        &self.authorities
    }

    /// Where DNS is served, over UDP and TCP.
    pub fn dns_addr(&self) -> SocketAddr {
        self.dns_addr
    }

    /// The scenario that was set last. Zones and faults that were changed since are in [`World::zones`].
    pub fn scenario(&self) -> Arc<Scenario> {
        self.scenario.load_full()
    }

    /// The receiver that judges new connections.
    pub fn receiver(&self) -> Arc<ReceiverProfile> {
        self.profile.load_full()
    }

    /// The zones that are served now.
    pub fn zones(&self) -> Arc<Zones> {
        self.zones.load_full()
    }

    /// The sessions so far, running ones too.
    pub fn sessions(&self) -> &Arc<Log<SessionEntry>> {
        &self.service.sessions
    }

    /// The messages accepted so far.
    pub fn messages(&self) -> &Arc<Log<Message>> {
        &self.service.messages
    }

    /// The DNS queries answered so far.
    pub fn dns_queries(&self) -> &Arc<Log<DnsQuery>> {
        &self.dns_queries
    }

    /// Counts of what came in at the DNS server.
    pub fn dns_counts(&self) -> dns::Counts {
        self.dns.counts()
    }

    /// Where connections are taken to come from.
    pub fn client(&self) -> ClientSource {
        self.scenario.load().client.clone()
    }

    /// The DNS faults, with their counts.
    pub fn faults(&self) -> Vec<Arc<Fault>> {
        self.zones.load().faults().to_vec()
    }

    /// Everything that happened, in order: queries, connections, commands, replies, facts, verdicts, messages, faults,
    /// changes.
    pub fn events(&self) -> &Arc<Log<Event>> {
        &self.service.events
    }

    /// What an API keeps beside the world, to end with it: a value of one type, made when it is first asked for.
    #[cfg(feature = "http")]
    pub(crate) fn beside<T: std::any::Any + Send + Sync + Default>(&self) -> &T {
        let kept = self.beside.get_or_init(|| Box::new(T::default()));
        kept.downcast_ref().expect("one API keeps one type")
    }

    /// Counts of the mail of this world alone.
    pub fn mail_counts(&self) -> &MailCounts {
        &self.service.mail_counts
    }

    /// Counts for monitoring; worlds of one server count into the same.
    pub fn tally(&self) -> &Arc<Metrics> {
        &self.service.tally
    }

    /// The time by the receiver's clock: since the world began or was reset, advances included.
    pub fn now(&self) -> Duration {
        self.service.memory.load().clock().now()
    }

    /// How long a wait waits.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The expectations mounted.
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Waits until the world stops.
    pub async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    /// Stops: idle sessions get 421, running ones a bounded chance to end. Expectations are verified as by a drop.
    pub async fn stop(self) {
        self.close().await;
    }

    /// Stops, where others hold the world too.
    pub async fn close(&self) {
        self.shutdown.cancel();
        let mut tasks = self.tasks.lock().await;
        let _ = tokio::time::timeout(STOPPING, async {
            while tasks.join_next().await.is_some() {}
        })
        .await;
        if let Some(keeper) = &self.service.keeper {
            let _ = keeper.settled().await;
            keeper.release();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(keeper) = &self.service.keeper {
            keeper.release();
        }
        if !std::thread::panicking()
            && let Err(unmet) = self.ledger.verify()
        {
            panic!("{unmet}");
        }
    }
}
