//! The client of a session: the facts with its conduct, its HELO, and pending deferrals.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::facts::{Facts, Helo, HeloKind, Memory, ReceiverLookup, Verb};
use crate::policy::{DeferIfPermit, Policy, Refusal, Values};
use crate::smtp::ClientAddress;
use crate::smtp::session::setup::Setup;
use crate::stage::Stage;

/// The state of HELO. A refused HELO does not count as one, and must not bypass rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeloState {
    None,
    Accepted,
    Refused,
}

/// The client of a session.
#[derive(Debug)]
pub(crate) struct Client {
    /// The facts, with the conduct of the client.
    pub(super) facts: Facts,
    /// The deferrals that apply if nothing else refuses.
    deferrals: DeferIfPermit,
    /// The rules that were judged, of those that are judged once in a session.
    judged_once: Vec<usize>,
    helo: HeloState,
    /// The facts and deferrals before a later HELO, because a refused HELO changes nothing (RFC 5321 §4.1.4).
    before: Option<Box<(Facts, DeferIfPermit)>>,
    /// The HELO name given by XCLIENT.
    xclient_helo: Option<(Verb, String)>,
    /// The refusal that was decided at connect and that each command gets, and whether a command has got it already.
    held: Option<(Refusal, bool)>,
    /// The number of unknown commands of the session.
    pub(super) unknown_commands: u64,
    /// The client address whose connection the memory of the receiver counts, and that memory.
    connected: Option<(IpAddr, Arc<Memory>)>,
}

impl Client {
    pub(super) fn new(client: ClientAddress, receiver_name: &str) -> Self {
        Self {
            facts: Facts::of_receiver(client.address, receiver_name),
            deferrals: DeferIfPermit::default(),
            judged_once: Vec::new(),
            unknown_commands: 0,
            helo: HeloState::None,
            before: None,
            xclient_helo: None,
            held: None,
            connected: None,
        }
    }

    /// Observes the client address, and remembers the client if a rule needs that. Returns the time of the lookups.
    pub(super) fn observe_address(
        &mut self,
        setup: &Setup,
        lookup: &dyn ReceiverLookup,
    ) -> Duration {
        self.held = None;
        let needs = setup.receiver.policy.needs();
        let time = self.facts.observe_client(needs, lookup);
        if needs.history {
            self.leave();
            let (address, memory) = (self.facts.client_address, Arc::clone(&setup.memory));
            self.facts.history = Some(memory.connected(address));
            self.connected = Some((address, memory));
        }
        time
    }

    /// Stores a refusal that was decided at connect for the commands.
    pub(super) fn hold_refusal(&mut self, refusal: Refusal) {
        self.held = Some((refusal, false));
    }

    /// Whether each command is refused.
    pub(super) fn holds_refusal(&self) -> bool {
        self.held.is_some()
    }

    /// The refusal that each command gets.
    pub(super) fn held_refusal(&self) -> Option<Refusal> {
        self.held.as_ref().map(|(refusal, _)| refusal.clone())
    }

    /// Marks the stored refusal as sent. Returns true the first time.
    pub(super) fn mark_refusal_sent(&mut self) -> bool {
        let was_sent = self
            .held
            .as_mut()
            .map(|(_, was_sent)| std::mem::replace(was_sent, true));
        was_sent == Some(false)
    }

    /// Ends the connection in the memory of the receiver.
    fn leave(&mut self) {
        if let Some((address, memory)) = self.connected.take() {
            memory.disconnected(address);
        }
    }

    /// Judges the facts at a stage. Returns the refusal, and the reason if rules were bypassed.
    pub(super) fn judge(
        &mut self,
        policy: &Policy,
        stage: Stage,
        values: &Values<'_>,
    ) -> (Option<Refusal>, Option<String>) {
        let (deferrals, judged_once) = (&mut self.deferrals, &mut self.judged_once);
        let refusal = policy.judge(stage, &self.facts, values, deferrals, judged_once);
        (refusal, self.deferrals.allowed.take())
    }

    /// The state of HELO.
    pub(super) fn helo(&self) -> HeloState {
        self.helo
    }

    /// Whether a HELO was accepted.
    pub(super) fn has_helo(&self) -> bool {
        self.helo == HeloState::Accepted
    }

    /// Whether MAIL requires a HELO first: one was refused, or a rule would be skipped without one.
    pub(super) fn lacks_helo(&self, policy: &Policy) -> bool {
        match self.helo {
            HeloState::Accepted => false,
            HeloState::Refused => true,
            HeloState::None => policy.judges_at(Stage::Helo),
        }
    }

    /// Observes a HELO, the first or a later one. Returns the time of the lookups.
    pub(super) fn observe_helo(
        &mut self,
        verb: Verb,
        argument: &str,
        setup: &Setup,
        lookup: &dyn ReceiverLookup,
    ) -> Duration {
        let policy = &setup.receiver.policy;
        let may_stay = self.has_helo() && policy.judges_at(Stage::Helo);
        self.before = may_stay.then(|| Box::new((self.facts.clone(), self.deferrals.clone())));
        if let Some(earlier) = self.facts.helo.take() {
            let argument = earlier.argument.clone();
            self.facts.conduct.replaced(earlier.verb, argument);
        }
        let time = self
            .facts
            .observe_helo(verb, argument, policy.needs(), lookup);
        if policy.needs().history {
            self.remember_helo(argument, &setup.memory);
        }
        time
    }

    fn remember_helo(&mut self, argument: &str, memory: &Memory) {
        let client = self.facts.client_address;
        let unverified = self.facts.helo.as_ref().is_some_and(|helo| {
            let known = helo
                .addresses_outcome
                .is_some_and(|outcome| !outcome.is_temporary());
            helo.kind == HeloKind::Name && known && !helo.addresses.contains(&client)
        });
        let known = memory.helo(client, argument, unverified);
        // Connections are counted when they are accepted: a later connection does not count for this one.
        let history = self.facts.history.get_or_insert_default();
        (history.helos, history.unverified) = (known.helos, known.unverified);
    }

    /// Accepts the HELO.
    pub(super) fn accept_helo(&mut self, keeps_login: bool) {
        self.before = None;
        self.helo = HeloState::Accepted;
        self.facts.conduct.helo_refused = false;
        if !keeps_login {
            self.facts.conduct.login.clear();
        }
    }

    /// Restores the HELO before a refused one, if any. The refused one is kept among the earlier ones.
    pub(super) fn refuse_helo(&mut self) {
        let Some(before) = self.before.take() else {
            self.helo = HeloState::Refused;
            self.facts.conduct.helo_refused = true;
            return;
        };
        let (mut before, deferrals) = *before;
        if let Some(refused) = self.facts.helo.take() {
            before.conduct = std::mem::take(&mut self.facts.conduct);
            let argument = refused.argument.clone();
            before.conduct.replaced(refused.verb, argument);
        }
        (self.facts, self.deferrals) = (before, deferrals);
    }

    /// Sets a HELO without an argument. Returns the facts before it.
    pub(super) fn say_empty_helo(&mut self, verb: Verb) -> Facts {
        let before = self.facts.clone();
        self.facts.helo = Some(Arc::new(Helo::parse(verb, "")));
        before
    }

    /// Discards the HELO.
    pub(super) fn forget_helo(&mut self) {
        self.facts.helo = None;
        self.facts.conduct.earlier_helos.clear();
        self.facts.conduct.login.clear();
        self.helo = HeloState::None;
        self.facts.conduct.helo_refused = false;
        self.before = None;
        self.deferrals = DeferIfPermit::default();
        self.judged_once.clear();
    }

    /// Sets the HELO that XCLIENT gives: it takes effect as if the client had sent it before the greeting.
    pub(super) fn set_xclient_helo(&mut self, helo: Option<(Verb, String)>) {
        self.xclient_helo = helo;
    }

    /// Observes the HELO that XCLIENT gave, if any. Returns the time of the lookups.
    pub(super) fn observe_xclient_helo(
        &mut self,
        setup: &Setup,
        lookup: &dyn ReceiverLookup,
    ) -> Option<Duration> {
        let (verb, argument) = self.xclient_helo.take()?;
        let needs = setup.receiver.policy.needs();
        Some(self.facts.observe_helo(verb, &argument, needs, lookup))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave();
    }
}
