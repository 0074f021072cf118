//! The scenario and client that bring a reply about: found by playing every client of every scenario.

use std::net::Ipv4Addr;

use super::input::Said;
use super::pattern::Pattern;
use crate::check::{Attempt, Judgement, judge};
use crate::dns::{Fault, Zones};
use crate::policy::checks::Check;
use crate::scenario::{Expectation, ReceiverProfile, Scenario};

/// Clients of one scenario that are played: a pool may have thousands that fare alike.
const CLIENTS: usize = 24;

/// A scenario and an attempt that brings a reply about.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) scenario: String,
    pub(super) attempt: Attempt,
    /// True where the message is the scenario's own, which no flag of `check` gives.
    pub(super) own_message: bool,
    pub(super) judgement: Judgement,
}

/// Scenarios, ready to be played against one receiver after the other.
pub(super) struct Stage<'a> {
    scenarios: Vec<(&'a Scenario, Option<Zones>, Vec<(Attempt, bool)>)>,
}

impl<'a> Stage<'a> {
    pub(super) fn of(scenarios: &'a [Scenario]) -> Self {
        let ready = |scenario: &'a Scenario| {
            // Faults that count begin anew for each attempt.
            let counts = scenario.faults.iter().any(Fault::counts);
            (
                scenario,
                (!counts).then(|| zones(scenario)),
                attempts(scenario),
            )
        };
        let mut scenarios: Vec<_> = scenarios.iter().map(ready).collect();
        // The plainest scenario shows the cause best.
        scenarios.sort_by_key(|(scenario, _, attempts)| {
            let lists = scenario.faults.len() + scenario.nat.len() + scenario.listeners.len();
            (
                lists,
                scenario.clients().len(),
                scenario.zones.len(),
                attempts.len(),
            )
        });
        Self { scenarios }
    }

    /// The first attempt to which the receiver gives a reply of the pattern, by a rule of the check.
    pub(super) fn find(
        &self,
        profile: &ReceiverProfile,
        check: Option<&Check>,
        pattern: &Pattern,
    ) -> Option<Case> {
        // First those that `check` and `send` can repeat.
        self.among(profile, check, pattern, false)
            .or_else(|| self.among(profile, check, pattern, true))
    }

    fn among(
        &self,
        profile: &ReceiverProfile,
        check: Option<&Check>,
        pattern: &Pattern,
        own_message: bool,
    ) -> Option<Case> {
        for (scenario, shared, attempts) in &self.scenarios {
            for (attempt, _) in attempts.iter().filter(|(_, own)| *own == own_message) {
                let fresh;
                let zones = match shared {
                    Some(zones) => zones,
                    None => {
                        fresh = zones(scenario);
                        &fresh
                    }
                };
                let judgement = judge(&profile.receiver, zones, profile.dns_timeout, attempt);
                if brings(&judgement, check, pattern) {
                    return Some(Case {
                        scenario: scenario.name.clone(),
                        attempt: attempt.clone(),
                        own_message,
                        judgement,
                    });
                }
            }
        }
        None
    }
}

/// Whether a judgement ends in a reply of the pattern, by a rule of the check.
pub(super) fn brings(judgement: &Judgement, check: Option<&Check>, pattern: &Pattern) -> bool {
    judgement.rule == check.map(|check| check.name)
        && judgement.reply.code().get() == pattern.code
        && pattern.is(&Said::of_text(&judgement.reply.to_string()).swap_remove(0))
}

fn zones(scenario: &Scenario) -> Zones {
    scenario.zones(Ipv4Addr::LOCALHOST.into())
}

/// Every client, and the attempts of the expectations.
fn attempts(scenario: &Scenario) -> Vec<(Attempt, bool)> {
    let clients = scenario.clients().into_iter().take(CLIENTS);
    let plain = clients.map(|client| (Attempt::of(scenario, client.address, &client.helo), false));
    let mut attempts: Vec<_> = plain.collect();
    for expectation in &scenario.expectations {
        let Expectation::Session(session) = expectation else {
            continue;
        };
        let mut attempt = Attempt::of(scenario, scenario.translated(session.client), &session.helo)
            .from_sender(session.sender.clone());
        attempt.verb = session.verb.to_owned();
        attempt.message = session.octets();
        if let Some(recipient) = &session.recipient {
            attempt.recipient.clone_from(recipient);
        }
        let own = session.message.is_some() || session.verb != "EHLO";
        attempts.push((attempt, own));
    }
    attempts
}
