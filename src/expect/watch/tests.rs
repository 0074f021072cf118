use std::sync::atomic::AtomicU64;

use super::*;
use crate::journal::Limits;

/// An entry with a number, which a filter can select, and which counts its comparisons.
#[derive(Debug)]
struct Number {
    id: u64,
    value: u64,
    compared: AtomicU64,
}

impl Entry for Number {
    fn octets(&self) -> usize {
        8
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Wanted(u64);

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Watched for Number {
    type Pattern = Wanted;
    type View = Self;
    fn number(&self) -> u64 {
        self.id
    }
    fn view<R>(&self, look: impl FnOnce(&Self) -> R) -> R {
        look(self)
    }
    fn key(pattern: &Wanted) -> Option<Key> {
        (pattern.0 > 0).then_some(Key::of_number(0, pattern.0))
    }
    fn keys(number: &Self, _: Fields, each: &mut dyn FnMut(Key)) {
        each(Key::of_number(0, number.value));
    }
    fn meets(number: &Self, pattern: &Wanted) -> bool {
        number.compared.fetch_add(1, Ordering::Relaxed);
        pattern.0 == 0 || number.value == pattern.0
    }
    fn mismatches(_: &Self, _: &Wanted) -> Vec<Mismatch> {
        Vec::new()
    }
    fn line(number: &Self) -> String {
        number.value.to_string()
    }
}

fn log() -> Arc<Log<Number>> {
    Arc::new(Log::new(Limits {
        entries: 100,
        octets: usize::MAX,
    }))
}

fn append(log: &Log<Number>, value: u64) -> Arc<Number> {
    log.append(|id| Number {
        id,
        value,
        compared: AtomicU64::new(0),
    })
}

#[test]
fn an_entry_is_compared_with_the_watches_that_it_may_concern() {
    let log = log();
    let watchers = Watchers::of(&log);
    let watches: Vec<_> = (1..=1_000)
        .map(|value| watchers.begin(Watch::keeping(Wanted(value), 0, 1, 10)))
        .collect();
    let entry = append(&log, 7);
    assert_eq!(entry.compared.load(Ordering::Relaxed), 1);
    assert_eq!(watches[6].found().len(), 1);
    assert!(watches[7].found().is_empty());
    drop(watches);
    assert!(watchers.index.read().keyed.is_empty(), "nothing is left");
    let unwatched = append(&log, 7);
    assert_eq!(unwatched.compared.load(Ordering::Relaxed), 0);
}

#[test]
fn existing_entries_are_read_once() {
    let log = log();
    let watchers = Watchers::of(&log);
    let first = append(&log, 7);
    let watching = watchers.begin_with_existing(Watch::keeping(Wanted(0), 0, 3, 10));
    append(&log, 8);
    log.changed_within(&first);
    assert_eq!(watching.counted().0, 2, "a change is not another entry");
    let later = watchers.begin_with_existing(Watch::keeping(Wanted(0), 1, 3, 10));
    assert_eq!(later.counted().0, 1);
}

#[test]
fn counted_entries_stay_counted() {
    let log = log();
    let watchers = Watchers::of(&log);
    let watching = watchers.begin(Watch::counting(Wanted(0), 0, Some(2)));
    for value in 1..=5_000 {
        append(&log, value);
    }
    let (count, beyond) = watching.counted();
    assert_eq!(count, 5_000, "the log has kept a hundred");
    assert_eq!(beyond.map(|entry| entry.value), Some(3));
}
