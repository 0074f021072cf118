//! `score`: weighted checks whose points are added up, as in rspamd and SpamAssassin.

use crate::facts::{Facts, Observations};
use crate::policy::check::{
    Check, Complaint, Finding, Judge, Kind, Parameter, Points, Settings, Timing, Topic, Weight,
    complaint,
};
use crate::stage::Stage;

/// The default threshold.
pub(crate) const REJECT: Points = Points(1500);

/// `fail` is sent if the sum reaches the threshold `reject`, `error` if it reaches the threshold `defer`.
pub(super) static CHECK: Check = Check {
    name: "score",
    topic: Topic::Other,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the sum of the points of violated checks stays below the thresholds",
    basis: "rspamd actions, SpamAssassin required_score",
    beyond: "beyond RFC 5321 §4.1.4 if its parts are",
    parameters: &[
        Parameter {
            name: "reject",
            kind: Kind::Points,
            default: "15.0",
            doc: "the sum from which on a message is refused",
        },
        Parameter {
            name: "defer",
            kind: Kind::Points,
            default: "no threshold",
            doc: "the sum from which on a message is deferred",
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
    unless: Vec<String>,
    group: Option<String>,
    temp_as_fail: bool,
}

impl Part {
    fn new(weight: &Weight) -> Self {
        let settings: &Settings = &weight.settings;
        Self {
            symbol: weight.symbol.clone(),
            score: weight.score,
            judge: (weight.check.build)(settings),
            unless: weight.unless.clone(),
            group: weight.group.clone(),
            temp_as_fail: weight.temp_as_fail,
        }
    }

    /// The complaint of a part, if its check is violated. A temporary DNS failure is not a violation unless the file
    /// says so.
    fn complaint(&self, facts: &Facts) -> Option<Complaint> {
        match (self.judge)(facts) {
            Finding::Violated(complaint) => Some(complaint),
            Finding::Unavailable(complaint) if self.temp_as_fail => Some(complaint),
            _ => None,
        }
    }
}

/// The parts that count: those violated, without later ones of a group.
fn found<'a>(parts: &'a [Part], facts: &Facts) -> Vec<(&'a Part, Complaint)> {
    let (mut symbols, mut groups) = (Vec::new(), Vec::new());
    let mut counted = Vec::new();
    for part in parts {
        if part.unless.iter().any(|symbol| symbols.contains(&symbol)) {
            continue;
        }
        let Some(complaint) = part.complaint(facts) else {
            continue;
        };
        symbols.push(&part.symbol);
        match &part.group {
            Some(group) if groups.contains(&group) => {}
            group => {
                groups.extend(group);
                counted.push((part, complaint));
            }
        }
    }
    counted
}

/// Judges the sum.
fn weigh(parts: &[Part], reject: Points, defer: Option<Points>, facts: &Facts) -> Finding {
    let mut found = found(parts, facts);
    let sum = found
        .iter()
        .fold(Points::default(), |sum, (part, _)| sum + part.score);
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

    /// Parts that depend on each other. The symbols in these tests are the names of the checks in capitals.
    const RELATED: &str = "
        [[weights]]
        check = \"helo-bare-ip\"
        score = 3.0
        [[weights]]
        check = \"helo-fqdn\"
        score = 2.0
        unless = [\"HELO-BARE-IP\"]
        group = \"names\"
        [[weights]]
        check = \"helo-syntax\"
        score = 1.0
        group = \"names\"
        [[weights]]
        check = \"helo-resolves\"
        score = 0.5
        unless = [\"HELO-SYNTAX\"]
        temp = \"as_fail\"";

    #[test]
    fn parts_that_depend_on_each_other() {
        let check = |helo, world| {
            case(Case {
                check: "score",
                settings: &format!("reject = 0.1\n{RELATED}"),
                helo: Some(helo),
                world,
                ..Case::default()
            })
        };
        check("192.0.2.10", "")
            .is(VIOLATED)
            .because("score is 4.0: HELO-BARE-IP 3.0, HELO-SYNTAX 1.0");
        check("not_valid!", "")
            .is(VIOLATED)
            .because("score is 2.0: HELO-FQDN 2.0");
        check("mail.example.test", "mail.example.test A SERVFAIL")
            .is(VIOLATED)
            .because("score is 0.5: HELO-RESOLVES 0.5");
        check("mail.example.test", "mail.example.test A 192.0.2.10").is(SATISFIED);
    }

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
            .remedied_by("PTR record");
        check(both, "192.0.2.10", "", VIOLATED)
            .because("score is 7.5: HELO-BARE-IP 3.0, PTR-EXISTS 2.5, ");
        check("reject = 7.51", "192.0.2.10", "", SATISFIED);
        let failing = "10.2.0.192.in-addr.arpa PTR SERVFAIL";
        check(both, "mail.example.test", failing, SATISFIED);
    }

    #[test]
    fn a_sum_that_reaches_a_threshold() {
        let check = |settings: &str| {
            case(Case {
                check: "score",
                settings: &format!("{settings}\n{WEIGHTS}"),
                world: "10.2.0.192.in-addr.arpa PTR mail.example.test",
                helo: Some("192.0.2.10"),
                ..Case::default()
            })
        };
        // The bare address weighs 3.0, and it is no fully qualified name: 2.0.
        check("reject = 5.0").is(VIOLATED);
        check("reject = 5.01").is(SATISFIED);
        check("reject = 6.0\ndefer = 5.0").is(DEFERRED);
        check("reject = 6.0\ndefer = 5.01").is(SATISFIED);
    }
}
