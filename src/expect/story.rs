//! A session as plain text for people: for failing assertions, and for export.

use std::fmt::Write;

use crate::name;
use crate::policy::labelled;
use crate::smtp::{SessionRecord, Speaker};

/// Maximum number of records shown for one DNS answer.
const RECORDS: usize = 4;

impl SessionRecord {
    /// One line: client, verdict, rule and reply.
    pub(crate) fn headline(&self) -> String {
        let refusal = self.refusals.first();
        let by = refusal.map_or(String::new(), |r| {
            format!(" at {} by {}", r.stage, r.speaker())
        });
        let helo = if self.helo.is_empty() {
            "no helo"
        } else {
            &self.helo
        };
        let reply = self
            .reply
            .first()
            .map_or(String::new(), |line| format!(": {line}"));
        let state = if self.is_settled() {
            self.verdict.name()
        } else {
            "under way"
        };
        format!(
            "session {} from {}, {helo}: {state}{by}{reply}",
            self.id, self.client_address
        )
    }

    /// The explanation of the session: headline, DNS lookups, refusals with their remedies, dialogue.
    pub fn story(&self) -> String {
        let mut out = format!("{}\n", self.headline());
        for question in &self.evidence {
            let _ = write!(
                out,
                "  DNS      {} {}: ",
                name::display(&question.name),
                question.record_type
            );
            if question.answers.is_empty() {
                let _ = writeln!(out, "{}", question.outcome);
                continue;
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
            let _ = writeln!(out, "{}{more}", shown.join(", "));
        }
        for refusal in &self.refusals {
            let _ = writeln!(
                out,
                "  refused  at {}, {}: {}",
                refusal.stage,
                refusal.speaker(),
                refusal.why
            );
            for (label, change) in labelled(&refusal.remedies) {
                let _ = writeln!(out, "  {label:<9}{change}");
            }
        }
        if !self.allowed.is_empty() {
            let _ = writeln!(out, "  allowed  {}", self.allowed);
        }
        for line in self.transcript().lines() {
            let _ = writeln!(out, "  {line}");
        }
        out
    }

    /// The dialogue, one line each, after `C:` or `S:`.
    pub fn transcript(&self) -> String {
        let mut out = String::new();
        for line in self.transcript.iter() {
            let speaker = if line.from == Speaker::Client {
                'C'
            } else {
                'S'
            };
            let _ = writeln!(out, "{speaker}: {}", line.text);
        }
        if self.transcript_dropped > 0 {
            let _ = writeln!(
                out,
                "({} further lines were not kept)",
                self.transcript_dropped
            );
        }
        out
    }

    /// The decisive reply code: that of the first refusal, else of the last transaction; `None` before.
    pub fn code(&self) -> Option<u16> {
        crate::reply::code_of(&self.reply)
    }

    /// The enhanced status code of that reply (RFC 3463); empty if it has none.
    pub fn enhanced(&self) -> String {
        crate::reply::enhanced_of(&self.reply)
    }
}
