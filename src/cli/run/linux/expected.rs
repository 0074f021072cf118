//! The expectations of a run: those of the scenario (`--verify`), and those of the command line (`--expect`).

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::check::{self, Attempt};
use crate::cli::paint;
use crate::error::Error;
use crate::expect::{Expectation, Ledger, Sessions};
use crate::harness::World;
use crate::name;
use crate::scenario::{self, ReceiverProfile, Scenario, SessionExpectation};
use crate::stage::Stage;

/// Time that sessions have to end after the command has ended.
const GRACE: Duration = Duration::from_secs(1);

/// Expectations that are counted while the command runs.
pub(super) struct Expected {
    ledger: Arc<Ledger>,
    count: usize,
}

impl Expected {
    /// Begins to count. The HTTP API cannot remove these expectations.
    pub(super) fn begin(world: &World, expectations: Vec<Expectation>) -> Self {
        let ledger = Ledger::new(world.ledger().sources().clone());
        let count = expectations.len();
        for expectation in expectations {
            ledger.mount(expectation);
        }
        Self { ledger, count }
    }

    /// The report, and whether every expectation is met; `None` without expectations.
    pub(super) fn verified(&self) -> Option<(String, bool)> {
        if self.count == 0 {
            return None;
        }
        let outcomes = self.ledger.outcomes();
        let mut text = String::from("\n");
        for outcome in &outcomes {
            let _ = writeln!(text, "{outcome}");
        }
        let unmet = outcomes.iter().filter(|outcome| !outcome.met).count();
        let _ = writeln!(
            text,
            "{}, {} met, {unmet} not",
            paint::counted(outcomes.len(), "expectation"),
            outcomes.len() - unmet
        );
        Some((text, unmet == 0))
    }
}

/// Waits until the sessions of a command that has ended are over: the receiver may not have read their last octets yet.
pub(super) async fn wait_for_sessions_to_end(world: &World) {
    let over = world.sessions().wait(|log| {
        log.entries()
            .iter()
            .all(|entry| entry.is_closed())
            .then_some(())
    });
    let _ = tokio::time::timeout(GRACE, over).await;
}

/// Expectations for each `[[expect]]` whose receiver is one that the command can reach.
///
/// # Errors
/// The scenario has none, or names a receiver that does not exist.
pub(super) fn of_scenario(
    scenario: &Scenario,
    main: &ReceiverProfile,
) -> Result<Vec<Expectation>, Error> {
    let zones = scenario.zones(IpAddr::from([127, 0, 0, 1]));
    let mut expectations = Vec::new();
    for (expected, sentence) in scenario.expectations.iter().zip(scenario.sentences()) {
        let scenario::Expectation::Session(session) = expected else {
            continue;
        };
        let profile = scenario::load_receiver(&session.receiver)?;
        if !reached_receivers(scenario, main, session)?.contains(&profile.name) {
            continue;
        }
        let attempt = attempt(scenario, session);
        let judged = check::judge(&profile.receiver, &zones, profile.dns_timeout, &attempt);
        let pattern = pattern(scenario, session, profile.name, judged.stage);
        let name = format!("[[expect]] {sentence}");
        expectations.push(Expectation::of(pattern).named(&name));
    }
    if expectations.is_empty() {
        return Err(Error::unexpected(
            "--verify with a scenario that has an [[expect]] for a receiver of this run",
            format!("none in {} for {}", scenario.name, main.name),
        ));
    }
    Ok(expectations)
}

fn attempt(scenario: &Scenario, session: &SessionExpectation) -> Attempt {
    let client = scenario.translated(session.client);
    let recipient = session.recipient.clone();
    Attempt {
        verb: session.verb.to_owned(),
        sender: session.sender.clone(),
        recipient: recipient.unwrap_or_else(|| scenario.recipient_at(&session.receiver)),
        message: session.octets(),
        ..Attempt::of(scenario, client, &session.helo)
    }
}

/// The receivers that an expectation can have: that of the recipient's domain, or of any domain.
fn reached_receivers(
    scenario: &Scenario,
    main: &ReceiverProfile,
    session: &SessionExpectation,
) -> Result<Vec<String>, Error> {
    let recipients = match &session.recipient {
        Some(recipient) => vec![recipient.clone()],
        None => scenario
            .domains
            .iter()
            .map(|domain| format!("postmaster@{}", name::display(&domain.name)))
            .collect(),
    };
    let receiver = |recipient: &String| match scenario.receiver_of(recipient) {
        Some(named) => scenario::load_receiver(&named).map(|profile| profile.name),
        None => Ok(main.name.clone()),
    };
    recipients.iter().map(receiver).collect()
}

/// The conditions that an `[[expect]]` sets for a session. Only the codes of the reply are compared. Commands after the
/// `stage` of the refusal are ignored.
fn pattern(
    scenario: &Scenario,
    session: &SessionExpectation,
    receiver: String,
    stage: Stage,
) -> Sessions {
    let (code, rest) = session.reply.split_at(3);
    let enhanced = rest.trim_start_matches([' ', '-']).split(' ').next();
    let is_code = |text: &&str| {
        let parts: Vec<_> = text.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u16>().is_ok())
    };
    let own_sender = session.sender != scenario.sender && stage > Stage::Mail;
    Sessions {
        client_address: Some(scenario.translated(session.client).into()),
        helo: (stage > Stage::Connect).then(|| session.helo.clone()),
        receiver: Some(receiver),
        verdict: session.verdict,
        rule: session.rule.clone(),
        stage: session
            .stage
            .as_deref()
            .and_then(|stage| stage.parse().ok()),
        code: code.parse().ok(),
        enhanced: enhanced.filter(is_code).map(str::to_owned),
        sender: own_sender.then(|| session.sender.clone()),
        recipient: session.recipient.clone().filter(|_| stage >= Stage::Rcpt),
        ..Sessions::any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(scenario: &str, receiver: &str) -> Result<Vec<String>, Error> {
        let scenario = scenario::load_scenario(scenario)?;
        let receiver = scenario::load_receiver(receiver)?;
        let expectations = of_scenario(&scenario, &receiver)?;
        Ok(expectations.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_expectations_of_the_receivers_that_are_met() {
        let all = described("exchange2003-branding", "helo-equals-ptr").expect("expectations");
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[1],
            "[[expect]] helo-equals-ptr answers 554 to 203.0.113.11 saying EHLO mail.branded.test, by helo-ptr-match: \
             sessions with client address 203.0.113.11, helo mail.branded.test, receiver helo-equals-ptr, \
             rule helo-ptr-match, code 554, at least once"
        );
        let none = described("exchange2003-branding", "lenient").expect_err("none");
        assert!(
            none.to_string()
                .contains("none in exchange2003-branding for lenient")
        );
    }

    #[test]
    fn nat_and_enhanced_codes() {
        let all = described("exchange2003-nat", "helo-equals-ptr").expect("expectations");
        assert!(all[0].contains("client address 203.0.113.10"), "{}", all[0]);
        let all = described("one-to-one", "helo-equals-ptr").expect("expectations");
        assert!(
            all[2].contains("stage helo, code 554, enhanced 5.7.1"),
            "{}",
            all[2]
        );
    }
}
