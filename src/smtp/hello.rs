//! How a session begins: client address, greeting, HELO and EHLO, XCLIENT (RFC 5321 §3.1, §3.2, §4.1.1.1).

use std::sync::Arc;

use super::ClientAddress;
use super::command::Attribute;
use super::replies;
use super::session::{Due, Event, Hello, Session, State, Step};
use crate::facts::{Facts, HelloKind, Lookup, Verb};
use crate::policy::Standing;
use crate::reply::{Reply, ReplyCode};
use crate::stage::Stage;

impl Session {
    /// Observes the client address, and remembers the client where a rule wants that.
    pub(super) fn observe_client(&mut self, lookup: &dyn Lookup) {
        self.due = Due::Wait;
        let receiver = Arc::clone(&self.receiver);
        let wants = receiver.policy.wants();
        self.pause = self.facts.observe_client(wants, lookup);
        if wants.history {
            self.leave();
            self.present = Some(self.facts.client_address);
            self.facts.history = Some(self.memory.connected(self.facts.client_address));
        }
    }

    /// The client is no longer counted as connected.
    pub(super) fn leave(&mut self) {
        if let Some(client) = self.present.take() {
            self.memory.disconnected(client);
        }
    }

    /// Holds the greeting back where the receiver does that, and greets at once where it does not.
    pub(super) fn hold_greeting(&mut self, output: &mut Vec<u8>) -> Option<Step> {
        let Some(pregreet) = self.receiver.policy.wants().pregreet else {
            self.greet(false, false, output);
            return None;
        };
        if pregreet.teaser
            && let Some(first) = self.greeting().first()
        {
            let teaser = format!("220-{first}");
            output.extend_from_slice(teaser.as_bytes());
            output.extend_from_slice(b"\r\n");
            self.record(|| Event::Server(teaser));
        }
        self.due = Due::Greeting(pregreet.teaser);
        Some(Step::Listen(pregreet.wait))
    }

    fn greeting(&self) -> Vec<String> {
        let settings = &self.receiver.settings;
        settings.greeting.iter().map(|line| line.replace("{mx}", &settings.hostname)).collect()
    }

    /// The greeting, or the refusal in its place. `begun` tells that its first line was said before the wait, and
    /// `early` that the client spoke during it.
    pub(super) fn greet(&mut self, begun: bool, early: bool, output: &mut Vec<u8>) {
        self.facts.conduct.pregreet = early;
        self.observed();
        if self.refuse(Stage::Connect, output) {
            return;
        }
        let mut lines = self.greeting();
        if begun && lines.len() > 1 {
            lines.remove(0);
        }
        self.say(&Reply::from_lines(code(220), lines), output);
    }

    /// HELO or EHLO, the first or a later one: the hello is observed anew.
    pub(super) fn hello(&mut self, verb: Verb, argument: &str, lookup: &dyn Lookup) {
        let may_stay = self.hello == Hello::Accepted && self.receiver.policy.judges_at(Stage::Helo);
        self.before = may_stay.then(|| Box::new((self.facts.clone(), self.standing.clone())));
        if let Some(earlier) = self.facts.hello.take() {
            self.facts.conduct.replaced(earlier.verb, earlier.argument);
        }
        let receiver = Arc::clone(&self.receiver);
        let wants = receiver.policy.wants();
        self.pause = self.facts.observe_hello(verb, argument, wants, lookup);
        if wants.history {
            let client = self.facts.client_address;
            let unverified = self.facts.hello.as_ref().is_some_and(|hello| {
                let told = hello.addresses_outcome.is_some_and(|outcome| !outcome.is_temporary());
                hello.kind == HelloKind::Name && told && !hello.addresses.contains(&client)
            });
            let known = self.memory.hello(client, argument, unverified);
            // Connections are counted when they are made: one that came later is not held against this one.
            let history = self.facts.history.get_or_insert_default();
            (history.hellos, history.unverified) = (known.hellos, known.unverified);
        }
        self.due = Due::Hello(verb);
    }

    /// An accepted hello ends a transaction. A refused one leaves everything as it was before it (RFC 5321 §4.1.4).
    pub(super) fn answer_hello(&mut self, verb: Verb, output: &mut Vec<u8>) {
        self.observed();
        if self.refuse(Stage::Helo, output) {
            self.unsay_hello();
            return;
        }
        self.before = None;
        self.reset();
        self.hello = Hello::Accepted;
        let mut lines = vec![self.receiver.settings.hostname.clone()];
        if verb != Verb::Helo {
            lines.extend(self.extensions());
        }
        self.say(&Reply::from_lines(code(250), lines), output);
    }

    /// Goes back to the hello that stood before, where one did; the refused one is kept among the earlier ones.
    fn unsay_hello(&mut self) {
        let Some(before) = self.before.take() else {
            self.hello = Hello::Refused;
            return;
        };
        let (mut before, standing) = *before;
        if let Some(refused) = self.facts.hello.take() {
            before.conduct = std::mem::take(&mut self.facts.conduct);
            before.conduct.replaced(refused.verb, refused.argument);
        }
        (self.facts, self.standing) = (before, standing);
    }

    fn extensions(&self) -> Vec<String> {
        let settings = &self.receiver.settings;
        let offered = settings.extensions;
        let fixed = [
            (offered.pipelining, "PIPELINING"),
            (offered.eight_bit_mime, "8BITMIME"),
            (offered.smtputf8, "SMTPUTF8"),
            (offered.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.may_xclient(), "XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT"),
        ];
        let mut lines: Vec<_> = fixed.iter().filter(|(on, _)| *on).map(|(_, line)| (*line).to_owned()).collect();
        if offered.size {
            lines.push(format!("SIZE {}", settings.max_message_octets));
        }
        lines
    }

    pub(super) fn may_xclient(&self) -> bool {
        let peer = crate::name::normalise(self.peer.ip());
        self.receiver.settings.xclient.iter().any(|net| net.contains(&peer))
    }

    /// XCLIENT ADDR begins the session anew from another address (Postfix XCLIENT_README). The facts are gathered
    /// again, as Haraka does: a receiver that judged a new address by old facts would judge nobody.
    pub(super) fn xclient(&mut self, attributes: Vec<Attribute>, output: &mut Vec<u8>) {
        if !self.may_xclient() {
            return self.mistake(&replies::NOT_AUTHORIZED, output);
        }
        if matches!(self.state, State::Transaction(_)) {
            return self.mistake(&replies::IN_TRANSACTION, output);
        }
        let address = attributes.into_iter().rev().find_map(|a| match a {
            Attribute::Addr(address) => Some(address),
            Attribute::Helo(_) | Attribute::Other => None,
        });
        if let Some(address) = address {
            let client = ClientAddress::of(address, "xclient");
            self.facts = Facts::of_receiver(client.address, &self.receiver.settings.hostname);
            self.events.push(Event::Renamed(client));
        }
        self.facts.hello = None;
        self.hello = Hello::None;
        self.before = None;
        self.standing = Standing::default();
        self.state = State::Idle;
        self.due = if address.is_some() { Due::Client } else { Due::Wait };
    }
}

fn code(code: u16) -> ReplyCode {
    ReplyCode::new(code).expect("220 and 250 are reply codes")
}
