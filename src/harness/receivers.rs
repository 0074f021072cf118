//! The receivers of a world, with their listeners and memories.
//!
//! The main listener has the receiver of the world. A `[[listener]]` and an exchange of a recipient domain can have receivers of
//! their own; each receiver has one memory, however many listeners it has.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;

use super::bind;
use super::listen::MainListener;
use crate::error::Error;
use crate::facts::{Memory, SentBefore};
use crate::scenario::{self, Listener, Place, Placement, ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, Identity, ListenerConfig, SessionConfig, SharedSessionConfig};
use crate::tls::Tls;

/// The receivers and listeners other than the main ones.
#[derive(Debug)]
pub(super) struct Receivers {
    main_listener: MainListener,
    placement: Placement,
    /// The range of ports for listeners on port 0.
    ports: Option<RangeInclusive<u16>>,
    /// The address of the main listener.
    main: SocketAddr,
    /// The addresses at which senders reach the main listener.
    reachable: Vec<IpAddr>,
    /// The `[[listener]]` tables with their own receiver or client addresses.
    further: Vec<Own>,
    /// The listeners of exchanges. None is ever closed, so that a reset finds those of the start.
    exchanges: Vec<Exchange>,
    /// The receivers in use, by name or path in the file.
    known: HashMap<String, Known>,
    /// The receivers of the scenario at start, for a reset.
    first: Option<HashMap<String, Known>>,
    places: Arc<[Place]>,
}

/// A receiver in use.
#[derive(Clone, Debug)]
struct Known {
    profile: Arc<ReceiverProfile>,
    tls: Option<Tls>,
    /// The names of its exchanges, which are in its certificate.
    named: Vec<String>,
    memory: Arc<Memory>,
}

/// The configuration of a listener's sessions.
#[derive(Clone, Debug)]
struct Own {
    /// The receiver by name or path; `None` for that of the world.
    receiver: Option<String>,
    /// The client addresses; `None` for those of the world.
    identity: Option<(ClientSource, Arc<Identity>)>,
    /// TLS, if the listener has the receiver of the world.
    tls: Option<Tls>,
    session_config: Arc<SharedSessionConfig>,
}

/// The listener of an exchange.
#[derive(Clone, Debug)]
struct Exchange {
    address: SocketAddr,
    own: Own,
    /// Whether the scenario has an exchange here. Otherwise connections are reset, as if no host had the address.
    used: bool,
    /// The flag for the listener: the opposite of `used`.
    unused: Arc<AtomicBool>,
}

impl Exchange {
    /// The listener before a scenario uses it.
    fn unused_listener(&self) -> Self {
        let used = false;
        Self {
            used,
            ..self.clone()
        }
    }
}

/// The configuration and the receiver of a listener; `None` for those of the main listener.
type Followed = (
    Option<Arc<SharedSessionConfig>>,
    Option<Arc<ReceiverProfile>>,
);

/// Listeners that are bound but not yet served.
pub(super) type NewListeners = Vec<(TcpListener, ListenerConfig)>;

/// The listeners of exchanges while a scenario is being prepared.
struct Binding<'r> {
    main_listener: &'r MainListener,
    placement: &'r Placement,
    main: &'r Arc<SessionConfig>,
    /// The receiver of the main listener.
    world: &'r ReceiverProfile,
    /// The names of the exchanges of that receiver.
    named: Vec<String>,
    /// The existing listeners.
    exchanges: Vec<Exchange>,
    new_listeners: NewListeners,
}

impl Binding<'_> {
    /// The address of a listener for a receiver: an existing one, or a new one.
    fn listener(&mut self, at: SocketAddr, receiver: Option<&String>) -> Result<SocketAddr, Error> {
        let wanted = |exchange: &Exchange, of_receiver: bool| match at.port() {
            0 if of_receiver => exchange.own.receiver.as_ref() == receiver,
            0 => !exchange.used,
            _ => exchange.address == at,
        };
        let found = [true, false]
            .into_iter()
            .find_map(|of_receiver| self.exchanges.iter().position(|e| wanted(e, of_receiver)));
        let place = match found {
            Some(place) => place,
            None => {
                let exchange = self.bind(at)?;
                self.exchanges.push(exchange);
                self.exchanges.len() - 1
            }
        };
        let exchange = &mut self.exchanges[place];
        exchange.own.receiver = receiver.cloned();
        exchange.used = true;
        Ok(exchange.address)
    }

    fn bind(&mut self, at: SocketAddr) -> Result<Exchange, Error> {
        let ports = match self.placement {
            Placement::Ports(ports) => ports.as_ref(),
            _ => None,
        };
        let listener = bind::listen_in("SMTP", at, ports)?;
        let address = bind::local_addr(&listener)?;
        let session_config = Arc::new(SharedSessionConfig::new(Arc::clone(self.main)));
        let unused = Arc::<AtomicBool>::default();
        let listener_config = self
            .main_listener
            .exchange(Arc::clone(&session_config), Arc::clone(&unused));
        self.new_listeners.push((listener, listener_config));
        let own = Own {
            receiver: None,
            identity: None,
            tls: self.main_listener.starttls_of(self.world, &self.named)?,
            session_config,
        };
        Ok(Exchange {
            address,
            own,
            used: false,
            unused,
        })
    }
}

/// A prepared change of the exchanges, which can no longer fail.
pub(super) struct Prepared {
    exchanges: Vec<Exchange>,
    known: HashMap<String, Known>,
    places: Arc<[Place]>,
    pub(super) new_listeners: NewListeners,
}

impl Receivers {
    pub(super) fn new(
        main_listener: MainListener,
        placement: Placement,
        main: SocketAddr,
        reachable: Vec<IpAddr>,
        ports: Option<RangeInclusive<u16>>,
    ) -> Self {
        let placement = match placement {
            Placement::Automatic if !main.ip().is_loopback() => Placement::Ports(ports.clone()),
            Placement::Ports(None) => Placement::Ports(ports.clone()),
            chosen => chosen,
        };
        Self {
            main_listener,
            placement,
            ports,
            main,
            reachable,
            further: Vec::new(),
            exchanges: Vec::new(),
            known: HashMap::new(),
            first: None,
            places: Arc::new([]),
        }
    }

    /// The places of the exchanges of the recipient domains.
    pub(super) fn places(&self) -> Arc<[Place]> {
        Arc::clone(&self.places)
    }

    /// The receiver with this name or path in the file.
    pub(super) fn profile(&self, named: &str) -> Option<Arc<ReceiverProfile>> {
        self.known
            .get(named)
            .map(|known| Arc::clone(&known.profile))
    }

    /// The receiver with this name, other than the main one.
    #[cfg(feature = "http")]
    pub(super) fn named(&self, name: &str) -> Option<Arc<ReceiverProfile>> {
        let mut profiles = self.known.values().map(|known| &known.profile);
        profiles.find(|profile| profile.name == name).cloned()
    }

    /// TLS of all receivers.
    pub(super) fn tls(&self) -> impl Iterator<Item = &Tls> {
        let known = self.known.values().filter_map(|known| known.tls.as_ref());
        let owns = self.exchanges.iter().filter_map(|e| e.own.tls.as_ref());
        known.chain(owns)
    }

    /// The memory of a receiver other than the main one.
    pub(super) fn memory(&self, receiver: &str) -> Option<Arc<Memory>> {
        let known = self
            .known
            .values()
            .find(|known| known.profile.name == receiver);
        known.map(|known| Arc::clone(&known.memory))
    }

    /// The configuration and the receiver of a `[[listener]]`; `None` for those of the main listener.
    pub(super) fn further(
        &mut self,
        spec: &Listener,
        scenario: &Scenario,
        main: &Arc<SessionConfig>,
    ) -> Result<Followed, Error> {
        if spec.receiver.is_none() && spec.client.is_none() {
            return Ok((None, None));
        }
        let receiver = spec.receiver.as_deref();
        if let Some(named) = receiver
            && !self.known.contains_key(named)
        {
            let known = self.load(named, scenario, main)?;
            self.known.insert(named.to_owned(), known);
        }
        let source = spec
            .client
            .clone()
            .unwrap_or_else(|| scenario.client_source());
        let identity = Arc::new(Identity::new(source.clone(), scenario.nat.clone()));
        let own = Own {
            receiver: spec.receiver.clone(),
            identity: Some((source, identity)),
            tls: None,
            session_config: Arc::new(SharedSessionConfig::new(Arc::clone(main))),
        };
        let session_config = Arc::clone(&own.session_config);
        self.further.push(own);
        Ok((
            Some(session_config),
            receiver.and_then(|named| self.profile(named)),
        ))
    }

    fn load(&self, named: &str, scenario: &Scenario, main: &SessionConfig) -> Result<Known, Error> {
        let profile = Arc::new(scenario::load_receiver(named)?);
        let exchanges = scenario.exchange_names(Some(named));
        Ok(Known {
            tls: self.main_listener.starttls_of(&profile, &exchanges)?,
            named: exchanges,
            memory: memory(scenario, main),
            profile,
        })
    }

    /// A receiver with new names of its exchanges.
    fn renamed(&self, known: &Known, named: Vec<String>) -> Result<Known, Error> {
        let tls = match known.named == named {
            true => known.tls.clone(),
            false => self.main_listener.starttls_of(&known.profile, &named)?,
        };
        Ok(Known {
            tls,
            named,
            ..known.clone()
        })
    }

    /// Loads the receivers of a scenario's exchanges and binds their listeners, without any effect yet.
    ///
    /// # Errors
    /// A receiver cannot be loaded, or an address cannot be bound.
    pub(super) fn prepare(
        &self,
        scenario: &Scenario,
        main: &Arc<SessionConfig>,
        world: &ReceiverProfile,
    ) -> Result<Prepared, Error> {
        let mut known = HashMap::new();
        let named = |own: &Own| own.receiver.clone();
        let exchanges = scenario.exchanges().into_iter().filter_map(|e| e.receiver);
        for named in exchanges.chain(self.further.iter().filter_map(named)) {
            let first = self.first.as_ref().and_then(|first| first.get(&named));
            let found = match self.known.get(&named).or(first) {
                _ if known.contains_key(&named) => None,
                Some(found) => Some(self.renamed(found, scenario.exchange_names(Some(&named)))?),
                None => Some(self.load(&named, scenario, main)?),
            };
            known.extend(found.map(|found| (named, found)));
        }
        let mut binding = Binding {
            main_listener: &self.main_listener,
            placement: &self.placement,
            main,
            world,
            named: scenario.exchange_names(None),
            exchanges: self
                .exchanges
                .iter()
                .map(Exchange::unused_listener)
                .collect(),
            new_listeners: Vec::new(),
        };
        let mut places = scenario.places(&self.placement, self.main)?;
        for place in &mut places {
            if let Some(at) = place.listener.filter(|at| *at != self.main) {
                place.listener = Some(binding.listener(at, place.receiver.as_ref())?);
            }
        }
        Ok(Prepared {
            exchanges: binding.exchanges,
            new_listeners: binding.new_listeners,
            known,
            places: places
                .into_iter()
                .flat_map(|place| self.reached(place))
                .collect(),
        })
    }

    /// A place with its addresses in the DNS: 0.0.0.0 and `::` become those of the machine.
    fn reached(&self, place: Place) -> Vec<Place> {
        if !place
            .address
            .is_some_and(|address| address.is_unspecified())
        {
            return vec![place];
        }
        let at = |address: &IpAddr| Place {
            address: Some(*address),
            ..place.clone()
        };
        self.reachable.iter().map(at).collect()
    }

    /// Whether this error means that the system does not have the loopback addresses, so that ports are used instead.
    pub(super) fn lacks_addresses(&mut self, error: &Error) -> bool {
        let lacks = self.placement == Placement::Automatic && error.is_address_missing();
        if lacks {
            self.placement = Placement::Ports(self.ports.clone());
        }
        lacks
    }

    /// Applies a prepared change, which [`Receivers::configure`] makes effective. Returns the listeners to serve.
    pub(super) fn take(&mut self, prepared: Prepared) -> NewListeners {
        self.exchanges = prepared.exchanges;
        self.first.get_or_insert_with(|| prepared.known.clone());
        self.known = prepared.known;
        self.places = prepared.places;
        prepared.new_listeners
    }

    /// Resets the memories of all receivers to their state at start, on the clock of the main one.
    pub(super) fn forget(&mut self, scenario: &Scenario, main: &SessionConfig) {
        for known in self.known.values_mut() {
            known.memory = memory(scenario, main);
        }
        for own in &mut self.further {
            if let Some((_, identity)) = &own.identity {
                identity.begin_again();
            }
        }
    }

    /// Every receiver counts what senders had sent before.
    pub(super) fn add_sent_before(&self, sent: &[SentBefore]) {
        for known in self.known.values() {
            known.memory.add_sent_before(sent);
        }
    }

    /// Stores the configuration of each listener: its receiver with its memory, and the client addresses of the world unless it
    /// has its own.
    pub(super) fn configure(&mut self, main: &SessionConfig) {
        for known in self.known.values_mut() {
            // The receiver of the main listener is the same at other listeners.
            if known.profile.name == main.receiver.name {
                known.memory = Arc::clone(&main.memory);
            }
        }
        let mut shared: HashMap<Option<&str>, Arc<SessionConfig>> = HashMap::new();
        for exchange in &self.exchanges {
            let own = &exchange.own;
            exchange.unused.store(!exchange.used, Ordering::Relaxed);
            let config = shared
                .entry(own.receiver.as_deref())
                .or_insert_with(|| Arc::new(self.config(own, main)));
            own.session_config.store(Arc::clone(config));
        }
        for own in &self.further {
            own.session_config.store(Arc::new(self.config(own, main)));
        }
    }

    fn config(&self, own: &Own, main: &SessionConfig) -> SessionConfig {
        let identity = own.identity.as_ref().map(|(_, identity)| identity);
        let identity = Arc::clone(identity.unwrap_or(&main.identity));
        let known = own
            .receiver
            .as_ref()
            .and_then(|named| self.known.get(named));
        match known {
            Some(known) => SessionConfig {
                receiver: Arc::clone(&known.profile.receiver),
                memory: Arc::clone(&known.memory),
                tls: known.tls.clone(),
                identity,
                recipients: Arc::clone(&main.recipients),
                lookup_timeout: known.profile.dns_timeout,
                lookup_cache: Arc::default(),
            },
            None => SessionConfig {
                tls: own.tls.clone(),
                identity,
                lookup_cache: Arc::default(),
                ..main.clone()
            },
        }
    }
}

/// The memory of a receiver at the start, on the clock of the main one.
fn memory(scenario: &Scenario, main: &SessionConfig) -> Arc<Memory> {
    let memory = Memory::on(Arc::clone(main.memory.clock()));
    memory.add_sent_before(&scenario.sent);
    Arc::new(memory)
}
