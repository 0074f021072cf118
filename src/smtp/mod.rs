//! SMTP: a session without I/O, the sockets that carry it, and the record of what happened.
//!
//! [`Session`] takes octets and gives octets, with no socket, clock or await; [`serve`] owns the sockets and the
//! time; [`SessionRecord`] is what the journal keeps. A session observes and judges: it never reads a zone.

mod auth;
mod chunk;
pub mod client;
mod command;
mod conversation;
mod data;
mod event;
mod extension;
#[doc(hidden)]
pub mod fuzzing;
mod hello;
mod identity;
mod judging;
mod line;
mod outgoing;
mod path;
mod proxy;
mod record;
pub(crate) mod replies;
mod restore;
mod script;
mod server;
mod session;
mod settings;
mod speech;
mod storage;
mod tell;
mod trace;
mod transaction;
mod transcript;
mod wire;
mod xclient;

pub use data::TEXT_LINE_OCTETS;
pub use event::{Event, Events};
pub use extension::{Extension, Extensions};
pub use identity::{ClientAddress, ClientSource, Identity, Nat, Order};
pub use proxy::ProxyMode;
pub use record::{SessionEntry, SessionRecord, Transaction};
pub use script::{End, Manner, Often, Point, Script, When};
pub use server::{Door, Reception, Service, serve};
pub use session::{COMMAND_LINE_OCTETS, Front, PATH_LINE_OCTETS, Protocol, Session, Step};
pub use settings::{Auth, AuthOutcome, BareNewline, Mechanism, Settings, StartTls};
pub use storage::Storage;
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
