//! The scenario and the client that cause a reply, found by running every client of every scenario.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::deviations::{Deviation, deviations};
use super::input::QuotedReply;
use super::pattern::Pattern;
use crate::check::{Attempt, Judgement, judge, judge_remembering, memory_of};
use crate::dns::{Fault, Zones};
use crate::facts::CountKey;
use crate::policy::Rule;
use crate::policy::check::Check;
use crate::scenario::{Expectation, ReceiverProfile, Scenario};
use crate::verdict::Verdict;

/// Maximum number of clients of one scenario: a pool can have thousands with the same result.
const CLIENTS: usize = 24;
/// Maximum number of sessions that count before the one with the reply.
const SESSIONS: u64 = 1000;
/// The check that defers a client until it comes again.
const GREYLIST: &str = "greylist";
/// Its delay, unless a rule says otherwise.
const DELAY: Duration = Duration::from_secs(5 * 60);
/// Maximum number of attempts of which deviations from the usual dialogue are tried.
const DEVIATING: usize = 12;

/// A scenario and an attempt that causes a reply.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) scenario: String,
    pub(super) attempt: Attempt,
    /// Whether the message comes from the scenario file, which no flag of `check` can set.
    pub(super) own_message: bool,
    /// The number of sessions: the last one gets the reply. More than one for rules that count.
    pub(super) sessions: u64,
    /// The time between the sessions.
    pub(super) pause: Duration,
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
    /// The number of its expectations that mail is accepted.
    accepting: usize,
}

/// The results of attempts, by the indexes of scenario and attempt.
type Plays = HashMap<(usize, usize), Played>;

/// The result of an attempt.
struct Played {
    rule: Option<&'static str>,
    accepted: bool,
    quoted: QuotedReply,
    /// The number of lines of the reply.
    lines: usize,
}

impl<'a> Stage<'a> {
    pub(super) fn of(scenarios: &'a [Scenario]) -> Self {
        let ready = |scenario: &'a Scenario| Ready {
            scenario,
            shared: (!scenario.faults.iter().any(Fault::counts)).then(|| zones(scenario)),
            attempts: attempts(scenario),
            accepting: accepting(scenario),
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
                let is_ipv6 = clients
                    .first()
                    .is_some_and(|client| client.address.is_ipv6());
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
        let policy_rule = nth.and_then(|nth| profile.receiver.policy.rules().get(nth));
        let counts = policy_rule.filter(|rule| rule.bulk.is_some() || rule.escalation.is_some());
        let repeated = |counting: &Rule| {
            self.any(profile, |ready, attempt, played| {
                // A session that another rule refuses counts no message and no violation.
                let may = played.rule.is_none_or(|refused| Some(refused) == rule);
                may.then(|| ready.repeated(profile, attempt, counting, pattern))
                    .flatten()
            })
        };
        let later = || {
            let delay = profile
                .receiver
                .policy
                .rules()
                .iter()
                .find_map(greylisted)?;
            self.any(profile, |ready, attempt, played| {
                let may = played.rule == Some(GREYLIST) && rule != Some(GREYLIST);
                may.then(|| ready.later(profile, attempt, delay, check, pattern))
                    .flatten()
            })
        };
        once.or_else(|| counts.and_then(repeated))
            .or_else(later)
            .or_else(|| self.deviating(profile, policy_rule?, pattern))
    }

    /// The first deviation from the usual dialogue that gets a reply of this pattern. The clients are those that are accepted
    /// otherwise, or any if none is.
    fn deviating(&self, profile: &ReceiverProfile, rule: &Rule, pattern: &Pattern) -> Option<Case> {
        let (mut sound, mut others) = (Vec::new(), Vec::new());
        self.any(profile, |ready, attempt, played| {
            let attempts = match played.rule {
                None if played.accepted => &mut sound,
                _ => &mut others,
            };
            if attempts.len() < DEVIATING && !ready.attempts[attempt].1 {
                attempts.push((ready, attempt));
            }
            (sound.len() == DEVIATING).then_some(())
        });
        let mut attempts = if sound.is_empty() { others } else { sound };
        // A scenario whose clients are accepted distracts least from what a client does.
        attempts.sort_by_key(|(ready, _)| std::cmp::Reverse(ready.accepting));
        let mut deviating = attempts.into_iter().flat_map(|(ready, attempt)| {
            let all = deviations(rule, &ready.attempts[attempt].0);
            all.into_iter()
                .map(move |deviation| (ready, attempt, deviation))
        });
        deviating.find_map(|(ready, attempt, deviation)| {
            ready.deviating(profile, attempt, &deviation, rule, pattern)
        })
    }

    /// The first attempt with a result. Attempts that `check` and `send` can repeat come first.
    fn any<'s, T>(
        &'s self,
        profile: &ReceiverProfile,
        mut make: impl FnMut(&'s Ready<'a>, usize, &Played) -> Option<T>,
    ) -> Option<T> {
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
                    if let Some(made) = make(ready, attempt, played) {
                        return Some(made);
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
            accepted: judgement.verdict == Verdict::Accept,
            quoted: QuotedReply::of_reply(
                judgement.reply.code().get(),
                &judgement.reply.to_string(),
            ),
            lines: judgement.reply.texts().len(),
        }
    }

    /// Whether the reply is of this pattern, from a rule of this check.
    fn is(&self, rule: Option<&str>, pattern: &Pattern) -> bool {
        self.rule == rule && self.lines == pattern.lines.len() && pattern.is(&self.quoted)
    }
}

impl Ready<'_> {
    fn case(&self, profile: &ReceiverProfile, attempt: usize) -> Case {
        Case {
            scenario: self.scenario.name.clone(),
            attempt: self.attempts[attempt].0.clone(),
            own_message: self.attempts[attempt].1,
            sessions: 1,
            pause: Duration::ZERO,
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
        let memory = Arc::new(memory_of(&profile.receiver, &self.attempts[attempt].0));
        let mut sessions = 0;
        let first = self.judge(profile, attempt).facts;
        if !rule.is_violated_by(&first) {
            return None;
        }
        if let Some(bulk) = &rule.bulk {
            let key = CountKey {
                by: bulk.by,
                who: first.sender_key(bulk.by)?,
                refused_by: None,
            };
            let known = memory.times_within(&key, bulk.per);
            sessions = bulk.messages.saturating_sub(1).saturating_sub(known);
            if sessions > SESSIONS {
                return None;
            }
            for _ in 0..sessions {
                memory.record_event(key.clone(), bulk.messages);
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
            if has_reply_of(&judgement, Some(rule.check), pattern) {
                return Some(Case {
                    sessions,
                    judgement,
                    ..self.case(profile, attempt)
                });
            }
        }
        None
    }

    /// Plays an attempt that greylisting defers, and again after its delay.
    fn later(
        &self,
        profile: &ReceiverProfile,
        attempt: usize,
        delay: Duration,
        check: Option<&Check>,
        pattern: &Pattern,
    ) -> Option<Case> {
        let memory = Arc::new(memory_of(&profile.receiver, &self.attempts[attempt].0));
        let zones = zones(self.scenario);
        let play = || {
            let (memory, patience) = (Arc::clone(&memory), profile.dns_timeout);
            let attempt = &self.attempts[attempt].0;
            judge_remembering(&profile.receiver, memory, &zones, patience, attempt)
        };
        play();
        let judgement = memory.clock().advance(delay).then(play)?;
        has_reply_of(&judgement, check, pattern).then(|| Case {
            sessions: 2,
            pause: delay,
            judgement,
            ..self.case(profile, attempt)
        })
    }

    /// Plays an attempt with a deviation from the usual dialogue.
    fn deviating(
        &self,
        profile: &ReceiverProfile,
        attempt: usize,
        deviation: &Deviation,
        rule: &Rule,
        pattern: &Pattern,
    ) -> Option<Case> {
        let attempt = Attempt {
            conduct: deviation.conduct.clone(),
            ..self.attempts[attempt].0.clone()
        };
        let memory = Arc::new(memory_of(&profile.receiver, &attempt));
        let zones = zones(self.scenario);
        let play = || {
            let (memory, patience) = (Arc::clone(&memory), profile.dns_timeout);
            judge_remembering(&profile.receiver, memory, &zones, patience, &attempt)
        };
        for _ in 1..deviation.sessions {
            play();
        }
        let judgement = play();
        has_reply_of(&judgement, Some(rule.check), pattern).then(|| Case {
            scenario: self.scenario.name.clone(),
            attempt: attempt.clone(),
            own_message: false,
            sessions: deviation.sessions,
            pause: Duration::ZERO,
            judgement,
        })
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

/// How long a rule that is greylisting defers a client.
fn greylisted(rule: &Rule) -> Option<Duration> {
    let delay = || rule.settings.duration("delay", DELAY);
    (rule.check.name == GREYLIST).then(delay)
}

/// Whether a judgement has a reply of this pattern from a rule of this check.
pub(super) fn has_reply_of(
    judgement: &Judgement,
    check: Option<&Check>,
    pattern: &Pattern,
) -> bool {
    Played::of(judgement).is(check.map(|check| check.name), pattern)
}

fn zones(scenario: &Scenario) -> Zones {
    scenario.zones(Ipv4Addr::LOCALHOST.into())
}

fn accepting(scenario: &Scenario) -> usize {
    let accepts = |expectation: &&Expectation| match expectation {
        Expectation::Session(session) => session.reply.starts_with('2'),
        Expectation::Dns(_) => false,
    };
    scenario.expectations.iter().filter(accepts).count()
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
        attempt.conduct = session.conduct.clone();
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
                && other.conduct == attempt.conduct
        };
        if !attempts.iter().any(same) {
            attempts.push((attempt, own));
        }
    }
    attempts
}
