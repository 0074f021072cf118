//! Prints record data in zone file format.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::presentation::{base64, hexadecimal, quoted, short, take};
use super::{Field, layout, location, name_at, service, structured, type_text};
use crate::dns::label;

/// The data as text; `\# length hexadecimal` for an unknown type (RFC 3597 §5).
pub(in crate::dns) fn text(kind: u16, data: &[u8]) -> String {
    known(kind, data).unwrap_or_else(|| {
        format!("\\# {} {}", data.len(), hexadecimal(data))
            .trim_end()
            .to_owned()
    })
}

/// The data in the format of its type; `None` if the type is unknown, or the octets are invalid.
pub(super) fn known(kind: u16, data: &[u8]) -> Option<String> {
    let mut rest = data;
    let mut words = Vec::new();
    for field in layout(kind)? {
        let word = field_text(*field, &mut rest)?;
        if !word.is_empty() {
            words.push(word);
        }
    }
    rest.is_empty().then(|| words.join(" "))
}

fn field_text(field: Field, rest: &mut &[u8]) -> Option<String> {
    Some(match field {
        Field::Ip4 => Ipv4Addr::from(take(rest, 4)?.first_chunk::<4>().copied()?).to_string(),
        Field::Ip6 => Ipv6Addr::from(take(rest, 16)?.first_chunk::<16>().copied()?).to_string(),
        Field::Name => name(rest)?,
        Field::Names => {
            let mut names = Vec::new();
            while !rest.is_empty() {
                names.push(name(rest)?);
            }
            names.join(" ")
        }
        Field::Byte | Field::Algorithm => take(rest, 1)?[0].to_string(),
        Field::Short | Field::CertType => short(rest)?.to_string(),
        Field::Long | Field::Period | Field::Moment => {
            u32::from_be_bytes(take(rest, 4)?.first_chunk().copied()?).to_string()
        }
        Field::Type => type_text(short(rest)?),
        Field::Text => quoted(counted(rest)?),
        Field::Texts => {
            let mut strings = vec![quoted(counted(rest)?)];
            while !rest.is_empty() {
                strings.push(quoted(counted(rest)?));
            }
            strings.join(" ")
        }
        Field::Rest => quoted(std::mem::take(rest)),
        Field::Hex => hexadecimal(std::mem::take(rest)),
        Field::Base64 => base64(std::mem::take(rest)),
        Field::Salt => match counted(rest)? {
            [] => "-".to_owned(),
            salt => hexadecimal(salt),
        },
        Field::Hash => base32(counted(rest)?),
        Field::Types => types(std::mem::take(rest))?,
        Field::Eui(octets) => {
            let pairs: Vec<_> = take(rest, octets)?
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            pairs.join("-")
        }
        Field::Locator => {
            let groups: Vec<_> = take(rest, 8)?
                .chunks(2)
                .map(|g| format!("{:02x}{:02x}", g[0], g[1]))
                .collect();
            groups.join(":")
        }
        Field::Parameters => service::text(std::mem::take(rest))?,
        Field::Location => location::text(std::mem::take(rest))?,
        Field::Prefixes => structured::prefixes_text(std::mem::take(rest))?,
        Field::Nsap if rest.is_empty() => return None,
        Field::Nsap => format!("0x{}", hexadecimal(std::mem::take(rest))),
        Field::Services => structured::services_text(rest)?,
        Field::Gateway => structured::gateway_text(rest)?,
        Field::Relay => structured::relay_text(rest)?,
        Field::Identity => structured::identity_text(rest)?,
    })
}

fn name(rest: &mut &[u8]) -> Option<String> {
    let name = name_at(rest)?;
    *rest = &rest[name.len()..];
    Some(label::text(name))
}

fn counted<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let length = take(rest, 1)?[0];
    take(rest, usize::from(length))
}

/// Octets in base 32 with the extended hex alphabet, without padding (RFC 5155 §3.3).
fn base32(octets: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let (mut held, mut count) = (0_u32, 0);
    let mut text = String::new();
    for octet in octets {
        held = held << 8 | u32::from(*octet);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(DIGITS[(held >> count) as usize]));
            held &= (1 << count) - 1;
        }
    }
    if count > 0 {
        text.push(char::from(DIGITS[(held << (5 - count)) as usize]));
    }
    text
}

fn types(mut rest: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while !rest.is_empty() {
        let window = u16::from(take(&mut rest, 1)?[0]) << 8;
        let bits = counted(&mut rest)?;
        let set = (0..bits.len() * 8).filter(|bit| bits[bit / 8] & (0x80 >> (bit % 8)) != 0);
        words.extend(set.map(|bit| type_text(window | bit as u16)));
        if bits.is_empty() || bits.len() > 32 {
            return None;
        }
    }
    Some(words.join(" "))
}
