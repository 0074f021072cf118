//! The scenario and the client that cause a reply, found by running every client of every scenario.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::input::Said;
use super::pattern::Pattern;
use crate::check::{Attempt, Judgement, judge};
use crate::dns::{Fault, Zones};
use crate::policy::check::Check;
use crate::scenario::{Expectation, ReceiverProfile, Scenario};

/// Maximum number of clients of one scenario: a pool can have thousands with the same result.
const CLIENTS: usize = 24;

/// A scenario and an attempt that causes a reply.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) scenario: String,
    pub(super) attempt: Attempt,
    /// Whether the message comes from the scenario file, which no flag of `check` can set.
    pub(super) own_message: bool,
    pub(super) judgement: Judgement,
}

/// Scenarios that can be run against receivers.
pub(super) struct Stage<'a> {
    scenarios: Vec<Ready<'a>>,
    /// The results of the attempts so far, by receiver.
    played: RefCell<HashMap<String, Plays>>,
}

/// A scenario with its attempts.
struct Ready<'a> {
    scenario: &'a Scenario,
    /// Zones that the attempts share; `None` if there are faults, because faults count queries.
    shared: Option<Zones>,
    /// The attempts, each with whether its message comes from the scenario file.
    attempts: Vec<(Attempt, bool)>,
}

/// The results of attempts, by the indexes of scenario and attempt.
type Plays = HashMap<(usize, usize), Played>;

/// The result of an attempt.
struct Played {
    rule: Option<&'static str>,
    said: Said,
}

impl<'a> Stage<'a> {
    pub(super) fn of(scenarios: &'a [Scenario]) -> Self {
        let ready = |scenario: &'a Scenario| Ready {
            scenario,
            shared: (!scenario.faults.iter().any(Fault::counts)).then(|| zones(scenario)),
            attempts: attempts(scenario),
        };
        let mut scenarios: Vec<_> = scenarios.iter().map(ready).collect();
        // The simplest scenario shows the cause best.
        scenarios.sort_by_key(
            |Ready {
                 scenario, attempts, ..
             }| {
                let extras = scenario.faults.len()
                    + scenario.nat.len()
                    + scenario.listeners.len()
                    + scenario.domains.len();
                (
                    extras,
                    scenario.clients().len(),
                    scenario.zones.len(),
                    attempts.len(),
                )
            },
        );
        Self {
            scenarios,
            played: RefCell::default(),
        }
    }

    /// The first attempt that gets a reply of this pattern from a rule of this check.
    pub(super) fn find(
        &self,
        profile: &ReceiverProfile,
        check: Option<&Check>,
        pattern: &Pattern,
    ) -> Option<Case> {
        let rule = check.map(|check| check.name);
        let mut played = self.played.borrow_mut();
        let played = played.entry(profile.name.clone()).or_default();
        // Attempts that `check` and `send` can repeat come first.
        for own_message in [false, true] {
            for (scenario, ready) in self.scenarios.iter().enumerate() {
                for (attempt, (_, own)) in ready.attempts.iter().enumerate() {
                    if *own != own_message {
                        continue;
                    }
                    let play = || Played::of(&ready.judge(profile, attempt));
                    let played = played.entry((scenario, attempt)).or_insert_with(play);
                    if played.rule == rule && pattern.is(&played.said) {
                        return Some(ready.case(profile, attempt));
                    }
                }
            }
        }
        None
    }
}

impl Played {
    fn of(judgement: &Judgement) -> Self {
        Self {
            rule: judgement.rule,
            said: Said::of_text(&judgement.reply.to_string()).swap_remove(0),
        }
    }
}

impl Ready<'_> {
    fn case(&self, profile: &ReceiverProfile, attempt: usize) -> Case {
        Case {
            scenario: self.scenario.name.clone(),
            attempt: self.attempts[attempt].0.clone(),
            own_message: self.attempts[attempt].1,
            judgement: self.judge(profile, attempt),
        }
    }

    fn judge(&self, profile: &ReceiverProfile, attempt: usize) -> Judgement {
        let attempt = &self.attempts[attempt].0;
        let judged = |zones: &Zones| judge(&profile.receiver, zones, profile.dns_timeout, attempt);
        match &self.shared {
            Some(zones) => judged(zones),
            // Each attempt starts with fresh fault counts.
            None => judged(&zones(self.scenario)),
        }
    }
}

/// Whether a judgement has a reply of this pattern from a rule of this check.
pub(super) fn brings(judgement: &Judgement, check: Option<&Check>, pattern: &Pattern) -> bool {
    judgement.rule == check.map(|check| check.name)
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
        let same = |(other, _): &(Attempt, bool)| {
            (other.client, &other.sender, &other.recipient, &other.verb)
                == (
                    attempt.client,
                    &attempt.sender,
                    &attempt.recipient,
                    &attempt.verb,
                )
                && other.helo.eq_ignore_ascii_case(&attempt.helo)
                && other.message == attempt.message
        };
        if !attempts.iter().any(same) {
            attempts.push((attempt, own));
        }
    }
    attempts
}
