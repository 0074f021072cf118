//! A whole picture as one HTML document without scripts, which can be printed and read by a screen reader.

use std::fmt::Write;

use super::escape::Escaped;
use super::lanes::Lane;
use super::spf::{Record, Tree};
use super::{Picture, STYLE, mark, svg, timeline};

pub(super) fn document(picture: &Picture) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body class=\"report\">\n<main>\n",
        Escaped(&picture.sentence)
    );
    headline(picture, &mut out);
    section(
        "strip",
        "What the client claimed, and what DNS answered",
        &mut out,
    );
    let _ = writeln!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Identity strip\">{}</div>",
        svg::figure(picture)
    );
    in_words(&picture.lanes, &mut out);
    if !picture.spf.is_empty() {
        section("spf", "SPF", &mut out);
        picture.spf.iter().for_each(|tree| spf(tree, &mut out));
    }
    if !picture.remedies.is_empty() {
        section("remedies", "What would fix it", &mut out);
        remedies(picture, &mut out);
    }
    if !picture.steps.is_empty() {
        section("timeline", "Timeline", &mut out);
        out.push_str(&timeline::table(&picture.steps));
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn headline(picture: &Picture, out: &mut String) {
    let verdict = picture.verdict;
    let _ = writeln!(
        out,
        "<h1><span class=\"mark {}\" aria-hidden=\"true\">{}</span> {}</h1>",
        verdict.name(),
        mark(verdict),
        Escaped(&picture.sentence)
    );
    if !picture.reply.is_empty() {
        let lines: Vec<_> = picture
            .reply
            .iter()
            .map(|line| Escaped(line).to_string())
            .collect();
        let _ = writeln!(out, "<pre aria-label=\"Reply\">{}</pre>", lines.join("\n"));
    }
}

fn section(id: &str, title: &str, out: &mut String) {
    let _ = writeln!(out, "<h2 id=\"{id}\">{title}</h2>");
}

/// The text alternative of the strip.
fn in_words(lanes: &[Lane], out: &mut String) {
    out.push_str("<details><summary>In words</summary><ul>\n");
    for sentence in lanes.iter().flat_map(Lane::sentences) {
        let _ = writeln!(out, "<li>{}</li>", Escaped(&sentence));
    }
    out.push_str("</ul></details>\n");
}

fn spf(tree: &Tree, out: &mut String) {
    let _ = writeln!(
        out,
        "<p>{}: <strong>{}</strong>, {}</p>",
        tree.identity,
        Escaped(&tree.result),
        tree.counts
    );
    if let Some(root) = &tree.root {
        out.push_str("<ul>");
        record(root, out);
        out.push_str("</ul>\n");
    }
}

fn record(shown: &Record, out: &mut String) {
    let _ = write!(out, "<li><code>{}</code><ul>", Escaped(&shown.domain));
    for term in &shown.terms {
        let class = if term.matched {
            " class=\"matched\""
        } else {
            ""
        };
        let _ = write!(out, "<li><code{class}>{}</code>", Escaped(&term.text));
        if term.matched {
            out.push_str(" ← matched");
        }
        if !term.counts.is_empty() {
            let _ = write!(out, " <small>({})</small>", term.counts);
        }
        if let Some(below) = &term.below {
            out.push_str("<ul>");
            record(below, out);
            out.push_str("</ul>");
        }
        out.push_str("</li>");
    }
    out.push_str("</ul></li>");
}

fn remedies(picture: &Picture, out: &mut String) {
    out.push_str("<ol>\n");
    for remedy in &picture.remedies {
        let _ = write!(out, "<li>{}", Escaped(&remedy.text));
        if let Some(after) = &remedy.after {
            let _ = write!(
                out,
                "<details><summary>{} {}</summary><div class=\"scroll\">{}</div></details>",
                mark(after.verdict),
                Escaped(&after.sentence),
                svg::figure(after)
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
}
