//! Worlds: one scenario, one receiver, their own ports, zones and journal. The only module that binds and spawns.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dns::{self, Fault, Zones};
use crate::error::Error;
use crate::journal::{DnsQuery, Limits, Log, Message};
use crate::scenario::{self, ReceiverProfile, Scenario};
use crate::smtp::{self, ClientSource, Identity, Service, SessionEntry};

/// What a world keeps of DNS queries.
pub const DNS_QUERIES: Limits = Limits { entries: 10_000, octets: 8 << 20 };
/// What a world keeps of sessions.
pub const SESSIONS: Limits = Limits { entries: 2_000, octets: 64 << 20 };
/// What a world keeps of messages.
pub const MESSAGES: Limits = Limits { entries: 20_000, octets: 256 << 20 };
/// Most SMTP connections at a time.
pub const CONNECTIONS: usize = 1_000;

/// Sets up a [`World`].
#[derive(Debug)]
pub struct Builder {
    scenario: Result<Scenario, Error>,
    receiver: Option<Result<ReceiverProfile, Error>>,
    smtp: SocketAddr,
    dns: SocketAddr,
    client: Option<ClientSource>,
}

impl Builder {
    /// Takes a scenario by name or path.
    #[must_use]
    pub fn scenario(mut self, name: &str) -> Self {
        self.scenario = scenario::load_scenario(name);
        self
    }

    /// Takes a scenario that is read already.
    #[must_use]
    pub fn with_scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = Ok(scenario);
        self
    }

    /// Takes a receiver by name or path; without it, the scenario's own.
    #[must_use]
    pub fn receiver(mut self, name: &str) -> Self {
        self.receiver = Some(scenario::load_receiver(name));
        self
    }

    /// Takes a receiver that is read already.
    #[must_use]
    pub fn with_receiver(mut self, receiver: ReceiverProfile) -> Self {
        self.receiver = Some(Ok(receiver));
        self
    }

    /// Listens for SMTP here; a free port of 127.0.0.1 unless told otherwise.
    #[must_use]
    pub fn smtp(mut self, address: SocketAddr) -> Self {
        self.smtp = address;
        self
    }

    /// Serves DNS here, UDP and TCP; a free port of 127.0.0.1 unless told otherwise.
    #[must_use]
    pub fn dns(mut self, address: SocketAddr) -> Self {
        self.dns = address;
        self
    }

    /// Takes connections to come from here, whatever the scenario says.
    #[must_use]
    pub fn client(mut self, source: ClientSource) -> Self {
        self.client = Some(source);
        self
    }

    /// Binds everything and starts: when this returns, every socket accepts.
    ///
    /// # Errors
    /// A mistake in a file, a name that does not exist, an address that cannot be bound. Nothing is left running.
    pub async fn start(self) -> Result<World, Error> {
        let scenario = self.scenario?;
        let profile = match self.receiver {
            Some(profile) => profile?,
            None => scenario::load_receiver(&scenario.receiver)?,
        };
        let smtp = bind_tcp("SMTP", self.smtp).await?;
        let (udp, tcp) = bind_dns(self.dns).await?;
        let local = |e| Error::io("cannot read a local address", e);
        let (smtp_addr, dns_addr) = (smtp.local_addr().map_err(local)?, udp.local_addr().map_err(local)?);

        let zones = Arc::new(ArcSwap::from_pointee(scenario.zones(smtp_addr.ip())));
        let dns_queries = Arc::new(Log::new(DNS_QUERIES));
        let source = self.client.unwrap_or_else(|| scenario.client_source());
        let service = Arc::new(Service {
            receiver: Arc::clone(&profile.receiver),
            zones: Arc::clone(&zones),
            memory: Arc::default(),
            identity: Identity::new(source, scenario.nat.clone()),
            lookup_patience: profile.dns_timeout,
            sessions: Arc::new(Log::new(SESSIONS)),
            messages: Arc::new(Log::new(MESSAGES)),
            max_connections: CONNECTIONS,
        });

        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let dns = Arc::new(dns::Service::new(Arc::clone(&zones), Arc::clone(&dns_queries)));
        tasks.spawn(dns::serve(udp, tcp, Arc::clone(&dns), shutdown.clone()));
        tasks.spawn(smtp::serve(smtp, Arc::clone(&service), shutdown.clone()));
        Ok(World { scenario, profile, smtp_addr, dns_addr, zones, service, dns, dns_queries, shutdown, tasks })
    }
}

/// A running world. Dropping it stops it.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    profile: ReceiverProfile,
    smtp_addr: SocketAddr,
    dns_addr: SocketAddr,
    zones: Arc<ArcSwap<Zones>>,
    service: Arc<Service>,
    dns: Arc<dns::Service>,
    dns_queries: Arc<Log<DnsQuery>>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    /// Begins to set up a world: scenario `one-to-one`, the scenario's receiver, free ports of 127.0.0.1.
    pub fn builder() -> Builder {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Builder { scenario: scenario::load_scenario("one-to-one"), receiver: None, smtp: any, dns: any, client: None }
    }

    /// Where the receiver listens.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp_addr
    }

    /// Where DNS is served, over UDP and TCP.
    pub fn dns_addr(&self) -> SocketAddr {
        self.dns_addr
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The receiver.
    pub fn receiver(&self) -> &ReceiverProfile {
        &self.profile
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

    /// The snapshot that DNS and the receiver answer from, to be read and replaced.
    pub fn snapshot(&self) -> &Arc<ArcSwap<Zones>> {
        &self.zones
    }

    /// The DNS faults, with their counts.
    pub fn faults(&self) -> Vec<Arc<Fault>> {
        self.zones.load().faults().to_vec()
    }

    /// Replaces the DNS faults; none has fired yet.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        let faults: Vec<_> = faults.into_iter().map(Arc::new).collect();
        self.zones.rcu(|zones| zones.with_faults(faults.clone()));
    }

    /// Adds a DNS fault behind the others, which go on counting: of several for one question the first fires.
    pub fn add_fault(&self, fault: Fault) {
        let fault = Arc::new(fault);
        self.zones.rcu(|zones| zones.with_faults([zones.faults(), &[Arc::clone(&fault)]].concat()));
    }

    /// Moves the receiver's clock forward: what it remembers is so much older then.
    pub fn advance(&self, by: Duration) {
        self.service.memory.clock().advance(by);
    }

    /// Begins anew: faults have not fired, the receiver remembers nobody. The journal stays, and so do sessions under
    /// way.
    pub fn reset(&self) {
        self.replace_zones(self.scenario.zones(self.smtp_addr.ip()));
        self.service.memory.forget();
    }

    /// Replaces the zones, and with them the counts of their faults; queries under way keep the old ones.
    pub fn replace_zones(&self, zones: Zones) {
        self.zones.store(Arc::new(zones));
    }

    /// Stops: idle sessions get 421, running ones a bounded chance to end.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let patience = tokio::time::sleep(Duration::from_secs(3));
        tokio::pin!(patience);
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => if ended.is_none() { return },
                () = &mut patience => return,
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Binds a TCP listener; the error names the address.
///
/// # Errors
/// The operating system's refusal.
pub async fn bind_tcp(what: &str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| Error::io(format!("cannot listen for {what} on {address}"), e))
}

/// Binds UDP and TCP on the same port. With port 0 the port that TCP gets may be taken for UDP: then another is tried.
async fn bind_dns(address: SocketAddr) -> Result<(UdpSocket, TcpListener), Error> {
    const TRIES: usize = 16;
    for attempt in 1.. {
        let tcp = bind_tcp("DNS over TCP", address).await?;
        let local = tcp.local_addr().map_err(|e| Error::io("cannot read a local address", e))?;
        match UdpSocket::bind(local).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && address.port() == 0 && attempt < TRIES => {}
            Err(e) => return Err(Error::io(format!("cannot serve DNS over UDP on {local}"), e)),
        }
    }
    unreachable!("the last try returns")
}
