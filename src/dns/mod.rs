//! An authoritative DNS server over the zones of one scenario. Knows no mail.
//!
//! Zone text becomes records ([`read_master`]), records become zones ([`Zone`]), zones, faults and settings an immutable
//! snapshot ([`Zones`]); a snapshot answers questions ([`Zones::answer`]), octets are answered with octets
//! ([`respond`]()), and sockets carry them ([`serve`]).

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
pub use conflict::Conflict;
pub use counts::Counts;
pub use fault::{Action, Fault, Order};
pub use master::{MasterMistake, Row, parse_master, read_master};
pub(crate) use respond::rcode_text;
pub use respond::{Answer, Disposition, Response, respond};
pub use server::{ServerState, serve};
pub use settings::{Limits, Outside, Settings};
pub use spec::{FaultMistake, FaultSpec};
pub use zone::Zone;
pub use zones::Zones;

pub use crate::lookup::Transport;
