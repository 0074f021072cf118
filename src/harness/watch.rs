//! What a test waits for, expects and asserts of a world.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::World;
use crate::expect::{
    Expectation, Guard, Outcome, Session, Sessions, UnmetExpectations, WaitTimeout,
    found_or_missed, nearest,
};
use crate::journal::Message;
use crate::smtp::SessionRecord;

/// Sessions that a wait for a message tells where none came: the last ones.
const SEEN: usize = 10;

/// What earlier waits have given.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Numbers of the sessions above `below` that were given; all up to `below` were.
    sessions: Mutex<std::collections::BTreeSet<u64>>,
    /// The number of the last message that was given.
    message: Mutex<u64>,
}

impl World {
    /// Waits for a session to end, and gives it: the first that no earlier call gave.
    ///
    /// # Errors
    /// None ended within the world's patience; says what was seen.
    pub async fn wait_for_session(&self) -> Result<Session, WaitTimeout> {
        let log = self.sessions();
        let wanted = "a session to end";
        let next = |log: &crate::journal::Log<crate::smtp::SessionEntry>| {
            let mut taken = self.taken.sessions.lock();
            let entry = log
                .entries()
                .into_iter()
                .find(|e| !taken.contains(&e.id) && e.is_closed())
                .ok_or(0_u64)?;
            taken.insert(entry.id);
            Ok(Session::new(entry.snapshot()))
        };
        let line = |entry: &crate::smtp::SessionEntry| entry.look(SessionRecord::headline);
        found_or_missed(log, self.patience, &wanted, next, line, |_| Vec::new()).await
    }

    /// Waits until so many sessions match the pattern, and gives them, the oldest first.
    ///
    /// # Errors
    /// Fewer came within the world's patience; says what was seen, and where the nearest one differs.
    pub async fn wait_for_sessions(
        &self,
        pattern: &Sessions,
        count: usize,
    ) -> Result<Vec<Session>, WaitTimeout> {
        self.wait_for_sessions_within(pattern, count, 0, self.patience)
            .await
    }

    /// The same among sessions above a number, with a patience of its own.
    ///
    /// # Errors
    /// As [`World::wait_for_sessions`].
    pub async fn wait_for_sessions_within(
        &self,
        pattern: &Sessions,
        count: usize,
        after: u64,
        patience: Duration,
    ) -> Result<Vec<Session>, WaitTimeout> {
        let log = self.sessions();
        let wanted = format!("{count} {pattern}");
        let matching = |log: &crate::journal::Log<crate::smtp::SessionEntry>| {
            let met = |r: &SessionRecord| (r.is_settled() && pattern.matches(r)).then(|| r.clone());
            let found: Vec<_> = log
                .after(after)
                .iter()
                .filter_map(|entry| entry.look(met))
                .map(Session::new)
                .collect();
            if found.len() >= count {
                Ok(found)
            } else {
                Err(found.len() as u64)
            }
        };
        let line = |entry: &crate::smtp::SessionEntry| entry.look(SessionRecord::headline);
        let near = |most| nearest::sessions(log, after, pattern, most).1;
        found_or_missed(log, patience, &wanted, matching, line, near).await
    }

    /// Waits until some session, running or ended, is as `wanted` says, and gives it as it stands then.
    ///
    /// # Errors
    /// None was within the world's patience; says what was seen.
    pub async fn wait_until(
        &self,
        wanted: impl Fn(&SessionRecord) -> bool,
    ) -> Result<Session, WaitTimeout> {
        let log = self.sessions();
        let found = |log: &crate::journal::Log<crate::smtp::SessionEntry>| {
            let met = |record: &SessionRecord| wanted(record).then(|| record.clone());
            log.entries()
                .iter()
                .find_map(|entry| entry.look(met))
                .map(Session::new)
                .ok_or(0)
        };
        let line = |entry: &crate::smtp::SessionEntry| entry.look(SessionRecord::headline);
        found_or_missed(
            log,
            self.patience,
            &"a session as the closure wants it",
            found,
            line,
            |_| Vec::new(),
        )
        .await
    }

    /// Waits for a message to be accepted, and gives it: the next that no earlier call gave.
    ///
    /// # Errors
    /// None came within the world's patience; says which sessions were seen, for they tell why.
    pub async fn wait_for_message(&self) -> Result<Arc<Message>, WaitTimeout> {
        let log = self.messages();
        let next = |log: &crate::journal::Log<Message>| {
            let mut taken = self.taken.message.lock();
            let message = log.after(*taken).into_iter().next().ok_or(0_u64)?;
            *taken = message.id;
            Ok(message)
        };
        let line = |_: &Message| String::new();
        let missed =
            found_or_missed(log, self.patience, &"a message", next, line, |_| Vec::new()).await;
        missed.map_err(|missed| {
            let refused = nearest::sessions(self.sessions(), 0, &Sessions::accepted(), 3).1;
            let entries = self.sessions().entries();
            let last = &entries[entries.len().saturating_sub(SEEN)..];
            let seen = last
                .iter()
                .map(|entry| entry.look(SessionRecord::headline))
                .collect();
            WaitTimeout {
                seen,
                near_misses: refused,
                ..missed
            }
        })
    }

    /// Mounts an expectation: what happens from now on counts, and dropping the world verifies it.
    pub fn expect(&self, expectation: impl Into<Expectation>) {
        self.ledger.mount(expectation.into());
    }

    /// Mounts an expectation for a scope: dropping the guard verifies it.
    pub fn expect_scoped(&self, expectation: impl Into<Expectation>) -> Guard {
        self.ledger.guard(expectation.into())
    }

    /// What became of every expectation so far.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.ledger.outcomes()
    }

    /// Verifies every expectation now.
    ///
    /// # Errors
    /// The expectations that are not met, with near misses.
    pub fn verify(&self) -> Result<(), UnmetExpectations> {
        self.ledger.verify()
    }

    /// Every session that matches, as it stands now, the oldest first.
    pub fn sessions_like(&self, pattern: &Sessions) -> Vec<Session> {
        let met = |record: &SessionRecord| pattern.matches(record).then(|| record.clone());
        self.sessions()
            .entries()
            .iter()
            .filter_map(|entry| entry.look(met))
            .map(Session::new)
            .collect()
    }

    /// Asserts that nobody connected from an address.
    ///
    /// # Panics
    /// Where somebody did.
    #[track_caller]
    pub fn assert_no_attempt_from(&self, client: impl Into<IpAddr>) {
        let client = client.into();
        let found = self.sessions_like(&Sessions::any().from_client(client));
        if let Some(first) = found.first() {
            panic!(
                "expected no attempt from {client}, found {}\n{first:?}",
                found.len()
            );
        }
    }

    /// Asserts that the MX of a domain was asked for before the first connection came.
    ///
    /// # Panics
    /// Where nobody connected, or nobody had asked before.
    #[track_caller]
    pub fn assert_looked_up_mx_before_connecting(&self, domain: &str) {
        let bare = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
        let sessions = self.sessions().entries();
        let Some(first) = sessions.first().map(|entry| entry.snapshot()) else {
            panic!("expected a connection after a lookup of {domain} MX, found no connection");
        };
        let queries = self.dns_queries().entries();
        let asked = |q: &&Arc<crate::journal::DnsQuery>| {
            q.record_type() == "MX" && bare(&q.name()) == bare(domain)
        };
        let at: Option<Timestamp> = queries.iter().find(asked).map(|q| q.at);
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

    /// Asserts that the sessions that match came at least so far apart, by the receiver's clock, and that there were
    /// two or more.
    ///
    /// # Panics
    /// Where they did not.
    #[track_caller]
    pub fn assert_retry_spacing(&self, pattern: &Sessions, least: Duration) {
        let found = self.sessions_like(pattern);
        assert!(
            found.len() >= 2,
            "expected two or more {pattern}, found {}",
            found.len()
        );
        for pair in found.windows(2) {
            let apart = pair[1].clock.saturating_sub(pair[0].clock);
            assert!(
                apart >= least,
                "expected {least:?} or more between tries, found {apart:?}\n    {}\n    {}",
                pair[0].headline(),
                pair[1].headline()
            );
        }
    }
}
