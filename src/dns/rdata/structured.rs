//! Data whose fields depend on each other: APL, NSAP, WKS, IPSECKEY, AMTRELAY and HIP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name_at;
use super::presentation::{base64, hexadecimal, take};
use super::reader::{self, Reader, base64_digit, digits_of, number};
use crate::dns::label;
use crate::dns::token::Token;

/// Protocols of WKS records by name (RFC 1010).
const PROTOCOLS: [(&str, u8); 2] = [("tcp", 6), ("udp", 17)];
/// Services of WKS records with names; other services have port numbers.
const SERVICES: [(&str, u16); 38] = [
    ("echo", 7),
    ("discard", 9),
    ("systat", 11),
    ("daytime", 13),
    ("netstat", 15),
    ("qotd", 17),
    ("chargen", 19),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("nameserver", 42),
    ("whois", 43),
    ("nicname", 43),
    ("domain", 53),
    ("bootps", 67),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("hostnames", 101),
    ("iso-tsap", 102),
    ("pop2", 109),
    ("pop3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("sftp", 115),
    ("nntp", 119),
    ("ntp", 123),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("irc", 194),
    ("https", 443),
];

/// Reads address prefixes, `[!]family:address/length` (RFC 3123 §5).
pub(super) fn read_prefixes(reader: &mut Reader<'_, '_>) -> Option<()> {
    while !reader.tokens.is_empty() {
        let word = reader.word()?;
        let (negated, word) = match word.strip_prefix('!') {
            Some(word) => (0x80, word),
            None => (0, word),
        };
        let (family, prefix) = word.split_once(':')?;
        let (address, length) = prefix.split_once('/')?;
        let (octets, most) = match family {
            "1" => (address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
            "2" => (address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
            _ => return None,
        };
        let length = number::<u8>(length).filter(|length| *length <= most)?;
        let afd_length = octets.iter().rposition(|o| *o != 0).map_or(0, |at| at + 1);
        let family: u16 = number(family)?;
        reader.data.extend(family.to_be_bytes());
        reader.data.extend([length, negated | afd_length as u8]);
        reader.data.extend_from_slice(&octets[..afd_length]);
    }
    Some(())
}

/// Address prefixes as text.
pub(super) fn prefixes_text(mut rest: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while !rest.is_empty() {
        let head = *take(&mut rest, 4)?.first_chunk::<4>()?;
        let afd_part = take(&mut rest, usize::from(head[3] & 0x7f))?;
        let mut octets = [0_u8; 16];
        octets.get_mut(..afd_part.len())?.copy_from_slice(afd_part);
        let (address, most): (IpAddr, u8) =
            match (u16::from_be_bytes([head[0], head[1]]), afd_part.len()) {
                (1, ..=4) => (IpAddr::from(*octets.first_chunk::<4>()?), 32),
                (2, ..=16) => (IpAddr::from(octets), 128),
                _ => return None,
            };
        (head[2] <= most && afd_part.last() != Some(&0)).then_some(())?;
        let mark = if head[3] & 0x80 == 0 { "" } else { "!" };
        words.push(format!("{mark}{}:{address}/{}", head[1], head[2]));
    }
    Some(words.join(" "))
}

/// Parses an NSAP address: `0x` and hexadecimal digits, with optional dots between them (RFC 1706 §7).
pub(super) fn read_nsap(reader: &mut Reader<'_, '_>) -> Option<()> {
    let word = reader.word()?;
    let digits = word
        .strip_prefix("0x")
        .or_else(|| word.strip_prefix("0X"))?;
    let digits = digits.replace('.', "");
    let token = Token {
        octets: digits.as_bytes(),
        quoted: false,
    };
    reader::hexadecimal(&[token], reader.data).filter(|()| !digits.is_empty())
}

/// Reads a protocol and services (RFC 1035 §3.4.2).
pub(super) fn read_services(reader: &mut Reader<'_, '_>) -> Option<()> {
    let word = reader.word()?;
    let protocol = PROTOCOLS
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name));
    let protocol = protocol.map_or_else(|| number(word), |(_, number)| Some(*number))?;
    let mut bits: Vec<u8> = Vec::new();
    while !reader.tokens.is_empty() {
        let word = reader.word()?;
        let service = SERVICES
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name));
        let port = service.map_or_else(|| number(word), |(_, port)| Some(*port))?;
        let at = usize::from(port / 8);
        if bits.len() <= at {
            bits.resize(at + 1, 0);
        }
        bits[at] |= 0x80 >> (port % 8);
    }
    reader.data.push(protocol);
    reader.data.extend(bits);
    Some(())
}

/// A protocol and services as text, by their numbers.
pub(super) fn services_text(rest: &mut &[u8]) -> Option<String> {
    let protocol = take(rest, 1)?[0];
    let bits = std::mem::take(rest);
    (bits.last() != Some(&0) && bits.len() <= 8192).then_some(())?;
    let set = (0..bits.len() * 8).filter(|bit| bits[bit / 8] & (0x80 >> (bit % 8)) != 0);
    let words = std::iter::once(protocol.to_string()).chain(set.map(|bit| bit.to_string()));
    Some(words.collect::<Vec<_>>().join(" "))
}

/// Reads the type of a gateway, an algorithm, and the gateway (RFC 4025 §3.1).
pub(super) fn read_gateway(reader: &mut Reader<'_, '_>) -> Option<()> {
    let kind: u8 = number(reader.word()?)?;
    let algorithm: u8 = number(reader.word()?)?;
    reader.data.extend([kind, algorithm]);
    read_host(reader, kind)
}

/// Reads the discovery bit, the type of a relay, and the relay (RFC 8777 §4.3.1).
pub(super) fn read_relay(reader: &mut Reader<'_, '_>) -> Option<()> {
    let discovery: u8 = number(reader.word()?).filter(|bit| *bit <= 1)?;
    let kind: u8 = number(reader.word()?).filter(|kind| *kind <= 3)?;
    reader.data.push(discovery << 7 | kind);
    read_host(reader, kind)
}

/// Reads a host of the types 0 to 3: nothing, written as the root; an IPv4 address; an IPv6 address; or a name.
fn read_host(reader: &mut Reader<'_, '_>, kind: u8) -> Option<()> {
    let token = reader.next().filter(|token| !token.quoted)?;
    match kind {
        0 => (token.octets == b".").then_some(()),
        1 => {
            let address: Ipv4Addr = token.word().parse().ok()?;
            reader.data.extend(address.octets());
            Some(())
        }
        2 => {
            let address: Ipv6Addr = token.word().parse().ok()?;
            reader.data.extend(address.octets());
            Some(())
        }
        3 => {
            let name = label::parse(token.octets, reader.origin)?;
            reader.data.extend(name);
            Some(())
        }
        _ => None,
    }
}

/// A gateway as text, with its type and algorithm.
pub(super) fn gateway_text(rest: &mut &[u8]) -> Option<String> {
    let [kind, algorithm] = *take(rest, 2)?.first_chunk()?;
    Some(format!("{kind} {algorithm} {}", host_text(kind, rest)?))
}

/// A relay as text, with its discovery bit and type.
pub(super) fn relay_text(rest: &mut &[u8]) -> Option<String> {
    let head = take(rest, 1)?[0];
    let (discovery, kind) = (head >> 7, head & 0x7f);
    Some(format!("{discovery} {kind} {}", host_text(kind, rest)?))
}

fn host_text(kind: u8, rest: &mut &[u8]) -> Option<String> {
    Some(match kind {
        0 => ".".to_owned(),
        1 => Ipv4Addr::from(*take(rest, 4)?.first_chunk::<4>()?).to_string(),
        2 => Ipv6Addr::from(*take(rest, 16)?.first_chunk::<16>()?).to_string(),
        3 => {
            let name = name_at(rest)?;
            *rest = &rest[name.len()..];
            label::text(name)
        }
        _ => return None,
    })
}

/// Reads an algorithm, a host identity tag and a public key (RFC 8005 §5).
pub(super) fn read_identity(reader: &mut Reader<'_, '_>) -> Option<()> {
    let algorithm: u8 = number(reader.word()?)?;
    let (mut tag, mut key) = (Vec::new(), Vec::new());
    reader::hexadecimal(&[*reader.next()?], &mut tag)?;
    digits_of(&[*reader.next()?], 6, base64_digit, &mut key)?;
    (!tag.is_empty() && !key.is_empty()).then_some(())?;
    reader
        .data
        .extend([u8::try_from(tag.len()).ok()?, algorithm]);
    reader
        .data
        .extend(u16::try_from(key.len()).ok()?.to_be_bytes());
    reader.data.extend(tag);
    reader.data.extend(key);
    Some(())
}

/// Algorithm, host identity tag and public key as text.
pub(super) fn identity_text(rest: &mut &[u8]) -> Option<String> {
    let [tag, algorithm, key @ ..] = *take(rest, 4)?.first_chunk::<4>()?;
    let tag = take(rest, usize::from(tag)).filter(|tag| !tag.is_empty())?;
    let key = take(rest, usize::from(u16::from_be_bytes(key))).filter(|key| !key.is_empty())?;
    Some(format!("{algorithm} {} {}", hexadecimal(tag), base64(key)))
}
