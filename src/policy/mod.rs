//! Rules over facts: the demands of a receiver, their stages and their replies. Pure: the same facts give the same
//! verdict, without I/O, clock or DNS.

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
