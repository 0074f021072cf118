//! Draws why mail was refused: who claimed what, what DNS answered, and where the chain broke.
//!
//! Everything here is pure: a [`Case`] in, SVG, HTML or text out. A [`Picture`] is made of fixed lanes, one for each
//! identity of a session, so that no layout engine is needed and two pictures can be compared by eye:
//!
//! ```text
//! client address ── PTR ──▶ PTR names ── A, AAAA ──▶ their addresses
//! HELO name ── A, AAAA ──▶ its addresses
//! MAIL FROM ── SPF ──▶ the result
//! From ── DKIM, DMARC ──▶ the results
//! ```
//!
//! An edge that held is thin and solid. The edge that the refusing rule found broken is thick and dashed, bears ✕, the
//! rule and the DNS answer. What no rule asked for is dotted. Nothing is told by colour alone.

mod escape;
mod html;
mod lanes;
mod remedies;
mod sentence;
mod session;
mod spf;
mod style;
mod subject;
mod svg;
mod timeline;

use std::net::IpAddr;
use std::sync::Arc;

use crate::check::Judgement;
use crate::facts::{Facts, LookupRecord};
use crate::stage::Stage;
use crate::verdict::Verdict;

#[cfg(feature = "cli")]
pub(crate) use escape::Escaped;
pub use remedies::Cure;
pub use session::moments;
pub use style::STYLE;
pub use timeline::{Actor, Moment};

/// The data of a picture: an ended session, or the judgement of a client without a session.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The receiver's name.
    pub receiver: &'a str,
    /// What it came to.
    pub verdict: Verdict,
    /// The stage of the refusal; `None` without a refusal.
    pub stage: Option<Stage>,
    /// The rule that refused; empty without one.
    pub rule: &'a str,
    /// The demand that was not met; empty if all were met.
    pub why: &'a str,
    /// The reply that decided, as wire lines.
    pub reply: Vec<String>,
    /// The client address.
    pub client_address: IpAddr,
    /// What was observed.
    pub facts: &'a Facts,
    /// The receiver's lookups.
    pub evidence: &'a [Arc<LookupRecord>],
    /// What would cure the refusal, the best first.
    pub cures: Vec<Cure>,
    /// The moments in order of time; empty for a judgement without a session.
    pub moments: Vec<Moment>,
}

/// A picture, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    sentence: String,
    verdict: Verdict,
    reply: Vec<String>,
    lanes: Vec<lanes::Lane>,
    spf: Vec<spf::Tree>,
    moments: Vec<Moment>,
    cures: Vec<Cure>,
}

/// The mark that stands for a verdict beside its colour.
const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "✓",
        Verdict::Defer => "◷",
        Verdict::Reject => "✕",
        Verdict::None => "–",
    }
}

impl<'a> From<&'a Judgement> for Case<'a> {
    fn from(judgement: &'a Judgement) -> Self {
        Self {
            cures: judgement.remedies.iter().map(Cure::of).collect(),
            ..Self::bare(judgement)
        }
    }
}

impl<'a> Case<'a> {
    /// The case of a judgement without its remedies, which are proved when they are looked at.
    fn bare(judgement: &'a Judgement) -> Self {
        let refused = judgement.rule.is_some() || judgement.verdict != Verdict::Accept;
        Self {
            receiver: &judgement.receiver,
            verdict: judgement.verdict,
            stage: refused.then_some(judgement.stage),
            rule: judgement.rule.unwrap_or_default(),
            why: &judgement.why,
            reply: judgement.reply.wire_lines().collect(),
            client_address: judgement.client,
            facts: &judgement.facts,
            evidence: &judgement.evidence,
            cures: Vec::new(),
            moments: Vec::new(),
        }
    }
}

impl Picture {
    /// Composes the picture of a case.
    pub fn of(case: &Case<'_>) -> Self {
        Self {
            sentence: sentence::of(case),
            verdict: case.verdict,
            reply: case.reply.clone(),
            lanes: lanes::of(case),
            spf: spf::of(case),
            moments: case.moments.clone(),
            cures: case.cures.clone(),
        }
    }

    /// One sentence: the source of the refusal, its stage and its reason.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The identity strip as a standalone SVG document.
    pub fn svg(&self) -> String {
        svg::document(self)
    }

    /// Every part as one HTML document, which can be printed.
    pub fn html(&self) -> String {
        html::document(self)
    }

    /// The strip in words, a line for each edge: the text alternative of the SVG.
    pub fn text(&self) -> String {
        let lines = self.lanes.iter().flat_map(lanes::Lane::sentences);
        lines.map(|line| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests;
