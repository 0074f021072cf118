//! Verification of remedies: each one is applied to a copy of the zones, or to the session, and the same receiver
//! judges again. A remedy that does not help is not shown.

mod memory;
mod owned;

use std::net::IpAddr;
use std::sync::Arc;

use memory::remember;
use owned::{can_be_owned, is_public, is_reverse};

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA, MX, PTR, TXT};

use crate::dns::Amendment;
use crate::facts::{Facts, Header, Lookup, ReceiverLookup, ResolverSnapshot, Verb, without_fault};
use crate::name::{self, Name, RecordType};
use crate::policy::{Behaviour, Change, Remedy};
use crate::smtp::Receiver;
use crate::stage::Stage;

/// Maximum number of names examined in the zones to find names of a client.
const NAMES_LOOKED_AT: usize = 20_000;
/// Maximum number of candidate names of a client.
const CANDIDATES: usize = 8;
/// Maximum number of CNAMEs followed to the place where a record is allowed (RFC 2317 §4).
const LINKS: usize = 8;

/// A refusal with everything that is needed to judge again.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) receiver: Arc<Receiver>,
    /// The index of the rule that refused.
    pub(crate) nth: usize,
    pub(crate) stage: Stage,
    pub(crate) facts: Box<Facts>,
    /// The zones at the time of the refusal; `None` if only the session can change.
    pub(crate) world: Option<ResolverSnapshot>,
    /// The refused message.
    pub(crate) message: Option<Vec<u8>>,
}

impl Case {
    /// The remedies that help, as concrete changes, without unnecessary ones. Asking the receiver for an exception
    /// always helps.
    pub(crate) fn verify(&self, proposals: Vec<Remedy>) -> Vec<Remedy> {
        let ask_receiver = Change::AskReceiver(self.facts.client_address);
        let mut verified: Vec<Remedy> = Vec::new();
        for proposal in proposals
            .iter()
            .filter(|p| p.all_of != [ask_receiver.clone()])
        {
            let remedy = self.first_remedy(proposal);
            verified.extend(remedy.filter(|remedy| !verified.contains(remedy)));
        }
        if verified.is_empty() {
            verified.extend(self.last_resort());
        }
        verified.push(ask_receiver.into());
        verified
    }

    /// The first concrete form of a proposed change that helps.
    fn first_remedy(&self, proposal: &Remedy) -> Option<Remedy> {
        let mut alternatives: Vec<Vec<Change>> = vec![Vec::new()];
        for change in &proposal.all_of {
            let definite = self.definite(change);
            alternatives = alternatives
                .iter()
                .flat_map(|changes| {
                    definite
                        .iter()
                        .map(move |more| [&changes[..], more].concat())
                })
                .take(CANDIDATES * CANDIDATES)
                .collect();
        }
        alternatives
            .into_iter()
            .find_map(|changes| self.remedy_of(changes))
    }

    /// A new name for the client, with its PTR record, address record and HELO name.
    fn last_resort(&self) -> Option<Remedy> {
        let names = self.world.as_ref()?;
        let alternatives = self.names(names).into_iter().map(|name| self.named(&name));
        alternatives
            .into_iter()
            .find_map(|changes| self.remedy_of(changes))
    }

    /// The changes that help, without the unnecessary ones.
    fn remedy_of(&self, mut changes: Vec<Change>) -> Option<Remedy> {
        changes.retain(|change| self.may(change));
        if changes.is_empty() || !self.helps(&changes) {
            return None;
        }
        let mut place = changes.len();
        while place > 0 && changes.len() > 1 {
            place -= 1;
            let mut fewer = changes.clone();
            fewer.remove(place);
            if self.helps(&fewer) {
                changes = fewer;
            }
        }
        Some(Remedy { all_of: changes })
    }

    fn helps(&self, changes: &[Change]) -> bool {
        let policy = &self.receiver.policy;
        self.facts_after(changes)
            .is_some_and(|after| policy.helps(self.nth, self.stage, &self.facts, &after))
    }

    /// The facts as the receiver would observe them; `None` if a change is impossible.
    fn facts_after(&self, changes: &[Change]) -> Option<Facts> {
        let mut facts = (*self.facts).clone();
        if !changes.iter().all(Change::changes_no_lookup) {
            let amendments: Vec<_> = changes.iter().flat_map(amendments).collect();
            let world = self.world.as_ref()?.amended(&amendments)?;
            facts = self.observed(changes, &world.resolver());
        }
        let mut message = self.message.clone();
        for change in changes {
            match (change, &mut message) {
                (Change::Behave(Behaviour::MendHeader(fault)), Some(message)) => {
                    *message = without_fault(message, fault);
                    facts.header = Some(Header::read(message));
                }
                (Change::Behave(behaviour), _) => behaviour.apply(&mut facts),
                _ => {}
            }
        }
        Some(facts)
    }

    /// Observes the client again, in the order of a session.
    fn observed(&self, changes: &[Change], lookup: &dyn ReceiverLookup) -> Facts {
        let (before, wants) = (&*self.facts, self.receiver.policy.needs());
        let address = changes.iter().find_map(|change| match change {
            Change::SendFrom(address) => Some(*address),
            _ => None,
        });
        let helo = changes.iter().find_map(|change| match change {
            Change::SayHelo(Some(helo)) => Some((Verb::Ehlo, helo.as_str())),
            _ => None,
        });
        let previous = before.helo.as_ref();
        let helo = match (helo, previous) {
            (Some((_, helo)), Some(previous)) => Some((previous.verb, helo)),
            (helo, previous) => helo.or(previous.map(|helo| (helo.verb, helo.argument.as_str()))),
        };
        let address = address.unwrap_or(before.client_address);
        let mut facts = Facts::of_receiver(address, &before.receiver_name);
        facts.conduct.clone_from(&before.conduct);
        facts.conduct.helo_refused &= !changes.iter().any(|c| matches!(c, Change::SayHelo(_)));
        facts.observe_client(wants, lookup);
        if let Some((verb, argument)) = helo {
            facts.observe_helo(verb, argument, wants, lookup);
        }
        if let Some(sender) = &before.sender {
            facts.observe_sender(sender, wants, lookup);
        }
        facts.recipient.clone_from(&before.recipient);
        facts.greylist = before.greylist;
        facts.volumes.clone_from(&before.volumes);
        facts.earlier_refusals.clone_from(&before.earlier_refusals);
        match &self.message {
            Some(message) => _ = facts.observe_message(message, wants, lookup),
            None => {
                (facts.dkim, facts.dmarc) = (before.dkim.clone(), before.dmarc.clone());
                facts.header.clone_from(&before.header);
                facts.from_domain.clone_from(&before.from_domain);
            }
        }
        remember(before, &mut facts);
        facts
    }

    /// Whether a change may be proposed: records and client names must be in the zones of the scenario.
    fn may(&self, change: &Change) -> bool {
        let holds = |name: &Name| {
            let zones = self.world.as_ref().map(ResolverSnapshot::zones);
            can_be_owned(name) && zones.is_some_and(|zones| zones.holds(name))
        };
        match change {
            Change::AddRecord { name, data } | Change::ReplaceRecord { name, data, .. } => {
                let target = match data {
                    RData::PTR(target) => Some(&target.0),
                    RData::MX(mx) => Some(&mx.exchange),
                    _ => None,
                };
                holds(name) && target.is_none_or(holds)
            }
            Change::SendFrom(address) => {
                *address != self.facts.client_address && is_public(*address)
            }
            Change::SayHelo(Some(helo)) => {
                let previous = self.facts.helo.as_ref();
                !previous.is_some_and(|previous| previous.argument.eq_ignore_ascii_case(helo))
            }
            _ => true,
        }
    }

    /// The concrete forms of a proposed change, each as a list of changes.
    fn definite(&self, change: &Change) -> Vec<Vec<Change>> {
        let Some(world) = &self.world else {
            return vec![vec![change.clone()]];
        };
        match change {
            Change::PointPtr { target, .. } => {
                let named = target.iter().cloned();
                let names = named.chain(self.names(world)).take(CANDIDATES);
                names
                    .flat_map(|name| {
                        let changes = self.named(&name);
                        let with_only_ptr = self.named_alone(&name);
                        [changes, with_only_ptr]
                    })
                    .collect()
            }
            Change::PointName { name, address } => {
                vec![vec![add(world, name, address_data(*address))]]
            }
            Change::AddMx(domain) => self
                .names(world)
                .into_iter()
                .map(|name| {
                    vec![replace(world, domain, RData::MX(MX::new(10, name)), |_| {
                        true
                    })]
                })
                .collect(),
            Change::AuthorizeSpf { domain, address } => authorizations(world, domain, *address),
            Change::MendDns(name) => {
                let failed = self.facts.evidence.iter();
                let failed = failed.filter(|question| question.outcome.is_temporary());
                let mut all: Vec<_> = failed.map(|q| Change::MendDns(q.name.clone())).collect();
                all.dedup();
                vec![vec![Change::MendDns(name.clone())], all]
            }
            Change::SayHelo(None) => {
                let names = self
                    .names(world)
                    .iter()
                    .map(name::display)
                    .collect::<Vec<_>>();
                let literal = literal(self.facts.client_address);
                let claims = names.into_iter().chain([literal]);
                claims
                    .map(|helo| vec![Change::SayHelo(Some(helo))])
                    .collect()
            }
            change => vec![vec![change.clone()]],
        }
    }

    /// All changes that give the client a name: the PTR record, the address record, and the HELO name.
    fn named(&self, name: &Name) -> Vec<Change> {
        let Some(world) = &self.world else {
            return Vec::new();
        };
        let address = self.facts.client_address;
        vec![
            add(
                world,
                &name::reverse(address),
                RData::PTR(PTR(name.clone())),
            ),
            add(world, name, address_data(address)),
            Change::SayHelo(Some(name::display(name))),
        ]
    }

    /// The same changes, with the name as the only PTR name.
    fn named_alone(&self, name: &Name) -> Vec<Change> {
        let mut changes = self.named(name);
        if let (Some(world), Some(first)) = (&self.world, changes.first_mut()) {
            let reverse = name::reverse(self.facts.client_address);
            *first = replace(world, &reverse, RData::PTR(PTR(name.clone())), |_| true);
        }
        changes
    }

    /// Names that the client has or could have, best first.
    fn names(&self, world: &ResolverSnapshot) -> Vec<Name> {
        let iprev = self.facts.iprev.as_ref();
        let verified = iprev.and_then(|iprev| iprev.verified_name.clone());
        let helo = self
            .facts
            .helo
            .as_ref()
            .and_then(|helo| helo.name().cloned());
        let ptr = iprev
            .into_iter()
            .flat_map(|iprev| iprev.host_names().cloned());
        let zones = world
            .zones()
            .names_of(self.facts.client_address, NAMES_LOOKED_AT);
        let all = verified.into_iter().chain(helo).chain(ptr).chain(zones);
        let mut names: Vec<Name> = Vec::new();
        for name in all
            .filter(|name| can_be_owned(name) && !name.is_wildcard())
            .take(CANDIDATES)
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.extend(self.new_name(world));
        names
    }

    /// A new name in a zone of the scenario: that of the HELO name or of the sender, otherwise the largest zone.
    fn new_name(&self, world: &ResolverSnapshot) -> Option<Name> {
        let helo = self
            .facts
            .helo
            .as_ref()
            .and_then(|helo| helo.name().cloned());
        let sender = self.facts.sender.as_ref();
        let sender = sender.and_then(|sender| name::absolute(sender.rsplit_once('@')?.1));
        let mut origins: Vec<_> = world
            .zones()
            .zones()
            .map(|zone| (zone.records(), zone.origin()))
            .filter(|(_, origin)| can_be_owned(origin) && !is_reverse(origin))
            .collect();
        origins.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        let within = |name: Name| {
            let mut enclosing = origins.iter().map(|(_, origin)| origin);
            enclosing
                .find(|origin| name::is_within(&name, origin))
                .cloned()
        };
        let origin = helo
            .and_then(within)
            .or_else(|| sender.and_then(within))
            .or_else(|| origins.first().map(|(_, origin)| origin.clone()))?;
        let resolver = world.resolver();
        ["mail", "smtp", "out", "mail-out"]
            .into_iter()
            .find_map(|label| {
                let name = Name::from_ascii(label).ok()?.append_domain(&origin).ok()?;
                let absent = [RecordType::A, RecordType::AAAA]
                    .iter()
                    .all(|kind| resolver.ask(&name, *kind).outcome.is_absent());
                absent.then_some(name)
            })
    }
}

/// The changes to the zones.
pub(crate) fn amendments(change: &Change) -> Vec<Amendment> {
    match change {
        Change::AddRecord { name, data } => vec![Amendment::Add(name.clone(), data.clone())],
        Change::ReplaceRecord { name, old, data } => {
            let old = old.iter();
            old.map(|old| Amendment::Remove(name.clone(), old.clone()))
                .chain([Amendment::Add(name.clone(), data.clone())])
                .collect()
        }
        Change::Delist { entry, .. } => vec![Amendment::Clear(entry.clone())],
        Change::MendDns(name) => vec![Amendment::RemoveFaults(name.clone())],
        _ => Vec::new(),
    }
}

/// The name that can have a record: a name with a CNAME cannot (RFC 2317 §4, RFC 2181 §10.1).
fn place(world: &ResolverSnapshot, name: &Name) -> Name {
    let (resolver, mut name) = (world.resolver(), name.clone());
    for _ in 0..LINKS {
        let question = resolver.ask(&name, RecordType::CNAME);
        match question.answers.first() {
            Some(RData::CNAME(target)) => name = target.0.clone(),
            _ => break,
        }
    }
    name
}

fn add(world: &ResolverSnapshot, name: &Name, data: RData) -> Change {
    let name = place(world, name);
    Change::AddRecord { name, data }
}

/// Replaces the records of the same type for which `goes` is true, or adds the record if there are none.
fn replace(
    world: &ResolverSnapshot,
    name: &Name,
    data: RData,
    goes: impl Fn(&RData) -> bool,
) -> Change {
    let name = place(world, name);
    let question = world.resolver().ask(&name, data.record_type());
    let old: Vec<_> = question
        .answers
        .iter()
        .filter(|old| goes(old))
        .cloned()
        .collect();
    match old.is_empty() {
        true => Change::AddRecord { name, data },
        false => Change::ReplaceRecord { name, old, data },
    }
}

/// The SPF record with the address as its first mechanism, or a record with only the address.
fn authorizations(world: &ResolverSnapshot, domain: &Name, address: IpAddr) -> Vec<Vec<Change>> {
    let mechanism = match address {
        IpAddr::V4(v4) => format!("ip4:{v4}"),
        IpAddr::V6(v6) => format!("ip6:{v6}"),
    };
    let place = place(world, domain);
    let question = world.resolver().ask(&place, RecordType::TXT);
    let spf = |data: &RData| spf_terms(data).is_some();
    let record = |text: String| {
        let strings = text.as_bytes().chunks(255).collect::<Vec<_>>();
        vec![replace(
            world,
            domain,
            RData::TXT(TXT::from_bytes(strings)),
            spf,
        )]
    };
    let terms = question.answers.iter().find_map(spf_terms);
    let longer = terms.map(|terms| record(format!("v=spf1 {mechanism}{terms}")));
    let alone = record(format!("v=spf1 {mechanism} -all"));
    longer.into_iter().chain([alone]).collect()
}

/// The terms of an SPF record, without the version (RFC 7208 §4.5).
fn spf_terms(data: &RData) -> Option<String> {
    let RData::TXT(txt) = data else {
        return None;
    };
    let octets: Vec<u8> = txt.txt_data.iter().flatten().copied().collect();
    let text = String::from_utf8(octets).ok()?;
    let (version, terms) = text.split_at_checked(6)?;
    let whole = terms.is_empty() || terms.starts_with(' ');
    (whole && version.eq_ignore_ascii_case("v=spf1")).then(|| terms.to_owned())
}

fn address_data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    }
}

fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}
