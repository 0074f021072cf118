//! Bounded logs: the oldest entries are dropped first, and counted.

mod backlog;
mod entry;
mod event;
mod failures;
#[cfg(feature = "journal-file")]
pub mod file;
mod metrics;
mod store;

pub(crate) use backlog::{Backlog, Waiting};
pub(crate) use entry::{DnsExchange, millis};
pub use entry::{DnsQuery, Envelope, Message};
pub use event::{Event, EventKind, LateJson, ObservedFacts};
pub use failures::Failures;
pub(crate) use metrics::Histogram;
pub use metrics::{Counter, Family, LabelledCounter, MailCounts, Metrics};
pub use store::Last;
pub(crate) use store::{JournalStore, StoredMark, StoredMessage, StoredSession};

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The limits of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of entries.
    pub entries: usize,
    /// Maximum size in octets, as counted by the entries.
    pub octets: usize,
}

/// An entry of a [`Log`].
pub trait Entry {
    /// The approximate memory that it uses, in octets.
    fn octets(&self) -> usize;
}

/// A bounded log. Entries are numbered from 1 in the order of arrival.
pub struct Log<T> {
    /// Lock order: the log of sessions, the log of events, the record of a session, the logs of messages and of DNS queries.
    inner: Mutex<Inner<T>>,
    changed: Notify,
    limits: Limits,
    relay: Option<Relay<T>>,
    supply: OnceLock<Supply<T>>,
    watcher: OnceLock<Relay<T>>,
}

/// The new entries, numbered from the given number, and the number of skipped entries: those that were dropped before
/// the log was read.
type Supply<T> = Box<dyn Fn(u64) -> (u64, Vec<T>) + Send + Sync>;

/// The function called for each entry: after the log's lock is released, or under the lock for supplied entries.
type Relay<T> = Box<dyn Fn(&[Arc<T>]) + Send + Sync>;

impl<T: std::fmt::Debug> std::fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("inner", &self.inner)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Inner<T> {
    /// The entries, each with its counted size.
    entries: VecDeque<(Arc<T>, usize)>,
    octets: usize,
    dropped: u64,
}

/// A snapshot of the counts of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Entries kept.
    pub kept: usize,
    /// Octets kept.
    pub octets: usize,
    /// Entries dropped to stay within the limits.
    pub dropped: u64,
}

impl<T: Entry> Log<T> {
    /// Makes an empty log.
    pub fn new(limits: Limits) -> Self {
        let inner = Inner {
            entries: VecDeque::new(),
            octets: 0,
            dropped: 0,
        };
        Self {
            inner: Mutex::new(inner),
            changed: Notify::new(),
            limits,
            relay: None,
            supply: OnceLock::new(),
            watcher: OnceLock::new(),
        }
    }

    /// Makes an empty log that passes new entries to `relay`; entries that were appended together are passed together.
    pub fn relayed(limits: Limits, relay: impl Fn(&[Arc<T>]) + Send + Sync + 'static) -> Self {
        Self {
            relay: Some(Box::new(relay)),
            ..Self::new(limits)
        }
    }

    /// Sets a supplier of entries, which is called when the log is read or appended to: a busy server has many more entries than
    /// anybody reads.
    pub(crate) fn supplied(&self, supply: impl Fn(u64) -> (u64, Vec<T>) + Send + Sync + 'static) {
        let _ = self.supply.set(Box::new(supply));
    }

    /// Passes new and changed entries to `watcher`, outside the lock of the log. Only the first watcher is kept.
    pub(crate) fn watched(&self, watcher: impl Fn(&[Arc<T>]) + Send + Sync + 'static) {
        let _ = self.watcher.set(Box::new(watcher));
    }

    /// Calls the watcher for entries that have been added.
    fn notify(&self, entries: &[Arc<T>]) {
        if let Some(relay) = &self.relay {
            relay(entries);
        }
        if let Some(watcher) = self.watcher.get() {
            watcher(entries);
        }
        self.changed.notify_waiters();
    }

    /// Adds the supplied entries.
    #[cfg(test)]
    pub(crate) fn catch_up(&self) {
        drop(self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        let mut inner = self.inner.lock();
        let (skipped, supplied) = self
            .supply
            .get()
            .map(|supply| supply(inner.next()))
            .unwrap_or_default();
        inner.skip(skipped);
        if !supplied.is_empty() {
            let entries: Vec<_> = supplied
                .into_iter()
                .map(|entry| inner.append(|_| entry, self.limits))
                .collect();
            if let Some(relay) = &self.relay {
                relay(&entries);
            }
        }
        inner
    }

    /// Appends an entry and wakes the waits; `make` gets the number of the entry.
    pub fn append(&self, make: impl FnOnce(u64) -> T) -> Arc<T> {
        let entry = self.lock().append(make, self.limits);
        self.notify(std::slice::from_ref(&entry));
        entry
    }

    /// Appends an entry unless `make` returns `None`. It is called within the lock of the log.
    pub(crate) fn append_if(&self, make: impl FnOnce(u64) -> Option<T>) -> Option<Arc<T>> {
        let mut inner = self.lock();
        let entry = make(inner.next())?;
        let entry = inner.append(|_| entry, self.limits);
        drop(inner);
        self.notify(std::slice::from_ref(&entry));
        Some(entry)
    }

    /// Appends several entries with one lock.
    pub fn extend<F: FnOnce(u64) -> T>(&self, makes: impl IntoIterator<Item = F>) {
        let mut inner = self.lock();
        let entries: Vec<_> = makes
            .into_iter()
            .map(|make| inner.append(make, self.limits))
            .collect();
        drop(inner);
        self.notify(&entries);
    }

    /// Loads entries of an earlier process, oldest first, numbered from `first`.
    pub(crate) fn restore(&self, first: u64, entries: Vec<T>) {
        let mut inner = self.lock();
        inner.dropped = first.saturating_sub(1);
        for entry in entries {
            inner.append(|_| entry, self.limits);
        }
    }

    /// The number of the newest entry, even if it was dropped; 0 without entries.
    pub fn last(&self) -> u64 {
        let inner = self.lock();
        inner.dropped + inner.entries.len() as u64
    }

    /// Removes all entries. The numbering continues, and the entries count as dropped.
    pub fn clear(&self) {
        self.clear_with(|_| {});
    }

    /// Removes all entries, and calls `meanwhile` with the number of the last one before another is appended. The supplier is
    /// not called.
    pub(crate) fn clear_with(&self, meanwhile: impl FnOnce(u64)) {
        let mut inner = self.inner.lock();
        inner.dropped += inner.entries.len() as u64;
        inner.entries.clear();
        inner.octets = 0;
        meanwhile(inner.dropped);
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Adds octets to the size of an entry that has changed.
    pub fn grow(&self, number: u64, octets: usize) {
        let mut inner = self.lock();
        let index = number
            .checked_sub(inner.dropped + 1)
            .and_then(|index| usize::try_from(index).ok());
        if let Some((_, counted)) = index.and_then(|index| inner.entries.get_mut(index)) {
            *counted += octets;
            inner.octets += octets;
            inner.trim(self.limits);
        }
    }

    /// Reports that an entry has changed.
    pub(crate) fn changed_within(&self, entry: &Arc<T>) {
        if let Some(watcher) = self.watcher.get() {
            watcher(std::slice::from_ref(entry));
        }
        self.changed.notify_waiters();
    }

    /// Wakes the waits, because the supplier has entries.
    pub fn touch(&self) {
        self.changed.notify_waiters();
    }

    /// The entries kept, oldest first.
    pub fn entries(&self) -> Vec<Arc<T>> {
        self.lock()
            .entries
            .iter()
            .map(|(entry, _)| Arc::clone(entry))
            .collect()
    }

    /// The entries with a number greater than this one, oldest first.
    pub fn after(&self, number: u64) -> Vec<Arc<T>> {
        let inner = self.lock();
        let passed = usize::try_from(number.saturating_sub(inner.dropped)).unwrap_or(usize::MAX);
        inner
            .entries
            .iter()
            .skip(passed)
            .map(|(entry, _)| Arc::clone(entry))
            .collect()
    }

    /// At most `most` entries with a number greater than `after`, oldest first.
    pub fn page(&self, after: u64, most: usize) -> Vec<Arc<T>> {
        let inner = self.lock();
        let passed = usize::try_from(after.saturating_sub(inner.dropped)).unwrap_or(usize::MAX);
        inner
            .entries
            .iter()
            .skip(passed)
            .take(most)
            .map(|(entry, _)| Arc::clone(entry))
            .collect()
    }

    /// At most `most` entries with a number less than `before`, newest first.
    pub(crate) fn page_back(&self, before: u64, most: usize) -> Vec<Arc<T>> {
        let inner = self.lock();
        let below = before.saturating_sub(inner.dropped).saturating_sub(1);
        let below = usize::try_from(below)
            .unwrap_or(usize::MAX)
            .min(inner.entries.len());
        inner
            .entries
            .range(..below)
            .rev()
            .take(most)
            .map(|(entry, _)| Arc::clone(entry))
            .collect()
    }

    /// The entry with this number, if it is kept.
    pub fn entry(&self, number: u64) -> Option<Arc<T>> {
        let inner = self.lock();
        let index = number.checked_sub(inner.dropped + 1)?;
        inner
            .entries
            .get(usize::try_from(index).ok()?)
            .map(|(entry, _)| Arc::clone(entry))
    }

    /// The current counts.
    pub fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            kept: inner.entries.len(),
            octets: inner.octets,
            dropped: inner.dropped,
        }
    }

    /// The next change: call this, read the log, then await, and no change is missed.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Waits until `found` returns a value; it is called again after each change.
    pub async fn wait<R>(&self, mut found: impl FnMut(&Self) -> Option<R>) -> R {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(result) = found(self) {
                return result;
            }
            changed.await;
        }
    }
}

impl<T: Entry> Inner<T> {
    /// The number of the next entry.
    fn next(&self) -> u64 {
        self.dropped + self.entries.len() as u64 + 1
    }

    fn append(&mut self, make: impl FnOnce(u64) -> T, limits: Limits) -> Arc<T> {
        let entry = Arc::new(make(self.next()));
        let octets = entry.octets();
        self.octets += octets;
        self.entries.push_back((Arc::clone(&entry), octets));
        self.trim(limits);
        entry
    }

    /// Skips entries that were dropped before they were added: all kept entries are older.
    fn skip(&mut self, skipped: u64) {
        if skipped > 0 {
            self.dropped += self.entries.len() as u64 + skipped;
            self.entries.clear();
            self.octets = 0;
        }
    }

    /// Drops the oldest entries beyond the limits; the newest entry is always kept.
    fn trim(&mut self, limits: Limits) {
        while self.entries.len() > 1
            && (self.entries.len() > limits.entries || self.octets > limits.octets)
        {
            if let Some((_, octets)) = self.entries.pop_front() {
                self.octets -= octets;
                self.dropped += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Entry for String {
        fn octets(&self) -> usize {
            self.len()
        }
    }

    #[track_caller]
    fn check(limits: Limits, appended: &[&str], kept: &[&str], dropped: u64) {
        let log = Log::new(limits);
        for text in appended {
            log.append(|_| (*text).to_owned());
        }
        let entries = log.entries();
        assert_eq!(entries.iter().map(|e| e.as_str()).collect::<Vec<_>>(), kept);
        assert_eq!(log.counts().dropped, dropped);
        assert_eq!(
            log.entry(dropped + 1).as_deref().map(String::as_str),
            kept.first().copied()
        );
        assert_eq!(log.entry(dropped), None);
        assert_eq!(log.after(dropped), entries);
        assert_eq!(log.after(dropped + 1), entries[1..]);
    }

    #[test]
    fn the_oldest_are_dropped_first_and_counted() {
        let limits = |entries, octets| Limits { entries, octets };
        check(limits(2, 100), &["a", "b", "c"], &["b", "c"], 1);
        check(limits(9, 4), &["aa", "bb", "cc"], &["bb", "cc"], 1);
        check(limits(9, 1), &["aaaa"], &["aaaa"], 0);
        check(limits(9, 3), &["a", "b", "cccc"], &["cccc"], 2);
    }

    #[test]
    fn entries_that_grow_push_others_out() {
        let log: Log<String> = Log::new(Limits {
            entries: 9,
            octets: 10,
        });
        let [first, second] = ["aaa", "bbb"].map(|text| log.append(|_| text.to_owned()));
        log.grow(2, 4);
        assert_eq!((log.counts().octets, log.counts().dropped), (10, 0));
        log.grow(2, 1);
        assert_eq!(
            (log.counts().octets, log.counts().dropped),
            (8, 1),
            "{first} went"
        );
        log.grow(1, 100);
        assert_eq!(log.counts().octets, 8, "a dropped entry does not grow");
        assert_eq!(log.entries(), [second]);
    }
}
