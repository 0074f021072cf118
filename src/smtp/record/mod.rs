//! The record of a session in the journal.

mod accessors;
pub(crate) mod events;
pub(crate) mod restore;
pub(crate) mod transcript;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use crate::facts::{Facts, LookupRecord};
use crate::journal::{Entry, Envelope, EventKind, Message, StoredSession};
use crate::policy::Refusal;
use crate::reply::Reply;
use crate::smtp::record::events::{EventWriter, PendingEvents};
use crate::smtp::record::transcript::{Transcript, TranscriptLine};
use crate::smtp::session::event::{AcceptedMessage, SessionEvent, SessionEvents};
use crate::smtp::{AddressSource, ClientAddress};
use crate::verdict::{ClosedBy, Verdict};

/// One transaction, from MAIL to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Transaction {
    /// The envelope.
    #[serde(flatten)]
    pub envelope: Arc<Envelope>,
    /// The verdict, as defined in [`crate::verdict`].
    pub verdict: Verdict,
    /// The reply to the final dot, line by line; empty without one.
    pub reply: Vec<String>,
    /// The number of the message; `None` if none was accepted.
    pub message: Option<u64>,
}

/// The record of a session, running or ended.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRecord {
    /// The number of the session in this world, from 1.
    pub(crate) id: u64,
    /// The time at which the connection was accepted.
    pub(crate) started: Timestamp,
    /// The time at which the session ended; `null` while it runs.
    pub(crate) ended: Option<Timestamp>,
    /// The peer of the socket.
    pub(crate) peer: SocketAddr,
    /// The client address that the rules use.
    pub(crate) client_address: IpAddr,
    /// The source of the client address.
    pub(crate) client_source: AddressSource,
    /// The client address before NAT; `null` without NAT.
    pub(crate) translated_from: Option<IpAddr>,
    /// The name of the receiver that judges the session.
    pub(crate) receiver: String,
    /// TLS version and cipher suite; empty in clear text.
    pub(crate) tls: String,
    /// The clock of the world when the connection was accepted: the time since its start, including advances.
    #[serde(rename = "clock_ms", serialize_with = "crate::journal::millis")]
    pub(crate) clock: Duration,
    /// The argument of the last HELO or EHLO; empty before.
    pub(crate) helo: String,
    /// The envelope sender of the last transaction; empty before, and for the null sender.
    pub(crate) sender: String,
    /// The recipients in RCPT commands, accepted or not.
    pub(crate) recipients: Vec<String>,
    /// The verdict so far, as defined in [`crate::verdict`].
    pub(crate) verdict: Verdict,
    /// The reply of the first refusal, or else of the last transaction.
    pub(crate) reply: Vec<String>,
    /// All refusals, with source, rule, stage, reply and remedies.
    pub(crate) refusals: Vec<Refusal>,
    /// The reason why rules were bypassed; empty if none were.
    pub(crate) allowed: String,
    /// The facts about the client.
    pub(crate) facts: Facts,
    /// The DNS lookups of the receiver with their answers.
    pub(crate) evidence: Vec<Arc<LookupRecord>>,
    /// The scripts that took effect.
    pub(crate) scripted: Vec<String>,
    /// The completed transactions.
    pub(crate) transactions: Vec<Transaction>,
    /// The dialogue.
    pub(crate) transcript: Transcript,
    /// The number of lines that the transcript does not keep.
    pub(crate) transcript_dropped: u64,
    /// The size of the stored transactions in octets.
    #[serde(skip)]
    transaction_octets: usize,
    /// The approximate growth in octets.
    #[serde(skip)]
    octets: usize,
    /// What ended the session; `null` while it runs.
    pub(crate) closed_by: Option<ClosedBy>,
    /// The reason of a lost connection or a failed TLS handshake; empty if the session ended in order.
    pub(crate) closed_reason: String,
    /// Facts and evidence as JSON, for a session of an earlier process that was loaded from a journal file.
    #[serde(skip)]
    pub(crate) archived: Option<Box<(serde_json::Value, serde_json::Value)>>,
}

impl SessionRecord {
    pub(crate) fn new(
        id: u64,
        peer: SocketAddr,
        client: ClientAddress,
        receiver: String,
        clock: Duration,
    ) -> Self {
        let mut record = Self {
            receiver,
            id,
            started: Timestamp::now(),
            ended: None,
            peer,
            client_address: client.address,
            client_source: client.source,
            translated_from: client.translated_from,
            tls: String::new(),
            clock,
            helo: String::new(),
            sender: String::new(),
            recipients: Vec::new(),
            verdict: Verdict::None,
            reply: Vec::new(),
            refusals: Vec::new(),
            allowed: String::new(),
            facts: Facts::new(client.address),
            evidence: Vec::new(),
            scripted: Vec::new(),
            transactions: Vec::new(),
            transcript: Transcript::default(),
            transcript_dropped: 0,
            transaction_octets: 0,
            octets: 0,
            closed_by: None,
            closed_reason: String::new(),
            archived: None,
        };
        record.rename(client);
        record
    }

    fn rename(&mut self, client: ClientAddress) {
        self.client_address = client.address;
        self.client_source = client.source;
        self.translated_from = client.translated_from;
    }

    /// Applies an event; `message` is the number of an accepted message. Returns the approximate number of octets added.
    fn apply(
        &mut self,
        event: SessionEvent,
        text_buffer: &str,
        at: Timestamp,
        message: Option<u64>,
    ) -> usize {
        match event {
            SessionEvent::Line(from, text) => {
                let text = text_buffer.get(text).unwrap_or_default();
                return self.transcript.push(TranscriptLine { at, from, text });
            }
            SessionEvent::LineDropped => self.transcript_dropped += 1,
            SessionEvent::Observed(mut facts) => {
                self.evidence = std::mem::take(&mut facts.evidence);
                self.helo = facts
                    .helo
                    .as_ref()
                    .map(|h| h.argument.clone())
                    .unwrap_or_default();
                if let Some(sender) = &facts.sender {
                    self.sender.clone_from(sender);
                }
                self.facts = *facts;
            }
            SessionEvent::Renamed(client) => self.rename(client),
            SessionEvent::Scripted(what) if self.scripted.len() < REFUSALS => {
                self.scripted.push(what)
            }
            SessionEvent::Scripted(_) => {}
            SessionEvent::Secured(suite) => self.tls = suite,
            SessionEvent::Allowed(reason) => self.allowed = reason,
            SessionEvent::Tried { sender, recipient } => return self.tried(sender, recipient),
            SessionEvent::Refused(refusal) => return self.refused(*refusal),
            SessionEvent::Transaction {
                envelope,
                verdict,
                reply,
                message: _,
            } => {
                if self.sender != envelope.sender {
                    self.sender.clone_from(&envelope.sender);
                }
                let answered = reply.is_some();
                let reply: Vec<_> = reply.iter().flat_map(Reply::wire_lines).collect();
                if verdict == Verdict::Accept && self.refusals.is_empty() {
                    self.verdict = Verdict::Accept;
                }
                if answered && self.refusals.is_empty() {
                    self.reply.clone_from(&reply);
                }
                let octets = size_of::<Transaction>() + envelope.octets();
                if self.transactions.len() < TRANSACTIONS
                    && self.transaction_octets + octets <= TRANSACTION_OCTETS
                {
                    self.transaction_octets += octets;
                    self.transactions.push(Transaction {
                        envelope,
                        verdict,
                        reply,
                        message,
                    });
                    return octets;
                }
            }
            SessionEvent::Reason(reason) => self.closed_reason = reason,
            SessionEvent::Closed(by) => {
                self.closed_by = Some(by);
                self.ended = Some(at);
            }
        }
        0
    }

    fn tried(&mut self, sender: String, recipient: String) -> usize {
        self.sender = sender;
        if self.recipients.len() >= RECIPIENTS || self.recipients.contains(&recipient) {
            return 0;
        }
        let octets = size_of::<String>() + recipient.len();
        self.recipients.push(recipient);
        octets
    }

    /// Calls `each` with the envelope sender of every transaction.
    pub fn senders<'a>(&'a self, mut each: impl FnMut(&'a str)) {
        each(&self.sender);
        for transaction in &self.transactions {
            if transaction.envelope.sender != self.sender {
                each(&transaction.envelope.sender);
            }
        }
    }

    /// Whether the verdict is known: the session ended, something was refused, or a message was acknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        self.closed_by.is_some() || self.verdict != Verdict::None
    }

    fn refused(&mut self, refusal: Refusal) -> usize {
        if self.refusals.is_empty() {
            self.verdict = refusal.verdict();
            self.reply = refusal.reply.wire_lines().collect();
        }
        // A client that retries forever gets the same refusal forever; the first ones are enough.
        if self.refusals.len() >= REFUSALS {
            return 0;
        }
        // A refusal keeps facts and shares the zones until its remedies are verified.
        let octets = size_of::<Refusal>() + refusal.why.len() + size_of::<Facts>() + 1024;
        self.refusals.push(refusal);
        octets
    }
}

/// Maximum number of recipients kept of one session.
const RECIPIENTS: usize = 100;
/// Maximum number of refusals kept of one session.
const REFUSALS: usize = 100;
/// Growth of a record after which the journal is informed, in octets.
const REPORT_OCTETS: usize = 4096;
/// Maximum number of transactions kept of one session; messages are in their own log.
const TRANSACTIONS: usize = 1000;
/// Maximum size of their envelopes in octets; an envelope of 1000 recipients with parameters takes one MiB.
const TRANSACTION_OCTETS: usize = 4 << 20;

/// A session in the journal. A running session changes within its entry.
#[derive(Debug)]
pub struct SessionEntry {
    /// The number of the session in this world, from 1.
    pub id: u64,
    /// Lock order: after the logs of sessions and events, before the log of messages, to which the messages of the session are appended.
    record: Mutex<SessionRecord>,
    /// Octets added since the journal was last informed.
    grown: AtomicUsize,
}

impl SessionEntry {
    pub(crate) fn new(
        id: u64,
        peer: SocketAddr,
        client: ClientAddress,
        receiver: &str,
        clock: Duration,
    ) -> Self {
        Self::of(SessionRecord::new(
            id,
            peer,
            client,
            receiver.to_owned(),
            clock,
        ))
    }

    pub(crate) fn of(record: SessionRecord) -> Self {
        Self {
            id: record.id,
            record: Mutex::new(record),
            grown: AtomicUsize::new(0),
        }
    }

    /// A snapshot of the session.
    pub fn snapshot(&self) -> SessionRecord {
        self.record.lock().clone()
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.record.lock().closed_by.is_some()
    }

    /// The first event: the connection.
    pub(crate) fn connected(self: &Arc<Self>) -> PendingEvents {
        let (at, connection) = self.look(|record| {
            let (peer, client_address) = (record.peer, record.client_address);
            let connection = EventKind::Connection {
                peer,
                client_address,
            };
            (record.started, connection)
        });
        PendingEvents::new(self, at, 0..0, vec![(0, connection)], 0)
    }

    /// Applies events after their replies are sent, and returns them for the event log. `store` stores an accepted
    /// message; it returns `None` for a session that began before a reset.
    pub(crate) fn publish(
        self: &Arc<Self>,
        events: &mut SessionEvents,
        writer: &mut EventWriter,
        mut store: impl FnMut(&Arc<Envelope>, AcceptedMessage) -> Option<Arc<Message>>,
    ) -> PendingEvents {
        let at = Timestamp::now();
        let mut record = self.record.lock();
        let (mut grown, mut written) = (0, Vec::new());
        let before = record.transcript.len();
        let (drained, text_buffer) = events.drain();
        for mut event in drained {
            let lines = record.transcript.len();
            writer.write(&event, |event| written.push((lines, event)));
            let mut number = None;
            if let SessionEvent::Transaction {
                envelope, message, ..
            } = &mut event
                && let Some(accepted) = message.take()
                && let Some(message) = store(envelope, accepted)
            {
                number = Some(message.id);
                let accepted = events::accepted(message.id, envelope, message.octets.len());
                written.push((lines, accepted));
            }
            grown += record.apply(event, text_buffer, at, number);
        }
        let lines = before..record.transcript.len();
        record.octets += grown;
        // The last events keep the session in memory; everything else may have dropped it by then.
        let held = if record.closed_by.is_none() {
            grown
        } else {
            self.octets() + record.octets
        };
        drop(record);
        self.grown.fetch_add(grown, Ordering::Relaxed);
        PendingEvents::new(self, at, lines, written, held)
    }

    /// Writes the one log line of the session, in its span.
    pub(crate) fn log_end(&self) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        self.look(|record| {
            let refusal = record.refusals.first();
            tracing::info!(
                verdict = record.verdict.name(),
                source = refusal.map(|refusal| refusal.source.name()),
                rule = refusal.and_then(Refusal::by_rule),
                code = record.code(),
                stage = refusal.map(|refusal| refusal.stage.name()),
                closed_by = record.closed_by.map(ClosedBy::name),
                reason = Some(record.closed_reason.as_str()).filter(|reason| !reason.is_empty()),
                "session ended"
            );
        });
    }

    /// Calls `look` with the record, without a copy. The session is blocked meanwhile.
    pub fn look<R>(&self, look: impl FnOnce(&SessionRecord) -> R) -> R {
        look(&self.record.lock())
    }

    /// Calls `look` with the record like [`SessionEntry::look`], after the remedies of its refusals are verified.
    /// Verification takes time, and the session must not be blocked for it.
    pub(crate) fn explain<R>(&self, look: impl FnOnce(&SessionRecord) -> R) -> R {
        let remedies = self.look(|record| {
            let refusals = record.refusals.iter();
            refusals
                .map(|refusal| refusal.remedies.clone())
                .collect::<Vec<_>>()
        });
        for remedies in &remedies {
            remedies.verify();
        }
        self.look(look)
    }

    /// The octets that the record grew by, every 4 KiB and at the end; otherwise 0.
    pub(crate) fn grown(&self) -> usize {
        let grown = self.grown.load(Ordering::Relaxed);
        if grown < REPORT_OCTETS && !self.is_closed() {
            return 0;
        }
        self.grown.swap(0, Ordering::Relaxed)
    }
}

impl Entry for SessionEntry {
    /// The size of a session at its start; the journal is informed of its growth.
    fn octets(&self) -> usize {
        size_of::<Self>() + 4096
    }
}

impl StoredSession for SessionEntry {
    fn id(&self) -> u64 {
        self.id
    }

    fn json(&self) -> String {
        self.explain(|record| serde_json::to_string(record).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;
    use crate::smtp::ClientAddress;
    use crate::stage::Stage;
    use crate::verdict::Source;

    /// Verification must not hold the lock of the record, because that would block the session.
    #[test]
    fn remedies_are_verified_without_the_lock() {
        let client = ClientAddress::fixed([192, 0, 2, 10].into());
        let entry = Arc::new(SessionEntry::new(
            1,
            SocketAddr::from(([127, 0, 0, 1], 25)),
            client,
            "lenient",
            Duration::ZERO,
        ));
        let reply = Reply::parse(&["550 no"]).expect("a reply");
        let refusal = Refusal::without_rule(Source::Protocol, Stage::Rcpt, reply, "no".to_owned());
        let (verified, session) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&entry));
        let count = Arc::clone(&verified);
        refusal.remedies.verify_with(move |proposals| {
            assert!(session.record.try_lock().is_some(), "the session is locked");
            count.fetch_add(1, Ordering::Relaxed);
            proposals
        });
        entry.record.lock().refusals.push(refusal);
        for _ in 0..2 {
            let remedies = entry.explain(|record| record.refusals[0].remedies.len());
            assert_eq!(remedies, 0);
        }
        assert_eq!(
            verified.load(Ordering::Relaxed),
            1,
            "remedies are verified once"
        );
    }
}
