//! `martinet matrix`: every scenario client against every receiver, with the rule that refused in each cell.

mod html;

use std::fmt::Write;
use std::net::IpAddr;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::args::{Matrix, MatrixFormat};
use super::{paint, print, print_json};
use crate::error::Error;
use crate::matrix::{self, Judged, Row, expectations, rows};
use crate::scenario::{self, ReceiverProfile};
use crate::verdict::Verdict;

pub(super) fn run(options: &Matrix) -> Result<bool, Error> {
    let scenarios = match options.scenario.as_slice() {
        [] => scenario::list_scenarios()?,
        names => names
            .iter()
            .map(|n| scenario::load_scenario(n))
            .collect::<Result<_, _>>()?,
    };
    let profiles = match options.receiver.as_slice() {
        [] => scenario::list_receivers()?,
        names => names
            .iter()
            .map(|n| scenario::load_receiver(n))
            .collect::<Result<_, _>>()?,
    };
    let rows: Vec<_> = scenarios.iter().flat_map(|s| rows(s, &profiles)).collect();
    match options.format {
        MatrixFormat::Human => print(&human(&rows, &profiles)),
        MatrixFormat::Json => print_json(&rows)?,
        MatrixFormat::Html => print(&html::document(&scenarios, &rows)),
        MatrixFormat::Junit => {
            let judged: Vec<_> = scenarios
                .iter()
                .map(|scenario| (scenario.name.as_str(), expectations(scenario, &profiles)))
                .collect();
            print(&junit(&rows, &judged)?);
            return Ok(judged.iter().all(|(_, all)| all.iter().all(is_met)));
        }
    }
    Ok(true)
}

fn is_met(judged: &Judged<'_>) -> bool {
    judged.mismatches.is_empty()
}

/// The text of a cell.
fn text(cell: &matrix::Cell) -> String {
    match cell.rule {
        Some(rule) => format!("{} {rule}", cell.code),
        None => format!("{} {}", cell.code, cell.verdict.past()),
    }
}

/// Addresses in short form: one, a range, or the first one and the number of the others.
pub(super) fn clients(addresses: &[IpAddr]) -> String {
    match addresses {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] if neighbours(addresses) => match last {
            IpAddr::V4(v4) => format!("{first}-{}", v4.octets()[3]),
            IpAddr::V6(_) => format!("{first} to {last}"),
        },
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn neighbours(addresses: &[IpAddr]) -> bool {
    addresses.windows(2).all(|pair| match (pair[0], pair[1]) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            u32::from(a).checked_add(1) == Some(u32::from(b)) && a.octets()[..3] == b.octets()[..3]
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => u128::from(a).checked_add(1) == Some(u128::from(b)),
        _ => false,
    })
}

fn human(rows: &[Row], profiles: &[ReceiverProfile]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let heads = ["scenario", "client", "helo"]
        .into_iter()
        .chain(profiles.iter().map(|p| p.name.as_str()));
    table.set_header(heads);
    let mut last = "";
    for row in rows {
        let name = if row.scenario == last {
            ""
        } else {
            &row.scenario
        };
        last = &row.scenario;
        let fixed = [name.to_owned(), clients(&row.clients), row.helo.clone()].map(Cell::new);
        table.add_row(fixed.into_iter().chain(row.cells.iter().map(painted)));
    }
    let columns = table.column_max_content_widths();
    let wide: usize = columns.iter().map(|width| usize::from(*width) + 2).sum();
    let max_width = table.width().map_or(PIPE, usize::from);
    if wide > max_width {
        return grouped(rows, max_width);
    }
    format!("{table}\n")
}

/// Number of columns without a terminal.
const PIPE: usize = 120;

/// The layout for tables wider than the terminal: for each client its outcomes, and for each outcome the receivers.
fn grouped(rows: &[Row], max_width: usize) -> String {
    let mut out = String::new();
    let mut last = "";
    for row in rows {
        if row.scenario != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let heading = paint::HEADING;
            let _ = writeln!(out, "{gap}{heading}{}{heading:#}", row.scenario);
        }
        last = &row.scenario;
        let (addresses, helo) = (clients(&row.clients), &row.helo);
        let line = format!("  {addresses}, saying {helo}");
        let _ = match line.chars().count() <= max_width {
            true => writeln!(out, "{line}"),
            false => writeln!(out, "  {addresses},\n    saying {helo}"),
        };
        let mut outcomes: Vec<(&matrix::Cell, Vec<&str>)> = Vec::new();
        for cell in &row.cells {
            match outcomes
                .iter_mut()
                .find(|(first, _)| text(first) == text(cell))
            {
                Some((_, receivers)) => receivers.push(&cell.receiver),
                None => outcomes.push((cell, vec![&cell.receiver])),
            }
        }
        outcomes.sort_by_key(|(_, receivers)| std::cmp::Reverse(receivers.len()));
        for (cell, receivers) in outcomes {
            outcome(cell, &receivers, max_width, &mut out);
        }
    }
    out.push_str("\n✓ accepted  ◷ deferred  ✕ rejected\n");
    out
}

/// One outcome with its receivers, wrapped.
fn outcome(cell: &matrix::Cell, receivers: &[&str], max_width: usize, out: &mut String) {
    let style = paint::style(cell.verdict);
    let label = format!("{} {}", mark(cell.verdict), text(cell));
    let _ = write!(out, "    {style}{label:<LABEL$}{style:#}");
    let mut column = 4 + LABEL.max(label.chars().count());
    for (place, receiver) in receivers.iter().enumerate() {
        let end = if place + 1 < receivers.len() { "," } else { "" };
        if column + 1 + receiver.len() + end.len() > max_width && column > 4 + LABEL {
            let _ = write!(out, "\n{:1$}", "", 4 + LABEL);
            column = 4 + LABEL;
        }
        let _ = write!(out, " {receiver}{end}");
        column += 1 + receiver.len() + end.len();
    }
    out.push('\n');
}

/// The mark that is shown in addition to the colour.
const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "✓",
        Verdict::Defer => "◷",
        Verdict::Reject | Verdict::None => "✕",
    }
}

/// Width of the outcome before its receivers.
const LABEL: usize = 26;

fn painted(cell: &matrix::Cell) -> Cell {
    let color = match cell.verdict {
        Verdict::Accept => Color::Green,
        Verdict::Defer => Color::Yellow,
        Verdict::None | Verdict::Reject => Color::Red,
    };
    Cell::new(text(cell))
        .fg(color)
        .set_alignment(CellAlignment::Left)
}

/// A suite for each scenario: a case for each expectation about one of the receivers, and a skipped case for each cell that
/// no expectation is about.
fn junit(rows: &[Row], judged: &[(&str, Vec<Judged<'_>>)]) -> Result<String, Error> {
    let mut report = Report::new("martinet matrix");
    for (scenario, judged) in judged {
        let mut suite = TestSuite::new(*scenario);
        for each in judged {
            let mut status = TestCaseStatus::success();
            if !is_met(each) {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(each.mismatches.join("; "));
            }
            suite.add_test_case(TestCase::new(each.expected.as_str(), status));
        }
        let of_scenario = rows.iter().filter(|row| row.scenario == *scenario);
        for row in of_scenario {
            let unjudged = row
                .cells
                .iter()
                .filter_map(|cell| skipped(row, cell, judged));
            suite.add_test_cases(unjudged);
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| Error::other(e.to_string()))
}

/// The case of those clients of a cell that no expectation is about; `None` if there are none.
fn skipped(row: &Row, cell: &matrix::Cell, judged: &[Judged<'_>]) -> Option<TestCase> {
    let about = |client: &IpAddr| {
        judged.iter().any(|judged| {
            judged.client == *client
                && judged.session.is_by(&cell.receiver)
                && judged.session.helo.eq_ignore_ascii_case(&row.helo)
        })
    };
    let left: Vec<_> = row
        .clients
        .iter()
        .filter(|client| !about(client))
        .copied()
        .collect();
    if left.is_empty() {
        return None;
    }
    let mut status = TestCaseStatus::skipped();
    status.set_message(format!("no [[expect]]; {}", text(cell)));
    let name = format!(
        "{} to {} saying {}",
        cell.receiver,
        clients(&left),
        row.helo
    );
    Some(TestCase::new(name, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], expected: &str) {
        let addresses: Vec<IpAddr> = addresses
            .iter()
            .map(|a| a.parse().expect("an address"))
            .collect();
        assert_eq!(clients(&addresses), expected);
    }

    #[test]
    fn clients_as_people_write_them() {
        check(&["192.0.2.1"], "192.0.2.1");
        check(&["192.0.2.1", "192.0.2.2", "192.0.2.3"], "192.0.2.1-3");
        check(&["192.0.2.1", "192.0.2.3"], "192.0.2.1 and 1 more");
        check(&["192.0.2.255", "192.0.3.0"], "192.0.2.255 and 1 more");
        check(
            &["2001:db8::1", "2001:db8::2"],
            "2001:db8::1 to 2001:db8::2",
        );
    }

    #[test]
    fn groups_fit_a_narrow_terminal() {
        let scenario = scenario::load_scenario("office365").expect("a scenario");
        let receivers = [
            "fcrdns",
            "helo-equals-ptr",
            "gmx",
            "postfix-strict",
            "lenient",
        ];
        let profiles = receivers.map(|name| scenario::load_receiver(name).expect("a receiver"));
        let text = grouped(&rows(&scenario, &profiles), 60);
        let plain = anstream::adapter::strip_str(&text).to_string();
        for line in plain.lines() {
            assert!(line.chars().count() <= 60, "{line:?} in\n{plain}");
        }
        for receiver in receivers {
            assert!(plain.contains(receiver), "no {receiver} in\n{plain}");
        }
    }
}
