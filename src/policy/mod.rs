//! Rules over facts: what a receiver demands, when it says so, and in which words. Pure: the same facts give
//! the same verdict; no I/O, no clock, no DNS.

pub mod checks;
mod judge;
mod remedy;
mod rule;
mod template;

pub use judge::{DeferIfPermit, Policy, Refusal};
pub use remedy::Remedy;
pub use rule::{After, Allow, Rule, TempPolicy};
pub use template::{Template, Values};
