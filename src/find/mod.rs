//! From a bounce to its cause: whose words these are, which rule speaks them, which scenario and client bring the same
//! reply about, and what cures it.
//!
//! The patterns are the reply templates of the profiles, so a new profile is found without further work. Scenarios are
//! found by playing them: no table says which one fits.

mod canonical;
mod cases;
mod commands;
mod input;
mod log;
mod pattern;
mod rank;
mod rewrite;
mod topic;

pub use input::Sent;
pub use rewrite::{Rewritten, scenario_of};

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use cases::Stage;
use input::Input;
use rank::{Candidate, Index, Ranked};
use topic::Topic;

use crate::policy::Remedies;
use crate::scenario::{ReceiverProfile, Scenario};

/// Matches that are shown.
const MATCHES: usize = 8;
/// Nearest replies that are shown where nothing matches.
const NEAREST: usize = 3;

/// How sure it is that a reply is a receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The text and the codes are the receiver's, word for word.
    Literal,
    /// The words are the receiver's, or those of the software that it runs; codes or details differ.
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

/// A rule of a receiver that gives the reply that was looked for.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    /// The receiver.
    pub receiver: String,
    /// What the receiver is.
    pub title: String,
    /// When the receiver replied like this.
    pub era: String,
    /// How sure the words of the profile are.
    pub confidence: String,
    /// The rule; `null` for a reply of the SMTP server itself.
    pub rule: Option<&'static str>,
    /// What the rule requires, or what the SMTP server replies to.
    pub requires: &'static str,
    /// How sure the match is.
    pub certainty: Certainty,
    /// The stage at which the receiver gives the reply; `null` for a reply of the SMTP server itself.
    pub stage: Option<crate::stage::Stage>,
    /// True where the reply answers a temporary failure of DNS.
    pub temporary: bool,
    /// The reply, with placeholders.
    pub reply: Vec<String>,
    /// The scenario that brings this reply about; `null` where no built-in one does.
    pub scenario: Option<String>,
    /// The client address to come from.
    pub client: Option<IpAddr>,
    /// The HELO name to say.
    pub helo: Option<String>,
    /// Commands that show the reply.
    pub commands: Vec<String>,
    /// An expectation to copy into a scenario file.
    pub test: String,
    /// What cures the refusal in this scenario: alternatives, best first.
    #[serde(serialize_with = "alternatives")]
    pub remedies: Remedies,
    /// Where the words are known from: pages of the operator, captures.
    pub sources: Vec<String>,
}

fn alternatives<S: serde::Serializer>(
    remedies: &Remedies,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    remedies.view().one_of.serialize(serializer)
}

/// A reply that comes near where nothing matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// The receiver.
    pub receiver: String,
    /// The rule.
    pub rule: Option<&'static str>,
    /// Why it is near.
    pub because: &'static str,
    /// The reply, with placeholders.
    pub reply: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// The matches, best first.
    pub matches: Vec<Match>,
    /// Where nothing matches: the nearest replies by code, and a generic receiver that behaves alike.
    pub nearest: Vec<Near>,
    /// What the input says of the message that was refused.
    pub sent: Sent,
}

/// Profiles and scenarios that replies are looked for in.
#[derive(Debug)]
pub struct Finder {
    profiles: Vec<ReceiverProfile>,
    scenarios: Vec<Scenario>,
    index: Index,
}

impl Finder {
    /// A finder over these profiles and scenarios.
    pub fn new(profiles: Vec<ReceiverProfile>, scenarios: Vec<Scenario>) -> Self {
        let index = Index::of(&profiles);
        Self {
            profiles,
            scenarios,
            index,
        }
    }

    /// A finder over what is built in.
    ///
    /// # Errors
    /// A mistake in a built-in file.
    pub fn built_in() -> Result<Self, crate::Error> {
        Ok(Self::new(
            crate::scenario::list_receivers()?,
            crate::scenario::list_scenarios()?,
        ))
    }

    /// Finds who gives a reply: `input` is the reply, a log line, JSON, or a delivery status notification.
    pub fn find(&self, input: &[u8]) -> Found {
        let input = Input::of(input);
        let ranked = self.index.rank(&input.said);
        let stage = Stage::of(&self.scenarios);
        let shown = ranked.iter().take(MATCHES);
        let matches: Vec<_> = shown.map(|one| self.shown(one, &stage)).collect();
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

    /// The receivers whose words a reply has, with the certainty, best first; no scenario is played.
    pub fn receivers(&self, input: &[u8]) -> Vec<(&ReceiverProfile, Certainty)> {
        let mut found: Vec<(&ReceiverProfile, Certainty)> = Vec::new();
        for one in self.index.rank(&Input::of(input).said) {
            let profile = &self.profiles[self.index.candidates[one.candidate].profile];
            if !found.iter().any(|(known, _)| known.name == profile.name) {
                found.push((profile, one.certainty));
            }
        }
        found
    }

    fn shown(&self, ranked: &Ranked, stage: &Stage<'_>) -> Match {
        let candidate = &self.index.candidates[ranked.candidate];
        let profile = &self.profiles[candidate.profile];
        let (receiver, played) = (self.receiver_name(candidate), self.receiver(candidate));
        let case = stage.find(&played, candidate.check, &candidate.pattern);
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
            receiver,
        }
    }

    /// The receiver that gives a reply: a profile, or what the profile is at another time, `NAME@ERA`.
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
        let Some(said) = input.said.iter().max_by_key(|said| said.words.len()) else {
            return Vec::new();
        };
        let topic = Topic::of_words(&said.words);
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
        let has_code = |candidate: &&Candidate| {
            let enhanced = said.enhanced.is_none() || said.enhanced == candidate.pattern.enhanced;
            said.code == Some(candidate.pattern.code) && enhanced && candidate.check.is_some()
        };
        let mut seen = std::collections::HashSet::new();
        let by_code = candidates
            .iter()
            .filter(has_code)
            .filter(|c| seen.insert(c.profile));
        nearest.extend(by_code.take(NEAREST).map(|c| near(c, "the same codes")));
        nearest
    }
}

/// The replies of a profile that hold the words of a pattern, each with its rule. Case, punctuation and placeholders do
/// not count.
pub fn replies_with(profile: &ReceiverProfile, pattern: &str) -> Vec<(&'static str, Vec<String>)> {
    let wanted = canonical::canonical(pattern);
    let mut found: Vec<(&'static str, Vec<String>)> = Vec::new();
    for rule in profile.receiver.policy.rules() {
        let variants = rule.variants.iter().map(|variant| &variant.fail);
        for template in [&rule.fail, &rule.error].into_iter().chain(variants) {
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
