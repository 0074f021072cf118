//! One session, without I/O: octets in, octets out (RFC 5321 §3 and §4).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::command::{self, Attribute, Command, Mistake};
use super::data::Collector;
use super::replies::{self, Canned};
use super::settings::BareNewline;
use super::transaction::{Mail, Open};
use super::{ClientAddress, Receiver};
use crate::facts::{Facts, Lookup, Verb};
use crate::journal::Envelope;
use crate::policy::{After, Refusal, Standing, Values};
use crate::reply::{Reply, ReplyCode};
use crate::stage::Stage;

/// The longest command line in octets, CRLF included (RFC 5321 §4.5.3.1.4).
pub const COMMAND_LINE_OCTETS: usize = 512;
/// The longest MAIL or RCPT line: extensions lengthen it (RFC 5321 §4.5.3.1.11; RFC 3461 §4 adds 500).
pub const PATH_LINE_OCTETS: usize = 1012;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, read more input.
    Read,
    /// Send the output, wait so long (DNS would have taken it), then call again.
    Pause(Duration),
    /// Send the output, close the connection.
    Close,
}

/// What happened, to be published once the reply has been sent.
#[derive(Clone, Debug)]
pub enum Event {
    /// The client said a line, or sent so many octets of data.
    Client(String),
    /// The receiver replied.
    Server(String),
    /// A line beyond what a transcript keeps.
    LineDropped,
    /// Facts were observed.
    Observed(Box<Facts>),
    /// The client address was replaced (XCLIENT).
    Renamed(ClientAddress),
    /// An allow entry let the client pass.
    Allowed(String),
    /// A rule refused.
    Refused(Box<Refusal>),
    /// A transaction reached its final dot.
    Transaction {
        /// Its envelope.
        envelope: Envelope,
        /// The reply to the final dot.
        reply: Reply,
        /// The message, where it was accepted.
        octets: Option<Vec<u8>>,
    },
    /// The session ended, and how: `quit`, `refused`, `lost`, `timeout`, `errors`, `shutdown`.
    Closed(&'static str),
}

/// One session.
#[derive(Debug)]
pub struct Session {
    pub(super) receiver: Arc<Receiver>,
    peer: SocketAddr,
    token: String,
    pub(super) facts: Facts,
    standing: Standing,
    hello: Hello,
    /// What was known and deferred before a hello that is being judged, where an earlier one stands.
    before_hello: Option<Box<(Facts, Standing)>>,
    state: State,
    due: Due,
    pause: Duration,
    errors: usize,
    events: Vec<Event>,
    transcript: usize,
}

/// Whether a hello stands. A refused one is no hello, and no way around the rules either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hello {
    None,
    Accepted,
    Refused,
}

/// Where the session stands.
#[derive(Debug)]
pub(super) enum State {
    /// Between transactions.
    Idle,
    /// MAIL was accepted.
    Transaction(Open),
    /// DATA was accepted.
    Data(Open, Collector),
    /// A refusal stands: everything but QUIT gets this reply.
    Stuck(Reply),
    /// A line too long is being passed over.
    Skipping(Box<State>),
    /// Nothing more is said.
    Closed,
}

/// What is to be judged once the facts are there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// The client address is to be observed.
    Client,
    /// The greeting is to be given.
    Greeting,
    /// The reply to HELO or EHLO is to be given.
    Hello(Verb),
    /// The reply to MAIL is to be given.
    Mail(Mail),
    Nothing,
}

impl Session {
    /// Begins a session; `id` numbers it in the world. The greeting comes with the first [`Session::advance`].
    pub fn new(receiver: Arc<Receiver>, client: ClientAddress, peer: SocketAddr, id: u64) -> Self {
        let facts = fresh_facts(&receiver, client);
        Self {
            receiver,
            peer,
            token: format!("{id:08x}"),
            facts,
            standing: Standing::default(),
            hello: Hello::None,
            before_hello: None,
            state: State::Idle,
            due: Due::Client,
            pause: Duration::ZERO,
            errors: 0,
            events: Vec::new(),
            transcript: 0,
        }
    }

    /// Takes as many commands, and as much data, as the input holds; replies are appended to the output.
    pub fn advance(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, lookup: &dyn Lookup) -> Step {
        loop {
            if let Some(pause) = self.settle(output, lookup) {
                return Step::Pause(pause);
            }
            let going_on = match &mut self.state {
                State::Closed => return Step::Close,
                State::Data(_, collector) => {
                    let ended = collector.take(input);
                    if ended {
                        self.end_of_data(output);
                    }
                    ended
                }
                _ => self.next_line(input, output, lookup),
            };
            if !going_on {
                return Step::Read;
            }
        }
    }

    /// Whether data is awaited rather than a command: the timeouts differ (RFC 5321 §4.5.3.2).
    pub fn awaits_data(&self) -> bool {
        matches!(self.state, State::Data(..))
    }

    /// The client was silent too long.
    pub fn timed_out(&mut self, output: &mut Vec<u8>) {
        self.end(output, &replies::TIMEOUT, "timeout");
    }

    /// The receiver shuts down.
    pub fn shut_down(&mut self, output: &mut Vec<u8>) {
        self.end(output, &replies::SHUTDOWN, "shutdown");
    }

    /// The client went away.
    pub fn lost(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.close("lost");
        }
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Observes and judges what is due. A pause means that lookups take time: what is due waits for the next call.
    fn settle(&mut self, output: &mut Vec<u8>, lookup: &dyn Lookup) -> Option<Duration> {
        if self.due == Due::Client {
            self.due = Due::Greeting;
            let receiver = Arc::clone(&self.receiver);
            self.pause = self.facts.observe_client(receiver.policy.wants(), lookup);
        }
        let pause = std::mem::take(&mut self.pause);
        if !pause.is_zero() {
            return Some(pause);
        }
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Greeting => self.greet(output),
            Due::Hello(verb) => self.answer_hello(verb, output),
            Due::Mail(mail) => self.answer_mail(mail, output),
            Due::Client | Due::Nothing => {}
        }
        None
    }

    /// Tells what was observed.
    pub(super) fn observed(&mut self) {
        self.events.push(Event::Observed(Box::new(self.facts.clone())));
    }

    fn greet(&mut self, output: &mut Vec<u8>) {
        self.observed();
        if self.refuse(Stage::Connect, output) {
            return;
        }
        let settings = &self.receiver.settings;
        let lines = settings.greeting.iter().map(|line| line.replace("{mx}", &settings.hostname)).collect();
        let code = ReplyCode::new(220).expect("220 is a reply code");
        self.say(&Reply::from_lines(code, lines), output);
    }

    /// Takes one command line. False where the input holds no whole line.
    fn next_line(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, lookup: &dyn Lookup) -> bool {
        let Some(end) = memchr::memchr(b'\n', input) else {
            if input.len() > PATH_LINE_OCTETS {
                input.clear();
                self.skip();
            }
            return false;
        };
        let line = input.split_to(end + 1);
        if self.end_skipping() {
            self.mistake(&replies::LINE_TOO_LONG, output);
        } else {
            self.line(&line, output, lookup);
        }
        true
    }

    fn skip(&mut self) {
        if !matches!(self.state, State::Skipping(_)) {
            let state = std::mem::replace(&mut self.state, State::Idle);
            self.state = State::Skipping(Box::new(state));
        }
    }

    /// Returns to the state before a line too long, where one was being passed over.
    fn end_skipping(&mut self) -> bool {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Skipping(state) => {
                self.state = *state;
                true
            }
            state => {
                self.state = state;
                false
            }
        }
    }

    /// One line, its line end included: limits and line ends first, then syntax, then the state.
    fn line(&mut self, line: &[u8], output: &mut Vec<u8>, lookup: &dyn Lookup) {
        let (text, bare) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, false),
            None => (line.strip_suffix(b"\n").unwrap_or(line), true),
        };
        self.record(|| Event::Client(String::from_utf8_lossy(text).into_owned()));
        if bare && self.receiver.settings.bare_newline != BareNewline::Normalize {
            return self.mistake(&replies::BARE_LF, output);
        }
        let paths = text.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"MAIL") || v.eq_ignore_ascii_case(b"RCPT"));
        if line.len() > if paths { PATH_LINE_OCTETS } else { COMMAND_LINE_OCTETS } {
            return self.mistake(&replies::LINE_TOO_LONG, output);
        }
        let command = command::parse(text);
        if let State::Stuck(reply) = &self.state
            && command != Ok(Command::Quit)
        {
            let reply = reply.clone();
            return self.say(&reply, output);
        }
        match command {
            Ok(command) => self.command(command, output, lookup),
            Err(mistake) => self.mistake(&replies::to_mistake(&mistake), output),
        }
    }

    /// The one table from command to method.
    fn command(&mut self, command: Command, output: &mut Vec<u8>, lookup: &dyn Lookup) {
        match command {
            Command::Hello(verb, argument) => self.hello(verb, &argument, lookup),
            Command::Mail { reverse_path, size, smtputf8 } => {
                self.mail(Mail { reverse_path, size, smtputf8 }, output, lookup)
            }
            Command::Rcpt { forward_path } => self.rcpt(forward_path, output),
            Command::Data => self.data(output),
            Command::Rset => self.rset(output),
            Command::Noop => self.answer(&replies::OK, output),
            Command::Vrfy => self.answer(&replies::VRFY, output),
            Command::Help => self.answer(&replies::HELP, output),
            Command::Expn => self.mistake(&replies::to_mistake(&Mistake::NotImplemented), output),
            Command::Quit => self.end(output, &replies::BYE, "quit"),
            Command::Xclient(attributes) => self.xclient(attributes, output),
        }
    }

    /// HELO or EHLO, the first or a later one: the hello is observed anew.
    fn hello(&mut self, verb: Verb, argument: &str, lookup: &dyn Lookup) {
        let receiver = Arc::clone(&self.receiver);
        let may_stay = self.hello == Hello::Accepted && receiver.policy.judges_at(Stage::Helo);
        self.before_hello = may_stay.then(|| Box::new((self.facts.clone(), self.standing.clone())));
        self.pause = self.facts.observe_hello(verb, argument, receiver.policy.wants(), lookup);
        self.due = Due::Hello(verb);
    }

    /// An accepted hello ends a transaction; a refused one leaves everything as it was (RFC 5321 §4.1.4).
    fn answer_hello(&mut self, verb: Verb, output: &mut Vec<u8>) {
        self.observed();
        let before = self.before_hello.take();
        if self.refuse(Stage::Helo, output) {
            match before {
                Some(before) => (self.facts, self.standing) = *before,
                None => self.hello = Hello::Refused,
            }
            return;
        }
        self.reset();
        self.hello = Hello::Accepted;
        let code = ReplyCode::new(250).expect("250 is a reply code");
        let mut lines = vec![self.receiver.settings.hostname.clone()];
        if verb != Verb::Helo {
            lines.extend(self.extensions());
        }
        self.say(&Reply::from_lines(code, lines), output);
    }

    fn extensions(&self) -> Vec<String> {
        let settings = &self.receiver.settings;
        let offered = settings.extensions;
        let fixed = [
            (offered.pipelining, "PIPELINING"),
            (offered.eight_bit_mime, "8BITMIME"),
            (offered.smtputf8, "SMTPUTF8"),
            (offered.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.may_xclient(), "XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT"),
        ];
        let mut lines: Vec<_> = fixed.iter().filter(|(on, _)| *on).map(|(_, line)| (*line).to_owned()).collect();
        if offered.size {
            lines.push(format!("SIZE {}", settings.max_message_octets));
        }
        lines
    }

    fn may_xclient(&self) -> bool {
        let peer = crate::name::normalise(self.peer.ip());
        self.receiver.settings.xclient.iter().any(|net| net.contains(&peer))
    }

    /// XCLIENT ADDR begins the session anew from another address (Postfix XCLIENT_README). The facts are gathered
    /// again, as Haraka does: a receiver that judged a new address by old facts would judge nobody.
    fn xclient(&mut self, attributes: Vec<Attribute>, output: &mut Vec<u8>) {
        if !self.may_xclient() {
            return self.mistake(&replies::NOT_AUTHORIZED, output);
        }
        if matches!(self.state, State::Transaction(_)) {
            return self.mistake(&replies::IN_TRANSACTION, output);
        }
        let address = attributes.into_iter().rev().find_map(|a| match a {
            Attribute::Addr(address) => Some(address),
            Attribute::Helo(_) | Attribute::Other => None,
        });
        if let Some(address) = address {
            let client = ClientAddress::of(address, "xclient");
            self.facts = fresh_facts(&self.receiver, client);
            self.events.push(Event::Renamed(client));
        }
        self.facts.hello = None;
        self.hello = Hello::None;
        self.standing = Standing::default();
        self.state = State::Idle;
        self.due = if address.is_some() { Due::Client } else { Due::Greeting };
    }

    fn rset(&mut self, output: &mut Vec<u8>) {
        self.reset();
        self.answer(&replies::OK, output);
    }

    /// Observes the reverse-path; the reply to MAIL comes when that is done.
    pub(super) fn observe_sender(&mut self, mail: Mail, lookup: &dyn Lookup) {
        let receiver = Arc::clone(&self.receiver);
        self.pause = self.facts.observe_sender(&mail.reverse_path, receiver.policy.wants(), lookup);
        self.due = Due::Mail(mail);
    }

    /// The one place that ends a transaction.
    pub(super) fn reset(&mut self) {
        if !matches!(self.state, State::Stuck(_) | State::Closed) {
            self.state = State::Idle;
        }
        self.facts.forget_sender();
    }

    /// Whether MAIL has to wait for a hello: one was refused, or a rule would be skipped without one.
    pub(super) fn lacks_hello(&self) -> bool {
        match self.hello {
            Hello::Accepted => false,
            Hello::Refused => true,
            Hello::None => self.receiver.policy.judges_at(Stage::Helo),
        }
    }

    pub(super) fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Judges a stage; where a rule refuses, says so and does what the rule has follow.
    pub(super) fn refuse(&mut self, stage: Stage, output: &mut Vec<u8>) -> bool {
        self.refuse_with(stage, output).is_some()
    }

    /// As [`Session::refuse`], and gives the reply.
    pub(super) fn refuse_with(&mut self, stage: Stage, output: &mut Vec<u8>) -> Option<Reply> {
        let refusal = self.judge(stage)?;
        let reply = refusal.reply.clone();
        self.say(&reply, output);
        let after = refusal.after;
        self.events.push(Event::Refused(Box::new(refusal)));
        match after {
            After::Close => self.close("refused"),
            After::Sticky503 => self.state = State::Stuck(replies::ACCESS_DENIED.reply(self.enhanced())),
            After::Repeat => self.state = State::Stuck(reply.clone()),
            After::Continue => {}
        }
        Some(reply)
    }

    fn judge(&mut self, stage: Stage) -> Option<Refusal> {
        let receiver = Arc::clone(&self.receiver);
        let values = Values { mx: &receiver.settings.hostname, id: &self.token, quotes: &[] };
        let refusal = receiver.policy.judge(stage, &self.facts, &values, &mut self.standing);
        if let Some(reason) = self.standing.allowed.take() {
            self.events.push(Event::Allowed(reason));
        }
        refusal
    }

    pub(super) fn enhanced(&self) -> bool {
        self.receiver.settings.extensions.enhanced_status_codes
    }

    pub(super) fn answer(&mut self, canned: &Canned, output: &mut Vec<u8>) {
        self.say(&canned.reply(self.enhanced()), output);
    }

    /// A reply to a client's mistake; too many of them end the session.
    pub(super) fn mistake(&mut self, canned: &Canned, output: &mut Vec<u8>) {
        self.errors += 1;
        self.answer(canned, output);
        if self.errors >= self.receiver.settings.max_errors {
            self.end(output, &replies::TOO_MANY_ERRORS, "errors");
        }
    }

    fn end(&mut self, output: &mut Vec<u8>, canned: &Canned, how: &'static str) {
        self.answer(canned, output);
        self.close(how);
    }

    fn close(&mut self, how: &'static str) {
        self.state = State::Closed;
        self.events.push(Event::Closed(how));
    }

    /// The one place that writes a reply.
    pub(super) fn say(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        reply.write_to(output);
        for line in reply.wire_lines() {
            self.record(|| Event::Server(line));
        }
    }

    /// Adds a line to the transcript while it has room; a dropped line costs nothing but its count.
    pub(super) fn record(&mut self, line: impl FnOnce() -> Event) {
        self.transcript += 1;
        let keep = self.transcript <= self.receiver.settings.transcript_lines;
        self.events.push(if keep { line() } else { Event::LineDropped });
    }

    pub(super) fn publish(&mut self, event: Event) {
        self.events.push(event);
    }
}

fn fresh_facts(receiver: &Receiver, client: ClientAddress) -> Facts {
    let mut facts = Facts::new(client.address);
    facts.receiver_name.clone_from(&receiver.settings.hostname);
    facts
}
