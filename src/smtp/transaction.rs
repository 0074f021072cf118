//! MAIL, RCPT, DATA and the final dot (RFC 5321 §3.3).

use super::data::Collector;
use super::replies;
use super::session::{Event, Session, State};
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

impl Session {
    pub(super) fn mail(&mut self, reverse_path: String, size: usize, smtputf8: bool, output: &mut Vec<u8>) {
        if matches!(self.state(), State::Transaction(_)) {
            return self.mistake(&replies::NESTED_MAIL, output);
        }
        self.facts.sender = Some(reverse_path.clone());
        if self.refuse(Stage::Mail, output) {
            self.facts.sender = None;
            return;
        }
        if self.lacks_hello() {
            return self.mistake(&replies::HELLO_FIRST, output);
        }
        let settings = &self.receiver.settings;
        if smtputf8 && !settings.extensions.smtputf8 {
            return self.mistake(&replies::NO_SMTPUTF8, output);
        }
        if size > settings.max_message_octets {
            return self.answer(&replies::TOO_LARGE, output);
        }
        let envelope = Envelope { reverse_path, forward_paths: Vec::new() };
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
