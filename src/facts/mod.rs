//! What is observed about a client: addresses, names, and how they agree. Observes, never judges.
//!
//! Facts are gathered once per stage through one seam ([`Lookup`]), each with its evidence: the question
//! asked, what came back, the time it took. Data, NODATA, NXDOMAIN, SERVFAIL, REFUSED and timeout stay
//! distinct to the end ([`Outcome`]).

mod generic;
mod hello;
mod iprev;
pub(crate) mod lookup;
mod spf;

pub use generic::{GenericMatch, exempt, generic_pattern};
pub use hello::{Hello, HelloKind, Relation, Verb, hostname_mistake};
pub use iprev::{AnyTempfail, Forward, ForwardFamily, ForwardNxdomain, Iprev, IprevResult, IprevSettings, Relaxed};
pub use lookup::{Lookup, Outcome, Question, Resolver};
pub use spf::{DNS_TERMS, Spf, SpfQuery, SpfResult, VOID_LOOKUPS, check_host};

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::name;

/// What a receiver wants to know, and how it looks: the union of what its rules need.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wants {
    /// Ask for the PTR names and their addresses.
    pub iprev: bool,
    /// Ask for the addresses of the hello name.
    pub hello_addresses: bool,
    /// Ask for the MX of the hello name too.
    pub hello_mx: bool,
    /// The parameters of the iprev procedure.
    pub iprev_settings: IprevSettings,
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
    /// The reverse-path of MAIL; `None` until given, empty for the null reverse-path.
    pub sender: Option<String>,
    /// The forward-path of the RCPT under judgement.
    pub recipient: Option<String>,
    /// Every DNS question asked for these facts, in order.
    #[serde(skip)]
    pub evidence: Vec<Question>,
    /// How much of the evidence is about the client address: a later hello replaces the rest.
    #[serde(skip)]
    client_evidence: usize,
}

impl Facts {
    /// Facts about a client of which only the address is known.
    pub fn new(client_address: IpAddr) -> Self {
        let client_address = name::normalise(client_address);
        Self {
            client_evidence: 0,
            receiver_name: String::new(),
            client_address,
            iprev: None,
            hello: None,
            sender: None,
            recipient: None,
            evidence: Vec::new(),
        }
    }

    /// Observes the client address: PTR names and their addresses. Returns the time the lookups would have taken.
    pub fn observe_client(&mut self, wants: &Wants, lookup: &dyn Lookup) -> Duration {
        if !wants.iprev {
            return Duration::ZERO;
        }
        let (iprev, elapsed) = iprev::observe(self.client_address, &wants.iprev_settings, lookup, &mut self.evidence);
        self.iprev = Some(iprev);
        self.client_evidence = self.evidence.len();
        elapsed
    }

    /// Observes a hello, the first or a later one. Returns the time the lookups would have taken.
    pub fn observe_hello(&mut self, verb: Verb, argument: &str, wants: &Wants, lookup: &dyn Lookup) -> Duration {
        self.evidence.truncate(self.client_evidence);
        let mut hello = Hello::parse(verb, argument);
        let elapsed = hello.observe(wants.hello_addresses, wants.hello_mx, lookup, &mut self.evidence);
        self.hello = Some(hello);
        elapsed
    }

    /// How the hello name stands to the PTR names, where both are known.
    pub fn relation(&self) -> Option<Relation> {
        self.hello.as_ref()?.relation(self.iprev.as_ref()?)
    }
}
