//! Worlds: one scenario and one receiver with their own ports, zones and journal. The only module that binds and spawns.
//!
//! [`World`] is the embedding API: [`World::builder`] sets one up; its methods read the journal, wait, declare expectations
//! and change the running world. [`blocking`] is the same for tests without tokio; [`Worlds`] holds many.

mod bind;
pub mod blocking;
mod builder;
mod change;
mod gateway;
mod listen;
mod logs;
mod reachable;
mod receivers;
mod restored;
mod retention;
mod watch;
mod what_if;
mod worlds;

#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) use bind::bind_dns;
pub use bind::bind_tcp;
pub(crate) use builder::CONNECTIONS;
pub use builder::{Builder, TIMEOUT};
pub use retention::Retention;
pub use worlds::{WORLDS, Worlds};

use receivers::Receivers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dns::{self, Fault, Zones};
use crate::expect::Ledger;
#[cfg(feature = "http")]
use crate::journal::StoredMark;
use crate::journal::{DnsQuery, Event, Log, MailCounts, Message, Metrics};
use crate::scenario::{Place, ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, Gateways, ServerState, SessionEntry};

/// The name of the main world.
pub const MAIN: &str = "main";
/// Time that a stopping world waits for its sessions.
const STOPPING: Duration = Duration::from_secs(3);

/// A running world. Dropping it stops it and verifies its expectations.
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
    /// The state that a reset restores.
    start: Start,
    retention: Retention,
    /// A change holds it from its first read of the world to its `changed` event. Lock order: this lock, the log of
    /// sessions, the other logs.
    changing: Mutex<()>,
    /// The marks of messages in the journal file.
    #[cfg(feature = "http")]
    marks: Vec<StoredMark>,
    /// Data of an API for this world.
    #[cfg(feature = "http")]
    extension: std::sync::OnceLock<Box<dyn std::any::Any + Send + Sync>>,
    scenario: ArcSwap<Scenario>,
    profile: ArcSwap<ReceiverProfile>,
    smtp_addr: SocketAddr,
    listeners: Vec<SocketAddr>,
    /// The receivers other than the main one. Lock order: after `changing`, before the logs.
    receivers: Mutex<Receivers>,
    /// The runtime for listeners.
    runtime: tokio::runtime::Handle,
    ca_pem: String,
    dns_addr: SocketAddr,
    zones: Arc<ArcSwap<Zones>>,
    service: Arc<ServerState>,
    dns: Arc<dns::ServerState>,
    dns_queries: Arc<Log<DnsQuery>>,
    ledger: Arc<Ledger>,
    taken: watch::Taken,
    wait_timeout: Duration,
    shutdown: CancellationToken,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

/// The state at start.
#[derive(Debug)]
struct Start {
    scenario: Arc<Scenario>,
    profile: Arc<ReceiverProfile>,
    /// The initial advance of the receiver's clock.
    clock: Duration,
}

impl World {
    /// Returns a builder: scenario `one-to-one`, the receiver of the scenario, free ports of 127.0.0.1.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns a builder for tests without tokio.
    pub fn blocking() -> blocking::Builder {
        blocking::Builder::default()
    }

    /// The address of the SMTP server.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp_addr
    }

    /// The addresses of the additional listeners, in their order: those of the scenario first.
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// The exchanges of the recipient domains: their addresses in the DNS, their listeners and receivers.
    pub fn exchanges(&self) -> Arc<[Place]> {
        self.receivers.lock().places()
    }

    /// The receiver for a recipient: that of its domain, or the main one.
    pub fn receiver_for(&self, recipient: &str) -> Arc<ReceiverProfile> {
        let named = self.scenario.load().receiver_of(recipient);
        let own = named.and_then(|named| self.receivers.lock().profile(&named));
        own.unwrap_or_else(|| self.receiver())
    }

    /// The receiver with this name, main or of a recipient domain.
    #[cfg(feature = "http")]
    pub(crate) fn receiver_named(&self, name: &str) -> Option<Arc<ReceiverProfile>> {
        let main = Some(self.receiver()).filter(|main| main.name == name);
        main.or_else(|| self.receivers.lock().named(name))
    }

    /// The CA certificates that clients must trust for STARTTLS and implicit TLS, as PEM; empty without TLS, or with a
    /// given certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The address of the DNS server, for UDP and TCP.
    pub fn dns_addr(&self) -> SocketAddr {
        self.dns_addr
    }

    /// The scenario. Later changes of zones and faults are in [`World::zones`].
    pub fn scenario(&self) -> Arc<Scenario> {
        self.scenario.load_full()
    }

    /// The limits of the journal.
    pub(crate) fn retention(&self) -> Retention {
        self.retention
    }

    /// The receiver that judges new connections.
    pub fn receiver(&self) -> Arc<ReceiverProfile> {
        self.profile.load_full()
    }

    /// The current zones.
    pub fn zones(&self) -> Arc<Zones> {
        self.zones.load_full()
    }

    /// The log of sessions, including running ones.
    pub fn sessions(&self) -> &Arc<Log<SessionEntry>> {
        &self.service.sessions
    }

    /// The log of accepted messages.
    pub fn messages(&self) -> &Arc<Log<Message>> {
        &self.service.messages
    }

    /// The log of DNS queries.
    pub fn dns_queries(&self) -> &Arc<Log<DnsQuery>> {
        &self.dns_queries
    }

    /// Counts of the DNS server.
    pub fn dns_counts(&self) -> dns::Counts {
        self.dns.counts()
    }

    /// The source of client addresses.
    pub fn client(&self) -> ClientSource {
        self.scenario.load().client.clone()
    }

    /// The DNS faults, with their counts.
    pub fn faults(&self) -> Vec<Arc<Fault>> {
        self.zones.load().faults().to_vec()
    }

    /// The event log: queries, connections, commands, replies, facts, verdicts, messages, faults and changes, in order.
    pub fn events(&self) -> &Arc<Log<Event>> {
        &self.service.events
    }

    /// The marks of messages that a journal file had when the world started.
    #[cfg(feature = "http")]
    pub(crate) fn marks(&self) -> &[StoredMark] {
        &self.marks
    }

    /// Stores marks of messages in the journal file, if there is one, and removes those of messages up to a number.
    #[cfg(feature = "http")]
    pub(crate) fn keep_marks(&self, up_to: u64, marks: Vec<StoredMark>) {
        if let Some(journal_store) = &self.service.journal_store {
            journal_store.marks(up_to, marks);
        }
    }

    /// Data of an API that lives as long as the world: a value of one type, created at the first use.
    #[cfg(feature = "http")]
    pub(crate) fn extension<T: std::any::Any + Send + Sync + Default>(&self) -> &T {
        let data = self.extension.get_or_init(|| Box::new(T::default()));
        data.downcast_ref().expect("each API has one type of data")
    }

    /// Counts of the mail of this world.
    pub fn mail_counts(&self) -> &MailCounts {
        &self.service.mail_counts
    }

    /// The metrics, which the worlds of a server share.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.service.metrics
    }

    /// The default gateways of the machine, which several worlds can share.
    pub(crate) fn gateways(&self) -> &Arc<Gateways> {
        &self.service.gateways
    }

    /// The clock: the time since the world started or was reset, including advances.
    pub fn now(&self) -> Duration {
        self.service.session_config.load().memory.clock().now()
    }

    /// The time limit of waits.
    pub fn wait_timeout(&self) -> Duration {
        self.wait_timeout
    }

    /// The declared expectations.
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Waits until the world stops.
    pub async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    /// Stops the world: idle sessions get 421, running transactions a limited time to end. Expectations are verified like on drop.
    pub async fn stop(self) {
        self.close().await;
    }

    /// Stops a world that has other owners too.
    pub async fn close(&self) {
        self.shutdown.cancel();
        let mut tasks = self.tasks.lock().await;
        let _ = tokio::time::timeout(STOPPING, async {
            while tasks.join_next().await.is_some() {}
        })
        .await;
        if let Some(journal_store) = &self.service.journal_store {
            let _ = journal_store.settled().await;
            journal_store.release();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(journal_store) = &self.service.journal_store {
            journal_store.release();
        }
        if !std::thread::panicking()
            && let Err(unmet) = self.ledger.verify()
        {
            panic!("{}", self.ledger.failure(&unmet));
        }
    }
}
