//! The journal file (SQLite): one thread writes sessions in batches; each session writes its own messages.
//!
//! With the write-ahead log, a committed batch survives the end of the process at any moment. The log is not synced to the
//! disk, because the journal of a test need not survive a power failure.
//!
//! Messages are in a second file, FILE.mail, and are written before their 250 is sent, each octet once. Sessions are written
//! after a short delay, because no reply promises that they are stored. Both files have the limits of the logs in memory,
//! and the space of removed entries is freed. Events are not stored, because a session has all the information of its
//! events.

mod database;
mod mail;
mod record;
mod repair;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::{JournalStore, Last, Limits, StoredMark, StoredMessage, StoredSession};
use crate::error::Error;
use mail::MailFile;
pub(crate) use repair::{Repaired, repair};
use writer::Writer;

/// Number of event numbers that are reserved together; a killed process leaves at most this many unused.
const RESERVED: u64 = 100_000;

/// The writing end of a journal file.
#[derive(Debug)]
pub struct File {
    mail: Arc<Mutex<MailFile>>,
    work: Sender<Work>,
    /// The number of the last event.
    event: AtomicU64,
    /// The last event number that is reserved in the file.
    reserved: AtomicU64,
}

/// The content of a file when it was opened.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// The messages in the order of storage, with their numbers if known.
    pub messages: Vec<(StoredMessage, Option<u64>)>,
    /// Sessions that had ended, by their numbers, as JSON.
    pub sessions: Vec<(u64, String)>,
    /// Marks of messages.
    pub marks: Vec<StoredMark>,
    /// The last assigned numbers.
    pub last: Last,
}

#[derive(Debug)]
enum Work {
    Session(Arc<dyn StoredSession>),
    Marks(u64, Vec<StoredMark>),
    Event(u64),
    Number(u64, u64),
    Numbers,
    Compact,
    Clear(Last),
    Settled(oneshot::Sender<io::Result<()>>),
}

impl File {
    /// Opens or creates the file and its FILE.mail, and returns their content. The limits are those of the logs in memory.
    ///
    /// # Errors
    /// A file cannot be opened, is not a journal, is damaged, or is in use by another process.
    pub(crate) fn open(
        path: &Path,
        messages: Limits,
        sessions: Limits,
    ) -> Result<(Arc<Self>, Restored), Error> {
        let failed = |path: &Path| {
            let what = format!("cannot use the journal {}", path.display());
            move |error| Error::io(what, error)
        };
        let connection = database::open(path).map_err(failed(path))?;
        let mail_path = mail_path_of(path);
        let (mail, messages) = MailFile::open(&mail_path, messages).map_err(failed(&mail_path))?;
        let rows = database::read(&connection, sessions).map_err(io::Error::other);
        let rows = rows.map_err(failed(path))?;
        let mail = Arc::new(Mutex::new(mail));
        let (work, waiting) = channel();
        let writer = Writer::new(
            connection,
            Arc::clone(&mail),
            waiting,
            sessions,
            &rows.sessions,
        );
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || writer.run());
        thread.map_err(|e| Error::io("cannot start the journal's thread", e))?;
        let file = Self {
            mail,
            work,
            event: AtomicU64::new(rows.last.event),
            reserved: AtomicU64::new(rows.last.event),
        };
        file.compact_if_needed(&mut file.mail.lock());
        let restored = Restored {
            messages,
            sessions: rows.sessions,
            marks: rows.marks,
            last: rows.last,
        };
        Ok((Arc::new(file), restored))
    }

    /// Sends work to the thread. If the thread has ended, the work is dropped, and a waiting receiver gets an error.
    fn give(&self, work: Work) {
        if self.work.send(work).is_err() {
            tracing::error!("the journal's thread has ended: nothing more is written");
        }
    }

    fn append(
        &self,
        mut mail: MutexGuard<'_, MailFile>,
        message: &StoredMessage,
    ) -> io::Result<Option<u64>> {
        let key = mail.append(message)?;
        self.compact_if_needed(&mut mail);
        Ok(key)
    }

    fn compact_if_needed(&self, mail: &mut MailFile) {
        if mail.needs_copy() {
            self.give(Work::Compact);
        }
    }
}

/// The file of the messages.
fn mail_path_of(path: &Path) -> PathBuf {
    let mut mail_path = path.as_os_str().to_owned();
    mail_path.push(".mail");
    mail_path.into()
}

impl JournalStore for File {
    fn message(&self, message: &StoredMessage) -> io::Result<Option<u64>> {
        self.append(self.mail.lock(), message)
    }

    fn try_message(&self, message: &StoredMessage) -> Option<io::Result<Option<u64>>> {
        Some(self.append(self.mail.try_lock()?, message))
    }

    fn number(&self, key: u64, number: u64) {
        let Some(mut mail) = self.mail.try_lock() else {
            return self.give(Work::Number(key, number));
        };
        mail.number(key, number);
        if mail.write_numbers().is_err() {
            self.give(Work::Numbers);
        }
    }

    fn session(&self, record: Arc<dyn StoredSession>) {
        self.give(Work::Session(record));
    }

    fn event_number(&self, last: u64) {
        self.event.fetch_max(last, Ordering::Relaxed);
        let reserved = self.reserved.load(Ordering::Relaxed);
        if last + RESERVED / 2 > reserved {
            self.reserved.store(last + RESERVED, Ordering::Relaxed);
            self.give(Work::Event(last + RESERVED));
        }
    }

    fn marks(&self, up_to: u64, marks: Vec<StoredMark>) {
        self.give(Work::Marks(up_to, marks));
    }

    fn clear(&self, last: Last) {
        if let Err(error) = self.mail.lock().clear(last.session) {
            tracing::error!(%error, "the journal's messages cannot be cleared");
        }
        self.give(Work::Clear(last));
    }

    fn settled(&self) -> oneshot::Receiver<io::Result<()>> {
        let last = self.event.load(Ordering::Relaxed);
        self.reserved.store(last, Ordering::Relaxed);
        self.give(Work::Event(last));
        let (done, safe) = oneshot::channel();
        self.give(Work::Settled(done));
        safe
    }

    fn release(&self) {
        self.mail.lock().release();
    }
}
