//! Converts a session of the journal to a case, with its steps from the event log.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Actor, Case, RemedyPicture, Step};
use crate::facts::LookupRecord;
use crate::journal::{DnsQuery, Event, EventKind};
use crate::name;
use crate::smtp::SessionRecord;

/// Time before the connection from which a sender's queries count as part of the session: it looks up MX first.
const BEFORE: Duration = Duration::from_secs(5);

impl<'a> Case<'a> {
    /// The case of a session.
    pub(crate) fn of_session(record: &'a SessionRecord, steps: Vec<Step>) -> Self {
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
            remedies: refusal
                .iter()
                .flat_map(|refusal| refusal.remedies.iter().map(RemedyPicture::of))
                .collect(),
            steps,
        }
    }
}

/// The steps of a session, from its events and from the DNS queries of its peer, in order of time.
pub(crate) fn steps(
    record: &SessionRecord,
    events: &[Arc<Event>],
    queries: &[Arc<DnsQuery>],
) -> Vec<Step> {
    let since = |at: Timestamp| at.duration_since(record.started);
    let refusal = record
        .refusals
        .first()
        .map(|refusal| refusal.reply.wire_lines().collect::<Vec<_>>());
    let of_session = events.iter().filter(|event| event.session == record.id);
    let of_session = of_session.filter_map(|event| {
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
        Some(Step {
            at: since(event.at),
            actor,
            text,
            took,
            fault: fault.to_owned(),
            refusal: refused,
        })
    });
    let sender_queries = queries.iter().filter(|query| {
        query.client.ip() == record.peer.ip()
            && record.ended.is_none_or(|end| query.at <= end)
            && since(query.at) >= -jiff::SignedDuration::try_from(BEFORE).unwrap_or_default()
    });
    let query_steps = sender_queries.map(|query| Step {
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
    let mut steps: Vec<_> = of_session.chain(query_steps).collect();
    steps.sort_by_key(|step| step.at);
    delayed(&mut steps);
    steps
}

/// A longer time before a reply counts as a delay by the receiver; a lookup is a step of its own.
const DELAY: Duration = Duration::from_millis(100);

/// Sets the duration of each delayed reply: the time since the step before.
fn delayed(steps: &mut [Step]) {
    let mut before = jiff::SignedDuration::ZERO;
    for step in steps {
        let waited = Duration::try_from(step.at - before).unwrap_or_default();
        if step.actor == Actor::Receiver && waited > DELAY {
            step.took = waited;
        }
        before = before.max(step.at);
    }
}

fn lookup_text(lookup: &LookupRecord) -> String {
    let question = format!("{} {}", name::display(&lookup.name), lookup.record_type);
    match lookup.answers.first() {
        None => format!("{question}: {}", lookup.outcome),
        Some(first) if lookup.answers.len() == 1 => format!("{question}: {first}"),
        Some(first) => format!("{question}: {first} and {} more", lookup.answers.len() - 1),
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
    fn a_delayed_reply_has_a_delay_and_other_replies_have_none() {
        let step = |at: i64, actor: Actor| Step {
            at: jiff::SignedDuration::from_millis(at),
            actor,
            text: String::new(),
            took: Duration::ZERO,
            fault: String::new(),
            refusal: false,
        };
        let mut steps = [
            step(-40, Actor::SenderDns),
            step(5000, Actor::ReceiverDns),
            step(5001, Actor::Receiver),
            step(9000, Actor::Client),
            step(11_000, Actor::Receiver),
        ];
        delayed(&mut steps);
        let took = steps.map(|step| step.took.as_millis());
        assert_eq!(took, [0, 0, 0, 0, 2000]);
    }
}
