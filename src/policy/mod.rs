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
pub(crate) use judge::DeferIfPermit;
pub use judge::{Policy, Refusal};
pub use remedy::{Change, ChangeView, Remedies, Remedy};
pub(crate) use remedy::{RemediesView, labelled};
pub(crate) use rule::{After, Allow, Bulk, TempPolicy};
pub use rule::{Escalation, Rule, Variant};
pub use template::{Template, Values};
