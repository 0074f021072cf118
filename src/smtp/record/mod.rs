//! What the journal keeps of a session.

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
use crate::journal::{Entry, Envelope, Message, StoredSession};
use crate::policy::Refusal;
use crate::reply::Reply;
use crate::smtp::record::events::{Remark, Teller, Telling};
use crate::smtp::record::transcript::{Transcript, TranscriptLine};
use crate::smtp::session::event::{AcceptedMessage, SessionEvent, SessionEvents};
use crate::smtp::{AddressSource, ClientAddress};
use crate::verdict::{ClosedBy, Verdict};

/// One transaction, from MAIL to its end: at its final dot, or before.
#[derive(Clone, Debug, Serialize)]
pub struct Transaction {
    /// Its envelope.
    #[serde(flatten)]
    pub envelope: Arc<Envelope>,
    /// What it came to, as [`crate::verdict`] defines it.
    pub verdict: Verdict,
    /// The reply to the final dot, as wire lines; empty where none was sent.
    pub reply: Vec<String>,
    /// The number of the message, where it was accepted.
    pub message: Option<u64>,
}

/// A session as far as it has come.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRecord {
    /// Its number in this world, from 1.
    pub id: u64,
    /// When the connection was accepted.
    pub started: Timestamp,
    /// When it ended; `null` while it runs.
    pub ended: Option<Timestamp>,
    /// The socket's peer.
    pub peer: SocketAddr,
    /// The address it is judged by.
    pub client_address: IpAddr,
    /// Where that address comes from.
    pub client_source: AddressSource,
    /// The address before translation, where there was one.
    pub translated_from: Option<IpAddr>,
    /// TLS version and cipher suite, empty where the session was in clear text.
    pub tls: String,
    /// The receiver's clock when the connection was accepted: the time since the world began, advances included.
    #[serde(rename = "clock_ms", serialize_with = "crate::journal::millis")]
    pub clock: Duration,
    /// The last HELO/EHLO argument, empty before.
    pub helo: String,
    /// The reverse-path of the last transaction that was tried; empty before, and for the null reverse-path.
    pub sender: String,
    /// The arguments of RCPT, accepted or not.
    pub recipients: Vec<String>,
    /// What it came to so far, as [`crate::verdict`] defines it.
    pub verdict: Verdict,
    /// The reply of the first refusal; else that of the last transaction.
    pub reply: Vec<String>,
    /// Every refusal, with its source, rule, stage, reply and remedies.
    pub refusals: Vec<Refusal>,
    /// Why rules were passed over, empty where none were.
    pub allowed: String,
    /// What was observed.
    pub facts: Facts,
    /// The DNS questions the receiver asked, and what came back.
    pub evidence: Vec<Arc<LookupRecord>>,
    /// The scripts that spoke.
    pub scripted: Vec<String>,
    /// The transactions that ended.
    pub transactions: Vec<Transaction>,
    /// What was said.
    pub transcript: Transcript,
    /// Lines beyond what is kept.
    pub transcript_dropped: u64,
    /// Octets of the transactions kept.
    #[serde(skip)]
    transaction_octets: usize,
    /// Octets that it grew by, roughly.
    #[serde(skip)]
    octets: usize,
    /// What ended it; `null` while it runs.
    pub closed_by: Option<ClosedBy>,
    /// Facts and evidence of an earlier process, as JSON: what was read again from a journal file.
    #[serde(skip)]
    pub archived: Option<Box<(serde_json::Value, serde_json::Value)>>,
}

impl SessionRecord {
    pub(crate) fn new(id: u64, peer: SocketAddr, client: ClientAddress, clock: Duration) -> Self {
        let mut record = Self {
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

    /// Takes in an event; `message` is the number that an accepted message got. Gives the octets it added, roughly.
    fn apply(
        &mut self,
        event: SessionEvent,
        speech: &str,
        at: Timestamp,
        message: Option<u64>,
    ) -> usize {
        match event {
            SessionEvent::Line(from, text) => {
                let text = speech.get(text).unwrap_or_default();
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

    /// The reverse-paths: of the transactions that ended, and the last one that was tried.
    pub fn senders<'a>(&'a self, mut each: impl FnMut(&'a str)) {
        each(&self.sender);
        for transaction in &self.transactions {
            if transaction.envelope.sender != self.sender {
                each(&transaction.envelope.sender);
            }
        }
    }

    /// Whether what it comes to is known: it ended, something was refused, or a message was acknowledged.
    pub fn is_settled(&self) -> bool {
        self.closed_by.is_some() || self.verdict != Verdict::None
    }

    fn refused(&mut self, refusal: Refusal) -> usize {
        if self.refusals.is_empty() {
            self.verdict = refusal.verdict();
            self.reply = refusal.reply.wire_lines().collect();
        }
        // A client that tries for ever meets the same refusal for ever: the first ones tell all.
        if self.refusals.len() >= REFUSALS {
            return 0;
        }
        // What the proof of its remedies keeps are facts, and a share in the zones.
        let octets = size_of::<Refusal>() + refusal.why.len() + size_of::<Facts>() + 1024;
        self.refusals.push(refusal);
        octets
    }
}

/// Most recipients kept of one session.
const RECIPIENTS: usize = 100;
/// Most refusals kept of one session.
const REFUSALS: usize = 100;
/// Growth of a record that is told to the journal.
const TOLD_OCTETS: usize = 4096;
/// Most transactions kept of one session; the messages stand in their own log.
const TRANSACTIONS: usize = 1000;
/// Most octets that the envelopes of those take: an envelope of 1000 recipients with their parameters takes one MiB.
const TRANSACTION_OCTETS: usize = 4 << 20;

/// A session in the journal: running sessions change within their entry.
#[derive(Debug)]
pub struct SessionEntry {
    /// Its number in this world, from 1.
    pub id: u64,
    record: Mutex<SessionRecord>,
    /// Octets added since the journal was last told.
    grown: AtomicUsize,
}

impl SessionEntry {
    pub(crate) fn new(id: u64, peer: SocketAddr, client: ClientAddress, clock: Duration) -> Self {
        Self::of(SessionRecord::new(id, peer, client, clock))
    }

    pub(crate) fn of(record: SessionRecord) -> Self {
        Self {
            id: record.id,
            record: Mutex::new(record),
            grown: AtomicUsize::new(0),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut SessionRecord)) {
        change(&mut self.record.lock());
    }

    /// The session as it stands now.
    pub fn snapshot(&self) -> SessionRecord {
        self.record.lock().clone()
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.record.lock().closed_by.is_some()
    }

    /// What the event log is told first.
    pub(crate) fn connected(self: &Arc<Self>) -> Telling {
        let (at, client) = self.look(|record| (record.started, record.client_address));
        Telling::new(self, at, (0, 0), vec![(0, Remark::Connection(client))], 0)
    }

    /// Takes in what happened, once it has been sent, and gives what the event log is to be told; `store` keeps an
    /// accepted message and gives what it has become; nothing where the session began before a reset.
    pub(crate) fn publish(
        self: &Arc<Self>,
        events: &mut SessionEvents,
        teller: &mut Teller,
        mut store: impl FnMut(&Arc<Envelope>, AcceptedMessage) -> Option<Arc<Message>>,
    ) -> Telling {
        let at = Timestamp::now();
        let mut record = self.record.lock();
        let (mut grown, mut remarks) = (0, Vec::new());
        let before = record.transcript.len();
        let (events, speech) = events.drain();
        for mut event in events {
            let lines = record.transcript.len();
            teller.remark(&event, |remark| remarks.push((lines, remark)));
            let mut number = None;
            if let SessionEvent::Transaction {
                envelope, message, ..
            } = &mut event
                && let Some(accepted) = message.take()
                && let Some(message) = store(envelope, accepted)
            {
                number = Some(message.id);
                remarks.push((
                    lines,
                    Remark::Message(message.id, Arc::clone(envelope), message.octets.len()),
                ));
            }
            grown += record.apply(event, speech, at, number);
        }
        let lines = (before, record.transcript.len());
        record.octets += grown;
        // The last telling holds the session: nothing else may by then.
        let held = if record.closed_by.is_none() {
            grown
        } else {
            self.octets() + record.octets
        };
        drop(record);
        self.grown.fetch_add(grown, Ordering::Relaxed);
        Telling::new(self, at, lines, remarks, held)
    }

    /// Logs how the session ended: one line a session, in the span of it.
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
                "session ended"
            );
        });
    }

    /// Looks at the record without copying it; what `look` does holds up the session.
    pub fn look<R>(&self, look: impl FnOnce(&SessionRecord) -> R) -> R {
        look(&self.record.lock())
    }

    /// The octets that the record grew by, once they are worth telling: every 4 KiB, and at the end.
    pub(crate) fn grown(&self) -> usize {
        let grown = self.grown.load(Ordering::Relaxed);
        if grown < TOLD_OCTETS && !self.is_closed() {
            return 0;
        }
        self.grown.swap(0, Ordering::Relaxed)
    }
}

impl Entry for SessionEntry {
    /// What a session takes as it begins; how it grows is told to the journal as it does.
    fn octets(&self) -> usize {
        size_of::<Self>() + 4096
    }
}

impl StoredSession for SessionEntry {
    fn id(&self) -> u64 {
        self.id
    }

    fn json(&self) -> String {
        self.look(|record| serde_json::to_string(record).unwrap_or_default())
    }
}
