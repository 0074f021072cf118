//! Entries that a log has not formatted yet: a busy server has many more events than anybody reads.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::Limits;

/// An item of a [`Backlog`], which becomes entries of a log when the log is read.
pub(crate) trait Waiting {
    /// The number of entries that it becomes.
    fn entries(&self) -> usize;
    /// The approximate memory that it uses, in octets.
    fn octets(&self) -> usize;
}

/// A bounded queue. The oldest items are dropped first, and their entries are counted.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    /// No other lock is taken while it is held. A log that reads the backlog holds its own lock.
    inner: Mutex<Inner<T>>,
    limits: Limits,
}

#[derive(Debug)]
struct Inner<T> {
    waiting: VecDeque<(T, u32, u32)>,
    entries: usize,
    octets: usize,
    skipped: u64,
}

impl<T: Waiting> Backlog<T> {
    /// Makes an empty queue with the limits of its log.
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Inner {
            waiting: VecDeque::new(),
            entries: 0,
            octets: 0,
            skipped: 0,
        };
        Self {
            inner: Mutex::new(inner),
            limits,
        }
    }

    /// Appends an item.
    pub(crate) fn push(&self, what: T) {
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (entries, octets) = (narrow(what.entries()), narrow(what.octets()));
        let mut inner = self.inner.lock();
        inner.entries += entries as usize;
        inner.octets += octets as usize;
        inner.waiting.push_back((what, entries, octets));
        while inner.waiting.len() > 1
            && (inner.entries > self.limits.entries || inner.octets > self.limits.octets)
        {
            let Some((_gone, entries, octets)) = inner.waiting.pop_front() else {
                break;
            };
            inner.entries -= entries as usize;
            inner.octets -= octets as usize;
            inner.skipped += u64::from(entries);
        }
    }

    /// Removes all items, oldest first, and returns the number of entries dropped before them.
    pub(crate) fn take(&self) -> (u64, impl Iterator<Item = T> + use<T>) {
        let mut inner = self.inner.lock();
        (inner.entries, inner.octets) = (0, 0);
        let (skipped, waiting) = (
            std::mem::take(&mut inner.skipped),
            std::mem::take(&mut inner.waiting),
        );
        (skipped, waiting.into_iter().map(|(what, ..)| what))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::{Entry, Log};

    /// Numbers that become entries, each of ten octets.
    struct Numbers(Vec<u64>);

    impl Waiting for Numbers {
        fn entries(&self) -> usize {
            self.0.len()
        }

        fn octets(&self) -> usize {
            self.0.len() * 10
        }
    }

    struct Number {
        id: u64,
        number: u64,
    }

    impl Entry for Number {
        fn octets(&self) -> usize {
            10
        }
    }

    /// Appends entries, reads the log at the given points, and compares the kept entries: number and id.
    #[track_caller]
    fn check(
        limits: Limits,
        pushed: &[&[u64]],
        look_after: usize,
        kept: &[(u64, u64)],
        dropped: u64,
    ) {
        let backlog = Arc::new(Backlog::new(limits));
        let (source, log) = (Arc::clone(&backlog), Log::new(limits));
        log.supplied(move |first| {
            let (skipped, waiting) = source.take();
            let numbers = (first + skipped..).zip(waiting.flat_map(|Numbers(numbers)| numbers));
            (
                skipped,
                numbers.map(|(id, number)| Number { id, number }).collect(),
            )
        });
        for (index, numbers) in pushed.iter().enumerate() {
            backlog.push(Numbers(numbers.to_vec()));
            if index + 1 == look_after {
                log.catch_up();
            }
        }
        let entries = log.entries();
        assert_eq!(
            entries
                .iter()
                .map(|entry| (entry.number, entry.id))
                .collect::<Vec<_>>(),
            kept
        );
        assert_eq!(log.counts().dropped, dropped);
        assert_eq!(log.last(), dropped + entries.len() as u64);
    }

    #[test]
    fn the_log_reads_waiting_events_and_counts_dropped_ones() {
        let limits = |entries, octets| Limits { entries, octets };
        let pushed: &[&[u64]] = &[&[1, 2], &[3], &[4, 5]];
        check(
            limits(9, 900),
            pushed,
            0,
            &[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)],
            0,
        );
        check(
            limits(9, 900),
            pushed,
            2,
            &[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)],
            0,
        );
        check(limits(3, 900), pushed, 0, &[(3, 3), (4, 4), (5, 5)], 2);
        check(limits(9, 30), pushed, 0, &[(3, 3), (4, 4), (5, 5)], 2);
        // The entries of the log are older than the items that were dropped before the log was read.
        check(
            limits(3, 900),
            &[&[1], &[2, 3], &[4, 5]],
            1,
            &[(4, 4), (5, 5)],
            3,
        );
        // The newest item is kept, whatever its size: the log trims it.
        check(limits(2, 900), &[&[1, 2, 3]], 0, &[(2, 2), (3, 3)], 1);
    }
}
