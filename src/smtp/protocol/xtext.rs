//! xtext: the encoding of octets that are not printable, in parameters of MAIL and attributes of XCLIENT (RFC 3461 §4).

/// Decodes xtext, in which `+` and two hexadecimal digits encode an octet. Control characters are refused.
pub(crate) fn decode(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        if *octet == b'+' {
            let digits = std::str::from_utf8(after.get(..2)?)
                .ok()
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(*octet);
        }
    }
    String::from_utf8(octets)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}
