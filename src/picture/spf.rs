//! SPF as a nested list: each fetched record, its terms, and the mechanism that matched.

use std::sync::Arc;

use hickory_proto::rr::RData;

use super::Case;
use crate::facts::{DNS_TERMS, LookupRecord, Outcome, REDIRECT, Spf, SpfStep, VOID_LOOKUPS};
use crate::name::{self, RecordType};

/// Maximum number of records shown of one evaluation: ten terms can fetch one record each (RFC 7208 §4.6.4).
const DEEPEST: usize = 11;

/// One evaluation.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) identity: &'static str,
    pub(super) result: String,
    /// The numbers of lookups and void lookups, with their limits.
    pub(super) counts: String,
    pub(super) root: Option<Record>,
}

/// One SPF record with the result of each term.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) domain: String,
    pub(super) terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) text: String,
    /// The lookups and void lookups so far with their limits; empty if the term made no lookup.
    pub(super) counts: String,
    pub(super) matched: bool,
    pub(super) below: Option<Record>,
}

pub(super) fn of(case: &Case<'_>) -> Vec<Tree> {
    let identities = [
        ("HELO", case.facts.spf_helo.as_deref()),
        ("MAIL FROM", case.facts.spf_sender.as_ref()),
    ];
    let evaluated = identities
        .into_iter()
        .filter_map(|(identity, spf)| Some((identity, spf?)));
    evaluated
        .map(|(identity, spf)| tree(identity, spf, case.evidence))
        .collect()
}

fn tree(identity: &'static str, spf: &Spf, evidence: &[Arc<LookupRecord>]) -> Tree {
    let mut reader = Reader {
        evidence,
        mechanism: &spf.mechanism,
        steps: spf.steps.iter().collect(),
    };
    Tree {
        identity,
        result: format!("{} for {}", spf.result.word(), spf.domain),
        counts: counts(spf.dns_terms, spf.void_lookups),
        root: reader.record(&spf.domain, 0),
    }
}

fn counts(lookups: u32, void: u32) -> String {
    format!("{lookups} of {DNS_TERMS} lookups, {void} of {VOID_LOOKUPS} void lookups")
}

/// Follows the records in the order of the evaluation, as far as the evidence goes.
struct Reader<'a> {
    evidence: &'a [Arc<LookupRecord>],
    mechanism: &'a str,
    /// The steps of the evaluation that no term has used yet.
    steps: Vec<&'a SpfStep>,
}

impl<'a> Reader<'a> {
    fn record(&mut self, domain: &str, depth: usize) -> Option<Record> {
        if depth > DEEPEST {
            return None;
        }
        let name = name::absolute(domain)?;
        let fetched = self
            .evidence
            .iter()
            .find(|l| l.record_type == RecordType::TXT && l.name == name)?;
        let text = fetched.answers.iter().find_map(|data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
                .filter(|text| text.to_ascii_lowercase().starts_with("v=spf1")),
            _ => None,
        });
        let Some(text) = text else {
            let outcome = match fetched.outcome {
                Outcome::Data => "no SPF record",
                other => other.word(),
            };
            return Some(Record {
                domain: domain.to_owned(),
                terms: vec![Term {
                    text: outcome.to_owned(),
                    counts: String::new(),
                    matched: false,
                    below: None,
                }],
            });
        };
        let terms = text.split_ascii_whitespace().skip(1);
        let terms = terms.map(|term| self.term(domain, term, depth)).collect();
        Some(Record {
            domain: domain.to_owned(),
            terms,
        })
    }

    fn term(&mut self, domain: &str, text: &str, depth: usize) -> Term {
        let bare = text.trim_start_matches(['+', '-', '~', '?']);
        let word = bare.split([':', '=', '/']).next().unwrap_or_default();
        let word = word.to_ascii_lowercase();
        let step = self.take(domain, if word == REDIRECT { &word } else { text });
        let needs_lookup =
            ["include", "a", "mx", "ptr", "exists", REDIRECT].contains(&word.as_str());
        let target = bare.split_once([':', '=']).map(|(_, target)| target);
        let leads_on = word == "include" || word == REDIRECT;
        let below = target
            .filter(|_| leads_on && step.is_some())
            .and_then(|domain| self.record(domain, depth + 1));
        Term {
            text: text.to_owned(),
            counts: step
                .filter(|_| needs_lookup)
                .map(|step| counts(step.dns_terms, step.void_lookups))
                .unwrap_or_default(),
            matched: depth == 0 && !self.mechanism.is_empty() && self.mechanism == text,
            below,
        }
    }

    /// The step of a term; `None` if the evaluation ended before it.
    fn take(&mut self, domain: &str, term: &str) -> Option<&'a SpfStep> {
        let is_it = |step: &&SpfStep| step.domain == domain && step.term == term;
        let place = self.steps.iter().position(is_it)?;
        Some(self.steps.remove(place))
    }
}
