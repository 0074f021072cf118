//! The logs of a world, and the sources of the event log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use super::Retention;
use crate::journal::{
    Backlog, DnsQuery, Event, EventKind, JournalStore, Limits, Log, MailCounts, Message, Metrics,
};
use crate::smtp::{LastReset, PendingEvents, SessionEntry};

/// The logs of one world.
pub(super) struct Logs {
    pub sessions: Arc<Log<SessionEntry>>,
    pub messages: Arc<Log<Message>>,
    pub dns_queries: Arc<Log<DnsQuery>>,
    pub pending: Arc<Backlog<PendingEvents>>,
    pub events: Arc<Log<Event>>,
    pub mail_counts: Arc<MailCounts>,
}

impl Logs {
    /// Creates empty logs. The event log takes its entries from sessions and DNS queries when it is read. A journal
    /// file does not store events, but their numbering continues in the next process.
    pub(super) fn new(
        keep: &Retention,
        journal_store: Option<&Arc<dyn JournalStore>>,
        metrics: &Arc<Metrics>,
        last_reset: &Arc<LastReset>,
    ) -> Self {
        let last_reset = Arc::clone(last_reset);
        let events = Arc::new(event_log(keep.events, journal_store.cloned()));
        let dns_queries = query_log(keep.dns_queries, &events, metrics);
        let pending = Arc::new(Backlog::new(keep.events));
        let (queries, backlog, taken) = (
            Arc::clone(&dns_queries),
            Arc::clone(&pending),
            AtomicU64::new(0),
        );
        events.supplied(move |first| {
            let (skipped, pending) = backlog.take();
            let pending =
                pending.filter(|events: &PendingEvents| !last_reset.is_after(events.session()));
            let of_sessions = pending.flat_map(|events: PendingEvents| {
                let (at, session) = (events.at(), events.session());
                events
                    .into_kinds()
                    .into_iter()
                    .map(move |what| (at, session, what))
            });
            let new_queries = queries.after(taken.load(Ordering::Relaxed));
            if let Some(last) = new_queries.last() {
                taken.store(last.id, Ordering::Relaxed);
            }
            let mut new: Vec<_> = new_queries
                .iter()
                .flat_map(events_of_query)
                .chain(of_sessions)
                .collect();
            new.sort_by_key(|(at, ..)| *at);
            let numbered = (first + skipped..).zip(new);
            (
                skipped,
                numbered
                    .map(|(id, (at, session, what))| Event {
                        id,
                        at,
                        session,
                        what,
                    })
                    .collect(),
            )
        });
        let mail_counts = Arc::<MailCounts>::default();
        let sessions = Arc::new(Log::new(keep.sessions));
        Self {
            sessions,
            messages: message_log(keep.messages, metrics, &mail_counts),
            mail_counts,
            dns_queries,
            pending,
            events,
        }
    }
}

/// The event log, whose last number the journal file stores.
fn event_log(limits: Limits, journal_store: Option<Arc<dyn JournalStore>>) -> Log<Event> {
    match journal_store {
        Some(journal_store) => Log::relayed(limits, move |happenings: &[Arc<Event>]| {
            if let Some(last) = happenings.last() {
                journal_store.event_number(last.id);
            }
        }),
        None => Log::new(limits),
    }
}

/// The log of DNS queries, which counts each query, and informs the event log.
fn query_log(
    limits: Limits,
    events: &Arc<Log<Event>>,
    metrics: &Arc<Metrics>,
) -> Arc<Log<DnsQuery>> {
    let (event_log, metrics) = (Arc::downgrade(events), Arc::clone(metrics));
    Arc::new(Log::relayed(limits, move |queries: &[Arc<DnsQuery>]| {
        for query in queries {
            metrics.queries.count(&query.rcode());
            if !query.fault().is_empty() {
                metrics.faults.count([query.fault()]);
            }
        }
        if let Some(events) = event_log.upgrade() {
            events.touch();
        }
    }))
}

/// The fault that took effect, if any, and the query.
fn events_of_query(
    query: &Arc<DnsQuery>,
) -> impl Iterator<Item = (Timestamp, u64, EventKind)> + use<> {
    let fault = query.fault();
    let fired = (!fault.is_empty()).then(|| {
        let (name, record_type) = (query.name(), query.record_type());
        EventKind::Fault {
            query: query.id,
            fault,
            name,
            record_type,
        }
    });
    let at = query.at;
    fired
        .into_iter()
        .chain([EventKind::DnsQuery {
            query: Arc::clone(query),
        }])
        .map(move |what| (at, 0, what))
}

/// The log of messages, which counts each message.
fn message_log(limits: Limits, metrics: &Arc<Metrics>, own: &Arc<MailCounts>) -> Arc<Log<Message>> {
    let (metrics, own) = (Arc::clone(metrics), Arc::clone(own));
    Arc::new(Log::relayed(limits, move |messages: &[Arc<Message>]| {
        for message in messages {
            metrics.messages.add(1);
            metrics.message_octets.add(message.octets.len() as u64);
            own.messages.add(1);
            own.message_octets.add(message.octets.len() as u64);
        }
    }))
}
