//! What can be changed while a world runs. Sessions under way keep the receiver and the client address they began with.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::World;
use crate::dns::{Fault, Zone, Zones};
use crate::error::{Error, Mistake};
use crate::journal::{Event, EventKind};
use crate::name;
use crate::scenario::{self, ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, Identity, SessionConfig};

/// TTL of records that a test writes without one, in seconds.
const TTL: u32 = 300;

impl World {
    /// Moves the receiver's clock forward: what it remembers is so much older then.
    pub fn advance(&self, by: Duration) {
        self.service.memory.clock().advance(by);
        self.changed("clock", format!("advanced by {by:?}"));
    }

    /// Begins anew: faults have not fired, the receiver remembers nobody. The journal stays, and so do sessions under
    /// way.
    pub fn reset(&self) {
        self.begin_anew();
        self.changed("reset", String::new());
    }

    /// As [`World::reset`], and forgets what was seen and expected too.
    pub fn clear(&self) {
        self.ledger.clear();
        self.service.sessions.clear();
        self.service.messages.clear();
        self.dns_queries.clear();
        self.service.events.clear();
        if let Some(keeper) = &self.service.keeper {
            keeper.clear();
        }
        self.reset();
    }

    fn begin_anew(&self) {
        self.zones
            .store(Arc::new(self.scenario.load().zones(self.smtp_addr.ip())));
        self.service.memory.forget();
    }

    /// Replaces the zones, and with them the counts of their faults; queries under way keep the old ones.
    pub fn replace_zones(&self, zones: Zones) {
        self.zones.store(Arc::new(zones));
        self.changed("zones", "replaced".to_owned());
    }

    /// Adds a zone to the scenario, or replaces the one of that origin: master-file text (RFC 1035 §5). Other zones and
    /// what a pool generates stay, and so do faults and their counts.
    ///
    /// # Errors
    /// Every mistake in the text: what `lint` finds in a zone of a file, and what no server loads beside the records that
    /// pools and recipient domains generate.
    pub fn set_zone(&self, origin: &str, text: &str) -> Result<(), Error> {
        let name = name::absolute(origin)
            .ok_or_else(|| Error::other(format!("expected a name, found {origin:?}")))?;
        let mut changed = Scenario::clone(&self.scenario.load());
        changed.zones.retain(|zone| zone.origin() != name);
        let others = changed.zones.iter().map(Zone::origin).collect();
        let (zone, found) = scenario::zone_text(text.as_bytes(), &name, TTL, &others);
        changed.zones.push(zone);
        let mut mistakes: Vec<_> = found
            .into_iter()
            .map(|m| zone_mistake(origin, m.line, m.expected, m.found))
            .collect();
        if mistakes.is_empty() {
            let clashes = changed.clashes().into_iter().map(|clash| clash.told());
            mistakes
                .extend(clashes.map(|(expected, found)| zone_mistake(origin, 0, expected, found)));
        }
        if !mistakes.is_empty() {
            let report: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            return Err(Error::mistakes(mistakes, report.join("\n")));
        }
        let faults = self.zones.load().faults().to_vec();
        self.rewrite("zones", origin.to_owned(), |scenario| {
            scenario.zones = changed.zones;
        });
        self.zones.rcu(|zones| zones.with_faults(faults.clone()));
        Ok(())
    }

    /// Replaces the DNS faults; none of them has fired. A reset brings back those of the scenario.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        let detail = format!("{} of them", faults.len());
        let faults: Vec<_> = faults.into_iter().map(Arc::new).collect();
        self.zones.rcu(|zones| zones.with_faults(faults.clone()));
        self.changed("faults", detail);
    }

    /// Adds a DNS fault behind the others, which go on counting: of several for one question the first fires.
    pub fn add_fault(&self, fault: Fault) {
        let fault = Arc::new(fault);
        self.zones
            .rcu(|zones| zones.with_faults([zones.faults(), &[Arc::clone(&fault)]].concat()));
        self.changed("faults", "one more".to_owned());
    }

    /// Replaces the scenario: its zones, faults, and client addresses.
    pub fn set_scenario(&self, scenario: Scenario) {
        let (source, nat) = (scenario.client_source(), scenario.nat.clone());
        self.receive(|reception| reception.identity = Arc::new(Identity::new(source, nat)));
        self.rewrite("scenario", scenario.name.clone(), |old| *old = scenario);
    }

    /// Replaces the receiver for connections from now on. What it remembers stays.
    pub fn set_receiver(&self, profile: ReceiverProfile) {
        self.receive(|reception| {
            reception.receiver = Arc::clone(&profile.receiver);
            reception.lookup_patience = profile.dns_timeout;
        });
        let name = profile.name.clone();
        self.profile.store(Arc::new(profile));
        self.changed("receiver", name);
    }

    /// Takes connections from now on to come from here.
    pub fn set_client(&self, source: ClientSource) {
        let detail = format!("{source:?}");
        let mut scenario = Scenario::clone(&self.scenario.load());
        scenario.client = source.clone();
        self.receive(|reception| {
            reception.identity = Arc::new(Identity::new(source, scenario.nat.clone()))
        });
        self.scenario.store(Arc::new(scenario));
        self.changed("client", detail);
    }

    fn receive(&self, change: impl FnOnce(&mut SessionConfig)) {
        let mut reception = SessionConfig::clone(&self.service.reception.load());
        change(&mut reception);
        reception.recall = Arc::default(); // another receiver asks otherwise
        self.service.reception.store(Arc::new(reception));
    }

    /// Changes the scenario, and serves its zones as they are then.
    fn rewrite(&self, what: &'static str, detail: String, change: impl FnOnce(&mut Scenario)) {
        let mut scenario = Scenario::clone(&self.scenario.load());
        change(&mut scenario);
        self.zones
            .store(Arc::new(scenario.zones(self.smtp_addr.ip())));
        self.scenario.store(Arc::new(scenario));
        self.changed(what, detail);
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

/// A mistake in the text of a zone; line 0 where it is of the text as a whole.
fn zone_mistake(origin: &str, line: usize, expected: String, found: String) -> Mistake {
    Mistake {
        file: origin.to_owned(),
        line,
        span: None,
        expected,
        found,
    }
}
