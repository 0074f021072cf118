//! The matrix as an HTML page: a table for each scenario, with a row for each receiver and a column for each client.

use std::fmt::Write;

use super::{clients, mark, text};
use crate::matrix::{Cell, Row};
use crate::picture::Escaped;
use crate::scenario::Scenario;

/// The colours are those of the pictures, in a light and a dark scheme.
const STYLE: &str = ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;\
    --accept:#00694f;--defer:#8a5a00;--reject:#b03a00}\
    @media(prefers-color-scheme:dark){:root{--paper:#0f1318;--ink:#e6edf3;--soft:#9aa5b1;--line:#3d444d;\
    --accept:#3fc79a;--defer:#f0b23e;--reject:#ff8a4c}}\
    body{margin:1rem;background:var(--paper);color:var(--ink);font:14px/1.4 system-ui,sans-serif}\
    h1{font-size:1.25rem}h2{font-size:1rem;margin:2rem 0 .25rem}p{margin:.25rem 0}\
    .scroll{overflow-x:auto}table{border-collapse:collapse}\
    th,td{border-bottom:1px solid var(--line);padding:.25rem 1rem .25rem 0;text-align:left;vertical-align:top}\
    thead th{vertical-align:bottom;overflow-wrap:anywhere;min-width:12rem;max-width:24rem}\
    thead small,td small{display:block;font-weight:400;color:var(--soft);overflow-wrap:anywhere;max-width:32rem}\
    th[scope=row]{position:sticky;left:0;background:var(--paper);font-weight:600;white-space:nowrap}\
    .accept{color:var(--accept)}.defer{color:var(--defer)}.reject{color:var(--reject)}\
    b,.legend span{margin-right:1rem;white-space:nowrap}b{margin:0}";

const LEGEND: &str = "<p class=\"legend\"><span class=\"accept\">✓ accepted</span><span class=\"defer\">◷ deferred</span>\
    <span class=\"reject\">✕ rejected</span> Each cell has the reply code, the rule that refused, and the reply.</p>\n";

/// The whole page.
pub(super) fn document(scenarios: &[Scenario], rows: &[Row]) -> String {
    let names: Vec<_> = scenarios.iter().map(|each| each.name.as_str()).collect();
    let title = match names.as_slice() {
        [one] => format!("The verdicts on the clients of {one}"),
        all => format!("The verdicts on the clients of {} scenarios", all.len()),
    };
    let title = Escaped(&title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{LEGEND}"
    );
    for scenario in scenarios {
        let of_scenario = rows.iter().filter(|row| row.scenario == scenario.name);
        table(scenario, &of_scenario.collect::<Vec<_>>(), &mut out);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn table(scenario: &Scenario, rows: &[&Row], out: &mut String) {
    let (name, title) = (Escaped(&scenario.name), Escaped(&scenario.title));
    let _ = write!(
        out,
        "<h2>{name}</h2>\n<p>{title}</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">\
         <table>\n<thead><tr><th scope=\"col\">receiver</th>"
    );
    for row in rows {
        let (addresses, helo) = (clients(&row.clients), Escaped(&row.helo));
        let _ = write!(
            out,
            "<th scope=\"col\">{addresses}<small>{helo}</small></th>"
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let receivers = rows.first().map_or(&[][..], |row| &row.cells);
    for (place, first) in receivers.iter().enumerate() {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th>",
            Escaped(&first.receiver)
        );
        rows.iter()
            .filter_map(|row| row.cells.get(place))
            .for_each(|each| cell(each, out));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn cell(cell: &Cell, out: &mut String) {
    let (class, mark, outcome) = (cell.verdict.name(), mark(cell.verdict), text(cell));
    let reply = cell.reply.join(" ");
    let _ = write!(
        out,
        "<td><b class=\"{class}\">{mark} {}</b><small>{}</small></td>",
        Escaped(&outcome),
        Escaped(&reply)
    );
}
