//! The thread that writes sessions and marks, and frees space.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, params};
use tokio::sync::oneshot;

use super::mail::{self, MailFile};
use super::{Last, Work, database};
use crate::journal::{Limits, StoredMark, StoredSession};

/// Maximum number of items in one transaction.
const BATCH: usize = 2048;
/// Maximum delay of sessions.
const BATCH_DELAY: Duration = Duration::from_millis(200);
/// Time before a failed write is repeated.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Number of sessions after which they are written at once.
const SESSIONS: usize = 512;

/// Writes sessions, marks and numbers to the database.
pub(super) struct Writer {
    connection: Connection,
    mail: Arc<Mutex<MailFile>>,
    waiting: Receiver<Work>,
    /// The limits of the stored sessions.
    limits: Limits,
    /// The octets of each session in the database.
    kept: BTreeMap<u64, usize>,
    octets: usize,
    batch: Batch,
    /// Sessions up to this number are removed.
    cleared: u64,
    /// The time at which the current batch is written.
    due: Option<Instant>,
    /// The number of sessions lost since the last successful write; `None` if the last write succeeded.
    failing: Option<usize>,
}

/// The work of one transaction.
#[derive(Default)]
struct Batch {
    clear: Option<Last>,
    sessions: Vec<Arc<dyn StoredSession>>,
    /// Marks of messages up to this number are removed.
    unmarked: u64,
    marks: BTreeMap<u64, StoredMark>,
    /// Event numbers up to this one are used or reserved.
    event: u64,
    done: Vec<oneshot::Sender<io::Result<()>>>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        mail: Arc<Mutex<MailFile>>,
        waiting: Receiver<Work>,
        limits: Limits,
        sessions: &[(u64, String)],
    ) -> Self {
        let kept: BTreeMap<_, _> = sessions
            .iter()
            .map(|(id, text)| (*id, text.len()))
            .collect();
        Self {
            connection,
            mail,
            waiting,
            limits,
            octets: kept.values().sum(),
            kept,
            batch: Batch::default(),
            cleared: 0,
            due: None,
            failing: None,
        }
    }

    /// Writes until every sender of work is dropped.
    pub(super) fn run(mut self) {
        loop {
            let work = match self.due {
                None => self
                    .waiting
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self
                    .waiting
                    .recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            let mut write_now = match work {
                Ok(work) => self.gather(work),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => {
                    self.write_numbers();
                    return self.write();
                }
            };
            for _ in 1..BATCH {
                let Ok(work) = self.waiting.try_recv() else {
                    break;
                };
                write_now |= self.gather(work);
            }
            write_now |= self.due.is_some_and(|due| due <= Instant::now());
            write_now |= self.failing.is_none() && self.batch.sessions.len() >= SESSIONS;
            if write_now {
                self.due = None;
                self.write();
            } else if !self.batch.is_empty() {
                self.due.get_or_insert_with(|| Instant::now() + BATCH_DELAY);
            }
        }
    }

    /// Adds work to the batch. Returns true if the batch must be written at once.
    fn gather(&mut self, work: Work) -> bool {
        match work {
            Work::Session(record) if record.id() <= self.cleared => {}
            Work::Session(record) => self.batch.sessions.push(record),
            Work::Marks(up_to, marks) => {
                let batch = &mut self.batch;
                batch.unmarked = batch.unmarked.max(up_to);
                batch
                    .marks
                    .extend(marks.into_iter().map(|mark| (mark.message, mark)));
                return self.failing.is_none();
            }
            Work::Event(number) => {
                self.batch.event = number;
                return self.failing.is_none();
            }
            Work::Number(key, number) => {
                self.mail.lock().number(key, number);
                self.write_numbers();
            }
            Work::Numbers => self.write_numbers(),
            Work::Compact => {
                if let Err(error) = mail::compact(&self.mail) {
                    tracing::warn!(%error, "the journal's messages cannot be copied to free space");
                }
            }
            Work::Clear(last) => {
                self.cleared = last.session;
                self.batch = Batch {
                    clear: Some(last),
                    done: std::mem::take(&mut self.batch.done),
                    ..Batch::default()
                };
                return true;
            }
            Work::Settled(done) => {
                self.write_numbers();
                self.batch.done.push(done);
                return true;
            }
        }
        false
    }

    /// Writes the numbers of messages; after a failure, they are written with the next message.
    fn write_numbers(&self) {
        if let Err(error) = self.mail.lock().write_numbers() {
            tracing::error!(%error, "the journal's message numbers cannot be written");
        }
    }

    /// Writes the batch. After a failure, the batch remains for the next attempt.
    fn write(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        if batch.is_empty() && batch.done.is_empty() {
            return;
        }
        let written = self.write_batch(&batch);
        let outcome = || match &written {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        for done in batch.done.drain(..) {
            // The waiting caller may be gone.
            let _ = done.send(outcome());
        }
        match written {
            Ok(()) => {
                if let Some(lost) = self.failing.take() {
                    tracing::warn!(lost_sessions = lost, "the journal can be written again");
                }
            }
            Err(error) => {
                if self.failing.is_none() {
                    tracing::error!(%error, "the journal cannot be written: a write is tried again every second");
                }
                let lost = batch.sessions.len().saturating_sub(SESSIONS);
                batch.sessions.drain(..lost);
                *self.failing.get_or_insert_default() += lost;
                self.batch = batch;
                self.due = Some(Instant::now() + RETRY_DELAY);
            }
        }
    }

    fn write_batch(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let (mut kept, mut octets) = (std::mem::take(&mut self.kept), self.octets);
        if batch.clear.is_some() {
            (kept, octets) = (BTreeMap::new(), 0);
        }
        let sessions: Vec<_> = batch.sessions.iter().map(|s| (s.id(), s.json())).collect();
        for (id, json) in &sessions {
            octets += json.len();
            octets -= kept.insert(*id, json.len()).unwrap_or_default();
        }
        let mut forgotten = 0;
        while kept.len() > 1 && (kept.len() > self.limits.entries || octets > self.limits.octets) {
            if let Some((id, size)) = kept.pop_first() {
                (forgotten, octets) = (id, octets - size);
            }
        }
        let written = self.connection.transaction().and_then(|transaction| {
            batch.insert(&transaction, &sessions, forgotten)?;
            transaction.commit()
        });
        if written.is_ok() {
            (self.kept, self.octets) = (kept, octets);
            database::free_pages(&self.connection)?;
        } else {
            self.recount();
        }
        written
    }

    /// Counts the entries in the database.
    fn recount(&mut self) {
        let select = "SELECT id, octet_length(record) FROM session";
        let counted = self.connection.prepare(select).and_then(|mut select| {
            let rows = select.query_map([], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let size = |size: i64| usize::try_from(size).unwrap_or_default();
        self.kept = counted
            .unwrap_or_default()
            .into_iter()
            .map(|(id, octets)| (id, size(octets)))
            .collect();
        self.octets = self.kept.values().sum();
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.clear.is_none()
            && self.sessions.is_empty()
            && self.marks.is_empty()
            && (self.unmarked, self.event) == (0, 0)
    }

    fn insert(
        &self,
        transaction: &Transaction<'_>,
        sessions: &[(u64, String)],
        forgotten: u64,
    ) -> rusqlite::Result<()> {
        if let Some(last) = self.clear {
            transaction.execute_batch("DELETE FROM session; DELETE FROM mark;")?;
            database::count(transaction, "session", last.session)?;
            database::count(transaction, "message", last.message)?;
        }
        let insert = "INSERT OR REPLACE INTO session (id, record) VALUES (?, ?)";
        let mut insert = transaction.prepare_cached(insert)?;
        for (id, record) in sessions.iter().filter(|(id, _)| *id > forgotten) {
            insert.execute(params![id.cast_signed(), record])?;
        }
        if forgotten > 0 {
            let mut delete = transaction.prepare_cached("DELETE FROM session WHERE id <= ?")?;
            delete.execute([forgotten.cast_signed()])?;
        }
        if self.unmarked > 0 {
            let mut delete = transaction.prepare_cached("DELETE FROM mark WHERE message <= ?")?;
            delete.execute([self.unmarked.cast_signed()])?;
        }
        for mark in self
            .marks
            .values()
            .filter(|mark| mark.message > self.unmarked)
        {
            database::mark(transaction, mark)?;
        }
        if self.event > 0 {
            database::count(transaction, "event", self.event)?;
        }
        Ok(())
    }
}
