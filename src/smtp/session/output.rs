//! Replies, refusals without a rule, the transcript, and the end of the session.

use std::sync::Arc;

use crate::policy::{Refusal, Values};
use crate::reply::{Reply, enhanced_prefix};
use crate::smtp::Extension;
use crate::smtp::protocol::command::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::record::transcript::Speaker;
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{Due, Session, State};
use crate::verdict::{ClosedBy, Source};

impl Session {
    /// Records the facts as an event.
    pub(crate) fn observed(&mut self) {
        self.observations += 1;
        self.events
            .push(SessionEvent::Observed(Box::new(self.facts.clone())));
    }

    pub(crate) fn enhanced(&self) -> bool {
        self.receiver
            .settings
            .extensions
            .offers(Extension::EnhancedStatusCodes)
    }

    /// Records a refusal by the SMTP server itself.
    pub(crate) fn protocol_refuses(&mut self, reply: Reply) {
        let text = reply.texts().first().map_or("", |text| text.as_ref());
        let text = enhanced_prefix(text)
            .map_or(text, |_| text.split_once(' ').map_or("", |(_, text)| text));
        let why = format!("the SMTP server itself refuses: {text}");
        self.refuses(Source::Protocol, reply, why);
    }

    /// Records a refusal without a rule. A reply that is never sent is no refusal.
    pub(crate) fn refuses(&mut self, source: Source, reply: Reply, why: String) {
        if self.is_mute() || !reply.code().is_refusal() {
            return;
        }
        let refusal = Refusal::without_rule(source, self.at, reply, why);
        self.tell_refusal(refusal);
    }

    /// Records a refusal.
    pub(crate) fn tell_refusal(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal.reply.code());
        self.events.push(SessionEvent::Refused(Box::new(refusal)));
    }

    /// Whether replies are suppressed.
    pub(crate) fn is_mute(&self) -> bool {
        self.manner.is_some_and(|manner| manner.mute)
    }

    /// Sends a core reply. 221, 421 and 521 end the session (RFC 5321 §3.8, RFC 7504).
    pub(crate) fn answer(&mut self, reply: CoreReply, output: &mut Vec<u8>) {
        self.answer_with(reply, &[], output);
    }

    /// Sends a core reply with values for its placeholders.
    pub(crate) fn answer_with(
        &mut self,
        reply: CoreReply,
        quotes: &[(&'static str, String)],
        output: &mut Vec<u8>,
    ) {
        let receiver = Arc::clone(&self.receiver);
        let template = receiver.settings.replies.template(reply, self.enhanced());
        let is_refusal = template.pattern().code().is_refusal();
        if template.is_plain() && !is_refusal {
            self.say(template.pattern(), output);
        } else {
            let filled = self.core(reply, quotes);
            self.say(&filled, output);
            if is_refusal {
                self.protocol_refuses(filled);
            }
        }
        match template.pattern().code().get() {
            221 => {
                self.quit = true;
                self.close(ClosedBy::Quit);
            }
            421 | 521 => self.close(ClosedBy::Refused),
            _ => {}
        }
    }

    /// Returns a core reply with its placeholders filled.
    pub(crate) fn core(&self, reply: CoreReply, quotes: &[(&'static str, String)]) -> Reply {
        let settings = &self.receiver.settings;
        let values = Values {
            mx: &settings.hostname,
            id: &self.token,
            quotes,
        };
        let template = settings.replies.template(reply, self.enhanced());
        template.fill(&self.facts, &values)
    }

    /// Replies to a mistake of the client. Too many mistakes end the session.
    pub(crate) fn mistake(&mut self, mistake: impl Into<Mistake>, output: &mut Vec<u8>) {
        if self.misbehaves(|conduct| conduct.errors += 1, output) {
            return;
        }
        let mistake = mistake.into();
        self.answer_with(mistake.reply, &mistake.quotes, output);
        self.end_of_patience(output);
    }

    /// Ends the session after too many mistakes.
    pub(crate) fn end_of_patience(&mut self, output: &mut Vec<u8>) {
        let open = !matches!(self.state, State::Closed);
        if open && self.facts.conduct.errors >= self.receiver.settings.max_errors as u64 {
            self.end(output, CoreReply::TooManyErrors, ClosedBy::Errors);
        }
    }

    pub(crate) fn end(&mut self, output: &mut Vec<u8>, reply: CoreReply, by: ClosedBy) {
        let reply = self.core(reply, &[]);
        self.say(&reply, output);
        self.protocol_refuses(reply);
        self.close(by);
    }

    /// Ends an idle session. `refuses` says whether the reply counts as a refusal.
    pub(crate) fn end_idle(
        &mut self,
        output: &mut Vec<u8>,
        reply: CoreReply,
        by: ClosedBy,
        refuses: bool,
    ) {
        self.at = self.stage();
        let reply = self.core(reply, &[]);
        self.say(&reply, output);
        if refuses {
            self.protocol_refuses(reply);
        }
        self.close(by);
    }

    pub(crate) fn close(&mut self, by: ClosedBy) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.abandon();
        (self.state, self.due) = (State::Closed, Due::Nothing);
        self.events.push(SessionEvent::Closed(by));
    }

    /// Sends a reply.
    pub(crate) fn say(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        let begin = output.len();
        reply.write_to(output);
        self.said(&output[begin..]);
    }

    /// Adds the lines of a reply to the transcript.
    fn said(&mut self, reply: &[u8]) {
        if self.is_mute() {
            return;
        }
        for line in reply.split_inclusive(|octet| *octet == b'\n') {
            self.record(
                Speaker::Server,
                &String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap_or(line)),
            );
        }
    }

    /// Adds a line to the transcript, or counts it if the transcript is full.
    pub(crate) fn record(&mut self, from: Speaker, text: &str) {
        self.transcript += 1;
        if self.transcript <= self.receiver.settings.transcript_lines {
            self.events.line(from, text);
        } else {
            self.events.push(SessionEvent::LineDropped);
        }
    }
}
