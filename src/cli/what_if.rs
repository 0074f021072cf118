//! `martinet check`: what would a receiver say?

use super::args::{Check, CheckFormat};
use super::paint::Explanation;
use super::{print, print_json};
use crate::check::{Attempt, Judgement, judge};
use crate::error::Error;
use crate::picture::{Case, Picture};
use crate::scenario::{self, ReceiverProfile, Scenario, plain_message};
use crate::verdict::Verdict;

pub(super) fn run(options: &Check) -> Result<bool, Error> {
    let scenario = scenario::load_scenario(&options.scenario)?;
    let all = options.receiver.as_deref() == Some("all");
    let profiles = match options.receiver.as_deref() {
        Some("all") => scenario::list_receivers()?,
        Some(name) => vec![scenario::load_receiver(name)?],
        None => vec![scenario::load_receiver(&scenario.receiver)?],
    };
    let judgements: Vec<_> = profiles
        .iter()
        .map(|profile| one(options, &scenario, profile))
        .collect();
    match (options.format, all) {
        (CheckFormat::Json, true) => print_json(&judgements)?,
        (CheckFormat::Json, false) => print_json(&judgements[0])?,
        (CheckFormat::Svg | CheckFormat::Html, true) => {
            return Err(Error::unexpected(
                "one receiver for --format svg and html",
                "--receiver all",
            ));
        }
        (CheckFormat::Svg, false) => print(&Picture::of(&Case::from(&judgements[0])).svg()),
        (CheckFormat::Html, false) => print(&Picture::of(&Case::from(&judgements[0])).html()),
        (CheckFormat::Human, _) => print(
            &judgements
                .iter()
                .map(explain)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
    Ok(judgements.iter().all(|j| j.verdict == Verdict::Accept))
}

fn one(options: &Check, scenario: &Scenario, profile: &ReceiverProfile) -> Judgement {
    let sender = options
        .sender
        .clone()
        .unwrap_or_else(|| scenario.sender.clone());
    let attempt = Attempt {
        client: options.client,
        helo: options.helo.clone(),
        verb: "EHLO".to_owned(),
        message: plain_message(&sender),
        sender,
        recipient: options
            .recipient
            .clone()
            .unwrap_or_else(|| scenario.recipient()),
    };
    // Each receiver meets the faults anew, as the first client would.
    let zones = scenario.zones(std::net::Ipv4Addr::LOCALHOST.into());
    judge(&profile.receiver, &zones, profile.dns_timeout, &attempt)
}

fn explain(judgement: &Judgement) -> String {
    Explanation {
        verdict: judgement.verdict,
        stage: judgement.stage.name(),
        rule: judgement.rule.unwrap_or_default(),
        who: &judgement.receiver,
        client: judgement.client.to_string(),
        helo: &judgement.helo,
        allowed: &judgement.allowed,
        why: &judgement.why,
        reply: judgement.reply.wire_lines().collect(),
        evidence: &judgement.evidence,
        remedies: &judgement.remedies,
    }
    .text()
}
