//! Runs the expectations of scenarios over real sockets: DNS queries as a resolver sends them, SMTP as a sender does.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::dns::{self, Transport};
use crate::error::Error;
use crate::harness::World;
use crate::name::{self, Name, RecordType};
use crate::scenario::{
    self, DnsExpectation, Expectation, Place, Scenario, SessionExpectation, SessionOutcome,
};
use crate::smtp::client::{Delivery, Dialogue, deliver};
use crate::smtp::{ClientSource, SessionRecord};

/// Maximum time to wait for a reply: longer than a receiver waits for DNS.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time that a receiver waits for DNS or before its greeting: expectations see that it waits, not for how long.
const WAIT: Duration = Duration::from_secs(1);
/// Maximum number of concurrent expectations. Most of their time is spent waiting for DNS timeouts; each needs about
/// six descriptors, and the usual limit of a process is 1,024.
const AT_A_TIME: usize = 128;

/// The outcome of one expectation.
#[derive(Clone, Debug, Serialize)]
pub struct PlayedExpectation {
    /// The expectation in one sentence.
    pub expected: String,
    /// The differences; empty if the expectation was met.
    pub mismatches: Vec<String>,
    /// The dialogue.
    pub dialogue: Vec<String>,
}

impl PlayedExpectation {
    /// Whether the expectation was met.
    pub fn as_expected(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Runs every expectation of a scenario, each in its own world, and returns the outcomes in their order.
///
/// # Errors
/// A receiver does not exist, or the environment fails. An unmet expectation is not an error.
pub async fn expectations(scenario: &Scenario) -> Result<Vec<PlayedExpectation>, Error> {
    let mut outcomes = all(std::slice::from_ref(scenario), |_, _| {}).await?;
    Ok(outcomes.pop().unwrap_or_default())
}

/// Runs all expectations of several scenarios concurrently and returns the outcomes of each scenario, in their order.
/// After each expectation, calls `progress` with the number of finished expectations and the total.
///
/// # Errors
/// As [`expectations`].
pub async fn all(
    scenarios: &[Scenario],
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Vec<PlayedExpectation>>, Error> {
    let mut outcomes: Vec<Vec<Option<PlayedExpectation>>> = scenarios
        .iter()
        .map(|scenario| vec![None; scenario.expectations.len()])
        .collect();
    let (mut played, count) = (0, outcomes.iter().map(Vec::len).sum());
    let mut playing = JoinSet::new();
    // Receivers wait for DNS that misbehaves, so scenarios with faults begin first.
    let mut order: Vec<_> = scenarios.iter().enumerate().collect();
    order.sort_by_key(|(_, scenario)| scenario.faults.is_empty());
    let mut left = order.into_iter().flat_map(|(at, scenario)| {
        let expectations = scenario.expectations.iter().zip(scenario.sentences());
        let numbered = expectations.enumerate();
        numbered.map(move |(index, expectation)| (at, index, scenario, expectation))
    });
    loop {
        while playing.len() < AT_A_TIME
            && let Some((at, index, scenario, (expectation, sentence))) = left.next()
        {
            let (scenario, expectation) = (scenario.clone(), expectation.clone());
            playing.spawn(async move {
                play(scenario, &expectation, sentence)
                    .await
                    .map(|outcome| (at, index, outcome))
            });
        }
        match playing.join_next().await {
            None => break,
            Some(Ok(outcome)) => {
                let (at, index, outcome) = outcome?;
                outcomes[at][index] = Some(outcome);
                played += 1;
                progress(played, count);
            }
            Some(Err(failure)) => {
                return Err(Error::other(format!(
                    "playing an expectation failed: {failure}"
                )));
            }
        }
    }
    Ok(outcomes
        .into_iter()
        .map(|outcomes| outcomes.into_iter().flatten().collect())
        .collect())
}

async fn play(
    scenario: Scenario,
    expectation: &Expectation,
    expected: String,
) -> Result<PlayedExpectation, Error> {
    let (mismatches, dialogue) = match expectation {
        Expectation::Session(session) => play_session(scenario, session).await?,
        Expectation::Dns(question) => play_dns(scenario, question).await?,
    };
    Ok(PlayedExpectation {
        expected,
        mismatches,
        dialogue,
    })
}

async fn play_dns(
    scenario: Scenario,
    expected: &DnsExpectation,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let world = World::builder().with_scenario(scenario).start().await?;
    let DnsExpectation {
        name,
        record_type,
        transport,
        edns,
        ..
    } = expected;
    let reply = match dns::client::ask(
        world.dns_addr(),
        name,
        *record_type,
        *transport,
        *edns,
        TIMEOUT,
    )
    .await
    {
        Ok(reply) => reply,
        Err(error) => return Ok((vec![format!("no answer: {error}")], Vec::new())),
    };
    let mut mismatches = Vec::new();
    let mut compare = |what: &str, wanted: Option<String>, got: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != got) {
            mismatches.push(format!("expected {what} {wanted}, found {got}"));
        }
    };
    compare(
        "RCODE",
        expected.rcode.clone(),
        dns::rcode_text(reply.metadata.response_code),
    );
    compare(
        "answers",
        expected.answers.map(|n| n.to_string()),
        reply.answers.len().to_string(),
    );
    compare(
        "truncated",
        expected.truncated.map(|t| t.to_string()),
        reply.metadata.truncation.to_string(),
    );
    Ok((
        mismatches,
        reply.answers.iter().map(ToString::to_string).collect(),
    ))
}

async fn play_session(
    scenario: Scenario,
    expected: &SessionExpectation,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let profile = scenario::load_receiver(&expected.receiver)?;
    let recipient = expected
        .recipient
        .clone()
        .unwrap_or_else(|| scenario.recipient());
    let translated = scenario.translated(expected.client);
    let scenario = scenario.for_one(&recipient, &expected.receiver);
    let world = World::builder()
        .client(ClientSource::Fixed(translated))
        .longest_wait(WAIT)
        .with_scenario(scenario)
        .with_receiver(profile)
        .start()
        .await?;
    let receiver = match find_receiver(&world, &recipient).await {
        Ok(receiver) => receiver,
        Err(problem) => return Ok((vec![problem], Vec::new())),
    };
    let delivery = Delivery {
        verb: expected.verb.to_owned(),
        helo: expected.helo.clone(),
        from: expected.sender.clone(),
        to: vec![recipient],
        message: expected.octets(),
        timeout: TIMEOUT,
        conduct: expected.conduct.clone(),
        ..Delivery::default()
    };
    for _ in 1..expected.sessions {
        if let Err(error) = deliver(receiver, &delivery).await {
            return Ok((
                vec![format!("an earlier session failed: {error}")],
                Vec::new(),
            ));
        }
        if !expected.pause.is_zero() {
            world.advance(expected.pause)?;
        }
    }
    let dialogue = match deliver(receiver, &delivery).await {
        Ok(dialogue) => dialogue,
        Err(error) => return Ok((vec![format!("the session failed: {error}")], Vec::new())),
    };
    let ended = world.sessions().wait(|log| {
        // The other connections are open before the last session begins.
        log.entry(expected.sessions * (expected.conduct.open + 1))
            .map(|e| e.snapshot())
            .filter(|r| r.closed_by.is_some())
    });
    let Ok(record) = tokio::time::timeout(TIMEOUT, ended).await else {
        return Ok((vec!["the session did not end".to_owned()], lines(&dialogue)));
    };
    Ok((compare(expected, &dialogue, &record), lines(&dialogue)))
}

/// Does the lookups of a sender before it connects (RFC 5321 §5.1): the MX of the recipient's domain, and the addresses
/// of each host in the order of preference. Returns the first listener found.
pub(crate) async fn find_receiver(world: &World, recipient: &str) -> Result<SocketAddr, String> {
    let domain = recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domain = name::absolute(domain).ok_or_else(|| format!("{recipient} has no domain"))?;
    let mut hosts: Vec<(u16, Name)> = records(world, &domain, RecordType::MX)
        .await?
        .into_iter()
        .filter_map(|data| match data {
            RData::MX(mx) => Some((mx.preference, mx.exchange)),
            _ => None,
        })
        .collect();
    if hosts.iter().any(|(_, host)| host.is_root()) {
        return Err(format!(
            "{domain} has a null MX: it accepts no mail (RFC 7505)"
        ));
    }
    hosts.sort_by_key(|(preference, _)| *preference);
    let implicit = hosts.is_empty();
    if implicit {
        hosts.push((0, domain.clone()));
    }
    let places = world.exchanges();
    let mut addressed = false;
    for (_, host) in hosts {
        for record_type in [RecordType::A, RecordType::AAAA] {
            for address in records(world, &host, record_type).await? {
                let Some(address) = address.ip_addr() else {
                    continue;
                };
                addressed = true;
                let is_there =
                    |place: &&Place| place.exchange == host && place.address == Some(address);
                // Addresses in the text of a zone belong to the main listener.
                let at = places.iter().find(is_there).map(|place| place.listener);
                if let Some(listener) = at.unwrap_or_else(|| Some(world.smtp_addr())) {
                    return Ok(listener);
                }
            }
        }
    }
    Err(match (addressed, implicit) {
        (true, _) => format!("nothing listens at the addresses of the exchanges of {domain}"),
        (false, true) => {
            format!("{domain} has no MX: is it a [[domain]] of the scenario?")
        }
        (false, false) => format!("no MX of {domain} has an address"),
    })
}

async fn records(
    world: &World,
    owner: &Name,
    record_type: RecordType,
) -> Result<Vec<RData>, String> {
    let (server, udp) = (world.dns_addr(), Transport::Udp);
    let result = dns::client::ask(server, owner, record_type, udp, Some(1232), TIMEOUT).await;
    let reply = result.map_err(|e| format!("{record_type} of {owner}: {e}"))?;
    Ok(reply
        .answers
        .into_iter()
        .map(|record| record.data)
        .collect())
}

fn compare(
    expected: &SessionExpectation,
    dialogue: &Dialogue,
    record: &SessionRecord,
) -> Vec<String> {
    let reply = dialogue
        .last
        .as_ref()
        .and_then(|reply| reply.wire_lines().next())
        .unwrap_or_default();
    let refusal = record.refusals.first();
    let stage = dialogue.refused.as_ref().map(|(stage, _)| stage.name());
    expected.mismatches(&SessionOutcome {
        reply: &reply,
        rule: refusal.and_then(|refusal| refusal.by_rule()),
        stage,
        verdict: record.verdict,
    })
}

fn lines(dialogue: &Dialogue) -> Vec<String> {
    dialogue
        .lines
        .iter()
        .map(|(who, line)| format!("{who}: {line}"))
        .collect()
}
