//! `limits` and `tls-required`: limits of connections, messages and recipients, and TLS.

use std::time::Duration;

use crate::facts::Observations;
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Timing, Topic, complaint, nothing, violated,
};
use crate::policy::{Behaviour, Change};
use crate::stage::Stage;

/// Default time for counting connections.
const PER: Duration = Duration::from_secs(60);

const fn limit(name: &'static str, doc: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Count,
        default: "no limit",
        doc,
    }
}

pub(super) static LIMITS: Check = Check {
    name: "limits",
    topic: Topic::Limits,
    stage: Stage::Connect,
    timing: Timing::Conduct,
    checks: "the client stays within the receiver's limits",
    basis: "RFC 5321 §7.8; Postfix smtpd_client_connection_count_limit and others (anvil), Yahoo \"Max message per connection\", Comcast, AT&T",
    beyond: "within RFC 5321 §7.8; at least 100 recipients must be accepted (§4.5.3.1.8)",
    parameters: &[
        limit(
            "connections",
            "maximum number of concurrent connections of a client address",
        ),
        limit(
            "rate",
            "maximum number of connections of a client address within `per`",
        ),
        Parameter {
            name: "per",
            kind: Kind::Duration,
            default: "\"1m\"",
            doc: "the time for `rate`",
        },
        limit("messages", "maximum number of transactions of a session"),
        limit(
            "recipients",
            "maximum number of recipients of a transaction, including refused ones",
        ),
        limit("errors", "maximum number of mistakes of a session"),
    ],
    fail: &["421 4.7.0 {mx} Error: too many {what}"],
    error: &["421 4.7.0 {mx} Error: try again later"],
    needs: |_| Observations {
        history: true,
        ..Observations::default()
    },
    build: |settings| {
        let most = |name| {
            settings
                .is_set(name)
                .then(|| settings.count(name, u64::MAX))
        };
        let (connections, rate) = (most("connections"), most("rate"));
        let (messages, recipients, errors) = (most("messages"), most("recipients"), most("errors"));
        let per = settings.duration("per", PER);
        Box::new(move |facts| {
            let conduct = &facts.conduct;
            let recent = |ages: &[Duration]| ages.iter().filter(|age| **age <= per).count() as u64;
            let history = facts.history.as_ref();
            let counts = [
                (
                    "connections",
                    connections,
                    history.map_or(0, |known| known.open),
                ),
                (
                    "connections within a time",
                    rate,
                    history.map_or(0, |known| recent(&known.connections)),
                ),
                ("messages", messages, conduct.messages),
                ("recipients", recipients, conduct.recipients),
                ("errors", errors, conduct.errors),
            ];
            let beyond = counts
                .into_iter()
                .find(|(_, most, count)| most.is_some_and(|most| *count > most));
            let Some((what, Some(most), count)) = beyond else {
                return Finding::Satisfied;
            };
            let remedy = Change::Behave(Behaviour::StayWithin { most, what });
            let mut complaint = complaint(
                format!("{count} {what}, but only {most} are permitted"),
                [remedy],
            );
            complaint.quotes.push((
                "what",
                what.split(' ').next().unwrap_or_default().to_owned(),
            ));
            Finding::Violated(complaint)
        })
    },
};

pub(super) static TLS: Check = Check {
    name: "tls-required",
    topic: Topic::Tls,
    stage: Stage::Mail,
    timing: Timing::Tls,
    checks: "the session is under TLS",
    basis: "RFC 3207 §4; Gmail 4.7.29 and 5.7.29",
    beyond: "beyond RFC 3207 §4, which forbids a publicly referenced server to require TLS",
    parameters: &[],
    fail: &["530 5.7.0 Must issue a STARTTLS command first"],
    error: &["454 4.7.0 TLS not available due to temporary reason"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match facts.conduct.tls {
            true => Finding::Satisfied,
            false => violated(
                "the session is not under TLS",
                [Change::Behave(Behaviour::StartTls)],
            ),
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, History};
    use crate::policy::checks::test::{Case, SATISFIED, VIOLATED, case};

    #[track_caller]
    fn check(check: &str, settings: &str, expected: &str) {
        fn busy(facts: &mut Facts) {
            let connections = [1, 30, 300].map(Duration::from_secs).to_vec();
            facts.history = Some(History {
                open: 3,
                connections,
                ..History::default()
            });
            let conduct = &mut facts.conduct;
            (conduct.messages, conduct.recipients, conduct.errors) = (5, 7, 2);
        }
        case(Case {
            check,
            settings,
            conduct: busy,
            ..Case::default()
        })
        .is(expected);
    }

    #[test]
    fn each_limit() {
        check("limits", "", SATISFIED);
        for (name, count) in [
            ("connections", 3),
            ("rate", 2),
            ("messages", 5),
            ("recipients", 7),
            ("errors", 2),
        ] {
            check("limits", &format!("{name} = {count}"), SATISFIED);
            check("limits", &format!("{name} = {}", count - 1), VIOLATED);
        }
        check("limits", "rate = 2\nper = \"5m\"", VIOLATED);
    }

    #[test]
    fn tls() {
        check("tls-required", "", VIOLATED);
        case(Case {
            check: "tls-required",
            conduct: |facts| facts.conduct.tls = true,
            ..Case::default()
        })
        .is(SATISFIED);
    }
}
