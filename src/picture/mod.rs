//! Draws why mail was refused: the identities that the client claimed, the DNS answers, and the broken link.
//!
//! Everything here is pure: a [`Case`] in, SVG, HTML or text out. A [`Picture`] has fixed lanes, one for each identity
//! of a session, so that it needs no layout engine and two pictures can be compared by eye:
//! ```text
//! client address ── PTR ──▶ PTR names ── A, AAAA ──▶ their addresses
//! HELO name ── A, AAAA ──▶ its addresses
//! MAIL FROM ── SPF ──▶ the result
//! From ── DKIM, DMARC ──▶ the results
//! ```
//!
//! An edge that holds is thin and solid. The edge that the refusing rule found broken is thick and dashed, with ✕, the
//! rule and the DNS answer. An edge that no rule examined is dotted. Colour is never the only distinction.

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
pub(crate) use remedies::RemedyPicture;
pub(crate) use session::steps;
pub(crate) use style::STYLE;
pub(crate) use timeline::{Actor, Step};

/// The data of a picture: an ended session, or the judgement of a client without a session.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    /// The receiver's name.
    pub(crate) receiver: &'a str,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// The stage of the refusal; `None` without a refusal.
    pub(crate) stage: Option<Stage>,
    /// The rule that refused; empty without one.
    pub(crate) rule: &'a str,
    /// The reason of the refusal; empty without one.
    pub(crate) why: &'a str,
    /// The decisive reply, as lines on the wire.
    pub(crate) reply: Vec<String>,
    /// The client address.
    pub(crate) client_address: IpAddr,
    /// The observed facts.
    pub(crate) facts: &'a Facts,
    /// The receiver's lookups.
    pub(crate) evidence: &'a [Arc<LookupRecord>],
    /// The remedies of the refusal, best first.
    pub(crate) remedies: Vec<RemedyPicture>,
    /// The steps of the session in order of time; empty for a judgement without a session.
    pub(crate) steps: Vec<Step>,
}

/// A picture, ready to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    sentence: String,
    verdict: Verdict,
    reply: Vec<String>,
    lanes: Vec<lanes::Lane>,
    spf: Vec<spf::Tree>,
    steps: Vec<Step>,
    remedies: Vec<RemedyPicture>,
}

/// The mark of a verdict, in addition to its colour.
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
            remedies: judgement.remedies.iter().map(RemedyPicture::of).collect(),
            ..Self::bare(judgement)
        }
    }
}

impl<'a> Case<'a> {
    /// The case of a judgement without its remedies, which are verified only on demand.
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
            remedies: Vec::new(),
            steps: Vec::new(),
        }
    }
}

impl Picture {
    /// Composes the picture of a case.
    pub(crate) fn of(case: &Case<'_>) -> Self {
        Self {
            sentence: sentence::of(case),
            verdict: case.verdict,
            reply: case.reply.clone(),
            lanes: lanes::of(case),
            spf: spf::of(case),
            steps: case.steps.clone(),
            remedies: case.remedies.clone(),
        }
    }

    /// The identity strip as a standalone SVG document.
    pub(crate) fn svg(&self) -> String {
        svg::document(self)
    }

    /// Every part as one HTML document, which can be printed.
    pub(crate) fn html(&self) -> String {
        html::document(self)
    }
}

#[cfg(test)]
mod tests;
