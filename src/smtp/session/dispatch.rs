//! Command lines: cut from the input, parsed, and passed to the method of their command (RFC 5321 §4.1, §4.5.3.1).
//!
//! A line that is too long is discarded to its end and answered once, however it is cut into packets; or it is cut or split, as the receiver does.
//! The journal keeps its beginning and its length.

use std::borrow::Cow;

use bytes::{Buf, BytesMut};

use crate::facts::{BareLineEnd, ReceiverLookup, Verb};
use crate::smtp::Extension;
use crate::smtp::protocol::command::{self, Command};
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::{BareNewline, LongLine, MistakeOrder};
use crate::smtp::script::{Point, ScriptContext};
use crate::smtp::session::auth::is_auth;
use crate::smtp::session::event::Speaker;
use crate::smtp::session::open::Mail;
use crate::smtp::session::overlong::shortened;
use crate::smtp::session::{Protocol, Session, State};
use crate::stage::Stage;
use crate::verdict::ClosedBy;

impl Session {
    /// Handles one command line. Returns false if the input has no complete line.
    pub(crate) fn next_line(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) -> bool {
        let end = memchr::memchr(b'\n', input).map(|end| end + 1);
        let octets = end.unwrap_or(input.len());
        let most = self.line_octets();
        match self.state {
            State::Passing(_) => {}
            _ if octets <= most => {
                if end.is_some() {
                    let line = input.split_to(octets);
                    self.line(&line, octets, !input.is_empty(), output, lookup);
                }
                return end.is_some();
            }
            _ if self.long_lines(input) == LongLine::Split => {
                let beginning = input.split_to(most);
                self.at = self.stage();
                self.dialogue
                    .record(Speaker::Client, &shortened(&beginning, most));
                self.mistake(CoreReply::LineTooLong, output);
                return true;
            }
            _ => {}
        }
        self.pass_over(&input[..octets], most);
        input.advance(octets);
        if end.is_some() {
            self.end_of_overlong_line(!input.is_empty(), output, lookup);
        }
        end.is_some()
    }

    /// Handles one line, including its line end: limits and line ends first, then syntax, then the state. `octets` is its length as it was sent,
    /// and `more` means that the client did not wait for the reply.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        octets: usize,
        more: bool,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) {
        let (text, bare) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, false),
            None => (line.strip_suffix(b"\n").unwrap_or(line), true),
        };
        self.at = self.stage();
        let masked = self.masked(text);
        let masked = masked.map_or_else(|| shortened(text, octets), Cow::Owned);
        self.dialogue.record(Speaker::Client, &masked);
        if bare
            && self
                .bare_newline(BareLineEnd::Lf, self.stage(), output)
                .is_some()
        {
            return;
        }
        if bare && self.setup.settings().syntax.bare_lf == BareNewline::Reject {
            return self.mistake(CoreReply::BareLf, output);
        }
        if matches!(self.state, State::Auth(_)) {
            return self.auth_response(text, output);
        }
        let syntax = &self.setup.settings().syntax;
        if syntax.long_lines == LongLine::Refuse && line.len() > syntax.line_octets_of(text) {
            return self.mistake(CoreReply::LineTooLong, output);
        }
        let command = command::parse(text, syntax);
        self.at = stage_of(&command).unwrap_or(self.at);
        if let State::RefusingAll(reply) = &self.state
            && !self.quits(&command)
            && !(matches!(&command, Ok(Command::Xclient(_))) && self.setup.may_xclient())
        {
            let reply = reply.clone();
            return match command {
                Ok(Command::Bdat { octets, last }) if self.offers(Extension::Chunking) => {
                    self.bdat(octets, last, output)
                }
                _ => self.dialogue.say(&reply, output),
            };
        }
        if more && self.must_wait(&command) && self.out_of_step(text, output) {
            return;
        }
        if self.refuses_command(&command, output) || self.lacks_tls(&command, output) {
            return;
        }
        match command {
            Ok(command) => self.command(command, output, lookup),
            Err(mistake) => self.no_command(mistake, text, output),
        }
    }

    /// Handles a line that is not a command.
    fn no_command(&mut self, mistake: Mistake, line: &[u8], output: &mut Vec<u8>) {
        let unknown = mistake.is_unrecognised();
        if unknown && command::is_late_proxy_header(line) {
            return self.refuse_proxy("it is not at the beginning of the connection", output);
        }
        if unknown && self.other_protocol(line, output) {
            return;
        }
        if mistake.reply == CoreReply::HeloSyntax
            && let Some(verb) = Verb::ALL.into_iter().find(|v| mistake.is_of(v.word()))
            && self.script_empty_helo(verb, output)
        {
            return;
        }
        if let Some(reply) = self.not_possible(&mistake) {
            let mistake = Mistake { reply, ..mistake };
            return self.mistake(mistake, output);
        }
        let repeated = mistake.reply == CoreReply::HeloSyntax
            && self.client.has_helo()
            && !self.setup.settings().syntax.repeated_helo;
        let sequence = self.sequence_first(&mistake);
        match repeated.then_some(CoreReply::HeloRepeated).or(sequence) {
            Some(reply) => self.mistake(reply, output),
            None => self.mistake(mistake, output),
        }
    }

    /// Why a malformed command is not possible whatever its argument: the extension is not offered, or not at this point.
    fn not_possible(&self, mistake: &Mistake) -> Option<CoreReply> {
        match mistake.reply {
            CoreReply::AuthSyntax => self.auth_not_possible(),
            CoreReply::EtrnSyntax => self.out_of_sequence("ETRN"),
            CoreReply::BdatSyntax if !self.offers(Extension::Chunking) => {
                Some(CoreReply::ChunkingNotOffered)
            }
            _ => None,
        }
    }

    /// Whether a line ends the session: QUIT, also with an argument if the receiver answers that with 221.
    pub(crate) fn quits(&self, command: &Result<Command, Mistake>) -> bool {
        let replies = &self.setup.settings().replies;
        match command {
            Ok(command) => matches!(command, Command::Quit),
            Err(mistake) => {
                let reply = replies.template(mistake.reply, true).pattern();
                mistake.reply == CoreReply::QuitSyntax && reply.code().get() == 221
            }
        }
    }

    /// The sequence error of a malformed command, if the receiver checks the sequence first. A command that is not recognised
    /// (500) has no sequence.
    fn sequence_first(&self, mistake: &Mistake) -> Option<CoreReply> {
        let settings = self.setup.settings();
        let verbs: &[_] = match settings.syntax.order {
            MistakeOrder::Syntax => &[],
            MistakeOrder::Sequence => &["MAIL", "RCPT", "DATA"],
            MistakeOrder::SequenceOfPaths => &["MAIL", "RCPT"],
        };
        let reply = settings.replies.template(mistake.reply, true).pattern();
        let verb = verbs.iter().find(|verb| mistake.is_of(verb))?;
        (reply.code().get() != 500)
            .then(|| self.out_of_sequence(verb))
            .flatten()
    }

    /// The table from command to method.
    fn command(&mut self, command: Command, output: &mut Vec<u8>, lookup: &dyn ReceiverLookup) {
        if let Some(mistake) = self.against_helo(&command) {
            return self.mistake(mistake, output);
        }
        match command {
            Command::Helo(verb, argument) => match (self.setup.listener.protocol, verb) {
                (Protocol::Smtp, Verb::Lhlo) => {
                    let line = format!("LHLO {argument}");
                    let mistake = Mistake::from(CoreReply::LhloNotOffered).quoting("line", line);
                    self.mistake(mistake, output);
                }
                (Protocol::Lmtp, Verb::Helo | Verb::Ehlo) => {
                    self.mistake(CoreReply::LmtpOnly, output)
                }
                _ => self.helo(verb, &argument, lookup),
            },
            Command::Mail {
                reverse_path,
                parameters,
            } => self.mail(
                Mail {
                    sender: reverse_path,
                    parameters,
                },
                output,
                lookup,
            ),
            Command::Rcpt {
                forward_path,
                parameters,
            } => self.rcpt(forward_path, parameters, output),
            Command::Data => self.data(output),
            Command::Bdat { octets, last } if !self.offers(Extension::Chunking) => {
                let line = format!("BDAT {octets}{}", if last { " LAST" } else { "" });
                let mistake = Mistake::from(CoreReply::ChunkingNotOffered).quoting("line", line);
                self.mistake(mistake, output);
            }
            Command::Bdat { octets, last } => self.bdat(octets, last, output),
            Command::StartTls => self.starttls(output),
            Command::Auth { mechanism, initial } => {
                self.auth(&mechanism, initial.as_deref(), output)
            }
            Command::Etrn(domain) => self.etrn(domain, output),
            Command::Rset => self.rset(output),
            Command::Noop => self.answer(CoreReply::Noop, output),
            Command::Vrfy(argument) => {
                if !self.refuses_address(&argument, output) {
                    self.optional(CoreReply::Vrfy, &[("argument", argument)], output);
                }
            }
            Command::Help => self.optional(CoreReply::Help, &[], output),
            Command::Expn => self.optional(CoreReply::Expn, &[], output),
            Command::Quit => {
                if self
                    .script(Point::Quit, ScriptContext::default(), output)
                    .is_none()
                {
                    self.answer(CoreReply::Quit, output);
                }
                self.quit = true;
                self.close(ClosedBy::Quit);
            }
            Command::Xclient(xclient) => self.xclient(xclient, output),
        }
    }

    /// ETRN (RFC 1985).
    fn etrn(&mut self, domain: String, output: &mut Vec<u8>) {
        let quotes = [("argument", domain)];
        if let Some(reply) = self.out_of_sequence("ETRN") {
            return self.optional(reply, &quotes, output);
        }
        if !self.offers(Extension::Etrn) {
            return self.optional(CoreReply::EtrnNotOffered, &quotes, output);
        }
        if !self.refuses_outside_transactions(output) {
            self.optional(CoreReply::Etrn, &quotes, output);
        }
    }

    /// Judges the client at VRFY, with its argument for the recipient. Returns true if a rule refused.
    fn refuses_address(&mut self, address: &str, output: &mut Vec<u8>) -> bool {
        let address = address.trim_start_matches('<').trim_end_matches('>');
        let before = self.client.facts.recipient.replace(address.to_owned());
        let refused = self.refuses_outside_transactions(output);
        self.client.facts.recipient = before;
        refused
    }

    /// A receiver that delays its refusals to RCPT judges the client at VRFY and ETRN too, as Postfix does. Returns true if
    /// a rule refused.
    fn refuses_outside_transactions(&mut self, output: &mut Vec<u8>) -> bool {
        self.setup.receiver.policy.delay_reject() && self.refuse(Stage::Rcpt, output)
    }

    /// The mistake of a command that the state of HELO does not allow.
    fn against_helo(&self, command: &Command) -> Option<Mistake> {
        let settings = self.setup.settings();
        let (word, has_helo) = (command.word(), self.client.has_helo());
        let reply = if has_helo {
            let lmtp = self.setup.is_lmtp();
            let is_repeated = matches!(command, Command::Helo(verb, _) if lmtp == (*verb == Verb::Lhlo))
                && !settings.syntax.repeated_helo;
            is_repeated.then_some(CoreReply::HeloRepeated)
        } else {
            settings
                .helo_first
                .contains(&word)
                .then_some(CoreReply::HeloFirst)
        };
        reply.map(|reply| Mistake::from(reply).quoting("command", word))
    }

    /// Handles an optional command. If it is refused, that counts as a mistake.
    fn optional(
        &mut self,
        reply: CoreReply,
        quotes: &[(&'static str, String)],
        output: &mut Vec<u8>,
    ) {
        let template = self.setup.settings().replies.template(reply, true);
        if !template.pattern().code().is_refusal() {
            return self.answer_with(reply, quotes, output);
        }
        let mut mistake = Mistake::from(reply);
        mistake.quotes.extend_from_slice(quotes);
        self.mistake(mistake, output);
    }

    /// The text for the journal in place of a line with credentials (RFC 4954).
    pub(super) fn masked(&self, text: &[u8]) -> Option<String> {
        if self
            .setup
            .receiver
            .settings
            .auth
            .as_ref()
            .is_some_and(|auth| auth.keep_credentials)
        {
            return None;
        }
        if matches!(self.state, State::Auth(_)) {
            return Some("<credentials>".to_owned());
        }
        let mut words = text
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let (_, mechanism, _) = (
            words.next().filter(|_| is_auth(text))?,
            words.next()?,
            words.next()?,
        );
        Some(format!(
            "AUTH {} <credentials>",
            String::from_utf8_lossy(&mechanism[..mechanism.len().min(20)])
        ))
    }
}

/// The stage of a command that has one.
fn stage_of(command: &Result<Command, Mistake>) -> Option<Stage> {
    match command {
        Ok(Command::Helo(..)) => Some(Stage::Helo),
        Ok(Command::Mail { .. }) => Some(Stage::Mail),
        Ok(Command::Rcpt { .. }) => Some(Stage::Rcpt),
        Ok(Command::Data | Command::Bdat { .. }) => Some(Stage::Data),
        Err(mistake) if mistake.is_of("MAIL") => Some(Stage::Mail),
        Err(mistake) if mistake.is_of("RCPT") => Some(Stage::Rcpt),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_command_has_a_stage_if_it_is_known() {
        let stage = |verb: &str| {
            let mistake = Mistake::from(CoreReply::SenderSyntax).quoting("command", verb);
            stage_of(&Err(mistake))
        };
        assert_eq!(stage("MAIL"), Some(Stage::Mail));
        assert_eq!(stage("RCPT"), Some(Stage::Rcpt));
        assert_eq!(stage("FOO"), None);
    }
}
