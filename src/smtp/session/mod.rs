//! One session without I/O: octets in, octets out (RFC 5321 §3 and §4).

pub(crate) mod auth;
pub(crate) mod bdat;
pub(crate) mod client;
pub(crate) mod counts;
pub(crate) mod dialogue;
pub(crate) mod dispatch;
pub(crate) mod event;
pub(crate) mod helo;
pub(crate) mod magic;
pub(crate) mod open;
pub(crate) mod output;
mod overlong;
pub(crate) mod rules;
pub(crate) mod script;
pub(crate) mod setup;
pub(crate) mod storing;
pub(crate) mod trace;
pub(crate) mod transaction;
pub(crate) mod unverified;

pub use setup::{ListenerMode, Protocol};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::facts::{Memory, ReceiverLookup, Verb};
use crate::reply::Reply;
use crate::smtp::budget::{MailData, MessageBudget};
use crate::smtp::protocol::data::Collector;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::script::SendMode;
use crate::smtp::session::auth::Exchange;
use crate::smtp::session::bdat::Chunk;
use crate::smtp::session::client::Client;
use crate::smtp::session::dialogue::Dialogue;
use crate::smtp::session::event::{SessionEvent, SessionEvents};
use crate::smtp::session::open::{Mail, Open, Received, Storing, Transactions};
use crate::smtp::session::overlong::OverlongLine;
use crate::smtp::session::setup::Setup;
use crate::smtp::session::unverified::UnverifiedRemedies;
use crate::smtp::{ClientAddress, Extension, Receiver, Recipients};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Source};

/// What the caller must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, read more input.
    Read,
    /// Send the output, wait for this time (that of the DNS lookups), then call again.
    Pause(Duration),
    /// Send the output, wait for input for this time, and call again with the input, if any.
    Listen(Duration),
    /// Send the output, discard the input, begin TLS, and call [`Session::secured`] (RFC 3207 §4).
    StartTls,
    /// Send the output in the mode of [`Session::take_send_mode`], publish the events, and call again.
    Flush,
    /// Send nothing yet: store the message that is to be acknowledged, and call again when the session knows whether it
    /// is stored. Only sessions with `Session::keeping_messages` return this.
    Store,
    /// Send the output, close the connection.
    Close,
}

/// One session. Its parts own their data; each method beside them concerns one command or one step.
#[derive(Debug)]
pub struct Session {
    /// The constant parts: receiver, listener, connection.
    setup: Setup,
    /// The replies and the events for the journal.
    dialogue: Dialogue,
    /// The facts about the client, its HELO and its conduct.
    client: Client,
    /// The results of the transactions.
    transactions: Transactions,
    /// Refusals whose remedies are not yet verified.
    unverified: UnverifiedRemedies,
    /// For each script with `per = "session"`, the number of its opportunities so far.
    script_counts: Vec<u64>,
    /// The meaning of the next octets.
    state: State,
    /// The judgement that is due before them.
    due: Due,
    /// The time of the lookups for what is due.
    pause: Duration,
    /// The current stage.
    at: Stage,
    quit: bool,
}

/// The state of a session.
#[derive(Debug)]
pub(crate) enum State {
    /// Between transactions.
    Idle,
    /// MAIL was accepted.
    Transaction(Open),
    /// DATA was accepted.
    Data(Open, Collector),
    /// A chunk is being received (RFC 3030).
    Chunk(Chunk),
    /// Between the chunks of a message.
    Chunked(Open, MailData),
    /// Within an AUTH exchange.
    Auth(Exchange),
    /// STARTTLS was accepted; nothing is sent before the handshake is complete.
    Handshake,
    /// A refusal is in force: everything except QUIT gets this reply.
    RefusingAll(Reply),
    /// A line that is too long is being discarded.
    Passing(Box<OverlongLine>),
    /// The session has ended.
    Closed,
}

/// The judgement that is due when its lookups are done.
#[derive(Debug)]
pub(crate) enum Due {
    /// The client address is to be observed.
    Client,
    /// The greeting is to be delayed, if the receiver does that.
    Wait,
    /// The greeting is to be sent; true if its first line was sent before the delay.
    Greeting(bool),
    /// The reply to HELO or EHLO is to be sent.
    Helo(Verb),
    /// The reply to MAIL is to be sent.
    Mail(Mail),
    /// The reply to the final dot is to be sent.
    Message(Box<Received>),
    /// The message is to be stored.
    Stored(Box<Storing>),
    Nothing,
}

impl Session {
    /// Begins a session; `id` numbers it in the world. The greeting comes with the first [`Session::advance`].
    pub fn new(
        receiver: Arc<Receiver>,
        memory: Arc<Memory>,
        client: ClientAddress,
        peer: SocketAddr,
        id: u64,
    ) -> Self {
        let settings = &receiver.settings;
        let (client, dialogue) = (
            Client::new(client, &settings.hostname),
            Dialogue::new(settings.transcript_lines),
        );
        Self {
            setup: Setup::new(receiver, memory, peer, id),
            dialogue,
            client,
            transactions: Transactions::default(),
            unverified: UnverifiedRemedies::default(),
            script_counts: Vec::new(),
            state: State::Idle,
            due: Due::Client,
            pause: Duration::ZERO,
            at: Stage::Connect,
            quit: false,
        }
    }

    /// Sets the listener of the session.
    #[must_use]
    pub fn on_listener(mut self, listener: ListenerMode) -> Self {
        self.client.facts.conduct.tls = listener.secured;
        self.setup.listener = listener;
        self
    }

    /// Sets which mailboxes exist; without them, every recipient is known.
    #[must_use]
    pub fn with_recipients(mut self, recipients: &Arc<Recipients>) -> Self {
        self.setup.recipients = Some(Arc::clone(recipients));
        self
    }

    /// Sets the memory budget that the session shares with others; without one, its memory is unlimited.
    #[must_use]
    pub(crate) fn storing_in(mut self, budget: &Arc<MessageBudget>) -> Self {
        self.setup.budget = Some(Arc::clone(budget));
        self
    }

    /// The TLS handshake is complete, with this version and cipher suite. The session starts again without a greeting, and
    /// earlier knowledge about the client is discarded (RFC 3207 §4.2). `discarded` octets in clear text after STARTTLS
    /// were dropped; a client that sent any violates the rule `sync`.
    pub fn secured(&mut self, suite: String, discarded: usize, output: &mut Vec<u8>) {
        self.state = State::Idle;
        self.forget_helo();
        self.client.facts.conduct.tls = true;
        self.dialogue.push(SessionEvent::Secured(suite));
        if discarded > 0 {
            self.misbehaves(
                |conduct| conduct.unsynchronised = "STARTTLS".to_owned(),
                output,
            );
        }
    }

    /// The connection uses implicit TLS, with this version and cipher suite.
    pub fn under_tls(&mut self, suite: String) {
        self.client.facts.conduct.tls = true;
        self.dialogue.push(SessionEvent::Secured(suite));
    }

    /// The listener ended the session.
    pub fn ended(&mut self, by: ClosedBy) {
        self.close(by);
    }

    /// Refuses a missing or wrong PROXY header with the reply of Postfix, and ends the session.
    pub(crate) fn refuse_proxy(&mut self, why: &str, output: &mut Vec<u8>) {
        self.dialogue.push(SessionEvent::Scripted(format!(
            "PROXY header refused: {why}"
        )));
        let reply = self.core(CoreReply::ProxyRefused, &[]);
        self.dialogue.say(&reply, output);
        self.refuses(
            Source::Protocol,
            reply,
            format!("the PROXY header is refused: {why}"),
        );
        self.close(ClosedBy::Proxy);
    }

    /// Refuses a connection beyond the limit of the listener: a reply instead of the greeting, and the end.
    pub(crate) fn reject(&mut self, output: &mut Vec<u8>) {
        let reply = self.core(CoreReply::TooManyConnections, &[]);
        self.dialogue.say(&reply, output);
        let why = "the listener has reached its limit of connections".to_owned();
        self.refuses(Source::Protocol, reply, why);
        self.close(ClosedBy::Connections);
    }

    /// Whether QUIT ended the session.
    pub(crate) fn has_quit(&self) -> bool {
        self.quit
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        matches!(
            self.state,
            State::Transaction(_) | State::Data(..) | State::Chunk(_) | State::Chunked(..)
        )
    }

    /// Whether a transaction is open, or its message is being judged.
    fn is_busy(&self) -> bool {
        self.in_transaction() || matches!(self.due, Due::Mail(_) | Due::Message(_) | Due::Stored(_))
    }

    /// Handles the commands and the data in the input, and appends the replies to the output.
    pub fn advance(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) -> Step {
        let step = self.run(input, output, lookup);
        self.unverified.verify(lookup);
        step
    }

    fn run(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) -> Step {
        loop {
            if let Some(step) = self.settle(input, output, lookup) {
                return step;
            }
            if self.dialogue.must_flush(output) {
                return Step::Flush;
            }
            let more = match &mut self.state {
                State::Closed => return Step::Close,
                State::Handshake => return Step::StartTls,
                State::Chunk(chunk) => {
                    let whole = chunk.take(input);
                    if whole {
                        self.end_of_chunk(output, lookup);
                    }
                    whole
                }
                State::Data(_, collector) => {
                    let ended = collector.take(input);
                    if ended {
                        self.end_of_data(output, lookup);
                    }
                    ended
                }
                _ => self.next_line(input, output, lookup),
            };
            if !more {
                return Step::Read;
            }
        }
    }

    /// Returns how the output must be sent, once; for [`Step::Flush`].
    pub fn take_send_mode(&mut self) -> SendMode {
        self.dialogue.take_mode()
    }

    /// Whether the session waits for data, not for a command: the timeouts differ (RFC 5321 §4.5.3.2).
    pub(crate) fn awaits_data(&self) -> bool {
        matches!(self.state, State::Data(..) | State::Chunk(_))
    }

    /// The client exceeded the time limit.
    pub fn timed_out(&mut self, output: &mut Vec<u8>) {
        let refuses = self.is_busy() || !self.transactions.has_acknowledged();
        let replies = &self.setup.settings().replies;
        let reply = match self.awaits_data() {
            true if replies.is_own(CoreReply::DataTimeout)
                || !replies.is_own(CoreReply::Timeout) =>
            {
                CoreReply::DataTimeout
            }
            _ => CoreReply::Timeout,
        };
        self.end_idle(output, reply, ClosedBy::Timeout, refuses);
    }

    /// The receiver shuts down.
    pub(crate) fn shut_down(&mut self, output: &mut Vec<u8>) {
        let refuses = self.is_busy();
        self.end_idle(output, CoreReply::Shutdown, ClosedBy::Shutdown, refuses);
    }

    /// The listener ended the session, for a reason that the dialogue does not show.
    pub fn failed(&mut self, by: ClosedBy, reason: String) {
        if !matches!(self.state, State::Closed) {
            self.dialogue.push(SessionEvent::Reason(reason));
            self.close(by);
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> SessionEvents {
        self.unverified.verify_in_session();
        std::mem::take(self.dialogue.events())
    }

    /// The events that are not published yet.
    pub(crate) fn events(&mut self) -> &mut SessionEvents {
        self.dialogue.events()
    }

    /// Observes and judges what is due. A pause is the time of the lookups; the judgement follows in the next call.
    fn settle(
        &mut self,
        input: &BytesMut,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) -> Option<Step> {
        if matches!(self.due, Due::Client) {
            self.due = Due::Wait;
            self.pause = self.client.observe_address(&self.setup, lookup);
        }
        let pause = std::mem::take(&mut self.pause);
        if !pause.is_zero() {
            return Some(Step::Pause(pause));
        }
        match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Wait => return self.hold_greeting(output, lookup),
            Due::Greeting(begun) => self.greet(begun, !input.is_empty(), output, lookup),
            Due::Helo(verb) => self.answer_helo(verb, output),
            Due::Mail(mail) => self.answer_mail(mail, output),
            Due::Message(received) => self.answer_message(*received, output),
            stored @ Due::Stored(_) => self.due = stored,
            Due::Client | Due::Nothing => {}
        }
        matches!(self.due, Due::Stored(_)).then_some(Step::Store)
    }

    pub(crate) fn rset(&mut self, output: &mut Vec<u8>) {
        self.reset();
        self.answer(CoreReply::Rset, output);
    }

    /// Ends the transaction. No other function does.
    pub(crate) fn reset(&mut self) {
        self.abandon();
        if !matches!(self.state, State::RefusingAll(_) | State::Closed) {
            self.state = State::Idle;
        }
        self.client.facts.forget_sender();
        self.transactions.take_requested_reply();
    }

    /// Records a transaction that ends without a reply to its message.
    pub(crate) fn abandon(&mut self) {
        let open = match std::mem::replace(&mut self.state, State::Idle) {
            State::Passing(passed) => {
                self.state = passed.into_state();
                return self.abandon();
            }
            State::Transaction(open) | State::Data(open, _) | State::Chunked(open, _) => Some(open),
            State::Chunk(chunk) => chunk.into_open(),
            other => {
                self.state = other;
                None
            }
        };
        let judged = match std::mem::replace(&mut self.due, Due::Nothing) {
            Due::Message(received) => Some(received.open.envelope.into()),
            Due::Stored(storing) => Some(storing.envelope),
            due => {
                self.due = due;
                None
            }
        };
        if let Some(envelope) = open.map(|open| open.envelope.into()).or(judged) {
            self.end_without_reply(envelope);
        }
    }

    /// Whether an extension is offered at this point of the session.
    pub(crate) fn offers(&self, extension: Extension) -> bool {
        let possible = extension != Extension::RequireTls || self.client.facts.conduct.tls;
        possible && self.takes_extensions() && self.setup.settings().extensions.offers(extension)
    }

    /// Whether extensions can be used at this point: some receivers take them only after EHLO.
    pub(crate) fn takes_extensions(&self) -> bool {
        let verb = self.client.facts.helo.as_ref().map(|helo| helo.verb);
        let announced = self.client.has_helo() && verb.is_some_and(|verb| verb != Verb::Helo);
        announced || !self.setup.settings().syntax.extensions_need_ehlo
    }
}
