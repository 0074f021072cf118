//! What a scenario expects: every scenario is its own test.

use std::fmt;
use std::net::IpAddr;

use crate::dns::Transport;
use crate::name::{self, Name, RecordType};
use crate::verdict::Verdict;

/// One `[[expect]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A session, and how it ends.
    Session(Box<SessionExpectation>),
    /// A DNS question, and its answer.
    Dns(DnsExpectation),
}

/// A session, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionExpectation {
    /// The client address.
    pub client: IpAddr,
    /// The HELO/EHLO argument.
    pub helo: String,
    /// `EHLO` or `HELO`.
    pub verb: &'static str,
    /// The reverse-path.
    pub sender: String,
    /// The forward-path; postmaster of the scenario's first domain where `None`.
    pub recipient: Option<String>,
    /// The message, its lines ended by LF; a small one from the reverse-path where `None`.
    pub message: Option<String>,
    /// The receiver, by name or file.
    pub receiver: String,
    /// How the first line of the deciding reply begins: `554`, `550 5.7.25`.
    pub reply: String,
    /// The rule that refuses.
    pub rule: Option<String>,
    /// The stage of the refusal.
    pub stage: Option<String>,
    /// `accept`, `defer` or `reject`.
    pub verdict: Option<Verdict>,
    /// How many times the session is played; the expectation is about the last one.
    pub sessions: u64,
}

/// A DNS question, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsExpectation {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// How it is asked.
    pub transport: Transport,
    /// The size advertised with EDNS; none where `None`.
    pub edns: Option<u16>,
    /// How many records the answer section has.
    pub answers: Option<usize>,
    /// Whether TC is set.
    pub truncated: Option<bool>,
    /// The RCODE, by its mnemonic.
    pub rcode: Option<String>,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => session.fmt(f),
            Self::Dns(dns) => dns.fmt(f),
        }
    }
}

impl SessionExpectation {
    /// The message to send.
    pub fn octets(&self) -> Vec<u8> {
        match &self.message {
            Some(text) => text.replace('\n', "\r\n").into_bytes(),
            None => plain_message(&self.sender),
        }
    }
}

/// A message that says nothing but whom it is from (RFC 5322 §3.6).
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

impl fmt::Display for SessionExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            receiver,
            client,
            verb,
            helo,
            reply,
            sessions,
            ..
        } = self;
        write!(
            f,
            "{receiver} answers {reply} to {client} saying {verb} {helo}"
        )?;
        if *sessions > 1 {
            write!(f, ", in session {sessions}")?;
        }
        match &self.rule {
            Some(rule) => write!(f, ", by {rule}"),
            None => Ok(()),
        }
    }
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
