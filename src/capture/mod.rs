//! Captures the current DNS of a client as a scenario: every lookup of the receivers is sent to a resolver; answers become
//! zones, and failures become faults.
//!
//! This is the only part of the process that queries another resolver. Only the commands `capture` and `check
//! --resolver` use it, and both name the resolver.

mod resolver;
mod write;

pub(crate) use resolver::OutsideResolver;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::check::{Attempt, Judgement, judge_by_lookup};
use crate::facts::Lookup;
use crate::name::{self, Name, RecordType};
use crate::scenario::{ReceiverProfile, plain_message};
use crate::smtp::client::ClientConduct;

/// The parameters of a capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The client address.
    pub client: IpAddr,
    /// The HELO name.
    pub helo: String,
    /// The envelope sender.
    pub sender: String,
    /// DKIM selectors of the sender's domain.
    pub selectors: Vec<String>,
    /// Whether block lists are looked up as well.
    pub lists: bool,
    /// The resolver.
    pub resolver: SocketAddr,
    /// The time limit of each lookup.
    pub timeout: Duration,
}

/// A scenario written from captured DNS.
#[derive(Debug)]
pub struct Captured {
    /// The scenario file.
    pub text: String,
    /// The judgements of the receivers with the captured DNS.
    pub judgements: Vec<Judgement>,
    /// The number of lookups.
    pub questions: usize,
    /// The number of failed lookups: SERVFAIL, REFUSED or no answer.
    pub failures: usize,
}

impl Capture {
    /// Performs the lookups of these receivers and writes the answers as a scenario. It waits for the resolver.
    pub fn run(&self, profiles: &[ReceiverProfile]) -> Captured {
        let resolver = self.resolver(profiles);
        let judgements = self.judge(&resolver, profiles);
        self.ask_more(&resolver);
        let lookups = resolver.lookups();
        Captured {
            text: write::scenario(self, &lookups, &judgements),
            failures: lookups
                .iter()
                .filter(|answered| answered.lookup.outcome.is_temporary())
                .count(),
            questions: lookups.len(),
            judgements,
        }
    }

    /// Judges by receivers with the answers of the resolver.
    pub fn check(&self, profiles: &[ReceiverProfile]) -> Vec<Judgement> {
        self.judge(&self.resolver(profiles), profiles)
    }

    fn judge(&self, resolver: &OutsideResolver, profiles: &[ReceiverProfile]) -> Vec<Judgement> {
        let attempt = Attempt {
            client: self.client,
            helo: self.helo.clone(),
            verb: "EHLO".to_owned(),
            sender: self.sender.clone(),
            recipient: "postmaster@contoso.test".to_owned(),
            message: plain_message(&self.sender),
            // Nothing is known about the recipient: every mailbox of every domain exists.
            recipients: std::sync::Arc::default(),
            conduct: ClientConduct::default(),
            sent: std::sync::Arc::default(),
        };
        let judged =
            |profile: &ReceiverProfile| judge_by_lookup(&profile.receiver, resolver, &attempt);
        profiles.iter().map(judged).collect()
    }

    fn resolver(&self, profiles: &[ReceiverProfile]) -> OutsideResolver {
        let rules = profiles
            .iter()
            .flat_map(|profile| profile.receiver.policy.rules());
        let zones: BTreeSet<Name> = rules
            .flat_map(|rule| rule.needs.all_lists())
            .cloned()
            .collect();
        let passed_over = if self.lists {
            Vec::new()
        } else {
            zones.into_iter().collect()
        };
        OutsideResolver::new(self.resolver, self.timeout, passed_over)
    }

    /// Performs lookups that no receiver needed because an earlier rule refused.
    fn ask_more(&self, resolver: &OutsideResolver) {
        resolver.ask(&name::reverse(self.client), RecordType::PTR);
        let addresses = |name: &Name| {
            for record_type in [RecordType::A, RecordType::AAAA] {
                resolver.ask(name, record_type);
            }
        };
        if let Some(helo) = name::absolute(&self.helo) {
            addresses(&helo);
            for record_type in [RecordType::MX, RecordType::TXT] {
                resolver.ask(&helo, record_type);
            }
        }
        let Some(domain) = self
            .sender
            .rsplit_once('@')
            .and_then(|(_, domain)| name::absolute(domain))
        else {
            return;
        };
        addresses(&domain);
        for record_type in [RecordType::MX, RecordType::TXT, RecordType::SOA] {
            resolver.ask(&domain, record_type);
        }
        let below = |label: String| name::absolute(&format!("{label}.{domain}"));
        let selectors = self
            .selectors
            .iter()
            .map(|selector| format!("{selector}._domainkey"));
        for name in std::iter::once("_dmarc".to_owned())
            .chain(selectors)
            .filter_map(below)
        {
            resolver.ask(&name, RecordType::TXT);
        }
    }
}
