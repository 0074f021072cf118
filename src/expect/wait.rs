//! Waits with a deadline, and the report of a wait that fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::near::{NearMiss, nearest};
use super::watch::{Watch, Watched, Watchers};
use crate::journal::Log;

/// Maximum number of seen entries in the report of a failed wait; the last ones.
const SEEN: usize = 10;
/// Maximum number of near misses in the report of a failed wait.
const NEAR: usize = 3;

/// Maximum number of entries that a wait for fewer returns.
pub(crate) const MOST: usize = 1_000;
/// The error of a wait whose entries did not arrive in time. It has the entries seen and the near misses.
#[derive(Clone)]
pub struct WaitTimeout {
    /// A description of the filter.
    pub wanted: String,
    /// The time of the wait.
    pub waited: Duration,
    /// The number of matches.
    pub found: u64,
    /// The last entries seen, one line each.
    pub seen: Vec<String>,
    /// The near misses, nearest first.
    pub near_misses: Vec<NearMiss>,
    /// Whether the world stopped during the wait, which ends a wait at once.
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
            return f.write_str("; no entries were seen");
        }
        f.write_str("; entries seen:")?;
        for line in &self.seen {
            write!(f, "\n    {line}")?;
        }
        if let Some(near) = self.near_misses.first() {
            write!(f, "\n  nearest miss: {near}")?;
        }
        Ok(())
    }
}

/// The same text as `Display`, which is shown by a test that returns the error.
impl fmt::Debug for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WaitTimeout {}

/// The limits of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitLimits<'a> {
    /// The maximum time.
    pub time: Duration,
    /// Ends a wait at once, when the world stops.
    pub stopped: &'a CancellationToken,
    /// The number of entries.
    pub count: usize,
    /// Only entries with a number above this one.
    pub after: u64,
}

/// Waits until enough entries match, and returns all matching entries, oldest first.
///
/// # Panics
/// If the count is 0, because such a wait would always succeed.
pub(crate) async fn wait<T: Watched>(
    watchers: &Arc<Watchers<T>>,
    pattern: &T::Pattern,
    limits: WaitLimits<'_>,
) -> Result<Vec<Arc<T>>, WaitTimeout> {
    let WaitLimits { count, after, .. } = limits;
    assert!(
        count > 0,
        "a wait for 0 {pattern} always succeeds; declare an expectation with never() instead"
    );
    let watch = Watch::keeping(pattern.clone(), after, count, count.max(MOST));
    let watching = watchers.begin_with_existing(watch);
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

/// The report of a wait that failed.
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
