//! martinet: the mail server that refuses your mail on purpose, says exactly why, and says what would fix it.

pub mod reply;
pub mod name;
pub mod error;
pub mod journal;
pub mod dns;

pub use error::Error;
