//! The presentation of octets in zone files: quoted, in hexadecimal, in base 64.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) fn take<'d>(rest: &mut &'d [u8], octets: usize) -> Option<&'d [u8]> {
    let (taken, after) = rest.split_at_checked(octets)?;
    *rest = after;
    Some(taken)
}

pub(super) fn short(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.first_chunk().copied()?))
}

/// A quoted string, in which unprintable characters, quotes and backslashes are escaped (RFC 1035 §5.1).
pub(super) fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(*octet)]),
            b' '..=b'~' => text.push(char::from(*octet)),
            other => _ = write!(text, "\\{other:03}"),
        }
    }
    text.push('"');
    text
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(2 * octets.len()),
        |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        },
    )
}

/// Octets in base 64 with padding (RFC 4648 §4).
pub(super) fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}
