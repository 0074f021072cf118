//! The events of a session for the event log. Their texts are formatted when somebody reads the log.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::{AuthResult, BareLineEnd, Facts, Helo, Iprev, LookupRecord, Spf, SpfResult};
use crate::journal::{Envelope, EventKind, LateJson, Waiting};
use crate::name;
use crate::policy::Refusal;
use crate::smtp::record::SessionEntry;
use crate::smtp::record::transcript::Speaker;
use crate::smtp::session::event::SessionEvent;
use crate::verdict::ClosedBy;

/// What a session told at one moment: lines of its transcript, and remarks between them.
#[derive(Debug)]
pub struct Telling {
    session: Arc<SessionEntry>,
    at: Timestamp,
    /// The lines of the transcript, from and to.
    lines: (usize, usize),
    /// Each with the number of lines that stand before it.
    remarks: Vec<(usize, Remark)>,
    /// What it holds of the session.
    held: usize,
}

/// What is not a line of the dialogue.
#[derive(Debug)]
pub(crate) enum Remark {
    /// A client connected, which is judged by this address.
    Connection(IpAddr),
    Lookup(Arc<LookupRecord>),
    Observed(Box<Summary>),
    /// A message was accepted: its number, its envelope, its octets.
    Message(u64, Arc<Envelope>, usize),
    Closed(ClosedBy, String),
    Other(Box<EventKind>),
}

impl Remark {
    fn octets(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Connection(_) => 0,
                Self::Closed(_, reason) => reason.len(),
                Self::Lookup(question) => question.octets(),
                Self::Observed(summary) => {
                    size_of::<Summary>() + summary.sender.as_ref().map_or(0, String::len)
                }
                Self::Message(_, envelope, _) => size_of::<Envelope>() + envelope.octets(),
                Self::Other(what) => size_of::<EventKind>() + what.octets(),
            }
    }
}

/// Facts as far as events tell them; the session's record has them whole.
#[derive(Debug)]
pub(crate) struct Summary {
    client_address: IpAddr,
    iprev: Option<Arc<Iprev>>,
    helo: Option<Arc<Helo>>,
    spf_helo: Option<Arc<Spf>>,
    spf_sender: Option<SpfResult>,
    sender: Option<String>,
    bare_newline: Option<BareLineEnd>,
    dmarc: Option<AuthResult>,
}

impl Waiting for Telling {
    fn entries(&self) -> usize {
        self.lines.1 - self.lines.0 + self.remarks.len()
    }

    fn octets(&self) -> usize {
        size_of::<Self>()
            + self.held
            + self
                .remarks
                .iter()
                .map(|(_, remark)| remark.octets())
                .sum::<usize>()
    }
}

impl Telling {
    pub(crate) fn new(
        session: &Arc<SessionEntry>,
        at: Timestamp,
        lines: (usize, usize),
        remarks: Vec<(usize, Remark)>,
        held: usize,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            at,
            lines,
            remarks,
            held,
        }
    }

    /// The session it belongs to.
    pub fn session(&self) -> u64 {
        self.session.id
    }

    /// When it was told.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened, in order.
    pub fn whats(self) -> Vec<EventKind> {
        let (begin, end) = self.lines;
        let mut whats = Vec::with_capacity(end - begin + self.remarks.len());
        self.session.look(|record| {
            let said = |index| {
                record
                    .transcript
                    .get(index)
                    .map(|line| (line.from, Arc::<str>::from(line.text)))
            };
            let mut lines = (begin..end)
                .filter_map(said)
                .map(|(from, text)| match from {
                    Speaker::Client => EventKind::Command { text },
                    Speaker::Server => EventKind::Reply { text },
                });
            let mut told = begin;
            for (before, remark) in self.remarks {
                whats.extend(lines.by_ref().take(before - told));
                told = before;
                whats.push(match remark {
                    Remark::Connection(client_address) => EventKind::Connection {
                        peer: record.peer,
                        client_address,
                    },
                    Remark::Lookup(question) => EventKind::Lookup(question),
                    Remark::Observed(summary) => EventKind::Facts {
                        facts: summary.words(),
                    },
                    Remark::Message(message, envelope, octets) => EventKind::Message {
                        message,
                        sender: envelope.sender.clone(),
                        recipients: envelope.recipients.clone(),
                        octets,
                    },
                    Remark::Closed(closed_by, reason) => EventKind::Closed { closed_by, reason },
                    Remark::Other(what) => *what,
                });
            }
            whats.extend(lines);
        });
        whats
    }
}

/// Makes remarks of the events of one session.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    /// The lookups told so far: facts carry all of them each time.
    told: Vec<Arc<LookupRecord>>,
    /// Why the session is about to end.
    reason: String,
}

impl Teller {
    /// What there is to remark of an event that is no line. Messages are remarked where they are stored.
    pub(crate) fn remark(&mut self, event: &SessionEvent, mut remark: impl FnMut(Remark)) {
        let what = match event {
            SessionEvent::Observed(facts) => {
                self.fresh(facts)
                    .iter()
                    .cloned()
                    .for_each(|question| remark(Remark::Lookup(question)));
                return remark(Remark::Observed(Box::new(Summary::of(facts))));
            }
            SessionEvent::Allowed(reason) => EventKind::Allowed {
                reason: reason.clone(),
            },
            SessionEvent::Refused(refusal) => verdict(refusal),
            SessionEvent::Secured(suite) => EventKind::Secured {
                suite: suite.clone(),
            },
            SessionEvent::Scripted(what) => EventKind::Scripted { what: what.clone() },
            SessionEvent::Reason(reason) => {
                self.reason.clone_from(reason);
                return;
            }
            SessionEvent::Closed(by) => {
                return remark(Remark::Closed(*by, std::mem::take(&mut self.reason)));
            }
            SessionEvent::Line(..)
            | SessionEvent::LineDropped
            | SessionEvent::Renamed(_)
            | SessionEvent::Tried { .. }
            | SessionEvent::Transaction { .. } => return,
        };
        remark(Remark::Other(Box::new(what)));
    }

    /// The lookups that are new.
    fn fresh<'a>(&mut self, facts: &'a Facts) -> &'a [Arc<LookupRecord>] {
        // The same question asked again, by a second EHLO, may have another answer: it is another record.
        let same = |(told, question): &(&Arc<LookupRecord>, &Arc<LookupRecord>)| {
            Arc::ptr_eq(told, question)
        };
        let known = self
            .told
            .iter()
            .zip(&facts.evidence)
            .take_while(same)
            .count();
        self.told.truncate(known);
        let fresh = &facts.evidence[known..];
        self.told.extend(fresh.iter().cloned());
        fresh
    }
}

fn verdict(refusal: &Refusal) -> EventKind {
    let remedies = refusal.remedies.clone();
    EventKind::Verdict {
        verdict: refusal.verdict(),
        source: refusal.source,
        rule: refusal.rule,
        stage: refusal.stage,
        reply: refusal.reply.wire_lines().collect(),
        why: refusal.why.clone(),
        remedies: LateJson::new(move || serde_json::to_value(remedies.view()).unwrap_or_default()),
    }
}

impl Summary {
    fn of(facts: &Facts) -> Self {
        Self {
            client_address: facts.client_address,
            iprev: facts.iprev.clone(),
            helo: facts.helo.clone(),
            spf_helo: facts.spf_helo.clone(),
            spf_sender: facts.spf_sender.as_ref().map(|spf| spf.result),
            sender: facts.sender.clone(),
            bare_newline: facts.conduct.bare_newline,
            dmarc: facts.dmarc.as_ref().map(|dmarc| dmarc.result),
        }
    }

    fn words(self) -> Vec<(&'static str, String)> {
        let mut words = vec![("client_address", self.client_address.to_string())];
        if let Some(iprev) = &self.iprev {
            words.push(("iprev", iprev.result.word().to_owned()));
            words.extend(
                iprev
                    .verified_name
                    .as_ref()
                    .map(|name| ("verified_name", name::display(name))),
            );
        }
        words.extend(self.helo.map(|helo| ("helo", helo.argument.clone())));
        words.extend(
            self.spf_helo
                .map(|spf| ("spf_helo", spf.result.word().to_owned())),
        );
        words.extend(
            self.spf_sender
                .map(|result| ("spf_sender", result.word().to_owned())),
        );
        words.extend(self.sender.map(|sender| ("sender", sender)));
        words.extend(
            self.bare_newline
                .map(|end| ("bare_newline", end.name().to_owned())),
        );
        words.extend(self.dmarc.map(|result| ("dmarc", result.word().to_owned())));
        words
    }
}
