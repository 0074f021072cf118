//! Words and colours of the human output: aligned, coloured on a terminal, plain in a pipe.

use std::fmt::Write;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};

use crate::facts::LookupRecord;
use crate::name;
use crate::policy::{Remedy, labelled};
use crate::verdict::Verdict;

/// Accepted.
pub(super) const ACCEPTED: Style = AnsiColor::Green.on_default().bold();
/// Deferred.
pub(super) const DEFERRED: Style = AnsiColor::Yellow.on_default().bold();
/// Rejected.
pub(super) const REFUSED: Style = AnsiColor::Red.on_default().bold();
/// Headings.
pub(super) const HEADING: Style = Style::new().bold();
/// What matters less.
pub(super) const DIM: Style = Style::new().dimmed();

/// Records of one answer that are shown; the JSON output has all.
const RECORDS: usize = 4;

/// The colour of a verdict.
pub(super) fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::None => DIM,
        Verdict::Accept => ACCEPTED,
        Verdict::Defer => DEFERRED,
        Verdict::Reject => REFUSED,
    }
}

/// An explanation of one judgement, from a session or from a what-if.
pub(super) struct Explanation<'a> {
    pub verdict: Verdict,
    pub stage: &'a str,
    pub rule: &'a str,
    pub who: &'a str,
    pub client: String,
    pub helo: &'a str,
    pub allowed: &'a str,
    pub why: &'a str,
    pub reply: Vec<String>,
    pub evidence: &'a [Arc<LookupRecord>],
    pub remedies: &'a [Remedy],
}

impl Explanation<'_> {
    /// What the client claimed, what DNS said, which rule broke, the reply, and the remedies.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let style = style(self.verdict);
        let by = if self.rule.is_empty() {
            String::new()
        } else {
            format!(", rule {}", self.rule)
        };
        let _ = writeln!(
            out,
            "{}: {style}{}{style:#} at {}{by}",
            self.who,
            self.verdict.past(),
            self.stage
        );
        let helo = if self.helo.is_empty() {
            "(none)"
        } else {
            self.helo
        };
        row(
            &mut out,
            "client",
            &format!("{}, saying {helo}", self.client),
        );
        for (i, question) in self.evidence.iter().enumerate() {
            row(
                &mut out,
                if i == 0 { "DNS" } else { "" },
                &self::question(question),
            );
        }
        if !self.allowed.is_empty() {
            row(&mut out, "allowed", self.allowed);
        }
        if !self.why.is_empty() {
            row(&mut out, "because", self.why);
        }
        for (i, line) in self.reply.iter().enumerate() {
            row(&mut out, if i == 0 { "reply" } else { "" }, line);
        }
        for (label, change) in labelled(self.remedies) {
            row(&mut out, label, &change.to_string());
        }
        out
    }
}

fn row(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {DIM}{label:<9}{DIM:#}{text}");
}

/// One question and what came back, as in a zone file.
fn question(question: &LookupRecord) -> String {
    let asked = format!("{} {}", name::display(&question.name), question.record_type);
    if question.answers.is_empty() {
        let waited = if question.elapsed.is_zero() {
            String::new()
        } else {
            format!(" after {:?}", question.elapsed)
        };
        return format!("{asked}: {}{waited}", question.outcome);
    }
    let shown: Vec<_> = question
        .answers
        .iter()
        .take(RECORDS)
        .map(ToString::to_string)
        .collect();
    let more = question.answers.len().saturating_sub(RECORDS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{asked}: {}{more}", shown.join(", "))
}
