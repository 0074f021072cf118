//! Deliberate DNS faults: which queries they apply to, and when. Faults are scripted, repeatable and counted.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Transport, label};
use crate::name::{Name, RecordType};

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// RCODE 3 with SOA.
    NxDomain,
    /// NOERROR without the records asked for.
    NoData,
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// RCODE 4.
    NotImp,
    /// RCODE 1.
    FormErr,
    /// No answer at all.
    Drop,
    /// The true answer, late, by the delay and jitter of the fault, which every kind can have.
    Delay,
    /// Over UDP, TC without records; over TCP, the true answer.
    Truncate,
    /// The TCP connection is reset: at once if the fault applies to every name (`*.`, any type), otherwise after the query.
    TcpRefused,
    /// The TCP connection stays open and silent.
    TcpHang,
    /// The answer of a server that is not authoritative: AA clear, nothing in it.
    Lame,
    /// The same with a referral to the root.
    Referral,
    /// The true answer with another message id.
    WrongId,
    /// The answer to another question.
    WrongQuestion,
    /// Wrong data; for A and AAAA even if the zone has none. The address, if given.
    WrongAnswer(Option<IpAddr>),
    /// Two CNAMEs that lead to each other.
    CnameLoop,
    /// This number of CNAMEs before the true answer.
    CnameChain(u8),
    /// Over UDP, an answer of this size in octets, whatever the client accepts.
    Oversized(u16),
    /// The true answer with this TTL, in seconds.
    Ttl(u32),
    /// The records of each set in another order.
    Reorder(Order),
    /// A malformed message: a name that points to itself.
    Malformed,
}

/// An order of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The zone's order backwards, every time.
    Fixed,
    /// Each answer begins one record later than the one before.
    RoundRobin,
    /// Shuffled by the fault's seed and the number of the question.
    Seeded,
}

impl Action {
    /// The word used in files and in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NxDomain => "nxdomain",
            Self::NoData => "nodata",
            Self::ServFail => "servfail",
            Self::Refused => "refused",
            Self::NotImp => "notimp",
            Self::FormErr => "formerr",
            Self::Drop => "drop",
            Self::Delay => "delay",
            Self::Truncate => "truncate",
            Self::TcpRefused => "tcp-refused",
            Self::TcpHang => "tcp-hang",
            Self::Lame => "lame",
            Self::Referral => "referral",
            Self::WrongId => "wrong-id",
            Self::WrongQuestion => "wrong-question",
            Self::WrongAnswer(_) => "wrong-answer",
            Self::CnameLoop => "cname-loop",
            Self::CnameChain(_) => "cname-chain",
            Self::Oversized(_) => "oversized",
            Self::Ttl(_) => "ttl",
            Self::Reorder(_) => "reorder",
            Self::Malformed => "malformed",
        }
    }

    /// The one transport on which it can happen.
    pub(super) const fn only(self) -> Option<Transport> {
        match self {
            Self::Truncate | Self::Oversized(_) => Some(Transport::Udp),
            Self::TcpRefused | Self::TcpHang => Some(Transport::Tcp),
            _ => None,
        }
    }
}

/// A fault: the queries that it applies to, and how often.
///
/// Of the questions it concerns, those before `from` are answered truthfully; then `times` of every `every` meet it
/// (all of them where neither is given, only the first `times` where `every` is not).
///
/// ```
/// use martinet::dns::{Action, Fault};
/// let down_twice_up_once = Fault::new("*.example.test", Action::ServFail).expect("a name").times(2).every(3);
/// assert_eq!(down_twice_up_once.action().word(), "servfail");
/// ```
#[derive(Debug)]
pub struct Fault {
    /// The name, without `*.`.
    name: Name,
    /// The same in lower case, as it is on the wire.
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
    seen: AtomicU64,
    fired: AtomicU64,
}

/// A fault that takes effect, with the number of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Firing<'f> {
    pub(super) fault: &'f Fault,
    /// From 0.
    pub(super) nth: u64,
}

impl Fault {
    /// Makes a fault for a name, or for all names below one if it begins with `*.`; `None` if that is no name.
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
        let (record_type, transport, delay) = (None, None, Duration::ZERO);
        let (seen, fired) = (AtomicU64::new(0), AtomicU64::new(0));
        let (from, times, every, jitter, seed) = (1, None, None, Duration::ZERO, 1);
        Some(Self {
            name,
            key,
            suffix,
            record_type,
            transport,
            from,
            times,
            every,
            action,
            delay,
            jitter,
            seed,
            seen,
            fired,
        })
    }

    /// Limits the fault to this type.
    #[must_use]
    pub fn of_type(self, record_type: RecordType) -> Self {
        Self {
            record_type: Some(record_type),
            ..self
        }
    }

    /// Limits the fault to this transport.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    /// Starts with this query, from 1.
    #[must_use]
    pub fn from_question(self, from: u64) -> Self {
        Self {
            from: from.max(1),
            ..self
        }
    }

    /// Takes effect this number of times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Repeats after this number of queries.
    #[must_use]
    pub fn every(self, every: u64) -> Self {
        Self {
            every: Some(every.max(1)),
            ..self
        }
    }

    /// Delays the answer by `delay` and up to `jitter` more, by the seed and the number of the query.
    #[must_use]
    pub fn delayed(self, delay: Duration, jitter: Duration) -> Self {
        Self {
            delay,
            jitter,
            ..self
        }
    }

    /// Sets the seed of jitter and order; 1 by default.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The kind.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The name as in files, with `*.` for all names below.
    pub fn pattern(&self) -> String {
        match (self.suffix, self.name.is_root()) {
            (true, true) => "*.".to_owned(),
            (true, false) => format!("*.{}", self.name),
            (false, _) => self.name.to_string(),
        }
    }

    /// The type; all types if `None`.
    pub fn record_type(&self) -> Option<RecordType> {
        self.record_type
    }

    /// The transport; both if `None`.
    pub fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// Whether the effect depends on the number of earlier queries.
    pub fn counts(&self) -> bool {
        self.from > 1 || self.times.is_some()
    }

    /// `from`, `times` and `every`.
    pub fn schedule(&self) -> (u64, Option<u64>, Option<u64>) {
        (self.from, self.times, self.every)
    }

    /// Delay, jitter and seed.
    pub fn timing(&self) -> (Duration, Duration, u64) {
        (self.delay, self.jitter, self.seed)
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
        let named = if self.suffix {
            name.len() > self.key.len() && label::is_within(name, &self.key)
        } else {
            *name == *self.key
        };
        named
            && self.record_type.is_none_or(|t| u16::from(t) == kind)
            && self.transport.is_none_or(|t| t == transport)
            && self.action.only().is_none_or(|t| t == transport)
    }

    /// Whether it applies to every TCP connection before a query is read.
    pub(super) fn concerns_connections(&self) -> bool {
        let all = self.suffix && self.name.is_root() && self.record_type.is_none();
        all && self.transport != Some(Transport::Udp) && self.action.only() == Some(Transport::Tcp)
    }

    /// Counts a query, exactly even with several threads. Returns the firing if the fault takes effect on it.
    pub(super) fn fires(&self) -> Option<Firing<'_>> {
        let nth = self.seen.fetch_add(1, Ordering::Relaxed);
        let since = nth.checked_sub(self.from - 1)?;
        let within = self.every.map_or(since, |every| since % every);
        if self.times.is_some_and(|times| within >= times) {
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
        let Self {
            name,
            key,
            suffix,
            record_type,
            transport,
            from,
            times,
            every,
            action,
            delay,
            jitter,
            seed,
            ..
        } = self;
        let (seen, fired) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            name: name.clone(),
            key: key.clone(),
            suffix: *suffix,
            record_type: *record_type,
            transport: *transport,
            from: *from,
            times: *times,
            every: *every,
            action: *action,
            delay: *delay,
            jitter: *jitter,
            seed: *seed,
            seen,
            fired,
        }
    }
}

impl Firing<'_> {
    /// The delay of the answer.
    pub(super) fn delay(&self) -> Duration {
        let most = u64::try_from(self.fault.jitter.as_micros()).unwrap_or(u64::MAX);
        let more = if most == 0 {
            0
        } else {
            self.chance(0) % most.saturating_add(1)
        };
        self.fault.delay.saturating_add(Duration::from_micros(more))
    }

    /// The number at a place of this firing's own sequence: equal seeds and questions give equal numbers (splitmix64).
    pub(super) fn chance(&self, place: u64) -> u64 {
        let state = self.fault.seed ^ self.nth.wrapping_mul(0xD1B5_4A32_D192_ED03);
        let state = state.wrapping_add((place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
