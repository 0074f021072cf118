//! martinet: the mail server that refuses your mail on purpose, says exactly why, and says what would fix it.

pub mod reply;
pub mod name;
pub mod error;
pub mod stage;
pub mod journal;
pub mod dns;
pub mod facts;
pub mod policy;

pub use error::Error;
