//! The memory of a receiver about its clients, from session to session, with a clock that tests can advance.
//!
//! A [`Memory`] belongs to one receiver of one world; the receivers of a world share its [`Clock`]. It observes and never judges: rules read [`History`] and [`Greylist`] from the facts. It
//! is used only if a rule needs it, so that receivers without such rules never take its lock.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use parking_lot::Mutex;
use serde::Serialize;

use super::sender_counts::{CountKey, MOST_COUNTED, SenderCounts, SentBefore};
use crate::error::Error;

/// Maximum number of clients, and of triples. Beyond it, the older half is removed.
const REMEMBERED: usize = 100_000;
/// Maximum number of connections and HELO names of one client.
const OF_ONE_CLIENT: usize = 1_000;
/// Time after which an unused triple is new again, as in milter-greylist and postgrey (about five weeks).
const FORGOTTEN: Duration = Duration::from_secs(36 * 24 * 3600);

/// Maximum sum of all advances: 100 years, which is exact in milliseconds everywhere.
pub(crate) const MOST_ADVANCED: Duration = Duration::from_secs(36_525 * 24 * 3600);

/// The time since the start of the world, plus all advances.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    advanced_ns: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            advanced_ns: AtomicU64::new(0),
        }
    }
}

impl Clock {
    /// Makes an advanced clock.
    ///
    /// # Errors
    /// The advance exceeds [`MOST_ADVANCED`].
    pub(crate) fn advanced(by: Duration) -> Result<Self, Error> {
        let clock = Self::default();
        if clock.advance(by) {
            Ok(clock)
        } else {
            Err(Error::unexpected(
                "the clock to be advanced by at most 100 years",
                format!("{by:?}"),
            ))
        }
    }

    /// The time since the clock was made, advances included.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed() + Duration::from_nanos(self.advanced_ns.load(Ordering::Relaxed))
    }

    /// A copy that is advanced separately.
    fn detached(&self) -> Self {
        Self {
            start: self.start,
            advanced_ns: AtomicU64::new(self.advanced_ns.load(Ordering::Relaxed)),
        }
    }

    /// Advances the clock. Returns false, without a change, if the sum of all advances would exceed [`MOST_ADVANCED`].
    #[must_use]
    pub(crate) fn advance(&self, by: Duration) -> bool {
        let add = |advanced: u64| {
            let sum = Duration::from_nanos(advanced).checked_add(by)?;
            let allowed = sum <= MOST_ADVANCED;
            u64::try_from(sum.as_nanos()).ok().filter(|_| allowed)
        };
        self.advanced_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }
}

/// The memory of one client address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct History {
    /// Number of open connections, including the current one.
    pub(crate) open: u64,
    /// The ages of its connections, including the current one, latest first, in milliseconds.
    #[serde(serialize_with = "millis")]
    pub(crate) connections: Vec<Duration>,
    /// The other HELO names that it used, with the age of the last use.
    #[serde(serialize_with = "names")]
    pub(crate) helos: Vec<(String, Duration)>,
    /// The HELO names that it used and that do not resolve to it, including the current one.
    pub(crate) unverified: Vec<String>,
}

/// The greylisting state of a client and envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seen {
    /// The time since the first try, in milliseconds.
    #[serde(rename = "age_ms", serialize_with = "crate::journal::millis")]
    pub(crate) age: Duration,
    /// Whether the first try was in an earlier session.
    pub(crate) earlier_session: bool,
}

/// The key of greylisting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Greylist {
    /// The client address.
    pub(crate) client: Seen,
    /// Client address, sender and recipient.
    pub(crate) triple: Seen,
    /// The same with the /24 (IPv6: /64) of the client address, for senders that retry from a neighbour.
    pub(crate) network_triple: Seen,
}

/// The memory of a receiver.
///
/// Lock order: `triples`, `counts`, `sender_counts`, which only a copy of the memory holds at the same time. No other lock is taken while one of
/// them is held.
#[derive(Debug, Default)]
pub struct Memory {
    clock: Arc<Clock>,
    clients: Mutex<HashMap<IpAddr, Client>>,
    triples: Mutex<HashMap<Triple, First>>,
    counts: Mutex<HashMap<String, u64>>,
    sender_counts: Mutex<SenderCounts>,
}

type Triple = (IpNet, Option<(String, String)>);

#[derive(Clone, Debug, Default)]
struct Client {
    open: u64,
    connections: Vec<Duration>,
    helos: Vec<(String, Duration)>,
    unverified: Vec<(String, Duration)>,
    last: Duration,
}

#[derive(Clone, Copy, Debug)]
struct First {
    at: Duration,
    session: u64,
    last: Duration,
}

impl Memory {
    /// Makes an empty memory with this clock, which the receivers of a world share.
    pub(crate) fn on(clock: impl Into<Arc<Clock>>) -> Self {
        Self {
            clock: clock.into(),
            ..Self::default()
        }
    }

    /// A copy of the memory of one client and its network, with a separate clock at the same time. Changes of the copy do not
    /// affect this memory.
    pub(crate) fn detached(&self, client: IpAddr) -> Self {
        let network = network_of(client);
        let known = self.clients.lock().get(&client).cloned();
        let triples = self.triples.lock();
        let related = triples
            .iter()
            .filter(|((of, _), _)| network.contains(of))
            .map(|(key, first)| (key.clone(), *first))
            .collect();
        drop(triples);
        Self {
            clock: Arc::new(self.clock.detached()),
            clients: Mutex::new(known.map(|known| (client, known)).into_iter().collect()),
            triples: Mutex::new(related),
            counts: Mutex::new(self.counts.lock().clone()),
            sender_counts: Mutex::new(self.sender_counts.lock().clone()),
        }
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Counts a use of this key, and returns the count. There are at most 100,000 keys; then all are removed.
    pub fn count(&self, of: &str) -> u64 {
        let mut counts = self.counts.lock();
        if counts.len() >= REMEMBERED && !counts.contains_key(of) {
            counts.clear();
        }
        let count = counts.entry(of.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Returns the number of times that something happened within a time before now.
    pub(crate) fn times_within(&self, key: &CountKey, per: Duration) -> u64 {
        self.sender_counts.lock().within(key, per, self.clock.now())
    }

    /// Records that something happens now; keeps at most the latest `keep` times.
    pub(crate) fn record_event(&self, key: CountKey, keep: u64) {
        self.sender_counts.lock().add(key, keep, self.clock.now());
    }

    /// Counts what each sender had sent before the first session, as sent now. Messages that count already are not counted again.
    pub(crate) fn add_sent_before(&self, sent: &[SentBefore]) {
        let now = self.clock.now();
        let mut sender_counts = self.sender_counts.lock();
        for sender in sent {
            let key = CountKey {
                by: sender.by,
                who: sender.who.clone(),
                refused_by: None,
            };
            for _ in sender_counts.total_of(&key)..sender.messages.min(MOST_COUNTED) {
                sender_counts.add(key.clone(), MOST_COUNTED, now);
            }
        }
    }

    /// Records a connection. Returns the memory of the client, including this connection.
    pub(crate) fn connected(&self, client: IpAddr) -> History {
        self.with(client, |known, now| {
            known.open += 1;
            keep(&mut known.connections, now);
            known.history(now, "")
        })
    }

    /// Records a HELO name and whether it resolves to the client. Returns the memory of the client.
    pub(crate) fn helo(&self, client: IpAddr, name: &str, unverified: bool) -> History {
        let name = name.to_ascii_lowercase();
        self.with(client, |known, now| {
            remember(&mut known.helos, &name, now);
            if unverified {
                remember(&mut known.unverified, &name, now);
            }
            known.history(now, &name)
        })
    }

    /// Records the end of a connection.
    pub(crate) fn disconnected(&self, client: IpAddr) {
        if let Some(known) = self.clients.lock().get_mut(&client) {
            known.open = known.open.saturating_sub(1);
        }
    }

    /// Records a try of a recipient, and returns its greylisting state.
    pub(crate) fn tried(
        &self,
        client: IpAddr,
        sender: &str,
        recipient: &str,
        session: u64,
    ) -> Greylist {
        let now = self.clock.now();
        let paths = Some((sender.to_ascii_lowercase(), recipient.to_ascii_lowercase()));
        let network = network_of(client);
        let mut triples = self.triples.lock();
        let mut seen = |key: Triple| {
            make_room(&mut triples, |first| first.last);
            let new = First {
                at: now,
                session,
                last: now,
            };
            let first = triples.entry(key).or_insert(new);
            if now.saturating_sub(first.last) > FORGOTTEN {
                *first = new;
            }
            first.last = now;
            Seen {
                age: now.saturating_sub(first.at),
                earlier_session: first.session != session,
            }
        };
        Greylist {
            client: seen((client.into(), None)),
            triple: seen((client.into(), paths.clone())),
            network_triple: seen((network, paths)),
        }
    }

    fn with(&self, client: IpAddr, then: impl FnOnce(&mut Client, Duration) -> History) -> History {
        let now = self.clock.now();
        let mut clients = self.clients.lock();
        make_room(&mut clients, |known| known.last);
        let known = clients.entry(client).or_default();
        known.last = now;
        then(known, now)
    }
}

impl Client {
    fn history(&self, now: Duration, name: &str) -> History {
        let ago = |at: &Duration| now.saturating_sub(*at);
        let others = self.helos.iter().filter(|(other, _)| other != name);
        History {
            open: self.open,
            connections: self.connections.iter().rev().map(ago).collect(),
            helos: others.map(|(other, at)| (other.clone(), ago(at))).collect(),
            unverified: self
                .unverified
                .iter()
                .map(|(other, _)| other.clone())
                .collect(),
        }
    }
}

/// The /24 of an IPv4 address, the /64 of an IPv6 address.
fn network_of(client: IpAddr) -> IpNet {
    IpNet::new(client, if client.is_ipv4() { 24 } else { 64 })
        .map_or(client.into(), |network| network.trunc())
}

fn keep<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= OF_ONE_CLIENT {
        list.drain(..OF_ONE_CLIENT / 2);
    }
    list.push(item);
}

fn remember(names: &mut Vec<(String, Duration)>, name: &str, now: Duration) {
    match names.iter_mut().find(|(known, _)| known == name) {
        Some((_, at)) => *at = now,
        None => keep(names, (name.to_owned(), now)),
    }
}

/// Drops the older half of a full table.
fn make_room<K: Hash + Eq, V>(table: &mut HashMap<K, V>, last: impl Fn(&V) -> Duration) {
    if table.len() < REMEMBERED {
        return;
    }
    let mut times: Vec<_> = table.values().map(&last).collect();
    let (_, median, _) = times.select_nth_unstable(REMEMBERED / 2);
    let median = *median;
    table.retain(|_, value| last(value) > median);
}

fn millis<S: serde::Serializer>(ages: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        ages.iter()
            .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    )
}

fn names<S: serde::Serializer>(
    names: &[(String, Duration)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Ages rounded down to seconds, because the real clock advances meanwhile.
    fn seconds(ages: &[Duration]) -> Vec<u64> {
        ages.iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn connections_of_each_client() {
        let memory = Memory::default();
        memory.connected(ip("192.0.2.1"));
        assert!(memory.clock().advance(Duration::from_secs(60)));
        let second = memory.connected(ip("192.0.2.1"));
        assert_eq!(
            (second.open, seconds(&second.connections)),
            (2, vec![0, 60])
        );
        assert_eq!(memory.connected(ip("192.0.2.2")).open, 1);
        memory.disconnected(ip("192.0.2.1"));
        assert_eq!(memory.connected(ip("192.0.2.1")).open, 2);
    }

    #[test]
    fn helo_names_of_a_client() {
        let memory = Memory::default();
        let client = ip("2001:db8::1");
        assert_eq!(memory.helo(client, "A.test", true).helos, []);
        assert!(memory.clock().advance(Duration::from_secs(3600)));
        let later = memory.helo(client, "b.test", false);
        assert_eq!(
            (later.helos[0].0.as_str(), later.helos[0].1.as_secs()),
            ("a.test", 3600)
        );
        assert_eq!(later.unverified, ["a.test"]);
        assert_eq!(
            memory.helo(client, "a.TEST", true).unverified.len(),
            1,
            "a name counts once"
        );
    }

    #[test]
    fn triples_by_address_and_by_network() {
        let memory = Memory::default();
        let try_from =
            |client, session| memory.tried(ip(client), "a@example.test", "b@contoso.test", session);
        let first = try_from("192.0.2.1", 1);
        assert_eq!(
            (first.triple.age.as_secs(), first.triple.earlier_session),
            (0, false)
        );
        assert!(memory.clock().advance(Duration::from_secs(300)));
        let again = try_from("192.0.2.1", 1);
        assert_eq!(
            (again.triple.age.as_secs(), again.triple.earlier_session),
            (300, false)
        );
        let neighbour = try_from("192.0.2.9", 2);
        assert_eq!(
            (
                neighbour.triple.age.as_secs(),
                neighbour.network_triple.age.as_secs()
            ),
            (0, 300)
        );
        assert!(neighbour.network_triple.earlier_session && !neighbour.client.earlier_session);
        assert!(memory.clock().advance(FORGOTTEN + Duration::from_secs(1)));
        assert_eq!(
            try_from("192.0.2.1", 3).triple.age.as_secs(),
            0,
            "forgotten by then"
        );
    }

    #[test]
    fn a_clock_stops_at_its_bound_and_reports_it() {
        let clock = Clock::default();
        assert!(clock.advance(MOST_ADVANCED - Duration::from_secs(1)));
        assert!(!clock.advance(Duration::from_secs(2)), "beyond the bound");
        assert!(!clock.advance(Duration::MAX), "no overflow");
        assert!(
            clock.now() < MOST_ADVANCED,
            "a refused advance changes nothing"
        );
        assert!(clock.advance(Duration::from_secs(1)));
        assert!(!clock.advance(Duration::from_nanos(1)));
    }

    #[test]
    fn a_full_table_loses_its_older_half() {
        let mut table: HashMap<usize, Duration> = (0..REMEMBERED)
            .map(|n| (n, Duration::from_secs(n as u64)))
            .collect();
        make_room(&mut table, |at| *at);
        assert!(
            table.len() < REMEMBERED / 2 + 1
                && table.contains_key(&(REMEMBERED - 1))
                && !table.contains_key(&0)
        );
    }
}
