//! MAIL, RCPT, DATA and the final dot (RFC 5321 §3.3).

use std::sync::Arc;
use std::time::Duration;

use super::Extension;
use super::budget::MailData;
use super::command::Mistake;
use super::data::{self, Collector, Flaw};
use super::path::Parameters;
use super::replies::{self, Canned};
use super::script::Point;
use super::session::{Due, Protocol, Session, State};
use super::session_event::SessionEvent;
use super::trace::Trace;
use super::transcript::Speaker;
use crate::facts::Lookup;
use crate::journal::Envelope;
use crate::reply::Reply;
use crate::stage::Stage;
use crate::verdict::{Source, Verdict};

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open {
    envelope: Envelope,
    /// Whether some recipient was refused: DATA without any other then says so.
    refused: bool,
    /// Whether addresses and header may hold UTF-8 (RFC 6531).
    smtputf8: bool,
    /// Whether the message is binary, and only BDAT may bring it (RFC 3030 §3).
    binary: bool,
}

impl Open {
    pub(super) fn has_recipients(&self) -> bool {
        !self.envelope.forward_paths.is_empty()
    }

    pub(super) fn into_envelope(self) -> Envelope {
        self.envelope
    }

    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) reverse_path: String,
    pub(super) parameters: Parameters,
}

/// A message whose facts are being observed.
#[derive(Debug)]
pub(super) struct Received {
    open: Open,
    octets: Vec<u8>,
}

impl Received {
    pub(super) fn into_open(self) -> Open {
        self.open
    }
}

impl Session {
    pub(super) fn mail(&mut self, mail: Mail, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        if matches!(self.state, State::Transaction(_) | State::Chunked(..)) {
            return self.mistake(&replies::NESTED_MAIL, output);
        }
        self.refused = None;
        if self.misbehaves(
            |conduct| (conduct.messages, conduct.recipients) = (conduct.messages + 1, 0),
            output,
        ) {
            return self.mail_was_refused(mail.reverse_path);
        }
        let receiver = Arc::clone(&self.receiver);
        self.pause = self
            .facts
            .observe_sender(&mail.reverse_path, receiver.policy.wants(), lookup);
        self.due = Due::Mail(mail);
    }

    pub(super) fn answer_mail(&mut self, mail: Mail, output: &mut Vec<u8>) {
        if self.receiver.policy.wants().observes_sender() {
            self.observed();
        }
        if self.refuse(Stage::Mail, output) {
            return self.mail_was_refused(mail.reverse_path);
        }
        let settings = &self.receiver.settings;
        let Mail {
            reverse_path,
            parameters,
        } = mail;
        let mistake = if self.lacks_helo() {
            Some(replies::HELLO_FIRST)
        } else if settings.auth.as_ref().is_some_and(|auth| auth.required)
            && self.facts.conduct.login.is_empty()
        {
            Some(replies::AUTH_REQUIRED)
        } else {
            self.not_offered(&parameters)
        };
        if let Some(mistake) = mistake {
            self.mistake(&mistake, output);
            return self.mail_was_refused(reverse_path);
        }
        if let Some(reply) = self.has_no_room(parameters.size) {
            self.answer(&reply, output);
            return self.mail_was_refused(reverse_path);
        }
        let scripted = self.script(Point::Mail, None, output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            return self.mail_was_refused(reverse_path);
        }
        let Parameters {
            smtputf8,
            binary,
            said,
            ..
        } = parameters;
        let envelope = Envelope {
            reverse_path,
            parameters: said,
            ..Envelope::default()
        };
        self.state = State::Transaction(Open {
            envelope,
            refused: false,
            smtputf8,
            binary,
        });
        if scripted.is_none() {
            self.answer(&replies::MAIL_OK, output);
        }
    }

    /// MAIL was refused: the transaction ends before it begins.
    fn mail_was_refused(&mut self, reverse_path: String) {
        self.facts.forget_sender();
        self.end_without_reply(Envelope {
            reverse_path,
            ..Envelope::default()
        });
    }

    /// The reply to a message too large for the receiver, or for now (RFC 1870 §6.1); what SIZE did not say is 0.
    fn has_no_room(&self, size: usize) -> Option<Canned> {
        if size > self.receiver.settings.max_message_octets {
            return Some(replies::TOO_LARGE);
        }
        let full = self
            .storage
            .as_ref()
            .is_some_and(|storage| !storage.has_room(size.max(1)));
        full.then_some(replies::NO_STORAGE)
    }

    /// Where the octets of a message go.
    pub(super) fn mail_data(&self) -> MailData {
        MailData::new(
            self.receiver.settings.max_message_octets,
            self.storage.clone(),
        )
    }

    /// The reply to a parameter of an extension that was not offered (RFC 5321 §4.1.1.11).
    fn not_offered(&self, parameters: &Parameters) -> Option<Canned> {
        let settings = &self.receiver.settings;
        let lacking = parameters
            .needs
            .iter()
            .find(|(extension, _)| !self.offers(*extension));
        match lacking {
            Some((Extension::SmtpUtf8, _)) => Some(replies::NO_SMTPUTF8),
            Some((_, keyword)) => Some(replies::to_mistake(&Mistake::Parameter(keyword.clone()))),
            None if parameters.auth && settings.auth.is_none() => {
                Some(replies::to_mistake(&Mistake::Parameter("AUTH".to_owned())))
            }
            None => None,
        }
    }

    pub(super) fn rcpt(
        &mut self,
        forward_path: String,
        parameters: Parameters,
        output: &mut Vec<u8>,
    ) {
        let most = self.receiver.settings.max_recipients;
        if let Some(mistake) = self.not_offered(&parameters) {
            return self.mistake(&mistake, output);
        }
        let State::Transaction(open) = &self.state else {
            return self.mistake(&replies::MAIL_FIRST, output);
        };
        if !open.smtputf8 && !forward_path.is_ascii() {
            return self.mistake(&replies::NOT_ASCII, output);
        }
        if open.envelope.forward_paths.len() >= most {
            return self.answer(&replies::TOO_MANY_RCPT, output);
        }
        let reverse_path = open.envelope.reverse_path.clone();
        self.events.push(SessionEvent::Tried {
            reverse_path,
            forward_path: forward_path.clone(),
        });
        self.observe_recipient(&forward_path);
        let refused = self.misbehaves(|conduct| conduct.recipients += 1, output)
            || self.refuse(Stage::Rcpt, output);
        let scripted = if refused {
            None
        } else {
            self.script(Point::Rcpt, None, output)
        };
        let refused = refused
            || scripted
                .as_ref()
                .is_some_and(|reply| reply.code().is_refusal())
            || (scripted.is_none() && self.magic(&forward_path, output).is_some());
        let State::Transaction(open) = &mut self.state else {
            return;
        };
        if refused {
            open.refused = true;
            return;
        }
        open.envelope.forward_paths.push(forward_path);
        open.envelope.forward_parameters.push(parameters.said);
        if scripted.is_none() {
            self.answer(&replies::RCPT_OK, output);
        }
    }

    fn observe_recipient(&mut self, forward_path: &str) {
        if self.receiver.policy.wants().greylist {
            let sender = self.facts.sender.as_deref().unwrap_or_default();
            let known = self
                .memory
                .tried(self.facts.client_address, sender, forward_path, self.id);
            self.facts.greylist = Some(known);
        }
        self.facts.recipient = Some(forward_path.to_owned());
    }

    pub(super) fn data(&mut self, output: &mut Vec<u8>) {
        match &self.state {
            State::Transaction(open) if open.binary => {
                return self.mistake(&replies::BDAT_ONLY, output);
            }
            State::Transaction(open) if open.has_recipients() => {}
            State::Chunked(..) => return self.mistake(&replies::BDAT_ONLY, output),
            State::Transaction(open) if open.refused => {
                return self.mistake(&replies::NO_VALID_RCPT, output);
            }
            State::Transaction(_) => return self.mistake(&replies::RCPT_FIRST, output),
            _ => return self.mistake(&replies::MAIL_FIRST, output),
        }
        if self.refuse(Stage::Data, output) {
            return;
        }
        let scripted = self.script(Point::Data, None, output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            return;
        }
        let data = self.mail_data();
        if let State::Transaction(open) = std::mem::replace(&mut self.state, State::Idle) {
            self.state = State::Data(open, Collector::new(data));
        }
        if scripted.is_none() {
            self.answer(&replies::DATA, output);
        }
    }

    /// The final dot.
    pub(super) fn end_of_data(&mut self, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        let State::Data(open, collector) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let received = collector.received();
        self.record(Speaker::Client, &format!("<{received} octets of data>"));
        let (octets, flaw) = collector.into_octets();
        self.end_of_message(open, octets, flaw, output, lookup);
    }

    /// The message is whole: what is wrong with its octets is said at once, else it is observed, then judged.
    pub(super) fn end_of_message(
        &mut self,
        open: Open,
        octets: Vec<u8>,
        flaw: Option<Flaw>,
        output: &mut Vec<u8>,
        lookup: &dyn Lookup,
    ) {
        self.at = Stage::Eod;
        let bare = match flaw {
            Some(Flaw::BareLf) => "LF",
            Some(Flaw::BareCr) => "CR",
            _ => "",
        };
        if !bare.is_empty()
            && let Some(reply) = self.bare_newline(bare, Stage::Eod, output)
        {
            self.say_again(&open, &reply, output);
            return self.end_transaction(open.envelope, reply, None);
        }
        match data::finish(octets, flaw, self.receiver.settings.bare_newline) {
            Err(flaw) => {
                let reply = replies::to_flaw(flaw).reply(self.enhanced());
                self.say(&reply, output);
                self.protocol_refuses(reply.clone());
                self.say_again(&open, &reply, output);
                self.end_transaction(open.envelope, reply, None);
            }
            Ok(octets) => self.observe_message(Received { open, octets }, lookup),
        }
    }

    fn observe_message(&mut self, received: Received, lookup: &dyn Lookup) {
        self.pause = Duration::ZERO;
        if self.receiver.policy.wants().message {
            self.pause = self.facts.observe_message(&received.octets, lookup);
            self.observed();
        }
        self.due = Due::Message(Box::new(received));
    }

    /// The message is judged, then accepted or not; either way the transaction ends.
    pub(super) fn answer_message(&mut self, received: Received, output: &mut Vec<u8>) {
        let Received { open, octets } = received;
        if let Some(reply) = self.refuse_with(Stage::Eod, output) {
            self.say_again(&open, &reply, output);
            return self.end_transaction(open.envelope, reply, None);
        }
        let asked = self.at_the_dot.take();
        let reply = match (self.script(Point::Eod, Some(&octets), output), asked) {
            (Some(scripted), _) => scripted,
            (None, asked) => {
                let reply = asked.unwrap_or_else(|| replies::OK.reply(self.enhanced()));
                self.say(&reply, output);
                if reply.code().is_refusal() {
                    let why = "a recipient asks for this reply to the final dot".to_owned();
                    self.refuses(Source::Recipient, reply.clone(), why);
                }
                reply
            }
        };
        if reply.code().is_refusal() {
            self.say_again(&open, &reply, output);
            return self.end_transaction(open.envelope, reply, None);
        }
        self.say_again(&open, &reply, output);
        let trace = Trace::new(
            &self.facts,
            &self.receiver.settings.hostname,
            &self.token,
            open.smtputf8,
        );
        self.end_transaction(open.envelope, reply, Some((trace, octets)));
    }

    /// LMTP answers the final dot once for each recipient (RFC 2033 §4.2).
    fn say_again(&mut self, open: &Open, reply: &Reply, output: &mut Vec<u8>) {
        if self.front.protocol == Protocol::Lmtp {
            for _ in 1..open.envelope.forward_paths.len() {
                self.say(reply, output);
            }
        }
    }

    fn end_transaction(
        &mut self,
        envelope: Envelope,
        reply: Reply,
        message: Option<(Trace, Vec<u8>)>,
    ) {
        let message = message.map(|(trace, octets)| (trace, Arc::new(octets)));
        let reply = Some(reply).filter(|_| !self.is_mute());
        let acknowledged =
            message.is_some() && reply.as_ref().is_some_and(|r| r.code().class() == 2);
        self.acknowledged |= acknowledged;
        self.events.push(SessionEvent::Transaction {
            envelope: Arc::new(envelope),
            verdict: Verdict::of(self.refused.take(), acknowledged),
            reply,
            message,
        });
        self.reset();
    }

    /// Tells of a transaction that ends without a reply to its message: it was refused earlier, or given up.
    pub(super) fn end_without_reply(&mut self, envelope: Envelope) {
        self.events.push(SessionEvent::Transaction {
            envelope: Arc::new(envelope),
            verdict: Verdict::of(self.refused.take(), false),
            reply: None,
            message: None,
        });
    }
}
