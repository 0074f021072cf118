//! The beginning of a session: client address, greeting, HELO and EHLO, STARTTLS, XCLIENT (RFC 5321 §3.1, §3.2, §4.1.1.1).

use std::borrow::Cow;

use crate::facts::{Facts, ReceiverLookup, Verb};
use crate::reply::{Reply, ReplyCode};
use crate::smtp::Extension;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::xclient::{Value, Xclient};
use crate::smtp::script::{Point, ScriptContext};
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{Due, Session, State, Step};
use crate::smtp::settings::StartTls;
use crate::smtp::{AddressSource, ClientAddress};
use crate::stage::Stage;

impl Session {
    /// Delays the greeting if the settings require that; otherwise sends it at once.
    pub(crate) fn hold_greeting(
        &mut self,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) -> Option<Step> {
        let Some(pregreet) = self.setup.receiver.policy.needs().pregreet else {
            self.greet(false, false, output, lookup);
            return None;
        };
        if pregreet.teaser
            && let Some(first) = self.setup.greeting().first()
        {
            self.dialogue.say_line(&format!("220-{first}"), output);
        }
        self.due = Due::Greeting(pregreet.teaser);
        Some(Step::Listen(pregreet.wait))
    }

    /// Sends the greeting, or a refusal instead. `begun` means that its first line was sent before the delay, and
    /// `early` that the client sent data during it.
    pub(crate) fn greet(
        &mut self,
        begun: bool,
        early: bool,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) {
        self.client.facts.conduct.pregreet = early;
        if let Some(pause) = self.client.observe_xclient_helo(&self.setup, lookup) {
            self.pause = pause;
        }
        self.dialogue.observed(&self.client.facts);
        if self.refuse(Stage::Connect, output) {
            return;
        }
        if self
            .script(Point::Connect, ScriptContext::default(), output)
            .is_some()
        {
            return;
        }
        let mut lines = self.setup.greeting();
        if begun && lines.len() > 1 {
            lines.remove(0);
        }
        self.dialogue
            .say(&Reply::from_lines(code(220), lines), output);
    }

    /// HELO or EHLO, the first or a later one. The HELO name is observed each time.
    pub(crate) fn helo(&mut self, verb: Verb, argument: &str, lookup: &dyn ReceiverLookup) {
        self.pause = self
            .client
            .observe_helo(verb, argument, &self.setup, lookup);
        self.due = Due::Helo(verb);
    }

    /// Answers HELO. An accepted HELO ends a transaction; a refused one changes nothing (RFC 5321 §4.1.4).
    pub(crate) fn answer_helo(&mut self, verb: Verb, output: &mut Vec<u8>) {
        self.dialogue.observed(&self.client.facts);
        if self.refuse(Stage::Helo, output) {
            self.client.refuse_helo();
            return;
        }
        let scripted = self.script(Point::Helo, ScriptContext::default(), output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            self.client.refuse_helo();
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
        self.dialogue
            .say(&Reply::from_lines(first.code(), lines), output);
    }

    /// Accepts the HELO, which ends a transaction (RFC 5321 §4.1.4).
    fn accept_helo(&mut self) {
        self.reset();
        let auth = self.setup.settings().auth.as_ref();
        let keeps_login = auth.is_none_or(|auth| auth.kept_at_ehlo);
        self.client.accept_helo(keeps_login);
    }

    /// Runs scripts for a HELO without an argument, which is a syntax error otherwise. Returns true if one took effect.
    pub(crate) fn script_empty_helo(&mut self, verb: Verb, output: &mut Vec<u8>) -> bool {
        let before = self.client.say_empty_helo(verb);
        let Some(reply) = self.script(Point::Helo, ScriptContext::default(), output) else {
            self.client.facts = before;
            return false;
        };
        if reply.code().is_refusal() {
            self.client.facts = before;
        } else {
            self.dialogue.observed(&self.client.facts);
            self.accept_helo();
        }
        true
    }

    fn extensions(&self) -> Vec<Cow<'static, str>> {
        let settings = self.setup.settings();
        let mut lines: Vec<_> = Extension::ALL
            .into_iter()
            .filter(|extension| self.offers(*extension))
            .map(|extension| match extension {
                Extension::Size => format!("SIZE {}", settings.max_message_octets).into(),
                Extension::Limits => format!("LIMITS RCPTMAX={}", settings.max_recipients).into(),
                other => other.keyword().into(),
            })
            .collect();
        if self.setup.listener.tls
            && !self.client.facts.conduct.tls
            && self.setup.starttls() != StartTls::Never
        {
            lines.push("STARTTLS".into());
        }
        lines.extend(self.auth_line().map(Cow::Owned));
        if self.setup.may_xclient() {
            lines.push(
                "XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT".into(),
            );
        }
        lines
    }

    /// Handles STARTTLS (RFC 3207 §4).
    pub(crate) fn starttls(&mut self, output: &mut Vec<u8>) {
        if self.client.facts.conduct.tls {
            return self.mistake(CoreReply::TlsActive, output);
        }
        match self.setup.starttls() {
            _ if !self.takes_extensions() => self.mistake(CoreReply::StartTlsNotOffered, output),
            StartTls::Offered if self.setup.listener.tls => {
                if self
                    .script(Point::StartTls, ScriptContext::default(), output)
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
        self.client.forget_helo();
    }

    /// Handles XCLIENT: the session begins again with the greeting, as another client (Postfix XCLIENT_README). For a
    /// new address the facts are observed again, as Haraka does: the earlier facts are about another address. NAME and
    /// REVERSE_NAME replace the DNS lookups.
    pub(crate) fn xclient(&mut self, xclient: Xclient, output: &mut Vec<u8>) {
        if !self.setup.may_xclient() {
            return self.mistake(CoreReply::XclientDenied, output);
        }
        if self.in_transaction() {
            return self.mistake(CoreReply::InTransaction, output);
        }
        let iprev = xclient.names();
        let is_new_client = xclient.address.is_some() || iprev.is_some();
        if is_new_client {
            let tls = self.client.facts.conduct.tls;
            let address = xclient.address.unwrap_or(self.client.facts.client_address);
            let client = ClientAddress::of(address, AddressSource::Xclient);
            let hostname = &self.setup.settings().hostname;
            let facts = &mut self.client.facts;
            *facts = Facts::of_receiver(client.address, hostname);
            (facts.xclient_iprev, facts.conduct.tls) = (iprev, tls);
            self.dialogue.push(SessionEvent::Renamed(client));
        }
        self.forget_helo();
        self.state = State::Idle;
        if let Some(Value::Known(login)) = &xclient.login {
            self.client.facts.conduct.login.clone_from(login);
        }
        self.client.set_xclient_helo(match xclient.helo {
            Some(Value::Known(helo)) => Some((xclient.verb.unwrap_or(Verb::Ehlo), helo)),
            _ => None,
        });
        self.due = if is_new_client {
            Due::Client
        } else {
            Due::Wait
        };
    }
}

fn code(code: u16) -> ReplyCode {
    ReplyCode::new(code).expect("220 is a reply code")
}
