//! What is observed about a client: addresses, names, and how they agree. Observes, never judges.
//!
//! Facts are gathered once per stage through one seam ([`Lookup`]), each with its evidence: the question
//! asked, what came back, the time it took. Data, NODATA, NXDOMAIN, SERVFAIL, REFUSED and timeout stay
//! distinct to the end ([`Outcome`]).

mod authentic;
mod conduct;
mod generic;
mod hello;
mod iprev;
mod listing;
pub(crate) mod lookup;
mod memory;
mod sender;
mod spf;

pub use authentic::{AuthResult, Dkim, Dmarc};
pub use conduct::{Conduct, Pregreet};
pub use generic::{GenericMatch, exempt, generic_pattern};
pub use hello::{Hello, HelloKind, Relation, Verb, hostname_mistake};
pub use iprev::{AnyTempfail, Forward, ForwardFamily, ForwardNxdomain, Iprev, IprevResult, IprevSettings, Relaxed};
pub use listing::{Listing, Subject};
pub use lookup::{Lookup, Outcome, Question, Resolver};
pub use memory::{Clock, Greylist, History, Memory, Seen};
pub use sender::SenderDomain;
pub use spf::{DNS_TERMS, Spf, SpfQuery, SpfResult, VOID_LOOKUPS, check_host};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::name::{self, Name};

/// What a receiver wants to know, and how it looks: the union of what its rules need.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wants {
    /// Ask for the PTR names and their addresses.
    pub iprev: bool,
    /// Ask for the addresses of the hello name.
    pub hello_addresses: bool,
    /// Ask for the MX of the hello name too.
    pub hello_mx: bool,
    /// Evaluate SPF for the HELO identity (RFC 7208 §2.3).
    pub spf_hello: bool,
    /// Evaluate SPF for the MAIL FROM identity (RFC 7208 §2.4).
    pub spf_sender: bool,
    /// Ask whether the domain of the reverse-path can be replied to.
    pub sender_domain: bool,
    /// Verify DKIM and DMARC of a message (RFC 6376, RFC 9989).
    pub message: bool,
    /// Remember the client from one session to the next.
    pub history: bool,
    /// Remember which triples of client, reverse-path and forward-path were tried.
    pub greylist: bool,
    /// Hold the greeting back, to see who cannot wait.
    pub pregreet: Option<Pregreet>,
    /// Block lists to ask for the client address (RFC 5782 §2.1).
    pub lists: Vec<Name>,
    /// Block lists to ask for the hello name (RFC 5782 §2.2).
    pub hello_lists: Vec<Name>,
    /// Block lists to ask for the domain of the reverse-path.
    pub sender_lists: Vec<Name>,
    /// The parameters of the iprev procedure.
    pub iprev_settings: IprevSettings,
}

impl Wants {
    /// Whether anything is observed at MAIL.
    pub fn observes_sender(&self) -> bool {
        self.spf_sender || self.sender_domain || !self.sender_lists.is_empty()
    }
}

/// Everything observed about one client so far.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The receiver's host name, which a client should not say of itself.
    #[serde(skip)]
    pub receiver_name: String,
    /// The client address, IPv4-mapped addresses normalised.
    pub client_address: IpAddr,
    /// Reverse lookup and its confirmation; `None` until asked.
    pub iprev: Option<Iprev>,
    /// The HELO/EHLO argument; `None` until given.
    pub hello: Option<Hello>,
    /// How the hello name stands to the PTR names; `None` where one of them is not known or the hello is no name.
    pub relation: Option<Relation>,
    /// SPF of the HELO identity; `None` where nobody asked.
    pub spf_hello: Option<Spf>,
    /// SPF of the MAIL FROM identity; `None` where nobody asked.
    pub spf_sender: Option<Spf>,
    /// What DNS says of the domain of the reverse-path; `None` where nobody asked.
    pub sender_domain: Option<SenderDomain>,
    /// What block lists say of the client address, the hello name and the domain of the reverse-path.
    pub listings: Vec<Listing>,
    /// How the client has behaved in this session.
    pub conduct: Conduct,
    /// What is remembered of the client; `None` where nobody asked.
    pub history: Option<History>,
    /// Since when client and envelope are known; `None` where nobody asked.
    pub greylist: Option<Greylist>,
    /// The message's DKIM signatures; `None` before the final dot, or where nobody asked.
    pub dkim: Option<Vec<Dkim>>,
    /// The message's DMARC; `None` before the final dot, or where nobody asked.
    pub dmarc: Option<Dmarc>,
    /// The reverse-path of MAIL; `None` until given, empty for the null reverse-path.
    pub sender: Option<String>,
    /// The forward-path of the RCPT under judgement.
    pub recipient: Option<String>,
    /// PTR names that were told, and need no lookup.
    #[serde(skip)]
    pub told: Option<Iprev>,
    /// Every DNS question asked for these facts, in order.
    #[serde(skip)]
    pub evidence: Vec<Arc<Question>>,
    /// How much of the evidence is about the client address: a later hello replaces the rest.
    #[serde(skip)]
    client_evidence: usize,
    /// The same for the hello: a later reverse-path replaces what is behind.
    #[serde(skip)]
    hello_evidence: usize,
}

impl Facts {
    /// Facts about a client of which only the address is known.
    pub fn new(client_address: IpAddr) -> Self {
        let client_address = name::normalise(client_address);
        Self {
            client_evidence: 0,
            told: None,
            hello_evidence: 0,
            relation: None,
            spf_hello: None,
            spf_sender: None,
            sender_domain: None,
            listings: Vec::new(),
            conduct: Conduct::default(),
            history: None,
            greylist: None,
            dkim: None,
            dmarc: None,
            receiver_name: String::new(),
            client_address,
            iprev: None,
            hello: None,
            sender: None,
            recipient: None,
            evidence: Vec::new(),
        }
    }

    /// The same, as a receiver of this name sees it.
    pub fn of_receiver(client_address: IpAddr, receiver_name: &str) -> Self {
        Self { receiver_name: receiver_name.to_owned(), ..Self::new(client_address) }
    }

    /// Observes the client address: PTR names and their addresses, block lists. Returns the time the lookups would
    /// have taken, all at once.
    pub fn observe_client(&mut self, wants: &Wants, lookup: &dyn Lookup) -> Duration {
        let mut elapsed = Duration::ZERO;
        if self.told.is_some() {
            self.iprev = self.told.take();
        } else if wants.iprev {
            let (iprev, took) = iprev::observe(self.client_address, &wants.iprev_settings, lookup, &mut self.evidence);
            self.iprev = Some(iprev);
            elapsed = took;
        }
        if !wants.lists.is_empty() {
            let name = listing::reversed(self.client_address);
            elapsed = elapsed.max(self.observe_listings(listing::Subject::Client, &name, &wants.lists, lookup));
        }
        self.client_evidence = self.evidence.len();
        elapsed
    }

    /// Observes a hello, the first or a later one. Returns the time the lookups would have taken, all at once.
    pub fn observe_hello(&mut self, verb: Verb, argument: &str, wants: &Wants, lookup: &dyn Lookup) -> Duration {
        self.evidence.truncate(self.client_evidence);
        self.listings.retain(|l| l.subject == listing::Subject::Client);
        let mut hello = Hello::parse(verb, argument);
        let mut elapsed = hello.observe(wants.hello_addresses, wants.hello_mx, lookup, &mut self.evidence);
        self.spf_hello = wants.spf_hello.then(|| self.spf(argument, "", lookup));
        elapsed = elapsed.max(self.spf_hello.as_ref().map_or(Duration::ZERO, |spf| spf.elapsed));
        if hello.name().is_some() {
            elapsed = elapsed.max(self.observe_listings(listing::Subject::Hello, argument, &wants.hello_lists, lookup));
        }
        self.relation = self.iprev.as_ref().and_then(|iprev| hello.relation(iprev));
        self.hello = Some(hello);
        self.hello_evidence = self.evidence.len();
        elapsed
    }

    /// Observes the reverse-path of a transaction. Returns the time the lookups would have taken, all at once.
    pub fn observe_sender(&mut self, reverse_path: &str, wants: &Wants, lookup: &dyn Lookup) -> Duration {
        self.evidence.truncate(self.hello_evidence.max(self.client_evidence));
        self.listings.retain(|l| l.subject != listing::Subject::Sender);
        self.sender = Some(reverse_path.to_owned());
        if !wants.observes_sender() {
            return Duration::ZERO;
        }
        let hello = self.hello.as_ref().map(|h| h.argument.clone()).unwrap_or_default();
        self.spf_sender = wants.spf_sender.then(|| self.spf(&hello, reverse_path, lookup));
        let mut elapsed = self.spf_sender.as_ref().map_or(Duration::ZERO, |spf| spf.elapsed);
        let domain = reverse_path.rsplit_once('@').map_or("", |(_, domain)| domain);
        if let Some(name) = name::absolute(domain).filter(|_| !domain.is_empty()) {
            if wants.sender_domain {
                let (observed, took) = sender::observe(&name, lookup, &mut self.evidence);
                self.sender_domain = Some(observed);
                elapsed = elapsed.max(took);
            }
            elapsed = elapsed.max(self.observe_listings(listing::Subject::Sender, domain, &wants.sender_lists, lookup));
        }
        elapsed
    }

    /// Observes a message. Returns the time the lookups would have taken, one after the other.
    pub fn observe_message(&mut self, message: &[u8], lookup: &dyn Lookup) -> Duration {
        let sender = self.sender.as_deref().unwrap_or_default();
        let helo = self.hello.as_ref().map_or("", |hello| hello.argument.as_str());
        // A null reverse-path stands for the HELO identity (RFC 7489 §3.1.2, RFC 7208 §2.4).
        let sender_domain = sender.rsplit_once('@').map_or(helo, |(_, domain)| domain);
        let envelope = authentic::Envelope { spf: self.spf_sender.as_ref(), sender_domain };
        let (dkim, dmarc, elapsed) = authentic::observe(message, &envelope, lookup, &mut self.evidence);
        (self.dkim, self.dmarc) = (Some(dkim), Some(dmarc));
        elapsed
    }

    /// Forgets the transaction.
    pub fn forget_sender(&mut self) {
        (self.sender, self.recipient, self.spf_sender, self.sender_domain) = (None, None, None, None);
        (self.greylist, self.dkim, self.dmarc) = (None, None, None);
        self.listings.retain(|l| l.subject != listing::Subject::Sender);
    }

    fn spf(&mut self, helo: &str, sender: &str, lookup: &dyn Lookup) -> Spf {
        let query = SpfQuery { ip: self.client_address, helo, sender, receiver: &self.receiver_name };
        check_host(&query, lookup, &mut self.evidence)
    }

    fn observe_listings(
        &mut self,
        subject: listing::Subject,
        name: &str,
        zones: &[Name],
        lookup: &dyn Lookup,
    ) -> Duration {
        let mut slowest = Duration::ZERO;
        for zone in zones {
            let (listing, took) = listing::observe(subject, name, zone, lookup, &mut self.evidence);
            self.listings.push(listing);
            slowest = slowest.max(took);
        }
        slowest
    }
}
