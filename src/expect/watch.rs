//! Watches: each looks at an entry of a log once when it comes, and again when it changes, and at no other.
//!
//! A log tells its [`Watchers`] of every entry that is new or has changed. They find the watches that it may concern by
//! one condition of each pattern, so that a thousand waits cost a session a few look-ups and not a thousand
//! comparisons. The lock order is: the index, then the entry, then one watch.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::Mismatch;
use crate::journal::{Entry, Log};

/// Changed entries that a watch of changes keeps until somebody looks.
const CHANGES: usize = 10_000;
/// Counted entries above which those that the log has dropped are forgotten.
const COUNTED: usize = 1_024;

/// An entry that can be watched.
pub(crate) trait Watched: Entry + Send + Sync + Sized + 'static {
    /// What is looked for.
    type Pattern: Clone + PartialEq + std::fmt::Display + std::fmt::Debug + Send + Sync + 'static;
    /// What is looked at: it does not change meanwhile.
    type View;

    /// The number of the entry.
    fn number(&self) -> u64;
    /// Looks at the entry.
    fn view<R>(&self, look: impl FnOnce(&Self::View) -> R) -> R;
    /// Whether patterns can judge it yet.
    fn is_settled(view: &Self::View) -> bool;
    /// Whether it does not change any more.
    fn is_final(view: &Self::View) -> bool;
    /// The condition by which a pattern is found; `None` where every entry may concern it.
    fn key(pattern: &Self::Pattern) -> Option<Key>;
    /// The keys of an entry in these fields.
    fn keys(view: &Self::View, fields: Fields, each: &mut dyn FnMut(Key));
    /// Whether it meets the pattern.
    fn meets(view: &Self::View, pattern: &Self::Pattern) -> bool;
    /// Where it does not.
    fn mismatches(view: &Self::View, pattern: &Self::Pattern) -> Vec<Mismatch>;
    /// The entry in one line.
    fn line(view: &Self::View) -> String;
    /// The entry as a person would want to read it.
    fn story(view: &Self::View) -> String {
        Self::line(view)
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(u32);

impl Fields {
    /// Whether a field is one of them.
    pub fn has(self, field: u8) -> bool {
        self.0 & 1 << field != 0
    }
}

/// One field with its value, as a hash: what has the same key is compared in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    field: u8,
    hash: u64,
}

impl Key {
    /// The key of a value, without regard to case; `field` is below 32.
    pub fn new(field: u8, value: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        for octet in value.bytes() {
            hasher.write_u8(octet.to_ascii_lowercase());
        }
        let hash = hasher.finish();
        Self { field, hash }
    }

    /// The key of a number.
    pub fn of_number(field: u8, number: u64) -> Self {
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
    /// Those that every settled entry may concern.
    rest: Vec<Arc<Watch<T>>>,
    /// Those of every change.
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
    /// What is looked for; every change where `None`.
    pattern: Option<T::Pattern>,
    /// Only entries with a number above this one.
    after: u64,
    sink: Mutex<Sink<T>>,
    /// Told when enough was found.
    enough: Notify,
}

#[derive(Debug)]
enum Sink<T> {
    /// Keeps what is found, `most` entries at most, and tells when they are `enough`.
    Keep {
        found: BTreeMap<u64, Arc<T>>,
        enough: usize,
        most: usize,
    },
    /// Counts what is found, each entry once, and keeps the first beyond `most`.
    Count {
        count: u64,
        most: Option<u64>,
        beyond: Option<Arc<T>>,
        /// Entries that were counted and may change still.
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

    /// Keeps what matches, and tells once it is `enough`.
    pub fn keeping(pattern: T::Pattern, after: u64, enough: usize, most: usize) -> Arc<Self> {
        let found = BTreeMap::new();
        let sink = Sink::Keep {
            found,
            enough,
            most,
        };
        Self::new(Some(pattern), after, sink)
    }

    /// Keeps whatever changes.
    pub fn of_changes() -> Arc<Self> {
        let sink = Sink::Keep {
            found: BTreeMap::new(),
            enough: 1,
            most: CHANGES,
        };
        Self::new(None, 0, sink)
    }

    /// Counts what matches, and keeps the first match beyond `most`.
    pub fn counting(pattern: T::Pattern, after: u64, most: Option<u64>) -> Arc<Self> {
        let sink = Sink::Count {
            count: 0,
            most,
            beyond: None,
            counted: BTreeMap::new(),
            forget_at: COUNTED,
        };
        Self::new(Some(pattern), after, sink)
    }

    /// What is looked for; every change where `None`.
    pub fn pattern(&self) -> Option<&T::Pattern> {
        self.pattern.as_ref()
    }

    /// Only entries with a number above this one count.
    pub fn after(&self) -> u64 {
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
                    // Nobody else's entry is locked here: sessions that the log has dropped are forgotten.
                    counted.retain(|_, kept| kept.strong_count() > 0);
                    *forget_at = COUNTED.max(counted.len() * 2);
                }
            }
        }
    }

    /// What was found and still matches, the oldest first: what changed since and does not is forgotten.
    pub fn found(&self) -> Vec<Arc<T>> {
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

    /// Takes out what changed, the oldest first.
    pub fn take_changes(&self) -> Vec<Arc<T>> {
        match &mut *self.sink.lock() {
            Sink::Keep { found, .. } => std::mem::take(found).into_values().collect(),
            Sink::Count { .. } => Vec::new(),
        }
    }

    /// Waits until enough was found, since the last time that this returned.
    pub async fn enough(&self) {
        self.enough.notified().await;
    }

    /// How many were counted, and the first beyond the most.
    pub fn counted(&self) -> (u64, Option<Arc<T>>) {
        match &*self.sink.lock() {
            Sink::Count { count, beyond, .. } => (*count, beyond.clone()),
            Sink::Keep { found, .. } => (found.len() as u64, None),
        }
    }
}

impl<T: Watched> Watchers<T> {
    /// The watches of a log, which tells them of what comes and changes from now on.
    pub fn of(log: &Arc<Log<T>>) -> Arc<Self> {
        let watchers = Arc::new(Self {
            log: Arc::clone(log),
            count: AtomicUsize::new(0),
            index: RwLock::default(),
        });
        let told = Arc::downgrade(&watchers);
        log.watched(move |entries| {
            if let Some(watchers) = told.upgrade() {
                watchers.tell(entries);
            }
        });
        watchers
    }

    /// The log they watch.
    pub fn log(&self) -> &Arc<Log<T>> {
        &self.log
    }

    fn tell(&self, entries: &[Arc<T>]) {
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

    /// Begins a watch; it ends when what is returned is dropped.
    pub fn begin(self: &Arc<Self>, watch: Arc<Watch<T>>) -> Watching<T> {
        self.index.write().add(Arc::clone(&watch));
        self.count.fetch_add(1, Ordering::AcqRel);
        Watching {
            watch,
            watchers: Arc::clone(self),
        }
    }

    /// As [`Watchers::begin`], and looks at what there is already.
    pub fn begin_with_the_past(self: &Arc<Self>, watch: Arc<Watch<T>>) -> Watching<T> {
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

/// A watch while it lasts.
#[derive(Debug)]
pub(crate) struct Watching<T: Watched> {
    watch: Arc<Watch<T>>,
    watchers: Arc<Watchers<T>>,
}

impl<T: Watched> Watching<T> {
    /// The log that is watched.
    pub fn log(&self) -> &Log<T> {
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
