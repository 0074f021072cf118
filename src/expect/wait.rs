//! Waits with a deadline, and what is told where it passes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::near::{NearMiss, nearest};
use super::watch::{Watch, Watched, Watchers};
use crate::journal::Log;

/// What was seen, that a failed wait tells: the last ones.
const SEEN: usize = 10;
/// Near misses that a failed wait tells.
const NEAR: usize = 3;

/// Most entries that a wait gives, where it was for fewer.
pub(crate) const MOST: usize = 1_000;
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
    /// Whether the world stopped meanwhile, which ends a wait at once.
    pub stopped: bool,
}

impl fmt::Display for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waited {:?} for {}, found {}",
            self.waited, self.wanted, self.found
        )?;
        if self.stopped {
            f.write_str("; the world stopped")?;
        }
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

/// How long a wait waits, and for how many of which entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitLimits<'a> {
    /// The longest time.
    pub time: Duration,
    /// Ends a wait at once, when the world stops.
    pub stopped: &'a CancellationToken,
    /// How many entries.
    pub count: usize,
    /// Only entries with a number above this one.
    pub after: u64,
}

/// Waits until enough entries match, and gives all that do, the oldest first.
///
/// # Panics
/// Where the count is 0: that is met at once, whatever happens.
pub(crate) async fn wait<T: Watched>(
    watchers: &Arc<Watchers<T>>,
    pattern: &T::Pattern,
    limits: WaitLimits<'_>,
) -> Result<Vec<Arc<T>>, WaitTimeout> {
    let WaitLimits { count, after, .. } = limits;
    assert!(
        count > 0,
        "a wait for 0 {pattern} is met at once; expect them never instead"
    );
    let watch = Watch::keeping(pattern.clone(), after, count, count.max(MOST));
    let watching = watchers.begin_with_the_past(watch);
    let began = Instant::now();
    let deadline = sleep(limits.time);
    tokio::pin!(deadline);
    let stopped = loop {
        let found = watching.found();
        if found.len() >= count {
            return Ok(found);
        }
        tokio::select! {
            () = watching.enough() => {}
            () = &mut deadline => break false,
            () = limits.stopped.cancelled() => break true,
        }
    };
    let waited = if stopped {
        began.elapsed()
    } else {
        limits.time
    };
    let log = watchers.log();
    Err(WaitTimeout {
        found: watching.found().len() as u64,
        near_misses: nearest(log, after, pattern, NEAR),
        stopped,
        ..missed(log, format!("{count} {pattern}"), waited)
    })
}

/// What a wait tells that ended without what it waited for.
pub(crate) fn missed<T: Watched>(log: &Log<T>, wanted: String, waited: Duration) -> WaitTimeout {
    let mut seen: Vec<_> = log
        .page_back(u64::MAX, SEEN)
        .iter()
        .map(|entry| entry.view(T::line))
        .collect();
    seen.reverse();
    WaitTimeout {
        wanted,
        waited,
        found: 0,
        seen,
        near_misses: Vec::new(),
        stopped: false,
    }
}
