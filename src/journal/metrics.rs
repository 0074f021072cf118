//! Metrics. Counters only grow; dropping journal entries does not change them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the counter.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of the mail of one world; [`Metrics`] can belong to several worlds.
#[derive(Debug, Default)]
pub struct MailCounts {
    /// Messages accepted.
    pub(crate) messages: Counter,
    /// Total size of the accepted messages, in octets.
    pub(crate) message_octets: Counter,
    /// Refusals.
    pub refusals: Counter,
}

/// A histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: Counter,
    sum_us: Counter,
}

/// The upper bounds of the buckets, in seconds.
pub(crate) const BOUNDS: [f64; 13] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0,
];

impl Histogram {
    /// Records one duration.
    pub(crate) fn observe(&self, time: Duration) {
        self.observe_each(time, 1);
    }

    /// Records one duration for each of `times` observations.
    pub(crate) fn observe_each(&self, time: Duration, times: u64) {
        let seconds = time.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket].fetch_add(times, Ordering::Relaxed);
        }
        self.count.add(times);
        self.sum_us.add(
            u64::try_from(time.as_micros())
                .unwrap_or(u64::MAX)
                .saturating_mul(times),
        );
    }

    /// The number of observations up to each bound.
    pub(crate) fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let up_to = |(bound, bucket): (&f64, &AtomicU64)| {
            sum += bucket.load(Ordering::Relaxed);
            (*bound, sum)
        };
        BOUNDS.iter().zip(&self.buckets).map(up_to).collect()
    }

    /// The number of observations.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }

    /// The sum of the observed durations, in seconds.
    pub(crate) fn sum(&self) -> f64 {
        Duration::from_micros(self.sum_us.get()).as_secs_f64()
    }
}

/// Counters by label values, for few combinations.
#[derive(Debug)]
pub struct Family<const N: usize>(Mutex<BTreeMap<[String; N], u64>>);

impl<const N: usize> Default for Family<N> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<const N: usize> Family<N> {
    /// Increments the counter of these label values.
    pub fn count(&self, labels: [&str; N]) {
        *self.0.lock().entry(labels.map(str::to_owned)).or_default() += 1;
    }

    /// All counters.
    pub fn counts(&self) -> Vec<([String; N], u64)> {
        self.0
            .lock()
            .iter()
            .map(|(labels, count)| (labels.clone(), *count))
            .collect()
    }
}

/// Counters for a fixed list of words; any other word is counted under the last one.
#[derive(Debug)]
pub struct LabelledCounter<const N: usize> {
    words: [&'static str; N],
    counts: [Counter; N],
}

impl<const N: usize> LabelledCounter<N> {
    fn new(words: [&'static str; N]) -> Self {
        Self {
            words,
            counts: std::array::from_fn(|_| Counter::default()),
        }
    }

    /// Increments the counter of these label values.
    pub fn count(&self, word: &str) {
        let index = self
            .words
            .iter()
            .position(|known| *known == word)
            .unwrap_or(N - 1);
        self.counts[index].add(1);
    }

    /// All words with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.words
            .iter()
            .zip(&self.counts)
            .map(|(word, count)| (*word, count.get()))
    }
}

/// The metrics of a process, or of one world. Only refusals need a lock.
#[derive(Debug)]
pub struct Metrics {
    /// Connections accepted.
    pub(crate) sessions: Counter,
    /// Messages accepted.
    pub(crate) messages: Counter,
    /// Total size of the accepted messages, in octets.
    pub(crate) message_octets: Counter,
    /// Refusals by verdict, source, rule and stage.
    pub(crate) refusals: Family<4>,
    /// Sessions that ended, by verdict.
    pub ended: LabelledCounter<4>,
    /// DNS queries by RCODE.
    pub(crate) queries: LabelledCounter<9>,
    /// Faults that took effect, by kind.
    pub(crate) faults: Family<1>,
    /// The time from accepting a connection to its end.
    pub(crate) session_time: Histogram,
    /// The time from reading commands to sending their replies, including waits for DNS.
    pub(crate) reply_time: Histogram,
    /// The time from reading DNS queries to sending their answers, without delayed and forwarded ones.
    pub(crate) answer_time: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let rcodes = [
            "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "BADVERS", "none",
            "other",
        ];
        Self {
            sessions: Counter::default(),
            messages: Counter::default(),
            message_octets: Counter::default(),
            refusals: Family::default(),
            ended: LabelledCounter::new(["accept", "defer", "reject", "none"]),
            queries: LabelledCounter::new(rcodes),
            faults: Family::default(),
            session_time: Histogram::default(),
            reply_time: Histogram::default(),
            answer_time: Histogram::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let times = Histogram::default();
        for ms in [0, 1, 200, 60_000] {
            times.observe(Duration::from_millis(ms));
        }
        let cumulative = times.cumulative();
        assert_eq!(cumulative.first(), Some(&(0.000_01, 1)));
        assert_eq!(
            cumulative.last(),
            Some(&(30.0, 3)),
            "durations above the last bound are only in the count"
        );
        times.observe_each(Duration::from_millis(2), 10);
        assert_eq!(
            (times.cumulative()[5], times.count(), times.sum()),
            ((0.002_5, 12), 14, 60.221)
        );
    }

    #[test]
    fn families_count_by_labels() {
        let family: Family<2> = Family::default();
        family.count(["a", "b"]);
        family.count(["a", "b"]);
        assert_eq!(family.counts(), [(["a".to_owned(), "b".to_owned()], 2)]);
    }
}
