//! The native API under `/api/v1`: worlds, sessions, messages, DNS queries, events, waits and expectations, changes.

pub(crate) mod catalogue;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod content;
pub(crate) mod events;
pub(crate) mod expectations;
pub(crate) mod faults;
pub(crate) mod find;
pub(crate) mod mail;
pub(crate) mod metrics;
pub(crate) mod pictures;
pub(crate) mod profiles;
pub(crate) mod queries;
pub(crate) mod sessions;
pub(crate) mod source;
pub(crate) mod views;
pub(crate) mod wait;
pub(crate) mod what_if;
pub(crate) mod worlds;
pub(crate) mod zones;
