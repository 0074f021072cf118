//! SMTP: the session without I/O, the server with its sockets, and the record of a session.
//!
//! [`Session`] turns octets into octets, without socket, clock or await; `serve` owns the sockets and the time;
//! [`SessionRecord`] is what the journal keeps. A session observes and judges; it never reads a zone.

mod budget;
pub mod client;
mod client_address;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod protocol;
mod recipients;
mod record;
mod remedies;
mod script;
mod server;
mod session;
mod settings;

pub(crate) use budget::MessageBudget;
pub use client_address::{AddressSource, ClientAddress, ClientSource, Order};
pub(crate) use client_address::{Identity, Nat};
pub(crate) use protocol::command::AFTER_HELO;
pub use protocol::extension::Extensions;
pub(crate) use protocol::extension::{Extension, Mechanism};
pub(crate) use protocol::mailbox::is_mailbox;
pub(crate) use protocol::replies::{CORE_PLACEHOLDERS, CoreReplies, CoreReply};
pub use protocol::syntax::Syntax;
pub(crate) use protocol::syntax::{
    BareNewline, COMMAND_LINE_OCTETS, DomainTolerance, LocalPart, LongLine, MistakeOrder,
    TEXT_LINE_OCTETS,
};
pub use recipients::Recipients;
pub(crate) use recipients::{Mailboxes, RecipientKind};
pub(crate) use record::events::PendingEvents;
pub use record::transcript::TranscriptLine;
pub use record::{SessionEntry, SessionRecord, Transaction};
pub(crate) use remedies::amendments;
pub(crate) use script::{Condition, CountPer, Point, Schedule};
pub use script::{End, Script, SendMode};
pub use server::ListenerConfig;
pub(crate) use server::accepted::Accepted;
pub(crate) use server::gateway::Gateways;
pub use server::proxy::ProxyMode;
pub(crate) use server::reset::LastReset;
pub(crate) use server::{ServerState, SessionConfig, SharedSessionConfig, serve};
pub use session::event::{AcceptedMessage, SessionEvent, SessionEvents, Speaker};
pub use session::{ListenerMode, Protocol, Session, Step};
pub(crate) use settings::{Auth, AuthOutcome, UnwantedResponse};
pub use settings::{Settings, StartTls};

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
