//! A journal in a file (SQLite): one thread writes, in batches; messages are written by who brings them.
//!
//! The write-ahead log makes a committed batch survive the end of the process at any moment. It is not synced to the
//! disk: a test's journal need not survive the loss of power.
//!
//! Messages stand in a file beside the database, where a 250 waits for them: each octet is written once. Sessions and
//! events gather for a moment: nobody was promised that they are safe, and each would cost more than the message they
//! belong to. Events come many to a message, and nobody asks the file for one of them: a row holds those of a while as
//! JSON lines.

mod mail;
mod writer;

use std::io;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;

use super::{Event, EventKind, JournalStore, Limits, Log, StoredMessage, StoredSession};
use crate::error::Error;
use mail::MailFile;
use writer::Writer;

const SCHEMA: &str = "
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA cache_size = -32768;
CREATE TABLE IF NOT EXISTS session (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, lines TEXT NOT NULL) STRICT;
";

/// The writing end of a journal file.
#[derive(Debug)]
pub struct File {
    mail: Mutex<MailFile>,
    work: Sender<Work>,
    followed: Arc<OnceLock<Weak<Log<Event>>>>,
}

/// What a file held when it was opened.
#[derive(Debug, Default)]
pub struct Restored {
    /// Messages, in the order they were stored.
    pub messages: Vec<StoredMessage>,
    /// Sessions that had ended, by their numbers, as JSON.
    pub sessions: Vec<(u64, String)>,
    /// The number of the last event.
    pub last_event: u64,
}

#[derive(Debug)]
enum Work {
    Session(Arc<dyn StoredSession>),
    Events(Vec<Arc<Event>>),
    Hurry,
    Clear(u64),
    Settled(oneshot::Sender<io::Result<()>>),
}

impl File {
    /// Opens a file, or makes one, and the one of its messages beside it; gives what they held: the latest messages, and
    /// the latest sessions.
    ///
    /// # Errors
    /// A file cannot be opened, is no journal, or another process has it.
    pub fn open(
        path: &Path,
        messages: Limits,
        sessions: usize,
    ) -> Result<(Arc<Self>, Restored), Error> {
        let failed =
            |path: &Path, e| Error::io(format!("cannot use the journal {}", path.display()), e);
        let database = |e: rusqlite::Error| failed(path, io::Error::other(e));
        let connection = Connection::open(path).map_err(database)?;
        connection.execute_batch(SCHEMA).map_err(database)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".mail");
        let beside = std::path::PathBuf::from(beside);
        let (mail, messages) = MailFile::open(&beside, messages).map_err(|e| failed(&beside, e))?;
        let restored = restore(&connection, messages, sessions).map_err(database)?;
        let (work, waiting) = channel();
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let followed = Arc::default();
        let writer = Writer::new(connection, waiting, Arc::clone(&followed));
        let thread = thread.spawn(move || writer.run());
        thread.map_err(|e| Error::io("cannot start the journal's thread", e))?;
        Ok((
            Arc::new(Self {
                mail: Mutex::new(mail),
                work,
                followed,
            }),
            restored,
        ))
    }

    /// Where the thread has gone, the receiver of what is dropped here is told so.
    fn give(&self, work: Work) {
        if self.work.send(work).is_err() {
            tracing::error!("the journal's thread has ended: nothing more is written");
        }
    }
}

impl JournalStore for File {
    fn message(&self, deposit: &StoredMessage) -> io::Result<()> {
        self.mail.lock().append(std::slice::from_ref(deposit))
    }

    fn try_message(&self, deposit: &StoredMessage) -> Option<io::Result<()>> {
        Some(self.mail.try_lock()?.append(std::slice::from_ref(deposit)))
    }

    fn session(&self, record: Arc<dyn StoredSession>) {
        self.give(Work::Session(record));
    }

    fn follow(&self, events: Weak<Log<Event>>) {
        let _ = self.followed.set(events);
    }

    fn hurry(&self) {
        self.give(Work::Hurry);
    }

    fn events(&self, happenings: &[Arc<Event>]) {
        // A message has its own file, and was written there before it was acknowledged.
        let kept = happenings
            .iter()
            .filter(|happening| !matches!(happening.what, EventKind::Message { .. }));
        let kept: Vec<_> = kept.map(Arc::clone).collect();
        if !kept.is_empty() {
            self.give(Work::Events(kept));
        }
    }

    fn clear(&self, last_session: u64) {
        if let Err(error) = self.mail.lock().clear(last_session) {
            tracing::error!(%error, "the journal's messages cannot be cleared");
        }
        self.give(Work::Clear(last_session));
    }

    fn settled(&self) -> oneshot::Receiver<io::Result<()>> {
        let (done, safe) = oneshot::channel();
        self.give(Work::Settled(done));
        safe
    }

    fn release(&self) {
        self.mail.lock().release();
    }
}

fn restore(
    connection: &Connection,
    messages: Vec<StoredMessage>,
    sessions: usize,
) -> rusqlite::Result<Restored> {
    let latest = i64::try_from(sessions).unwrap_or(i64::MAX);
    let mut select =
        connection.prepare("SELECT id, record FROM session ORDER BY id DESC LIMIT ?")?;
    let records = select.query_map([latest], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
    })?;
    let mut sessions = records.collect::<rusqlite::Result<Vec<_>>>()?;
    sessions.reverse();
    let last: Option<Option<i64>> = connection
        .query_row("SELECT max(last) FROM events", [], |row| row.get(0))
        .optional()?;
    let last_event = last.flatten().unwrap_or_default().cast_unsigned();
    Ok(Restored {
        messages,
        sessions,
        last_event,
    })
}
