//! MAIL, RCPT, DATA and the final dot (RFC 5321 §3.3).

use std::sync::Arc;
use std::time::Duration;

use crate::facts::{BareLineEnd, ReceiverLookup};
use crate::journal::Envelope;
use crate::reply::Reply;
use crate::smtp::Extension;
use crate::smtp::budget::Flaw;
use crate::smtp::protocol::data::{self, Collector};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::parameters::Parameters;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::script::{Point, ScriptContext};
use crate::smtp::session::event::{AcceptedMessage, SessionEvent, Speaker};
use crate::smtp::session::open::{Mail, Open, Received, Storing};
use crate::smtp::session::trace::Trace;
use crate::smtp::session::{Due, Session, State};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Source};

impl Session {
    pub(crate) fn mail(&mut self, mail: Mail, output: &mut Vec<u8>, lookup: &dyn ReceiverLookup) {
        if matches!(self.state, State::Transaction(_) | State::Chunked(..)) {
            return self.mistake(CoreReply::NestedMail, output);
        }
        self.transactions.begin();
        // A parameter that is not offered is refused before any rule judges the sender, like a malformed one.
        let lacks_helo = self.client.lacks_helo(&self.setup.receiver.policy);
        if let Some(mistake) = self.not_offered(&mail.parameters).filter(|_| !lacks_helo) {
            let mistake = quoting_path(mistake, &mail.sender, &mail.parameters);
            self.mistake(mistake, output);
            return self.mail_was_refused(mail.sender);
        }
        if self.misbehaves(
            |conduct| (conduct.messages, conduct.recipients) = (conduct.messages + 1, 0),
            output,
        ) {
            return self.mail_was_refused(mail.sender);
        }
        let needs = self.setup.receiver.policy.needs();
        let facts = &mut self.client.facts;
        self.pause = facts.observe_sender(&mail.sender, needs, lookup);
        self.due = Due::Mail(mail);
    }

    pub(crate) fn answer_mail(&mut self, mail: Mail, output: &mut Vec<u8>) {
        if self.setup.receiver.policy.needs().observes_sender() {
            self.dialogue.observed(&self.client.facts);
        }
        if self.refuse(Stage::Mail, output) {
            return self.mail_was_refused(mail.sender);
        }
        let settings = self.setup.settings();
        let Mail { sender, parameters } = mail;
        let anonymous = self.client.facts.conduct.login.is_empty();
        let mistake = if self.client.lacks_helo(&self.setup.receiver.policy) {
            Some(CoreReply::HeloFirst)
        } else if settings.auth.as_ref().is_some_and(|auth| auth.required) && anonymous {
            Some(CoreReply::AuthRequired)
        } else {
            None
        };
        if let Some(mistake) = mistake {
            self.mistake(mistake, output);
            return self.mail_was_refused(sender);
        }
        if let Some(reply) = self.setup.has_no_room(parameters.size) {
            self.answer(reply, output);
            return self.mail_was_refused(sender);
        }
        let scripted = self.script(Point::Mail, ScriptContext::default(), output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            return self.mail_was_refused(sender);
        }
        let Parameters {
            smtputf8,
            binary,
            as_sent,
            ..
        } = parameters;
        let envelope = Envelope {
            sender,
            parameters: as_sent,
            ..Envelope::default()
        };
        self.state = State::Transaction(Open {
            envelope,
            refused: None,
            smtputf8,
            binary,
        });
        if scripted.is_none() {
            self.answer(CoreReply::Mail, output);
        }
    }

    /// Records a refused MAIL: the transaction ends before it begins.
    pub(crate) fn mail_was_refused(&mut self, sender: String) {
        self.client.facts.forget_sender();
        self.end_without_reply(Envelope {
            sender,
            ..Envelope::default()
        });
    }

    /// The reply to a parameter of an extension that was not offered (RFC 5321 §4.1.1.11).
    fn not_offered(&self, parameters: &Parameters) -> Option<Mistake> {
        let settings = self.setup.settings();
        let unknown = |parameter: &str| {
            Mistake::from(CoreReply::UnknownParameter).quoting_parameter(parameter)
        };
        let lacking = parameters
            .needs
            .iter()
            .find(|(extension, _)| !self.offers(*extension));
        match lacking {
            Some((Extension::SmtpUtf8, parameter)) => {
                Some(Mistake::from(CoreReply::NoSmtpUtf8).quoting_parameter(parameter))
            }
            Some((Extension::BinaryMime, parameter)) => {
                Some(Mistake::from(CoreReply::BodySyntax).quoting_parameter(parameter))
            }
            Some((_, parameter)) => Some(unknown(parameter)),
            None if parameters.auth && settings.auth.is_none() => {
                let is_auth = |word: &&String| {
                    word.get(..5)
                        .is_some_and(|key| key.eq_ignore_ascii_case("AUTH="))
                };
                let parameter = parameters.as_sent.iter().find(is_auth);
                Some(unknown(parameter.map_or("AUTH", String::as_str)))
            }
            None => None,
        }
    }

    pub(crate) fn rcpt(&mut self, recipient: String, parameters: Parameters, output: &mut Vec<u8>) {
        let most = self.setup.settings().max_recipients;
        if let Some(mistake) = self.not_offered(&parameters) {
            let mistake = quoting_path(mistake, &recipient, &parameters);
            return self.mistake(mistake, output);
        }
        if let Some(reply) = self.out_of_sequence("RCPT") {
            return self.mistake(reply, output);
        }
        let State::Transaction(open) = &self.state else {
            return;
        };
        let utf8 = open.smtputf8 || self.setup.settings().syntax.utf8_paths;
        if !utf8 && !recipient.is_ascii() {
            return self.mistake(CoreReply::NotAscii, output);
        }
        if open.envelope.recipients.len() >= most {
            return self.answer(CoreReply::TooManyRecipients, output);
        }
        let sender = open.envelope.sender.clone();
        self.dialogue.push(SessionEvent::Tried {
            sender,
            recipient: recipient.clone(),
        });
        self.observe_recipient(&recipient);
        let by = self.stage();
        let refusal = self
            .judge_conduct(by, |conduct| conduct.recipients += 1, output)
            .or_else(|| self.refuse_with(Stage::Rcpt, output));
        let scripted = match &refusal {
            Some(_) => None,
            None => self.script(Point::Rcpt, ScriptContext::default(), output),
        };
        let refusal = match (refusal, &scripted) {
            (Some(refusal), _) => Some(refusal),
            (None, Some(reply)) => Some(reply.clone()).filter(|reply| reply.code().is_refusal()),
            (None, None) => match self.magic(&recipient, output) {
                None => self.refuse_unknown(&recipient, output),
                refusal => refusal,
            },
        };
        let State::Transaction(open) = &mut self.state else {
            return;
        };
        if let Some(reply) = refusal {
            open.refused = reply.texts().first().map(|text| text.to_string());
            return;
        }
        open.envelope.push_recipient(recipient, parameters.as_sent);
        if scripted.is_none() {
            self.answer(CoreReply::Rcpt, output);
        }
    }

    /// Refuses a recipient that the receiver does not take, and returns the reply.
    fn refuse_unknown(&mut self, recipient: &str, output: &mut Vec<u8>) -> Option<Reply> {
        let reply = self.setup.refusal_of_recipient(recipient)?;
        let sent = self.core(reply, &[]);
        self.answer(reply, output);
        Some(sent)
    }

    fn observe_recipient(&mut self, recipient: &str) {
        if self.setup.receiver.policy.needs().greylist {
            let sender = self.client.facts.sender.as_deref().unwrap_or_default();
            let known = self.setup.memory.tried(
                self.client.facts.client_address,
                sender,
                recipient,
                self.setup.id,
            );
            self.client.facts.greylist = Some(known);
        }
        self.client.facts.recipient = Some(recipient.to_owned());
    }

    pub(crate) fn data(&mut self, output: &mut Vec<u8>) {
        if matches!(&self.state, State::Transaction(open) if open.binary) {
            return self.mistake(CoreReply::BinaryNeedsBdat, output);
        }
        if let Some(reply) = self.data_out_of_sequence() {
            return self.mistake(self.data_mistake("DATA", reply), output);
        }
        if self.refuse(Stage::Data, output) {
            return;
        }
        let scripted = self.script(Point::Data, ScriptContext::default(), output);
        if scripted
            .as_ref()
            .is_some_and(|reply| reply.code().is_refusal())
        {
            return;
        }
        let data = self.setup.mail_data();
        if let State::Transaction(open) = std::mem::replace(&mut self.state, State::Idle) {
            self.state = State::Data(open, Collector::new(data));
        }
        if scripted.is_none() {
            self.answer(CoreReply::Data, output);
        }
    }

    /// Handles the final dot.
    pub(crate) fn end_of_data(&mut self, output: &mut Vec<u8>, lookup: &dyn ReceiverLookup) {
        let State::Data(open, collector) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let received = collector.received();
        self.dialogue
            .record(Speaker::Client, &format!("<{received} octets of data>"));
        let (octets, flaw) = collector.into_octets(self.setup.settings().syntax.text_line_octets);
        self.end_of_message(open, octets, flaw, output, lookup);
    }

    /// Handles a complete message: replies to a flaw in its octets at once, otherwise observes it for the judgement.
    pub(crate) fn end_of_message(
        &mut self,
        open: Open,
        octets: Vec<u8>,
        flaw: Option<Flaw>,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) {
        self.at = Stage::Eod;
        let bare = match flaw {
            Some(Flaw::BareLf) => Some(BareLineEnd::Lf),
            Some(Flaw::BareCr) => Some(BareLineEnd::Cr),
            _ => None,
        };
        if let Some(bare) = bare
            && let Some(reply) = self.bare_newline(bare, Stage::Eod, output)
        {
            self.repeat_reply(open.envelope.recipients.len(), &reply, output);
            return self.end_transaction(open.envelope, reply, None);
        }
        match data::finish(octets, flaw, &self.setup.settings().syntax) {
            Err(flaw) => {
                let reply = self.core(to_flaw(flaw), &[]);
                let ends = matches!(reply.code().get(), 421 | 521);
                self.dialogue.say(&reply, output);
                self.protocol_refuses(reply.clone());
                self.repeat_reply(open.envelope.recipients.len(), &reply, output);
                self.end_transaction(open.envelope, reply, None);
                if ends {
                    self.close(ClosedBy::Refused);
                }
            }
            Ok(octets) => self.observe_message(Received { open, octets }, lookup),
        }
    }

    fn observe_message(&mut self, received: Received, lookup: &dyn ReceiverLookup) {
        self.pause = Duration::ZERO;
        let needs = self.setup.receiver.policy.needs();
        if needs.observes_message() {
            let facts = &mut self.client.facts;
            self.pause = facts.observe_message(&received.octets, needs, lookup);
            self.dialogue.observed(&self.client.facts);
        }
        self.due = Due::Message(Box::new(received));
    }

    /// Judges the message and ends the transaction.
    pub(crate) fn answer_message(&mut self, received: Received, output: &mut Vec<u8>) {
        let Received { open, octets } = received;
        if let Some(reply) = self.refuse_with(Stage::Eod, output) {
            if self.setup.receiver.policy.needs().observes_message() {
                self.unverified.keep_message(octets);
            }
            self.repeat_reply(open.envelope.recipients.len(), &reply, output);
            return self.end_transaction(open.envelope, reply, None);
        }
        let before = self.dialogue.mark(output);
        let requested = self.transactions.take_requested_reply();
        let reply = match (
            self.script(Point::Eod, ScriptContext::of_message(&octets), output),
            requested,
        ) {
            (Some(scripted), _) => scripted,
            (None, requested) => {
                let reply = requested.unwrap_or_else(|| self.core(CoreReply::Message, &[]));
                self.dialogue.say(&reply, output);
                if reply.code().is_refusal() {
                    let why = "a recipient asks for this reply to the final dot".to_owned();
                    self.refuses(Source::Recipient, reply.clone(), why);
                }
                reply
            }
        };
        self.repeat_reply(open.envelope.recipients.len(), &reply, output);
        if reply.code().is_refusal() {
            return self.end_transaction(open.envelope, reply, None);
        }
        let trace = Trace::new(
            &self.client.facts,
            &open.envelope.recipients,
            &self.setup.settings().hostname,
            &self.setup.token,
            open.smtputf8,
        );
        let message = AcceptedMessage {
            trace,
            octets: Arc::new(octets),
            key: None,
        };
        if !self.setup.stores_messages {
            return self.end_transaction(open.envelope, reply, Some(message));
        }
        self.due = Due::Stored(Box::new(Storing {
            envelope: Arc::new(open.envelope),
            message,
            reply,
            before,
        }));
    }

    /// Repeats the reply for each recipient in LMTP (RFC 2033 §4.2).
    pub(crate) fn repeat_reply(&mut self, recipients: usize, reply: &Reply, output: &mut Vec<u8>) {
        if self.setup.is_lmtp() {
            for _ in 1..recipients {
                self.dialogue.say(reply, output);
            }
        }
    }

    pub(crate) fn end_transaction(
        &mut self,
        envelope: impl Into<Arc<Envelope>>,
        reply: Reply,
        message: Option<AcceptedMessage>,
    ) {
        let reply = Some(reply).filter(|_| !self.dialogue.is_silent());
        let acknowledged =
            message.is_some() && reply.as_ref().is_some_and(|r| r.code().class() == 2);
        if acknowledged {
            self.count_message();
        }
        self.dialogue.push(SessionEvent::Transaction {
            envelope: envelope.into(),
            verdict: self.transactions.end(acknowledged),
            reply,
            message,
        });
        self.reset();
    }

    /// Records a transaction that ends without a reply to its message, because it was refused earlier or abandoned.
    pub(crate) fn end_without_reply(&mut self, envelope: impl Into<Arc<Envelope>>) {
        self.dialogue.push(SessionEvent::Transaction {
            envelope: envelope.into(),
            verdict: self.transactions.end(false),
            reply: None,
            message: None,
        });
    }
}

/// The mistake with the path and the whole argument of MAIL or RCPT.
fn quoting_path(mistake: Mistake, path: &str, parameters: &Parameters) -> Mistake {
    let path = format!("<{path}>");
    let words = parameters.as_sent.iter().map(String::as_str);
    let argument: Vec<_> = std::iter::once(path.as_str()).chain(words).collect();
    let argument = argument.join(" ");
    mistake.quoting("path", path).quoting("argument", argument)
}

fn to_flaw(flaw: Flaw) -> CoreReply {
    match flaw {
        Flaw::TooLarge => CoreReply::MessageTooLarge,
        Flaw::ChunkTooLarge => CoreReply::ChunkTooLarge,
        Flaw::NoStorage => CoreReply::NoStorage,
        Flaw::LineTooLong => CoreReply::LineTooLong,
        Flaw::BareLf => CoreReply::BareLfInData,
        Flaw::BareCr => CoreReply::BareCrInData,
    }
}
