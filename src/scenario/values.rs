//! Values that several sections of the files have in common.

use std::net::IpAddr;

use ipnet::IpNet;

use super::pool::addresses;
use super::reader::{At, Reader};
use super::report::Mistakes;
use super::words::unknown;
use crate::name::{self, Name, RecordType};
use crate::policy::Template;
use crate::policy::check::Check;
use crate::policy::checks::{CATALOGUE, find};
use crate::reply::ReplyCode;

/// A domain name; non-ASCII labels become A-labels (RFC 5891).
pub(super) fn domain_name(text: &str) -> Option<Name> {
    let ascii = if text.is_ascii() {
        text.to_owned()
    } else {
        idna::domain_to_ascii(text).ok()?
    };
    (!ascii.is_empty())
        .then(|| name::absolute(&ascii))
        .flatten()
}

/// An address; IPv4-mapped addresses are normalised.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(name::normalise)
}

/// A record type, in any case.
pub(super) fn record_type(text: &str) -> Option<RecordType> {
    text.to_ascii_uppercase().parse().ok()
}

/// The addresses and networks under a key.
pub(super) fn networks(
    table: &mut Reader<'_>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Option<Vec<IpNet>> {
    let strings = table.strings(key, mistakes)?;
    Some(networks_of(strings, mistakes))
}

/// The addresses and networks of a list of strings.
pub(super) fn networks_of(strings: Vec<At<String>>, mistakes: &mut Mistakes) -> Vec<IpNet> {
    strings
        .into_iter()
        .filter_map(|text| {
            without_host_bits(text, mistakes)?.parsed("an address or a network", mistakes, network)
        })
        .collect()
}

/// An address or a network; IPv4-mapped addresses are normalised.
fn network(text: &str) -> Option<IpNet> {
    let single_address = || address(text).map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(single_address)
}

/// The addresses of ranges under a key; `None` if the key is missing or wrong, so that nothing that depends on the
/// addresses is reported as well.
pub(super) fn ranges(
    table: &mut Reader<'_>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Option<Vec<IpAddr>> {
    const RANGE: &str =
        "an address, a range such as 192.0.2.1-9, or a network of at most 65536 addresses";
    let before = mistakes.count();
    let mut all = Vec::new();
    for text in table.strings(key, mistakes)? {
        let text = without_host_bits(text, mistakes);
        let range = text.and_then(|text| text.parsed(RANGE, mistakes, addresses));
        all.extend(range.into_iter().flatten());
    }
    (mistakes.count() == before).then_some(all)
}

/// Reports a network whose address has bits beyond the prefix, because it is ambiguous.
fn without_host_bits(text: At<String>, mistakes: &mut Mistakes) -> Option<At<String>> {
    let Ok(net) = text.value.parse::<IpNet>() else {
        return Some(text);
    };
    if net.addr() == net.network() {
        return Some(text);
    }
    let expected = format!("the network {} or the address {}", net.trunc(), net.addr());
    let found = format!(
        "{:?}, whose address has bits beyond the first {}",
        text.value,
        net.prefix_len()
    );
    mistakes.add(text.span, expected, found);
    None
}

/// Reads the reply under a key, and checks its class.
pub(super) fn reply(
    key: &'static str,
    expected: &str,
    allowed: impl Fn(ReplyCode) -> bool,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    reply_with(key, expected, allowed, &[], table, mistakes)
}

/// The same, but the enhanced status code can have another class than the reply code.
pub(super) fn reply_of_any_class(
    key: &'static str,
    expected: &str,
    allowed: impl Fn(ReplyCode) -> bool,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let parse = |texts: &[&str]| Template::parse_any_class(texts);
    read_reply(key, expected, allowed, parse, table, mistakes)
}

/// The same with further placeholders than those of rules.
pub(super) fn reply_with(
    key: &'static str,
    expected: &str,
    allowed: impl Fn(ReplyCode) -> bool,
    placeholders: &[(&str, &str)],
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let parse = |texts: &[&str]| Template::parse_with(texts, placeholders);
    read_reply(key, expected, allowed, parse, table, mistakes)
}

fn read_reply(
    key: &'static str,
    expected: &str,
    allowed: impl Fn(ReplyCode) -> bool,
    parse: impl Fn(&[&str]) -> Result<Template, (String, String)>,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let lines = table.strings(key, mistakes)?;
    let first = lines
        .first()
        .map_or_else(|| table.span(), |l| l.span.clone());
    let texts: Vec<_> = lines.iter().map(|l| l.value.as_str()).collect();
    match parse(&texts) {
        Ok(template) if allowed(template.pattern().code()) => Some(template),
        Ok(template) => {
            mistakes.add(first, expected, template.pattern().code().to_string());
            None
        }
        Err((expected, found)) => {
            let at = lines
                .iter()
                .find(|l| l.value == found || l.value.contains(&found));
            mistakes.add(at.map_or(first, |l| l.span.clone()), expected, found);
            None
        }
    }
}

/// The name of a check under a key.
pub(super) fn check_name(
    table: &mut Reader<'_>,
    key: &'static str,
    mistakes: &mut Mistakes,
) -> Option<String> {
    check(table.string(key, mistakes)?, mistakes).map(|check| check.name.to_owned())
}

/// The check with this name; an unknown name is a mistake.
pub(super) fn check(named: At<String>, mistakes: &mut Mistakes) -> Option<&'static Check> {
    let check = find(&named.value);
    if check.is_none() {
        let names: Vec<_> = CATALOGUE.iter().map(|check| check.name).collect();
        let unknown = unknown("check", &named.value, &names);
        mistakes.add(named.span, unknown.expected, unknown.found);
    }
    check
}

/// The check with this name, if this build has it.
pub(super) fn usable_check(named: At<String>, mistakes: &mut Mistakes) -> Option<&'static Check> {
    let span = named.span.clone();
    let check = check(named, mistakes)?;
    if let Some(feature) = check.missing_feature() {
        let found = needing(check.name, feature);
        mistakes.add(span, "a check that this build has", found);
        return None;
    }
    Some(check)
}

/// A word of a file that needs a Cargo feature, which this build lacks.
pub(super) fn needing(word: &str, feature: &str) -> String {
    format!("{word:?}, which needs martinet's Cargo feature {feature:?}")
}
