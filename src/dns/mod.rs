//! An authoritative DNS server for the zones of one scenario. It knows nothing about mail.
//!
//! `read_master` parses zone text to records, [`Zone`] has the records of a zone, and [`Zones`] is an immutable
//! snapshot of zones, faults and settings. [`Zones::answer`] answers a question, [`respond`](respond()) converts a request to a
//! response, and `serve` owns the sockets.

mod amend;
mod answer;
mod cache;
pub mod client;
mod conflict;
mod counts;
mod fault;
mod kind;
mod label;
mod limit;
mod load;
mod master;
mod message;
mod misbehave;
mod node;
mod query;
mod rdata;
mod respond;
mod server;
mod settings;
mod spec;
#[cfg(test)]
mod tests;
mod token;
mod zone;
mod zones;

pub use amend::Amendment;
pub(crate) use conflict::Conflict;
pub use counts::Counts;
pub use fault::{Action, Fault, Order};
pub use master::{MasterMistake, Row, parse_master};
pub(crate) use respond::rcode_text;
pub use respond::{Answer, Disposition, Response, respond};
pub(crate) use server::{ServerState, serve};
pub use settings::{Limits, Outside, Settings};
pub(crate) use spec::{FaultMistake, FaultSpec};
pub use zone::Zone;
pub use zones::Zones;

pub use crate::lookup::Transport;
