//! The thread that writes sessions and events.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};
use tokio::sync::oneshot;

use super::Work;
use crate::journal::{Event, Log, StoredSession};

/// Most pieces of work in one transaction.
const BATCH: usize = 2048;
/// Octets of events from which on they make a row.
const ROW_OCTETS: usize = 64 << 10;
/// How long sessions and events gather.
const GATHERING: Duration = Duration::from_millis(200);
/// Most sessions that gather; more are written at once.
const SESSIONS: usize = 512;
/// Most rows of events that gather.
const ROWS: usize = 32;

/// Writes what it is given.
pub(super) struct Writer {
    connection: Connection,
    waiting: Receiver<Work>,
    followed: Arc<OnceLock<Weak<Log<Event>>>>,
    batch: Batch,
    /// Sessions up to this number are forgotten.
    cleared: u64,
    /// When what gathers is to be written.
    due: Option<Instant>,
}

/// What is to be written in one transaction.
#[derive(Default)]
struct Batch {
    clear: bool,
    sessions: Vec<Arc<dyn StoredSession>>,
    rows: Vec<Row>,
    done: Vec<oneshot::Sender<io::Result<()>>>,
}

/// Events as JSON lines.
#[derive(Default)]
struct Row {
    first: u64,
    last: u64,
    lines: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        waiting: Receiver<Work>,
        followed: Arc<OnceLock<Weak<Log<Event>>>>,
    ) -> Self {
        Self {
            connection,
            waiting,
            followed,
            batch: Batch::default(),
            cleared: 0,
            due: None,
        }
    }

    /// Writes until nobody can give work any more.
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
            let mut hurry = match work {
                Ok(work) => self.gather(work),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            };
            hurry |= self.gather_waiting();
            hurry |= self.due.is_some_and(|due| due <= Instant::now()) || self.batch.is_full();
            if !hurry {
                self.due.get_or_insert_with(|| Instant::now() + GATHERING);
                continue;
            }
            self.due = None;
            if let Some(events) = self.followed.get().and_then(Weak::upgrade) {
                events.catch_up(); // what the log takes in now comes by the same way
                self.gather_waiting();
            }
            self.write();
        }
    }

    fn gather_waiting(&mut self) -> bool {
        let mut hurry = false;
        for _ in 1..BATCH {
            let Ok(work) = self.waiting.try_recv() else {
                break;
            };
            hurry |= self.gather(work);
        }
        hurry
    }

    /// Takes work in; true where what gathers is not to wait.
    fn gather(&mut self, work: Work) -> bool {
        match work {
            Work::Session(record) if record.id() <= self.cleared => {}
            Work::Session(record) => self.batch.sessions.push(record),
            Work::Events(happenings) => happenings
                .iter()
                .for_each(|happening| self.batch.event(happening)),
            Work::Clear(last_session) => {
                self.cleared = last_session;
                self.batch = Batch {
                    clear: true,
                    done: std::mem::take(&mut self.batch.done),
                    ..Batch::default()
                }
            }
            Work::Hurry => return true,
            Work::Settled(done) => {
                self.batch.done.push(done);
                return true;
            }
        }
        false
    }

    /// Writes what has gathered.
    fn write(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let written = self.connection.transaction().and_then(|transaction| {
            batch.insert(&transaction)?;
            transaction.commit()
        });
        if let Err(error) = &written {
            tracing::error!(%error, "the journal cannot be written");
        }
        for done in batch.done {
            // Who asked may have gone away.
            let _ = done.send(
                written
                    .as_ref()
                    .copied()
                    .map_err(|e| io::Error::other(e.to_string())),
            );
        }
    }
}

impl Batch {
    fn event(&mut self, happening: &Event) {
        let full = self
            .rows
            .last()
            .is_none_or(|row| row.lines.len() >= ROW_OCTETS);
        if full {
            self.rows.push(Row {
                first: happening.id,
                ..Row::default()
            });
        }
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        (row.first, row.last) = (row.first.min(happening.id), row.last.max(happening.id));
        // Writing to a Vec never fails, and an event has no map with keys that are no text.
        let _ = serde_json::to_writer(&mut row.lines, happening);
        row.lines.push(b'\n');
    }

    fn is_full(&self) -> bool {
        self.sessions.len() >= SESSIONS || self.rows.len() >= ROWS
    }

    fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.clear {
            transaction.execute_batch("DELETE FROM session; DELETE FROM events;")?;
        }
        let mut insert = transaction
            .prepare_cached("INSERT OR REPLACE INTO session (id, record) VALUES (?, ?)")?;
        for record in &self.sessions {
            insert.execute(params![record.id().cast_signed(), record.json()])?;
        }
        let mut insert = transaction
            .prepare_cached("INSERT INTO events (first, last, lines) VALUES (?, ?, ?)")?;
        for Row { first, last, lines } in &self.rows {
            insert.execute(params![
                first.cast_signed(),
                last.cast_signed(),
                String::from_utf8_lossy(lines)
            ])?;
        }
        Ok(())
    }
}
