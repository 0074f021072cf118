//! SMTP: the session without I/O, the server with its sockets, and the record of a session.
//!
//! [`Session`] turns octets into octets, without socket, clock or await; [`serve`] owns the sockets and the time;
//! [`SessionRecord`] is what the journal keeps. A session observes and judges; it never reads a zone.

mod budget;
pub mod client;
mod cure;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod protocol;
mod record;
mod server;
mod session;
mod settings;

pub use budget::MessageBudget;
pub(crate) use cure::amendments;
pub(crate) use protocol::command::AFTER_HELO;
pub use protocol::data::TEXT_LINE_OCTETS;
pub use protocol::extension::{Extension, Extensions};
pub(crate) use protocol::mailbox::is_mailbox;
pub use protocol::replies::{CORE_PLACEHOLDERS, CoreReplies, CoreReply};
pub use protocol::syntax::{BareNewline, DomainTolerance, LocalPart, MistakeOrder, Syntax};
pub use record::events::PendingEvents;
pub use record::transcript::{Speaker, Transcript, TranscriptLine};
pub use record::{SessionEntry, SessionRecord, Transaction};
pub use server::client_address::{
    AddressSource, ClientAddress, ClientSource, Identity, Nat, Order,
};
pub use server::proxy::ProxyMode;
pub use server::reset::LastReset;
pub use server::{ListenerConfig, ServerState, SessionConfig, serve};
pub use session::event::{AcceptedMessage, SessionEvent, SessionEvents};
pub use session::script::{Condition, CountPer, End, Point, Schedule, Script, SendMode};
pub use session::trace::Trace;
pub use session::{COMMAND_LINE_OCTETS, ListenerMode, PATH_LINE_OCTETS, Protocol, Session, Step};
pub use settings::{Auth, AuthOutcome, Mechanism, Settings, StartTls, UnwantedResponse};

use crate::policy::Policy;

/// A receiver: its SMTP settings and its policy.
#[derive(Debug, Default)]
pub struct Receiver {
    /// The name.
    pub name: String,
    /// The SMTP settings.
    pub settings: Settings,
    /// The rules.
    pub policy: Policy,
}
