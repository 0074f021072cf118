//! The scenarios that `martinet find` names give the replies over sockets, with the expectation that it prints to copy.

use std::fmt::Write as _;
use std::sync::Arc;

use martinet::find::{Finder, Match};
use martinet::play;
use martinet::scenario::{self, Scenario};
use tokio::task::JoinSet;

/// The replies that no scenario causes, each with its reason: receiver, rule, and whether the reply is for a DNS failure.
const NEVER_SENT: &[(&str, &str, bool, &str)] = &[
    (
        "haraka-all",
        "helo-ip-match",
        false,
        "helo-ptr-match demands the organisation of the PTR name first, and that is enough for this rule",
    ),
    (
        "haraka-all",
        "helo-ip-match",
        true,
        "the same: no HELO name comes so far whose addresses matter",
    ),
    (
        "haraka-all",
        "helo-stable",
        false,
        "each check runs once: the reply needs an earlier HELO that another check refused, and the client stops at a refusal",
    ),
    (
        "helo-equals-ptr",
        "helo-bare-ip",
        false,
        "a bare address is no PTR name, so that helo-ptr-match refuses it with the same words",
    ),
    (
        "outlook-com",
        "limits",
        false,
        "501 connections at a time need more descriptors than a process usually has",
    ),
    (
        "rspamd",
        "score",
        false,
        "the symbols that the profile knows reach 10.5, and rspamd rejects from 15",
    ),
];

/// A built-in scenario with one expectation: the one that `find` prints.
fn with_test(one: &Match) -> Scenario {
    let name = one.scenario.as_deref().expect("a scenario");
    let known = scenario::load_scenario(name).expect("a built-in scenario");
    let mut text = String::new();
    let mut is_expectation = false;
    for line in known.text.lines() {
        if line.starts_with('[') {
            is_expectation = line.starts_with("[[expect]]");
        }
        if !is_expectation {
            let _ = writeln!(text, "{line}");
        }
    }
    text.push_str(&one.test);
    scenario::parse_scenario(name, &text)
        .unwrap_or_else(|error| panic!("{} {:?}: {error}\n{text}", one.receiver, one.rule))
}

/// Whether a line is one of a template: what stands between its placeholders comes in this order.
fn fits(template: &str, line: &str) -> bool {
    let mut rest = line;
    for (nth, part) in template.split('{').enumerate() {
        let literal = match nth {
            0 => part,
            _ => part.split_once('}').map_or("", |(_, after)| after),
        };
        let found = if nth == 0 {
            rest.starts_with(literal).then_some(0)
        } else {
            rest.find(literal)
        };
        let Some(at) = found else {
            return false;
        };
        rest = &rest[at + literal.len()..];
    }
    template.ends_with('}') || rest.is_empty()
}

/// Whether a dialogue has the reply, all lines of it in a row.
fn says(dialogue: &[String], reply: &[String]) -> bool {
    let replies: Vec<_> = dialogue
        .iter()
        .filter_map(|line| line.strip_prefix("S: "))
        .collect();
    replies
        .windows(reply.len())
        .any(|lines| reply.iter().zip(lines).all(|(t, line)| fits(t, line)))
}

/// Every reply of every rule of every receiver that `find` has a scenario for comes over SMTP and DNS sockets.
#[tokio::test(flavor = "multi_thread")]
async fn every_found_scenario_gives_its_reply_over_sockets() {
    let finder = Arc::new(Finder::built_in().expect("the built-in files are sound"));
    let mut playing = JoinSet::new();
    for profile in scenario::list_receivers().expect("receivers") {
        let finder = Arc::clone(&finder);
        playing.spawn_blocking(move || finder.known(&profile.name));
    }
    let known: Vec<_> = playing.join_all().await.into_iter().flatten().collect();
    let (found, without): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|one| one.scenario.is_some());
    let scenarios: Vec<_> = found.iter().map(with_test).collect();
    let outcomes = play::all(&scenarios, |_, _| {}).await.expect("play");
    let mut wrong = String::new();
    for (one, outcomes) in found.iter().zip(&outcomes) {
        let outcome = &outcomes[0];
        if !outcome.as_expected() || !says(&outcome.dialogue, &one.reply) {
            let _ = writeln!(
                wrong,
                "{} {:?}, {}: {:?}\n  wanted {:?}\n  {}",
                one.receiver,
                one.rule,
                one.scenario.as_deref().unwrap_or_default(),
                outcome.mismatches,
                one.reply,
                outcome.dialogue.join("\n  "),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let mut left: Vec<_> = without
        .iter()
        .map(|one| {
            let rule = one.rule.unwrap_or_default();
            (one.receiver.as_str(), rule, one.temporary)
        })
        .collect();
    left.sort_unstable();
    println!(
        "{} replies have a scenario, {} have none",
        found.len(),
        without.len()
    );
    let known: Vec<_> = NEVER_SENT.iter().map(|row| (row.0, row.1, row.2)).collect();
    assert_eq!(left, known, "the replies without a scenario");
}
