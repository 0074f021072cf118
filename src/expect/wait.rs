//! Waits with a deadline, and what is told where it passes.

use std::fmt;
use std::time::Duration;

use super::expectation::NearMiss;
use crate::journal::{Entry, Log};

/// What was seen, that a failed wait tells: the last ones.
const SEEN: usize = 10;
/// Near misses that a failed wait tells.
const NEAR: usize = 3;

/// Nothing of what was waited for came in time. Says what was seen, and what came nearest.
#[derive(Clone)]
pub struct WaitTimeout {
    /// What was waited for.
    pub wanted: String,
    /// How long.
    pub waited: Duration,
    /// How many were found, of how many wanted.
    pub found: u64,
    /// What was seen, a line each, the last ones.
    pub seen: Vec<String>,
    /// What came nearest, the nearest first.
    pub near_misses: Vec<NearMiss>,
}

impl fmt::Display for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waited {:?} for {}, found {}",
            self.waited, self.wanted, self.found
        )?;
        if self.seen.is_empty() {
            return f.write_str("; nothing was seen");
        }
        f.write_str("; what was seen:")?;
        for line in &self.seen {
            write!(f, "\n    {line}")?;
        }
        if let Some(near) = self.near_misses.first() {
            write!(f, "\n  the nearest miss: {near}")?;
        }
        Ok(())
    }
}

/// As for people: a test that returns the error shows this.
impl fmt::Debug for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WaitTimeout {}

/// Waits until `found` gives something, or makes a [`WaitTimeout`] of `seen` and `near` as they stand at the deadline.
pub(crate) async fn found_or_missed<T: Entry, R>(
    log: &Log<T>,
    patience: Duration,
    wanted: &(dyn fmt::Display + Sync),
    mut found: impl FnMut(&Log<T>) -> Result<R, u64>,
    line: impl Fn(&T) -> String,
    near: impl FnOnce(usize) -> Vec<NearMiss>,
) -> Result<R, WaitTimeout> {
    let mut best = 0;
    let waiting = log.wait(|log| match found(log) {
        Ok(result) => Some(result),
        Err(count) => {
            best = count;
            None
        }
    });
    if let Ok(result) = tokio::time::timeout(patience, waiting).await {
        return Ok(result);
    }
    let entries = log.entries();
    let seen = entries[entries.len().saturating_sub(SEEN)..]
        .iter()
        .map(|entry| line(entry))
        .collect();
    Err(WaitTimeout {
        wanted: wanted.to_string(),
        waited: patience,
        found: best,
        seen,
        near_misses: near(NEAR),
    })
}

/// How many match, and what comes nearest.
pub(crate) mod nearest {
    use std::cmp::Reverse;

    use super::super::expectation::NearMiss;
    use super::super::pattern::{Queries, Sessions};
    use crate::journal::{DnsQuery, Log};
    use crate::smtp::SessionEntry;

    /// Settled sessions above a number that match, and those that nearly do.
    pub fn sessions(
        log: &Log<SessionEntry>,
        after: u64,
        pattern: &Sessions,
        most: usize,
    ) -> (u64, Vec<NearMiss>) {
        let judged = log.after(after).into_iter().filter_map(|entry| {
            let look = entry.look(|r| {
                r.is_settled()
                    .then(|| (pattern.mismatches(r), r.headline()))
            });
            look.map(|(mismatches, what)| NearMiss {
                id: entry.id,
                what,
                mismatches,
            })
        });
        split(judged, most)
    }

    /// DNS queries above a number that match, and those that nearly do.
    pub fn queries(
        log: &Log<DnsQuery>,
        after: u64,
        pattern: &Queries,
        most: usize,
    ) -> (u64, Vec<NearMiss>) {
        let judged = log.after(after).into_iter().map(|query| {
            let mismatches = pattern.mismatches(&query);
            NearMiss {
                id: query.id,
                what: query.headline(),
                mismatches,
            }
        });
        split(judged, most)
    }

    fn split(judged: impl Iterator<Item = NearMiss>, most: usize) -> (u64, Vec<NearMiss>) {
        let (matching, mut near): (Vec<_>, Vec<_>) =
            judged.partition(|near| near.mismatches.is_empty());
        near.sort_by_key(|near| (near.mismatches.len(), Reverse(near.id)));
        near.truncate(most);
        (matching.len() as u64, near)
    }
}
