//! Facts about a client: addresses, names, and how they match. This module observes and never judges.
//!
//! Facts are gathered once per stage through one interface ([`Lookup`]), each with its evidence: the query, the answer and the
//! time. Data, NODATA, NXDOMAIN, SERVFAIL, REFUSED and timeout stay distinct to the end ([`Outcome`]).

mod address_list;
mod authentic;
mod cache;
mod conduct;
mod generic;
mod header;
mod helo;
mod hostname;
mod iprev;
mod listing;
pub(crate) mod lookup;
mod memory;
mod message_id;
mod resolver;
mod sender;
mod sender_counts;
mod spf;

pub use crate::lookup::{LookupRecord, Outcome};
pub(crate) use authentic::{AuthResult, Dkim, Dmarc};
pub use cache::CachedLookups;
pub(crate) use cache::LookupCache;
pub(crate) use conduct::Pregreet;
pub use conduct::{BareLineEnd, Conduct};
pub use generic::exempt;
pub(crate) use generic::{GenericMatch, Keywords, generic_pattern};
pub use header::{Header, HeaderFault};
pub(crate) use header::{SINGLE_FIELDS, without_fault};
pub use helo::{Helo, Relation, Verb};
pub(crate) use helo::{HeloKind, HeloObservations, address_literal};
pub(crate) use hostname::hostname_mistake;
pub(crate) use iprev::{
    AnyTempfail, Forward, ForwardFamily, ForwardNxdomain, IprevSettings, PtrNames,
};
pub use iprev::{Iprev, IprevResult, Relaxed};
pub(crate) use listing::Listing;
pub use listing::Subject;
pub use lookup::Lookup;
pub use memory::Memory;
pub(crate) use memory::{Clock, Greylist, History, MOST_ADVANCED, Seen};
pub use resolver::{ReceiverLookup, Resolver, ResolverSnapshot};
pub(crate) use sender::{SenderDomain, SenderObservations};
pub use sender_counts::{CountBy, SentBefore};
pub(crate) use sender_counts::{
    CountKey, EarlierRefusals, MOST_COUNTED, RefusalWindow, Volume, VolumeWindow,
};
pub(crate) use spf::{DNS_TERMS, REDIRECT, VOID_LOOKUPS};
pub use spf::{Spf, SpfQuery, SpfResult, SpfStep, check_host};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::name::{self, Name};
use cache::{ClientSeen, HeloSeen};

/// A set of observations: those that a check needs, or all that the rules of a receiver need.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Observations {
    /// Look up the PTR names and their addresses.
    pub(crate) iprev: bool,
    /// Look up the HELO name.
    pub(crate) helo: HeloObservations,
    /// Evaluate SPF for the HELO identity (RFC 7208 §2.3).
    pub(crate) spf_helo: bool,
    /// Evaluate SPF for the MAIL FROM identity (RFC 7208 §2.4).
    pub(crate) spf_sender: bool,
    /// Look up the domain of the envelope sender.
    pub(crate) sender: SenderObservations,
    /// Verify DKIM and DMARC of a message (RFC 6376, RFC 9989).
    pub(crate) message: bool,
    /// Read the header of a message (RFC 5322 §3.6).
    pub(crate) header: bool,
    /// Look up the domain of the From header field.
    pub(crate) from_domain: bool,
    /// Remember the client from one session to the next.
    pub(crate) history: bool,
    /// Remember triples of client, sender and recipient.
    pub(crate) greylist: bool,
    /// Count messages of a sender.
    pub(crate) volumes: Vec<VolumeWindow>,
    /// Count refusals of a sender by a rule.
    pub(crate) refusals: Vec<RefusalWindow>,
    /// Delay the greeting, to detect clients that do not wait.
    pub(crate) pregreet: Option<Pregreet>,
    /// Block lists for the client address (RFC 5782 §2.1).
    pub(crate) lists: Vec<Name>,
    /// Block lists for the HELO name (RFC 5782 §2.2).
    pub(crate) helo_lists: Vec<Name>,
    /// Block lists for the domain of the envelope sender.
    pub(crate) sender_lists: Vec<Name>,
    /// The parameters of the iprev procedure.
    pub(crate) iprev_settings: IprevSettings,
}

impl Observations {
    /// Adds the observations of another set. The parameters of the iprev procedure are those of the receiver, and do
    /// not change.
    pub fn add(&mut self, other: &Self) {
        self.iprev |= other.iprev;
        self.helo.add(other.helo);
        self.spf_helo |= other.spf_helo;
        self.spf_sender |= other.spf_sender;
        self.sender.add(other.sender);
        self.message |= other.message;
        self.header |= other.header;
        self.from_domain |= other.from_domain;
        self.history |= other.history;
        self.greylist |= other.greylist;
        add_new(&mut self.volumes, &other.volumes);
        add_new(&mut self.refusals, &other.refusals);
        self.pregreet = self.pregreet.or(other.pregreet);
        add_new(&mut self.lists, &other.lists);
        add_new(&mut self.helo_lists, &other.helo_lists);
        add_new(&mut self.sender_lists, &other.sender_lists);
    }

    /// All block lists.
    pub(crate) fn all_lists(&self) -> impl Iterator<Item = &Name> {
        let names = self.helo_lists.iter().chain(&self.sender_lists);
        self.lists.iter().chain(names)
    }

    /// Whether anything is observed of a message.
    pub(crate) fn observes_message(&self) -> bool {
        self.message || self.header || self.from_domain
    }

    /// Whether anything is observed at MAIL.
    pub(crate) fn observes_sender(&self) -> bool {
        self.spf_sender || self.sender.any() || !self.sender_lists.is_empty()
    }
}

/// Adds the items that a list does not have.
fn add_new<T: Clone + PartialEq>(list: &mut Vec<T>, items: &[T]) {
    for item in items {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// The facts about one client so far.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The host name of the receiver, which a client must not use as its HELO name.
    #[serde(skip)]
    pub(crate) receiver_name: String,
    /// The client address; IPv4-mapped addresses as IPv4.
    pub(crate) client_address: IpAddr,
    /// Reverse lookup and its confirmation; `None` before.
    pub(crate) iprev: Option<Arc<Iprev>>,
    /// The HELO argument; `None` before HELO.
    pub(crate) helo: Option<Arc<Helo>>,
    /// The relation of the HELO name to the PTR names; `None` if one of them is not known or the HELO is not a name.
    pub(crate) relation: Option<Relation>,
    /// SPF of the HELO identity; `None` if no rule needs it.
    pub(crate) spf_helo: Option<Arc<Spf>>,
    /// SPF of the MAIL FROM identity; `None` if no rule needs it.
    pub(crate) spf_sender: Option<Spf>,
    /// The lookups about the domain of the sender; `None` if no rule needs them.
    pub(crate) sender_domain: Option<SenderDomain>,
    /// The DNSBL results for the client address, the HELO name and the domain of the sender.
    pub(crate) listings: Vec<Listing>,
    /// The conduct of the client in this session.
    pub(crate) conduct: Conduct,
    /// The memory of the client; `None` if no rule needs it.
    pub(crate) history: Option<History>,
    /// The greylisting state; `None` if no rule needs it.
    pub(crate) greylist: Option<Greylist>,
    /// The header of the message; `None` before the final dot, or if no rule needs it.
    pub(crate) header: Option<Header>,
    /// The lookups about the domain of the From header field; `None` without one, or if no rule needs them.
    pub(crate) from_domain: Option<SenderDomain>,
    /// The number of messages of the sender, for each window that a rule needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volumes: Vec<Volume>,
    /// The number of earlier refusals of the sender, for each rule that escalates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier_refusals: Vec<EarlierRefusals>,
    /// The DKIM signatures of the message; `None` before the final dot, or if no rule needs them.
    pub(crate) dkim: Option<Vec<Dkim>>,
    /// DMARC of the message; `None` before the final dot, or if no rule needs it.
    pub(crate) dmarc: Option<Dmarc>,
    /// The envelope sender; `None` before MAIL, empty for the null sender.
    pub(crate) sender: Option<String>,
    /// The current recipient.
    pub(crate) recipient: Option<String>,
    /// PTR names given by XCLIENT, which need no lookup.
    #[serde(skip)]
    pub(crate) xclient_iprev: Option<Iprev>,
    /// All DNS lookups for these facts, in order.
    #[serde(skip)]
    pub(crate) evidence: Vec<Arc<LookupRecord>>,
    /// Number of lookups about the client address; a later HELO replaces the others.
    #[serde(skip)]
    client_evidence: usize,
    /// The same up to the HELO; a later sender replaces the others.
    #[serde(skip)]
    helo_evidence: usize,
}

impl Facts {
    /// Makes facts with the client address only.
    pub fn new(client_address: IpAddr) -> Self {
        let client_address = name::normalise(client_address);
        Self {
            client_evidence: 0,
            xclient_iprev: None,
            helo_evidence: 0,
            relation: None,
            spf_helo: None,
            spf_sender: None,
            sender_domain: None,
            listings: Vec::new(),
            conduct: Conduct::default(),
            history: None,
            greylist: None,
            volumes: Vec::new(),
            earlier_refusals: Vec::new(),
            header: None,
            from_domain: None,
            dkim: None,
            dmarc: None,
            receiver_name: String::new(),
            client_address,
            iprev: None,
            helo: None,
            sender: None,
            recipient: None,
            evidence: Vec::new(),
        }
    }

    /// The client address; an IPv4-mapped address as IPv4.
    pub fn client_address(&self) -> IpAddr {
        self.client_address
    }

    /// The reverse lookup and its confirmation; `None` if no rule needs them.
    pub fn iprev(&self) -> Option<&Iprev> {
        self.iprev.as_deref()
    }

    /// The HELO argument and what was observed of it; `None` before HELO.
    pub fn helo(&self) -> Option<&Helo> {
        self.helo.as_deref()
    }

    /// The conduct of the client in this session.
    pub fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    /// The same for a receiver with this name.
    pub(crate) fn of_receiver(client_address: IpAddr, receiver_name: &str) -> Self {
        Self {
            receiver_name: receiver_name.to_owned(),
            ..Self::new(client_address)
        }
    }

    /// Observes the client address: PTR names with their addresses, block lists. Returns the time of the concurrent lookups.
    pub(crate) fn observe_client(
        &mut self,
        needs: &Observations,
        lookup: &dyn ReceiverLookup,
    ) -> Duration {
        let address = self.client_address;
        let cached_lookups = lookup
            .cached_lookups()
            .filter(|_| self.xclient_iprev.is_none());
        let seen = cached_lookups
            .and_then(|cached_lookups| cached_lookups.client(address))
            .unwrap_or_else(|| {
                let seen = Arc::new(ClientSeen::look(
                    address,
                    self.xclient_iprev.take(),
                    needs,
                    lookup,
                ));
                cached_lookups.inspect(|cached_lookups| cached_lookups.keep_client(address, &seen));
                seen
            });
        self.iprev.clone_from(&seen.iprev);
        self.listings.extend_from_slice(&seen.listings);
        self.evidence.extend_from_slice(&seen.evidence);
        self.client_evidence = self.evidence.len();
        seen.elapsed
    }

    /// Observes a HELO, the first or a later one. Returns the time of the concurrent lookups.
    pub(crate) fn observe_helo(
        &mut self,
        verb: Verb,
        argument: &str,
        needs: &Observations,
        lookup: &dyn ReceiverLookup,
    ) -> Duration {
        self.evidence.truncate(self.client_evidence);
        self.listings
            .retain(|l| l.subject == listing::Subject::Client);
        let (address, iprev, cached_lookups) = (
            self.client_address,
            self.iprev.as_ref(),
            lookup.cached_lookups(),
        );
        let known = cached_lookups
            .and_then(|cached_lookups| cached_lookups.helo(address, iprev, verb, argument));
        let seen = known.unwrap_or_else(|| {
            let seen = Arc::new(HeloSeen::look(self, verb, argument, needs, lookup));
            cached_lookups
                .inspect(|cached_lookups| cached_lookups.keep_helo(address, iprev, &seen));
            seen
        });
        self.helo = Some(Arc::clone(&seen.helo));
        self.relation = seen.relation;
        self.spf_helo.clone_from(&seen.spf);
        self.listings.extend_from_slice(&seen.listings);
        self.evidence.extend_from_slice(&seen.evidence);
        self.helo_evidence = self.evidence.len();
        seen.elapsed
    }

    /// Observes the sender of a transaction. Returns the time of the concurrent lookups.
    pub(crate) fn observe_sender(
        &mut self,
        sender: &str,
        needs: &Observations,
        lookup: &dyn Lookup,
    ) -> Duration {
        self.evidence
            .truncate(self.helo_evidence.max(self.client_evidence));
        self.listings
            .retain(|l| l.subject != listing::Subject::Sender);
        self.sender = Some(sender.to_owned());
        if !needs.observes_sender() {
            return Duration::ZERO;
        }
        let helo = self.helo.clone();
        let helo = helo.as_ref().map_or("", |helo| helo.argument.as_str());
        let mut evidence = std::mem::take(&mut self.evidence);
        self.spf_sender = needs
            .spf_sender
            .then(|| self.spf(helo, sender, lookup, &mut evidence));
        let mut elapsed = self
            .spf_sender
            .as_ref()
            .map_or(Duration::ZERO, |spf| spf.elapsed);
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        if let Some(name) = name::absolute(domain).filter(|_| !domain.is_empty()) {
            if needs.sender.any() {
                let (observed, took) = sender::observe(&name, needs.sender, lookup, &mut evidence);
                self.sender_domain = Some(observed);
                elapsed = elapsed.max(took);
            }
            let subject = listing::Subject::Sender;
            let (listings, took) =
                listing::observe_all(subject, domain, &needs.sender_lists, lookup, &mut evidence);
            self.listings.extend(listings);
            elapsed = elapsed.max(took);
        }
        self.evidence = evidence;
        elapsed
    }

    /// Observes a message. Returns the time of the lookups, one after the other.
    pub(crate) fn observe_message(
        &mut self,
        message: &[u8],
        needs: &Observations,
        lookup: &dyn Lookup,
    ) -> Duration {
        let mut elapsed = Duration::ZERO;
        if needs.header || needs.from_domain {
            self.header = Some(Header::read(message));
        }
        if needs.from_domain {
            let domain = self.header.as_ref().and_then(|h| h.from_domain.clone());
            self.from_domain = domain.map(|domain| {
                let needs = SenderObservations::DOMAIN;
                let (observed, took) = sender::observe(&domain, needs, lookup, &mut self.evidence);
                elapsed += took;
                observed
            });
        }
        if needs.message {
            elapsed += self.authenticate(message, lookup);
        }
        elapsed
    }

    /// Discards the facts of the transaction.
    pub(crate) fn forget_sender(&mut self) {
        (
            self.sender,
            self.recipient,
            self.spf_sender,
            self.sender_domain,
        ) = (None, None, None, None);
        (self.greylist, self.dkim, self.dmarc) = (None, None, None);
        (self.header, self.from_domain) = (None, None);
        self.listings
            .retain(|l| l.subject != listing::Subject::Sender);
    }

    fn spf(
        &self,
        helo: &str,
        sender: &str,
        lookup: &dyn Lookup,
        evidence: &mut Vec<Arc<LookupRecord>>,
    ) -> Spf {
        let query = SpfQuery {
            ip: self.client_address,
            helo,
            sender,
            receiver: &self.receiver_name,
        };
        check_host(&query, lookup, evidence)
    }
}

impl ClientSeen {
    /// Looks a client up; names given by XCLIENT are not looked up.
    fn look(
        address: IpAddr,
        xclient_iprev: Option<Iprev>,
        needs: &Observations,
        lookup: &dyn Lookup,
    ) -> Self {
        let (mut evidence, mut elapsed) = (Vec::new(), Duration::ZERO);
        let iprev = xclient_iprev.or_else(|| {
            let settings = needs.iprev.then_some(&needs.iprev_settings)?;
            let (iprev, took) = iprev::observe(address, settings, lookup, &mut evidence);
            elapsed = took;
            Some(iprev)
        });
        let (mut listings, mut listed) = (Vec::new(), Duration::ZERO);
        if !needs.lists.is_empty() {
            let (subject, name) = (listing::Subject::Client, listing::reversed(address));
            (listings, listed) =
                listing::observe_all(subject, &name, &needs.lists, lookup, &mut evidence);
        }
        Self {
            iprev: iprev.map(Arc::new),
            listings,
            evidence,
            elapsed: elapsed.max(listed),
        }
    }
}

impl HeloSeen {
    /// Looks a HELO name up.
    fn look(
        facts: &Facts,
        verb: Verb,
        argument: &str,
        needs: &Observations,
        lookup: &dyn Lookup,
    ) -> Self {
        let mut evidence = Vec::new();
        let mut helo = Helo::parse(verb, argument);
        let mut elapsed = helo.observe(needs, lookup, &mut evidence);
        let spf = needs
            .spf_helo
            .then(|| facts.spf(argument, "", lookup, &mut evidence));
        elapsed = elapsed.max(spf.as_ref().map_or(Duration::ZERO, |spf| spf.elapsed));
        let (mut listings, mut listed) = (Vec::new(), Duration::ZERO);
        if helo.name().is_some() {
            let subject = listing::Subject::Helo;
            (listings, listed) =
                listing::observe_all(subject, argument, &needs.helo_lists, lookup, &mut evidence);
        }
        let relation = facts.iprev.as_ref().and_then(|iprev| helo.relation(iprev));
        let (helo, spf, elapsed) = (Arc::new(helo), spf.map(Arc::new), elapsed.max(listed));
        Self {
            helo,
            relation,
            spf,
            listings,
            evidence,
            elapsed,
        }
    }
}
