//! MAIL, RCPT, DATA and the final dot (RFC 5321 §3.3).

use super::data::Collector;
use super::replies;
use super::session::{Event, Session, State};
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
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) reverse_path: String,
    pub(super) size: usize,
    pub(super) smtputf8: bool,
}

impl Session {
    pub(super) fn mail(&mut self, mail: Mail, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        if matches!(self.state(), State::Transaction(_)) {
            return self.mistake(&replies::NESTED_MAIL, output);
        }
        self.observe_sender(mail, lookup);
    }

    pub(super) fn answer_mail(&mut self, mail: Mail, output: &mut Vec<u8>) {
        if self.receiver.policy.wants().observes_sender() {
            self.observed();
        }
        if self.refuse(Stage::Mail, output) {
            return self.facts.forget_sender();
        }
        let settings = &self.receiver.settings;
        let mistake = if self.lacks_hello() {
            Some(&replies::HELLO_FIRST)
        } else if mail.smtputf8 && !settings.extensions.smtputf8 {
            Some(&replies::NO_SMTPUTF8)
        } else {
            None
        };
        if let Some(mistake) = mistake {
            self.facts.forget_sender();
            return self.mistake(mistake, output);
        }
        if mail.size > settings.max_message_octets {
            self.facts.forget_sender();
            return self.answer(&replies::TOO_LARGE, output);
        }
        let envelope = Envelope { reverse_path: mail.reverse_path, forward_paths: Vec::new() };
        *self.state() = State::Transaction(Open { envelope, refused: false });
        self.answer(&replies::MAIL_OK, output);
    }

    pub(super) fn rcpt(&mut self, forward_path: String, output: &mut Vec<u8>) {
        let most = self.receiver.settings.max_recipients;
        let State::Transaction(open) = self.state() else { return self.mistake(&replies::MAIL_FIRST, output) };
        if open.envelope.forward_paths.len() >= most {
            return self.answer(&replies::TOO_MANY_RCPT, output);
        }
        self.facts.recipient = Some(forward_path.clone());
        if self.refuse(Stage::Rcpt, output) {
            if let State::Transaction(open) = self.state() {
                open.refused = true;
            }
            return;
        }
        if let State::Transaction(open) = self.state() {
            open.envelope.forward_paths.push(forward_path);
        }
        self.answer(&replies::RCPT_OK, output);
    }

    pub(super) fn data(&mut self, output: &mut Vec<u8>) {
        match self.state() {
            State::Transaction(open) if !open.envelope.forward_paths.is_empty() => {}
            State::Transaction(open) if open.refused => return self.mistake(&replies::NO_VALID_RCPT, output),
            State::Transaction(_) => return self.mistake(&replies::RCPT_FIRST, output),
            _ => return self.mistake(&replies::MAIL_FIRST, output),
        }
        if self.refuse(Stage::Data, output) {
            return;
        }
        let limit = self.receiver.settings.max_message_octets;
        if let State::Transaction(open) = std::mem::replace(self.state(), State::Idle) {
            *self.state() = State::Data(open, Collector::new(limit));
        }
        self.answer(&replies::DATA, output);
    }

    /// The final dot: the message is judged, then accepted or not; either way the transaction ends.
    pub(super) fn end_of_data(&mut self, output: &mut Vec<u8>) {
        let State::Data(open, collector) = std::mem::replace(self.state(), State::Idle) else { return };
        let received = collector.received();
        self.record(|| Event::Client(format!("<{received} octets of data>")));
        let (reply, octets) = match collector.finish(self.receiver.settings.bare_newline) {
            Err(flaw) => {
                let reply = replies::to_flaw(flaw).reply(self.enhanced());
                self.say(&reply, output);
                (reply, None)
            }
            Ok(octets) => self.accept(octets, output),
        };
        self.publish(Event::Transaction { envelope: open.envelope, reply, octets });
        self.reset();
    }

    fn accept(&mut self, octets: Vec<u8>, output: &mut Vec<u8>) -> (Reply, Option<Vec<u8>>) {
        if let Some(reply) = self.refuse_with(Stage::Eod, output) {
            return (reply, None);
        }
        let reply = replies::OK.reply(self.enhanced());
        self.say(&reply, output);
        (reply, Some(octets))
    }
}
