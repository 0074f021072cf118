//! SMTP: the session without I/O, the server with its sockets, and the record of a session.
//!
//! [`Session`] turns octets into octets, without socket, clock or await; [`serve`] owns the sockets and the time;
//! [`SessionRecord`] is what the journal keeps. A session observes and judges; it never reads a zone.

mod budget;
pub mod client;
mod client_address;
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

pub use budget::MessageBudget;
pub use client_address::{AddressSource, ClientAddress, ClientSource, Identity, Nat, Order};
pub(crate) use protocol::command::AFTER_HELO;
pub use protocol::extension::{Extension, Extensions, Mechanism};
pub(crate) use protocol::mailbox::is_mailbox;
pub use protocol::replies::{CORE_PLACEHOLDERS, CoreReplies, CoreReply};
pub(crate) use protocol::syntax::LongLine;
pub use protocol::syntax::{
    BareNewline, COMMAND_LINE_OCTETS, DomainTolerance, LocalPart, MistakeOrder, PATH_LINE_OCTETS,
    Syntax, TEXT_LINE_OCTETS,
};
pub(crate) use recipients::RecipientKind;
pub use recipients::{Mailboxes, Recipients};
pub use record::events::PendingEvents;
pub use record::transcript::{Transcript, TranscriptLine};
pub use record::{SessionEntry, SessionRecord, Transaction};
pub(crate) use remedies::amendments;
pub use script::{Condition, CountPer, End, Point, Schedule, Script, SendMode};
pub use server::accepted::Accepted;
pub use server::gateway::Gateways;
pub use server::proxy::ProxyMode;
pub use server::reset::LastReset;
pub use server::{ListenerConfig, ServerState, SessionConfig, SharedSessionConfig, serve};
pub use session::event::{AcceptedMessage, SessionEvent, SessionEvents, Speaker};
pub use session::trace::Trace;
pub use session::{ListenerMode, Protocol, Session, Step};
pub use settings::{Auth, AuthOutcome, Settings, StartTls, UnwantedResponse};

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
