//! Evaluation of rules: at each stage, and when the client misbehaves.

use std::sync::Arc;

use crate::facts::{BareLineEnd, Conduct, Lookup, Verb};
use crate::policy::check::Timing;
use crate::policy::{After, Refusal, Values};
use crate::reply::Reply;
use crate::smtp::cure::Case;
use crate::smtp::protocol::command::{Command, Mistake};
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{HeloState, Session, State};
use crate::smtp::{Extension, Receiver};
use crate::stage::Stage;
use crate::verdict::ClosedBy;

/// Maximum number of octets that the facts keep of a line in another protocol.
const FOREIGN_OCTETS: usize = 100;

impl Session {
    /// Evaluates the rules of a stage. If one refuses, sends its reply and applies its `after`. Returns whether one refused.
    pub(crate) fn refuse(&mut self, stage: Stage, output: &mut Vec<u8>) -> bool {
        self.refuse_with(stage, output).is_some()
    }

    /// Evaluates the rules of a stage like [`Session::refuse`], and returns the reply.
    pub(crate) fn refuse_with(&mut self, stage: Stage, output: &mut Vec<u8>) -> Option<Reply> {
        self.recall_counts();
        let receiver = Arc::clone(&self.receiver);
        let mut standing = std::mem::take(&mut self.standing);
        let refusal =
            receiver
                .policy
                .judge(stage, &self.facts, &self.values(&receiver), &mut standing);
        if let Some(reason) = standing.allowed.take() {
            self.events.push(SessionEvent::Allowed(reason));
        }
        self.standing = standing;
        Some(self.speak(refusal?, output))
    }

    /// Records the conduct of the client and evaluates the rules of conduct up to this stage. Returns true if one refused: its
    /// reply replaces that to the command.
    pub(crate) fn misbehaves(
        &mut self,
        note: impl FnOnce(&mut Conduct),
        output: &mut Vec<u8>,
    ) -> bool {
        self.judge_conduct(self.stage(), note, output).is_some()
    }

    /// Evaluates conduct like [`Session::misbehaves`], for a given stage, and returns the reply.
    pub(crate) fn judge_conduct(
        &mut self,
        stage: Stage,
        note: impl FnOnce(&mut Conduct),
        output: &mut Vec<u8>,
    ) -> Option<Reply> {
        note(&mut self.facts.conduct);
        self.recall_counts();
        let receiver = Arc::clone(&self.receiver);
        let refusal = receiver
            .policy
            .judge_conduct(stage, &self.facts, &self.values(&receiver))?;
        self.observed();
        Some(self.speak(refusal, output))
    }

    /// Records a bare LF or CR and evaluates the rules about it. The first one of a session is in the journal even without a
    /// rule.
    pub(crate) fn bare_newline(
        &mut self,
        which: BareLineEnd,
        stage: Stage,
        output: &mut Vec<u8>,
    ) -> Option<Reply> {
        let first = self.facts.conduct.bare_newline.is_none();
        let reply = self.judge_conduct(stage, |conduct| conduct.bare_newline = Some(which), output);
        if first && reply.is_none() {
            self.observed();
        }
        reply
    }

    /// Evaluates the rules that require TLS, for commands that RFC 3207 §4 forbids without it. MAIL is judged with the other
    /// rules of its stage.
    pub(crate) fn lacks_tls(&mut self, command: &Command, output: &mut Vec<u8>) -> bool {
        let demands = matches!(
            command,
            Command::Rcpt { .. }
                | Command::Data
                | Command::Bdat { .. }
                | Command::Auth { .. }
                | Command::Rset
                | Command::Vrfy(_)
                | Command::Expn
                | Command::Etrn
        );
        if !demands || self.facts.conduct.tls {
            return false;
        }
        let receiver = Arc::clone(&self.receiver);
        let values = self.values(&receiver);
        let refusal = receiver
            .policy
            .judge_tls(self.stage(), &self.facts, &values);
        match refusal {
            Some(refusal) => {
                self.speak(refusal, output);
                true
            }
            None => false,
        }
    }

    /// The sequence error of a command, whatever its argument.
    pub(crate) fn out_of_sequence(&self, verb: &str) -> Option<CoreReply> {
        match (verb, &self.state) {
            ("MAIL", State::Transaction(_) | State::Chunked(..)) => Some(CoreReply::NestedMail),
            ("MAIL", _) if self.lacks_helo() || self.must_say_helo() => Some(CoreReply::HeloFirst),
            ("RCPT", State::Chunked(..)) => Some(CoreReply::RcptAfterBdat),
            ("RCPT", State::Transaction(_)) => None,
            ("RCPT", _) => Some(CoreReply::MailFirst),
            ("DATA", _) => self.data_out_of_sequence(),
            _ => None,
        }
    }

    /// Whether a rule requires a HELO that the client has not sent.
    fn must_say_helo(&self) -> bool {
        let mut rules = self.receiver.policy.rules().iter();
        let listed = self.receiver.settings.helo_first.contains(&"MAIL");
        self.helo == HeloState::None && (listed || rules.any(|rule| rule.check.timing == Timing::Helo))
    }

    /// The sequence error of DATA or BDAT.
    pub(crate) fn data_out_of_sequence(&self) -> Option<CoreReply> {
        match &self.state {
            State::Chunked(..) => Some(CoreReply::DataAfterBdat),
            State::Transaction(open) if open.has_recipients() => None,
            State::Transaction(open) if open.refused().is_some() => {
                Some(CoreReply::NoValidRecipients)
            }
            State::Transaction(_) => Some(CoreReply::DataWithoutRcpt),
            _ => Some(CoreReply::DataWithoutMail),
        }
    }

    /// The sequence error of DATA or BDAT, with its placeholders.
    pub(crate) fn data_mistake(&self, command: &'static str, reply: CoreReply) -> Mistake {
        let refused = match &self.state {
            State::Transaction(open) => open.refused().unwrap_or_default(),
            _ => "",
        };
        Mistake::from(reply)
            .quoting("command", command)
            .quoting("refused", refused)
    }

    /// The stage of the next command.
    pub(crate) fn stage(&self) -> Stage {
        match (&self.state, self.helo) {
            (State::Data(..) | State::Chunk(_) | State::Chunked(..), _) => Stage::Eod,
            (State::Transaction(open), _) if open.has_recipients() => Stage::Data,
            (State::Transaction(_), _) => Stage::Rcpt,
            (_, HeloState::Accepted) => Stage::Mail,
            _ => Stage::Helo,
        }
    }

    fn values<'a>(&'a self, receiver: &'a Receiver) -> Values<'a> {
        Values {
            mx: &receiver.settings.hostname,
            id: &self.token,
            quotes: &[],
        }
    }

    /// Gives new refusals what the verification of their remedies needs: the current zones. If that needs the message, remedies
    /// are verified at once, because a refused message is not kept; otherwise when they are read.
    pub(crate) fn prove(&mut self, lookup: &dyn Lookup) {
        for (remedies, case) in self.unproved.drain(..) {
            let case = Case {
                world: lookup.snapshot(),
                ..case
            };
            let at_once = case.message.is_some();
            remedies.prove_by(move |proposals| case.prove(proposals));
            if at_once {
                remedies.prove();
            }
        }
    }

    /// The same without zones, as after a TLS handshake: only the session can change then.
    pub(crate) fn prove_by_session(&mut self) {
        for (remedies, case) in self.unproved.drain(..) {
            remedies.prove_by(move |proposals| case.prove(proposals));
        }
    }

    /// Keeps what the verification of remedies needs.
    fn keep_case(&mut self, refusal: &Refusal) {
        let case = Case {
            receiver: Arc::clone(&self.receiver),
            nth: refusal.nth,
            stage: refusal.stage,
            facts: Box::new(self.facts.clone()),
            world: None,
            message: None,
        };
        self.unproved.push((refusal.remedies.clone(), case));
    }

    fn speak(&mut self, refusal: Refusal, output: &mut Vec<u8>) -> Reply {
        self.keep_case(&refusal);
        self.count_refusal(&refusal);
        let reply = refusal.reply.clone();
        self.say(&reply, output);
        let after = refusal.after;
        if !self.is_mute() {
            self.tell_refusal(refusal);
        }
        match after {
            After::Close => self.close(ClosedBy::Refused),
            After::Sticky503 => {
                self.abandon();
                self.state = State::Stuck(self.core(CoreReply::AccessDenied, &[]));
            }
            After::Repeat => {
                self.abandon();
                self.state = State::Stuck(reply.clone());
            }
            After::Continue => {}
        }
        reply
    }

    /// Whether the client must wait for the reply to this command: after the commands of RFC 2920 §3.1 that end a group, and
    /// after each command without PIPELINING. QUIT ends everything.
    pub(crate) fn had_to_wait(&self, command: &Result<Command, Mistake>) -> bool {
        let extended = self
            .facts
            .helo
            .as_ref()
            .is_some_and(|helo| helo.verb != Verb::Helo);
        let offered = extended
            && self
                .receiver
                .settings
                .extensions
                .offers(Extension::Pipelining);
        match command {
            // The octets behind BDAT are its chunk.
            Ok(Command::Bdat { .. }) => !self.offers(Extension::Chunking),
            Ok(Command::Quit | Command::Xclient(_)) => false,
            // What comes behind STARTTLS is thrown away, and judged, once TLS stands.
            Ok(Command::StartTls) => false,
            Ok(
                Command::Helo(..)
                | Command::Data
                | Command::Noop
                | Command::Vrfy(_)
                | Command::Expn,
            ) => true,
            Ok(Command::Auth { .. } | Command::Etrn) => true,
            _ => !offered,
        }
    }

    /// Handles a client that did not wait for the reply to this line.
    pub(crate) fn out_of_step(&mut self, line: &[u8], output: &mut Vec<u8>) -> bool {
        let verb = line
            .split(|octet| octet.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        let verb =
            String::from_utf8_lossy(&verb[..verb.len().min(FOREIGN_OCTETS)]).to_ascii_uppercase();
        self.misbehaves(|conduct| conduct.unsynchronised = verb, output)
    }

    /// Handles a line in another protocol.
    pub(crate) fn speaks_otherwise(&mut self, line: &[u8], output: &mut Vec<u8>) -> bool {
        let line = String::from_utf8_lossy(&line[..line.len().min(FOREIGN_OCTETS)]).into_owned();
        self.misbehaves(|conduct| conduct.not_smtp = line, output)
    }
}
