//! How a client can deviate from the usual dialogue, so that a rule about its conduct refuses it.

use crate::check::Attempt;
use crate::policy::Rule;
use crate::smtp::client::ClientConduct;

/// The largest number of messages, recipients or other connections that is tried.
const MOST: u64 = 300;
/// The largest number of sessions one after the other.
const SESSIONS: u64 = 1000;

/// A deviation, and the number of sessions: the last one gets the reply.
#[derive(Debug)]
pub(super) struct Deviation {
    pub(super) conduct: ClientConduct,
    pub(super) sessions: u64,
}

/// The deviations that a rule could refuse: one more than each of its limits, and every dialogue that is not the usual one.
pub(super) fn deviations(rule: &Rule, attempt: &Attempt) -> Vec<Deviation> {
    let counts = beyond_limits(rule);
    let says = dialogues(attempt)
        .into_iter()
        .map(|(early, says)| Deviation {
            conduct: ClientConduct {
                says,
                early,
                ..ClientConduct::default()
            },
            sessions: 1,
        });
    counts.into_iter().chain(says).collect()
}

fn beyond_limits(rule: &Rule) -> Vec<Deviation> {
    let limit = |name| {
        let set = rule.settings.is_set(name);
        set.then(|| rule.settings.count(name, u64::MAX))
    };
    let usual = ClientConduct::default;
    let messages = limit("messages")
        .filter(|most| *most < MOST)
        .map(|most| ClientConduct {
            messages: most + 1,
            ..usual()
        });
    let recipients = limit("recipients")
        .filter(|most| *most < MOST)
        .map(|most| ClientConduct {
            recipients: most + 1,
            ..usual()
        });
    let open = limit("connections")
        .filter(|most| *most < MOST)
        .map(|most| ClientConduct {
            open: most,
            ..usual()
        });
    let at_once = messages.into_iter().chain(recipients).chain(open);
    let at_once = at_once.map(|conduct| Deviation {
        conduct,
        sessions: 1,
    });
    let rate = limit("rate").filter(|most| *most < SESSIONS);
    let rate = rate.map(|most| Deviation {
        conduct: usual(),
        sessions: most + 1,
    });
    at_once.chain(rate).collect()
}

/// Dialogues that are not the usual one, each with whether its first string comes before the greeting. They go on to RCPT,
/// because some receivers refuse there only.
fn dialogues(attempt: &Attempt) -> Vec<(bool, Vec<String>)> {
    let Attempt { helo, .. } = attempt;
    let mail = format!("MAIL FROM:<{}>", attempt.sender);
    let rcpt = format!("RCPT TO:<{}>", attempt.recipient);
    let ehlo = format!("EHLO {helo}");
    let first = |first: &[&str]| -> Vec<String> {
        let rest = [mail.as_str(), rcpt.as_str()];
        first
            .iter()
            .chain(&rest)
            .map(|line| (*line).to_owned())
            .collect()
    };
    let organisation = helo.split_once('.').map_or("test", |(_, rest)| rest);
    let neighbour = format!("EHLO neighbour.{organisation}");
    let at_once = format!("{ehlo}\r\n{mail}");
    vec![
        (false, first(&[])),
        (true, first(&[&ehlo])),
        (false, vec![at_once, rcpt.clone()]),
        (false, first(&[&format!("{ehlo}\n")])),
        (false, first(&["GET / HTTP/1.1", &ehlo])),
        (false, first(&[&ehlo, "EHLO elsewhere.test"])),
        (false, first(&["EHLO elsewhere.test", &ehlo])),
        (false, first(&[&ehlo, &neighbour])),
        (false, first(&[&ehlo, &format!("HELO {helo}")])),
        (false, first(&[&format!("HELO {helo}"), &ehlo])),
    ]
}
