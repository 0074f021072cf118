//! SPF as a nested list: each record that was fetched, its terms, and the mechanism that matched.

use std::sync::Arc;

use hickory_proto::rr::RData;

use super::Case;
use crate::facts::{LookupRecord, Outcome, Spf};
use crate::name::{self, RecordType};

/// Records shown of one evaluation: ten terms may fetch one each (RFC 7208 §4.6.4).
const DEEPEST: usize = 11;

/// One evaluation.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) identity: &'static str,
    pub(super) result: String,
    /// Lookups and void lookups beside their limits.
    pub(super) counts: String,
    pub(super) root: Option<Record>,
}

/// One record, and what each of its terms led to.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) domain: String,
    pub(super) terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) text: String,
    /// Terms so far that asked DNS, this one included; 0 where it asked nothing.
    pub(super) lookups: u32,
    pub(super) matched: bool,
    pub(super) below: Option<Record>,
}

pub(super) fn of(case: &Case<'_>) -> Vec<Tree> {
    let identities = [
        ("HELO", case.facts.spf_helo.as_deref()),
        ("MAIL FROM", case.facts.spf_sender.as_ref()),
    ];
    let asked = identities
        .into_iter()
        .filter_map(|(identity, spf)| Some((identity, spf?)));
    asked
        .map(|(identity, spf)| tree(identity, spf, case.evidence))
        .collect()
}

fn tree(identity: &'static str, spf: &Spf, evidence: &[Arc<LookupRecord>]) -> Tree {
    let mut reader = Reader {
        evidence,
        mechanism: &spf.mechanism,
        lookups: 0,
        matched: false,
    };
    Tree {
        identity,
        result: format!("{} for {}", spf.result.word(), spf.domain),
        counts: format!(
            "{} of {} lookups, {} of {} void lookups",
            spf.dns_terms,
            crate::facts::DNS_TERMS,
            spf.void_lookups,
            crate::facts::VOID_LOOKUPS
        ),
        root: reader.record(&spf.domain, 0),
    }
}

/// Walks the records in the order of the evaluation, as far as evidence goes.
struct Reader<'a> {
    evidence: &'a [Arc<LookupRecord>],
    mechanism: &'a str,
    lookups: u32,
    /// Set once the mechanism of the outermost record matched: what stands behind it was not evaluated.
    matched: bool,
}

impl Reader<'_> {
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
                    lookups: 0,
                    matched: false,
                    below: None,
                }],
            });
        };
        let terms = text.split_ascii_whitespace().skip(1);
        let terms = terms.map(|term| self.term(term, depth)).collect();
        Some(Record {
            domain: domain.to_owned(),
            terms,
        })
    }

    fn term(&mut self, text: &str, depth: usize) -> Term {
        let bare = text.trim_start_matches(['+', '-', '~', '?']);
        let word = bare.split([':', '=', '/']).next().unwrap_or_default();
        let asks = ["include", "a", "mx", "ptr", "exists", "redirect"];
        let asks = !self.matched && asks.iter().any(|known| known.eq_ignore_ascii_case(word));
        if asks {
            self.lookups += 1;
        }
        let lookups = if asks { self.lookups } else { 0 };
        let target = bare
            .strip_prefix("include:")
            .or_else(|| bare.strip_prefix("redirect="));
        let below = target
            .filter(|_| asks)
            .and_then(|domain| self.record(domain, depth + 1));
        let matched = depth == 0 && !self.mechanism.is_empty() && self.mechanism == text;
        self.matched |= matched;
        Term {
            text: text.to_owned(),
            lookups,
            matched,
            below,
        }
    }
}
