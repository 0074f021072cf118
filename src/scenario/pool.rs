//! Pools of sending hosts: address ranges, and the names made from addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::IpNet;

use crate::name::{self, Name};

/// Maximum number of addresses of one range: a /16.
const ADDRESSES: usize = 65_536;

/// Sending hosts that share a HELO name, or a pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The name, for `[client] from`.
    pub(crate) name: String,
    /// The addresses, in order.
    pub(crate) addresses: Vec<IpAddr>,
    /// The number of the first address, for `{n}`.
    pub(crate) first_number: u32,
    /// Patterns of the PTR names of each address; empty for none.
    pub(crate) ptr: Vec<Pattern>,
    /// The pattern of the HELO name of each address.
    pub(crate) helo: Pattern,
    /// The addresses of the HELO name.
    pub(crate) helo_addresses: Vec<IpAddr>,
    /// The TXT record at the HELO name.
    pub(crate) spf: Option<String>,
    /// Whether the PTR names have address records.
    pub(crate) forward: bool,
}

/// The pools of a file being read.
#[derive(Debug, Default)]
pub(super) struct Pools {
    /// The pools without mistakes.
    pub(super) read: Vec<Pool>,
    /// Their positions in the file.
    pub(super) spans: Vec<Range<usize>>,
    /// The names of the other pools: a reference to one of them is not a mistake.
    pub(super) broken: Vec<String>,
}

impl Pool {
    /// Each address with its number.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (usize, IpAddr)> + '_ {
        (self.first_number as usize..).zip(self.addresses.iter().copied())
    }
}

/// A name with placeholders: `{a}` to `{d}` for the octets of an IPv4 address (`{d:03}` padded with zeros), `{n}` for
/// the number within the pool, `{ip}` for the address with dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Octet { index: usize, width: usize },
    Position { width: usize },
    Dashed,
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            let (placeholder, after) = from.split_once('}')?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(part(placeholder)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Some(Self { parts })
    }

    /// The text for one address.
    pub(crate) fn fill(&self, position: usize, address: IpAddr) -> String {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets()[12..].to_vec(),
        };
        let fill = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Octet { index, width } => format!("{:0width$}", octets[*index]),
            Part::Position { width } => format!("{position:0width$}"),
            Part::Dashed => address.to_string().replace(['.', ':'], "-"),
        };
        self.parts.iter().map(fill).collect()
    }

    /// The name for one address; `None` if the text is not a valid name.
    pub(crate) fn name(&self, position: usize, address: IpAddr) -> Option<Name> {
        name::absolute(&self.fill(position, address))
    }
}

fn part(placeholder: &str) -> Option<Part> {
    let (word, width) = placeholder.split_once(':').unwrap_or((placeholder, "0"));
    let width = width.parse().ok().filter(|w| *w <= 9)?;
    match word {
        "a" | "b" | "c" | "d" => Some(Part::Octet {
            index: usize::from(word.as_bytes()[0] - b'a'),
            width,
        }),
        "n" => Some(Part::Position { width }),
        "ip" => Some(Part::Dashed),
        _ => None,
    }
}

/// The addresses of a range: `192.0.2.1`, `192.0.2.1-9`, `192.0.2.1-192.0.3.9`, `192.0.2.0/28`, the same in IPv6.
pub fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    if let Ok(net) = text.parse::<IpNet>() {
        let bits = u32::from(net.max_prefix_len() - net.prefix_len());
        let count = 1usize
            .checked_shl(bits)
            .filter(|count| *count <= ADDRESSES)?;
        return Some(span(net.network(), count));
    }
    let Some((first, last)) = text.split_once('-') else {
        return Some(span(text.parse().ok()?, 1));
    };
    let first: IpAddr = first.trim().parse().ok()?;
    let last = last_address(first, last.trim())?;
    let count = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(u32::from(b).checked_sub(u32::from(a))?),
        (IpAddr::V6(a), IpAddr::V6(b)) => u128::from(b).checked_sub(u128::from(a))?,
        _ => return None,
    };
    let count = usize::try_from(count)
        .ok()?
        .checked_add(1)
        .filter(|count| *count <= ADDRESSES)?;
    Some(span(first, count))
}

/// The end of a range: a whole address, or the last octet of an IPv4 address.
fn last_address(first: IpAddr, last: &str) -> Option<IpAddr> {
    match (first, last.parse::<u8>()) {
        (IpAddr::V4(v4), Ok(octet)) => {
            let [a, b, c, _] = v4.octets();
            Some(Ipv4Addr::new(a, b, c, octet).into())
        }
        _ => last.parse().ok(),
    }
}

/// Consecutive addresses; IPv4-mapped ones are normalised like those of connections.
fn span(first: IpAddr, count: usize) -> Vec<IpAddr> {
    let step = |i: usize| match first {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4).wrapping_add(i as u32))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6).wrapping_add(i as u128))),
    };
    (0..count).map(step).map(name::normalise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, expected: Option<(usize, &str, &str)>) {
        let got = addresses(range).map(|a| (a.len(), a[0].to_string(), a[a.len() - 1].to_string()));
        assert_eq!(
            got,
            expected.map(|(n, a, b)| (n, a.to_owned(), b.to_owned())),
            "{range}"
        );
    }

    #[test]
    fn ranges() {
        check("192.0.2.7", Some((1, "192.0.2.7", "192.0.2.7")));
        check(
            "207.46.163.149-158",
            Some((10, "207.46.163.149", "207.46.163.158")),
        );
        check(
            "192.0.2.250-192.0.3.4",
            Some((11, "192.0.2.250", "192.0.3.4")),
        );
        check("192.0.2.0/28", Some((16, "192.0.2.0", "192.0.2.15")));
        check("10.0.0.0/16", Some((65_536, "10.0.0.0", "10.0.255.255")));
        check(
            "2001:db8::1-2001:db8::3",
            Some((3, "2001:db8::1", "2001:db8::3")),
        );
        check("2001:db8::/126", Some((4, "2001:db8::", "2001:db8::3")));
        check("::ffff:192.0.2.1", Some((1, "192.0.2.1", "192.0.2.1")));
        check(
            "::ffff:192.0.2.1-::ffff:192.0.2.3",
            Some((3, "192.0.2.1", "192.0.2.3")),
        );
        for bad in [
            "192.0.2.9-1",
            "10.0.0.0/8",
            "2001:db8::/64",
            "192.0.2.1-2001:db8::1",
            "192.0.2.300",
            "192.0.2.1-",
            "x",
        ] {
            check(bad, None);
        }
    }

    #[track_caller]
    fn check_pattern(pattern: &str, expected: Option<&str>) {
        let address = "207.46.163.7".parse().expect("an address");
        assert_eq!(
            Pattern::parse(pattern)
                .map(|p| p.fill(3, address))
                .as_deref(),
            expected,
            "{pattern}"
        );
    }

    #[test]
    fn patterns() {
        check_pattern(
            "mail-bn1lp0{d:03}.outlook.test.",
            Some("mail-bn1lp0007.outlook.test."),
        );
        check_pattern("{a}-{b}-{c}-{d}.isp.test", Some("207-46-163-7.isp.test"));
        check_pattern("host{n}.test", Some("host3.test"));
        check_pattern("host{n:02}.test", Some("host03.test"));
        check_pattern("{ip}.dyn.test", Some("207-46-163-7.dyn.test"));
        check_pattern("mail.test", Some("mail.test"));
        for bad in ["{e}.test", "{d.test", "{d:x}.test", "{}.test"] {
            check_pattern(bad, None);
        }
    }
}
