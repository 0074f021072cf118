//! The rules of a receiver, and their evaluation at each stage.

use serde::Serialize;

use super::check::{Check, Complaint, Finding, Timing};
use super::remedy::Remedies;
use super::rule::{After, Allow, Bulk, Rule, TempPolicy};
use super::template::{Template, Values};
use crate::facts::{CountBy, Facts, Observations, RefusalWindow, VolumeWindow};
use crate::reply::Reply;
use crate::stage::Stage;
use crate::verdict::{Source, Verdict};

/// The rules of a receiver.
#[derive(Debug, Default)]
pub struct Policy {
    /// The rules, ordered by the stage at which they refuse, then by their order in the file.
    rules: Vec<Rule>,
    /// Bypasses.
    allow: Vec<Allow>,
    /// Moves every earlier refusal to RCPT (Postfix `smtpd_delay_reject`).
    delay_reject: bool,
    /// The observations that the rules need.
    needs: Observations,
}

/// A refusal: its source, stage, reply, reason and remedies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The source.
    pub source: Source,
    /// The name of the check that refused; empty if no rule refused.
    pub rule: &'static str,
    /// The stage at which the reply is sent.
    pub stage: Stage,
    /// The reply.
    pub reply: Reply,
    /// Whether the refusal is due to a temporary DNS failure.
    pub temporary: bool,
    /// The reason, in one sentence.
    pub why: String,
    /// The remedies.
    pub remedies: Remedies,
    /// The index of the rule in its policy.
    #[serde(skip)]
    pub(crate) nth: usize,
    /// The next step of the session.
    #[serde(skip)]
    pub(crate) after: After,
}

impl Refusal {
    /// Makes a refusal without a rule.
    pub(crate) fn without_rule(source: Source, stage: Stage, reply: Reply, why: String) -> Self {
        Self {
            source,
            rule: "",
            stage,
            temporary: false,
            reply,
            why,
            remedies: Remedies::default(),
            nth: 0,
            after: After::Continue,
        }
    }

    /// The verdict by this refusal: `defer` for a 4yz reply, `reject` for 5yz.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(Some(self.reply.code()), false)
    }

    /// The rule, if one refused.
    pub fn by_rule(&self) -> Option<&'static str> {
        (self.source == Source::Rule).then_some(self.rule)
    }

    /// The enhanced status code of the reply (RFC 3463), for example `5.7.25`.
    pub fn enhanced(&self) -> Option<String> {
        let code = self.reply.enhanced()?;
        let class = self.reply.code().class();
        Some(format!("{class}.{}.{}", code.subject, code.detail))
    }

    /// The source of the refusal for a sentence: `rule iprev`, `a script`, `the recipient's name`, `the SMTP server`.
    pub(crate) fn speaker(&self) -> String {
        match self.source {
            Source::Rule => format!("rule {}", self.rule),
            Source::Script => "a script".to_owned(),
            Source::Recipient => "the recipient's name".to_owned(),
            Source::Protocol => "the SMTP server".to_owned(),
        }
    }
}

/// State between stages: deferrals that apply if nothing else refuses (Postfix `defer_if_permit`).
#[derive(Clone, Debug, Default)]
pub(crate) struct DeferIfPermit {
    deferred: Vec<(Stage, Refusal)>,
    /// The reason why rules were bypassed, if an allow entry matched.
    pub allowed: Option<String>,
}

impl Policy {
    /// Creates a policy. `record` has observations for the journal that no rule needs.
    pub(crate) fn new(
        mut rules: Vec<Rule>,
        allow: Vec<Allow>,
        delay_reject: bool,
        record: Observations,
    ) -> Self {
        rules.sort_by_key(|rule| refusal_stage(rule, delay_reject));
        let mut needs = record;
        needs.iprev |= !rules.is_empty() && allow.iter().any(|a| !a.ptr_suffixes.is_empty());
        for (nth, rule) in rules.iter().enumerate() {
            needs.add(&rule.needs);
            count(nth, rule, &mut needs);
        }
        Self {
            rules,
            allow,
            delay_reject,
            needs,
        }
    }

    /// The observations that the rules need.
    pub fn needs(&self) -> &Observations {
        &self.needs
    }

    /// The rules, in the order of evaluation.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether earlier refusals are moved to RCPT.
    pub fn delay_reject(&self) -> bool {
        self.delay_reject
    }

    /// Whether a rule accepts these facts, and no rule that refuses at or before `stage` refuses them but accepts
    /// `before`.
    pub(crate) fn helps(&self, nth: usize, stage: Stage, before: &Facts, after: &Facts) -> bool {
        let passes = |rule: &Rule, facts: &Facts| {
            let allowed = |allow: &Allow| allow.reason(rule.check, facts).is_some();
            let found = match rule.judge(facts) {
                Finding::Satisfied | Finding::NotApplicable => true,
                Finding::Unavailable(_) => rule.temp == TempPolicy::Ignore,
                Finding::Violated(_) | Finding::Deferred(_) => false,
            };
            found || self.allow.iter().any(allowed)
        };
        self.rules.get(nth).is_some_and(|rule| passes(rule, after))
            && self
                .rules
                .iter()
                .filter(|rule| refusal_stage(rule, self.delay_reject) <= stage)
                .all(|rule| passes(rule, after) || !passes(rule, before))
    }

    /// Evaluates the rules about conduct, which refuse as soon as they are violated, from their stage on.
    pub(crate) fn judge_conduct(
        &self,
        by: Stage,
        facts: &Facts,
        values: &Values<'_>,
    ) -> Option<Refusal> {
        self.first_violated(by, facts, values, |rule| {
            rule.check.timing == Timing::Conduct && rule.stage <= by
        })
    }

    /// Evaluates the rules that require TLS for the commands that RFC 3207 §4 forbids without TLS. A rule that a
    /// receiver moves to a later stage does not refuse here.
    pub(crate) fn judge_tls(
        &self,
        by: Stage,
        facts: &Facts,
        values: &Values<'_>,
    ) -> Option<Refusal> {
        self.first_violated(by, facts, values, |rule| {
            rule.check.timing == Timing::Tls && rule.stage <= rule.check.stage
        })
    }

    fn first_violated(
        &self,
        by: Stage,
        facts: &Facts,
        values: &Values<'_>,
        applies: impl Fn(&Rule) -> bool,
    ) -> Option<Refusal> {
        let mut applicable = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| applies(rule));
        applicable.find_map(|(nth, rule)| {
            if self
                .allow
                .iter()
                .any(|allow| allow.reason(rule.check, facts).is_some())
            {
                return None;
            }
            match rule.judge(facts) {
                Finding::Violated(violation) => {
                    let staged = StagedRule::of(nth, rule, by);
                    let reply = rule.reply_to_violation(nth, facts);
                    Some(staged.refusal(reply, false, violation, facts, values))
                }
                _ => None,
            }
        })
    }

    /// Whether there is a rule for this stage.
    pub(crate) fn judges_at(&self, stage: Stage) -> bool {
        self.rules
            .iter()
            .any(|rule| refusal_stage(rule, self.delay_reject) == stage)
    }

    /// The bypasses.
    pub(crate) fn allows(&self) -> &[Allow] {
        &self.allow
    }

    /// The reason why the client or the recipient bypasses a check, if one does.
    fn bypass(&self, stage: Stage, check: &Check, facts: &Facts) -> Option<String> {
        let mut reasons = self.allow.iter();
        reasons.find_map(|allow| allow.reason_at(stage, check, facts))
    }

    /// Evaluates the rules of one stage. `None` if none refuses.
    ///
    /// Evaluating a stage again (a second EHLO, another RCPT) discards its earlier deferrals, but for those of rules that are
    /// judged once. `judged_once` has the numbers of such rules that the session has judged.
    pub(crate) fn judge(
        &self,
        stage: Stage,
        facts: &Facts,
        values: &Values<'_>,
        defer_if_permit: &mut DeferIfPermit,
        judged_once: &mut Vec<usize>,
    ) -> Option<Refusal> {
        let stands = |deferral: &Refusal| self.rules[deferral.nth].once;
        let deferred = &mut defer_if_permit.deferred;
        deferred.retain(|(at, deferral)| *at != stage || stands(deferral));
        for (nth, rule) in self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| refusal_stage(rule, self.delay_reject) == stage)
        {
            if rule.once && judged_once.contains(&nth) {
                continue;
            }
            let staged = StagedRule::of(nth, rule, stage);
            if let Some(reason) = self.bypass(stage, rule.check, facts) {
                defer_if_permit.allowed = Some(reason);
                continue;
            }
            if rule.once {
                judged_once.push(nth);
            }
            match rule.judge(facts) {
                Finding::Satisfied | Finding::NotApplicable => {}
                Finding::Violated(violation) => {
                    let reply = rule.reply_to_violation(nth, facts);
                    return Some(staged.refusal(reply, false, violation, facts, values));
                }
                Finding::Deferred(complaint) => {
                    return Some(staged.refusal(&rule.error, false, complaint, facts, values));
                }
                Finding::Unavailable(failure) => match rule.temp {
                    TempPolicy::Ignore => {}
                    TempPolicy::AsFail => {
                        return Some(staged.refusal(&rule.fail, true, failure, facts, values));
                    }
                    TempPolicy::DeferNow => {
                        return Some(staged.refusal(&rule.error, true, failure, facts, values));
                    }
                    TempPolicy::DeferIfPermit => {
                        let deferral = staged.refusal(&rule.error, true, failure, facts, values);
                        defer_if_permit.deferred.push((stage, deferral));
                    }
                },
            }
        }
        // No rule at RCPT refuses, so a pending deferral takes effect now (Postfix DEFER_IF_PERMIT).
        let mut waiting = defer_if_permit
            .deferred
            .iter()
            .filter(|_| stage >= Stage::Rcpt);
        let (_, deferral) = waiting.find(|(_, deferral)| {
            let check = self.rules[deferral.nth].check;
            self.bypass(stage, check, facts).is_none()
        })?;
        Some(Refusal {
            stage,
            ..deferral.clone()
        })
    }
}

/// Adds the counts that a rule needs.
fn count(nth: usize, rule: &Rule, needs: &mut Observations) {
    if let Some(Bulk { messages, per, by }) = rule.bulk {
        let known = needs.volumes.iter_mut();
        match known.into_iter().find(|w| w.by == by && w.per == per) {
            Some(window) => window.most = window.most.max(messages),
            None => needs.volumes.push(VolumeWindow {
                by,
                per,
                most: messages,
            }),
        }
    }
    if let Some(escalation) = &rule.escalation {
        needs.refusals.push(RefusalWindow {
            rule: nth,
            by: escalation.by,
            per: escalation.per,
            most: escalation.after,
        });
    }
    let mut by = needs.volumes.iter().map(|window| window.by);
    let mut by_refusals = needs.refusals.iter().map(|window| window.by);
    needs.header |=
        by.any(|by| by == CountBy::FromDomain) || by_refusals.any(|by| by == CountBy::FromDomain);
}

/// The stage at which a rule refuses. `delay_reject` moves rules about the client, but not rules about its conduct, nor
/// `helo-required` and `tls-required`: Postfix's `smtpd_helo_required` and `smtpd_tls_security_level = encrypt` are not
/// among its restrictions, and refuse at MAIL.
fn refusal_stage(rule: &Rule, delay_reject: bool) -> Stage {
    let moved = delay_reject && rule.check.timing == Timing::Stage;
    if moved {
        rule.stage.max(Stage::Rcpt)
    } else {
        rule.stage
    }
}

/// A rule of a policy with the stage at which it refuses.
struct StagedRule<'a> {
    nth: usize,
    rule: &'a Rule,
    stage: Stage,
}

impl<'a> StagedRule<'a> {
    fn of(nth: usize, rule: &'a Rule, stage: Stage) -> Self {
        Self { nth, rule, stage }
    }

    fn refusal(
        &self,
        template: &Template,
        temporary: bool,
        complaint: Complaint,
        facts: &Facts,
        values: &Values<'_>,
    ) -> Refusal {
        let reply = template.fill(
            facts,
            &Values {
                quotes: &complaint.quotes,
                ..*values
            },
        );
        // Only a refusal at connect can apply to the commands after it.
        let possible = |after: &After| *after != After::EachCommand || self.stage == Stage::Connect;
        let after = self
            .rule
            .after
            .filter(possible)
            .unwrap_or_else(|| After::usual(self.stage, reply.code().get()));
        Refusal {
            source: Source::Rule,
            rule: self.rule.check.name,
            stage: self.stage,
            reply,
            temporary,
            why: complaint.why,
            remedies: Remedies::proposed(complaint.remedies),
            nth: self.nth,
            after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::check::Settings;
    use crate::policy::checks;

    #[track_caller]
    fn needs_header(rule: impl FnOnce(&mut Rule)) -> bool {
        let check = checks::find("ptr-exists").expect("a check of the catalogue");
        let mut one = Rule::new(check, &Settings::default());
        rule(&mut one);
        let allow = Vec::new();
        let policy = Policy::new(vec![one], allow, false, Observations::default());
        policy.needs().header
    }

    #[test]
    fn a_count_by_from_domain_needs_the_header() {
        let per = std::time::Duration::from_secs(60);
        let bulk = |by| {
            needs_header(|rule| {
                rule.bulk = Some(Bulk {
                    messages: 5,
                    per,
                    by,
                })
            })
        };
        let escalation = |by| {
            needs_header(|rule| {
                rule.escalation = Some(crate::policy::Escalation {
                    after: 1,
                    per,
                    by,
                    first: None,
                })
            })
        };
        assert!(!needs_header(|_| {}));
        assert!(!bulk(CountBy::Client) && bulk(CountBy::FromDomain));
        assert!(!escalation(CountBy::Client) && escalation(CountBy::FromDomain));
    }

    #[test]
    fn bypasses_are_kept() {
        let allow = crate::policy::Allow {
            recipients: vec!["postmaster".to_owned()],
            ..crate::policy::Allow::default()
        };
        let policy = Policy::new(Vec::new(), vec![allow], false, Observations::default());
        assert_eq!(policy.allows().len(), 1);
    }
}
