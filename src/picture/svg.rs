//! The identity strip as SVG: fixed columns, and a row for each branch.

use std::fmt::Write;

use super::Picture;
use super::escape::{Escaped, wrapped};
use super::lanes::{Branch, Edge, Lane, State};
use super::style::STYLE;

/// Columns of nodes: the identity, its lookup results, and the lookup results of those.
const COLUMNS: [i32; 3] = [16, 420, 824];
const NODE_WIDTH: i32 = 240;
const WIDTH: i32 = COLUMNS[2] + NODE_WIDTH + 16;
/// Maximum number of characters in one line of a node, and of an edge.
const NODE_TEXT: usize = 31;
const EDGE_TEXT: usize = 24;
const LINE: i32 = 16;
const TITLE: i32 = 24;
const GAP: i32 = 16;

/// A standalone document with its style and its text alternative.
pub(super) fn document(picture: &Picture) -> String {
    let (height, body) = strip(&picture.lanes);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" aria-labelledby=\"title text\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"text\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n{body}</svg>\n",
        Escaped(&picture.sentence),
        Described(&picture.lanes),
    )
}

/// The strip for an HTML document that has the style and the text alternative.
pub(super) fn figure(picture: &Picture) -> String {
    let (height, body) = strip(&picture.lanes);
    format!(
        "<svg class=\"picture\" role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" aria-label=\"{}\">\n{body}</svg>\n",
        Escaped(&picture.sentence)
    )
}

/// The sentences of the lanes.
struct Described<'a>(&'a [Lane]);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for sentence in self.0.iter().flat_map(Lane::sentences) {
            writeln!(f, "{}", Escaped(&sentence))?;
        }
        Ok(())
    }
}

/// The lanes below each other, and their height.
fn strip(lanes: &[Lane]) -> (i32, String) {
    let (mut top, mut out) = (GAP / 2, String::new());
    for lane in lanes {
        top = draw(lane, top, &mut out) + GAP;
    }
    (top, out)
}

/// Draws one lane that begins at `top`. Returns its lower edge.
fn draw(lane: &Lane, top: i32, out: &mut String) -> i32 {
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{}\" y=\"{}\">{}</text>",
        COLUMNS[0],
        top + 14,
        lane.title
    );
    let first = top + TITLE;
    let mut row = first;
    let root = height(&lane.root);
    // The identity is drawn beside its first branch.
    let height = lane.branches.first().map_or(root, row_height).max(root);
    let root_top = first + (height - root) / 2;
    for branch in &lane.branches {
        let tall = row_height(branch).max(if row == first { root } else { 0 });
        let middle = row + tall / 2;
        let from = (COLUMNS[0] + NODE_WIDTH, first + height / 2);
        hop(branch, 1, from, middle, out);
        row += tall + 10;
    }
    node(&lane.root, COLUMNS[0], root_top, "node", out);
    (row - 10).max(first + root)
}

/// An edge, its node, and the edges that follow.
fn hop(branch: &Branch, column: usize, from: (i32, i32), middle: i32, out: &mut String) {
    let left = COLUMNS[column];
    edge(&branch.edge, from, (left, middle), out);
    let class = match branch.edge.state {
        State::NotExamined => "ghost",
        _ => "node",
    };
    let tall = height(&branch.node);
    node(&branch.node, left, middle - tall / 2, class, out);
    if let Some(next) = &branch.next {
        hop(next, column + 1, (left + NODE_WIDTH, middle), middle, out);
    }
}

fn edge(edge: &Edge, from: (i32, i32), to: (i32, i32), out: &mut String) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let elbow = x1 + 14;
    let _ = writeln!(
        out,
        "<path class=\"edge {}\" d=\"M{x1} {y1}L{elbow} {y1}L{elbow} {y2}L{x2} {y2}\"/>",
        edge.state.class()
    );
    let middle = (elbow + x2) / 2;
    let above = format!("{} {}", edge.question, edge.answer);
    let lines = wrapped(above.trim(), EDGE_TEXT, 2);
    for (index, line) in lines.iter().enumerate() {
        let y = y2 - 6 - 13 * i32::try_from(lines.len() - 1 - index).unwrap_or(0);
        label("edge-text", middle, y - cross_height(edge), line, out);
    }
    if edge.state == State::Broken {
        let _ = writeln!(
            out,
            "<circle class=\"cross\" cx=\"{middle}\" cy=\"{y2}\" r=\"10\"/>\
             <text class=\"cross-mark\" x=\"{middle}\" y=\"{}\">✕</text>",
            y2 + 5
        );
        label("why", middle, y2 + 24, &edge.rule, out);
    }
}

/// The height of the ✕ above the line.
fn cross_height(edge: &Edge) -> i32 {
    if edge.state == State::Broken { 8 } else { 0 }
}

fn label(class: &str, x: i32, y: i32, text: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
        Escaped(text)
    );
}

fn node(text: &str, x: i32, y: i32, class: &str, out: &mut String) {
    let tall = height(text);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{NODE_WIDTH}\" height=\"{tall}\" rx=\"4\"/>"
    );
    for (line, at) in wrapped(text, NODE_TEXT, 3).iter().zip(1..) {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 8,
            y + 3 + LINE * at,
            Escaped(line)
        );
    }
}

/// The height of a node with this text.
fn height(text: &str) -> i32 {
    let lines = wrapped(text, NODE_TEXT, 3).len();
    i32::try_from(lines).unwrap_or(3) * LINE + 12
}

/// The height of a row: its tallest node, with space for the text on a broken edge.
fn row_height(branch: &Branch) -> i32 {
    let broken = if branch.edge.state == State::Broken {
        60
    } else {
        40
    };
    let next = branch.next.as_deref().map_or(0, row_height);
    height(&branch.node).max(broken).max(next)
}
