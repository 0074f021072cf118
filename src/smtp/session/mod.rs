//! One session, without I/O: octets in, octets out (RFC 5321 §3 and §4).

pub(crate) mod auth;
pub(crate) mod bdat;
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
/// The longest MAIL or RCPT line, unless the receiver takes longer ones.
pub const PATH_LINE_OCTETS: usize = COMMAND_LINE_OCTETS + EXTENSION_OCTETS;
/// Octets of replies that are made before they are sent: a client that asks and does not listen is not asked on.
const BURST_OCTETS: usize = 16 << 10;
/// Observations that are made before they are published: each one holds all facts.
const BURST_OBSERVATIONS: usize = 32;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the output, read more input.
    Read,
    /// Send the output, wait so long (DNS would have taken it), then call again.
    Pause(Duration),
    /// Send the output, wait so long for input, and call again with what came, if anything did.
    Listen(Duration),
    /// Send the output, throw away what input there is, begin TLS, and call [`Session::secured`] (RFC 3207 §4).
    StartTls,
    /// Send the output in the manner of [`Session::take_manner`], publish the events, and call again.
    Flush,
    /// Send nothing yet: keep the message that is to be acknowledged, and call again once the session was told whether
    /// it is kept. Only sessions that are [`Session::keeping_messages`] ask for it.
    Store,
    /// Send the output, close the connection.
    Close,
}

/// Which protocol a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and a reply for each recipient behind the final dot.
    Lmtp,
}

/// What a session has to know of its listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListenerMode {
    /// The protocol.
    pub protocol: Protocol,
    /// Whether the listener can do TLS at all.
    pub tls: bool,
    /// What becomes of STARTTLS; as the receiver says where `None`.
    pub starttls: Option<StartTls>,
    /// Whether the connection was under TLS from its first octet.
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
    /// What was known and deferred before a later helo: a refused one changes nothing (RFC 5321 §4.1.4).
    pub(crate) before: Option<Box<(Facts, DeferIfPermit)>>,
    pub(crate) state: State,
    pub(crate) due: Due,
    pub(crate) pause: Duration,
    pub(crate) events: SessionEvents,
    /// Lines of the dialogue so far.
    pub(crate) transcript: usize,
    /// Observations among the events.
    pub(crate) observations: usize,
    /// The client address that the memory counts as connected.
    pub(crate) present: Option<IpAddr>,
    /// How the next output is sent, where a script says so.
    pub(crate) manner: Option<SendMode>,
    pub(crate) quit: bool,
    /// The helo that XCLIENT told.
    pub(crate) told_helo: Option<(Verb, String)>,
    /// What a recipient asked to be said to the final dot.
    pub(crate) at_the_dot: Option<Reply>,
    /// The stage of what is being answered.
    pub(crate) at: Stage,
    /// How many times each script could speak in this session, where one counts that.
    pub(crate) script_counts: Vec<u64>,
    /// The code of the first refusal since the last MAIL.
    pub(crate) refused: Option<ReplyCode>,
    /// Whether a message was acknowledged.
    pub(crate) acknowledged: bool,
    /// Whether messages are kept before they are acknowledged.
    pub(crate) keeps_messages: bool,
    /// Refusals whose remedies still lack the zones that prove them.
    pub(crate) unproved: Vec<(Remedies, Case)>,
}

/// Whether a HELO stands. A refused one is no HELO, and no way around the rules either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeloState {
    None,
    Accepted,
    Refused,
}

/// Where the session stands.
#[derive(Debug)]
pub(crate) enum State {
    /// Between transactions.
    Idle,
    /// MAIL was accepted.
    Transaction(Open),
    /// DATA was accepted.
    Data(Open, Collector),
    /// A chunk is coming in (RFC 3030).
    Chunk(Chunk),
    /// Between the chunks of a message.
    Chunked(Open, MailData),
    /// Within the exchange of AUTH.
    Auth(Exchange),
    /// STARTTLS was accepted: nothing is said until TLS stands.
    Handshake,
    /// A refusal stands: everything but QUIT gets this reply.
    Stuck(Reply),
    /// A line too long is being passed over.
    Passing(Box<OverlongLine>),
    /// Nothing more is said.
    Closed,
}

/// What is to be judged once the facts are there.
#[derive(Debug)]
pub(crate) enum Due {
    /// The client address is to be observed.
    Client,
    /// The greeting is to be held back, where the receiver does that.
    Wait,
    /// The greeting is to be given; true where its first line was said before the wait.
    Greeting(bool),
    /// The reply to HELO or EHLO is to be given.
    Helo(Verb),
    /// The reply to MAIL is to be given.
    Mail(Mail),
    /// The reply to the final dot is to be given.
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
            acknowledged: false,
            keeps_messages: false,
            unproved: Vec::new(),
        }
    }

    /// The session as it is behind a listener of this kind.
    #[must_use]
    pub fn behind(mut self, front: ListenerMode) -> Self {
        self.front = front;
        self.facts.conduct.tls = front.secured;
        self
    }

    /// The session as one of those that share this storage; without it, it has as much as it wants.
    #[must_use]
    pub fn storing_in(mut self, storage: &Arc<MessageBudget>) -> Self {
        self.storage = Some(Arc::clone(storage));
        self
    }

    /// TLS stands, by this version and cipher suite: what was known of the client before is forgotten, as if the session
    /// began anew without a greeting (RFC 3207 §4.2). Octets that came in clear text behind STARTTLS were thrown away;
    /// whoever sent them is out of step.
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

    /// The connection was under TLS from its first octet, by this version and cipher suite.
    pub fn under_tls(&mut self, suite: String) {
        self.facts.conduct.tls = true;
        self.events.push(SessionEvent::Secured(suite));
    }

    /// The listener ended the session, and how.
    pub fn ended(&mut self, by: ClosedBy) {
        self.close(by);
    }

    /// The listener cannot take the PROXY header, or its absence: Postfix's reply, and the end.
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

    /// Takes as many commands, and as much data, as the input holds; replies are appended to the output.
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

    /// How the output is to be sent, once; [`Step::Flush`] asks for it.
    pub fn take_manner(&mut self) -> SendMode {
        self.manner.take().unwrap_or_default()
    }

    /// Whether data is awaited rather than a command: the timeouts differ (RFC 5321 §4.5.3.2).
    pub fn awaits_data(&self) -> bool {
        matches!(self.state, State::Data(..) | State::Chunk(_))
    }

    /// The client was silent too long.
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

    /// The client went away.
    pub fn lost(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.close(ClosedBy::Lost);
        }
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> SessionEvents {
        self.prove_by_session();
        std::mem::take(&mut self.events)
    }

    /// Observes and judges what is due. A pause means that lookups take time: what is due waits for the next call.
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

    /// The one place that ends a transaction.
    pub(crate) fn reset(&mut self) {
        self.abandon();
        if !matches!(self.state, State::Stuck(_) | State::Closed) {
            self.state = State::Idle;
        }
        self.facts.forget_sender();
        self.at_the_dot = None;
    }

    /// Tells of a transaction that ends without a reply to its message.
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

    /// Whether MAIL has to wait for a HELO: one was refused, or a rule would be skipped without one.
    pub(crate) fn lacks_helo(&self) -> bool {
        match self.helo {
            HeloState::Accepted => false,
            HeloState::Refused => true,
            HeloState::None => self.receiver.policy.judges_at(Stage::Helo),
        }
    }

    /// Whether an extension is offered in this session, now.
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
