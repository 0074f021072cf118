//! Judgements without sending mail: a session without sockets, over the same zones and through the same [`Session`] as for
//! real connections, so that the result is what a client would get.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;

use crate::dns::Zones;
use crate::facts::{Facts, LookupRecord, Memory, ReceiverLookup, Resolver, SentBefore};
use crate::policy::{Change, Refusal, Remedies, Remedy};
use crate::reply::Reply;
use crate::scenario::{Scenario, plain_message};
use crate::smtp::client::ClientConduct;
use crate::smtp::{ClientAddress, Receiver, Recipients, Session, SessionEvent, Step, amendments};
use crate::stage::Stage;
use crate::verdict::Verdict;

/// The client and the message of a judgement.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The client address.
    pub client: IpAddr,
    /// The HELO name.
    pub helo: String,
    /// The verb: `EHLO` or `HELO`.
    pub verb: String,
    /// The envelope sender; empty for the null sender.
    pub sender: String,
    /// The envelope recipient.
    pub recipient: String,
    /// The message, with CRLF line ends.
    pub message: Vec<u8>,
    /// The mailboxes of the recipient domains.
    pub recipients: Arc<Recipients>,
    /// The deviations from the usual dialogue.
    pub conduct: ClientConduct,
    /// What senders had sent before, for a receiver without a memory of its own.
    pub sent: Arc<[SentBefore]>,
}

impl Attempt {
    /// An attempt with EHLO, the scenario's sender and recipient for all clients, and a short message.
    pub fn of(scenario: &Scenario, client: IpAddr, helo: &str) -> Self {
        Self {
            client,
            helo: helo.to_owned(),
            verb: "EHLO".to_owned(),
            sender: scenario.sender.clone(),
            recipient: scenario.recipient(),
            message: plain_message(&scenario.sender),
            recipients: Arc::new(scenario.recipients()),
            conduct: ClientConduct::default(),
            sent: scenario.sent.as_slice().into(),
        }
    }

    /// The same attempt from another sender, with a message from that sender.
    #[must_use]
    pub fn from_sender(self, sender: String) -> Self {
        Self {
            message: plain_message(&sender),
            sender,
            ..self
        }
    }
}

/// The reply of a receiver to an attempt, and the reason.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// `accept`, `defer` or `reject`.
    pub verdict: Verdict,
    /// The stage of the refusal; `eod` if the message was accepted.
    pub stage: Stage,
    /// The rule that refused; `null` if none did.
    pub rule: Option<&'static str>,
    /// The reply of the refusal, or the reply to the final dot, line by line.
    pub reply: Reply,
    /// The reason for the refusal; empty without one.
    pub why: String,
    /// The reason why rules were bypassed; empty if none were.
    pub allowed: String,
    /// The name of the receiver.
    pub receiver: String,
    /// The client address, after NAT.
    #[serde(rename = "client_address")]
    pub client: IpAddr,
    /// The HELO name.
    pub helo: String,
    /// The facts about the client.
    pub facts: Facts,
    /// The DNS lookups with their answers.
    pub evidence: Vec<Arc<LookupRecord>>,
    /// The remedies, best first.
    pub remedies: Remedies,
    /// The time that the lookups would have taken.
    #[serde(rename = "elapsed_ms", serialize_with = "crate::journal::millis")]
    pub elapsed: Duration,
}

/// Judges an attempt by a receiver without memory of earlier sessions, except for the messages that were sent before.
pub fn judge(
    receiver: &Arc<Receiver>,
    zones: &Zones,
    timeout: Duration,
    attempt: &Attempt,
) -> Judgement {
    let memory = Arc::new(memory_of(receiver, attempt));
    judge_remembering(receiver, memory, zones, timeout, attempt)
}

/// The memory of a receiver before the first session: the messages that were sent before, if a rule asks for them.
pub(crate) fn memory_of(receiver: &Receiver, attempt: &Attempt) -> Memory {
    let memory = Memory::default();
    if !receiver.policy.needs().volumes.is_empty() {
        memory.add_sent_before(&attempt.sent);
    }
    memory
}

/// Plays an attempt against a receiver with memory. It changes the memory and the counts of faults; the caller passes
/// copies if they must not change.
pub(crate) fn judge_remembering(
    receiver: &Arc<Receiver>,
    memory: Arc<Memory>,
    zones: &Zones,
    timeout: Duration,
    attempt: &Attempt,
) -> Judgement {
    played(receiver, memory, &Resolver::new(zones, timeout), attempt)
}

/// Plays an attempt against a receiver whose lookups are answered by something other than zones.
pub(crate) fn judge_by_lookup(
    receiver: &Arc<Receiver>,
    lookup: &dyn ReceiverLookup,
    attempt: &Attempt,
) -> Judgement {
    played(receiver, Arc::default(), lookup, attempt)
}

fn played(
    receiver: &Arc<Receiver>,
    memory: Arc<Memory>,
    lookup: &dyn ReceiverLookup,
    attempt: &Attempt,
) -> Judgement {
    for _ in 0..attempt.conduct.open {
        memory.connected(attempt.client);
    }
    let mut play = Play::new(receiver, memory, lookup, attempt);
    if attempt.conduct.says.is_empty() {
        play.usual(attempt);
    } else {
        play.says(&attempt.conduct);
    }
    play.conclude(receiver, attempt)
}

/// The zones and the attempt after a remedy; `None` unless the remedy is a record, a HELO name or a client address.
///
/// An attempt cannot try exemptions by the receiver, or changes of the client's behaviour.
pub(crate) fn remedied(
    zones: &Zones,
    attempt: &Attempt,
    remedy: &Remedy,
) -> Option<(Zones, Attempt)> {
    let mut attempt = attempt.clone();
    for change in &remedy.all_of {
        match change {
            Change::SendFrom(address) => attempt.client = *address,
            Change::SayHelo(Some(helo)) => attempt.helo.clone_from(helo),
            Change::AddRecord { .. }
            | Change::ReplaceRecord { .. }
            | Change::Delist { .. }
            | Change::MendDns(_) => {}
            _ => return None,
        }
    }
    let amendments: Vec<_> = remedy.all_of.iter().flat_map(amendments).collect();
    Some((zones.amended(&amendments)?, attempt))
}

struct Play<'a> {
    session: Session,
    lookup: &'a dyn ReceiverLookup,
    facts: Facts,
    allowed: String,
    refusal: Option<Refusal>,
    stage: Stage,
    reply: Option<Reply>,
    elapsed: Duration,
}

impl<'a> Play<'a> {
    fn new(
        receiver: &Arc<Receiver>,
        memory: Arc<Memory>,
        lookup: &'a dyn ReceiverLookup,
        attempt: &Attempt,
    ) -> Self {
        let client = ClientAddress::fixed(attempt.client);
        let peer = SocketAddr::new(client.address, 0);
        Self {
            facts: Facts::new(client.address),
            session: Session::new(Arc::clone(receiver), memory, client, peer, 0)
                .with_recipients(&attempt.recipients),
            lookup,
            allowed: String::new(),
            refusal: None,
            stage: Stage::Connect,
            reply: None,
            elapsed: Duration::ZERO,
        }
    }

    /// The usual dialogue, up to the first refusal.
    fn usual(&mut self, attempt: &Attempt) {
        let conduct = &attempt.conduct;
        let helo = format!("{} {}\r\n", attempt.verb, attempt.helo);
        let mail = format!("MAIL FROM:<{}>\r\n", attempt.sender);
        let rcpt = format!("RCPT TO:<{}>\r\n", attempt.recipient);
        let data = crate::smtp::client::stuffed(&attempt.message);
        if !(self.say(Stage::Connect, b"") && self.say(Stage::Helo, helo.as_bytes())) {
            return;
        }
        for _ in 0..conduct.messages {
            let whole = self.say(Stage::Mail, mail.as_bytes())
                && (0..conduct.recipients).all(|_| self.say(Stage::Rcpt, rcpt.as_bytes()))
                && self.say(Stage::Data, b"DATA\r\n")
                && self.say(Stage::Eod, &data);
            if !whole {
                return;
            }
        }
    }

    /// What the conduct says, up to the first refusal.
    fn says(&mut self, conduct: &ClientConduct) {
        let says = conduct.says.iter().map(String::as_str);
        let (mut stage, greeting) = (Stage::Connect, (!conduct.early).then_some(""));
        for (nth, input) in greeting.into_iter().chain(says).enumerate() {
            let of_line = input
                .lines()
                .filter_map(ClientConduct::stage_of)
                .next_back();
            let wants_data = self.reply.as_ref().is_some_and(|r| r.code().get() == 354);
            stage = match of_line {
                _ if nth == 0 => Stage::Connect,
                _ if wants_data => Stage::Eod,
                of_line => of_line.unwrap_or(stage),
            };
            let octets = match input {
                "" => Vec::new(),
                input => ClientConduct::octets(input),
            };
            if !self.say(stage, &octets) {
                return;
            }
        }
    }

    /// Sends octets, and records the reply and the events of the session. Returns true if the session goes on.
    fn say(&mut self, stage: Stage, octets: &[u8]) -> bool {
        let (mut input, mut output) = (BytesMut::from(octets), Vec::new());
        while let Step::Pause(pause) | Step::Listen(pause) =
            self.session.advance(&mut input, &mut output, self.lookup)
        {
            self.elapsed += pause;
        }
        self.stage = stage;
        self.reply = read_reply(&output);
        for event in self.session.take_events() {
            match event {
                SessionEvent::Observed(facts) => self.facts = *facts,
                SessionEvent::Refused(refusal) => {
                    self.refusal = self.refusal.take().or(Some(*refusal))
                }
                SessionEvent::Allowed(reason) => self.allowed = reason,
                _ => {}
            }
        }
        let code = self.reply.as_ref().map(Reply::code);
        code.is_none_or(|code| !code.is_refusal() && code.get() != 221)
    }

    fn conclude(self, receiver: &Receiver, attempt: &Attempt) -> Judgement {
        let reply = self
            .reply
            .unwrap_or_else(crate::smtp::protocol::replies::shutdown);
        let refused = Some(reply.code()).filter(|code| code.is_refusal());
        let verdict = Verdict::of(refused, true);
        let (rule, why, remedies) = match self.refusal {
            Some(refusal) => (refusal.by_rule(), refusal.why, refusal.remedies),
            None if verdict == Verdict::Accept => (None, String::new(), Remedies::default()),
            None => (
                None,
                "the SMTP server itself refuses".to_owned(),
                Remedies::default(),
            ),
        };
        let mut facts = self.facts;
        let evidence = std::mem::take(&mut facts.evidence);
        Judgement {
            verdict,
            stage: self.stage,
            rule,
            reply,
            why,
            allowed: self.allowed,
            receiver: receiver.name.clone(),
            client: facts.client_address,
            helo: attempt.helo.clone(),
            facts,
            evidence,
            remedies,
            elapsed: self.elapsed,
        }
    }
}

/// The first refusal in the output of one step, or the last reply.
fn read_reply(output: &[u8]) -> Option<Reply> {
    let text = String::from_utf8_lossy(output);
    let mut lines = Vec::new();
    let mut last = None;
    for line in text.lines() {
        lines.push(line);
        if line.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        last = Reply::parse(&std::mem::take(&mut lines)).ok();
        if last.as_ref().is_some_and(|reply| reply.code().is_refusal()) {
            break;
        }
    }
    last
}
