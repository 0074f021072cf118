//! `[[listener]]`: further SMTP listeners of a scenario, each with its own identity and receiver.

use std::net::SocketAddr;
use std::path::Path;

use super::named::named_receiver;
use super::pool::Pools;
use super::reader::Reader;
use super::report::Mistakes;
use super::source::identity;
use crate::smtp::{ClientSource, Protocol, ProxyMode};

/// A further listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Its receiver by name or path; the world's where `None`.
    pub receiver: Option<String>,
    /// Which client address its connections have; as the scenario says where `None`.
    pub client: Option<ClientSource>,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether connections begin with a PROXY header.
    pub proxy: ProxyMode,
    /// Whether TLS begins with the first octet (RFC 8314 §3.3).
    pub implicit_tls: bool,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            receiver: None,
            client: None,
            protocol: Protocol::Smtp,
            proxy: ProxyMode::Off,
            implicit_tls: false,
        }
    }
}

/// Reads every `[[listener]]`.
pub(super) fn listeners(
    file: &mut Reader<'_>,
    pools: &Pools,
    beside: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Vec<Listener> {
    file.tables("listener", mistakes)
        .into_iter()
        .map(|table| listener(table, pools, beside, mistakes))
        .collect()
}

fn listener(
    mut table: Reader<'_>,
    pools: &Pools,
    beside: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Listener {
    let usual = Listener::default();
    let parse = |text: &str| text.parse::<SocketAddr>().ok();
    let address = table.parsed("address", mistakes, parse);
    let receiver = named_receiver(&mut table, beside, mistakes);
    let client = identity("client", &mut table, pools, mistakes);
    let protocol = table.choice("protocol", mistakes);
    let proxy = table.choice("proxy", mistakes);
    let tls = table.choice("tls", mistakes);
    table.finish();
    Listener {
        address: address.unwrap_or(usual.address),
        receiver,
        client,
        protocol: if protocol == Some("lmtp") {
            Protocol::Lmtp
        } else {
            Protocol::Smtp
        },
        proxy: match proxy {
            Some("optional") => ProxyMode::Optional,
            Some("required") => ProxyMode::Required,
            _ => ProxyMode::Off,
        },
        implicit_tls: tls == Some("implicit"),
    }
}
