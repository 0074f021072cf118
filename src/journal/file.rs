//! A journal in a file (SQLite): one thread writes, in batches, and says of each when it is safe.
//!
//! The write-ahead log makes a committed batch survive the end of the process at any moment. It is not synced to the
//! disk: a test's journal need not survive the loss of power.
//!
//! Events come many to a message, and nobody asks the file for one of them: a row holds those of a while as JSON lines.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::oneshot;

use super::{Deposit, Happening, Keeper, What};
use crate::error::Error;

/// Most pieces of work in one transaction.
const BATCH: usize = 2048;

/// Octets of events from which on they make a row.
const ROW_OCTETS: usize = 64 << 10;

const SCHEMA: &str = "
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA cache_size = -32768;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL, at_us INTEGER NOT NULL, envelope TEXT NOT NULL,
    trace TEXT NOT NULL, octets BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS session (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, lines TEXT NOT NULL) STRICT;
";

/// The writing end of a journal file.
#[derive(Debug)]
pub struct File {
    work: Sender<Work>,
}

/// What a file held when it was opened.
#[derive(Debug, Default)]
pub struct Restored {
    /// Messages, in the order they were stored.
    pub messages: Vec<Deposit>,
    /// Sessions that had ended, by their numbers, as JSON.
    pub sessions: Vec<(u64, String)>,
    /// The number of the last event.
    pub last_event: u64,
}

#[derive(Debug)]
enum Work {
    Messages(Vec<Deposit>, oneshot::Sender<io::Result<()>>),
    Session(u64, String),
    Events(Vec<Arc<Happening>>),
    Clear,
    Settled(oneshot::Sender<io::Result<()>>),
}

impl File {
    /// Opens a file, or makes one; gives what it held, at most so many messages and sessions, the latest ones.
    ///
    /// # Errors
    /// The file cannot be opened, is no SQLite file, or holds something else.
    pub fn open(path: &Path, messages: usize, sessions: usize) -> Result<(Arc<Self>, Restored), Error> {
        let failed =
            |e: rusqlite::Error| Error::io(format!("cannot use the journal {}", path.display()), io::Error::other(e));
        let connection = Connection::open(path).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        let restored = restore(&connection, messages, sessions).map_err(failed)?;
        let (work, waiting) = channel();
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || write(connection, &waiting));
        thread.map_err(|e| Error::io("cannot start the journal's thread", e))?;
        Ok((Arc::new(Self { work }), restored))
    }

    /// Where the thread has gone, the receiver of what is dropped here is told so.
    fn give(&self, work: Work) {
        if self.work.send(work).is_err() {
            tracing::error!("the journal's thread has ended: nothing more is written");
        }
    }
}

impl Keeper for File {
    fn messages(&self, deposits: Vec<Deposit>) -> oneshot::Receiver<io::Result<()>> {
        let (done, safe) = oneshot::channel();
        self.give(Work::Messages(deposits, done));
        safe
    }

    fn session(&self, id: u64, record: String) {
        self.give(Work::Session(id, record));
    }

    fn events(&self, happenings: &[Arc<Happening>]) {
        // A message has its own table, and was written there before it was acknowledged.
        let kept = happenings.iter().filter(|happening| !matches!(happening.what, What::Message { .. }));
        let kept: Vec<_> = kept.map(Arc::clone).collect();
        if !kept.is_empty() {
            self.give(Work::Events(kept));
        }
    }

    fn clear(&self) {
        self.give(Work::Clear);
    }

    fn settled(&self) -> oneshot::Receiver<io::Result<()>> {
        let (done, safe) = oneshot::channel();
        self.give(Work::Settled(done));
        safe
    }
}

/// Writes until nobody can give work any more.
fn write(mut connection: Connection, waiting: &Receiver<Work>) {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter().take(BATCH - 1)).collect();
        let written = connection.transaction().and_then(|transaction| {
            let mut lines = Lines::default();
            batch.iter().try_for_each(|work| insert(&transaction, work, &mut lines))?;
            lines.insert(&transaction)?;
            transaction.commit()
        });
        if let Err(error) = &written {
            tracing::error!(%error, "the journal cannot be written");
        }
        for work in batch {
            if let Work::Messages(_, done) | Work::Settled(done) = work {
                // Who asked may have gone away.
                let _ = done.send(written.as_ref().copied().map_err(|e| io::Error::other(e.to_string())));
            }
        }
    }
}

/// Events on their way into one row.
#[derive(Default)]
struct Lines {
    first: u64,
    last: u64,
    text: Vec<u8>,
}

impl Lines {
    fn push(&mut self, happening: &Happening) {
        let begun = !self.text.is_empty();
        self.first = if begun { self.first.min(happening.id) } else { happening.id };
        self.last = if begun { self.last.max(happening.id) } else { happening.id };
        // Writing to a Vec never fails, and an event has no map with keys that are no text.
        let _ = serde_json::to_writer(&mut self.text, happening);
        self.text.push(b'\n');
    }

    /// Writes the row, where there is anything to write, and begins anew.
    fn insert(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let lines = String::from_utf8_lossy(&self.text);
        let mut insert = transaction.prepare_cached("INSERT INTO events (first, last, lines) VALUES (?, ?, ?)")?;
        insert.execute(params![self.first.cast_signed(), self.last.cast_signed(), lines])?;
        self.text.clear();
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, work: &Work, lines: &mut Lines) -> rusqlite::Result<()> {
    match work {
        Work::Messages(deposits, _) => {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO message (session, at_us, envelope, trace, octets) VALUES (?, ?, ?, ?, ?)",
            )?;
            for Deposit { session, at, envelope, trace, octets } in deposits {
                let envelope = serde_json::to_string(&**envelope).unwrap_or_default();
                insert.execute(params![session.cast_signed(), at.as_microsecond(), envelope, trace, octets])?;
            }
        }
        Work::Session(id, record) => {
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO session (id, record) VALUES (?, ?)")?;
            insert.execute(params![id.cast_signed(), record])?;
        }
        Work::Events(happenings) => {
            happenings.iter().for_each(|happening| lines.push(happening));
            if lines.text.len() >= ROW_OCTETS {
                lines.insert(transaction)?;
            }
        }
        Work::Clear => {
            lines.text.clear();
            transaction.execute_batch("DELETE FROM message; DELETE FROM session; DELETE FROM events;")?;
        }
        Work::Settled(_) => {}
    }
    Ok(())
}

fn restore(connection: &Connection, messages: usize, sessions: usize) -> rusqlite::Result<Restored> {
    let latest = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut select =
        connection.prepare("SELECT session, at_us, envelope, trace, octets FROM message ORDER BY id DESC LIMIT ?")?;
    let deposits = select.query_map([latest(messages)], |row| {
        let (at, envelope): (i64, String) = (row.get(1)?, row.get(2)?);
        Ok(Deposit {
            session: row.get::<_, i64>(0)?.cast_unsigned(),
            at: Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH),
            envelope: Arc::new(serde_json::from_str(&envelope).unwrap_or_default()),
            trace: row.get(3)?,
            octets: row.get(4)?,
        })
    })?;
    let mut messages = deposits.collect::<rusqlite::Result<Vec<_>>>()?;
    messages.reverse();
    let mut select = connection.prepare("SELECT id, record FROM session ORDER BY id DESC LIMIT ?")?;
    let records =
        select.query_map([latest(sessions)], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?)))?;
    let mut sessions = records.collect::<rusqlite::Result<Vec<_>>>()?;
    sessions.reverse();
    let last: Option<Option<i64>> =
        connection.query_row("SELECT max(last) FROM events", [], |row| row.get(0)).optional()?;
    let last_event = last.flatten().unwrap_or_default().cast_unsigned();
    Ok(Restored { messages, sessions, last_event })
}
