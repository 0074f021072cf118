//! Expectations of tests: filters of sessions, messages and DNS queries, assertions, waits that fail with evidence, and
//! expectations that are declared in advance and verified at the end.
//!
//! ```no_run
//! # async fn test(world: martinet::World) -> Result<(), Box<dyn std::error::Error>> {
//! use martinet::expect::{Expectation, Sessions};
//!
//! world.expect(Expectation::of(Sessions::rejected().by_rule("helo-ptr-match")).times(2));
//! // … the software under test sends; then
//! let session = world.wait_for_session().await?;
//! session.assert_rejected().by_rule("helo-ptr-match").with_code(554);
//! // Dropping the world verifies its expectations.
//! # Ok(())
//! # }
//! ```

mod addresses;
mod differences;
mod expectation;
mod mail;
mod near;
mod pictured;
mod queries;
mod seen;
mod sessions;
mod story;
mod text;
mod times;
mod wait;
mod watch;
mod watched;
mod words;

pub use crate::verdict::{Source, Verdict};
pub use addresses::Addresses;
pub use differences::Mismatch;
pub use expectation::{Expectation, ExpectationStatus, Guard, UnmetExpectations, Violation};
pub(crate) use expectation::{Ledger, Sources};
pub use mail::Mail;
pub use near::NearMiss;
pub(crate) use near::nearest;
pub use queries::Queries;
pub use seen::{Asserted, Session};
pub use sessions::Sessions;
pub use times::Times;
#[cfg(feature = "http")]
pub(crate) use wait::MOST;
pub use wait::WaitTimeout;
pub(crate) use wait::{WaitLimits, missed, wait};
pub(crate) use watch::{Watch, Watchers};
#[cfg(feature = "http")]
pub(crate) use words::did_you_mean;
