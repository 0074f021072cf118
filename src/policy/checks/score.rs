//! `score`: many small demands, weighed and summed, as rspamd and SpamAssassin do.

use crate::facts::{Facts, Observations};
use crate::policy::check::{
    Check, Complaint, Finding, Judge, Kind, Parameter, Points, Settings, Timing, Topic, Weight,
    complaint,
};
use crate::stage::Stage;

/// The threshold of a score that names none.
pub const REJECT: Points = Points(1500);

/// `fail` is sent from the threshold `reject` on, `error` from the threshold `defer` on.
pub(super) static CHECK: Check = Check {
    name: "score",
    number: 37,
    topic: Topic::Other,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the sum of what violated checks weigh stays below the thresholds",
    basis: "rspamd actions, SpamAssassin required_score",
    beyond: "beyond RFC 5321 §4.1.4 where its parts are",
    parameters: &[
        Parameter {
            name: "reject",
            kind: Kind::Points,
            default: "15.0",
            doc: "from which sum on a message is refused",
        },
        Parameter {
            name: "defer",
            kind: Kind::Points,
            default: "no threshold",
            doc: "from which sum on it is put off",
        },
        Parameter {
            name: "weights",
            kind: Kind::Weights,
            default: "none",
            doc: "[[rule.weights]]: a check, its parameters, its symbol, and the score its violation adds",
        },
    ],
    fail: &["554 5.7.1 Spam message rejected"],
    error: &["451 4.7.1 Try again later"],
    needs: |settings| {
        let mut needs = Observations::default();
        for weight in settings.weights() {
            needs.add(&(weight.check.needs)(&weight.settings));
        }
        needs
    },
    build: |settings| {
        let reject = settings.points("reject", REJECT);
        let defer = settings
            .is_set("defer")
            .then(|| settings.points("defer", reject));
        let parts: Vec<_> = settings.weights().iter().map(Part::new).collect();
        Box::new(move |facts| weigh(&parts, reject, defer, facts))
    },
};

struct Part {
    symbol: String,
    score: Points,
    judge: Judge,
}

impl Part {
    fn new(weight: &Weight) -> Self {
        let settings: &Settings = &weight.settings;
        Self {
            symbol: weight.symbol.clone(),
            score: weight.score,
            judge: (weight.check.build)(settings),
        }
    }
}

/// Sums up. A part that DNS leaves open adds nothing: nothing is proved.
fn weigh(parts: &[Part], reject: Points, defer: Option<Points>, facts: &Facts) -> Finding {
    let mut sum = Points::default();
    let mut found: Vec<(&Part, Complaint)> = Vec::new();
    for part in parts {
        if let Finding::Violated(complaint) = (part.judge)(facts) {
            sum = sum + part.score;
            found.push((part, complaint));
        }
    }
    if sum < reject && defer.is_none_or(|defer| sum < defer) {
        return Finding::Satisfied;
    }
    found.sort_by_key(|(part, _)| std::cmp::Reverse(part.score));
    let symbols: Vec<_> = found
        .iter()
        .map(|(part, _)| format!("{} {}", part.symbol, part.score))
        .collect();
    let why = format!("the score is {sum}: {}", symbols.join(", "));
    let remedies: Vec<_> = found
        .into_iter()
        .filter_map(|(_, complaint)| complaint.remedies.into_iter().next())
        .collect();
    let mut complaint = complaint(why, remedies);
    complaint.quotes.push(("score", sum.to_string()));
    if sum >= reject {
        Finding::Violated(complaint)
    } else {
        Finding::Deferred(complaint)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, DEFERRED, SATISFIED, VIOLATED, case};

    const WEIGHTS: &str = "
        [[weights]]
        check = \"helo-bare-ip\"
        score = 3.0
        [[weights]]
        check = \"helo-fqdn\"
        score = 2.0
        [[weights]]
        check = \"ptr-exists\"
        score = 2.5";

    #[track_caller]
    fn check(
        thresholds: &str,
        helo: &str,
        world: &str,
        expected: &str,
    ) -> crate::policy::checks::test::Outcome {
        let settings = format!("{thresholds}\n{WEIGHTS}");
        case(Case {
            check: "score",
            settings: &settings,
            helo: Some(helo),
            world,
            ..Case::default()
        })
        .is(expected)
    }

    #[test]
    fn sums_and_thresholds() {
        let named = "10.2.0.192.in-addr.arpa PTR mail.example.test";
        let both = "reject = 7.5\ndefer = 2.5";
        check(both, "mail.example.test", named, SATISFIED);
        check(both, "mail.example.test", "", DEFERRED)
            .because("score is 2.5: PTR-EXISTS 2.5")
            .cured_by("PTR record");
        check(both, "192.0.2.10", "", VIOLATED)
            .because("score is 7.5: HELO-BARE-IP 3.0, PTR-EXISTS 2.5, ");
        check("reject = 7.51", "192.0.2.10", "", SATISFIED);
        let failing = "10.2.0.192.in-addr.arpa PTR SERVFAIL";
        check(both, "mail.example.test", failing, SATISFIED);
    }
}
