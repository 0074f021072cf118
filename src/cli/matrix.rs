//! `martinet matrix`: every scenario client against every receiver, with the rule that refused in each cell.

use std::net::IpAddr;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::args::{Matrix, MatrixFormat};
use super::{print, print_json};
use crate::error::Error;
use crate::matrix::{self, Row, rows};
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
        MatrixFormat::Html => print(&html(&rows, &profiles)),
        MatrixFormat::Junit => print(&junit(&rows)?),
    }
    Ok(true)
}

/// What a cell says.
fn text(cell: &matrix::Cell) -> String {
    match cell.rule {
        Some(rule) => format!("{} {rule}", cell.code),
        None => format!("{} {}", cell.code, cell.verdict.past()),
    }
}

/// Addresses as people write them: one, a range of neighbours, or the first and how many more.
fn clients(addresses: &[IpAddr]) -> String {
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
    format!("{table}\n")
}

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

fn html(rows: &[Row], profiles: &[ReceiverProfile]) -> String {
    const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>martinet matrix</title>\n<style>\
        body{font:14px system-ui,sans-serif}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left}\
        .accept{background:#dfd}.defer{background:#ffc}.reject{background:#fdd}</style>\n<table>\n";
    let mut out = String::from(HEAD);
    let cell = |tag: &str, class: &str, text: &str| {
        format!("<{tag} class=\"{class}\">{}</{tag}>", escape(text))
    };
    let heads = ["scenario", "client", "helo"]
        .into_iter()
        .chain(profiles.iter().map(|p| p.name.as_str()));
    out.push_str(&format!(
        "<tr>{}</tr>\n",
        heads.map(|h| cell("th", "", h)).collect::<String>()
    ));
    for row in rows {
        let fixed = [
            row.scenario.clone(),
            clients(&row.clients),
            row.helo.clone(),
        ];
        let fixed: String = fixed.iter().map(|text| cell("td", "", text)).collect();
        let cells: String = row
            .cells
            .iter()
            .map(|v| cell("td", v.verdict.name(), &text(v)))
            .collect();
        out.push_str(&format!("<tr>{fixed}{cells}</tr>\n"));
    }
    out.push_str("</table>\n</html>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A suite per scenario, a case per cell; a refusal is a failure.
fn junit(rows: &[Row]) -> Result<String, Error> {
    let mut report = Report::new("martinet matrix");
    for chunk in rows.chunk_by(|a, b| a.scenario == b.scenario) {
        let mut suite = TestSuite::new(chunk[0].scenario.as_str());
        for row in chunk {
            for verdict in &row.cells {
                let status = if verdict.verdict == Verdict::Accept {
                    TestCaseStatus::success()
                } else {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(text(verdict));
                    status
                };
                let name = format!(
                    "{} says {} to {}",
                    clients(&row.clients),
                    row.helo,
                    verdict.receiver
                );
                suite.add_test_case(TestCase::new(name, status));
            }
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| Error::other(e.to_string()))
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
    fn html_is_escaped() {
        assert_eq!(
            escape("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
