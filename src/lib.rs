//! martinet: the mail server that refuses your mail on purpose, says exactly why, and says what would fix it.
//!
//! It serves the zones of a scenario from an embedded authoritative DNS server, and judges each SMTP client by what
//! those zones say of it, as a named strict receiver does: PTR, FCrDNS, HELO. So sending software is tested end to
//! end, with no real domain, no real address and no network.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use martinet::World;
//! use martinet::smtp::client::{Delivery, deliver};
//!
//! let world = World::builder().scenario("office365").receiver("helo-equals-ptr").start().await?;
//! let delivery = Delivery {
//!     hello: "na01-bn1-obe.outbound.protection.outlook.com".into(),
//!     to: vec!["postmaster@contoso.test".into()],
//!     ..Delivery::default()
//! };
//! let dialogue = deliver(world.smtp_addr(), &delivery).await?;
//! let (_, reply) = dialogue.refused.expect("a strict receiver refuses Office 365");
//! assert_eq!(reply.code().get(), 554);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! The modules, in the order to read them; each uses only those above it (the session, in `smtp`, is the heart):
//! values ([`reply`], [`name`], [`stage`], [`error`]), [`journal`], [`dns`], [`facts`], [`policy`], [`smtp`],
//! [`scenario`], [`check`], [`harness`], [`play`], [`http`], [`cli`].

pub mod reply;
pub mod name;
pub mod stage;
pub mod error;
pub mod journal;
pub mod dns;
pub mod facts;
pub mod policy;
pub mod tls;
pub mod smtp;
pub mod scenario;
pub mod check;
pub mod harness;
pub mod play;
pub mod http;
pub mod cli;

pub use error::Error;
pub use harness::World;
