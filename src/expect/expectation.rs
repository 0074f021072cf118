//! Expectations: declared in advance, counted while the world runs, verified at the end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use super::mail::Mail;
use super::near::{NearMiss, nearest};
use super::times::Times;
use super::watch::{Watch, Watched, Watchers, Watching};
use super::{Queries, Sessions};
use crate::journal::{DnsQuery, Message};
use crate::smtp::SessionEntry;

/// Maximum time that a verification waits for running sessions to end.
const GRACE: Duration = Duration::from_millis(200);
/// Maximum number of near misses of an outcome.
const NEAR: usize = 3;

/// A number of sessions, DNS queries or messages that is expected from now on; by default at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    name: String,
    of: Of,
    times: Times,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    Sessions(Sessions),
    Queries(Queries),
    Mail(Mail),
}

impl From<Sessions> for Expectation {
    fn from(pattern: Sessions) -> Self {
        Self {
            name: String::new(),
            of: Of::Sessions(pattern),
            times: Times::default(),
        }
    }
}

impl From<Queries> for Expectation {
    fn from(pattern: Queries) -> Self {
        Self {
            name: String::new(),
            of: Of::Queries(pattern),
            times: Times::default(),
        }
    }
}

impl From<Mail> for Expectation {
    fn from(pattern: Mail) -> Self {
        Self {
            name: String::new(),
            of: Of::Mail(pattern),
            times: Times::default(),
        }
    }
}

impl Expectation {
    /// Expects sessions, DNS queries or messages that match a filter.
    pub fn of(pattern: impl Into<Self>) -> Self {
        pattern.into()
    }

    /// Sets the name for the report.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// Expects exactly this number of matches.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        self.often(Times::exactly(times))
    }

    /// Expects no match.
    #[must_use]
    pub fn never(self) -> Self {
        self.times(0)
    }

    /// Expects at least this number of matches.
    #[must_use]
    pub fn at_least(self, least: u64) -> Self {
        let most = self.times.most;
        self.often(Times { least, most })
    }

    /// Expects at most this number of matches, including none.
    #[must_use]
    pub fn at_most(self, most: u64) -> Self {
        self.often(Times {
            least: 0,
            most: Some(most),
        })
    }

    /// Expects this number of matches.
    #[must_use]
    pub(crate) fn often(self, times: Times) -> Self {
        Self { times, ..self }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        match &self.of {
            Of::Sessions(pattern) => pattern.fmt(f)?,
            Of::Queries(pattern) => pattern.fmt(f)?,
            Of::Mail(pattern) => pattern.fmt(f)?,
        }
        write!(f, ", {}", self.times)
    }
}

/// The outcome of an expectation so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ExpectationStatus {
    /// The number of the expectation in this world, from 1.
    pub id: u64,
    /// A description of the expectation.
    pub expected: String,
    /// The expected number of matches.
    pub times: Times,
    /// The number of matches since the declaration. Each session, query or message counts once, when it first matches,
    /// and stays counted.
    pub count: u64,
    /// Whether the number of matches is as expected.
    pub met: bool,
    /// If there are too few matches, the entries that nearly match.
    pub near_misses: Vec<NearMiss>,
    /// The first match beyond the maximum; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation: Option<Violation>,
}

/// A match beyond the expected maximum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Violation {
    /// The number of the session, DNS query or message.
    pub id: u64,
    /// A summary in one line.
    pub what: String,
    /// An explanation; for a session its DNS lookups, refusals and dialogue.
    pub story: String,
}

impl Violation {
    fn of<T: Watched>(entry: &T) -> Self {
        entry.view(|view| Self {
            id: entry.number(),
            what: T::line(view),
            story: T::story(view),
        })
    }
}

impl fmt::Display for ExpectationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.met { "met" } else { "not met" };
        write!(
            f,
            "{word}: expected {}; found {}",
            self.expected, self.count
        )?;
        for near in &self.near_misses {
            write!(f, "\n    near miss: {near}")?;
        }
        if let Some(violation) = &self.violation {
            let story = violation.story.trim_end().replace('\n', "\n    ");
            write!(f, "\n    one too many: {story}")?;
        }
        Ok(())
    }
}

/// The expectations that are not met: the report of a verification.
#[derive(Clone, PartialEq, Eq)]
pub struct UnmetExpectations {
    /// The outcomes of these expectations.
    pub outcomes: Vec<ExpectationStatus>,
}

impl fmt::Display for UnmetExpectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.outcomes.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The report, which is shown by a test that returns the error.
impl fmt::Debug for UnmetExpectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for UnmetExpectations {}

/// The sources of entries for expectations and waits.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub sessions: Arc<Watchers<SessionEntry>>,
    pub queries: Arc<Watchers<DnsQuery>>,
    pub messages: Arc<Watchers<Message>>,
}

/// The expectations of a world.
#[derive(Debug)]
pub(crate) struct Ledger {
    sources: Sources,
    mounted: Mutex<Mounted>,
}

#[derive(Debug, Default)]
struct Mounted {
    last: u64,
    all: Vec<(u64, Arc<Counted>)>,
}

/// An expectation and its counter.
#[derive(Debug)]
struct Counted {
    expectation: Expectation,
    watching: AnyWatching,
}

#[derive(Debug)]
enum AnyWatching {
    Sessions(Watching<SessionEntry>),
    Queries(Watching<DnsQuery>),
    Mail(Watching<Message>),
}

/// Begins to count entries from now on.
fn count<T: Watched>(
    watchers: &Arc<Watchers<T>>,
    pattern: &T::Pattern,
    times: Times,
) -> Watching<T> {
    let after = watchers.log().last();
    watchers.begin(Watch::counting(pattern.clone(), after, times.most))
}

impl Ledger {
    pub(crate) fn new(sources: Sources) -> Arc<Self> {
        Arc::new(Self {
            sources,
            mounted: Mutex::default(),
        })
    }

    /// The sources of entries.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Adds an expectation about later entries, and returns its number.
    pub(crate) fn mount(&self, expectation: Expectation) -> u64 {
        let times = expectation.times;
        let Sources {
            sessions,
            queries,
            messages,
        } = &self.sources;
        let watching = match &expectation.of {
            Of::Sessions(pattern) => AnyWatching::Sessions(count(sessions, pattern, times)),
            Of::Queries(pattern) => AnyWatching::Queries(count(queries, pattern, times)),
            Of::Mail(pattern) => AnyWatching::Mail(count(messages, pattern, times)),
        };
        let counted = Arc::new(Counted {
            expectation,
            watching,
        });
        let mut mounted = self.mounted.lock();
        mounted.last += 1;
        let id = mounted.last;
        mounted.all.push((id, counted));
        id
    }

    /// Whether the expectation with this number is about sessions.
    pub(super) fn is_of_sessions(&self, id: u64) -> bool {
        let mounted = self.mounted.lock();
        let found = mounted.all.iter().find(|(other, _)| *other == id);
        found.is_some_and(|(_, counted)| matches!(counted.expectation.of, Of::Sessions(_)))
    }

    /// The number of expectations.
    #[cfg(feature = "http")]
    pub(crate) fn len(&self) -> usize {
        self.mounted.lock().all.len()
    }

    /// Adds an expectation for a scope.
    pub(crate) fn guard(self: &Arc<Self>, expectation: Expectation) -> Guard {
        Guard {
            id: self.mount(expectation),
            ledger: Arc::clone(self),
        }
    }

    /// Removes an expectation; returns false if none has this number.
    pub(crate) fn unmount(&self, id: u64) -> bool {
        let mut mounted = self.mounted.lock();
        let before = mounted.all.len();
        mounted.all.retain(|(other, _)| *other != id);
        mounted.all.len() < before
    }

    /// Removes all expectations.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut self.mounted.lock().all);
        drop(gone);
    }

    /// The outcome of each expectation so far.
    pub(crate) fn outcomes(&self) -> Vec<ExpectationStatus> {
        let all = self.mounted.lock().all.clone();
        all.iter()
            .map(|(id, counted)| counted.outcome(*id))
            .collect()
    }

    /// The outcome of one expectation so far.
    pub(crate) fn find(&self, id: u64) -> Option<ExpectationStatus> {
        let all = self.mounted.lock().all.clone();
        let (_, counted) = all.iter().find(|(other, _)| *other == id)?;
        Some(counted.outcome(id))
    }

    /// Whether all expectations are met so far.
    #[cfg(feature = "http")]
    pub(crate) fn is_met(&self) -> bool {
        let all = self.mounted.lock().all.clone();
        all.iter().all(|(_, counted)| counted.is_met())
    }

    /// Verifies the outcomes that `look` returns, and repeats that for a limited time while sessions run: a session is
    /// published shortly after its client has read the last reply.
    fn verify_settled(
        &self,
        look: impl Fn() -> Vec<ExpectationStatus>,
    ) -> Result<(), UnmetExpectations> {
        let deadline = Instant::now() + GRACE;
        loop {
            let mut outcomes = look();
            outcomes.retain(|outcome| !outcome.met);
            let can_be_met =
                outcomes.iter().any(|o| o.count < o.times.least) && self.has_open_session();
            if outcomes.is_empty() {
                return Ok(());
            }
            if !can_be_met || Instant::now() > deadline {
                return Err(UnmetExpectations { outcomes });
            }
            std::thread::yield_now();
        }
    }

    fn has_open_session(&self) -> bool {
        self.sources
            .sessions
            .log()
            .entries()
            .iter()
            .rev()
            .any(|entry| !entry.is_closed())
    }

    /// Verifies all expectations.
    pub(crate) fn verify(&self) -> Result<(), UnmetExpectations> {
        self.verify_settled(|| self.outcomes())
    }
}

impl Counted {
    #[cfg(feature = "http")]
    fn is_met(&self) -> bool {
        let count = match &self.watching {
            AnyWatching::Sessions(watching) => watching.counted().0,
            AnyWatching::Queries(watching) => watching.counted().0,
            AnyWatching::Mail(watching) => watching.counted().0,
        };
        self.expectation.times.holds(count)
    }

    fn outcome(&self, id: u64) -> ExpectationStatus {
        match &self.watching {
            AnyWatching::Sessions(watching) => self.outcome_of(id, watching),
            AnyWatching::Queries(watching) => self.outcome_of(id, watching),
            AnyWatching::Mail(watching) => self.outcome_of(id, watching),
        }
    }

    fn outcome_of<T: Watched>(&self, id: u64, watching: &Watching<T>) -> ExpectationStatus {
        let (count, beyond) = watching.counted();
        let times = self.expectation.times;
        let near_misses = match watching.pattern() {
            Some(pattern) if count < times.least => {
                nearest(watching.log(), watching.after(), pattern, NEAR)
            }
            _ => Vec::new(),
        };
        ExpectationStatus {
            id,
            expected: self.expectation.to_string(),
            times,
            count,
            met: times.holds(count),
            near_misses,
            violation: beyond.as_deref().map(Violation::of),
        }
    }
}

/// An expectation for a scope: dropping the guard verifies and removes the expectation.
///
/// # Panics
/// Dropping panics if the expectation is not met, unless the thread panics already.
#[derive(Debug)]
#[must_use = "dropping the guard verifies the expectation; keep the guard until the end of the scope"]
pub struct Guard {
    id: u64,
    ledger: Arc<Ledger>,
}

impl Guard {
    /// The outcome so far.
    pub fn outcome(&self) -> ExpectationStatus {
        self.ledger
            .find(self.id)
            .unwrap_or_else(|| unreachable!("the expectation exists as long as its guard"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let verified = self
            .ledger
            .verify_settled(|| self.ledger.find(self.id).into_iter().collect());
        let failure = verified.map_err(|unmet| self.ledger.failure(&unmet));
        self.ledger.unmount(self.id);
        if let Err(failure) = failure
            && !std::thread::panicking()
        {
            panic!("{failure}");
        }
    }
}
