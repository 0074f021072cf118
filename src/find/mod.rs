//! From a bounce to its cause: the receiver with this text, its rule, a scenario and a client that cause the same
//! reply, and the remedies.
//!
//! The patterns are the reply templates of the profiles, so a new profile needs no further work. Scenarios are found by
//! running them, without a table.

mod canonical;
mod cases;
mod commands;
mod deviations;
mod input;
mod log;
mod overlap;
mod pattern;
mod piece;
mod rank;
mod rewrite;
mod sent;
mod topic;

pub use rewrite::{Rewritten, scenario_of};
pub use sent::Sent;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use cases::Stage;
use input::Input;
use rank::{Candidate, Index, Ranked};
use topic::Topic;

use crate::policy::Remedies;
use crate::scenario::{ReceiverProfile, Scenario};

/// Maximum number of matches.
const MATCHES: usize = 8;
/// Maximum number of nearest replies if nothing matches.
const NEAREST: usize = 3;

/// The certainty that a reply is from a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Text and codes are those of the receiver, word for word.
    Literal,
    /// The words are those of the receiver or of its software; codes or details differ.
    Words,
    /// The reply code and the subject are the same.
    Kind,
}

impl Certainty {
    /// The word in files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Words => "words",
            Self::Kind => "kind",
        }
    }
}

/// A rule of a receiver that gives the reply.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    /// The receiver.
    pub receiver: String,
    /// The title of the receiver.
    pub title: String,
    /// The years in which the receiver gave this reply.
    pub era: String,
    /// The confidence of the profile.
    pub confidence: String,
    /// The rule; `null` for a reply of the SMTP server itself.
    pub rule: Option<&'static str>,
    /// The requirement of the rule, or the command that the SMTP server replies to.
    pub requires: &'static str,
    /// The certainty of the match.
    pub certainty: Certainty,
    /// The stage at which the receiver gives the reply; `null` for a reply of the SMTP server itself.
    pub stage: Option<crate::stage::Stage>,
    /// Whether the reply is for a temporary DNS failure.
    pub temporary: bool,
    /// The reply, with placeholders.
    pub reply: Vec<String>,
    /// A scenario that causes this reply; `null` if no built-in one does.
    pub scenario: Option<String>,
    /// The client address in this scenario.
    pub client: Option<IpAddr>,
    /// The HELO name in this scenario.
    pub helo: Option<String>,
    /// The number of sessions after which the reply comes, for a rule that counts messages or refusals.
    #[serde(skip_serializing_if = "is_one")]
    pub sessions: u64,
    /// Commands that show the reply.
    pub commands: Vec<String>,
    /// An expectation to copy into a scenario file.
    pub test: String,
    /// The remedies in this scenario: alternatives, best first.
    #[serde(serialize_with = "alternatives")]
    pub remedies: Remedies,
    /// The sources of the text: pages of the operator, captures.
    pub sources: Vec<String>,
    /// Remarks about the receiver.
    pub notes: String,
}

const fn is_one(sessions: &u64) -> bool {
    *sessions == 1
}

fn alternatives<S: serde::Serializer>(
    remedies: &Remedies,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    remedies.view().one_of.serialize(serializer)
}

/// A near reply, if nothing matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Near {
    /// The receiver.
    pub receiver: String,
    /// The rule.
    pub rule: Option<&'static str>,
    /// The similarity.
    pub because: &'static str,
    /// The reply, with placeholders.
    pub reply: Vec<String>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// The matches, best first.
    pub matches: Vec<Match>,
    /// If nothing matches, the nearest replies by code, and a generic receiver with the same behaviour.
    pub(crate) nearest: Vec<Near>,
    /// The details of the refused message in the input.
    pub sent: Sent,
}

/// The profiles and scenarios of a search.
#[derive(Debug)]
pub struct Finder {
    profiles: Vec<ReceiverProfile>,
    scenarios: Vec<Scenario>,
    index: Index,
    /// The domains of the scenarios whose mail has a receiver of its own, each with the index of its profile.
    domains: Vec<(String, usize)>,
}

impl Finder {
    /// Makes a finder with these profiles and scenarios.
    pub fn new(profiles: Vec<ReceiverProfile>, scenarios: Vec<Scenario>) -> Self {
        let index = Index::of(&profiles);
        let profile = |named: &str| {
            let name = named.split('@').next()?;
            profiles.iter().position(|profile| profile.name == name)
        };
        let domains = scenarios.iter().flat_map(|scenario| &scenario.domains);
        let own = domains.filter_map(|domain| {
            let name = crate::name::display(&domain.name).to_string();
            Some((name.to_lowercase(), profile(domain.receiver.as_deref()?)?))
        });
        let domains = own.collect();
        Self {
            profiles,
            scenarios,
            index,
            domains,
        }
    }

    /// Makes a finder with the built-in profiles and scenarios.
    ///
    /// # Errors
    /// A built-in file has a mistake.
    pub fn built_in() -> Result<Self, crate::Error> {
        Ok(Self::new(
            crate::scenario::list_receivers()?,
            crate::scenario::list_scenarios()?,
        ))
    }

    /// Finds the receivers that give a reply. `input` is the reply, a log line, JSON, or a delivery status notification.
    pub fn find(&self, input: &[u8]) -> Found {
        let input = Input::of(input);
        let ranked = self
            .index
            .rank(&input.replies, &self.recipient_profiles(&input.sent));
        let stage = Stage::of(&self.scenarios);
        let shown = ranked.iter().take(MATCHES);
        let matches: Vec<_> = shown.map(|ranked| self.shown(ranked, &stage)).collect();
        Found {
            nearest: if matches.is_empty() {
                self.nearest(&input)
            } else {
                Vec::new()
            },
            matches,
            sent: input.sent,
        }
    }

    /// The replies that the rules of a receiver give today, each with a scenario that causes it.
    pub fn known(&self, receiver: &str) -> Vec<Match> {
        let stage = Stage::of(&self.scenarios);
        let candidates = self.index.candidates.iter().enumerate();
        let today = candidates.filter(|(_, candidate)| {
            candidate.check.is_some()
                && !candidate.is_variant
                && !candidate.is_default
                && self.profiles[candidate.profile].name == receiver
        });
        let known = today.map(|(at, _)| self.shown(&Ranked::literal(at), &stage));
        known.collect()
    }

    /// The receivers with the words of a reply, and the certainty, best first, without running scenarios.
    pub fn receivers(&self, input: &[u8]) -> Vec<(&ReceiverProfile, Certainty)> {
        let mut found: Vec<(&ReceiverProfile, Certainty)> = Vec::new();
        let input = Input::of(input);
        for ranked in self
            .index
            .rank(&input.replies, &self.recipient_profiles(&input.sent))
        {
            let profile = &self.profiles[self.index.candidates[ranked.candidate].profile];
            if !found.iter().any(|(known, _)| known.name == profile.name) {
                found.push((profile, ranked.certainty));
            }
        }
        found
    }

    /// The profiles of the domain that the refused message was sent to.
    fn recipient_profiles(&self, sent: &Sent) -> Vec<usize> {
        let domain = |mailbox: &String| Some(mailbox.rsplit_once('@')?.1.to_owned());
        let recipient = sent.recipient.as_ref().and_then(domain);
        let hosts = [sent.receiver.clone(), recipient];
        let hosts = hosts.into_iter().flatten().map(|host| host.to_lowercase());
        let of_host = |host: String| {
            let is_within = move |domain: &str| {
                let before = host.trim_end_matches('.').strip_suffix(domain);
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            };
            let own = self.domains.iter();
            own.filter_map(move |(domain, profile)| is_within(domain).then_some(*profile))
        };
        hosts.flat_map(of_host).collect()
    }

    fn shown(&self, ranked: &Ranked, stage: &Stage<'_>) -> Match {
        let candidate = &self.index.candidates[ranked.candidate];
        let profile = &self.profiles[candidate.profile];
        let (receiver, played) = (self.receiver_name(candidate), self.receiver(candidate));
        let case = stage.find(&played, candidate.check, candidate.nth, &candidate.pattern);
        let (scenario, client, helo) = match &case {
            Some(case) => {
                let attempt = &case.attempt;
                (
                    Some(case.scenario.clone()),
                    Some(attempt.client),
                    Some(attempt.helo.clone()),
                )
            }
            None => (None, None, None),
        };
        Match {
            title: profile.title.clone(),
            era: candidate.era.clone().unwrap_or_else(|| profile.era.clone()),
            confidence: candidate
                .confidence
                .unwrap_or(&profile.confidence)
                .to_owned(),
            rule: candidate.check.map(|check| check.name),
            requires: candidate.demands,
            certainty: ranked.certainty,
            stage: case
                .as_ref()
                .map(|case| case.judgement.stage)
                .or(candidate.stage),
            temporary: candidate.temporary,
            reply: candidate.pattern.lines.clone(),
            scenario,
            client,
            helo,
            sessions: case.as_ref().map_or(1, |case| case.sessions),
            commands: case
                .as_ref()
                .map(|case| commands::of(case, &receiver))
                .unwrap_or_default(),
            test: case
                .as_ref()
                .map(|case| commands::expectation(case, &receiver))
                .unwrap_or_default(),
            remedies: case.map(|case| case.judgement.remedies).unwrap_or_default(),
            sources: profile.sources.clone(),
            notes: profile.notes.clone(),
            receiver,
        }
    }

    /// The receiver of a reply: a profile, or the profile at another time, `NAME@ERA`.
    fn receiver_name(&self, candidate: &Candidate) -> String {
        let name = &self.profiles[candidate.profile].name;
        match &candidate.era {
            Some(era) if candidate.is_variant => format!("{name}@{era}"),
            _ => name.clone(),
        }
    }

    fn receiver(&self, candidate: &Candidate) -> Cow<'_, ReceiverProfile> {
        let of_era = || crate::scenario::load_receiver(&self.receiver_name(candidate)).ok();
        let of_era = candidate.is_variant.then(of_era).flatten();
        of_era.map_or_else(
            || Cow::Borrowed(&self.profiles[candidate.profile]),
            Cow::Owned,
        )
    }

    /// The candidates of the same code, and a generic receiver with a rule of the same subject.
    fn nearest(&self, input: &Input) -> Vec<Near> {
        let near = |candidate: &Candidate, because| Near {
            receiver: self.profiles[candidate.profile].name.clone(),
            rule: candidate.check.map(|check| check.name),
            because,
            reply: candidate.pattern.lines.clone(),
        };
        let candidates = &self.index.candidates;
        let Some(quoted) = input.replies.iter().max_by_key(|quoted| quoted.words.len()) else {
            return Vec::new();
        };
        let topic = Topic::of_words(&quoted.words);
        let is_generic = |candidate: &&Candidate| {
            let about = candidate.check.and_then(Topic::of_check);
            self.profiles[candidate.profile].group == "generic" && topic.is_some() && about == topic
        };
        let mut nearest: Vec<_> = candidates
            .iter()
            .find(is_generic)
            .map(|candidate| {
                near(
                    candidate,
                    "a generic receiver with a rule of the same subject",
                )
            })
            .into_iter()
            .collect();
        let with_code = |candidate: &&Candidate| candidate.check.is_some();
        let has_code = |candidate: &&Candidate| {
            let enhanced =
                quoted.enhanced.is_none() || quoted.enhanced == candidate.pattern.enhanced;
            quoted.code == Some(candidate.pattern.code) && enhanced
        };
        // Without a reply of the same codes, the replies with the nearest code of the same class.
        let distance = |candidate: &&Candidate| {
            let code = quoted
                .code
                .filter(|code| code / 100 == candidate.pattern.code / 100)?;
            Some(code.abs_diff(candidate.pattern.code))
        };
        let rules = || candidates.iter().filter(with_code);
        let least = rules().filter_map(|candidate| distance(&candidate)).min();
        let is_known = rules().any(|candidate| has_code(&candidate));
        let because = match is_known {
            true => "the same codes",
            false => "the nearest code",
        };
        let is_near = |candidate: &&Candidate| match is_known {
            true => has_code(candidate),
            false => least.is_some() && distance(candidate) == least,
        };
        let mut seen = std::collections::HashSet::new();
        let by_code = rules().filter(is_near).filter(|c| seen.insert(c.profile));
        nearest.extend(by_code.take(NEAREST).map(|c| near(c, because)));
        nearest
    }
}

/// The replies of a profile that contain the words of a pattern, each with its rule. Case, punctuation and placeholders are
/// ignored.
pub(crate) fn replies_with(
    profile: &ReceiverProfile,
    pattern: &str,
) -> Vec<(&'static str, Vec<String>)> {
    let wanted = canonical::canonical(pattern);
    let mut found: Vec<(&'static str, Vec<String>)> = Vec::new();
    for rule in profile.receiver.policy.rules() {
        let variants = rule.variants.iter().map(|variant| &variant.fail);
        let first = rule.escalation.iter().flat_map(|known| &known.first);
        let own = [&rule.fail, &rule.error].into_iter();
        for template in own.chain(first).chain(variants) {
            let lines: Vec<_> = template.pattern().wire_lines().collect();
            let holds = canonical::canonical(&lines.join(" ")).contains(&wanted)
                || canonical::canonical(&template.pattern().texts().join(" ")).contains(&wanted);
            let row = (rule.check.name, lines);
            if holds && !found.contains(&row) {
                found.push(row);
            }
        }
    }
    found
}
