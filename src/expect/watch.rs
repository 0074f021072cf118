//! Watches: each one compares an entry of a log once when it is added, and again when it changes.
//!
//! A log passes new and changed entries to its [`Watchers`]. They find the watches that an entry can match by one
//! condition of each filter, so that with a thousand waits a session costs a few lookups instead of a thousand
//! comparisons. Lock order: the index, then the entry, then one watch.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::Mismatch;
use crate::journal::{Entry, Log};

/// Maximum number of changed entries that a watch of changes keeps until they are read.
const CHANGES: usize = 10_000;
/// Number of counted entries from which on those that the log has dropped are removed.
const COUNTED: usize = 1_024;

/// An entry that can be watched.
pub(crate) trait Watched: Entry + Send + Sync + Sized + 'static {
    /// The filter.
    type Pattern: Clone + PartialEq + std::fmt::Display + std::fmt::Debug + Send + Sync + 'static;
    /// The view of an entry, which does not change while it is read.
    type View;

    /// The number of the entry.
    fn number(&self) -> u64;
    /// Calls `look` with the entry.
    fn view<R>(&self, look: impl FnOnce(&Self::View) -> R) -> R;
    /// Whether filters can be applied to the entry yet.
    fn is_settled(_: &Self::View) -> bool {
        true
    }
    /// Whether the entry can no longer change.
    fn is_final(_: &Self::View) -> bool {
        true
    }
    /// The condition by which a filter is indexed; `None` if every entry can match it.
    fn key(pattern: &Self::Pattern) -> Option<Key>;
    /// The keys of an entry in these fields.
    fn keys(view: &Self::View, fields: Fields, each: &mut dyn FnMut(Key));
    /// Whether the entry matches the filter.
    fn meets(view: &Self::View, pattern: &Self::Pattern) -> bool;
    /// The conditions that do not match.
    fn mismatches(view: &Self::View, pattern: &Self::Pattern) -> Vec<Mismatch>;
    /// The entry as one line.
    fn line(view: &Self::View) -> String;
    /// The entry as a text for people.
    fn story(view: &Self::View) -> String {
        Self::line(view)
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(u32);

impl Fields {
    /// Whether it contains a field.
    pub(crate) fn has(self, field: u8) -> bool {
        self.0 & 1 << field != 0
    }
}

/// A field with the hash of its value. Entries with the same key are compared in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    field: u8,
    hash: u64,
}

impl Key {
    /// The key of a value, ignoring case; `field` is below 32.
    pub(crate) fn new(field: u8, value: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        for octet in value.bytes() {
            hasher.write_u8(octet.to_ascii_lowercase());
        }
        let hash = hasher.finish();
        Self { field, hash }
    }

    /// The key of a number.
    pub(crate) fn of_number(field: u8, number: u64) -> Self {
        Self {
            field,
            hash: number,
        }
    }
}

/// The watches of one log.
#[derive(Debug)]
pub(crate) struct Watchers<T: Watched> {
    log: Arc<Log<T>>,
    count: AtomicUsize,
    index: RwLock<Index<T>>,
}

#[derive(Debug)]
struct Index<T: Watched> {
    fields: Fields,
    keyed: HashMap<Key, Vec<Arc<Watch<T>>>>,
    /// Watches that every settled entry can match.
    rest: Vec<Arc<Watch<T>>>,
    /// Watches of all changes.
    changes: Vec<Arc<Watch<T>>>,
}

impl<T: Watched> Default for Index<T> {
    fn default() -> Self {
        Self {
            fields: Fields::default(),
            keyed: HashMap::new(),
            rest: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// One watch.
#[derive(Debug)]
pub(crate) struct Watch<T: Watched> {
    /// The filter; `None` for all changes.
    pattern: Option<T::Pattern>,
    /// Only entries with a number above this one.
    after: u64,
    sink: Mutex<Sink<T>>,
    /// Notified when there are enough matches.
    enough: Notify,
}

#[derive(Debug)]
enum Sink<T> {
    /// Keeps matching entries, at most `most`, and notifies when there are `enough`.
    Keep {
        found: BTreeMap<u64, Arc<T>>,
        enough: usize,
        most: usize,
    },
    /// Counts matching entries, each once, and keeps the first one beyond `most`.
    Count {
        count: u64,
        most: Option<u64>,
        beyond: Option<Arc<T>>,
        /// Counted entries that can still change.
        counted: BTreeMap<u64, Weak<T>>,
        forget_at: usize,
    },
}

impl<T: Watched> Watch<T> {
    fn new(pattern: Option<T::Pattern>, after: u64, sink: Sink<T>) -> Arc<Self> {
        Arc::new(Self {
            pattern,
            after,
            sink: Mutex::new(sink),
            enough: Notify::new(),
        })
    }

    /// Keeps matching entries, and notifies when there are `enough`.
    pub(crate) fn keeping(
        pattern: T::Pattern,
        after: u64,
        enough: usize,
        most: usize,
    ) -> Arc<Self> {
        let found = BTreeMap::new();
        let sink = Sink::Keep {
            found,
            enough,
            most,
        };
        Self::new(Some(pattern), after, sink)
    }

    /// Keeps all changed entries.
    pub(crate) fn of_changes() -> Arc<Self> {
        let sink = Sink::Keep {
            found: BTreeMap::new(),
            enough: 1,
            most: CHANGES,
        };
        Self::new(None, 0, sink)
    }

    /// Counts matching entries, and keeps the first match beyond `most`.
    pub(crate) fn counting(pattern: T::Pattern, after: u64, most: Option<u64>) -> Arc<Self> {
        let sink = Sink::Count {
            count: 0,
            most,
            beyond: None,
            counted: BTreeMap::new(),
            forget_at: COUNTED,
        };
        Self::new(Some(pattern), after, sink)
    }

    /// The filter; `None` for all changes.
    pub(crate) fn pattern(&self) -> Option<&T::Pattern> {
        self.pattern.as_ref()
    }

    /// Only entries with a number above this one count.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    fn look(&self, entry: &Arc<T>, view: &T::View) {
        let number = entry.number();
        if number > self.after && self.pattern.as_ref().is_none_or(|p| T::meets(view, p)) {
            self.take(entry, number, T::is_final(view));
        }
    }

    fn take(&self, entry: &Arc<T>, number: u64, is_final: bool) {
        match &mut *self.sink.lock() {
            Sink::Keep {
                found,
                enough,
                most,
            } => {
                if found.len() < *most {
                    found.insert(number, Arc::clone(entry));
                }
                if found.len() >= *enough {
                    self.enough.notify_one();
                }
            }
            Sink::Count {
                count,
                most,
                beyond,
                counted,
                forget_at,
            } => {
                let known = match is_final {
                    true => counted.remove(&number).is_some(),
                    false => counted.insert(number, Arc::downgrade(entry)).is_some(),
                };
                if known {
                    return;
                }
                *count += 1;
                if most.is_some_and(|most| *count > most) && beyond.is_none() {
                    *beyond = Some(Arc::clone(entry));
                }
                if counted.len() > *forget_at {
                    // No other entry is locked here, so only sessions that the log has dropped are removed.
                    counted.retain(|_, entry| entry.strong_count() > 0);
                    *forget_at = COUNTED.max(counted.len() * 2);
                }
            }
        }
    }

    /// The kept entries that still match, oldest first; entries that no longer match are removed.
    pub(crate) fn found(&self) -> Vec<Arc<T>> {
        let all: Vec<_> = match &*self.sink.lock() {
            Sink::Keep { found, .. } => found.values().cloned().collect(),
            Sink::Count { .. } => Vec::new(),
        };
        let (kept, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|entry| {
            let pattern = self.pattern.as_ref();
            entry.view(|view| pattern.is_none_or(|pattern| T::meets(view, pattern)))
        });
        if let Sink::Keep { found, .. } = &mut *self.sink.lock() {
            for entry in gone {
                found.remove(&entry.number());
            }
        }
        kept
    }

    /// Takes the changed entries, oldest first.
    pub(crate) fn take_changes(&self) -> Vec<Arc<T>> {
        match &mut *self.sink.lock() {
            Sink::Keep { found, .. } => std::mem::take(found).into_values().collect(),
            Sink::Count { .. } => Vec::new(),
        }
    }

    /// Waits until there are enough matches since the last return of this function.
    pub(crate) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// The number of matches, and the first match beyond the maximum.
    pub(crate) fn counted(&self) -> (u64, Option<Arc<T>>) {
        match &*self.sink.lock() {
            Sink::Count { count, beyond, .. } => (*count, beyond.clone()),
            Sink::Keep { found, .. } => (found.len() as u64, None),
        }
    }
}

impl<T: Watched> Watchers<T> {
    /// The watches of a log, which receive its new and changed entries from now on.
    pub(crate) fn of(log: &Arc<Log<T>>) -> Arc<Self> {
        let watchers = Arc::new(Self {
            log: Arc::clone(log),
            count: AtomicUsize::new(0),
            index: RwLock::default(),
        });
        let weak = Arc::downgrade(&watchers);
        log.watched(move |entries| {
            if let Some(watchers) = weak.upgrade() {
                watchers.notify(entries);
            }
        });
        watchers
    }

    /// The log.
    pub(crate) fn log(&self) -> &Arc<Log<T>> {
        &self.log
    }

    fn notify(&self, entries: &[Arc<T>]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let index = self.index.read();
        for entry in entries {
            entry.view(|view| {
                for watch in &index.changes {
                    watch.look(entry, view);
                }
                if T::is_settled(view) {
                    index.look(entry, view);
                }
            });
        }
    }

    /// Begins a watch, which ends when the returned value is dropped.
    pub(crate) fn begin(self: &Arc<Self>, watch: Arc<Watch<T>>) -> Watching<T> {
        self.index.write().add(Arc::clone(&watch));
        self.count.fetch_add(1, Ordering::AcqRel);
        Watching {
            watch,
            watchers: Arc::clone(self),
        }
    }

    /// Like [`Watchers::begin`], and compares the existing entries too.
    pub(crate) fn begin_with_existing(self: &Arc<Self>, watch: Arc<Watch<T>>) -> Watching<T> {
        let watching = self.begin(watch);
        for entry in self.log.after(watching.after) {
            entry.view(|view| {
                if watching.pattern.is_none() || T::is_settled(view) {
                    watching.look(&entry, view);
                }
            });
        }
        watching
    }
}

impl<T: Watched> Index<T> {
    fn look(&self, entry: &Arc<T>, view: &T::View) {
        for watch in &self.rest {
            watch.look(entry, view);
        }
        if self.keyed.is_empty() {
            return;
        }
        T::keys(view, self.fields, &mut |key| {
            for watch in self.keyed.get(&key).into_iter().flatten() {
                watch.look(entry, view);
            }
        });
    }

    fn place(&mut self, watch: &Watch<T>) -> &mut Vec<Arc<Watch<T>>> {
        match &watch.pattern {
            None => &mut self.changes,
            Some(pattern) => match T::key(pattern) {
                None => &mut self.rest,
                Some(key) => {
                    self.fields.0 |= 1 << key.field;
                    self.keyed.entry(key).or_default()
                }
            },
        }
    }

    fn add(&mut self, watch: Arc<Watch<T>>) {
        self.place(&watch).push(watch);
    }

    fn remove(&mut self, watch: &Arc<Watch<T>>) {
        let place = self.place(watch);
        if let Some(index) = place.iter().position(|other| Arc::ptr_eq(other, watch)) {
            place.swap_remove(index);
        }
        let key = watch.pattern.as_ref().and_then(T::key);
        if let Some(key) = key.filter(|key| self.keyed.get(key).is_some_and(Vec::is_empty)) {
            self.keyed.remove(&key);
        }
        if self.keyed.is_empty() {
            self.fields = Fields::default();
        }
    }
}

/// A watch that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watching<T: Watched> {
    watch: Arc<Watch<T>>,
    watchers: Arc<Watchers<T>>,
}

impl<T: Watched> Watching<T> {
    /// The log.
    pub(crate) fn log(&self) -> &Log<T> {
        self.watchers.log()
    }
}

impl<T: Watched> std::ops::Deref for Watching<T> {
    type Target = Watch<T>;
    fn deref(&self) -> &Watch<T> {
        &self.watch
    }
}

impl<T: Watched> Drop for Watching<T> {
    fn drop(&mut self) {
        self.watchers.count.fetch_sub(1, Ordering::AcqRel);
        self.watchers.index.write().remove(&self.watch);
    }
}

#[cfg(test)]
mod tests;
