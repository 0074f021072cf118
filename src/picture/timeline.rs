//! The timeline: client, receiver and DNS in three lanes, time downwards.

use std::fmt::Write;
use std::time::Duration;

use super::escape::Escaped;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The client spoke.
    Client,
    /// The receiver replied.
    Receiver,
    /// The receiver asked DNS.
    ReceiverDns,
    /// The sender asked DNS.
    SenderDns,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The time since the start of the session; negative for a moment before it.
    pub at: jiff::SignedDuration,
    /// Who did it.
    pub(crate) actor: Actor,
    /// The command or query, and the reply or answer.
    pub text: String,
    /// How long it took, where it took time: a lookup, or a reply that the receiver delayed.
    pub took: Duration,
    /// The DNS fault that took effect; empty if none did.
    pub fault: String,
    /// Whether it is the refusal.
    pub refusal: bool,
}

/// The moments as rows of a table with a column for each lane.
pub(super) fn table(moments: &[Moment]) -> String {
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Timeline\"><table class=\"timeline\"><thead><tr><th scope=\"col\">ms</th><th scope=\"col\">client</th>\
         <th scope=\"col\">receiver</th><th scope=\"col\">DNS</th></tr></thead><tbody>\n",
    );
    let longest = moments.iter().map(|m| m.took).max().unwrap_or_default();
    for moment in moments {
        let cell = cell(moment, longest);
        let cells = match moment.actor {
            Actor::Client => [cell.as_str(), "", ""],
            Actor::Receiver => ["", cell.as_str(), ""],
            Actor::ReceiverDns | Actor::SenderDns => ["", "", cell.as_str()],
        };
        let class = if moment.refusal {
            " class=\"refusal\""
        } else {
            ""
        };
        let milliseconds = moment.at.as_secs_f64() * 1000.0;
        let _ = write!(out, "<tr{class} tabindex=\"-1\"><td>{milliseconds:.1}</td>");
        for cell in cells {
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The text of a moment, with a bar as long as the time it took beside the longest.
fn cell(moment: &Moment, longest: Duration) -> String {
    let who = match moment.actor {
        Actor::SenderDns => "sender asks: ",
        Actor::ReceiverDns => "receiver asks: ",
        Actor::Client | Actor::Receiver => "",
    };
    let mark = if moment.refusal { "✕ " } else { "" };
    let mut cell = format!("{mark}{who}{}", Escaped(&moment.text));
    if !moment.fault.is_empty() {
        let _ = write!(cell, " (fault: {})", Escaped(&moment.fault));
    }
    if !moment.took.is_zero() {
        // The bar is an SVG: a length in a style attribute would need a weaker content security policy.
        let share = (moment.took.as_secs_f64() / longest.as_secs_f64() * 100.0).max(1.0);
        let _ = write!(
            cell,
            " <small>{:.1?}</small><svg class=\"bar\" viewBox=\"0 0 100 3\" width=\"100\" height=\"4\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{share:.0}\" height=\"3\"/></svg>",
            moment.took
        );
    }
    cell
}
