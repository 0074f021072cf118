//! MAIL, RCPT, DATA and the final dot (RFC 5321 §3.3).

use std::sync::Arc;
use std::time::Duration;

use super::data::{Collector, Flaw};
use super::path::MailParameters;
use super::replies;
use super::session::{Due, Event, Session, State};
use super::trace::Trace;
use crate::facts::Lookup;
use crate::journal::Envelope;
use crate::reply::Reply;
use crate::stage::Stage;

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open {
    envelope: Envelope,
    /// Whether some recipient was refused: DATA without any other then says so.
    refused: bool,
    /// Whether addresses and header may hold UTF-8 (RFC 6531).
    smtputf8: bool,
}

impl Open {
    pub(super) fn has_recipients(&self) -> bool {
        !self.envelope.forward_paths.is_empty()
    }
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) reverse_path: String,
    pub(super) parameters: MailParameters,
}

/// A message whose facts are being observed.
#[derive(Debug)]
pub(super) struct Received {
    open: Open,
    octets: Vec<u8>,
}

impl Session {
    pub(super) fn mail(&mut self, mail: Mail, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        if matches!(self.state, State::Transaction(_)) {
            return self.mistake(&replies::NESTED_MAIL, output);
        }
        if self.misbehaves(|conduct| (conduct.messages, conduct.recipients) = (conduct.messages + 1, 0), output) {
            return;
        }
        let receiver = Arc::clone(&self.receiver);
        self.pause = self.facts.observe_sender(&mail.reverse_path, receiver.policy.wants(), lookup);
        self.due = Due::Mail(mail);
    }

    pub(super) fn answer_mail(&mut self, mail: Mail, output: &mut Vec<u8>) {
        if self.receiver.policy.wants().observes_sender() {
            self.observed();
        }
        if self.refuse(Stage::Mail, output) {
            return self.facts.forget_sender();
        }
        let settings = &self.receiver.settings;
        let Mail { reverse_path, parameters } = mail;
        let mistake = if self.lacks_hello() {
            Some(&replies::HELLO_FIRST)
        } else if parameters.smtputf8 && !settings.extensions.smtputf8 {
            Some(&replies::NO_SMTPUTF8)
        } else if parameters.eight_bit_mime && !settings.extensions.eight_bit_mime {
            Some(&replies::NO_8BITMIME)
        } else {
            None
        };
        if let Some(mistake) = mistake {
            self.facts.forget_sender();
            return self.mistake(mistake, output);
        }
        if parameters.size > settings.max_message_octets {
            self.facts.forget_sender();
            return self.answer(&replies::TOO_LARGE, output);
        }
        let envelope = Envelope { reverse_path, forward_paths: Vec::new() };
        self.state = State::Transaction(Open { envelope, refused: false, smtputf8: parameters.smtputf8 });
        self.answer(&replies::MAIL_OK, output);
    }

    pub(super) fn rcpt(&mut self, forward_path: String, output: &mut Vec<u8>) {
        let most = self.receiver.settings.max_recipients;
        let State::Transaction(open) = &self.state else { return self.mistake(&replies::MAIL_FIRST, output) };
        if !open.smtputf8 && !forward_path.is_ascii() {
            return self.mistake(&replies::NOT_ASCII, output);
        }
        if open.envelope.forward_paths.len() >= most {
            return self.answer(&replies::TOO_MANY_RCPT, output);
        }
        let reverse_path = open.envelope.reverse_path.clone();
        self.events.push(Event::Tried { reverse_path, forward_path: forward_path.clone() });
        self.observe_recipient(&forward_path);
        let refused = self.misbehaves(|conduct| conduct.recipients += 1, output) || self.refuse(Stage::Rcpt, output);
        let State::Transaction(open) = &mut self.state else { return };
        if refused {
            open.refused = true;
            return;
        }
        open.envelope.forward_paths.push(forward_path);
        self.answer(&replies::RCPT_OK, output);
    }

    fn observe_recipient(&mut self, forward_path: &str) {
        if self.receiver.policy.wants().greylist {
            let sender = self.facts.sender.as_deref().unwrap_or_default();
            let known = self.memory.tried(self.facts.client_address, sender, forward_path, self.id);
            self.facts.greylist = Some(known);
        }
        self.facts.recipient = Some(forward_path.to_owned());
    }

    pub(super) fn data(&mut self, output: &mut Vec<u8>) {
        match &self.state {
            State::Transaction(open) if open.has_recipients() => {}
            State::Transaction(open) if open.refused => return self.mistake(&replies::NO_VALID_RCPT, output),
            State::Transaction(_) => return self.mistake(&replies::RCPT_FIRST, output),
            _ => return self.mistake(&replies::MAIL_FIRST, output),
        }
        if self.refuse(Stage::Data, output) {
            return;
        }
        let limit = self.receiver.settings.max_message_octets;
        if let State::Transaction(open) = std::mem::replace(&mut self.state, State::Idle) {
            self.state = State::Data(open, Collector::new(limit));
        }
        self.answer(&replies::DATA, output);
    }

    /// The final dot: what is wrong with the data itself is said at once; a message is observed, then judged.
    pub(super) fn end_of_data(&mut self, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        let State::Data(open, collector) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let received = collector.received();
        self.record(|| Event::Client(format!("<{received} octets of data>")));
        let flaw = collector.flaw();
        let bare = match flaw {
            Some(Flaw::BareLf) => "LF",
            Some(Flaw::BareCr) => "CR",
            _ => "",
        };
        if !bare.is_empty()
            && let Some(reply) = self.judge_conduct(Stage::Eod, |conduct| conduct.bare_newline = bare, output)
        {
            return self.end_transaction(open.envelope, reply, None);
        }
        match collector.finish(flaw, self.receiver.settings.bare_newline) {
            Err(flaw) => {
                let reply = replies::to_flaw(flaw).reply(self.enhanced());
                self.say(&reply, output);
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
            return self.end_transaction(open.envelope, reply, None);
        }
        let reply = replies::OK.reply(self.enhanced());
        self.say(&reply, output);
        let trace = Trace::new(&self.facts, &self.receiver.settings.hostname, &self.token, open.smtputf8);
        self.end_transaction(open.envelope, reply, Some((trace, octets)));
    }

    fn end_transaction(&mut self, envelope: Envelope, reply: Reply, message: Option<(Trace, Vec<u8>)>) {
        self.publish(Event::Transaction { envelope, reply, message });
        self.reset();
    }
}
