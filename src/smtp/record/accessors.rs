//! What other crates read of a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{SessionRecord, Transaction};
use crate::facts::{Facts, LookupRecord};
use crate::policy::Refusal;
use crate::smtp::AddressSource;
use crate::smtp::record::transcript::TranscriptLine;
use crate::verdict::{ClosedBy, Verdict};

impl SessionRecord {
    /// The number of the session in its world, from 1.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The time at which the connection was accepted.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The time at which the session ended; `None` while it runs.
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// The peer of the socket.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client address that the rules use.
    pub fn client_address(&self) -> IpAddr {
        self.client_address
    }

    /// The source of the client address: the socket, the scenario, XCLIENT or a PROXY header.
    pub fn client_source(&self) -> AddressSource {
        self.client_source
    }

    /// The client address before NAT; `None` without NAT.
    pub fn translated_from(&self) -> Option<IpAddr> {
        self.translated_from
    }

    /// The name of the receiver that judges the session.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// TLS version and cipher suite; empty in clear text.
    pub fn tls(&self) -> &str {
        &self.tls
    }

    /// The clock of the world when the connection was accepted: the time since its start, including advances.
    pub fn clock(&self) -> Duration {
        self.clock
    }

    /// The argument of the last HELO or EHLO; empty before.
    pub fn helo(&self) -> &str {
        &self.helo
    }

    /// The envelope sender of the last transaction; empty before, and for the null sender.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The first 100 recipients in RCPT commands, accepted or not.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// The verdict so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The reply of the first refusal, or else of the last transaction, line by line.
    pub fn reply(&self) -> &[String] {
        &self.reply
    }

    /// The first 100 refusals, with source, rule, stage, reply and remedies.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// The reason why rules were bypassed; empty if none were.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }

    /// The facts about the client.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The DNS lookups of the receiver with their answers.
    pub fn evidence(&self) -> &[Arc<LookupRecord>] {
        &self.evidence
    }

    /// The scripts that took effect.
    pub fn scripted(&self) -> &[String] {
        &self.scripted
    }

    /// The first 1,000 completed transactions.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// The lines of the dialogue that the journal keeps, with time and speaker.
    pub fn transcript_lines(&self) -> impl Iterator<Item = TranscriptLine<'_>> {
        self.transcript.iter()
    }

    /// What ended the session; `None` while it runs.
    pub fn closed_by(&self) -> Option<ClosedBy> {
        self.closed_by
    }

    /// The reason of a lost connection or a failed TLS handshake; empty if the session ended in order.
    pub fn closed_reason(&self) -> &str {
        &self.closed_reason
    }
}
