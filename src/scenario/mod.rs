//! Scenarios (the sending side and its DNS) and receivers (rules and replies), read from TOML files.
//!
//! Reading compiles: the results are zones, policies and settings that need no further validation. Only the named files
//! are opened.

mod behaviour;
mod builtin;
mod compile;
mod conduct;
mod domain;
mod exchange;
mod expect;
#[cfg(test)]
mod features;
mod keys;
mod kind;
mod lint;
mod listener;
#[cfg(test)]
mod mistakes;
mod named;
mod parse;
mod pool;
mod protocol;
mod reader;
mod receiver;
mod reference;
mod report;
mod sent;
mod shipped;
mod source;
mod values;
mod warnings;
mod words;

pub(crate) use crate::time::duration;
pub(crate) use builtin::load_scenarios;
pub use builtin::{
    list_receivers, list_scenarios, load_receiver, load_scenario, parse_receiver, parse_scenario,
};
pub use domain::Domain;
pub(crate) use domain::MailServers;
pub(crate) use exchange::ExchangeKind;
pub use exchange::{Exchange, Place, Placement};
pub(crate) use expect::SessionOutcome;
pub use expect::{DnsExpectation, Expectation, SessionExpectation, plain_message};
pub(crate) use lint::lint_text;
pub use lint::{Linted, lint};
pub use listener::Listener;
pub(crate) use pool::Pool;
pub use pool::addresses;
pub use receiver::ReceiverProfile;
pub use reference::reference;
pub(crate) use reference::{KeyReference, key_reference};
pub(crate) use source::zone_text;

use std::net::IpAddr;
use std::sync::Arc;

use crate::dns::{Fault, Settings, Zone};
use crate::facts::SentBefore;
use crate::name;
use crate::smtp::{ClientSource, Mailboxes, Nat, Recipients};

/// The sending side and its DNS.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name: the file name without directory and extension.
    pub name: String,
    /// The title, in one line.
    pub(crate) title: String,
    /// The sources that describe it.
    pub sources: Vec<String>,
    /// The default receiver.
    pub receiver: String,
    /// The recipient domains, whose mail goes to the receiver or to one of their own.
    pub domains: Vec<Domain>,
    /// The mailboxes of all recipient domains; `None` if every mailbox exists.
    pub(crate) known_recipients: Option<Vec<Mailboxes>>,
    /// The default envelope sender.
    pub sender: String,
    /// The zones in the file.
    pub(crate) zones: Vec<Zone>,
    /// The settings of the DNS server.
    pub dns: Settings,
    /// Pools of sending hosts.
    pub(crate) pools: Vec<Pool>,
    /// The source of client addresses.
    pub(crate) client: ClientSource,
    /// Address translations of clients.
    pub(crate) nat: Vec<Nat>,
    /// Additional SMTP listeners.
    pub(crate) listeners: Vec<Listener>,
    /// The DNS faults.
    pub faults: Vec<Fault>,
    /// What senders had sent before.
    pub sent: Vec<SentBefore>,
    /// The expectations.
    pub expectations: Vec<Expectation>,
    /// The TOML text that it was read from.
    pub text: Arc<str>,
}

/// A client of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioClient {
    /// The address, after translation.
    pub address: IpAddr,
    /// The argument of HELO or EHLO.
    pub helo: String,
}

impl Scenario {
    /// All clients, each once: the hosts of the pools, then those that only expectations have.
    pub fn clients(&self) -> Vec<ScenarioClient> {
        let hosts = self.pools.iter().flat_map(|pool| {
            let helo = |(position, address)| (address, pool.helo.fill(position, address));
            pool.hosts().map(helo)
        });
        let expected = self
            .expectations
            .iter()
            .filter_map(|expectation| match expectation {
                Expectation::Session(session) => Some((session.client, session.helo.clone())),
                Expectation::Dns(_) => None,
            });
        let mut seen = std::collections::HashSet::new();
        let mut clients = Vec::new();
        for (address, helo) in hosts.chain(expected) {
            let address = self.translated(address);
            if seen.insert((address, helo.to_ascii_lowercase())) {
                clients.push(ScenarioClient { address, helo });
            }
        }
        clients
    }

    /// An address as the receiver sees it.
    pub fn translated(&self, address: IpAddr) -> IpAddr {
        let nat = self
            .nat
            .iter()
            .find(|nat| nat.from.iter().any(|net| net.contains(&address)));
        nat.map_or(address, |nat| nat.to)
    }

    /// The mailboxes of the recipient domains.
    pub fn recipients(&self) -> Recipients {
        let own = |domain: &Domain| {
            let name = name::display(&domain.name).to_string().to_lowercase();
            (name, domain.recipients.clone())
        };
        let domains = self.domains.iter().map(own).collect();
        Recipients::new(self.known_recipients.clone(), domains)
    }

    /// The source of client addresses.
    pub fn client_source(&self) -> ClientSource {
        self.client.clone()
    }

    /// The default recipient.
    pub fn recipient(&self) -> String {
        match self.domains.first() {
            Some(domain) => format!("postmaster@{}", name::display(&domain.name)),
            None => "postmaster@contoso.test".to_owned(),
        }
    }
}
