//! The expectations of a scenario.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::Scenario;
use super::shipped::{is_path, stem};
use crate::dns::Transport;
use crate::name::{self, Name, RecordType};
use crate::smtp::client::ClientConduct;
use crate::verdict::Verdict;

/// One `[[expect]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A session and its outcome.
    Session(Box<SessionExpectation>),
    /// A DNS query and its answer.
    Dns(DnsExpectation),
}

/// A session and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionExpectation {
    /// The client address.
    pub client: IpAddr,
    /// The HELO/EHLO argument.
    pub helo: String,
    /// `EHLO` or `HELO`.
    pub verb: &'static str,
    /// The envelope sender.
    pub sender: String,
    /// The recipient; `None` for postmaster at the first domain of the scenario.
    pub recipient: Option<String>,
    /// The message with LF line ends; `None` for a short one from the sender.
    pub message: Option<String>,
    /// The receiver, by name or file.
    pub receiver: String,
    /// The beginning of the first line of the decisive reply: `554`, `550 5.7.25`.
    pub reply: String,
    /// The rule that refuses.
    pub rule: Option<String>,
    /// The stage of the refusal.
    pub stage: Option<String>,
    /// `accept`, `defer` or `reject`.
    pub verdict: Option<Verdict>,
    /// The number of times that the session is played; the expectation is about the last one.
    pub sessions: u64,
    /// The time between the sessions, by the clock of the world.
    pub pause: Duration,
    /// How the client deviates from the usual dialogue.
    pub conduct: ClientConduct,
}

/// A DNS query and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsExpectation {
    /// The name of the query.
    pub name: Name,
    /// The type of the query.
    pub record_type: RecordType,
    /// The transport of the query.
    pub transport: Transport,
    /// The size advertised with EDNS; `None` without EDNS.
    pub edns: Option<u16>,
    /// The number of records in the answer section.
    pub answers: Option<usize>,
    /// Whether TC is set.
    pub truncated: Option<bool>,
    /// The RCODE, by its mnemonic.
    pub rcode: Option<String>,
}

impl Scenario {
    /// One sentence for each expectation, in order. All sentences are different.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |expectation: &Expectation| match expectation {
            Expectation::Session(session) => session.sentence(&self.sender),
            Expectation::Dns(dns) => dns.to_string(),
        };
        let mut sentences: Vec<_> = self.expectations.iter().map(sentence).collect();
        let mut count: HashMap<String, usize> = HashMap::new();
        for sentence in &sentences {
            *count.entry(sentence.clone()).or_default() += 1;
        }
        for (sentence, number) in sentences.iter_mut().zip(1..) {
            if count.get(sentence).is_some_and(|count| *count > 1) {
                let _ = write!(sentence, " (expectation {number})");
            }
        }
        sentences
    }
}

/// The outcome of a session for the comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionOutcome<'a> {
    /// The first line of the decisive reply, as on the wire.
    pub reply: &'a str,
    /// The rule that refused.
    pub rule: Option<&'a str>,
    /// The stage of the refusal; `None` without one.
    pub stage: Option<&'a str>,
    /// The verdict.
    pub verdict: Verdict,
}

impl SessionExpectation {
    /// The message to send.
    pub fn octets(&self) -> Vec<u8> {
        match &self.message {
            Some(text) => text.replace('\n', "\r\n").into_bytes(),
            None => plain_message(&self.sender),
        }
    }

    /// Whether the expectation is about the receiver of this name.
    pub(crate) fn is_by(&self, receiver: &str) -> bool {
        let file = is_path(&self.receiver).then(|| stem(Path::new(&self.receiver)));
        file.as_deref().unwrap_or(&self.receiver) == receiver
    }

    /// The expectation as a sentence; it names the sender unless that is the `usual` one.
    fn sentence(&self, usual: &str) -> String {
        let Self {
            client,
            helo,
            verb,
            sender,
            recipient,
            message,
            receiver,
            reply,
            rule,
            sessions,
            ..
        } = self;
        let mut text = format!("{receiver} answers {reply} to {client} saying {verb} {helo}");
        if sender != usual {
            let _ = write!(text, ", MAIL FROM:<{sender}>");
        }
        if let Some(recipient) = recipient {
            let _ = write!(text, ", RCPT TO:<{recipient}>");
        }
        if message.is_some() {
            text.push_str(", with a message of its own");
        }
        text.push_str(&deviations(&self.conduct));
        if *sessions > 1 {
            let _ = write!(text, ", in session {sessions}");
        }
        if let Some(rule) = rule {
            let _ = write!(text, ", by {rule}");
        }
        text
    }

    /// The differences between the expectation and the outcome of a session; empty if it is met.
    pub(crate) fn mismatches(&self, found: &SessionOutcome<'_>) -> Vec<String> {
        let mut mismatches = Vec::new();
        let mut check = |what: &str, wanted: &str, got: &str, met: bool| {
            if !met {
                mismatches.push(format!("expected {what} {wanted}, found {got}"));
            }
        };
        let first = found.reply;
        let plain = format!(
            "{} {}",
            first.get(..3).unwrap_or_default(),
            first.get(4..).unwrap_or_default()
        );
        let met = first.starts_with(&self.reply) || plain.starts_with(&self.reply);
        check("reply", &self.reply, first, met);
        if let Some(rule) = &self.rule {
            let got = found.rule.unwrap_or("none");
            check("rule", rule, got, got == rule);
        }
        if let Some(stage) = &self.stage {
            let got = found.stage.unwrap_or("none");
            check("stage", stage, got, got == stage);
        }
        if let Some(verdict) = self.verdict {
            let (wanted, got) = (verdict.name(), found.verdict.name());
            check("verdict", wanted, got, wanted == got);
        }
        mismatches
    }
}

/// How a client deviates from the usual dialogue, as a part of a sentence.
fn deviations(conduct: &ClientConduct) -> String {
    let mut text = String::new();
    if !conduct.says.is_empty() {
        let when = if conduct.early {
            " before the greeting"
        } else {
            ""
        };
        let says = conduct.says.join(" / ").replace(['\r', '\n'], " ");
        let _ = write!(text, ", with {says:?}{when}");
    }
    let counts = [
        (conduct.messages, 1, "messages"),
        (conduct.recipients, 1, "recipients"),
        (conduct.open, 0, "other connections"),
    ];
    for (count, usual, what) in counts {
        if count != usual {
            let _ = write!(text, ", with {count} {what}");
        }
    }
    text
}

/// A short message with only the required fields (RFC 5322 §3.6).
pub fn plain_message(from: &str) -> Vec<u8> {
    let from = if from.is_empty() {
        "postmaster@example.test"
    } else {
        from
    };
    format!(
        "From: <{from}>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <judged@martinet.test>\r\n\
         Subject: martinet\r\n\r\nA message to be judged.\r\n"
    )
    .into_bytes()
}

impl fmt::Display for DnsExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} over {}",
            name::display(&self.name),
            self.record_type,
            self.transport.word()
        )?;
        if let Some(size) = self.edns {
            write!(f, " with EDNS {size}")?;
        }
        f.write_str(" gives")?;
        if let Some(rcode) = &self.rcode {
            write!(f, " {rcode}")?;
        }
        if let Some(answers) = self.answers {
            write!(f, " {answers} records")?;
        }
        match self.truncated {
            Some(true) => f.write_str(", truncated"),
            Some(false) => f.write_str(", whole"),
            None => Ok(()),
        }
    }
}
