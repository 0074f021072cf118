//! What a journal that outlives the process has to do; [`file`](super::file) does it with SQLite.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Envelope;

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

/// What a mail API keeps of a message beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredMark {
    /// The number of the message.
    pub message: u64,
    /// Whether it was read.
    pub read: bool,
    /// Whether it was deleted, which hides it from that API.
    pub deleted: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The last numbers that were given in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// Of sessions.
    pub session: u64,
    /// Of messages.
    pub message: u64,
    /// Of events.
    pub event: u64,
}

/// Keeps what happened beyond the end of the process.
pub trait JournalStore: Send + Sync + std::fmt::Debug {
    /// Keeps a message and returns its key, by which its number can be told; `None` where a reset has forgotten its session.
    /// When this returns it is safe, and may be acknowledged (250); where it fails, nothing of it stays. It waits for
    /// others who do the same, and a large message may have to wait for the disk.
    fn message(&self, deposit: &StoredMessage) -> io::Result<Option<u64>>;
    /// The same without waiting for others: `None` where somebody else is at it.
    fn try_message(&self, deposit: &StoredMessage) -> Option<io::Result<Option<u64>>>;
    /// Keeps the number that a message got, at once where nobody else is at it.
    fn number(&self, key: u64, number: u64);
    /// Keeps a session that ended, soon.
    fn session(&self, record: Arc<dyn StoredSession>);
    /// Takes in that events have numbers up to this one. Events themselves are not kept.
    fn event_number(&self, last: u64);
    /// Keeps marks, at once, and forgets those of messages up to a number.
    fn marks(&self, up_to: u64, marks: Vec<StoredMark>);
    /// Forgets everything, and takes nothing more of sessions up to the last one.
    fn clear(&self, last: Last);
    /// Waits until everything given so far is safe.
    fn settled(&self) -> oneshot::Receiver<io::Result<()>>;
    /// Says that nothing more is given: others may have the file now.
    fn release(&self);
}
