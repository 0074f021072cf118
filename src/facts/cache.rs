//! Cache of the lookups of a receiver, valid for one snapshot of zones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::RwLock;

use super::{Helo, Iprev, Listing, LookupRecord, Relation, Spf, Verb};
use crate::dns::Zones;

/// Maximum number of clients, and of HELO names, in the cache. Others are looked up each time.
const CLIENTS: usize = 1024;
const HELOS: usize = 1024;

/// The cached lookups of a receiver about client addresses and HELO names, like those of a receiver with a caching resolver.
/// The cache is valid for one snapshot of zones without faults, in which the same query always has the same answer.
#[derive(Debug, Default)]
pub(crate) struct LookupCache {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The snapshot of the cache.
    zones: Weak<Zones>,
    clients: HashMap<IpAddr, (Arc<ClientSeen>, Vec<Arc<HeloSeen>>)>,
    /// HELO names of all clients.
    helos: usize,
}

/// The lookups about a client address.
#[derive(Debug)]
pub(super) struct ClientSeen {
    pub(super) iprev: Option<Arc<Iprev>>,
    pub(super) listings: Vec<Listing>,
    pub(super) evidence: Vec<Arc<LookupRecord>>,
    pub(super) elapsed: Duration,
}

/// The lookups about a HELO name.
#[derive(Debug)]
pub(super) struct HeloSeen {
    pub(super) helo: Arc<Helo>,
    pub(super) relation: Option<Relation>,
    pub(super) spf: Option<Arc<Spf>>,
    pub(super) listings: Vec<Listing>,
    pub(super) evidence: Vec<Arc<LookupRecord>>,
    pub(super) elapsed: Duration,
}

impl LookupCache {
    /// The view of the cache for these zones; `None` if they have faults.
    pub(crate) fn of<'a>(&'a self, zones: &'a Arc<Zones>) -> Option<CachedLookups<'a>> {
        zones.faults().is_empty().then_some(CachedLookups {
            lookup_cache: self,
            zones,
        })
    }
}

/// The earlier lookups in one snapshot of zones.
#[derive(Clone, Copy, Debug)]
pub struct CachedLookups<'a> {
    lookup_cache: &'a LookupCache,
    zones: &'a Arc<Zones>,
}

impl CachedLookups<'_> {
    pub(super) fn client(&self, address: IpAddr) -> Option<Arc<ClientSeen>> {
        self.look(|known| {
            known
                .clients
                .get(&address)
                .map(|(client, _)| Arc::clone(client))
        })
    }

    /// The cached lookups about a HELO name, if the client has exactly these PTR names: XCLIENT can set other names.
    pub(super) fn helo(
        &self,
        address: IpAddr,
        iprev: Option<&Arc<Iprev>>,
        verb: Verb,
        argument: &str,
    ) -> Option<Arc<HeloSeen>> {
        self.look(|known| {
            let (_, helos) = known
                .clients
                .get(&address)
                .filter(|(client, _)| client.has(iprev))?;
            let is_same =
                |seen: &&Arc<HeloSeen>| seen.helo.verb == verb && seen.helo.argument == argument;
            helos.iter().find(is_same).map(Arc::clone)
        })
    }

    fn look<R>(&self, look: impl FnOnce(&Known) -> Option<R>) -> Option<R> {
        let known = self.lookup_cache.known.read();
        if self.is_about(&known) {
            look(&known)
        } else {
            None
        }
    }

    fn is_about(&self, known: &Known) -> bool {
        known.zones.as_ptr() == Arc::as_ptr(self.zones)
    }

    pub(super) fn keep_client(&self, address: IpAddr, client: &Arc<ClientSeen>) {
        let mut known = self.lookup_cache.known.write();
        if !self.is_about(&known) {
            *known = Known {
                zones: Arc::downgrade(self.zones),
                ..Known::default()
            };
        }
        if known.clients.len() < CLIENTS {
            known
                .clients
                .entry(address)
                .or_insert_with(|| (Arc::clone(client), Vec::new()));
        }
    }

    pub(super) fn keep_helo(
        &self,
        address: IpAddr,
        iprev: Option<&Arc<Iprev>>,
        helo: &Arc<HeloSeen>,
    ) {
        let mut known = self.lookup_cache.known.write();
        if !self.is_about(&known) || known.helos >= HELOS {
            return;
        }
        if let Some((_, helos)) = known
            .clients
            .get_mut(&address)
            .filter(|(client, _)| client.has(iprev))
        {
            helos.push(Arc::clone(helo));
            known.helos += 1;
        }
    }
}

impl ClientSeen {
    /// Whether these PTR names are the cached ones.
    fn has(&self, iprev: Option<&Arc<Iprev>>) -> bool {
        self.iprev.as_ref().map(Arc::as_ptr) == iprev.map(Arc::as_ptr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Action, Fault, Zone};
    use crate::facts::{Facts, HeloObservations, Observations, Resolver};
    use crate::name;

    const CLIENT: [u8; 4] = [192, 0, 2, 10];

    fn zones(name: &str, faults: Vec<Fault>) -> Arc<Zones> {
        let zone = |origin: &str, text: &str| {
            let origin = name::absolute(origin).expect("a name");
            Zone::load(text.as_bytes(), &origin, 300).expect("a zone")
        };
        let reverse = zone(
            "2.0.192.in-addr.arpa",
            &format!("10 PTR {name}.example.test."),
        );
        Arc::new(Zones::new(
            vec![
                reverse,
                zone("example.test", "mail A 192.0.2.10\nmx A 192.0.2.11"),
            ],
            faults,
        ))
    }

    fn facts(
        lookup_cache: &LookupCache,
        zones: &Arc<Zones>,
        xclient_iprev: Option<Iprev>,
        helo: &str,
    ) -> Facts {
        let needs = Observations {
            iprev: true,
            helo: HeloObservations::ADDRESSES,
            ..Observations::default()
        };
        let resolver = Resolver::remembering(zones, Duration::from_secs(5), lookup_cache);
        let mut facts = Facts {
            xclient_iprev,
            ..Facts::new(CLIENT.into())
        };
        facts.observe_client(&needs, &resolver);
        facts.observe_helo(Verb::Ehlo, helo, &needs, &resolver);
        facts
    }

    #[track_caller]
    fn check(first: &Facts, second: &Facts, client: bool, helo: bool) {
        let same = |a: &Option<Arc<Iprev>>, b: &Option<Arc<Iprev>>| {
            a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
        };
        assert_eq!(
            same(&first.iprev, &second.iprev),
            client,
            "the client is cached"
        );
        let helos = [first, second].map(|facts| facts.helo.as_ref().map(Arc::as_ptr));
        assert_eq!(helos[0] == helos[1], helo, "the HELO is cached");
    }

    #[test]
    fn lookups_are_cached() {
        let (lookup_cache, zones) = (LookupCache::default(), zones("mail", Vec::new()));
        let first = facts(&lookup_cache, &zones, None, "mail.example.test");
        let second = facts(&lookup_cache, &zones, None, "mail.example.test");
        check(&first, &second, true, true);
        assert_eq!(
            (first.evidence.len(), &first.evidence),
            (4, &second.evidence),
            "with its evidence"
        );
        assert_eq!(
            (first.relation, first.client_evidence),
            (second.relation, second.client_evidence)
        );
        let other = facts(&lookup_cache, &zones, None, "mx.example.test");
        check(&first, &other, true, false);
        assert!(!other.helo.expect("a helo").contains(CLIENT.into()));
    }

    #[test]
    fn other_zones_other_facts() {
        let (lookup_cache, before) = (LookupCache::default(), zones("mail", Vec::new()));
        let first = facts(&lookup_cache, &before, None, "mail.example.test");
        let after = zones("mx", Vec::new());
        drop(before);
        let second = facts(&lookup_cache, &after, None, "mail.example.test");
        check(&first, &second, false, false);
        assert_ne!(
            first.iprev.map(|iprev| iprev.result),
            second.iprev.map(|iprev| iprev.result)
        );
    }

    #[test]
    fn zones_with_faults_are_not_cached() {
        let fault = Fault::new("mail.example.test", Action::ServFail)
            .expect("a name")
            .times(1);
        let (lookup_cache, zones) = (LookupCache::default(), zones("mail", vec![fault]));
        let first = facts(&lookup_cache, &zones, None, "mail.example.test");
        let second = facts(&lookup_cache, &zones, None, "mail.example.test");
        check(&first, &second, false, false);
        assert_ne!(first.evidence, second.evidence, "the fault was met once");
    }

    #[test]
    fn known_values_are_not_cached_as_lookups() {
        let (lookup_cache, zones) = (LookupCache::default(), zones("mail", Vec::new()));
        let xclient_iprev = Iprev::from_xclient(name::absolute("told.test"), None, false);
        let first = facts(
            &lookup_cache,
            &zones,
            Some(xclient_iprev.clone()),
            "mail.example.test",
        );
        let second = facts(&lookup_cache, &zones, None, "mail.example.test");
        check(&first, &second, false, false);
        let third = facts(
            &lookup_cache,
            &zones,
            Some(xclient_iprev),
            "mail.example.test",
        );
        check(&second, &third, false, false);
        assert_eq!(first.relation, third.relation);
        assert_ne!(second.relation, third.relation);
    }

    #[test]
    fn the_cache_has_a_limit() {
        let (lookup_cache, zones) = (LookupCache::default(), zones("mail", Vec::new()));
        for n in 0..=HELOS {
            facts(&lookup_cache, &zones, None, &format!("h{n}.example.test"));
        }
        let last = format!("h{HELOS}.example.test");
        check(
            &facts(&lookup_cache, &zones, None, &last),
            &facts(&lookup_cache, &zones, None, &last),
            true,
            false,
        );
    }
}
