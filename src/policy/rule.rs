//! A rule: one check, the stage of its refusal, its replies, and what the session does afterwards.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::behaviour::{Behaviour, span};
use super::check::{Check, Finding, Judge, Settings};
use super::remedy::Change;
use super::template::Template;
use crate::facts::{CountBy, Facts, Observations, Volume};
use crate::name::{self, Name};
use crate::stage::Stage;
use crate::wildcard;

/// What a rule does after a temporary DNS failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum TempPolicy {
    /// Sends the `error` reply at once (4yz).
    #[default]
    DeferNow,
    /// Continues, and sends the `error` reply only if no later rule refuses (Postfix `defer_if_permit`).
    DeferIfPermit,
    /// Continues as if the check were satisfied.
    Ignore,
    /// Counts as a violation. Only this setting leads to a 5yz reply after a temporary failure.
    AsFail,
}

/// What the session does after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Closes the connection with the reply.
    Close,
    /// Replies 503 to every command except QUIT (RFC 5321 §3.1, RFC 7504).
    Sticky503,
    /// Repeats the reply to every command except QUIT, as Haraka does.
    Repeat,
    /// Sends the greeting, and refuses each command except HELO, EHLO, NOOP, RSET and QUIT, as Sendmail does. Only at
    /// `connect`.
    EachCommand,
    /// Continues: the next command is judged on its own.
    Continue,
}

impl After {
    /// The default by RFC 5321: a refused greeting waits for QUIT (§3.1), 421 and 521 close the connection (§3.8, RFC
    /// 7504 §3), and a later refusal leaves the session unchanged (§4.1.4).
    pub(crate) fn usual(stage: Stage, code: u16) -> Self {
        match (stage, code) {
            (_, 221 | 421 | 521) => Self::Close,
            (Stage::Connect, _) => Self::Sticky503,
            _ => Self::Continue,
        }
    }
}

/// A condition that limits a rule to bulk senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bulk {
    /// The minimum number of messages, including the current one.
    pub messages: u64,
    /// The time in which they are counted.
    pub per: Duration,
    /// The kind of sender.
    pub by: CountBy,
}

impl Bulk {
    fn binds(&self, facts: &Facts) -> bool {
        let matches = |volume: &&Volume| volume.by == self.by && volume.per == self.per;
        let volume = facts.volumes.iter().find(matches);
        volume.is_some_and(|volume| volume.messages >= self.messages)
    }

    /// The change after which a sender is no longer a bulk sender.
    fn remedy(&self) -> Change {
        Change::Behave(Behaviour::SendFewer {
            most: self.messages.saturating_sub(1),
            per: self.per,
            by: self.by,
        })
    }
}

impl fmt::Display for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, per) = (self.by.sender(), span(self.per));
        write!(
            f,
            "{by} with at least {} messages within {per}",
            self.messages
        )
    }
}

/// Escalation: the first violations get a 4yz reply, later ones the `fail` reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// The number of violations with the 4yz reply.
    pub after: u64,
    /// The time in which they are counted.
    pub per: Duration,
    /// The kind of sender.
    pub by: CountBy,
    /// The 4yz reply; the `error` reply of the rule if `None`.
    pub first: Option<Template>,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, per) = (self.by.sender(), span(self.per));
        write!(
            f,
            "for the first {} violations of {by} within {per}",
            self.after
        )
    }
}

/// A text of a rule from another time, or from other hosts of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The time or the hosts of this text.
    pub era: String,
    /// The reply to a violation.
    pub fail: Template,
    /// The reply on a temporary DNS failure; `None` for the reply of the rule.
    pub error: Option<Template>,
    /// Whether the text is modelled.
    pub modelled: bool,
}

impl Variant {
    /// Whether this is the text of an era: the era as written, or a year within it.
    pub(crate) fn is_of(&self, era: &str) -> bool {
        if self.era == era {
            return true;
        }
        let year = |text: &str| {
            text.parse::<u16>()
                .ok()
                .filter(|year| (1980..2100).contains(year))
        };
        let parts = self.era.split(|c: char| !c.is_ascii_digit());
        let years: Vec<_> = parts.filter_map(year).collect();
        let (Some(wanted), Some(&first), Some(&last)) = (year(era), years.first(), years.last())
        else {
            return false;
        };
        let from = if self.era.starts_with("until") {
            0
        } else {
            first
        };
        (from..=last).contains(&wanted)
    }
}

/// A check with its settings, as a receiver uses it.
pub struct Rule {
    /// The check, as a row of the catalogue.
    pub(crate) check: &'static Check,
    /// The parameters that were set.
    pub(crate) settings: Settings,
    /// The stage of its refusal, unless `delay_reject` moves it.
    pub(crate) stage: Stage,
    /// The reply to a violation.
    pub(crate) fail: Template,
    /// The reply after a temporary DNS failure.
    pub(crate) error: Template,
    /// The treatment of a temporary failure.
    pub(crate) temp: TempPolicy,
    /// What the session does after a refusal; `None` for [`After::usual`].
    pub(crate) after: Option<After>,
    /// Whether the rule is judged once in a session, whatever the client sends later.
    pub(crate) once: bool,
    /// The bulk senders to which the rule is limited; all senders if `None`.
    pub(crate) bulk: Option<Bulk>,
    /// The escalation; `fail` for every violation if `None`.
    pub(crate) escalation: Option<Escalation>,
    /// Whether the text is modelled, not captured from a real receiver.
    pub(crate) modelled: bool,
    /// Whether the receiver file sets `fail`; otherwise it is the default of the check.
    pub(crate) has_own_fail: bool,
    /// The same for `error`.
    pub(crate) has_own_error: bool,
    /// The era in which the receiver gives this reply; `None` for the era of its profile.
    pub(crate) era: Option<String>,
    /// The confidence in the text; `None` for the confidence of its profile.
    pub(crate) confidence: Option<&'static str>,
    /// Texts of the rule from other times, or from other hosts.
    pub(crate) variants: Vec<Variant>,
    /// The observations that the rule needs.
    pub(crate) needs: Observations,
    judge: Judge,
}

impl Rule {
    /// Creates a rule from a check and its settings, with the default stage and replies of the check.
    pub fn new(check: &'static Check, settings: &Settings) -> Self {
        let read = |lines: &[&str]| {
            Template::parse(lines).expect("the catalogue's own replies are tested to be sound")
        };
        Self {
            check,
            settings: settings.clone(),
            stage: check.stage,
            fail: read(check.fail),
            error: read(check.error),
            temp: TempPolicy::default(),
            after: None,
            once: false,
            bulk: None,
            escalation: None,
            modelled: false,
            has_own_fail: false,
            has_own_error: false,
            era: None,
            confidence: None,
            variants: Vec::new(),
            needs: (check.needs)(settings),
            judge: (check.build)(settings),
        }
    }

    /// The check, as a row of the catalogue.
    pub fn check(&self) -> &'static Check {
        self.check
    }

    /// The stage of its refusal, unless `delay_reject` moves it.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The reply to a violation.
    pub fn fail(&self) -> &Template {
        &self.fail
    }

    /// Whether the text is modelled, not captured from a real receiver.
    pub fn is_modelled(&self) -> bool {
        self.modelled
    }

    /// The escalation; `None` if every violation gets [`Rule::fail`].
    pub fn escalation(&self) -> Option<&Escalation> {
        self.escalation.as_ref()
    }

    /// Texts of the rule from other times, or from other hosts.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Judges the facts.
    pub(crate) fn judge(&self, facts: &Facts) -> Finding {
        let Some(bulk) = &self.bulk else {
            return (self.judge)(facts);
        };
        if !bulk.binds(facts) {
            return Finding::NotApplicable;
        }
        match (self.judge)(facts) {
            Finding::Violated(mut complaint) => {
                complaint.remedies.push(bulk.remedy().into());
                Finding::Violated(complaint)
            }
            finding => finding,
        }
    }

    /// Whether these facts violate the demand, even if the rule does not apply to the sender.
    pub(crate) fn is_violated_by(&self, facts: &Facts) -> bool {
        matches!((self.judge)(facts), Finding::Violated(_))
    }

    /// The reply to a violation by these facts. `nth` is the index of the rule in its policy.
    pub(super) fn reply_to_violation(&self, nth: usize, facts: &Facts) -> &Template {
        let Some(escalation) = &self.escalation else {
            return &self.fail;
        };
        let earlier = facts
            .earlier_refusals
            .iter()
            .find(|earlier| earlier.rule == nth);
        match earlier.is_none_or(|earlier| earlier.times < escalation.after) {
            true => escalation.first.as_ref().unwrap_or(&self.error),
            false => &self.fail,
        }
    }

    /// The earliest stage at which its facts are known, and the senders to which it applies.
    pub fn earliest(&self) -> Stage {
        let by = self.bulk.iter().map(|bulk| bulk.by);
        let by = by.chain(self.escalation.iter().map(|escalation| escalation.by));
        let check = self.check.earliest(&self.settings);
        by.map(CountBy::known_from).fold(check, Stage::max)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("check", &self.check.name)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// A bypass: a client that matches any condition is not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allow {
    /// Client addresses.
    pub(crate) addresses: Vec<IpNet>,
    /// Suffixes of the *verified* name. A PTR name alone is only the client's own claim, and exempts nobody.
    pub(crate) ptr_suffixes: Vec<Name>,
    /// Suffixes of the HELO name, which is also only a claim, for receivers that trust it.
    pub(crate) helo_suffixes: Vec<Name>,
    /// Patterns of recipients, for rules at RCPT.
    pub(crate) recipients: Vec<String>,
    /// The checks that are skipped; all checks if empty.
    pub(crate) checks: Vec<&'static Check>,
}

impl Allow {
    /// The reason why the client, or at RCPT the recipient, bypasses `check`, if one does.
    pub(crate) fn reason_at(&self, stage: Stage, check: &Check, facts: &Facts) -> Option<String> {
        let recipient = facts.recipient.as_deref();
        let recipient = recipient.filter(|_| stage == Stage::Rcpt && self.concerns(check));
        let listed = |recipient: &&str| {
            let mut patterns = self.recipients.iter();
            patterns.any(|pattern| wildcard::matches(pattern, recipient))
        };
        let of_recipient = || {
            let recipient = recipient.filter(listed)?;
            Some(format!("recipient is {recipient}"))
        };
        self.reason(check, facts).or_else(of_recipient)
    }

    fn concerns(&self, check: &Check) -> bool {
        self.checks.is_empty() || self.checks.contains(&check)
    }

    /// The reason why the client bypasses `check`, if it does.
    pub(crate) fn reason(&self, check: &Check, facts: &Facts) -> Option<String> {
        if !self.concerns(check) {
            return None;
        }
        if let Some(net) = self
            .addresses
            .iter()
            .find(|net| net.contains(&facts.client_address))
        {
            return Some(format!("client address is in {net}"));
        }
        let verified = facts.iprev.as_ref().and_then(|i| i.verified_name.as_ref());
        if let Some(suffix) = matching(&self.ptr_suffixes, verified) {
            return Some(format!("verified name is within {}", name::display(suffix)));
        }
        let helo = facts.helo.as_ref().and_then(|h| h.name());
        matching(&self.helo_suffixes, helo)
            .map(|s| format!("HELO name is within {}", name::display(s)))
    }
}

fn matching<'a>(suffixes: &'a [Name], name: Option<&Name>) -> Option<&'a Name> {
    let name = name?;
    suffixes.iter().find(|suffix| name::is_within(name, suffix))
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut conditions: Vec<String> = self
            .addresses
            .iter()
            .map(|net| format!("client address in {net}"))
            .collect();
        conditions.extend(
            self.ptr_suffixes
                .iter()
                .map(|s| format!("verified name within {}", name::display(s))),
        );
        conditions.extend(
            self.helo_suffixes
                .iter()
                .map(|s| format!("HELO name within {}", name::display(s))),
        );
        conditions.extend(self.recipients.iter().map(|r| format!("recipient {r}")));
        let rules = if self.checks.is_empty() {
            "any rule".to_owned()
        } else {
            let names: Vec<_> = self.checks.iter().map(|check| check.name).collect();
            names.join(", ")
        };
        write!(f, "exempt from {rules}: {}", conditions.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_of_its_era_and_of_each_year_within() {
        let fail = Template::parse(&["550 no"]).expect("a template");
        let variant = |era: &str| Variant {
            modelled: false,
            era: era.to_owned(),
            fail: fail.clone(),
            error: None,
        };
        assert!(variant("2016-2020").is_of("2018") && variant("2016-2020").is_of("2016-2020"));
        assert!(!variant("2016-2020").is_of("2021") && !variant("2016-2020").is_of("x"));
        assert!(variant("until 2012").is_of("2003") && !variant("until 2012").is_of("2013"));
        assert!(variant("2021, web.de").is_of("2021") && !variant("relaying").is_of("2021"));
    }

    #[test]
    fn an_escalation_as_a_sentence() {
        let escalation = Escalation {
            after: 3,
            per: Duration::from_secs(3600),
            by: CountBy::Client,
            first: None,
        };
        let text = escalation.to_string();
        assert!(
            text.starts_with("for the first 3 violations of ") && text.ends_with(" within 1h"),
            "{text}"
        );
    }
}
