//! The beginning of a session: client address, greeting, HELO and EHLO, STARTTLS, XCLIENT (RFC 5321 §3.1, §3.2, §4.1.1.1).

use std::borrow::Cow;
use std::sync::Arc;

use crate::facts::{Facts, Helo, HeloKind, Lookup, Verb};
use crate::policy::DeferIfPermit;
use crate::reply::{Reply, ReplyCode};
use crate::smtp::Extension;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::xclient::{Value, Xclient};
use crate::smtp::record::transcript::Speaker;
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::script::{Occasion, Point};
use crate::smtp::session::{Due, HeloState, Session, State, Step};
use crate::smtp::settings::StartTls;
use crate::smtp::{AddressSource, ClientAddress};
use crate::stage::Stage;

impl Session {
    /// Observes the client address, and remembers the client if a rule needs that.
    pub(crate) fn observe_client(&mut self, lookup: &dyn Lookup) {
        self.due = Due::Wait;
        let receiver = Arc::clone(&self.receiver);
        let needs = receiver.policy.needs();
        self.pause = self.facts.observe_client(needs, lookup);
        if needs.history {
            self.leave();
            self.present = Some(self.facts.client_address);
            self.facts.history = Some(self.memory.connected(self.facts.client_address));
        }
    }

    /// Ends the connection in the memory of the receiver.
    pub(crate) fn leave(&mut self) {
        if let Some(client) = self.present.take() {
            self.memory.disconnected(client);
        }
    }

    /// Delays the greeting if the receiver does that; otherwise greets at once.
    pub(crate) fn hold_greeting(
        &mut self,
        output: &mut Vec<u8>,
        lookup: &dyn Lookup,
    ) -> Option<Step> {
        let Some(pregreet) = self.receiver.policy.needs().pregreet else {
            self.greet(false, false, output, lookup);
            return None;
        };
        if pregreet.teaser
            && let Some(first) = self.greeting().first()
        {
            let teaser = format!("220-{first}");
            output.extend_from_slice(teaser.as_bytes());
            output.extend_from_slice(b"\r\n");
            self.record(Speaker::Server, &teaser);
        }
        self.due = Due::Greeting(pregreet.teaser);
        Some(Step::Listen(pregreet.wait))
    }

    fn greeting(&self) -> Vec<String> {
        let settings = &self.receiver.settings;
        settings
            .greeting
            .iter()
            .map(|line| line.replace("{mx}", &settings.hostname))
            .collect()
    }

    /// Sends the greeting, or a refusal instead. `begun` means that the first line was sent before the delay, and `early` that
    /// the client spoke during it.
    pub(crate) fn greet(
        &mut self,
        begun: bool,
        early: bool,
        output: &mut Vec<u8>,
        lookup: &dyn Lookup,
    ) {
        self.facts.conduct.pregreet = early;
        if let Some((verb, argument)) = self.told_helo.take() {
            let receiver = Arc::clone(&self.receiver);
            self.pause = self
                .facts
                .observe_helo(verb, &argument, receiver.policy.needs(), lookup);
        }
        self.observed();
        if self.refuse(Stage::Connect, output) {
            return;
        }
        if self
            .script(Point::Connect, Occasion::default(), output)
            .is_some()
        {
            return;
        }
        let mut lines = self.greeting();
        if begun && lines.len() > 1 {
            lines.remove(0);
        }
        self.say(&Reply::from_lines(code(220), lines), output);
    }

    /// HELO or EHLO, the first or a later one. The HELO name is observed each time.
    pub(crate) fn helo(&mut self, verb: Verb, argument: &str, lookup: &dyn Lookup) {
        let may_stay =
            self.helo == HeloState::Accepted && self.receiver.policy.judges_at(Stage::Helo);
        self.before = may_stay.then(|| Box::new((self.facts.clone(), self.standing.clone())));
        if let Some(earlier) = self.facts.helo.take() {
            self.facts
                .conduct
                .replaced(earlier.verb, earlier.argument.clone());
        }
        let receiver = Arc::clone(&self.receiver);
        let needs = receiver.policy.needs();
        self.pause = self.facts.observe_helo(verb, argument, needs, lookup);
        if needs.history {
            let client = self.facts.client_address;
            let unverified = self.facts.helo.as_ref().is_some_and(|helo| {
                let told = helo
                    .addresses_outcome
                    .is_some_and(|outcome| !outcome.is_temporary());
                helo.kind == HeloKind::Name && told && !helo.addresses.contains(&client)
            });
            let known = self.memory.helo(client, argument, unverified);
            // Connections are counted when they are made: one that came later is not held against this one.
            let history = self.facts.history.get_or_insert_default();
            (history.helos, history.unverified) = (known.helos, known.unverified);
        }
        self.due = Due::Helo(verb);
    }

    /// Answers HELO. An accepted HELO ends a transaction; a refused one changes nothing (RFC 5321 §4.1.4).
    pub(crate) fn answer_helo(&mut self, verb: Verb, output: &mut Vec<u8>) {
        self.observed();
        if self.refuse(Stage::Helo, output) {
            self.unsay_helo();
            return;
        }
        let scripted = self.script(Point::Helo, Occasion::default(), output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            self.unsay_helo();
            return;
        }
        self.accept_helo();
        if scripted.is_some() {
            return;
        }
        if verb == Verb::Helo {
            return self.answer(CoreReply::Helo, output);
        }
        let first = self.core(CoreReply::Ehlo, &[]);
        let lines = first.texts().iter().cloned().chain(self.extensions());
        self.say(&Reply::from_lines(first.code(), lines), output);
    }

    /// Accepts the HELO, which ends a transaction (RFC 5321 §4.1.4).
    fn accept_helo(&mut self) {
        self.before = None;
        self.reset();
        self.helo = HeloState::Accepted;
        self.facts.conduct.helo_refused = false;
        let auth = self.receiver.settings.auth.as_ref();
        if auth.is_some_and(|auth| !auth.kept_at_ehlo) {
            self.facts.conduct.login.clear();
        }
    }

    /// Runs scripts for a HELO without an argument, which is a syntax error otherwise. Returns true if one took effect.
    pub(crate) fn script_empty_helo(&mut self, verb: Verb, output: &mut Vec<u8>) -> bool {
        let before = self.facts.clone();
        self.facts.helo = Some(Arc::new(Helo::parse(verb, "")));
        let Some(reply) = self.script(Point::Helo, Occasion::default(), output) else {
            self.facts = before;
            return false;
        };
        if reply.code().is_refusal() {
            self.facts = before;
        } else {
            self.observed();
            self.accept_helo();
        }
        true
    }

    /// Restores the HELO before a refused one, if any. The refused one is kept among the earlier ones.
    fn unsay_helo(&mut self) {
        let Some(before) = self.before.take() else {
            self.helo = HeloState::Refused;
            self.facts.conduct.helo_refused = true;
            return;
        };
        let (mut before, standing) = *before;
        if let Some(refused) = self.facts.helo.take() {
            before.conduct = std::mem::take(&mut self.facts.conduct);
            before
                .conduct
                .replaced(refused.verb, refused.argument.clone());
        }
        (self.facts, self.standing) = (before, standing);
    }

    fn extensions(&self) -> Vec<Cow<'static, str>> {
        let settings = &self.receiver.settings;
        let mut lines: Vec<_> = Extension::ALL
            .into_iter()
            .filter(|extension| self.offers(*extension))
            .map(|extension| match extension {
                Extension::Size => format!("SIZE {}", settings.max_message_octets).into(),
                Extension::Limits => format!("LIMITS RCPTMAX={}", settings.max_recipients).into(),
                other => other.keyword().into(),
            })
            .collect();
        if self.front.tls && !self.facts.conduct.tls && self.starttls_setting() != StartTls::Never {
            lines.push("STARTTLS".into());
        }
        lines.extend(self.auth_line().map(Cow::Owned));
        if self.may_xclient() {
            lines.push(
                "XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT".into(),
            );
        }
        lines
    }

    fn starttls_setting(&self) -> StartTls {
        self.front
            .starttls
            .unwrap_or(self.receiver.settings.starttls)
    }

    /// STARTTLS (RFC 3207 §4).
    pub(crate) fn starttls(&mut self, output: &mut Vec<u8>) {
        if self.facts.conduct.tls {
            return self.mistake(CoreReply::TlsActive, output);
        }
        match self.starttls_setting() {
            StartTls::Offered if self.front.tls => {
                if self
                    .script(Point::StartTls, Occasion::default(), output)
                    .is_some()
                {
                    return;
                }
                self.answer(CoreReply::StartTlsReady, output);
                self.state = State::Handshake;
            }
            StartTls::Refused => self.answer(CoreReply::StartTlsRefused, output),
            _ => self.mistake(CoreReply::StartTlsNotOffered, output),
        }
    }

    /// Discards the HELO.
    pub(crate) fn forget_helo(&mut self) {
        self.reset();
        self.facts.helo = None;
        self.facts.conduct.earlier_helos.clear();
        self.facts.conduct.login.clear();
        self.helo = HeloState::None;
        self.facts.conduct.helo_refused = false;
        self.before = None;
        self.standing = DeferIfPermit::default();
    }

    pub(crate) fn may_xclient(&self) -> bool {
        let peer = crate::name::normalise(self.peer.ip());
        self.receiver
            .settings
            .xclient
            .iter()
            .any(|net| net.contains(&peer))
    }

    /// XCLIENT begins the session anew, as another client (Postfix XCLIENT_README): back to the greeting. With a new
    /// address the facts are gathered again, as Haraka does: a receiver that judged a new address by old facts would
    /// judge nobody. NAME and REVERSE_NAME stand for what would be looked up.
    pub(crate) fn xclient(&mut self, xclient: Xclient, output: &mut Vec<u8>) {
        if !self.may_xclient() {
            return self.mistake(CoreReply::XclientDenied, output);
        }
        if self.in_transaction() {
            return self.mistake(CoreReply::InTransaction, output);
        }
        let tls = self.facts.conduct.tls;
        let told = xclient.names();
        let again = xclient.address.is_some() || told.is_some();
        if again {
            let address = xclient.address.unwrap_or(self.facts.client_address);
            let client = ClientAddress::of(address, AddressSource::Xclient);
            self.facts = Facts::of_receiver(client.address, &self.receiver.settings.hostname);
            (self.facts.told, self.facts.conduct.tls) = (told, tls);
            self.events.push(SessionEvent::Renamed(client));
        }
        self.forget_helo();
        self.state = State::Idle;
        if let Some(Value::Known(login)) = &xclient.login {
            self.facts.conduct.login.clone_from(login);
        }
        // A HELO that is told stands as if it had been said before the greeting; it is judged where rules judge it later.
        self.told_helo = match xclient.helo {
            Some(Value::Known(helo)) => Some((xclient.verb.unwrap_or(Verb::Ehlo), helo)),
            _ => None,
        };
        self.due = if again { Due::Client } else { Due::Wait };
    }
}

fn code(code: u16) -> ReplyCode {
    ReplyCode::new(code).expect("220 is a reply code")
}
