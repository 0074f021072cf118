//! SMTP: a session without I/O, the sockets that carry it, and the record of what happened.
//!
//! [`Session`] takes octets and gives octets, with no socket, clock or await; [`serve`] owns the sockets and the
//! time; [`SessionRecord`] is what the journal keeps. A session observes and judges: it never reads a zone.

mod auth;
mod budget;
mod chunk;
pub mod client;
mod command;
mod connection;
mod cure;
mod data;
mod extension;
#[doc(hidden)]
pub mod fuzzing;
mod helo;
mod identity;
mod judging;
mod line;
mod mailbox;
mod outgoing;
mod path;
mod proxy;
mod record;
pub(crate) mod replies;
mod reset;
mod restore;
mod script;
mod server;
mod session;
mod session_event;
mod settings;
mod speech;
mod stream;
mod syntax;
mod tell;
mod trace;
mod transaction;
mod transcript;
mod xclient;

pub use budget::MessageBudget;
pub use data::TEXT_LINE_OCTETS;
pub use extension::{Extension, Extensions};
pub use identity::{ClientAddress, ClientSource, Identity, Nat, Order};
pub(crate) use mailbox::is_mailbox;
pub use proxy::ProxyMode;
pub use record::{SessionEntry, SessionRecord, Transaction};
pub use replies::{CORE_PLACEHOLDERS, CoreReplies, CoreReply};
pub use reset::LastReset;
pub use script::{Condition, End, Point, Schedule, Script, SendMode};
pub use server::{ListenerConfig, ServerState, SessionConfig, serve};
pub use session::{COMMAND_LINE_OCTETS, ListenerMode, PATH_LINE_OCTETS, Protocol, Session, Step};
pub use session_event::{SessionEvent, SessionEvents};
pub use settings::{Auth, AuthOutcome, Mechanism, Settings, StartTls};
pub use syntax::{BareNewline, DomainTolerance, LocalPart, MistakeOrder, Syntax};
pub use tell::Telling;
pub use trace::Trace;
pub use transcript::{Speaker, Transcript, TranscriptLine};

use crate::policy::Policy;

/// A receiver as SMTP needs it: how it speaks, and whom it refuses.
#[derive(Debug, Default)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// How it speaks.
    pub settings: Settings,
    /// Whom it refuses.
    pub policy: Policy,
}
