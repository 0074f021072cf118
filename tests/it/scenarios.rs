//! Every built-in scenario is a test, played over real sockets; and the dry run gives the same replies.

use std::time::Duration;

use martinet::check::{Attempt, judge};
use martinet::play;
use martinet::scenario::{Expectation, list_scenarios, load_receiver};

#[tokio::test]
async fn every_expectation_over_real_sockets() {
    let mut played = 0;
    for scenario in list_scenarios().expect("the shipped scenarios have no mistakes") {
        for outcome in play::expectations(&scenario).await.expect("a world starts") {
            assert!(
                outcome.as_expected(),
                "{}: {}\n{:#?}\n{}",
                scenario.name,
                outcome.expected,
                outcome.mismatches,
                outcome.dialogue.join("\n")
            );
            played += 1;
        }
    }
    assert!(played > 100, "only {played} expectations");
}

#[test]
fn every_scenario_has_a_source_and_several_receivers() {
    for scenario in list_scenarios().expect("the shipped scenarios have no mistakes") {
        assert!(
            !scenario.sources.is_empty(),
            "{} has no source",
            scenario.name
        );
        let receivers: std::collections::HashSet<_> = scenario
            .expectations
            .iter()
            .filter_map(|e| match e {
                Expectation::Session(session) => Some(session.receiver.clone()),
                Expectation::Dns(_) => None,
            })
            .collect();
        assert!(
            receivers.len() >= 2,
            "{} expects of {} receivers",
            scenario.name,
            receivers.len()
        );
    }
}

#[test]
fn a_dry_run_gives_the_replies_of_a_session() {
    for scenario in list_scenarios().expect("the shipped scenarios have no mistakes") {
        let sentences = scenario.sentences();
        for (expectation, sentence) in scenario.expectations.iter().zip(&sentences) {
            let Expectation::Session(expected) = expectation else {
                continue;
            };
            if expected.sessions > 1 {
                continue; // a dry run is one session, and remembers none
            }
            let profile = load_receiver(&expected.receiver).expect("a receiver");
            let attempt = Attempt {
                client: scenario.translated(expected.client),
                helo: expected.helo.clone(),
                verb: expected.verb.to_owned(),
                sender: expected.sender.clone(),
                recipient: scenario.recipient(),
                message: expected.octets(),
                recipients: std::sync::Arc::default(),
                conduct: expected.conduct.clone(),
                sent: scenario.sent.as_slice().into(),
            };
            let zones = scenario.zones([127, 0, 0, 1].into());
            let judgement = judge(&profile.receiver, &zones, Duration::from_secs(5), &attempt);
            let line = judgement.reply.wire_lines().next().expect("a line");
            let first = format!("{} {}", &line[..3], &line[4..]);
            assert!(
                first.starts_with(&expected.reply),
                "{}: {sentence}: {first}",
                scenario.name
            );
            assert_eq!(
                judgement.rule,
                expected.rule.as_deref(),
                "{}: {sentence}",
                scenario.name
            );
            assert_eq!(
                judgement.verdict == martinet::verdict::Verdict::Accept,
                judgement.remedies.is_empty(),
                "{}: {sentence}",
                scenario.name
            );
        }
    }
}
