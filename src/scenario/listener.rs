//! `[[listener]]`: additional SMTP listeners of a scenario, each with its own receiver and client addresses.

use std::net::SocketAddr;
use std::path::Path;

use toml::Spanned;

use super::named::named_receiver;
use super::pool::Pools;
use super::reader::Reader;
use super::report::Mistakes;
use super::source::identity;
use super::values::needing;
use crate::smtp::{ClientSource, Protocol, ProxyMode};

/// An additional listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The address; port 0 picks a free port.
    pub address: SocketAddr,
    /// The receiver by name or path; `None` for that of the world.
    pub receiver: Option<String>,
    /// The source of client addresses; `None` for that of the scenario.
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

/// Reads all `[[listener]]` tables.
pub(super) fn listeners(
    file: &mut Reader<'_>,
    pools: &Pools,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Vec<Listener> {
    file.tables("listener", mistakes)
        .into_iter()
        .map(|table| listener(table, pools, folder, mistakes))
        .collect()
}

fn listener(
    mut table: Reader<'_>,
    pools: &Pools,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Listener {
    let usual = Listener::default();
    let parse = |text: &str| text.parse::<SocketAddr>().ok();
    let address = table.parsed("address", mistakes, parse);
    let receiver = named_receiver(&mut table, folder, mistakes);
    let client = identity("client", &mut table, pools, mistakes);
    let protocol = table.choice("protocol", mistakes);
    let proxy = proxy(&mut table, mistakes);
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
        proxy,
        implicit_tls: tls == Some("implicit"),
    }
}

fn proxy(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> ProxyMode {
    let at = table.value("proxy").map(Spanned::span);
    let word = table.choice("proxy", mistakes);
    let mode = match word {
        Some("optional") => ProxyMode::Optional,
        Some("required") => ProxyMode::Required,
        _ => ProxyMode::Off,
    };
    if let (Some(feature), Some(word), Some(at)) = (mode.missing_feature(), word, at) {
        mistakes.add(at, "\"off\"", needing(word, feature));
    }
    mode
}
