//! Changes to a running world. Running sessions keep the receiver and the client address with which they began.
//!
//! A change holds one lock from its first read of the world to its `changed` event, so that no concurrent change is
//! lost and the events are in the order of the changes. Servers do not take that lock.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::receivers::{NewListeners, Receivers};
use crate::dns::{Fault, Zone, Zones};
use crate::error::{Error, Mistake};
use crate::facts::{Clock, MOST_ADVANCED, Memory};
use crate::journal::{Event, EventKind, Last};
use crate::name::{self, Name};
use crate::scenario::{self, ReceiverProfile, Scenario};
use crate::smtp::{self, ClientSource, Identity, SessionConfig};

/// Default TTL of records that a test sets, in seconds.
const TTL: u32 = 300;

impl World {
    /// Advances the clock, which ages the memory of the receiver.
    ///
    /// # Errors
    /// The sum of all advances would exceed 100 years; the clock is unchanged.
    pub fn advance(&self, by: Duration) -> Result<(), Error> {
        let _changing = self.changing.lock();
        if !self
            .service
            .session_config
            .load()
            .memory
            .clock()
            .advance(by)
        {
            let years = MOST_ADVANCED.as_secs() / (24 * 3600) / 365;
            return Err(Error::unexpected(
                format!("advances of at most {years} years altogether"),
                format!("{by:?} more"),
            ));
        }
        self.changed("clock", format!("advanced by {by:?}"));
        Ok(())
    }

    /// Resets the world to its state at start: scenario, zones, faults and their counts, receiver, source of client
    /// addresses, clock and memory of the receiver; and empties the journal like [`World::reset_journal`]. Ports, metrics and the
    /// numbering of sessions and messages continue.
    ///
    /// A session that began before the reset continues with the earlier zones, faults, receiver and memory, and does not
    /// appear in the journal after it.
    pub fn reset(&self) {
        let _changing = self.changing.lock();
        let super::Start {
            scenario,
            profile,
            clock,
        } = &self.start;
        let memory = Memory::on(Clock::advanced(*clock).unwrap_or_default());
        memory.add_sent_before(&scenario.sent);
        let main = Arc::new(session_config(scenario, profile, Arc::new(memory)));
        let mut receivers = self.receivers.lock();
        // Listeners of the start are never closed, so nothing needs to be bound here.
        match receivers.prepare(scenario, &main, profile) {
            Ok(prepared) => drop(receivers.take(prepared)),
            Err(error) => tracing::error!(%error, "the exchanges are unchanged"),
        }
        receivers.forget(scenario, &main);
        let zones = Arc::new(scenario.zones_with(&receivers.places()));
        self.forget(|last| {
            let past = self.zones.load_full();
            self.service.last_reset.of_zones(last, past);
            receivers.configure(&main);
            self.service.session_config.store(main);
            self.zones.store(zones);
            self.scenario.store(Arc::clone(scenario));
            self.profile.store(Arc::clone(profile));
        });
        self.changed("reset", "everything".to_owned());
    }

    /// Empties the journal, including the journal file: sessions, messages, DNS queries, events, and the expectations with
    /// their counts. Everything else is unchanged.
    ///
    /// A session that began before does not appear in the journal afterwards.
    pub fn reset_journal(&self) {
        let _changing = self.changing.lock();
        self.forget(|_| {});
        self.changed("reset", "journal".to_owned());
    }

    /// Empties the journal, and calls `meanwhile` with the number of the last session before another one can begin.
    fn forget(&self, meanwhile: impl FnOnce(u64)) {
        let service = &self.service;
        self.ledger.clear();
        service.sessions.clear_with(|last| {
            service.last_reset.of_journal(last);
            service.messages.clear();
            service.events.clear_with(|_| {
                drop(service.pending.take());
                self.dns_queries.clear();
            });
            if let Some(journal_store) = &service.journal_store {
                journal_store.clear(Last {
                    session: last,
                    message: service.messages.last(),
                    event: service.events.last(),
                });
            }
            meanwhile(last);
        });
    }

    /// Replaces the zones with their faults and counts. Running queries use the old zones.
    pub fn replace_zones(&self, zones: Zones) {
        let _changing = self.changing.lock();
        self.serve(zones);
        self.changed("zones", "replaced".to_owned());
    }

    /// Adds a zone from master-file text (RFC 1035 §5), or replaces all records of the zone with this origin. SOA and NS are added
    /// if the text has none. Other zones, faults and their counts are unchanged.
    ///
    /// # Errors
    /// The text has mistakes that `lint` reports for a zone among the other zones of the world, or the zone would hide
    /// records of a zone above it.
    pub fn set_zone(&self, origin: &str, text: &str) -> Result<(), Error> {
        let name = origin_name(origin)?;
        let _changing = self.changing.lock();
        let zones = self.zones.load();
        let others = zones
            .zones()
            .map(Zone::origin)
            .filter(|other| *other != name)
            .collect();
        if let Some(hidden) = zones.zones().find_map(|zone| zone.hidden_by(&name)) {
            let (expected, found) = (hidden.expected(), hidden.found());
            let mistake = zone_mistake(origin, 0, expected, found);
            let report = mistake.to_string();
            return Err(Error::mistakes(vec![mistake], report));
        }
        let (zone, found) = scenario::zone_text(text.as_bytes(), &name, TTL, &others);
        let mistakes: Vec<_> = found
            .into_iter()
            .map(|m| zone_mistake(origin, m.line, m.expected, m.found))
            .collect();
        if !mistakes.is_empty() {
            let report: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            return Err(Error::mistakes(mistakes, report.join("\n")));
        }
        self.serve(zones.with_zone(zone));
        self.changed("zones", origin.to_owned());
        Ok(())
    }

    /// Removes the zone with this origin. Returns false if there is none.
    ///
    /// # Errors
    /// The origin is not a domain name.
    pub fn remove_zone(&self, origin: &str) -> Result<bool, Error> {
        let name = origin_name(origin)?;
        let _changing = self.changing.lock();
        let Some(zones) = self.zones.load().without_zone(&name) else {
            return Ok(false);
        };
        self.serve(zones);
        self.changed("zones", format!("{origin} removed"));
        Ok(true)
    }

    /// Replaces the DNS faults, with counts starting from 0. A reset restores those of the start.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        let _changing = self.changing.lock();
        self.misbehave(
            format!("{} of them", faults.len()),
            faults.into_iter().map(Arc::new).collect(),
        );
    }

    /// Adds a DNS fault after the existing ones, which keep their counts. If several apply to a query, the first takes effect.
    pub fn add_fault(&self, fault: Fault) {
        self.add_fault_within(fault, usize::MAX);
    }

    /// Adds a DNS fault if there are fewer than `most`; otherwise returns false.
    pub(crate) fn add_fault_within(&self, fault: Fault, most: usize) -> bool {
        let _changing = self.changing.lock();
        let mut faults = self.faults();
        if faults.len() >= most {
            return false;
        }
        faults.push(Arc::new(fault));
        self.misbehave("one more".to_owned(), faults);
        true
    }

    fn misbehave(&self, detail: String, faults: Vec<Arc<Fault>>) {
        self.serve(self.zones.load().with_faults(faults));
        self.changed("faults", detail);
    }

    /// Replaces the scenario with its zones, faults, source of client addresses and the receivers of its domains. Receivers that
    /// it shares with the old one keep their memory.
    ///
    /// # Errors
    /// The pool of client addresses is empty, a receiver cannot be loaded, or a listener cannot be bound. The world is unchanged.
    pub fn set_scenario(&self, scenario: Scenario) -> Result<(), Error> {
        scenario.client.check()?;
        let _changing = self.changing.lock();
        let mut receivers = self.receivers.lock();
        let main = self.service.session_config.load_full();
        let prepared = {
            let _runtime = self.runtime.enter();
            receivers.prepare(&scenario, &main, &self.profile.load())?
        };
        main.memory.add_sent_before(&scenario.sent);
        self.serve_more(receivers.take(prepared));
        receivers.add_sent_before(&scenario.sent);
        let zones = scenario.zones_with(&receivers.places());
        self.receive(&mut receivers, |session_config| {
            session_config.identity = identity(&scenario)
        });
        self.serve(zones);
        let name = scenario.name.clone();
        self.scenario.store(Arc::new(scenario));
        self.changed("scenario", name);
        Ok(())
    }

    /// Replaces the receiver for new connections. Its memory is kept.
    pub fn set_receiver(&self, profile: ReceiverProfile) {
        let _changing = self.changing.lock();
        self.receive(&mut self.receivers.lock(), |session_config| {
            session_config.receiver = Arc::clone(&profile.receiver);
            session_config.lookup_timeout = profile.dns_timeout;
        });
        let name = profile.name.clone();
        self.profile.store(Arc::new(profile));
        self.changed("receiver", name);
    }

    /// Replaces the source of client addresses for new connections.
    ///
    /// # Errors
    /// The pool is empty.
    pub fn set_client(&self, source: ClientSource) -> Result<(), Error> {
        source.check()?;
        let detail = format!("{source:?}");
        let _changing = self.changing.lock();
        let mut scenario = Scenario::clone(&self.scenario.load());
        scenario.client = source;
        let mut receivers = self.receivers.lock();
        self.receive(&mut receivers, |session_config| {
            session_config.identity = identity(&scenario)
        });
        self.scenario.store(Arc::new(scenario));
        self.changed("client", detail);
        Ok(())
    }

    fn receive(&self, receivers: &mut Receivers, change: impl FnOnce(&mut SessionConfig)) {
        let mut session_config = SessionConfig::clone(&self.service.session_config.load());
        change(&mut session_config);
        session_config.lookup_cache = Arc::default(); // another receiver makes other lookups
        receivers.configure(&session_config);
        self.service.session_config.store(Arc::new(session_config));
    }

    /// Serves additional listeners. A world that is stopping closes them.
    fn serve_more(&self, listeners: NewListeners) {
        let Ok(mut tasks) = self.tasks.try_lock() else {
            return;
        };
        for (listener, listener_config) in listeners {
            let (service, shutdown) = (Arc::clone(&self.service), self.shutdown.clone());
            let serving = smtp::serve(listener, service, listener_config, shutdown);
            tasks.spawn_on(serving, &self.runtime);
        }
    }

    fn serve(&self, zones: Zones) {
        self.zones.store(Arc::new(zones));
    }

    fn changed(&self, what: &'static str, detail: String) {
        let what = EventKind::Changed { what, detail };
        self.service.events.append(|id| Event {
            id,
            at: Timestamp::now(),
            session: 0,
            what,
        });
    }
}

/// A mistake in the text of a zone; line 0 if it concerns the whole text.
fn zone_mistake(origin: &str, line: usize, expected: String, found: String) -> Mistake {
    Mistake {
        file: origin.to_owned(),
        line,
        span: None,
        expected,
        found,
    }
}

/// The configuration for sessions of the main listener.
pub(super) fn session_config(
    scenario: &Scenario,
    profile: &ReceiverProfile,
    memory: Arc<Memory>,
) -> SessionConfig {
    SessionConfig {
        receiver: Arc::clone(&profile.receiver),
        memory,
        tls: None,
        identity: identity(scenario),
        recipients: Arc::new(scenario.recipients()),
        lookup_timeout: profile.dns_timeout,
        lookup_cache: Arc::default(),
    }
}

fn identity(scenario: &Scenario) -> Arc<Identity> {
    Arc::new(Identity::new(
        scenario.client_source(),
        scenario.nat.clone(),
    ))
}

fn origin_name(origin: &str) -> Result<Name, Error> {
    name::absolute(origin).ok_or_else(|| Error::unexpected("a domain name", format!("{origin:?}")))
}
