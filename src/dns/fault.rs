//! Deliberate DNS faults: the queries that they apply to, and their schedules. Faults are scripted, repeatable and
//! counted.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Transport, label};
use crate::name::{Name, RecordType};

/// Default number of CNAMEs of a chain: one more than unbound follows.
const LINKS: u8 = 12;
/// Default size of an oversized answer, in octets.
const OVERSIZED: u16 = 4_096;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $(($parameter:ty = $default:expr))? $word:literal,)*) => {
        /// The kinds of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name $(($parameter))?,)*
        }

        impl Action {
            /// All kinds, each with its default parameter.
            pub(super) const ALL: &[Self] = &[$(Self::$name $(($default))?,)*];

            /// The words of all kinds.
            pub const WORDS: &[&'static str] = &[$($word,)*];

            /// The word used in files and in the journal.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name { .. } => $word,)* }
            }
        }
    };
}

// The table of kinds, each with its word and the default of its parameter; `misbehave` implements them.
actions! {
    /// RCODE 3 with SOA.
    NxDomain "nxdomain",
    /// NOERROR without the requested records.
    NoData "nodata",
    /// RCODE 2.
    ServFail "servfail",
    /// RCODE 5.
    Refused "refused",
    /// RCODE 4.
    NotImp "notimp",
    /// RCODE 1.
    FormErr "formerr",
    /// No answer at all.
    Drop "drop",
    /// The true answer after the delay and jitter of the fault, which all kinds can have.
    Delay "delay",
    /// Over UDP, TC without records; over TCP, the true answer.
    Truncate "truncate",
    /// The TCP connection is reset: at once if the fault applies to every name (`*.`, any type), otherwise after the query.
    TcpRefused "tcp-refused",
    /// The TCP connection stays open and silent.
    TcpHang "tcp-hang",
    /// The answer of a server that is not authoritative: AA clear, all sections empty.
    Lame "lame",
    /// The same with a referral to the root.
    Referral "referral",
    /// The true answer with another message id.
    WrongId "wrong-id",
    /// The answer to another question.
    WrongQuestion "wrong-question",
    /// Wrong data, for A and AAAA even if the zone has none; the given address, if there is one.
    WrongAnswer(Option<IpAddr> = None) "wrong-answer",
    /// Two CNAMEs that point to each other.
    CnameLoop "cname-loop",
    /// This number of CNAMEs before the true answer.
    CnameChain(u8 = LINKS) "cname-chain",
    /// Over UDP, an answer of this size in octets, whatever size the client accepts.
    Oversized(u16 = OVERSIZED) "oversized",
    /// The true answer with this TTL, in seconds.
    Ttl(u32 = 0) "ttl",
    /// The records of each set in another order.
    Reorder(Order = Order::Fixed) "reorder",
    /// One record of each set, and the next one with each query, as some load balancers do.
    SingleRecord "single-record",
    /// A malformed message: a name that points to itself.
    Malformed "malformed",
}

/// An order of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The reverse of the zone's order.
    Fixed,
    /// Each answer begins one record later than the previous one.
    RoundRobin,
    /// Shuffled by the fault's seed and the number of the query.
    Seeded,
}

impl Order {
    /// All orders with their words.
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("fixed", Self::Fixed),
        ("round-robin", Self::RoundRobin),
        ("seeded", Self::Seeded),
    ];
    /// The words of all orders.
    pub const WORDS: &[&'static str] = &[Self::ALL[0].0, Self::ALL[1].0, Self::ALL[2].0];

    /// The word used in files.
    pub const fn word(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

impl Action {
    /// The only transport that the kind applies to, if there is one.
    pub(super) const fn only(self) -> Option<Transport> {
        match self {
            Self::Truncate | Self::Oversized(_) => Some(Transport::Udp),
            Self::TcpRefused | Self::TcpHang => Some(Transport::Tcp),
            _ => None,
        }
    }

    /// The key of its parameter in files.
    pub(super) const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Ttl(_) => Some("ttl"),
            Self::CnameChain(_) => Some("length"),
            Self::Oversized(_) => Some("octets"),
            Self::Reorder(_) => Some("order"),
            Self::WrongAnswer(_) => Some("address"),
            _ => None,
        }
    }

    /// Whether the kind has no answer that could be delayed.
    pub(super) const fn is_silent(self) -> bool {
        matches!(self, Self::Drop | Self::TcpRefused | Self::TcpHang)
    }
}

/// A fault: the queries that it applies to, and its schedule.
///
/// Of the queries that match, those before `from` get true answers. Then the fault takes effect on `times` of each
/// `every` queries: on all queries without both settings, and only on the first `times` without `every`.
///
/// ```
/// use martinet::dns::{Action, Fault};
/// let down_twice_up_once = Fault::new("*.example.test", Action::ServFail).expect("a name").times(2).every(3);
/// assert_eq!(down_twice_up_once.action().word(), "servfail");
/// ```
#[derive(Debug)]
pub struct Fault {
    scope: Scope,
    seen: AtomicU64,
    fired: AtomicU64,
}

/// A fault without its counts.
#[derive(Clone, Debug)]
struct Scope {
    /// The name, without `*.`.
    name: Name,
    /// The name in lower case, in wire form.
    key: Box<[u8]>,
    suffix: bool,
    record_type: Option<RecordType>,
    transport: Option<Transport>,
    from: u64,
    times: Option<u64>,
    every: Option<u64>,
    action: Action,
    delay: Duration,
    jitter: Duration,
    seed: u64,
}

/// A fault that takes effect, with the number of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Firing<'f> {
    pub(super) fault: &'f Fault,
    /// The number of the query, from 0.
    pub(super) nth: u64,
}

impl Fault {
    /// Creates a fault for a name, or for all names below a name if it begins with `*.`; `None` if the name is invalid.
    pub fn new(name: &str, action: Action) -> Option<Self> {
        let (suffix, bare) = match name.strip_prefix("*.") {
            Some("") => (true, "."),
            Some(bare) => (true, bare),
            None => (false, name),
        };
        let name = (!bare.is_empty())
            .then(|| crate::name::absolute(bare))
            .flatten()?;
        let key = label::of(&name).to_ascii_lowercase().into();
        Some(Self::with_scope(Scope {
            name,
            key,
            suffix,
            record_type: None,
            transport: None,
            from: 1,
            times: None,
            every: None,
            action,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            seed: 1,
        }))
    }

    /// A fault with counts of 0.
    fn with_scope(scope: Scope) -> Self {
        let (seen, fired) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { scope, seen, fired }
    }

    /// Limits the fault to this type.
    #[must_use]
    pub fn of_type(mut self, record_type: RecordType) -> Self {
        self.scope.record_type = Some(record_type);
        self
    }

    /// Limits the fault to this transport.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.scope.transport = Some(transport);
        self
    }

    /// Starts with this query, from 1.
    #[must_use]
    pub fn from_question(mut self, from: u64) -> Self {
        self.scope.from = from.max(1);
        self
    }

    /// Takes effect this number of times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.scope.times = Some(times);
        self
    }

    /// Repeats after this number of queries.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        self.scope.every = Some(every.max(1));
        self
    }

    /// Delays the answer by `delay` and up to `jitter` more, by the seed and the number of the query.
    #[must_use]
    pub fn delayed(mut self, delay: Duration, jitter: Duration) -> Self {
        self.scope.delay = delay;
        self.scope.jitter = jitter;
        self
    }

    /// Sets the seed of jitter and order; 1 by default.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.scope.seed = seed;
        self
    }

    /// The kind.
    pub fn action(&self) -> Action {
        self.scope.action
    }

    /// The name as in files, with `*.` for all names below.
    pub fn pattern(&self) -> String {
        match (self.scope.suffix, self.scope.name.is_root()) {
            (true, true) => "*.".to_owned(),
            (true, false) => format!("*.{}", self.scope.name),
            (false, _) => self.scope.name.to_string(),
        }
    }

    /// The type; all types if `None`.
    pub fn record_type(&self) -> Option<RecordType> {
        self.scope.record_type
    }

    /// The transport; both if `None`.
    pub fn transport(&self) -> Option<Transport> {
        self.scope.transport
    }

    /// Whether the effect depends on the number of earlier queries.
    pub fn counts(&self) -> bool {
        self.scope.from > 1 || self.scope.times.is_some()
    }

    /// `from`, `times` and `every`.
    pub(crate) fn schedule(&self) -> (u64, Option<u64>, Option<u64>) {
        (self.scope.from, self.scope.times, self.scope.every)
    }

    /// Delay, jitter and seed.
    pub(crate) fn timing(&self) -> (Duration, Duration, u64) {
        (self.scope.delay, self.scope.jitter, self.scope.seed)
    }

    /// The number of queries that it applied to so far.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// The number of queries on which it took effect.
    pub fn fired(&self) -> u64 {
        self.fired.load(Ordering::Relaxed)
    }

    /// Whether it can apply to queries for this name, in lower case.
    pub(super) fn concerns(&self, name: &[u8], kind: u16, transport: Transport) -> bool {
        let named = if self.scope.suffix {
            name.len() > self.scope.key.len() && label::is_within(name, &self.scope.key)
        } else {
            *name == *self.scope.key
        };
        named
            && self.scope.record_type.is_none_or(|t| u16::from(t) == kind)
            && self.scope.transport.is_none_or(|t| t == transport)
            && self.scope.action.only().is_none_or(|t| t == transport)
    }

    /// Whether it applies to every TCP connection before a query is read.
    pub(super) fn concerns_connections(&self) -> bool {
        let all =
            self.scope.suffix && self.scope.name.is_root() && self.scope.record_type.is_none();
        all && self.scope.transport != Some(Transport::Udp)
            && self.scope.action.only() == Some(Transport::Tcp)
    }

    /// Counts a query, exactly even with several threads. Returns the firing if the fault takes effect on it.
    pub(super) fn fires(&self) -> Option<Firing<'_>> {
        let nth = self.seen.fetch_add(1, Ordering::Relaxed);
        let since = nth.checked_sub(self.scope.from - 1)?;
        let within = self.scope.every.map_or(since, |every| since % every);
        if self.scope.times.is_some_and(|times| within >= times) {
            return None;
        }
        self.fired.fetch_add(1, Ordering::Relaxed);
        Some(Firing { fault: self, nth })
    }
}

impl Fault {
    /// A copy with the current counts.
    pub(super) fn continued(&self) -> Self {
        let copy = self.clone();
        copy.seen.store(self.seen(), Ordering::Relaxed);
        copy.fired.store(self.fired(), Ordering::Relaxed);
        copy
    }
}

impl Clone for Fault {
    /// A copy has its own counts.
    fn clone(&self) -> Self {
        Self::with_scope(self.scope.clone())
    }
}

impl Firing<'_> {
    /// The delay of the answer.
    pub(super) fn delay(&self) -> Duration {
        let most = u64::try_from(self.fault.scope.jitter.as_micros()).unwrap_or(u64::MAX);
        let more = if most == 0 {
            0
        } else {
            self.chance(0) % most.saturating_add(1)
        };
        self.fault
            .scope
            .delay
            .saturating_add(Duration::from_micros(more))
    }

    /// A pseudo-random number for a position: equal seeds and numbers of queries give equal results (splitmix64).
    pub(super) fn chance(&self, place: u64) -> u64 {
        let state = self.fault.scope.seed ^ self.nth.wrapping_mul(0xD1B5_4A32_D192_ED03);
        let state = state.wrapping_add((place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
