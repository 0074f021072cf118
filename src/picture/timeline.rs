//! The timeline: client, receiver and DNS in three lanes, with time running downwards.

use std::fmt::Write;
use std::time::Duration;

use super::escape::Escaped;

/// The actor of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The client sent a command.
    Client,
    /// The receiver sent a reply.
    Receiver,
    /// The receiver sent a DNS query.
    ReceiverDns,
    /// The sender sent a DNS query.
    SenderDns,
}

/// One step of a session.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The time since the start of the session; negative before it.
    pub(crate) at: jiff::SignedDuration,
    /// The actor.
    pub(crate) actor: Actor,
    /// The command or query, and the reply or answer.
    pub(crate) text: String,
    /// The duration of a lookup, or of the receiver's delay of a reply.
    pub(crate) took: Duration,
    /// The DNS fault that took effect; empty if none did.
    pub(crate) fault: String,
    /// Whether the step is the refusal.
    pub(crate) refusal: bool,
}

/// The steps as rows of a table with a column for each lane.
pub(super) fn table(steps: &[Step]) -> String {
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Timeline\"><table class=\"timeline\"><thead><tr><th scope=\"col\">ms</th><th scope=\"col\">client</th>\
         <th scope=\"col\">receiver</th><th scope=\"col\">DNS</th></tr></thead><tbody>\n",
    );
    let longest = steps.iter().map(|m| m.took).max().unwrap_or_default();
    for step in steps {
        let cell = cell(step, longest);
        let cells = match step.actor {
            Actor::Client => [cell.as_str(), "", ""],
            Actor::Receiver => ["", cell.as_str(), ""],
            Actor::ReceiverDns | Actor::SenderDns => ["", "", cell.as_str()],
        };
        let class = if step.refusal {
            " class=\"refusal\""
        } else {
            ""
        };
        let milliseconds = step.at.as_secs_f64() * 1000.0;
        let _ = write!(out, "<tr{class} tabindex=\"-1\"><td>{milliseconds:.1}</td>");
        for cell in cells {
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The text of a step, with a bar for its duration relative to the longest one.
fn cell(step: &Step, longest: Duration) -> String {
    let actor = match step.actor {
        Actor::SenderDns => "sender asks: ",
        Actor::ReceiverDns => "receiver asks: ",
        Actor::Client | Actor::Receiver => "",
    };
    let mark = if step.refusal { "✕ " } else { "" };
    let mut cell = format!("{mark}{actor}{}", Escaped(&step.text));
    if !step.fault.is_empty() {
        let _ = write!(cell, " (fault: {})", Escaped(&step.fault));
    }
    if !step.took.is_zero() {
        // The bar is an SVG: a length in a style attribute would require a weaker content security policy.
        let share = (step.took.as_secs_f64() / longest.as_secs_f64() * 100.0).max(1.0);
        let _ = write!(
            cell,
            " <small>{:.1?}</small><svg class=\"bar\" viewBox=\"0 0 100 3\" width=\"100\" height=\"4\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{share:.0}\" height=\"3\"/></svg>",
            step.took
        );
    }
    cell
}
