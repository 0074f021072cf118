//! martinet: the mail server that refuses your mail on purpose, says exactly why, and says what would fix it.
//!
//! An embedded authoritative DNS server serves the zones of a scenario, and an SMTP server judges each client by these
//! zones, as a named strict receiver does: PTR, FCrDNS, HELO. Sending software is tested end to end, without a real
//! domain, a real address or a network.
//!
//! # A first test
//!
//! A [`World`] is one scenario and one receiver on ports of its own. Start one, point the software under test at it,
//! and assert the outcome of the session:
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use martinet::World;
//! use martinet::smtp::client::{Delivery, deliver};
//!
//! let world = World::builder().scenario("office365").receiver("helo-equals-ptr").start().await?;
//!
//! // The software under test; here a small client that comes with the crate.
//! let helo = "na01-bn1-obe.outbound.protection.outlook.com".into();
//! deliver(world.smtp_addr(), &Delivery { helo, to: vec!["postmaster@contoso.test".into()], ..Delivery::default() }).await?;
//!
//! let session = world.wait_for_session().await?;
//! session.assert_rejected().by_rule("helo-ptr-match").with_code(554);
//! println!("{}", session.refusals()[0].remedies[0]); // add this PTR record: …
//! # Ok(())
//! # }
//! ```
//!
//! Dropping the world stops it. A failed assertion prints the session: the commands of the client, the DNS lookups, the
//! violated rule, the reply and its remedies. Tests need no sleep: every wait has a deadline, and a wait that times out
//! lists the sessions that it saw and the nearest misses.
//!
//! # Without tokio
//!
//! [`World::blocking`] starts a world on a thread of its own; its waits block:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let world = martinet::World::blocking().scenario("no-ptr").receiver("fcrdns").start()?;
//! # let send = |_: std::net::SocketAddr| (); // your mailer
//! send(world.smtp_addr());
//! # Ok(())
//! # }
//! ```
//!
//! # Expectations
//!
//! As with HTTP mocks, a test can declare its expectations in advance. The world verifies them when it is dropped:
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use martinet::World;
//! use martinet::expect::{Expectation, Queries, Sessions};
//!
//! let world = World::builder().scenario("one-to-one").start().await?;
//! world.expect(Expectation::of(Sessions::rejected()).never());
//! world.expect(Expectation::of(Queries::of("contoso.test", "MX")).at_most(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Another scenario, another receiver
//!
//! A scenario or receiver is loaded by name (`martinet list scenarios`), from a file, or from text in the test. A running
//! world can be changed: its receiver, zones, faults, client address and clock ([`World::set_receiver`],
//! [`World::set_zone`], [`World::set_faults`], [`World::set_client`], [`World::advance`]):
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use martinet::{World, scenario};
//!
//! let rules = "title = \"Greylists\"\n[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"";
//! let world = World::builder().with_receiver(scenario::parse_receiver("greylist", rules)?).start().await?;
//! // … the first attempt is deferred …
//! world.advance(Duration::from_secs(301))?;
//! // … and the second one is accepted, without waiting.
//! # Ok(())
//! # }
//! ```
//!
//! Other languages use the same worlds over HTTP: see the README. `examples/` has a mailer built on lettre, a client on
//! a raw socket, and a retry queue for greylisting.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `cli` (default) | the program, and all features below |
//! | `http` | the HTTP APIs |
//! | `find` | the search for the receiver that gives a reply |
//! | `journal-file` | journals in a file, which outlive the process |
//! | `tls` | STARTTLS and implicit TLS; without it, a listener with TLS is an error |
//! | `dkim` | the rules that verify DKIM and DMARC; without it, a receiver with such a rule is an error |
//! | `proxy` | listeners behind a proxy that sends a PROXY header; without it, a listener with `proxy` is an error |
//! | `cram-md5` | AUTH CRAM-MD5; without it, a receiver that offers it is an error |
//!
//! Most tests need none of them: `martinet = { version = "0.1", default-features = false }`.
//!
//! # The modules, in the order to read them
//!
//! Each uses only those before it; the session, in `smtp`, is the core. Values ([`reply`], [`name`], [`stage`],
//! [`lookup`], [`verdict`], [`time`], [`error`]), [`journal`], [`dns`], [`facts`], [`policy`], [`smtp`], [`scenario`], [`check`], [`matrix`],
//! [`capture`], `find`, `picture`, [`expect`], [`harness`],
//! [`play`], `http`, `cli`.

#![warn(unreachable_pub, unnameable_types)]
#![cfg_attr(
    not(all(feature = "cli", target_os = "linux")),
    allow(
        dead_code,
        unused_imports,
        reason = "only the program on Linux uses everything"
    )
)]

pub mod capture;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod dns;
pub mod error;
pub mod expect;
pub mod facts;
#[cfg(feature = "find")]
pub mod find;
pub mod harness;
#[cfg(feature = "http")]
pub mod http;
pub mod journal;
pub mod lookup;
pub mod matrix;
pub mod name;
mod picture;
pub mod play;
pub mod policy;
pub mod reply;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod run;
pub mod scenario;
pub mod smtp;
pub mod stage;
pub mod time;
pub mod tls;
pub mod verdict;
mod wildcard;

pub use error::Error;
pub use harness::World;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use smtp::fuzzing;
