//! Evaluation of rules: at each stage, and when the client misbehaves.

use crate::facts::{BareLineEnd, Conduct, Verb};
use crate::policy::check::Timing;
use crate::policy::{After, Refusal};
use crate::reply::Reply;
use crate::smtp::Extension;
use crate::smtp::protocol::command::Command;
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::client::HeloState;
use crate::smtp::session::event::SessionEvent;
use crate::smtp::session::{Session, State};
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
        self.load_counts();
        let Self { setup, client, .. } = self;
        let values = setup.values(&[]);
        let (refusal, allowed) = client.judge(&setup.receiver.policy, stage, &values);
        if let Some(reason) = allowed {
            self.dialogue.push(SessionEvent::Allowed(reason));
        }
        let refusal = refusal?;
        if refusal.after == After::EachCommand {
            client.hold_refusal(refusal);
            return None;
        }
        Some(self.send_refusal(refusal, output))
    }

    /// Sends the refusal that was decided at connect in reply to a command, if there is one. Returns true if it did.
    pub(crate) fn refuses_command(
        &mut self,
        command: &Result<Command, Mistake>,
        output: &mut Vec<u8>,
    ) -> bool {
        if !self.client.holds_refusal() {
            return false;
        }
        let exempt = match command {
            Ok(Command::Helo(..) | Command::Noop | Command::Rset | Command::Xclient(_)) => true,
            // The octets of a chunk precede its reply.
            Ok(Command::Bdat { .. }) => true,
            Ok(_) => false,
            Err(mistake) => {
                let exempt = ["HELO", "EHLO", "LHLO", "NOOP", "RSET", "BDAT"];
                mistake.is_unrecognised() || exempt.iter().any(|verb| mistake.is_of(verb))
            }
        };
        if exempt || self.quits(command) {
            return false;
        }
        let Ok(Command::Mail { reverse_path, .. }) = command else {
            return self.say_held_refusal(output).is_some();
        };
        self.transactions.begin();
        self.say_held_refusal(output);
        self.mail_was_refused(reverse_path.clone());
        true
    }

    /// Sends the refusal that was decided at connect, if there is one. The first time it is recorded, at the stage of
    /// the command.
    pub(crate) fn say_held_refusal(&mut self, output: &mut Vec<u8>) -> Option<Reply> {
        let refusal = self.client.held_refusal()?;
        if self.client.mark_refusal_sent() {
            return Some(self.refuse_at(refusal, self.at, output));
        }
        self.dialogue.say(&refusal.reply, output);
        Some(refusal.reply)
    }

    /// Records the conduct of the client and evaluates the rules about conduct up to this stage. Returns true if one
    /// refused: its reply replaces that to the command.
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
        note(&mut self.client.facts.conduct);
        self.load_counts();
        let policy = &self.setup.receiver.policy;
        let values = self.setup.values(&[]);
        let refusal = policy.judge_conduct(stage, &self.client.facts, &values)?;
        self.dialogue.observed(&self.client.facts);
        Some(self.send_refusal(refusal, output))
    }

    /// Records a bare LF or CR and evaluates the rules about it. The first one of a session is in the journal even without a
    /// rule.
    pub(crate) fn bare_newline(
        &mut self,
        which: BareLineEnd,
        stage: Stage,
        output: &mut Vec<u8>,
    ) -> Option<Reply> {
        let first = self.client.facts.conduct.bare_newline.is_none();
        let reply = self.judge_conduct(stage, |conduct| conduct.bare_newline = Some(which), output);
        if first && reply.is_none() {
            self.dialogue.observed(&self.client.facts);
        }
        reply
    }

    /// Evaluates the rules that require TLS, for commands that RFC 3207 §4 forbids without it. MAIL is judged with the other
    /// rules of its stage.
    pub(crate) fn lacks_tls(
        &mut self,
        command: &Result<Command, Mistake>,
        output: &mut Vec<u8>,
    ) -> bool {
        const DEMAND: [&str; 8] = [
            "RCPT", "DATA", "BDAT", "AUTH", "RSET", "VRFY", "EXPN", "ETRN",
        ];
        let demands = match command {
            Ok(command) => DEMAND.contains(&command.word()),
            // The rules of the stage judge a well-formed MAIL.
            Err(mistake) => mistake.is_of("MAIL") || DEMAND.iter().any(|verb| mistake.is_of(verb)),
        };
        if !demands || self.client.facts.conduct.tls {
            return false;
        }
        let policy = &self.setup.receiver.policy;
        let values = self.setup.values(&[]);
        let refusal = policy.judge_tls(self.stage(), &self.client.facts, &values);
        match refusal {
            Some(refusal) => {
                self.send_refusal(refusal, output);
                true
            }
            None => false,
        }
    }

    /// The sequence error of a command, whatever its argument.
    pub(crate) fn out_of_sequence(&self, verb: &str) -> Option<CoreReply> {
        match (verb, &self.state) {
            ("MAIL", State::Transaction(_) | State::Chunked(..)) => Some(CoreReply::NestedMail),
            ("MAIL", _)
                if self.client.lacks_helo(&self.setup.receiver.policy) || self.requires_helo() =>
            {
                Some(CoreReply::HeloFirst)
            }
            ("RCPT", State::Chunked(..)) => Some(CoreReply::RcptAfterBdat),
            ("RCPT", State::Transaction(_)) => None,
            ("RCPT", _) => Some(CoreReply::MailFirst),
            ("DATA", _) => self.data_out_of_sequence(),
            ("ETRN", State::Transaction(_) | State::Chunked(..))
                if self.offers(Extension::Etrn)
                    || self
                        .setup
                        .settings()
                        .replies
                        .is_own(CoreReply::EtrnInTransaction) =>
            {
                Some(CoreReply::EtrnInTransaction)
            }
            ("ETRN", _) if !self.client.has_helo() => {
                let listed = self.setup.settings().helo_first.contains(&"ETRN");
                listed.then_some(CoreReply::HeloFirst)
            }
            _ => None,
        }
    }

    /// Whether a rule requires a HELO that the client has not sent.
    fn requires_helo(&self) -> bool {
        let mut rules = self.setup.receiver.policy.rules().iter();
        let listed = self.setup.settings().helo_first.contains(&"MAIL");
        self.client.helo() == HeloState::None
            && (listed || rules.any(|rule| rule.check.timing == Timing::Helo))
    }

    /// The sequence error of DATA or BDAT.
    pub(crate) fn data_out_of_sequence(&self) -> Option<CoreReply> {
        match &self.state {
            State::Chunked(..) => Some(CoreReply::DataAfterBdat),
            State::Transaction(open) if open.has_recipients() => None,
            State::Transaction(open) if open.refused.is_some() => {
                Some(CoreReply::NoValidRecipients)
            }
            State::Transaction(_) => Some(CoreReply::DataWithoutRcpt),
            _ => Some(CoreReply::DataWithoutMail),
        }
    }

    /// The sequence error of DATA or BDAT, with its placeholders.
    pub(crate) fn data_mistake(&self, command: &'static str, reply: CoreReply) -> Mistake {
        let refused = match &self.state {
            State::Transaction(open) => open.refused.as_deref().unwrap_or_default(),
            _ => "",
        };
        Mistake::from(reply)
            .quoting("command", command)
            .quoting("refused", refused)
    }

    /// The stage of the next command.
    pub(crate) fn stage(&self) -> Stage {
        match (&self.state, self.client.helo()) {
            (State::Data(..) | State::Chunk(_) | State::Chunked(..), _) => Stage::Eod,
            (State::Transaction(open), _) if open.has_recipients() => Stage::Data,
            (State::Transaction(_), _) => Stage::Rcpt,
            (_, HeloState::Accepted) => Stage::Mail,
            _ => Stage::Helo,
        }
    }

    fn send_refusal(&mut self, refusal: Refusal, output: &mut Vec<u8>) -> Reply {
        let stage = refusal.stage;
        self.refuse_at(refusal, stage, output)
    }

    /// Sends the reply of a refusal at a stage that may be later than that of its rule.
    fn refuse_at(&mut self, refusal: Refusal, stage: Stage, output: &mut Vec<u8>) -> Reply {
        let Self { setup, client, .. } = self;
        self.unverified
            .keep(&refusal, &setup.receiver, &client.facts);
        self.count_refusal(&refusal);
        let refusal = Refusal { stage, ..refusal };
        let reply = refusal.reply.clone();
        self.dialogue.say(&reply, output);
        let after = refusal.after;
        if !self.dialogue.is_silent() {
            self.record_refusal(refusal);
        }
        match after {
            After::Close => self.close(ClosedBy::Refused),
            After::Sticky503 => {
                self.abandon();
                self.state = State::RefusingAll(self.core(CoreReply::AccessDenied, &[]));
            }
            After::Repeat => {
                self.abandon();
                self.state = State::RefusingAll(reply.clone());
            }
            After::EachCommand | After::Continue => {}
        }
        reply
    }

    /// Whether the client must wait for the reply to this command: after the commands of RFC 2920 §3.1 that end a
    /// group, and after each command without PIPELINING. QUIT ends the session.
    pub(crate) fn must_wait(&self, command: &Result<Command, Mistake>) -> bool {
        let extended = self
            .client
            .facts
            .helo
            .as_ref()
            .is_some_and(|helo| helo.verb != Verb::Helo);
        let offered = extended
            && self
                .setup
                .receiver
                .settings
                .extensions
                .offers(Extension::Pipelining);
        match command {
            // The octets after BDAT are its chunk.
            Ok(Command::Bdat { .. }) => !self.offers(Extension::Chunking),
            Ok(Command::Quit | Command::Xclient(_)) => false,
            // Octets after STARTTLS are discarded, and judged when TLS is established.
            Ok(Command::StartTls) => false,
            Ok(
                Command::Helo(..)
                | Command::Data
                | Command::Noop
                | Command::Vrfy(_)
                | Command::Expn,
            ) => true,
            Ok(Command::Auth { .. } | Command::Etrn(_)) => true,
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
    pub(crate) fn other_protocol(&mut self, line: &[u8], output: &mut Vec<u8>) -> bool {
        let line = String::from_utf8_lossy(&line[..line.len().min(FOREIGN_OCTETS)]).into_owned();
        self.misbehaves(|conduct| conduct.not_smtp = line, output)
    }
}
