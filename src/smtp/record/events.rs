//! Converts the events of a session to those of the event log.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::{Facts, LookupRecord};
use crate::journal::{Envelope, EventKind, LateJson, ObservedFacts, Waiting};
use crate::policy::Refusal;
use crate::smtp::record::SessionEntry;
use crate::smtp::session::event::{SessionEvent, Speaker};

/// Events that a session published together and that the event log has not read yet.
///
/// A session publishes events after its replies are sent. A busy server has many more events than anybody reads:
/// creating the events of the log within the session took a fifth of its CPU time. Therefore the session appends one of
/// these values to the backlog of the event log, and the log calls `PendingEvents::into_kinds` when it is read or
/// appended to. Most events are lines of the dialogue, which are not copied: this value has their range in the
/// transcript, and keeps the session. The other events are few. They have the type [`EventKind`] of the log from the
/// beginning, in the cheapest forms: lookups are shared with the facts, facts become text when the event is serialized,
/// and remedies are verified then.
/// Until the log has read them, these events count with the memory that they keep in use: the octets that they added to
/// the record and, for the last event of a session, the whole record. The limit of the log therefore limits the backlog
/// as well, and events that the backlog drops are counted as dropped by the log.
#[derive(Debug)]
pub(crate) struct PendingEvents {
    session: Arc<SessionEntry>,
    at: Timestamp,
    /// The range of lines in the transcript.
    lines: Range<usize>,
    /// The other events, each with the number of lines that the transcript had before it.
    events: Vec<(usize, EventKind)>,
    /// The octets of the session that these events keep in use.
    held: usize,
}

impl Waiting for PendingEvents {
    fn entries(&self) -> usize {
        self.lines.len() + self.events.len()
    }

    fn octets(&self) -> usize {
        let events = self.events.iter();
        let events: usize = events
            .map(|(_, event)| size_of::<EventKind>() + event.octets())
            .sum();
        size_of::<Self>() + self.held + events
    }
}

impl PendingEvents {
    pub(crate) fn new(
        session: &Arc<SessionEntry>,
        at: Timestamp,
        lines: Range<usize>,
        events: Vec<(usize, EventKind)>,
        held: usize,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            at,
            lines,
            events,
            held,
        }
    }

    /// The number of the session.
    pub(crate) fn session(&self) -> u64 {
        self.session.id
    }

    /// The time at which they were published.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// The events of the log, in order.
    pub(crate) fn into_kinds(self) -> Vec<EventKind> {
        let mut kinds = Vec::with_capacity(self.entries());
        let mut taken = self.lines.start;
        self.session.look(|record| {
            let line_at = |index| record.transcript.get(index);
            let mut lines = self.lines.filter_map(line_at).map(|line| {
                let text = Arc::from(line.text);
                match line.from {
                    Speaker::Client => EventKind::Command { text },
                    Speaker::Server => EventKind::Reply { text },
                }
            });
            for (before, event) in self.events {
                kinds.extend(lines.by_ref().take(before - taken));
                taken = before;
                kinds.push(event);
            }
            kinds.extend(lines);
        });
        kinds
    }
}

/// Writes the events of one session as events of the log.
#[derive(Debug, Default)]
pub(crate) struct EventWriter {
    /// The lookups written so far: facts contain all lookups each time.
    written: Vec<Arc<LookupRecord>>,
    /// The reason why the session is about to end.
    reason: String,
}

impl EventWriter {
    /// Calls `write` with each event of the log for an event of the session. Lines are not among them, and a message is
    /// written when it has its number.
    pub(crate) fn write(&mut self, event: &SessionEvent, mut write: impl FnMut(EventKind)) {
        match event {
            SessionEvent::Observed(facts) => {
                let lookups = self.new_lookups(facts).iter().cloned();
                lookups.map(EventKind::Lookup).for_each(&mut write);
                write(observed(facts));
            }
            SessionEvent::Allowed(reason) => write(EventKind::Allowed {
                reason: reason.clone(),
            }),
            SessionEvent::Refused(refusal) => write(refused(refusal)),
            SessionEvent::Secured(suite) => write(EventKind::Secured {
                suite: suite.clone(),
            }),
            SessionEvent::Scripted(what) => write(EventKind::Scripted { what: what.clone() }),
            SessionEvent::Reason(reason) => self.reason.clone_from(reason),
            SessionEvent::Closed(by) => write(EventKind::Closed {
                closed_by: *by,
                reason: std::mem::take(&mut self.reason),
            }),
            SessionEvent::Line(..)
            | SessionEvent::LineDropped
            | SessionEvent::Renamed(_)
            | SessionEvent::Tried { .. }
            | SessionEvent::Transaction { .. } => {}
        }
    }

    /// The lookups that are not written yet.
    fn new_lookups<'a>(&mut self, facts: &'a Facts) -> &'a [Arc<LookupRecord>] {
        // The same question of a second EHLO can have another answer, so it is another lookup.
        let same = |(written, lookup): &(&Arc<LookupRecord>, &Arc<LookupRecord>)| {
            Arc::ptr_eq(written, lookup)
        };
        let known = self.written.iter().zip(&facts.evidence);
        let known = known.take_while(same).count();
        self.written.truncate(known);
        let new = &facts.evidence[known..];
        self.written.extend(new.iter().cloned());
        new
    }
}

/// An accepted message.
pub(crate) fn accepted(message: u64, envelope: &Envelope, octets: usize) -> EventKind {
    EventKind::Message {
        message,
        sender: envelope.sender.clone(),
        recipients: envelope.recipients.clone(),
        octets,
    }
}

fn refused(refusal: &Refusal) -> EventKind {
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

fn observed(facts: &Facts) -> EventKind {
    let iprev = facts.iprev.as_ref();
    let facts = ObservedFacts {
        client_address: facts.client_address,
        iprev: iprev.map(|iprev| iprev.result.word()),
        verified_name: iprev.and_then(|iprev| iprev.verified_name.clone()),
        helo: facts.helo.as_ref().map(|helo| helo.argument.clone()),
        spf_helo: facts.spf_helo.as_ref().map(|spf| spf.result.word()),
        spf_sender: facts.spf_sender.as_ref().map(|spf| spf.result.word()),
        sender: facts.sender.clone(),
        bare_newline: facts.conduct.bare_newline.map(|end| end.name()),
        dmarc: facts.dmarc.as_ref().map(|dmarc| dmarc.result.word()),
    };
    EventKind::Facts {
        facts: Box::new(facts),
    }
}
