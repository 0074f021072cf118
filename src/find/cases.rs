//! The scenario and the client that cause a reply, found by running every client of every scenario.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::input::Said;
use super::pattern::Pattern;
use crate::check::{Attempt, Judgement, judge, judge_remembering};
use crate::dns::{Fault, Zones};
use crate::facts::{Memory, Tally};
use crate::policy::Rule;
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
    /// The number of sessions: the last one gets the reply. More than one for rules that count.
    pub(super) sessions: u64,
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
    /// The number of lines of the reply.
    lines: usize,
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
                let clients = scenario.clients();
                let is_ipv6 = clients.first().is_some_and(|one| one.address.is_ipv6());
                (
                    is_ipv6,
                    extras,
                    clients.len(),
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
        nth: Option<usize>,
        pattern: &Pattern,
    ) -> Option<Case> {
        let rule = check.map(|check| check.name);
        let once = self.any(profile, |ready, attempt, played| {
            let is_it = played.is(rule, pattern);
            is_it.then(|| ready.case(profile, attempt))
        });
        let counts = nth.and_then(|nth| profile.receiver.policy.rules().get(nth));
        let counts = counts.filter(|rule| rule.bulk.is_some() || rule.escalation.is_some());
        let again = |counting: &Rule| {
            self.any(profile, |ready, attempt, played| {
                // A session that another rule refuses counts no message and no violation.
                let may = played.rule.is_none_or(|refused| Some(refused) == rule);
                may.then(|| ready.repeated(profile, attempt, counting, pattern))
                    .flatten()
            })
        };
        once.or_else(|| counts.and_then(again))
    }

    /// The first attempt of which something can be made. Attempts that `check` and `send` can repeat come first.
    fn any(
        &self,
        profile: &ReceiverProfile,
        make: impl Fn(&Ready<'_>, usize, &Played) -> Option<Case>,
    ) -> Option<Case> {
        let mut played = self.played.borrow_mut();
        let played = played.entry(profile.name.clone()).or_default();
        for own_message in [false, true] {
            for (scenario, ready) in self.scenarios.iter().enumerate() {
                for (attempt, (_, own)) in ready.attempts.iter().enumerate() {
                    if *own != own_message {
                        continue;
                    }
                    let play = || Played::of(&ready.judge(profile, attempt));
                    let played = played.entry((scenario, attempt)).or_insert_with(play);
                    if let Some(case) = make(ready, attempt, played) {
                        return Some(case);
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
            lines: judgement.reply.texts().len(),
        }
    }

    /// Whether the reply is of this pattern, from a rule of this check.
    fn is(&self, rule: Option<&str>, pattern: &Pattern) -> bool {
        self.rule == rule && self.lines == pattern.lines.len() && pattern.is(&self.said)
    }
}

impl Ready<'_> {
    fn case(&self, profile: &ReceiverProfile, attempt: usize) -> Case {
        Case {
            scenario: self.scenario.name.clone(),
            attempt: self.attempts[attempt].0.clone(),
            own_message: self.attempts[attempt].1,
            sessions: 1,
            judgement: self.judge(profile, attempt),
        }
    }

    /// Repeats an attempt until a rule that counts gives the reply. Messages before the rule binds are counted, not sent.
    fn repeated(
        &self,
        profile: &ReceiverProfile,
        attempt: usize,
        rule: &Rule,
        pattern: &Pattern,
    ) -> Option<Case> {
        let memory = Arc::new(Memory::default());
        let mut sessions = 0;
        let first = self.judge(profile, attempt).facts;
        if !rule.is_violated_by(&first) {
            return None;
        }
        if let Some(bulk) = &rule.bulk {
            let by = bulk.by;
            let who = first.counted(by)?;
            sessions = bulk.messages.saturating_sub(1);
            for _ in 0..sessions {
                let (who, refused_by) = (who.clone(), None);
                let tally = Tally {
                    by,
                    who,
                    refused_by,
                };
                memory.happened(tally, bulk.messages);
            }
        }
        let zones = zones(self.scenario);
        let violations = rule.escalation.as_ref().map_or(0, |e| e.after) + 1;
        for _ in 0..violations {
            sessions += 1;
            let judgement = judge_remembering(
                &profile.receiver,
                Arc::clone(&memory),
                &zones,
                profile.dns_timeout,
                &self.attempts[attempt].0,
            );
            if judgement.rule != Some(rule.check.name) {
                return None;
            }
            if brings(&judgement, Some(rule.check), pattern) {
                return Some(Case {
                    sessions,
                    judgement,
                    ..self.case(profile, attempt)
                });
            }
        }
        None
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
    Played::of(judgement).is(check.map(|check| check.name), pattern)
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
