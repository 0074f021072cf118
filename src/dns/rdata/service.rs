//! Service parameters of SVCB and HTTPS records (RFC 9460 §2.1).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::presentation::{base64, quoted, short};
use super::reader::{base64_digit, digits_of};
use crate::dns::token::Token;

/// Keys with a name, by number (RFC 9460 §14.3.2, RFC 9461).
const KEYS: [&str; 8] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
];

/// Parses `key=value…`; the value can be quoted. Octets are in the order of the keys, and each key is allowed once.
pub(super) fn read(mut tokens: &[Token], data: &mut Vec<u8>) -> Option<()> {
    let mut parameters = BTreeMap::new();
    while let Some((token, mut rest)) = tokens.split_first() {
        let word = (!token.quoted).then_some(token.octets)?;
        let (key, mut value) = match word.iter().position(|c| *c == b'=') {
            Some(at) => (
                &word[..at],
                Some(Token {
                    octets: &word[at + 1..],
                    quoted: false,
                }),
            ),
            None => (word, None),
        };
        // `key="…"` is split at the quote.
        if value.is_some_and(|v| v.octets.is_empty())
            && let Some((quoted, after)) = rest.split_first().filter(|(t, _)| t.quoted)
        {
            (value, rest) = (Some(*quoted), after);
        }
        let key = key_number(std::str::from_utf8(key).ok()?)?;
        let value = value.map_or(Some(Cow::Borrowed(&b""[..])), |v| v.unescaped())?;
        if parameters.insert(key, octets(key, &value)?).is_some() {
            return None;
        }
        tokens = rest;
    }
    for (key, value) in parameters {
        data.extend(key.to_be_bytes());
        data.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        data.extend(value);
    }
    Some(())
}

fn key_number(word: &str) -> Option<u16> {
    if let Some(at) = KEYS.iter().position(|key| *key == word) {
        return u16::try_from(at).ok();
    }
    let digits = word.strip_prefix("key")?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

fn octets(key: u16, value: &[u8]) -> Option<Vec<u8>> {
    let text = || std::str::from_utf8(value).ok();
    let mut octets = Vec::new();
    match key {
        0 => {
            let mut keys = text()?
                .split(',')
                .map(key_number)
                .collect::<Option<Vec<_>>>()?;
            keys.sort_unstable();
            octets.extend(keys.into_iter().flat_map(u16::to_be_bytes));
        }
        1 => {
            for id in items(value) {
                octets.push(u8::try_from(id.len()).ok().filter(|length| *length > 0)?);
                octets.extend(id);
            }
        }
        2 => value.is_empty().then_some(())?,
        3 => {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            octets.extend(digits.then(|| text()?.parse::<u16>().ok())??.to_be_bytes());
        }
        4 => {
            for address in text()?.split(',') {
                octets.extend(address.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        5 => digits_of(
            &[Token {
                octets: value,
                quoted: false,
            }],
            6,
            base64_digit,
            &mut octets,
        )?,
        6 => {
            for address in text()?.split(',') {
                octets.extend(address.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        _ => octets.extend(value),
    }
    Some(octets)
}

/// The items of a comma-separated list; `\,` is a comma within one (RFC 9460 Appendix A.1).
fn items(value: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        let last = items.len() - 1;
        match octet {
            b',' => items.push(Vec::new()),
            b'\\' => items[last].extend(octets.next()),
            other => items[last].push(*other),
        }
    }
    items
}

/// The parameters as text; `None` if the octets are invalid.
pub(super) fn text(mut rest: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while !rest.is_empty() {
        let key = short(&mut rest)?;
        let length = short(&mut rest)?;
        let (value, after) = rest.split_at_checked(usize::from(length))?;
        rest = after;
        let name = KEYS
            .get(usize::from(key))
            .map_or_else(|| format!("key{key}"), |name| (*name).to_owned());
        let value = value_text(key, value)?;
        words.push(if value.is_empty() {
            name
        } else {
            format!("{name}={value}")
        });
    }
    Some(words.join(" "))
}

fn value_text(key: u16, value: &[u8]) -> Option<String> {
    let list = |size: usize, item: &dyn Fn(&[u8]) -> Option<String>| {
        let whole = !value.is_empty() && value.len().is_multiple_of(size);
        whole.then(|| {
            value
                .chunks(size)
                .map(item)
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(","))
        })?
    };
    match key {
        0 => list(2, &|pair| {
            let number = u16::from_be_bytes([pair[0], pair[1]]);
            Some(
                KEYS.get(usize::from(number))
                    .map_or_else(|| format!("key{number}"), |name| (*name).to_owned()),
            )
        }),
        1 => alpn(value),
        2 => value.is_empty().then(String::new),
        3 => Some(u16::from_be_bytes(<[u8; 2]>::try_from(value).ok()?).to_string()),
        4 => list(4, &|a| {
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(a).ok()?).to_string())
        }),
        5 => Some(base64(value)),
        6 => list(16, &|a| {
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(a).ok()?).to_string())
        }),
        _ if value.is_empty() => Some(String::new()),
        _ => Some(quoted(value)),
    }
}

fn alpn(mut rest: &[u8]) -> Option<String> {
    let mut list = Vec::new();
    while let Some((length, after)) = rest.split_first() {
        let (id, after) = after
            .split_at_checked(usize::from(*length))
            .filter(|(id, _)| !id.is_empty())?;
        rest = after;
        if !list.is_empty() {
            list.push(b',');
        }
        for octet in id {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(*octet);
        }
    }
    (!list.is_empty()).then(|| quoted(&list))
}
