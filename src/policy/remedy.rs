//! What would cure a refusal, computed from the facts.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::name::{self, Name};

/// One thing that somebody could do so that the same client would be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Publish a PTR record.
    AddPtr {
        /// The client address.
        address: IpAddr,
        /// The name it should lead to; any host name where `None`.
        target: Option<Name>,
    },
    /// Publish an A or AAAA record.
    AddAddress {
        /// The owner.
        name: Name,
        /// The address it should hold.
        address: IpAddr,
    },
    /// Say another name (or literal) in HELO/EHLO.
    SayHelo(String),
    /// Make the DNS servers of a name answer.
    MendDns(Name),
    /// Send from, or translate to, another address.
    SendFrom(IpAddr),
    /// Ask the receiver to let the client pass.
    AskReceiver(IpAddr),
    /// Anything that has no record or name to write down.
    Other(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddPtr { address, target } => {
                let owner = name::reverse(*address).to_ascii();
                match target {
                    Some(target) => write!(
                        f,
                        "add this PTR record: {owner} PTR {}.",
                        name::display(target)
                    ),
                    None => write!(
                        f,
                        "add a PTR record: {owner} PTR <the name the host says in EHLO>."
                    ),
                }
            }
            Self::AddAddress { name, address } => {
                let kind = if address.is_ipv4() { "A" } else { "AAAA" };
                write!(
                    f,
                    "add this {kind} record: {}. {kind} {address}",
                    name::display(name)
                )
            }
            Self::SayHelo(argument) => write!(f, "send EHLO {argument}"),
            Self::MendDns(name) => {
                write!(f, "make the DNS servers of {} answer", name::display(name))
            }
            Self::SendFrom(address) => write!(f, "send from {address}, or translate to it (NAT)"),
            Self::AskReceiver(address) => {
                write!(f, "ask the receiver to allow {address} past this rule")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
