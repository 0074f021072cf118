//! Rate limit for reports of repeated failures.

use std::time::{Duration, Instant};

/// Time between two reports.
const SILENCE: Duration = Duration::from_secs(1);

/// Counts failures of one kind, and decides when to report them: the first at once, later ones at most once a second.
#[derive(Debug, Default)]
pub struct Failures {
    last_logged: Option<Instant>,
    count: u64,
}

impl Failures {
    /// Counts a failure. Returns the number since the last report if a report is due.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self
            .last_logged
            .is_some_and(|last_logged| now.duration_since(last_logged) < SILENCE)
        {
            return None;
        }
        self.last_logged = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_logged_and_then_one_per_second() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let mut count = |ms| failures.count(start + Duration::from_millis(ms));
        let last_logged = [0, 10, 999, 1000, 1001, 5000].map(&mut count);
        assert_eq!(last_logged, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
