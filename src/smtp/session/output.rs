//! Core replies, refusals without a rule, and the end of the session.

use crate::policy::Refusal;
use crate::reply::{Reply, enhanced_prefix};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{Due, Session, State};
use crate::verdict::{ClosedBy, Source};

impl Session {
    /// Records a refusal by the SMTP server itself.
    pub(crate) fn protocol_refuses(&mut self, reply: Reply) {
        let text = reply.texts().first().map_or("", |text| text.as_ref());
        let text = enhanced_prefix(text)
            .map_or(text, |_| text.split_once(' ').map_or("", |(_, text)| text));
        let why = format!("the SMTP server itself refuses: {text}");
        self.refuses(Source::Protocol, reply, why);
    }

    /// Records a refusal without a rule. A reply that is never sent is not a refusal.
    pub(crate) fn refuses(&mut self, source: Source, reply: Reply, why: String) {
        if self.dialogue.is_silent() || !reply.code().is_refusal() {
            return;
        }
        let refusal = Refusal::without_rule(source, self.at, reply, why);
        self.record_refusal(refusal);
    }

    /// Records a refusal.
    pub(crate) fn record_refusal(&mut self, refusal: Refusal) {
        self.transactions.refuse(refusal.reply.code());
        self.dialogue.push(SessionEvent::Refused(Box::new(refusal)));
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
        let replies = &self.setup.settings().replies;
        let template = replies.template(reply, self.setup.enhanced());
        let code = template.pattern().code();
        if template.is_plain() && !code.is_refusal() {
            self.dialogue.say(template.pattern(), output);
        } else {
            let filled = self.core(reply, quotes);
            self.dialogue.say(&filled, output);
            if code.is_refusal() {
                self.protocol_refuses(filled);
            }
        }
        match code.get() {
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
        let facts = &self.client.facts;
        self.setup.core_reply(reply, facts, quotes)
    }

    /// Replies to a mistake of the client. Too many mistakes end the session.
    pub(crate) fn mistake(&mut self, mistake: impl Into<Mistake>, output: &mut Vec<u8>) {
        if self.misbehaves(|conduct| conduct.errors += 1, output) {
            return;
        }
        let mistake = mistake.into();
        let unknown = mistake.is_unknown_command();
        self.client.unknown_commands += u64::from(unknown);
        if unknown && self.is_beyond_errors(self.client.unknown_commands) {
            return self.end(output, self.too_many_unknown(), ClosedBy::Errors);
        }
        if self.is_beyond_errors(self.client.facts.conduct.errors) {
            let reply = self.reply_to(&mistake);
            self.dialogue.say(&reply, output);
            self.protocol_refuses(reply);
            return self.close(ClosedBy::Errors);
        }
        self.answer_with(mistake.reply, &mistake.quotes, output);
        self.end_after_errors(output);
    }

    /// Ends the session after too many mistakes.
    pub(crate) fn end_after_errors(&mut self, output: &mut Vec<u8>) {
        let open = !matches!(self.state, State::Closed);
        let (errors, most) = (
            self.client.facts.conduct.errors,
            self.setup.settings().max_errors as u64,
        );
        if !open || errors < most {
            return;
        }
        if self.ends_with_mistake() {
            // The reply to the mistake was the last one.
            if errors > most {
                self.close(ClosedBy::Errors);
            }
            return;
        }
        let reply = match self.client.unknown_commands == errors {
            true => self.too_many_unknown(),
            false => CoreReply::TooManyErrors,
        };
        self.end(output, reply, ClosedBy::Errors);
    }

    /// The reply to too many unknown commands.
    fn too_many_unknown(&self) -> CoreReply {
        match self
            .setup
            .settings()
            .replies
            .is_own(CoreReply::TooManyUnknown)
        {
            true => CoreReply::TooManyUnknown,
            false => CoreReply::TooManyErrors,
        }
    }

    /// Whether the last reply to a mistake takes the place of that mistake's own reply.
    fn ends_with_mistake(&self) -> bool {
        let replies = &self.setup.settings().replies;
        let template = replies.template(CoreReply::TooManyErrors, true);
        template
            .pattern()
            .texts()
            .iter()
            .any(|text| text.contains("{mistake}"))
    }

    /// Whether a receiver that ends the session in place of the reply to a mistake has seen enough of them.
    fn is_beyond_errors(&self, mistakes: u64) -> bool {
        mistakes > self.setup.settings().max_errors as u64 && self.ends_with_mistake()
    }

    /// The reply to a mistake that is counted already. It can be the last reply of the session, with the code of the mistake.
    pub(crate) fn reply_to(&self, mistake: &Mistake) -> Reply {
        let own = self.core(mistake.reply, &mistake.quotes);
        if !self.is_beyond_errors(self.client.facts.conduct.errors) {
            return own;
        }
        let text = own.texts().first().map(ToString::to_string);
        let quotes = [("mistake", text.unwrap_or_default())];
        let last = self.core(CoreReply::TooManyErrors, &quotes);
        Reply::from_lines(own.code(), last.texts().to_vec())
    }

    pub(crate) fn end(&mut self, output: &mut Vec<u8>, reply: CoreReply, by: ClosedBy) {
        let reply = self.core(reply, &[]);
        self.dialogue.say(&reply, output);
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
        self.dialogue.say(&reply, output);
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
        self.dialogue.push(SessionEvent::Closed(by));
    }
}
