//! All replies of the profiles, ranked by their similarity to a text.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Certainty;
use super::input::QuotedReply;
use super::overlap::Sequences;
use super::pattern::Pattern;
use super::topic::Topic;
use crate::policy::Template;
use crate::policy::check::Check;
use crate::scenario::ReceiverProfile;
use crate::smtp::CoreReply;
use crate::stage::Stage;

/// Minimum share of the words of a template, weighted by rarity, for the same words.
const SAME_WORDS: f64 = 0.72;
/// Minimum share of the words of the text in the template then.
const SAME_TEXT: f64 = 0.5;
/// Minimum number of words of a template for a comparison.
const FEWEST_WORDS: usize = 4;
/// Number of letters that distinguish the beginnings of two replies.
const DISTINCT_PREFIX: usize = 16;

/// A reply of a profile.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The index of its profile.
    pub(super) profile: usize,
    /// The check of its rule; `None` for a reply of the SMTP server itself.
    pub(super) check: Option<&'static Check>,
    /// The index of its rule in the policy.
    pub(super) nth: Option<usize>,
    /// The stage of the rule.
    pub(super) stage: Option<Stage>,
    /// Whether it is the reply to a DNS failure.
    pub(super) temporary: bool,
    /// The requirement on the client, in one clause.
    pub(super) demands: &'static str,
    /// The time in which the receiver gives the reply; `None` for the era of the profile.
    pub(super) era: Option<String>,
    /// Whether only `NAME@ERA` gives this text.
    pub(super) is_variant: bool,
    /// The confidence in the text; `None` for the confidence of the profile.
    pub(super) confidence: Option<&'static str>,
    /// Whether the text is the default of its check, not the receiver's.
    pub(super) is_default: bool,
    /// Whether the words are those of the receiver, not modelled.
    is_literal: bool,
    /// Whether the words are those of software that many operators use.
    of_software: bool,
    pub(super) pattern: Arc<Pattern>,
}

/// A candidate with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ranked {
    /// The index of the candidate.
    pub(super) candidate: usize,
    pub(super) certainty: Certainty,
    /// Higher is better, within a certainty.
    score: f64,
    /// Whether text and codes are those of the reply, proved or modelled.
    fits: bool,
    /// Whether the text has the complete reply.
    whole: bool,
    /// Number of letters and digits of the reply in the text.
    letters: usize,
}

impl Ranked {
    /// A literal match of a candidate.
    pub(super) const fn literal(candidate: usize) -> Self {
        Self {
            candidate,
            certainty: Certainty::Literal,
            score: 0.0,
            fits: true,
            whole: true,
            letters: 0,
        }
    }
}

/// The replies of profiles.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) candidates: Vec<Candidate>,
    /// The number of patterns with each word.
    frequency: HashMap<String, usize>,
    software: Vec<bool>,
}

impl Index {
    pub(super) fn of(profiles: &[ReceiverProfile]) -> Self {
        let mut candidates = Vec::new();
        for (at, profile) in profiles.iter().enumerate() {
            candidates.extend(of_profile(at, profile));
        }
        let software: Vec<_> = profiles.iter().map(|p| p.group == "software").collect();
        let texts: HashSet<_> = candidates
            .iter()
            .filter(|c| software[c.profile])
            .map(|c| c.pattern.text())
            .collect();
        for candidate in &mut candidates {
            candidate.of_software =
                !software[candidate.profile] && texts.contains(&candidate.pattern.text());
        }
        let mut frequency = HashMap::new();
        for candidate in &candidates {
            let words: HashSet<_> = candidate.pattern.words.iter().collect();
            for word in words {
                *frequency.entry(word.clone()).or_default() += 1;
            }
        }
        Self {
            candidates,
            frequency,
            software,
        }
    }

    /// The candidates that fit one of the replies, best first; one for each rule of a profile. `recipient_profiles` are the
    /// profiles of the domain that the refused message was sent to: words that they have from software are theirs.
    pub(super) fn rank(&self, quoted: &[QuotedReply], recipient_profiles: &[usize]) -> Vec<Ranked> {
        let mut ranked: Vec<Ranked> = Vec::new();
        for quoted in quoted {
            let sequences = Sequences::of(&quoted.canonical);
            let topic = Topic::of_words(&quoted.words);
            let mut of_reply: Vec<_> = self
                .candidates
                .iter()
                .enumerate()
                .filter_map(|(at, candidate)| {
                    let is_recipient_profile = recipient_profiles.contains(&candidate.profile);
                    self.judge(
                        at,
                        candidate,
                        is_recipient_profile,
                        quoted,
                        topic,
                        &sequences,
                    )
                })
                .collect();
            self.demote_ambiguous(&mut of_reply, quoted);
            ranked.extend(of_reply);
        }
        let best = ranked.iter().map(|one| one.certainty).min();
        // A match of the same kind is useless if the words are known.
        ranked.retain(|one| best == Some(Certainty::Kind) || one.certainty != Certainty::Kind);
        ranked.sort_by(|one, other| {
            let by_certainty = one.certainty.cmp(&other.certainty);
            by_certainty
                .then(other.score.total_cmp(&one.score))
                .then(one.candidate.cmp(&other.candidate))
        });
        self.drop_defaults(&mut ranked);
        let mut seen = HashSet::new();
        ranked.retain(|one| {
            let candidate = &self.candidates[one.candidate];
            seen.insert((
                candidate.profile,
                candidate.check.map(|c| c.name),
                candidate.pattern.text(),
            ))
        });
        ranked
    }

    /// Drops the default texts of checks where a profile has the same text as its own.
    fn drop_defaults(&self, ranked: &mut Vec<Ranked>) {
        let candidate = |one: &Ranked| &self.candidates[one.candidate];
        let own = ranked.iter().map(candidate).filter(|one| !one.is_default);
        let own: HashSet<_> = own.map(|one| one.pattern.text()).collect();
        ranked.retain(|one| {
            let candidate = candidate(one);
            !candidate.is_default || !own.contains(&candidate.pattern.text())
        });
    }

    fn judge(
        &self,
        at: usize,
        candidate: &Candidate,
        is_recipient_profile: bool,
        quoted: &QuotedReply,
        topic: Option<Topic>,
        sequences: &Sequences<'_>,
    ) -> Option<Ranked> {
        let pattern = &candidate.pattern;
        let codes = pattern.has_codes_of(quoted);
        let ranked = |certainty, score: f64| Ranked {
            fits: false,
            whole: false,
            letters: 0,
            candidate: at,
            certainty,
            // Software comes before the operators that use it, unless it is known who refused.
            score: score
                + match (is_recipient_profile, self.software[candidate.profile]) {
                    (true, _) => 1.0,
                    (false, true) => 0.5,
                    (false, false) => 0.0,
                },
        };
        if let Some(fit) = pattern.fit(quoted, sequences) {
            let literal = fit.literal
                && codes
                && candidate.is_literal
                && (!candidate.of_software || is_recipient_profile);
            let certainty = if literal {
                Certainty::Literal
            } else {
                Certainty::Words
            };
            let coverage = fit.letters as f64
                + if codes { 8.0 } else { 0.0 }
                + if fit.whole { 4.0 } else { 0.0 };
            return Some(Ranked {
                fits: fit.literal && codes,
                whole: fit.whole && fit.literal && codes,
                letters: fit.letters,
                ..ranked(certainty, coverage)
            });
        }
        let same_class = quoted
            .code
            .is_none_or(|code| code / 100 == pattern.code / 100);
        let shared = self.shared(pattern, quoted);
        if same_class && shared > 0.0 {
            return Some(ranked(Certainty::Words, shared * 10.0));
        }
        let same_code = quoted.code == Some(pattern.code);
        let of_topic = topic.is_some() && candidate.check.and_then(Topic::of_check) == topic;
        let same_enhanced = quoted.enhanced.is_some() && quoted.enhanced == pattern.enhanced;
        (same_code
            && of_topic
            && (same_enhanced || quoted.enhanced.is_none() || pattern.enhanced.is_none()))
        .then(|| ranked(Certainty::Kind, if same_enhanced { 2.0 } else { 1.0 }))
    }

    /// The common words, weighted by rarity; 0 if the words are not the same.
    fn shared(&self, pattern: &Pattern, quoted: &QuotedReply) -> f64 {
        if pattern.words.len() < FEWEST_WORDS {
            return 0.0;
        }
        let quoted_words: HashSet<_> = quoted.words.iter().collect();
        let pattern_words: HashSet<_> = pattern.words.iter().collect();
        let weight = |words: &mut dyn Iterator<Item = &&String>| {
            words.map(|word| self.rarity(word)).sum::<f64>()
        };
        let common = weight(&mut pattern_words.intersection(&quoted_words));
        let (pattern_share, quoted_share) = (
            common / weight(&mut pattern_words.iter()),
            common / weight(&mut quoted_words.iter()),
        );
        if pattern_share >= SAME_WORDS && quoted_share >= SAME_TEXT {
            pattern_share.min(quoted_share)
        } else {
            0.0
        }
    }

    fn rarity(&self, word: &str) -> f64 {
        let all = self.candidates.len() as f64;
        let with = self.frequency.get(word).copied().unwrap_or(0) as f64;
        ((all + 1.0) / (with + 1.0)).ln()
    }

    /// Lowers matches that prove nothing: another reply has more of the text or is complete, or the text is a part of the
    /// replies of several receivers.
    fn demote_ambiguous(&self, ranked: &mut [Ranked], quoted: &QuotedReply) {
        let fits = |one: &&Ranked| one.fits;
        let most = ranked.iter().filter(fits).map(|one| one.letters).max();
        let Some(most) = most else {
            return;
        };
        let best = |one: &&Ranked| one.fits && one.letters == most;
        let profile = |one: &Ranked| self.candidates[one.candidate].profile;
        let profiles: HashSet<_> = ranked.iter().filter(best).map(profile).collect();
        let text = |one: &Ranked| self.candidates[one.candidate].pattern.text();
        let texts: HashSet<_> = ranked.iter().filter(best).map(text).collect();
        let is_complete = ranked.iter().filter(best).any(|one| one.whole);
        let is_short = quoted.canonical.len() < DISTINCT_PREFIX;
        let is_shared = texts.len() > 1 && (profiles.len() > 1 || is_short) && !is_complete;
        for one in ranked.iter_mut() {
            let is_other = one.letters < most && !profiles.contains(&profile(one));
            if is_shared || is_other || (is_complete && !one.whole) {
                one.certainty = one.certainty.max(Certainty::Words);
            }
        }
    }
}

fn of_profile(at: usize, profile: &ReceiverProfile) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let candidate = |template: &Template| Candidate {
        profile: at,
        check: None,
        nth: None,
        stage: None,
        temporary: false,
        demands: "",
        era: None,
        is_variant: false,
        confidence: None,
        is_default: false,
        is_literal: true,
        of_software: false,
        pattern: Arc::new(Pattern::of(template)),
    };
    for (nth, rule) in profile.receiver.policy.rules().iter().enumerate() {
        let own = [(&rule.fail, false, None), (&rule.error, true, None)];
        let others = rule.variants.iter().flat_map(|variant| {
            let error = variant
                .error
                .as_ref()
                .map(|error| (error, true, Some(variant)));
            std::iter::once((&variant.fail, false, Some(variant))).chain(error)
        });
        let first = rule.escalation.as_ref().and_then(|e| e.first.as_ref());
        if let Some(first) = first {
            candidates.push(Candidate {
                check: Some(rule.check),
                nth: Some(nth),
                stage: Some(rule.stage),
                demands: rule.check.checks,
                era: rule.era.clone(),
                confidence: rule.confidence,
                is_literal: !rule.modelled,
                ..candidate(first)
            });
        }
        for (template, temporary, variant) in own.into_iter().chain(others) {
            let own = if temporary {
                rule.has_own_error
            } else {
                rule.has_own_fail
            };
            candidates.push(Candidate {
                check: Some(rule.check),
                nth: Some(nth),
                stage: Some(rule.stage),
                temporary,
                demands: rule.check.checks,
                era: variant
                    .map(|variant| variant.era.clone())
                    .or_else(|| rule.era.clone()),
                is_variant: variant.is_some(),
                is_default: variant.is_none() && !own,
                confidence: rule.confidence,
                is_literal: match variant {
                    Some(variant) => !variant.modelled,
                    None => !rule.modelled && own,
                },
                ..candidate(template)
            });
        }
    }
    let replies = &profile.receiver.settings.replies;
    for reply in CoreReply::ALL
        .iter()
        .filter(|reply| replies.is_own(**reply))
    {
        let template = replies.template(*reply, true);
        if template.pattern().code().is_refusal() {
            candidates.push(Candidate {
                demands: reply.doc(),
                ..candidate(template)
            });
        }
    }
    candidates
}
