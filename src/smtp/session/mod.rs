//! One session without I/O: octets in, octets out (RFC 5321 §3 and §4).

pub(crate) mod auth;
pub(crate) mod bdat;
pub(crate) mod counts;
pub(crate) mod dispatch;
pub(crate) mod event;
pub(crate) mod helo;
pub(crate) mod magic;
pub(crate) mod output;
pub(crate) mod rules;
pub(crate) mod script;
pub(crate) mod storing;
pub(crate) mod trace;
pub(crate) mod transaction;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::facts::{Facts, Lookup, Memory, Verb};
use crate::policy::{DeferIfPermit, Remedies};
use crate::reply::{Reply, ReplyCode};
use crate::smtp::budget::{MailData, MessageBudget};
use crate::smtp::cure::Case;
use crate::smtp::protocol::data::Collector;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::session::auth::Exchange;
use crate::smtp::session::bdat::Chunk;
use crate::smtp::session::dispatch::OverlongLine;
use crate::smtp::session::event::{SessionEvent, SessionEvents};
use crate::smtp::session::script::SendMode;
use crate::smtp::session::storing::Storing;
use crate::smtp::session::transaction::{Mail, Open, Received};
use crate::smtp::settings::StartTls;
use crate::smtp::{ClientAddress, Extension, Receiver};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Source};

/// The longest command line in octets, CRLF included (RFC 5321 §4.5.3.1.4).
pub const COMMAND_LINE_OCTETS: usize = 512;
/// What extensions add to a MAIL or RCPT line (RFC 5321 §4.5.3.1.11; RFC 3461 §4 adds 500).
pub(crate) const EXTENSION_OCTETS: usize = 500;
/// The longest MAIL or RCPT line, unless the receiver accepts longer ones.
pub const PATH_LINE_OCTETS: usize = COMMAND_LINE_OCTETS + EXTENSION_OCTETS;
/// Size of replies after which they are sent: a client that sends commands and does not read replies must not use more
/// memory.
const BURST_OCTETS: usize = 16 << 10;
/// Number of observations after which events are published: each observation holds all facts.
const BURST_OBSERVATIONS: usize = 32;

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
    /// Send the output in the manner of [`Session::take_manner`], publish the events, and call again.
    Flush,
    /// Send nothing yet: keep the message that is to be acknowledged, and call again once the session was told whether
    /// it is kept. Only sessions that are [`Session::keeping_messages`] ask for it.
    Store,
    /// Send the output, close the connection.
    Close,
}

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and one reply for each recipient after the final dot.
    Lmtp,
}

/// What a session needs to know about its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListenerMode {
    /// The protocol.
    pub protocol: Protocol,
    /// Whether the listener has TLS.
    pub tls: bool,
    /// The setting of STARTTLS; that of the receiver if `None`.
    pub starttls: Option<StartTls>,
    /// Whether the connection uses implicit TLS.
    pub secured: bool,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) storage: Option<Arc<MessageBudget>>,
    pub(crate) peer: SocketAddr,
    pub(crate) id: u64,
    pub(crate) front: ListenerMode,
    pub(crate) token: String,
    pub(crate) facts: Facts,
    pub(crate) standing: DeferIfPermit,
    pub(crate) helo: HeloState,
    /// The facts and deferral before a later HELO, because a refused HELO changes nothing (RFC 5321 §4.1.4).
    pub(crate) before: Option<Box<(Facts, DeferIfPermit)>>,
    pub(crate) state: State,
    pub(crate) due: Due,
    pub(crate) pause: Duration,
    pub(crate) events: SessionEvents,
    /// Number of lines of the dialogue so far.
    pub(crate) transcript: usize,
    /// Observations among the events.
    pub(crate) observations: usize,
    /// The client address that the memory counts as connected.
    pub(crate) present: Option<IpAddr>,
    /// How the next output is sent, if a script says so.
    pub(crate) manner: Option<SendMode>,
    pub(crate) quit: bool,
    /// The HELO name given by XCLIENT.
    pub(crate) told_helo: Option<(Verb, String)>,
    /// The reply to the final dot that a recipient asked for.
    pub(crate) at_the_dot: Option<Reply>,
    /// The current stage.
    pub(crate) at: Stage,
    /// How many times each script with `per = "session"` could have taken effect.
    pub(crate) script_counts: Vec<u64>,
    /// The code of the first refusal since the last MAIL.
    pub(crate) refused: Option<ReplyCode>,
    /// The rules that escalate and the transactions in which they last refused.
    pub(crate) refusals_counted: Vec<(usize, u64)>,
    /// Whether a message was acknowledged.
    pub(crate) acknowledged: bool,
    /// Whether messages are kept before they are acknowledged.
    pub(crate) keeps_messages: bool,
    /// Refusals whose remedies are not yet verified.
    pub(crate) unproved: Vec<(Remedies, Case)>,
}

/// The state of HELO. A refused HELO does not count as one, and must not bypass rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeloState {
    None,
    Accepted,
    Refused,
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
    Stuck(Reply),
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
        let facts = Facts::of_receiver(client.address, &receiver.settings.hostname);
        Self {
            receiver,
            memory,
            storage: None,
            peer,
            id,
            front: ListenerMode::default(),
            token: format!("{id:08x}"),
            facts,
            standing: DeferIfPermit::default(),
            helo: HeloState::None,
            before: None,
            state: State::Idle,
            due: Due::Client,
            pause: Duration::ZERO,
            events: SessionEvents::default(),
            transcript: 0,
            observations: 0,
            present: None,
            manner: None,
            quit: false,
            told_helo: None,
            at_the_dot: None,
            at: Stage::Connect,
            script_counts: Vec::new(),
            refused: None,
            refusals_counted: Vec::new(),
            acknowledged: false,
            keeps_messages: false,
            unproved: Vec::new(),
        }
    }

    /// Sets the listener of the session.
    #[must_use]
    pub fn behind(mut self, front: ListenerMode) -> Self {
        self.front = front;
        self.facts.conduct.tls = front.secured;
        self
    }

    /// Sets the memory budget that the session shares with others; without one, its memory is unlimited.
    #[must_use]
    pub fn storing_in(mut self, storage: &Arc<MessageBudget>) -> Self {
        self.storage = Some(Arc::clone(storage));
        self
    }

    /// The TLS handshake is complete, with this version and cipher suite. The session starts again without a greeting, and
    /// earlier knowledge about the client is discarded (RFC 3207 §4.2). `discarded` octets in clear text after STARTTLS
    /// were dropped; a client that sent some violates the rule `sync`.
    pub fn secured(&mut self, suite: String, discarded: usize, output: &mut Vec<u8>) {
        self.state = State::Idle;
        self.forget_helo();
        self.facts.conduct.tls = true;
        self.events.push(SessionEvent::Secured(suite));
        if discarded > 0 {
            self.misbehaves(
                |conduct| conduct.unsynchronised = "STARTTLS".to_owned(),
                output,
            );
        }
    }

    /// The connection uses implicit TLS, with this version and cipher suite.
    pub fn under_tls(&mut self, suite: String) {
        self.facts.conduct.tls = true;
        self.events.push(SessionEvent::Secured(suite));
    }

    /// The listener ended the session.
    pub fn ended(&mut self, by: ClosedBy) {
        self.close(by);
    }

    /// The PROXY header is missing or wrong: the reply of Postfix, and the end of the session.
    pub fn refuse_proxy(&mut self, why: &str, output: &mut Vec<u8>) {
        self.events.push(SessionEvent::Scripted(format!(
            "PROXY header refused: {why}"
        )));
        let reply = self.core(CoreReply::ProxyRefused, &[]);
        self.say(&reply, output);
        self.refuses(
            Source::Protocol,
            reply,
            format!("the PROXY header is refused: {why}"),
        );
        self.close(ClosedBy::Proxy);
    }

    /// The listener has no room for the connection: a reply in the place of the greeting, and the end.
    pub(crate) fn turn_away(&mut self, output: &mut Vec<u8>) {
        let reply = self.core(CoreReply::TooManyConnections, &[]);
        self.say(&reply, output);
        let why = "the listener has no room for another connection".to_owned();
        self.refuses(Source::Protocol, reply, why);
        self.close(ClosedBy::Connections);
    }

    /// Whether QUIT ended the session.
    pub fn has_quit(&self) -> bool {
        self.quit
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
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
        lookup: &dyn Lookup,
    ) -> Step {
        let step = self.run(input, output, lookup);
        self.prove(lookup);
        step
    }

    fn run(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, lookup: &dyn Lookup) -> Step {
        loop {
            if let Some(step) = self.settle(input, output, lookup) {
                return step;
            }
            if self.manner.is_some()
                || output.len() >= BURST_OCTETS
                || self.observations >= BURST_OBSERVATIONS
            {
                self.observations = 0;
                return Step::Flush;
            }
            let going_on = match &mut self.state {
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
            if !going_on {
                return Step::Read;
            }
        }
    }

    /// Returns how the output must be sent, once; for [`Step::Flush`].
    pub fn take_manner(&mut self) -> SendMode {
        self.manner.take().unwrap_or_default()
    }

    /// Whether the session waits for data, not for a command: the timeouts differ (RFC 5321 §4.5.3.2).
    pub fn awaits_data(&self) -> bool {
        matches!(self.state, State::Data(..) | State::Chunk(_))
    }

    /// The client exceeded the time limit.
    pub fn timed_out(&mut self, output: &mut Vec<u8>) {
        let refuses = self.is_busy() || !self.acknowledged;
        let replies = &self.receiver.settings.replies;
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
    pub fn shut_down(&mut self, output: &mut Vec<u8>) {
        let refuses = self.is_busy();
        self.end_idle(output, CoreReply::Shutdown, ClosedBy::Shutdown, refuses);
    }

    /// The listener ended the session, for a reason that the dialogue does not show.
    pub fn failed(&mut self, by: ClosedBy, reason: String) {
        if !matches!(self.state, State::Closed) {
            self.events.push(SessionEvent::Reason(reason));
            self.close(by);
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> SessionEvents {
        self.prove_by_session();
        std::mem::take(&mut self.events)
    }

    /// Observes and judges what is due. A pause stands for the time of the lookups; the judgement follows in the next call.
    fn settle(
        &mut self,
        input: &BytesMut,
        output: &mut Vec<u8>,
        lookup: &dyn Lookup,
    ) -> Option<Step> {
        if matches!(self.due, Due::Client) {
            self.observe_client(lookup);
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
        if !matches!(self.state, State::Stuck(_) | State::Closed) {
            self.state = State::Idle;
        }
        self.facts.forget_sender();
        self.at_the_dot = None;
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
            Due::Message(received) => Some(received.into_open().into_envelope().into()),
            Due::Stored(storing) => Some(storing.envelope),
            due => {
                self.due = due;
                None
            }
        };
        if let Some(envelope) = open.map(|open| open.into_envelope().into()).or(judged) {
            self.end_without_reply(envelope);
        }
    }

    /// Whether MAIL requires a HELO first: one was refused, or a rule would be skipped without one.
    pub(crate) fn lacks_helo(&self) -> bool {
        match self.helo {
            HeloState::Accepted => false,
            HeloState::Refused => true,
            HeloState::None => self.receiver.policy.judges_at(Stage::Helo),
        }
    }

    /// Whether an extension is offered at this point of the session.
    pub(crate) fn offers(&self, extension: Extension) -> bool {
        let possible = extension != Extension::RequireTls || self.facts.conduct.tls;
        possible && self.receiver.settings.extensions.offers(extension)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
    }
}
