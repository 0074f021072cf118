//! The human output: aligned labels, with colours on a terminal.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Deserialize;

use crate::lookup::{LookupRecord, Outcome};
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
/// Details.
pub(super) const DIM: Style = Style::new().dimmed();

/// Maximum number of records shown for one answer; the JSON output has all of them.
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
    /// One line for each question.
    pub evidence: Vec<String>,
    /// A label and a line for each change.
    pub remedies: Vec<(&'static str, String)>,
}

impl Explanation<'_> {
    /// The identities, the DNS answers, the rule that refused, the reply, and the remedies.
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
        for (i, question) in self.questions().enumerate() {
            row(&mut out, if i == 0 { "DNS" } else { "" }, question);
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
        for (label, change) in &self.remedies {
            row(&mut out, label, change);
        }
        out
    }
}

impl Explanation<'_> {
    /// Each question once, although a receiver can ask it for several rules.
    fn questions(&self) -> impl Iterator<Item = &String> {
        let all = self.evidence.iter().enumerate();
        all.filter(|(place, line)| !self.evidence[..*place].contains(line))
            .map(|(_, line)| line)
    }
}

fn row(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {DIM}{label:<9}{DIM:#}{text}");
}

/// A number with its noun: `1 file`, `2 files`.
pub(in crate::cli) fn counted(count: usize, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// The questions and answers, a line for each.
pub(super) fn questions(evidence: &[Arc<LookupRecord>]) -> Vec<String> {
    let lines = evidence.iter().map(|lookup| {
        let question = Question {
            name: name::display(&lookup.name),
            record_type: lookup.record_type.to_string(),
            outcome: lookup.outcome,
            answers: lookup.answers.iter().map(ToString::to_string).collect(),
            elapsed_ms: lookup.elapsed.as_secs_f64() * 1e3,
        };
        question.text()
    });
    lines.collect()
}

/// The changes of remedies with their labels, a line for each.
pub(super) fn changes(remedies: &[Remedy]) -> Vec<(&'static str, String)> {
    let lines = labelled(remedies).map(|(label, change)| (label, change.to_string()));
    lines.collect()
}

/// A lookup of a receiver in JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Question {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    outcome: Outcome,
    answers: Vec<String>,
    elapsed_ms: f64,
}

impl Question {
    /// The question and the answer as in a zone file.
    pub(super) fn text(&self) -> String {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name);
        let question = format!(
            "{} {}",
            if name.is_empty() { "." } else { name },
            self.record_type
        );
        if self.answers.is_empty() {
            let waited = if self.elapsed_ms == 0.0 {
                String::new()
            } else {
                format!(
                    " after {:?}",
                    Duration::from_secs_f64(self.elapsed_ms.max(0.0) / 1e3)
                )
            };
            return format!("{question}: {}{waited}", self.outcome);
        }
        let shown = &self.answers[..self.answers.len().min(RECORDS)];
        let more = self.answers.len().saturating_sub(RECORDS);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("{question}: {}{more}", shown.join(", "))
    }
}
