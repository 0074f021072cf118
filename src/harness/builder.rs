//! Sets up a world and starts it.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Retention;
use super::bind::{bind_dns, bind_tcp, in_range};
use super::gateway::default_gateways;
use super::listen::MainListener;
use super::logs::Logs;
use super::reachable;
use super::receivers::Receivers;
use super::restored::Restored;
use super::{Start, World};
use crate::dns::{self, Fault};
use crate::error::Error;
use crate::expect::{Ledger, Sources, Watchers};
use crate::facts::{Clock, Memory};
use crate::journal::{DnsQuery, Log, Metrics};
use crate::scenario::{self, Listener, Placement, ReceiverProfile, Scenario};
use crate::smtp::{
    self, Accepted, ClientSource, Gateways, LastReset, ListenerConfig, MessageBudget, ProxyMode,
    ServerState, SessionConfig, SharedSessionConfig, StartTls,
};
use crate::tls::Tls;

/// Default maximum number of concurrent SMTP connections.
pub(crate) const CONNECTIONS: usize = 1_000;
/// Default time limit of waits.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Sets up a [`World`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), martinet::Error> {
/// use std::time::Duration;
/// use martinet::World;
/// use martinet::smtp::ClientSource;
///
/// let world = World::builder()
///     .scenario("one-to-one")
///     .receiver("helo-equals-ptr")
///     .client(ClientSource::Fixed([192, 0, 2, 10].into()))
///     .wait_timeout(Duration::from_secs(2))
///     .start()
///     .await?;
/// assert_eq!(world.scenario().name, "one-to-one");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs until `start`"]
pub struct Builder {
    scenario: Option<Result<Scenario, Error>>,
    receiver: Option<Result<ReceiverProfile, Error>>,
    smtp: SocketAddr,
    dns: SocketAddr,
    client: Option<ClientSource>,
    faults: Vec<Fault>,
    clock: Duration,
    keep: Retention,
    connections: usize,
    longest_wait: Duration,
    accepted: Option<mpsc::Sender<Accepted>>,
    wait_timeout: Duration,
    metrics: Option<Arc<Metrics>>,
    gateways: Option<Arc<Gateways>>,
    name: String,
    main_listener: MainListener,
    listeners: Vec<Listener>,
    ports: Option<RangeInclusive<u16>>,
    exchanges: Placement,
    advertised: Option<IpAddr>,
    #[cfg(feature = "journal-file")]
    journal: Option<std::path::PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            scenario: None,
            receiver: None,
            smtp: any,
            dns: any,
            client: None,
            faults: Vec::new(),
            clock: Duration::ZERO,
            keep: Retention::default(),
            connections: CONNECTIONS,
            longest_wait: Duration::MAX,
            accepted: None,
            wait_timeout: TIMEOUT,
            metrics: None,
            gateways: None,
            name: super::MAIN.to_owned(),
            main_listener: MainListener::default(),
            listeners: Vec::new(),
            ports: None,
            exchanges: Placement::Automatic,
            advertised: None,
            #[cfg(feature = "journal-file")]
            journal: None,
        }
    }
}

impl Builder {
    /// Sets the scenario by name or path.
    pub fn scenario(mut self, name: &str) -> Self {
        self.scenario = Some(scenario::load_scenario(name));
        self
    }

    /// Sets a scenario that was parsed or built in code.
    pub fn with_scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = Some(Ok(scenario));
        self
    }

    /// Sets the receiver by name or path. The default is the receiver of the scenario.
    pub fn receiver(mut self, name: &str) -> Self {
        self.receiver = Some(scenario::load_receiver(name));
        self
    }

    /// Sets a receiver that was parsed or built in code.
    pub fn with_receiver(mut self, receiver: ReceiverProfile) -> Self {
        self.receiver = Some(Ok(receiver));
        self
    }

    /// Sets the address of the SMTP server. The default is a free port of 127.0.0.1.
    pub fn smtp(mut self, address: SocketAddr) -> Self {
        self.smtp = address;
        self
    }

    /// Sets the address of the DNS server, for UDP and TCP. The default is a free port of 127.0.0.1.
    pub fn dns(mut self, address: SocketAddr) -> Self {
        self.dns = address;
        self
    }

    /// Sets the range of ports for SMTP and DNS servers on port 0. The default is any free port.
    pub fn ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = Some(ports);
        self
    }

    /// Sets the assignment of addresses and listeners to the exchanges of recipient domains. The default is
    /// [`Placement::Automatic`].
    pub fn exchanges(mut self, placement: Placement) -> Self {
        self.exchanges = placement;
        self
    }

    /// Sets the address that the DNS has for an SMTP server on 0.0.0.0 or `::`. The default is the address of the DNS server if that is
    /// not on 0.0.0.0 or `::` as well, or else an address of the machine.
    pub fn advertise(mut self, address: IpAddr) -> Self {
        self.advertised = Some(address);
        self
    }

    /// Sets the source of client addresses, in place of that of the scenario.
    pub fn client(mut self, source: ClientSource) -> Self {
        self.client = Some(source);
        self
    }

    /// Adds a listener for SMTP or LMTP.
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Sets whether connections to the main listener begin with a PROXY header.
    pub fn proxy(mut self, mode: ProxyMode) -> Self {
        self.main_listener.proxy = mode;
        self
    }

    /// Sets whether STARTTLS is offered, in place of the setting of the receiver.
    pub fn starttls(mut self, starttls: StartTls) -> Self {
        self.main_listener.starttls = Some(starttls);
        self
    }

    /// Sets the networks that can use XCLIENT with all listeners of the world, in place of those of the receivers. With
    /// an empty list, no client can.
    pub fn xclient_from(mut self, networks: impl Into<Arc<[IpNet]>>) -> Self {
        self.main_listener.xclient = Some(networks.into());
        self
    }

    /// Sets the certificate. Without it, a certificate is generated, and [`World::ca_pem`] returns its CA.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.main_listener.tls = Some(tls);
        self
    }

    /// Adds a DNS fault to those of the scenario.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Starts with the clock advanced by this duration.
    pub fn clock(mut self, advanced: Duration) -> Self {
        self.clock = advanced;
        self
    }

    /// Sets the limits of the journal.
    pub fn keep(mut self, keep: Retention) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the maximum number of concurrent SMTP connections. Further connections get 421.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Limits the receiver's waits for DNS and before its greeting to this time. The receiver's clock is advanced by
    /// the rest, so that its memory and its facts are as after the whole wait.
    pub fn longest_wait(mut self, longest: Duration) -> Self {
        self.longest_wait = longest;
        self
    }

    /// Announces each accepted connection. Its greeting is sent after the notice is dropped.
    pub(crate) fn announce(mut self, accepted: mpsc::Sender<Accepted>) -> Self {
        self.accepted = Some(accepted);
        self
    }

    /// Sets the time limit of waits. The default is five seconds.
    pub fn wait_timeout(mut self, wait_timeout: Duration) -> Self {
        self.wait_timeout = wait_timeout;
        self
    }

    /// Sets the name of the world in the log. The default is `main`.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Sets the metrics, which several worlds can share.
    pub(crate) fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Shares the default gateways, and whether one of them was reported as a client, with another world.
    pub(super) fn gateways(mut self, gateways: &Arc<Gateways>) -> Self {
        self.gateways = Some(Arc::clone(gateways));
        self
    }

    /// Stores the journal in this SQLite file, and messages in `FILE.mail`. A message is stored before it is acknowledged.
    /// Existing content is loaded.
    #[cfg(feature = "journal-file")]
    pub fn journal(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.journal = Some(path.into());
        self
    }

    /// Starts the world. When this returns, every socket accepts connections.
    ///
    /// # Errors
    /// A file has mistakes, a name does not exist, or an address cannot be bound. Nothing is left running.
    pub async fn start(mut self) -> Result<World, Error> {
        let (scenario, profile) = self.loaded()?;
        let bound = self.bind(&scenario, &profile).await?;
        let places = bound.receivers.places();
        let zones = Arc::new(ArcSwap::from_pointee(scenario.zones_with(&places)));
        let metrics = self.metrics.unwrap_or_default();
        let (restored, journal_store) = Restored::open(
            #[cfg(feature = "journal-file")]
            self.journal.as_deref(),
            self.keep,
        )?;
        let last_reset = Arc::<LastReset>::default();
        let logs = Logs::new(&self.keep, journal_store.as_ref(), &metrics, &last_reset);
        #[cfg(feature = "http")]
        let marks = restored.marks();
        restored.restore(&logs.sessions, &logs.messages, &logs.events);
        let service = Arc::new(ServerState {
            world: self.name,
            session_config: Arc::new(SharedSessionConfig::new(bound.main)),
            zones: Arc::clone(&zones),
            last_reset,
            budget: Arc::new(MessageBudget::new(self.keep.under_way)),
            sessions: logs.sessions,
            messages: logs.messages,
            journal_store,
            events: logs.events,
            pending: logs.pending,
            metrics: Arc::clone(&metrics),
            mail_counts: logs.mail_counts,
            max_connections: self.connections,
            longest_wait: self.longest_wait,
            accepted: self.accepted,
            gateways: self
                .gateways
                .unwrap_or_else(|| Arc::new(Gateways::new(default_gateways()))),
        });

        let shutdown = CancellationToken::new();
        let dns_queries = logs.dns_queries;
        let dns = Arc::new(dns::ServerState::new(
            Arc::clone(&zones),
            Arc::clone(&dns_queries),
            Arc::clone(&service.events),
            Arc::clone(&metrics),
        ));
        let tasks = serve(bound.dns, &dns, bound.smtp, &service, &shutdown);
        let (scenario, profile) = (Arc::new(scenario), Arc::new(profile));
        let start = Start {
            scenario: Arc::clone(&scenario),
            profile: Arc::clone(&profile),
            clock: self.clock,
        };
        Ok(World {
            start,
            receivers: Mutex::new(bound.receivers),
            runtime: tokio::runtime::Handle::current(),
            retention: self.keep,
            changing: Mutex::default(),
            #[cfg(feature = "http")]
            marks,
            #[cfg(feature = "http")]
            extension: std::sync::OnceLock::new(),
            scenario: ArcSwap::new(scenario),
            profile: ArcSwap::new(profile),
            smtp_addr: bound.smtp_addr,
            listeners: bound.further,
            ca_pem: bound.ca_pem,
            dns_addr: bound.dns_addr,
            zones,
            ledger: ledger(&service, &dns_queries),
            service,
            dns,
            dns_queries,
            taken: super::watch::Taken::default(),
            wait_timeout: self.wait_timeout,
            shutdown,
            tasks: tokio::sync::Mutex::new(tasks),
        })
    }

    /// Binds every socket, and prepares the receivers of the listeners.
    async fn bind(&self, scenario: &Scenario, profile: &ReceiverProfile) -> Result<Bound, Error> {
        let ports = self.ports.as_ref();
        let smtp = in_range(self.smtp, ports, |address| bind_tcp("SMTP", address)).await?;
        let (udp, tcp) = in_range(self.dns, ports, bind_dns).await?;
        let local = |e| Error::io("cannot read a local address", e);
        let (smtp_addr, dns_addr) = (
            smtp.local_addr().map_err(local)?,
            udp.local_addr().map_err(local)?,
        );

        let named = scenario.exchange_names(None);
        let listener_config = self.main_listener.listener_config(profile, &named)?;
        let memory = Memory::on(Clock::advanced(self.clock)?);
        memory.add_sent_before(&scenario.sent);
        let memory = Arc::new(memory);
        let main = Arc::new(super::change::session_config(scenario, profile, memory));
        let (exchanges, ports) = (self.exchanges.clone(), self.ports.clone());
        let (smtp_ip, dns_ip) = (smtp_addr.ip(), dns_addr.ip());
        let reachable =
            reachable::addresses(smtp_ip, dns_ip, self.advertised, reachable::of_machine);
        let main_listener = self.main_listener.clone();
        let mut receivers = Receivers::new(main_listener, exchanges, smtp_addr, reachable, ports);
        let mut further = Vec::new();
        for spec in scenario.listeners.iter().chain(&self.listeners) {
            let (session_config, own) = receivers.further(spec, scenario, &main)?;
            let met = own.as_deref().unwrap_or(profile);
            let named = scenario.exchange_names(spec.receiver.as_deref());
            further.push(
                self.main_listener
                    .bind(spec, session_config, met, &named)
                    .await?,
            );
        }
        let prepared = match receivers.prepare(scenario, &main, profile) {
            Err(error) if receivers.lacks_addresses(&error) => {
                receivers.prepare(scenario, &main, profile)?
            }
            prepared => prepared?,
        };
        let served = receivers.take(prepared);
        receivers.configure(&main);
        let configs = further
            .iter()
            .map(|bound| &bound.listener_config)
            .chain([&listener_config]);
        let tls = configs.filter_map(|config| config.tls.as_ref());
        let ca_pem = ca_pem(tls.chain(receivers.tls()));
        let addresses = further.iter().map(|bound| bound.address).collect();
        let main_listener = [(smtp, listener_config)].into_iter();
        let others = further
            .into_iter()
            .map(|bound| (bound.listener, bound.listener_config));
        Ok(Bound {
            smtp: main_listener.chain(others).chain(served).collect(),
            dns: (udp, tcp),
            smtp_addr,
            dns_addr,
            further: addresses,
            main,
            receivers,
            ca_pem,
        })
    }

    /// The scenario, with the faults and the client addresses of this builder, and the receiver.
    fn loaded(&mut self) -> Result<(Scenario, ReceiverProfile), Error> {
        let scenario = self.scenario.take();
        let mut scenario = scenario.unwrap_or_else(|| scenario::load_scenario("one-to-one"))?;
        let profile = match self.receiver.take() {
            Some(profile) => profile?,
            None => scenario::load_receiver(&scenario.receiver)?,
        };
        scenario.faults.append(&mut self.faults);
        if let Some(client) = self.client.take() {
            scenario.client = client;
        }
        scenario.client.check()?;
        Ok((scenario, profile))
    }
}

/// The sockets of a world, and the configuration of the sessions on them.
struct Bound {
    /// The SMTP listeners, the main one first.
    smtp: Vec<(TcpListener, ListenerConfig)>,
    dns: (UdpSocket, TcpListener),
    smtp_addr: SocketAddr,
    dns_addr: SocketAddr,
    /// The addresses of additional SMTP listeners.
    further: Vec<SocketAddr>,
    main: Arc<SessionConfig>,
    receivers: Receivers,
    /// The CA certificates in PEM.
    ca_pem: String,
}

/// Spawns the DNS server, and the SMTP server of each listener.
fn serve(
    (udp, tcp): (UdpSocket, TcpListener),
    dns: &Arc<dns::ServerState>,
    listeners: Vec<(TcpListener, ListenerConfig)>,
    service: &Arc<ServerState>,
    shutdown: &CancellationToken,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(dns::serve(udp, tcp, Arc::clone(dns), shutdown.clone()));
    for (listener, config) in listeners {
        let (service, shutdown) = (Arc::clone(service), shutdown.clone());
        tasks.spawn(smtp::serve(listener, service, config, shutdown));
    }
    tasks
}

/// The expectations of a world, and the logs that they watch.
fn ledger(service: &ServerState, dns_queries: &Arc<Log<DnsQuery>>) -> Arc<Ledger> {
    Ledger::new(Sources {
        sessions: Watchers::of(&service.sessions),
        queries: Watchers::of(dns_queries),
        messages: Watchers::of(&service.messages),
    })
}

/// The CA certificates in PEM, without duplicates.
fn ca_pem<'a>(tls: impl Iterator<Item = &'a Tls>) -> String {
    let mut certificates: Vec<_> = tls.map(Tls::authority).collect();
    certificates.sort_unstable();
    certificates.dedup();
    certificates.concat()
}
