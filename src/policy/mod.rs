//! Rules over facts: what a receiver demands, when it says so, and in which words. Pure: the same facts give
//! the same verdict; no I/O, no clock, no DNS.

mod behaviour;
pub mod check;
pub mod checks;
mod judge;
mod remedy;
mod rule;
mod template;

pub use behaviour::Behaviour;
pub use judge::{DeferIfPermit, Policy, Refusal};
pub use remedy::{Change, Remedies, RemediesView, Remedy, labelled};
pub use rule::{After, Allow, Bulk, Escalation, Rule, TempPolicy, Variant};
pub use template::{Template, Values};
