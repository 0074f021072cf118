//! `martinet check`: shows what a receiver would reply.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::args::{Check, CheckFormat};
use super::paint::{self, Explanation, Question};
use super::world::WorldUrl;
use super::{print, print_json};
use crate::capture::Capture;
use crate::check::{Attempt, Judgement, judge, remedied};
use crate::error::Error;
use crate::picture::{Case, Picture};
use crate::policy::{Remedies, RemediesView};
use crate::scenario::{self, ReceiverProfile};
use crate::stage::Stage;
use crate::verdict::Verdict;

/// Time that `check --resolver` waits for each answer.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(options: Check) -> Result<bool, Error> {
    match &options.world {
        Some(world) => of_world(&options, world).await,
        None => of_scenario(&options),
    }
}

fn of_scenario(options: &Check) -> Result<bool, Error> {
    let scenario = scenario::load_scenario(&options.scenario)?;
    let all = options.receiver.as_deref() == Some("all");
    let profiles = match options.receiver.as_deref() {
        Some("all") => scenario::list_receivers()?,
        Some(name) => vec![scenario::load_receiver(name)?],
        None => {
            let default = scenario.recipient();
            let recipient = options.recipient.as_ref().unwrap_or(&default);
            vec![scenario::load_receiver(&scenario.receiver_for(recipient))?]
        }
    };
    let client = options.client.unwrap_or(Ipv4Addr::LOCALHOST.into()); // only --world can be without
    let mut attempt = Attempt::of(&scenario, client, &options.helo);
    if let Some(sender) = &options.sender {
        attempt = attempt.from_sender(sender.clone());
    }
    let recipient = |profile: &ReceiverProfile| match &options.recipient {
        Some(recipient) => recipient.clone(),
        None if options.receiver.is_none() => scenario.recipient(),
        None => scenario.recipient_at(&profile.name),
    };
    attempt.recipient = recipient(&profiles[0]);
    let judge_by = |profile: &ReceiverProfile| {
        // The counts of faults begin at 0 for each receiver.
        let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
        let recipient = recipient(profile);
        let attempt = Attempt {
            recipient,
            ..attempt.clone()
        };
        judge(&profile.receiver, &zones, profile.dns_timeout, &attempt)
    };
    let judgements: Vec<_> = match options.resolver {
        Some(resolver) => by_resolver(resolver, &attempt).check(&profiles),
        None => profiles.iter().map(judge_by).collect(),
    };
    match (options.format, all) {
        (CheckFormat::Json, true) => print_json(&judgements)?,
        (CheckFormat::Json, false) => print_json(&judgements[0])?,
        (CheckFormat::Svg | CheckFormat::Html, true) => {
            return Err(one_receiver());
        }
        (CheckFormat::Svg, false) => print(&Picture::of(&Case::from(&judgements[0])).svg()),
        (CheckFormat::Html, false) => {
            let case = Case::from(&judgements[0]).trying(&judgements[0].remedies, |remedy| {
                let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
                let (zones, attempt) = remedied(&zones, &attempt, remedy)?;
                let (receiver, timeout) = (&profiles[0].receiver, profiles[0].dns_timeout);
                Some(judge(receiver, &zones, timeout, &attempt))
            });
            print(&Picture::of(&case).html());
        }
        (CheckFormat::Human, _) => {
            let texts: Vec<_> = judgements.iter().map(explain).collect();
            print(&texts.join(
                "
",
            ));
        }
    }
    Ok(judgements.iter().all(|j| j.verdict == Verdict::Accept))
}

fn one_receiver() -> Error {
    Error::unexpected("one receiver for --format svg and html", "--receiver all")
}

/// The attempt, judged with the answers of a resolver, including those for block lists.
fn by_resolver(resolver: SocketAddr, attempt: &Attempt) -> Capture {
    Capture {
        client: attempt.client,
        helo: attempt.helo.clone(),
        sender: attempt.sender.clone(),
        selectors: Vec::new(),
        lists: true,
        resolver,
        timeout: TIMEOUT,
    }
}

/// The judgement of one receiver in the response of a world.
#[derive(Debug, Deserialize)]
struct RemoteJudgement {
    verdict: Verdict,
    stage: Stage,
    #[serde(default)]
    rule: String,
    receiver: String,
    client_address: IpAddr,
    helo: String,
    #[serde(default)]
    allowed: String,
    #[serde(default)]
    why: String,
    reply: Vec<String>,
    evidence: Vec<Question>,
    remedies: RemediesView,
}

impl RemoteJudgement {
    fn text(&self) -> String {
        Explanation {
            verdict: self.verdict,
            stage: self.stage.name(),
            rule: &self.rule,
            who: &self.receiver,
            client: self.client_address.to_string(),
            helo: &self.helo,
            allowed: &self.allowed,
            why: &self.why,
            reply: self.reply.clone(),
            evidence: self.evidence.iter().map(Question::text).collect(),
            remedies: paint::changes(&Remedies::from(self.remedies.clone())),
        }
        .text()
    }
}

async fn of_world(options: &Check, world: &WorldUrl) -> Result<bool, Error> {
    let all = options.receiver.as_deref() == Some("all");
    if all && options.format.draws() {
        return Err(one_receiver());
    }
    let question = json!({
        "client_address": options.client,
        "helo": options.helo,
        "receiver": options.receiver.as_deref().map(receiver).transpose()?,
        "sender": options.sender,
        "recipient": options.recipient,
    });
    let answer = world.post("check", &question).await?;
    let judgements = &answer["judgements"];
    let unreadable =
        |error: &dyn std::fmt::Display| Error::other(format!("cannot parse the response: {error}"));
    let remote =
        Vec::<RemoteJudgement>::deserialize(judgements).map_err(|error| unreadable(&error))?;
    match options.format {
        CheckFormat::Json if all => print_json(judgements)?,
        CheckFormat::Json => print_json(&judgements[0])?,
        CheckFormat::Svg => print(&world.post_for_text("check/picture.svg", &question).await?),
        CheckFormat::Html => print(&world.post_for_text("check/picture", &question).await?),
        CheckFormat::Human => {
            let texts: Vec<_> = remote.iter().map(RemoteJudgement::text).collect();
            print(&texts.join("\n"));
        }
    }
    Ok(remote
        .iter()
        .all(|remote| remote.verdict == Verdict::Accept))
}

/// A receiver for the API: its name, or the text of its file, because the server does not read files of clients.
fn receiver(named: &str) -> Result<String, Error> {
    let is_file = named.contains(['/', '\\']) || named.to_ascii_lowercase().ends_with(".toml");
    if !is_file {
        return Ok(named.to_owned());
    }
    std::fs::read_to_string(named).map_err(|e| Error::io(format!("cannot read {named}"), e))
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
        evidence: paint::questions(&judgement.evidence),
        remedies: paint::changes(&judgement.remedies),
    }
    .text()
}
