//! The interface of a persistent journal; [`file`](super::file) implements it with SQLite.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Envelope;

/// A message to store before it is acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct StoredMessage {
    /// The number of its session.
    pub session: u64,
    /// The time of the final dot.
    pub at: Timestamp,
    /// The envelope.
    pub envelope: Arc<Envelope>,
    /// The header fields that the receiver adds above the message.
    pub trace: String,
    /// The octets of the message.
    pub octets: Arc<Vec<u8>>,
}

/// A session to store.
pub(crate) trait StoredSession: Send + Sync + std::fmt::Debug {
    /// The number of the session.
    fn id(&self) -> u64;
    /// The session as JSON.
    fn json(&self) -> String;
}

/// The marks of a message in the Mailpit and MailHog APIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredMark {
    /// The number of the message.
    pub message: u64,
    /// Whether it was read.
    pub read: bool,
    /// Whether it was deleted, which hides it from that API.
    pub deleted: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The last assigned numbers of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// Of sessions.
    pub session: u64,
    /// Of messages.
    pub message: u64,
    /// Of events.
    pub event: u64,
}

/// A store that outlives the process.
pub(crate) trait JournalStore: Send + Sync + std::fmt::Debug {
    /// Stores a message and returns its key, or `None` if a reset has removed its session. When this returns, the message can be
    /// acknowledged (250); if it fails, nothing of the message is stored. It waits for concurrent calls and for the disk.
    fn message(&self, message: &StoredMessage) -> io::Result<Option<u64>>;
    /// The same without waiting: `None` during a concurrent call.
    fn try_message(&self, message: &StoredMessage) -> Option<io::Result<Option<u64>>>;
    /// Stores the number of a message, at once without a concurrent call.
    fn number(&self, key: u64, number: u64);
    /// Stores an ended session after a short delay.
    fn session(&self, record: Arc<dyn StoredSession>);
    /// Stores that event numbers up to this one are used. Events themselves are not stored.
    fn event_number(&self, last: u64);
    /// Stores marks at once, and removes those of messages up to a number.
    fn marks(&self, up_to: u64, marks: Vec<StoredMark>);
    /// Removes everything, and ignores later calls for sessions up to the last one.
    fn clear(&self, last: Last);
    /// Waits until everything so far is stored.
    fn settled(&self) -> oneshot::Receiver<io::Result<()>>;
    /// Closes the store, so that another process can open the file.
    fn release(&self);
}
