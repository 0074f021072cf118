//! The verdict of every receiver on every client of scenarios, without sending mail.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::Serialize;

use crate::check::{Attempt, Judgement, judge, judge_remembering, memory_of};
use crate::dns::{Fault, Zones};
use crate::scenario::{Expectation, ReceiverProfile, Scenario, SessionExpectation, SessionOutcome};
use crate::verdict::Verdict;

/// One row: clients of a scenario with the same HELO name and the same verdicts.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub(crate) scenario: String,
    /// The client addresses.
    pub(crate) clients: Vec<IpAddr>,
    /// The HELO name.
    pub(crate) helo: String,
    /// One cell for each receiver.
    pub(crate) cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    /// The receiver.
    pub receiver: String,
    /// `accept`, `defer` or `reject`.
    pub verdict: Verdict,
    /// The stage of the refusal; `eod` if the message was accepted.
    pub stage: &'static str,
    /// The rule that refused.
    pub rule: Option<&'static str>,
    /// The reply code.
    pub code: u16,
    /// The enhanced status code, if the reply has one.
    pub enhanced: Option<String>,
    /// The reply to the first client of the row, as lines on the wire.
    pub reply: Vec<String>,
}

impl Cell {
    /// Whether two clients have the same result, although their replies can contain their addresses.
    fn is_like(&self, other: &Self) -> bool {
        self.receiver == other.receiver
            && self.verdict == other.verdict
            && self.stage == other.stage
            && self.rule == other.rule
            && self.code == other.code
            && self.enhanced == other.enhanced
    }
}

/// An expectation of a scenario about a session, judged without sending mail.
#[derive(Clone, Debug)]
pub(crate) struct Judged<'a> {
    /// The expectation in one sentence.
    pub expected: String,
    /// The client address, after NAT.
    pub client: IpAddr,
    /// The expectation.
    pub session: &'a SessionExpectation,
    /// The differences; empty if the expectation is met.
    pub mismatches: Vec<String>,
}

/// Judges the expectations of a scenario about these receivers, in the order of the scenario.
pub(crate) fn expectations<'a>(
    scenario: &'a Scenario,
    profiles: &[ReceiverProfile],
) -> Vec<Judged<'a>> {
    let all = scenario.expectations.iter().zip(scenario.sentences());
    let judged = all.filter_map(|(expectation, expected)| {
        let Expectation::Session(session) = expectation else {
            return None;
        };
        let profile = profiles
            .iter()
            .find(|profile| session.is_by(&profile.name))?;
        Some(Judged {
            expected,
            client: scenario.translated(session.client),
            mismatches: mismatches(scenario, profile, session),
            session,
        })
    });
    judged.collect()
}

fn mismatches(
    scenario: &Scenario,
    profile: &ReceiverProfile,
    expected: &SessionExpectation,
) -> Vec<String> {
    let recipient = expected.recipient.clone();
    let attempt = Attempt {
        client: scenario.translated(expected.client),
        helo: expected.helo.clone(),
        verb: expected.verb.to_owned(),
        sender: expected.sender.clone(),
        recipient: recipient.unwrap_or_else(|| scenario.recipient()),
        message: expected.octets(),
        recipients: Arc::new(scenario.recipients()),
        conduct: expected.conduct.clone(),
        sent: scenario.sent.as_slice().into(),
    };
    // The sessions of one expectation share the counts of faults and the memory of the receiver.
    let (zones, memory) = (
        scenario.zones(Ipv4Addr::LOCALHOST.into()),
        Arc::new(memory_of(&profile.receiver, &attempt)),
    );
    let judge = || {
        let (memory, timeout) = (Arc::clone(&memory), profile.dns_timeout);
        judge_remembering(&profile.receiver, memory, &zones, timeout, &attempt)
    };
    for _ in 1..expected.sessions {
        judge();
        let _ = memory.clock().advance(expected.pause);
    }
    let judgement = judge();
    let reply = judgement.reply.wire_lines().next().unwrap_or_default();
    let refused = judgement.verdict != Verdict::Accept;
    expected.mismatches(&SessionOutcome {
        reply: &reply,
        rule: judgement.rule,
        stage: refused.then_some(judgement.stage.name()),
        verdict: judgement.verdict,
    })
}

/// The rows of a scenario against receivers.
pub fn rows(scenario: &Scenario, profiles: &[ReceiverProfile]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    // Each attempt starts with fresh fault counts; without faults, all attempts share the zones.
    let fresh = || scenario.zones(Ipv4Addr::LOCALHOST.into());
    let shared = (!scenario.faults.iter().any(Fault::counts)).then(fresh);
    for client in scenario.clients() {
        let cell = |profile| match &shared {
            Some(zones) => cell(scenario, zones, profile, client.address, &client.helo),
            None => cell(scenario, &fresh(), profile, client.address, &client.helo),
        };
        let cells: Vec<_> = profiles.iter().map(cell).collect();
        match rows
            .iter_mut()
            .find(|r| r.helo.eq_ignore_ascii_case(&client.helo) && alike(&r.cells, &cells))
        {
            Some(row) => row.clients.push(client.address),
            None => {
                let helo = client.helo.clone();
                rows.push(Row {
                    scenario: scenario.name.clone(),
                    clients: vec![client.address],
                    helo,
                    cells,
                });
            }
        }
    }
    rows
}

fn alike(one: &[Cell], other: &[Cell]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.is_like(b))
}

fn cell(
    scenario: &Scenario,
    zones: &Zones,
    profile: &ReceiverProfile,
    client: IpAddr,
    helo: &str,
) -> Cell {
    let attempt = Attempt {
        recipient: scenario.recipient_at(&profile.name),
        ..Attempt::of(scenario, client, helo)
    };
    let Judgement {
        verdict,
        stage,
        rule,
        reply,
        ..
    } = judge(&profile.receiver, zones, profile.dns_timeout, &attempt);
    Cell {
        receiver: profile.name.clone(),
        verdict,
        stage: stage.name(),
        rule,
        code: reply.code().get(),
        enhanced: reply.enhanced().map(|code| {
            let class = reply.code().class();
            format!("{class}.{}.{}", code.subject, code.detail)
        }),
        reply: reply.wire_lines().collect(),
    }
}
