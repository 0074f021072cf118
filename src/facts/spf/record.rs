//! SPF records as text: terms, their domain-specs and networks (RFC 7208 §4.6.1, §12).

use std::net::IpAddr;

use ipnet::IpNet;

use super::macros::MacroString;

/// The result of a mechanism that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// A mechanism (RFC 7208 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    A(Option<MacroString>, Prefixes),
    Mx(Option<MacroString>, Prefixes),
    Ptr(Option<MacroString>),
    Ip(IpNet),
    Exists(MacroString),
}

/// The number of bits of an address that must match; by default all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

impl Prefixes {
    /// Whether the two addresses match in these bits.
    pub(super) fn agree(self, one: IpAddr, other: IpAddr) -> bool {
        let prefix = if one.is_ipv4() { self.v4 } else { self.v6 };
        IpNet::new(one, prefix).is_ok_and(|net| net.contains(&other))
    }
}

/// A directive with its text, for reporting the one that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) qualifier: Qualifier,
    pub(super) mechanism: Mechanism,
    pub(super) text: String,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SpfRecord {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<MacroString>,
    pub(super) explanation: Option<MacroString>,
}

/// Whether a TXT record is an SPF record: the version, then a space or nothing (RFC 7208 §4.5).
pub(super) fn is_spf(text: &[u8]) -> bool {
    let version = text
        .get(..6)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(text.get(6), None | Some(b' '))
}

/// Parses a record; the error has the invalid term.
pub(super) fn parse(text: &[u8]) -> Result<SpfRecord, String> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|t| t.is_ascii())
        .ok_or("the record is not ASCII")?;
    let mut record = SpfRecord::default();
    for term in text[6..].split(' ').filter(|t| !t.is_empty()) {
        let known = match modifier(term) {
            Some((name, value)) => set_modifier(&mut record, name, value),
            None => directive(term).map(|directive| record.directives.push(directive)),
        };
        known.ok_or_else(|| format!("{term:?} is not a term of an SPF record"))?;
    }
    Ok(record)
}

/// `name=value` with a valid name of a modifier.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(legal))
        .then_some((name, value))
}

/// redirect and exp are allowed once; other modifiers are ignored if their values are macro strings (§6).
fn set_modifier(record: &mut SpfRecord, name: &str, value: &str) -> Option<()> {
    let slot = match name.to_ascii_lowercase().as_str() {
        "redirect" => &mut record.redirect,
        "exp" => &mut record.explanation,
        _ => return MacroString::parse(value, false).map(|_| ()),
    };
    let target = MacroString::domain_spec(value)?;
    slot.replace(target).is_none().then_some(())
}

fn directive(term: &str) -> Option<Directive> {
    let (qualifier, rest) = match term.as_bytes().first()? {
        b'+' => (Qualifier::Pass, &term[1..]),
        b'-' => (Qualifier::Fail, &term[1..]),
        b'~' => (Qualifier::SoftFail, &term[1..]),
        b'?' => (Qualifier::Neutral, &term[1..]),
        _ => (Qualifier::Pass, term),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, argument) = rest.split_at(end);
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if argument.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(required(argument)?),
        "exists" => Mechanism::Exists(required(argument)?),
        "ptr" => Mechanism::Ptr(optional(argument)?),
        "a" => addresses(argument).map(|(domain, prefixes)| Mechanism::A(domain, prefixes))?,
        "mx" => addresses(argument).map(|(domain, prefixes)| Mechanism::Mx(domain, prefixes))?,
        "ip4" => Mechanism::Ip(network(argument, true)?),
        "ip6" => Mechanism::Ip(network(argument, false)?),
        _ => return None,
    };
    Some(Directive {
        qualifier,
        mechanism,
        text: term.to_owned(),
    })
}

fn required(argument: &str) -> Option<MacroString> {
    MacroString::domain_spec(argument.strip_prefix(':')?)
}

fn optional(argument: &str) -> Option<Option<MacroString>> {
    if argument.is_empty() {
        Some(None)
    } else {
        required(argument).map(Some)
    }
}

/// `[:domain-spec][/v4][//v6]`. A slash belongs to the domain-spec unless it precedes the last digits.
fn addresses(argument: &str) -> Option<(Option<MacroString>, Prefixes)> {
    let (rest, v6) = trailing(argument, "//");
    let (domain, v4) = trailing(rest, "/");
    let v4 = v4.map_or(Some(32), |bits| prefix(bits, 32))?;
    let v6 = v6.map_or(Some(128), |bits| prefix(bits, 128))?;
    Some((optional(domain)?, Prefixes { v4, v6 }))
}

/// The text before the separator, and the digits after it, if only digits follow.
fn trailing<'t>(text: &'t str, separator: &str) -> (&'t str, Option<&'t str>) {
    match text.rsplit_once(separator) {
        Some((before, digits))
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            (before, Some(digits))
        }
        _ => (text, None),
    }
}

/// Digits without a leading zero.
fn prefix(text: &str, most: u8) -> Option<u8> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|bits| plain && *bits <= most)
}

fn network(argument: &str, v4: bool) -> Option<IpNet> {
    let text = argument.strip_prefix(':')?;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address
        .parse()
        .ok()
        .filter(|a: &IpAddr| a.is_ipv4() == v4)?;
    let most = if v4 { 32 } else { 128 };
    IpNet::new(address, bits.map_or(Some(most), |bits| prefix(bits, most))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, valid: bool) {
        assert_eq!(parse(text.as_bytes()).is_ok(), valid, "{text}");
    }

    #[test]
    fn versions() {
        for (text, expected) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf10", false),
            ("v=spf1\t", false),
            (" v=spf1", false),
        ] {
            assert_eq!(is_spf(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn terms() {
        for valid in [
            "v=spf1",
            "v=spf1 a mx -all",
            "v=spf1 a:x.test/24//64",
            "v=spf1 a//0",
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32",
            "v=spf1 include:%{d}.x.test ?all",
            "v=spf1 x=%{d/} redirect=y.test",
            "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d}",
            "v=spf1 ptr:x.test",
        ] {
            check(valid, true);
        }
        for bad in [
            "v=spf1 foo",
            "v=spf1 all:x",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 a:",
            "v=spf1 a/33",
            "v=spf1 a/01",
            "v=spf1 a//129",
            "v=spf1 ip4:192.0.2",
            "v=spf1 ip4:2001:db8::1",
            "v=spf1 ip6:192.0.2.1",
            "v=spf1 ip4:192.0.2.1/",
            "v=spf1 redirect=a.test redirect=b.test",
            "v=spf1 exp=",
            "v=spf1 a:x.123",
            "v=spf1 --all",
            "v=spf1 exists:%{x}",
            "v=spf1 ü",
        ] {
            check(bad, false);
        }
    }
}
