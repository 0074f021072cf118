//! Waits, expectations and assertions of a world.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::World;
use crate::expect::{
    Expectation, ExpectationStatus, Guard, Mail, Queries, Session, Sessions, UnmetExpectations,
    WaitLimits, WaitTimeout, Watch, missed, nearest, wait,
};
use crate::journal::{DnsQuery, Log, Message};
use crate::smtp::{SessionEntry, SessionRecord};

/// Maximum number of sessions that a failed wait for a message reports.
const NEAR: usize = 3;

/// The entries that earlier waits have returned.
#[derive(Debug, Default)]
pub(super) struct Taken {
    sessions: Mutex<TakenSessions>,
    /// The number of the last message that was returned.
    message: Mutex<u64>,
}

#[derive(Debug, Default)]
struct TakenSessions {
    /// All sessions up to this number were returned or dropped.
    below: u64,
    /// The sessions above it that were returned.
    above: BTreeSet<u64>,
}

impl TakenSessions {
    /// Takes the first ended session that was not returned yet.
    fn take(&mut self, entries: &[Arc<SessionEntry>]) -> Option<Arc<SessionEntry>> {
        let is_free =
            |entry: &&Arc<SessionEntry>| entry.id > self.below && !self.above.contains(&entry.id);
        let entry = entries.iter().filter(is_free).find(|e| e.is_closed())?;
        self.above.insert(entry.id);
        while self.above.remove(&(self.below + 1)) {
            self.below += 1;
        }
        Some(Arc::clone(entry))
    }

    /// Forgets the numbers of dropped sessions, and returns the number up to which all were returned.
    fn pass(&mut self, gone: u64) -> u64 {
        if gone > self.below {
            self.below = gone;
            self.above = self.above.split_off(&(gone + 1));
        }
        self.below
    }
}

impl World {
    /// Waits for a session to end, and returns the first one that no earlier call returned.
    ///
    /// # Errors
    /// No session ended in time, or the world stopped. The error has the sessions seen.
    pub async fn wait_for_session(&self) -> Result<Session, WaitTimeout> {
        let log = self.sessions();
        let below = self.taken.sessions.lock().pass(log.counts().dropped);
        let find = |entries: &[Arc<SessionEntry>]| {
            let entry = self.taken.sessions.lock().take(entries)?;
            Some(Session::new(entry.snapshot()))
        };
        self.first(below, "a session to end", find).await
    }

    /// Waits until a session, running or ended, satisfies `wanted`, and returns a snapshot of it.
    ///
    /// # Errors
    /// No session satisfied it in time, or the world stopped. The error has the sessions seen.
    pub async fn wait_until(
        &self,
        wanted: impl Fn(&SessionRecord) -> bool,
    ) -> Result<Session, WaitTimeout> {
        let met = |record: &SessionRecord| wanted(record).then(|| record.clone());
        let find = |entries: &[Arc<SessionEntry>]| {
            let found = entries.iter().find_map(|entry| entry.look(met));
            found.map(Session::new)
        };
        self.first(0, "a session that satisfies the closure", find)
            .await
    }

    /// Waits until `find` returns a value for one of the sessions: first for those above a number, then for those that
    /// change.
    async fn first<R>(
        &self,
        after: u64,
        wanted: &str,
        find: impl Fn(&[Arc<SessionEntry>]) -> Option<R>,
    ) -> Result<R, WaitTimeout> {
        let began = Instant::now();
        let watching = self.ledger.sources().sessions.begin(Watch::of_changes());
        let log = self.sessions();
        if let Some(found) = find(&log.after(after)) {
            return Ok(found);
        }
        let deadline = sleep(self.wait_timeout);
        tokio::pin!(deadline);
        let stopped = loop {
            tokio::select! {
                () = watching.enough() => if let Some(found) = find(&watching.take_changes()) {
                    return Ok(found);
                },
                () = &mut deadline => break false,
                () = self.shutdown.cancelled() => break true,
            }
        };
        Err(WaitTimeout {
            stopped,
            ..missed(log, wanted.to_owned(), self.waited(stopped, began))
        })
    }

    /// Waits until `count` sessions match the filter, and returns all that do, oldest first.
    ///
    /// # Errors
    /// Fewer matched in time, or the world stopped. The error has the sessions seen and the near misses.
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_sessions(
        &self,
        pattern: &Sessions,
        count: usize,
    ) -> Result<Vec<Session>, WaitTimeout> {
        self.wait_for_sessions_within(pattern, count, 0, self.wait_timeout)
            .await
    }

    /// Waits for sessions with a number greater than `after`, with its own time limit.
    ///
    /// # Errors
    /// As [`World::wait_for_sessions`].
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_sessions_within(
        &self,
        pattern: &Sessions,
        count: usize,
        after: u64,
        timeout: Duration,
    ) -> Result<Vec<Session>, WaitTimeout> {
        let sessions = &self.ledger.sources().sessions;
        let found = wait(sessions, pattern, self.within(count, after, timeout)).await?;
        let session = |entry: &Arc<SessionEntry>| Session::new(entry.snapshot());
        Ok(found.iter().map(session).collect())
    }

    /// Waits until `count` messages match the filter, and returns all that do, oldest first.
    ///
    /// # Errors
    /// Fewer matched in time, or the world stopped. The error has the messages seen.
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_mail(
        &self,
        pattern: &Mail,
        count: usize,
    ) -> Result<Vec<Arc<Message>>, WaitTimeout> {
        self.wait_for_mail_within(pattern, count, 0, self.wait_timeout)
            .await
    }

    /// Waits for messages with a number greater than `after`, with its own time limit.
    ///
    /// # Errors
    /// As [`World::wait_for_mail`].
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_mail_within(
        &self,
        pattern: &Mail,
        count: usize,
        after: u64,
        timeout: Duration,
    ) -> Result<Vec<Arc<Message>>, WaitTimeout> {
        let messages = &self.ledger.sources().messages;
        wait(messages, pattern, self.within(count, after, timeout)).await
    }

    /// Waits until `count` DNS queries match the filter, and returns all that do, oldest first.
    ///
    /// # Errors
    /// Fewer matched in time, or the world stopped. The error has the queries seen.
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_queries(
        &self,
        pattern: &Queries,
        count: usize,
    ) -> Result<Vec<Arc<DnsQuery>>, WaitTimeout> {
        self.wait_for_queries_within(pattern, count, 0, self.wait_timeout)
            .await
    }

    /// Waits for queries with a number greater than `after`, with its own time limit.
    ///
    /// # Errors
    /// As [`World::wait_for_queries`].
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn wait_for_queries_within(
        &self,
        pattern: &Queries,
        count: usize,
        after: u64,
        timeout: Duration,
    ) -> Result<Vec<Arc<DnsQuery>>, WaitTimeout> {
        let queries = &self.ledger.sources().queries;
        wait(queries, pattern, self.within(count, after, timeout)).await
    }

    /// The duration of a wait that failed.
    fn waited(&self, stopped: bool, began: Instant) -> Duration {
        if stopped {
            began.elapsed()
        } else {
            self.wait_timeout
        }
    }

    fn within(&self, count: usize, after: u64, time: Duration) -> WaitLimits<'_> {
        WaitLimits {
            time,
            stopped: &self.shutdown,
            count,
            after,
        }
    }

    /// Waits for a message to be accepted, and returns the next one that no earlier call returned.
    ///
    /// # Errors
    /// No message was accepted in time, or the world stopped. The error has the sessions seen, with their refusals.
    pub async fn wait_for_message(&self) -> Result<Arc<Message>, WaitTimeout> {
        let began = Instant::now();
        let next = |log: &Log<Message>| {
            let mut taken = self.taken.message.lock();
            let message = log.page(*taken, 1).pop()?;
            *taken = message.id;
            Some(message)
        };
        let stopped = tokio::select! {
            biased;
            message = self.messages().wait(next) => return Ok(message),
            () = sleep(self.wait_timeout) => false,
            () = self.shutdown.cancelled() => true,
        };
        let sessions = self.sessions();
        Err(WaitTimeout {
            stopped,
            near_misses: nearest(sessions, 0, &Sessions::accepted(), NEAR),
            ..missed(
                sessions,
                "a message".to_owned(),
                self.waited(stopped, began),
            )
        })
    }

    /// Declares an expectation about later events; dropping the world verifies it.
    pub fn expect(&self, expectation: impl Into<Expectation>) {
        self.ledger.mount(expectation.into());
    }

    /// Declares an expectation for a scope; dropping the guard verifies it.
    pub fn expect_scoped(&self, expectation: impl Into<Expectation>) -> Guard {
        self.ledger.guard(expectation.into())
    }

    /// The outcome of every expectation so far.
    pub fn outcomes(&self) -> Vec<ExpectationStatus> {
        self.ledger.outcomes()
    }

    /// Verifies every expectation now.
    ///
    /// # Errors
    /// Some expectations are not met; the error has their near misses.
    pub fn verify(&self) -> Result<(), UnmetExpectations> {
        self.ledger.verify()
    }

    /// A snapshot of every session that matches, oldest first.
    pub(crate) fn sessions_like(&self, pattern: &Sessions) -> Vec<Session> {
        let met = |record: &SessionRecord| pattern.matches(record).then(|| record.clone());
        self.sessions()
            .entries()
            .iter()
            .filter_map(|entry| entry.look(met))
            .map(Session::new)
            .collect()
    }

    /// Asserts that no client connected from an address.
    ///
    /// # Panics
    /// If a client did.
    #[track_caller]
    pub fn assert_no_attempt_from(&self, client: impl Into<IpAddr>) {
        let client = client.into();
        let found = self.sessions_like(&Sessions::any().from_client(client));
        if let Some(first) = found.first() {
            panic!(
                "expected no attempt from {client}, found {}\n{}",
                found.len(),
                first.failure()
            );
        }
    }

    /// Asserts that the MX of a domain was queried before the first connection.
    ///
    /// # Panics
    /// If no client connected, or the MX was not queried before.
    #[track_caller]
    pub fn assert_looked_up_mx_before_connecting(&self, domain: &str) {
        let bare = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
        let sessions = self.sessions().entries();
        let Some(first) = sessions.first().map(|entry| entry.snapshot()) else {
            panic!("expected a connection after a lookup of {domain} MX, found no connection");
        };
        let queries = self.dns_queries().entries();
        let is_mx_query = |q: &&Arc<crate::journal::DnsQuery>| {
            q.record_type() == "MX" && bare(&q.name()) == bare(domain)
        };
        let at: Option<Timestamp> = queries.iter().find(is_mx_query).map(|q| q.at);
        let seen: Vec<_> = queries
            .iter()
            .map(|q| format!("\n    {} {}", q.at, q.headline()))
            .collect();
        assert!(
            at.is_some_and(|at| at <= first.started),
            "expected a lookup of {domain} MX before the connection at {}, found {}",
            first.started,
            if seen.is_empty() {
                "no DNS query".to_owned()
            } else {
                seen.concat()
            }
        );
    }

    /// Asserts that there are at least two matching sessions, and that they are at least `least` apart by the clock of the
    /// world.
    ///
    /// # Panics
    /// If they are not.
    #[track_caller]
    pub fn assert_retry_spacing(&self, pattern: &Sessions, least: Duration) {
        let found = self.sessions_like(pattern);
        assert!(
            found.len() >= 2,
            "expected two or more {pattern}, found {}",
            found.len()
        );
        for pair in found.windows(2) {
            let interval = pair[1].clock.saturating_sub(pair[0].clock);
            assert!(
                interval >= least,
                "expected {least:?} or more between tries, found {interval:?}\n    {}\n    {}",
                pair[0].headline(),
                pair[1].headline()
            );
        }
    }
}
