//! What a journal that outlives the process has to do; [`file`](super::file) does it with SQLite.

use std::io;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{Envelope, Event, Log};

/// A message on its way into the file, before it is acknowledged.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// The session that brought it.
    pub session: u64,
    /// When it came.
    pub at: Timestamp,
    /// Its envelope.
    pub envelope: Arc<Envelope>,
    /// The header fields that the receiver writes above it.
    pub trace: String,
    /// Its octets.
    pub octets: Arc<Vec<u8>>,
}

/// A session as a file keeps it.
pub trait StoredSession: Send + Sync + std::fmt::Debug {
    /// Its number.
    fn id(&self) -> u64;
    /// The session as JSON.
    fn json(&self) -> String;
}

/// Keeps what happened beyond the end of the process.
pub trait JournalStore: Send + Sync + std::fmt::Debug {
    /// Keeps a message. When this returns it is safe, and may be acknowledged (250); where it fails, nothing of it stays.
    /// It waits for others who do the same, and a large message may have to wait for the disk.
    fn message(&self, deposit: &StoredMessage) -> io::Result<()>;
    /// The same without waiting for others: `None` where somebody else is at it.
    fn try_message(&self, deposit: &StoredMessage) -> Option<io::Result<()>>;
    /// Keeps a session that ended, soon.
    fn session(&self, record: Arc<dyn StoredSession>);
    /// Keeps events, soon.
    fn events(&self, happenings: &[Arc<Event>]);
    /// Has the event log looked at now and then, so that what it takes in comes to be kept.
    fn follow(&self, events: Weak<Log<Event>>);
    /// Has it looked at now: much waits.
    fn hurry(&self);
    /// Forgets everything, and takes nothing more of sessions up to this number.
    fn clear(&self, last_session: u64);
    /// Waits until everything given so far is safe.
    fn settled(&self) -> oneshot::Receiver<io::Result<()>>;
    /// Says that nothing more is given: others may have the file now.
    fn release(&self);
}
