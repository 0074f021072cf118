//! Parsers and enumerations for the values of options.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;

use crate::name;
use crate::scenario::Placement;
use crate::smtp::ProxyMode;

pub(super) fn time(text: &str) -> Result<Duration, String> {
    crate::scenario::duration(text).ok_or_else(|| "expected a time such as 500ms or 5s".to_owned())
}

pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let read = || {
        let (first, last) = text.split_once('-')?;
        let ports = first.parse().ok()?..=last.parse().ok()?;
        (*ports.start() > 0 && ports.start() <= ports.end()).then_some(ports)
    };
    read().ok_or_else(|| "expected two ports such as 20000-20999".to_owned())
}

/// The listeners of exchanges: a loopback network, or ports.
pub(super) fn placement(text: &str) -> Result<Placement, String> {
    let network = |text: &str| {
        let network: ipnet::Ipv4Net = text.parse().ok()?;
        network
            .network()
            .is_loopback()
            .then_some(Placement::Addresses(network))
    };
    let ports = |text: &str| ports(text).ok().map(|ports| Placement::Ports(Some(ports)));
    let expected = "expected a network such as 127.0.25.0/24, or two ports such as 2501-2599";
    network(text)
        .or_else(|| ports(text))
        .ok_or_else(|| expected.to_owned())
}

/// Networks and addresses in the syntax of Postfix's `smtpd_authorized_xclient_hosts`; an empty text is an empty list.
pub(super) fn networks(text: &str) -> Result<Arc<[IpNet]>, String> {
    let separators = |c: char| c == ',' || c.is_ascii_whitespace();
    let words = text.split(separators).filter(|word| !word.is_empty());
    words.map(network).collect()
}

fn network(word: &str) -> Result<IpNet, String> {
    if let Ok(address) = word.parse::<IpAddr>() {
        return Ok(name::normalise(address).into());
    }
    let Ok(network) = word.parse::<IpNet>() else {
        return Err(format!(
            "expected networks and addresses such as 172.16.0.0/12,192.0.2.10, found {word:?}"
        ));
    };
    // An address with bits beyond the prefix is ambiguous.
    if network.addr() != network.network() {
        let (network, address) = (network.trunc(), network.addr());
        return Err(format!(
            "expected the network {network} or the address {address}, found {word:?}"
        ));
    }
    Ok(network)
}

/// The address for HTTP, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum HttpAt {
    Off,
    At(SocketAddr),
}

pub(super) fn http_at(text: &str) -> Result<HttpAt, String> {
    match text {
        "off" => Ok(HttpAt::Off),
        text => text
            .parse()
            .map(HttpAt::At)
            .map_err(|_| "expected an address and port such as 127.0.0.1:8025, or off".to_owned()),
    }
}

/// The source address of connections in `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SourceAddress {
    At(IpAddr),
    /// Another address for each connection; `None` chooses a seed.
    Random(Option<u64>),
}

pub(super) fn source(text: &str) -> Result<SourceAddress, String> {
    let random = |text: &str| match text.strip_prefix("random")? {
        "" => Some(SourceAddress::Random(None)),
        seed => Some(SourceAddress::Random(Some(
            seed.strip_prefix(':')?.parse().ok()?,
        ))),
    };
    let address = text.parse().ok().map(SourceAddress::At);
    address.or_else(|| random(text)).ok_or_else(|| {
        "expected an address, random, or random with a seed such as random:7".to_owned()
    })
}

pub(super) fn proxy_mode(text: &str) -> Result<ProxyMode, String> {
    match text {
        "off" => Ok(ProxyMode::Off),
        "optional" => Ok(ProxyMode::Optional),
        "required" => Ok(ProxyMode::Required),
        _ => Err("expected off, optional or required".to_owned()),
    }
}

/// The condition after which `serve` stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum ExitAfter {
    Sessions(u64),
    Time(Duration),
}

/// A size in octets, such as `512MiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let octets = units.into_iter().find_map(|(unit, bits)| {
        let number: usize = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << bits)
    });
    octets
        .filter(|octets| *octets >= LEAST_KEPT)
        .ok_or_else(|| "expected a size of at least 1MiB, such as 512MiB or 2GiB".to_owned())
}

pub(super) fn exit_after(text: &str) -> Result<ExitAfter, String> {
    if let Ok(sessions) = text.parse() {
        return Ok(ExitAfter::Sessions(sessions));
    }
    crate::scenario::duration(text)
        .map(ExitAfter::Time)
        .ok_or_else(|| "expected a number of sessions such as 10, or a time such as 30s".to_owned())
}

pub(super) fn one_line(text: &str) -> Result<String, String> {
    if text.contains(['\r', '\n', '\0']) {
        return Err("expected one line, found a line end or NUL".to_owned());
    }
    Ok(text.to_owned())
}

/// A text in which `\r`, `\n` and `\\` stand for CR, LF and a backslash.
pub(super) fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, true) => match rest.next() {
                Some('r') => out.push('\r'),
                Some('n') => out.push('\n'),
                Some('\\') => out.push('\\'),
                other => {
                    let found = other.map(String::from).unwrap_or_default();
                    return Err(format!("expected \\r, \\n or \\\\, found \\{found}"));
                }
            },
            (c, false) => out.push(c),
        }
    }
    Ok(out)
}

/// The minimum limit of the journal.
const LEAST_KEPT: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CheckFormat {
    Human,
    Json,
    Svg,
    Html,
}

impl CheckFormat {
    /// Whether the format is a picture, which shows exactly one judgement.
    pub(in crate::cli) const fn draws(self) -> bool {
        matches!(self, Self::Svg | Self::Html)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MatrixFormat {
    Human,
    Json,
    Html,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum VerifyFormat {
    Human,
    Json,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Plural {
    Scenarios,
    Receivers,
    Checks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Singular {
    Scenario,
    Receiver,
    Check,
    Key,
}
