//! The scenario and client that bring a reply about: found by playing every client of every scenario.

use std::cell::RefCell;
use std::collections::HashMap;
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
    scenarios: Vec<Ready<'a>>,
    /// What became of each attempt that was played, by receiver.
    played: RefCell<HashMap<String, Plays>>,
}

/// A scenario with its attempts.
struct Ready<'a> {
    scenario: &'a Scenario,
    /// Zones that every attempt may share; `None` where faults count.
    shared: Option<Zones>,
    /// Each with whether its message is the scenario's own.
    attempts: Vec<(Attempt, bool)>,
}

/// What became of attempts, by the places of scenario and attempt.
type Plays = HashMap<(usize, usize), Played>;

/// What became of an attempt.
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
        // The plainest scenario shows the cause best.
        scenarios.sort_by_key(
            |Ready {
                 scenario, attempts, ..
             }| {
                let extras = scenario.faults.len() + scenario.nat.len() + scenario.listeners.len();
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

    /// The first attempt to which the receiver gives a reply of the pattern, by a rule of the check.
    pub(super) fn find(
        &self,
        profile: &ReceiverProfile,
        check: Option<&Check>,
        pattern: &Pattern,
    ) -> Option<Case> {
        let rule = check.map(|check| check.name);
        let mut played = self.played.borrow_mut();
        let played = played.entry(profile.name.clone()).or_default();
        // First those that `check` and `send` can repeat.
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
            // Faults that count begin anew for each attempt.
            None => judged(&zones(self.scenario)),
        }
    }
}

/// Whether a judgement ends in a reply of the pattern, by a rule of the check.
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
