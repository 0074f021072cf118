//! Parses record data from zone file format.

use super::reader::{Reader, base64_digit, digits_of, hexadecimal, number};
use super::{ALGORITHMS, CERTIFICATES, Field, layout, location, print, record_type};
use super::{service, structured};
use crate::dns::label;
use crate::dns::token::Token;

/// Maximum size of record data in octets (RFC 1035 §3.2.1).
const DATA_OCTETS: usize = 65_535;

/// Parses the data of a type into `data`; names are relative to `origin`.
pub(in crate::dns) fn read(
    kind: u16,
    tokens: &[Token],
    origin: &[u8],
    data: &mut Vec<u8>,
) -> Option<()> {
    data.clear();
    let mut reader = Reader {
        tokens,
        origin,
        data,
    };
    for field in layout(kind)? {
        reader.field(*field)?;
    }
    (reader.tokens.is_empty() && data.len() <= DATA_OCTETS).then_some(())
}

/// Parses data in the form `\# length hexadecimal` (RFC 3597 §5). The octets must be valid if the type is known.
pub(in crate::dns) fn read_unknown(kind: u16, tokens: &[Token], data: &mut Vec<u8>) -> Option<()> {
    data.clear();
    let (length, digits) = tokens.split_first()?;
    hexadecimal(digits, data)?;
    let whole = number::<u16>(length.word()) == u16::try_from(data.len()).ok();
    (whole && (layout(kind).is_none() || print::known(kind, data).is_some())).then_some(())
}

/// A time in seconds: a number, or numbers with the units s, m, h, d and w. A value above 2^31 - 1 becomes 0 (RFC 2181
/// §8).
pub(in crate::dns) fn ttl(text: &str) -> Option<u32> {
    period(text).map(|seconds| {
        if seconds > i32::MAX as u32 {
            0
        } else {
            seconds
        }
    })
}

/// A time in seconds in SOA data, up to 2^32 - 1.
fn period(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return number(text);
    }
    let (mut seconds, mut digits) = (0_u32, 0..0);
    for (at, octet) in text.bytes().enumerate() {
        if octet.is_ascii_digit() {
            digits.end = at + 1;
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        let count: u32 = number(&text[digits])?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        digits = at + 1..at + 1;
    }
    digits.is_empty().then_some(seconds)
}

impl Reader<'_, '_> {
    fn field(&mut self, field: Field) -> Option<()> {
        match field {
            Field::Ip4 => {
                let address: std::net::Ipv4Addr = self.word()?.parse().ok()?;
                self.data.extend(address.octets());
            }
            Field::Ip6 => {
                let address: std::net::Ipv6Addr = self.word()?.parse().ok()?;
                self.data.extend(address.octets());
            }
            Field::Name => self.name()?,
            Field::Names => {
                while !self.tokens.is_empty() {
                    self.name()?;
                }
            }
            Field::Byte
            | Field::Algorithm
            | Field::Short
            | Field::CertType
            | Field::Long
            | Field::Period
            | Field::Moment
            | Field::Type => self.number(field)?,
            Field::Text => self.string()?,
            Field::Texts => {
                self.string()?;
                while !self.tokens.is_empty() {
                    self.string()?;
                }
            }
            Field::Rest => {
                let octets = self.next()?.unescaped()?;
                self.data.extend_from_slice(&octets);
            }
            Field::Hex => {
                let digits = std::mem::take(&mut self.tokens);
                hexadecimal(digits, self.data)?;
            }
            Field::Base64 => {
                let digits = std::mem::take(&mut self.tokens);
                digits_of(digits, 6, base64_digit, self.data)?;
            }
            Field::Salt => self.salt()?,
            Field::Hash => {
                let token = [*self.next()?];
                let mut octets = Vec::new();
                digits_of(&token, 5, base32_digit, &mut octets)?;
                self.counted(&octets)?;
            }
            Field::Types => self.types()?,
            Field::Eui(octets) => self.pairs(octets)?,
            Field::Locator => self.locator()?,
            Field::Parameters => {
                let tokens = std::mem::take(&mut self.tokens);
                service::read(tokens, self.data)?;
            }
            Field::Location => location::read(self)?,
            Field::Prefixes => structured::read_prefixes(self)?,
            Field::Nsap => structured::read_nsap(self)?,
            Field::Services => structured::read_services(self)?,
            Field::Gateway => structured::read_gateway(self)?,
            Field::Relay => structured::read_relay(self)?,
            Field::Identity => structured::read_identity(self)?,
        }
        Some(())
    }

    /// Reads a numeric field, written in digits, as a mnemonic, or as a time.
    fn number(&mut self, field: Field) -> Option<()> {
        let word = self.word()?;
        let (value, octets): (u32, usize) = match field {
            Field::Byte => (number::<u8>(word)?.into(), 1),
            Field::Algorithm => (u8::try_from(mnemonic(word, ALGORITHMS)?).ok()?.into(), 1),
            Field::Short => (number::<u16>(word)?.into(), 2),
            Field::CertType => (mnemonic(word, CERTIFICATES)?.into(), 2),
            Field::Type => (record_type(word)?.into(), 2),
            Field::Period => (period(word)?, 4),
            Field::Moment => (moment(word)?, 4),
            _ => (number(word)?, 4),
        };
        self.data
            .extend_from_slice(&value.to_be_bytes()[4 - octets..]);
        Some(())
    }

    fn name(&mut self) -> Option<()> {
        let token = self.next().filter(|t| !t.quoted)?;
        let name = label::parse(token.octets, self.origin)?;
        self.data.extend(name);
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let octets = self.next()?.unescaped()?;
        self.counted(&octets)
    }

    fn counted(&mut self, octets: &[u8]) -> Option<()> {
        self.data.push(u8::try_from(octets.len()).ok()?);
        self.data.extend_from_slice(octets);
        Some(())
    }

    fn salt(&mut self) -> Option<()> {
        let token = *self.next()?;
        let mut octets = Vec::new();
        if token.octets != b"-" {
            hexadecimal(&[token], &mut octets)?;
        }
        self.counted(&octets)
    }

    fn types(&mut self) -> Option<()> {
        let mut kinds = Vec::new();
        while !self.tokens.is_empty() {
            kinds.push(record_type(self.word()?)?);
        }
        kinds.sort_unstable();
        for window in kinds.chunk_by(|a, b| a >> 8 == b >> 8) {
            let mut bits = [0_u8; 32];
            for kind in window {
                bits[usize::from(kind & 0xff) / 8] |= 0x80 >> (kind & 7);
            }
            let length = usize::from(window[window.len() - 1] & 0xff) / 8 + 1;
            self.data.push((window[0] >> 8) as u8);
            self.counted(&bits[..length])?;
        }
        Some(())
    }

    fn pairs(&mut self, octets: usize) -> Option<()> {
        let pairs: Vec<_> = self.word()?.split('-').collect();
        (pairs.len() == octets).then_some(())?;
        for pair in pairs {
            (pair.len() == 2).then_some(())?;
            hexadecimal(
                &[Token {
                    octets: pair.as_bytes(),
                    quoted: false,
                }],
                self.data,
            )?;
        }
        Some(())
    }

    fn locator(&mut self) -> Option<()> {
        let groups: Vec<_> = self.word()?.split(':').collect();
        (groups.len() == 4).then_some(())?;
        for group in groups {
            let digits =
                (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_hexdigit());
            self.data.extend(
                digits
                    .then(|| u16::from_str_radix(group, 16).ok())??
                    .to_be_bytes(),
            );
        }
        Some(())
    }
}

/// A number, or the number of a mnemonic.
fn mnemonic(word: &str, known: &[(u16, &str)]) -> Option<u16> {
    let named = known
        .iter()
        .find(|(_, name)| word.eq_ignore_ascii_case(name))
        .map(|(number, _)| *number);
    named.or_else(|| number(word))
}

/// YYYYMMDDHHmmSS, or seconds since 1970 (RFC 4034 §3.2), in serial arithmetic: years after 2106 wrap.
fn moment(text: &str) -> Option<u32> {
    if text.len() != 14 {
        return number(text);
    }
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    let seconds = at
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_second();
    Some(seconds.rem_euclid(1 << 32) as u32)
}

/// A digit of base 32 with the extended hex alphabet (RFC 4648 §7).
fn base32_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(32)
        .and_then(|value| u8::try_from(value).ok())
}

/// The expected form of the data of a type, for reports of mistakes.
pub(in crate::dns) fn expected(kind: u16) -> &'static str {
    match kind {
        1 => "an IPv4 address",
        28 => "an IPv6 address",
        2 | 5 | 12 | 39 => "one domain name",
        15 => "a preference and a host name, such as 10 mx.example.test.",
        6 => "mname rname serial refresh retry expire minimum",
        33 => "priority weight port target",
        257 => "flags tag \"value\"",
        16 => "strings of at most 255 octets each",
        64 | 65 => "priority target key=value…",
        11 => "an IPv4 address, a protocol, and services by name or number",
        22 => "0x and hexadecimal digits",
        29 => "latitude longitude altitude, such as 51 30 12.748 N 0 7 39.611 W 10m (RFC 1876 §3)",
        42 => "address prefixes, such as 1:192.0.2.0/24 !2:2001:db8::/32 (RFC 3123 §5)",
        45 => "precedence gateway-type algorithm gateway key (RFC 4025 §3)",
        55 => "algorithm host-identity-tag public-key servers… (RFC 8005 §6)",
        260 => "precedence discovery relay-type relay (RFC 8777 §4.3)",
        _ => "data of the record's type, or \\# length hexadecimal (RFC 3597)",
    }
}
