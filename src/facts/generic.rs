//! Generic names: names with octets of the client address, or with a word of dynamic ranges.

use std::net::IpAddr;

use crate::name;

/// Words that providers put into names of dynamic ranges.
pub(crate) const KEYWORDS: &[&str] = &[
    "adsl",
    "broadband",
    "cable",
    "client",
    "cust",
    "dhcp",
    "dial",
    "dialin",
    "dialup",
    "dip",
    "dsl",
    "dyn",
    "dynamic",
    "host",
    "hsd",
    "pool",
    "ppp",
    "pptp",
    "user",
    "xdsl",
];

/// Words that exempt a name, as in Haraka and SpamAssassin.
pub(crate) const EXEMPTIONS: &[&str] = &["static", "business", "fix", "fixip"];

/// Whether words of dynamic ranges make a name generic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keywords {
    /// The words do not count.
    Ignored,
    /// The words count in a name that also has a digit: `dsl-7.example.test`, not `host.example.test`.
    WithDigits,
    /// The words count in every name.
    Alone,
}

/// The reason why a name is generic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GenericMatch {
    /// The name has this number of octets of the client address.
    Octets(usize),
    /// The name has the client address in hexadecimal.
    Hexadecimal,
    /// The name has this word of dynamic ranges.
    Keyword(&'static str),
}

/// Searches the labels left of the organisational domain for octets of the client address (at least `least` of them in
/// any order, with or without leading zeros, or all of them in hexadecimal) and, by `keywords`, for words of dynamic
/// ranges.
pub(crate) fn generic_pattern(
    name: &str,
    client: IpAddr,
    least: usize,
    keywords: Keywords,
) -> Option<GenericMatch> {
    let host = host_part(name);
    let IpAddr::V4(v4) = client else {
        return keyword(&host, keywords).map(GenericMatch::Keyword);
    };
    let octets = v4.octets();
    let hexadecimal: String = octets.iter().map(|o| format!("{o:02x}")).collect();
    if host.contains(&hexadecimal) {
        return Some(GenericMatch::Hexadecimal);
    }
    let found = octets_in(&host, &octets);
    if found >= least {
        return Some(GenericMatch::Octets(found));
    }
    keyword(&host, keywords).map(GenericMatch::Keyword)
}

/// Whether a name has an exempting word.
pub fn exempt(name: &str) -> bool {
    let host = host_part(name);
    EXEMPTIONS
        .iter()
        .any(|word| words(&host).any(|w| w == *word))
}

/// The labels left of the organisational domain in lower case; the whole name if it has none.
fn host_part(name: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let host = name::registrable(&name)
        .and_then(|domain| name.strip_suffix(domain))
        .map(str::to_owned);
    host.unwrap_or(name)
}

/// The number of the client's octets in the name, as separate numbers or run together as twelve digits.
fn octets_in(host: &str, octets: &[u8; 4]) -> usize {
    let padded: String = octets.iter().map(|o| format!("{o:03}")).collect();
    let reversed: String = octets.iter().rev().map(|o| format!("{o:03}")).collect();
    if host.contains(&padded) || host.contains(&reversed) {
        return 4;
    }
    let mut numbers: Vec<u8> = host
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    octets
        .iter()
        .filter(|octet| match numbers.iter().position(|n| n == *octet) {
            Some(index) => {
                numbers.swap_remove(index);
                true
            }
            None => false,
        })
        .count()
}

fn keyword(host: &str, keywords: Keywords) -> Option<&'static str> {
    let counts = match keywords {
        Keywords::Ignored => false,
        Keywords::WithDigits => host.contains(|c: char| c.is_ascii_digit()),
        Keywords::Alone => true,
    };
    if !counts {
        return None;
    }
    KEYWORDS
        .iter()
        .copied()
        .find(|keyword| words(host).any(|word| word == *keyword))
}

/// Sequences of letters: `ppp12-dsl.x` is `ppp`, `dsl`, `x`.
fn words(host: &str) -> impl Iterator<Item = &str> {
    host.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<GenericMatch>) {
        let client = "192.0.2.10".parse().expect("an address");
        assert_eq!(
            generic_pattern(name, client, 3, Keywords::WithDigits),
            expected,
            "{name}"
        );
    }

    #[test]
    fn generated_names() {
        check("192-0-2-10.example.test", Some(GenericMatch::Octets(4)));
        check("10.2.0.192.example.test", Some(GenericMatch::Octets(4)));
        check("host-192-0-2.example.test", Some(GenericMatch::Octets(3)));
        check("192000002010.example.test", Some(GenericMatch::Octets(4)));
        check("ip-c000020a.example.test", Some(GenericMatch::Hexadecimal));
        check("dyn7.example.test", Some(GenericMatch::Keyword("dyn")));
        check("pool-7.example.test", Some(GenericMatch::Keyword("pool")));
        check("host.firm.test", None);
        check("pool.example.test", None);
        check("mail.example.test", None);
        check("mail10.example.test", None);
        check("dynamo.example.test", None);
        check("mail.dyn.test", None);
        check("mail-bn1lp0150.outbound.protection.outlook.com", None);
    }

    #[test]
    fn names_given_on_purpose() {
        assert!(exempt("192-0-2-10.static.example.test"));
        assert!(!exempt("192-0-2-10.statically.example.test"));
        assert!(!exempt("mail.static.test"));
    }
}
