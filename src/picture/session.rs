//! A session of the journal as a case, and its moments from the event log.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Actor, Case, Cure, Moment};
use crate::facts::LookupRecord;
use crate::journal::{DnsQuery, Event, EventKind};
use crate::name;
use crate::smtp::SessionRecord;

/// How long before the connection a sender's queries count as its own: it looks up MX first.
const BEFORE: Duration = Duration::from_secs(5);

impl<'a> Case<'a> {
    /// The case of a session.
    pub(crate) fn of_session(record: &'a SessionRecord, moments: Vec<Moment>) -> Self {
        let refusal = record.refusals.first();
        Self {
            receiver: &record.receiver,
            verdict: record.verdict,
            stage: refusal.map(|refusal| refusal.stage),
            rule: refusal.map_or("", |refusal| refusal.rule),
            why: refusal.map_or("", |refusal| &refusal.why),
            reply: record.reply.clone(),
            client_address: record.client_address,
            facts: &record.facts,
            evidence: &record.evidence,
            cures: refusal
                .iter()
                .flat_map(|refusal| refusal.remedies.iter().map(Cure::of))
                .collect(),
            moments,
        }
    }
}

/// The moments of a session: what its events and the DNS queries of its peer tell, in order of time.
pub fn moments(
    record: &SessionRecord,
    events: &[Arc<Event>],
    queries: &[Arc<DnsQuery>],
) -> Vec<Moment> {
    let since = |at: Timestamp| at.duration_since(record.started);
    let refusal = record
        .refusals
        .first()
        .map(|refusal| refusal.reply.wire_lines().collect::<Vec<_>>());
    let told = events.iter().filter(|event| event.session == record.id);
    let told = told.filter_map(|event| {
        let (actor, text, took, fault) = match &event.what {
            EventKind::Command { text } => (Actor::Client, text.to_string(), Duration::ZERO, ""),
            EventKind::Reply { text } => (Actor::Receiver, text.to_string(), Duration::ZERO, ""),
            EventKind::Lookup(lookup) => (
                Actor::ReceiverDns,
                lookup_text(lookup),
                lookup.elapsed,
                lookup.fault,
            ),
            _ => return None,
        };
        let refused =
            actor == Actor::Receiver && refusal.as_ref().is_some_and(|lines| lines.contains(&text));
        Some(Moment {
            at: since(event.at),
            actor,
            text,
            took,
            fault: fault.to_owned(),
            refusal: refused,
        })
    });
    let asked = queries.iter().filter(|query| {
        query.client.ip() == record.peer.ip()
            && record.ended.is_none_or(|end| query.at <= end)
            && since(query.at) >= -jiff::SignedDuration::try_from(BEFORE).unwrap_or_default()
    });
    let asked = asked.map(|query| Moment {
        at: since(query.at),
        actor: Actor::SenderDns,
        text: format!(
            "{} {}: {}",
            query.name(),
            query.record_type(),
            query_answer(query)
        ),
        took: Duration::ZERO,
        fault: query.fault().to_owned(),
        refusal: false,
    });
    let mut moments: Vec<_> = told.chain(asked).collect();
    moments.sort_by_key(|moment| moment.at);
    delayed(&mut moments);
    moments
}

/// A receiver that takes longer than this for a reply delays it; a lookup that it waits for is a moment of its own.
const DELAY: Duration = Duration::from_millis(100);

/// Notes at each delayed reply how long the receiver waited after the moment before.
fn delayed(moments: &mut [Moment]) {
    let mut before = jiff::SignedDuration::ZERO;
    for moment in moments {
        let waited = Duration::try_from(moment.at - before).unwrap_or_default();
        if moment.actor == Actor::Receiver && waited > DELAY {
            moment.took = waited;
        }
        before = before.max(moment.at);
    }
}

fn lookup_text(lookup: &LookupRecord) -> String {
    let asked = format!("{} {}", name::display(&lookup.name), lookup.record_type);
    match lookup.answers.first() {
        None => format!("{asked}: {}", lookup.outcome),
        Some(first) if lookup.answers.len() == 1 => format!("{asked}: {first}"),
        Some(first) => format!("{asked}: {first} and {} more", lookup.answers.len() - 1),
    }
}

fn query_answer(query: &DnsQuery) -> String {
    let answers = query.answers();
    match answers.first() {
        None => query.rcode().into_owned(),
        Some(first) if answers.len() == 1 => first.clone(),
        Some(first) => format!("{first} and {} more", answers.len() - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delayed_reply_has_its_delay_and_what_a_client_waits_for_has_none() {
        let moment = |at: i64, actor: Actor| Moment {
            at: jiff::SignedDuration::from_millis(at),
            actor,
            text: String::new(),
            took: Duration::ZERO,
            fault: String::new(),
            refusal: false,
        };
        let mut moments = [
            moment(-40, Actor::SenderDns),
            moment(5000, Actor::ReceiverDns),
            moment(5001, Actor::Receiver),
            moment(9000, Actor::Client),
            moment(11_000, Actor::Receiver),
        ];
        delayed(&mut moments);
        let took = moments.map(|moment| moment.took.as_millis());
        assert_eq!(took, [0, 0, 0, 0, 2000]);
    }
}
