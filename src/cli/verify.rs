//! `martinet verify`: plays every `[[expect]]` over real SMTP and DNS sockets.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::args::{Verify, VerifyFormat};
use super::{paint, print, print_json};
use crate::error::Error;
use crate::play::{self, PlayedExpectation};
use crate::scenario::{self, Scenario};

pub(super) async fn run(options: Verify) -> Result<bool, Error> {
    let scenarios = scenarios(&options.scenarios)?;
    let mut progress = Progress::new(options.format);
    let played = play::all(&scenarios, |played, all| {
        progress.show_progress(played, all)
    })
    .await;
    progress.clear();
    let mut results = Vec::new();
    for (scenario, outcomes) in scenarios.iter().zip(played?) {
        for outcome in outcomes {
            results.push(Line {
                scenario: scenario.name.clone(),
                outcome,
            });
        }
    }
    match options.format {
        VerifyFormat::Human => print(&human(&results)),
        VerifyFormat::Json => print_json(&results)?,
        VerifyFormat::Junit => print(&junit(&results)?),
    }
    Ok(results.iter().all(|r| r.outcome.as_expected()))
}

/// A progress line on a terminal.
struct Progress {
    shown: bool,
}

impl Progress {
    fn new(format: VerifyFormat) -> Self {
        Self {
            shown: format == VerifyFormat::Human && std::io::stderr().is_terminal(),
        }
    }

    fn show_progress(&mut self, played: usize, all: usize) {
        if self.shown {
            // A closed terminal does not change the outcomes.
            let _ = write!(std::io::stderr(), "\r{played} of {all} expectations played");
        }
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[derive(Debug, Serialize)]
struct Line {
    scenario: String,
    #[serde(flatten)]
    outcome: PlayedExpectation,
}

fn scenarios(named: &[String]) -> Result<Vec<Scenario>, Error> {
    if named.is_empty() {
        return scenario::list_scenarios();
    }
    scenario::load_scenarios(named)
}

fn human(results: &[Line]) -> String {
    let mut out = String::new();
    for chunk in results.chunk_by(|a, b| a.scenario == b.scenario) {
        let _ = writeln!(
            out,
            "{}{}{:#}",
            paint::HEADING,
            chunk[0].scenario,
            paint::HEADING
        );
        for Line { outcome, .. } in chunk {
            let (style, word) = if outcome.as_expected() {
                (paint::ACCEPTED, "ok  ")
            } else {
                (paint::REFUSED, "FAIL")
            };
            let _ = writeln!(out, "  {style}{word}{style:#}  {}", outcome.expected);
            for mismatch in &outcome.mismatches {
                let _ = writeln!(out, "        {mismatch}");
            }
            if !outcome.as_expected() {
                for line in &outcome.dialogue {
                    let _ = writeln!(out, "        {}{line}{:#}", paint::DIM, paint::DIM);
                }
            }
        }
    }
    let failed = results.iter().filter(|r| !r.outcome.as_expected()).count();
    let _ = writeln!(
        out,
        "{}, {} as expected, {failed} not",
        paint::counted(results.len(), "expectation"),
        results.len() - failed
    );
    out
}

fn junit(results: &[Line]) -> Result<String, Error> {
    let mut report = Report::new("martinet verify");
    for chunk in results.chunk_by(|a, b| a.scenario == b.scenario) {
        let mut suite = TestSuite::new(chunk[0].scenario.as_str());
        for Line { outcome, .. } in chunk {
            let status = if outcome.as_expected() {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status
                    .set_message(outcome.mismatches.join("; "))
                    .set_description(outcome.dialogue.join("\n"));
                status
            };
            suite.add_test_case(TestCase::new(outcome.expected.as_str(), status));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| Error::other(e.to_string()))
}
