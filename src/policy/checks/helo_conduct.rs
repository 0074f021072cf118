//! `helo-stable` and `helo-proto`: a client always uses the same HELO name, and the same verb.

use std::time::Duration;

use crate::facts::{Facts, Observations};
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Timing, Topic, complaint, nothing, violated,
};
use crate::policy::{Behaviour, Change};
use crate::stage::Stage;

/// Default time for which a HELO name is compared with later ones.
const WINDOW: Duration = Duration::from_secs(3600);

pub(super) static STABLE: Check = Check {
    name: "helo-stable",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name is the one that the client sent before",
    basis: "Haraka helo.checks host_mismatch (in the session); GMX \"policy violations\" (by client address)",
    beyond: "beyond RFC 5321 §4.1.4, which allows a later EHLO with any argument",
    parameters: &[
        Parameter {
            name: "scope",
            kind: Kind::Choice(&["session", "client"]),
            default: "\"session\"",
            doc: "the HELO names to compare with: those of this session, or those of this client address",
        },
        Parameter {
            name: "window",
            kind: Kind::Duration,
            default: "\"1h\"",
            doc: "the time for which names of a client address are remembered",
        },
    ],
    fail: &["450 4.7.1 <{helo}>: Helo command rejected: you were {earlier} before"],
    error: &["450 4.7.1 <{helo}>: Helo command rejected"],
    needs: |_| Observations {
        history: true,
        ..Observations::default()
    },
    build: |settings| {
        let of_client = settings.choice("scope", "session") == "client";
        let window = settings.duration("window", WINDOW);
        Box::new(move |facts| {
            let Some(helo) = &facts.helo else {
                return Finding::NotApplicable;
            };
            let earlier = if of_client {
                other_of_client(facts, window)
            } else {
                first_of_session(facts)
            };
            match earlier.filter(|earlier| !earlier.eq_ignore_ascii_case(&helo.argument)) {
                None => Finding::Satisfied,
                Some(earlier) => {
                    let why = format!("the client sent {} now and {earlier} before", helo.argument);
                    let mut complaint = complaint(why, [Change::SayHelo(Some(earlier.clone()))]);
                    complaint.quotes.push(("earlier", earlier));
                    Finding::Violated(complaint)
                }
            }
        })
    },
};

fn first_of_session(facts: &Facts) -> Option<String> {
    facts
        .conduct
        .earlier_helos
        .first()
        .map(|(_, argument)| argument.clone())
}

fn other_of_client(facts: &Facts, window: Duration) -> Option<String> {
    let names = facts.history.iter().flat_map(|history| &history.helos);
    names
        .filter(|(_, age)| *age <= window)
        .min_by_key(|(_, age)| *age)
        .map(|(name, _)| name.clone())
}

pub(super) static PROTO: Check = Check {
    name: "helo-proto",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the session has HELO or EHLO, not both",
    basis: "Haraka helo.checks proto_mismatch",
    beyond: "beyond RFC 5321 §3.2, which lets clients fall back to HELO after a refused EHLO",
    parameters: &[],
    fail: &["550 5.5.1 {verb} protocol mismatch"],
    error: &["450 4.5.1 {verb} protocol mismatch"],
    needs: nothing,
    build: |_| {
        Box::new(
            |facts| match (&facts.helo, facts.conduct.earlier_helos.first()) {
                (Some(helo), Some((verb, _))) if helo.verb != *verb => violated(
                    format!("{} was sent after {}", helo.verb.word(), verb.word()),
                    [Change::Behave(Behaviour::KeepVerb(*verb))],
                ),
                (Some(_), _) => Finding::Satisfied,
                (None, _) => Finding::NotApplicable,
            },
        )
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{History, Verb};
    use crate::policy::checks::test::{SATISFIED, VIOLATED, check_conduct as check};

    #[test]
    fn in_a_session() {
        check("helo-stable", "", SATISFIED, |_| {});
        check("helo-stable", "", SATISFIED, |facts| {
            facts
                .conduct
                .replaced(Verb::Ehlo, "MAIL.example.test".into())
        });
        check("helo-stable", "", VIOLATED, |facts| {
            facts
                .conduct
                .replaced(Verb::Ehlo, "other.example.test".into())
        });
        check("helo-proto", "", SATISFIED, |facts| {
            facts
                .conduct
                .replaced(Verb::Ehlo, "other.example.test".into())
        });
        check("helo-proto", "", VIOLATED, |facts| {
            facts
                .conduct
                .replaced(Verb::Helo, "mail.example.test".into())
        });
    }

    #[test]
    fn by_client_address() {
        fn other(facts: &mut Facts) {
            let helos = vec![("other.example.test".to_owned(), Duration::from_secs(600))];
            facts.history = Some(History {
                helos,
                ..History::default()
            });
        }
        check("helo-stable", "", SATISFIED, other);
        check("helo-stable", "scope = \"client\"", VIOLATED, other);
        check(
            "helo-stable",
            "scope = \"client\"\nwindow = \"5m\"",
            SATISFIED,
            other,
        );
    }
}
