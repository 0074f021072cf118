//! A sealed network for one command: DNS on port 53, SMTP on port 25, and the client addresses of a scenario on the machine.
//!
//! The process creates a network namespace before it starts threads, and serves in it. A fork of it (`inside`), made at
//! once, creates namespaces for mounts and process ids and forks process 1 in them. That process gives the command its
//! own resolv.conf, hosts, nsswitch.conf and hostname, starts it, and reaps processes. The kernel ends all processes of
//! the command together with process 1.

mod contain;
mod files;
mod fork;
mod inside;
mod layout;
mod network;
mod process;
mod ranges;
mod rotation;
mod seal;

pub(crate) use files::Files;
pub(crate) use inside::{Inside, User};
pub(crate) use layout::{Layout, random_sources};
pub(crate) use network::set_up;
pub(crate) use process::Sealed;
pub(crate) use rotation::Rotation;
pub(crate) use seal::{Tier, explained, seal};

/// Port of DNS within the network.
pub(crate) const DNS: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 53);
/// Port of SMTP within the network.
pub(crate) const SMTP: u16 = 25;
