//! Counts of queries and answers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a running server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) udp: AtomicU64,
    pub(super) tcp: AtomicU64,
    pub(super) ignored: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) faults: AtomicU64,
    pub(super) limited: AtomicU64,
    pub(super) refused_connections: AtomicU64,
    pub(super) forwarded: AtomicU64,
}

/// A snapshot of the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Datagrams received.
    pub udp: u64,
    /// Messages received over TCP.
    pub tcp: u64,
    /// Messages that were ignored: too short for a header, or responses.
    pub ignored: u64,
    /// Queries answered with FORMERR: unreadable, or without exactly one question.
    pub malformed: u64,
    /// Queries on which a fault took effect.
    pub faults: u64,
    /// Queries over the rate limit of the client: dropped, or answered with TC only.
    pub limited: u64,
    /// TCP connections closed at once because their client had too many.
    pub refused_connections: u64,
    /// Queries forwarded to the upstream server.
    pub forwarded: u64,
}

impl Counters {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            udp: read(&self.udp),
            tcp: read(&self.tcp),
            ignored: read(&self.ignored),
            malformed: read(&self.malformed),
            faults: read(&self.faults),
            limited: read(&self.limited),
            refused_connections: read(&self.refused_connections),
            forwarded: read(&self.forwarded),
        }
    }
}
