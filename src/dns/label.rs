//! Names in wire form: labels after their lengths, ended by the zero of the root (RFC 1035 §3.1).
//!
//! Length octets are not letters, so lower-casing all octets lower-cases the name (RFC 4343).

use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::name::{LABEL_OCTETS, Name};

/// The root.
pub(super) const ROOT: &[u8] = &[0];
/// Maximum length of a name in octets (RFC 1035 §2.3.4).
pub(super) const WIRE_OCTETS: usize = 255;

/// The name without its first label; the root for the root.
pub(super) fn parent(name: &[u8]) -> &[u8] {
    match name {
        [0, ..] | [] => name,
        [length, ..] => &name[1 + usize::from(*length)..],
    }
}

/// The name and all names above it, ending with the root.
pub(super) fn and_above(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| (name.len() > 1).then(|| parent(name)))
}

/// Whether a name equals `suffix` or is below it; both in lower case.
pub(super) fn is_within(name: &[u8], suffix: &[u8]) -> bool {
    name.ends_with(suffix) && and_above(name).any(|above| above.len() == suffix.len())
}

/// The wire form of a name with its case.
pub(super) fn of(name: &Name) -> Vec<u8> {
    let mut octets = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        octets.push(u8::try_from(label.len()).unwrap_or_default()); // hickory-proto has none beyond 63 octets
        octets.extend_from_slice(label);
    }
    octets.push(0);
    octets
}

/// The name in wire form; the root if the octets are invalid.
pub(super) fn name(octets: &[u8]) -> Name {
    Name::read(&mut BinDecoder::new(octets)).unwrap_or_else(|_| Name::root())
}

/// Parses the text of a name, relative to `origin` without a final dot; `@` is the origin (RFC 1035 §5.1).
pub(super) fn parse(text: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    match text {
        b"@" => return Some(origin.to_vec()),
        b"." => return Some(ROOT.to_vec()),
        _ => {}
    }
    let mut name = Vec::with_capacity(text.len() + 1 + origin.len());
    let mut length_at = 0;
    name.push(0);
    let mut rest = text;
    let mut absolute = false;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'.' => {
                close(&mut name, length_at)?;
                absolute = rest.is_empty();
                length_at = name.len();
                name.push(0);
            }
            b'\\' => {
                let (octet, after) = unescape(rest)?;
                name.push(octet);
                rest = after;
            }
            other => name.push(*other),
        }
    }
    if !absolute {
        close(&mut name, length_at)?;
        name.extend_from_slice(origin);
    }
    (name.len() <= WIRE_OCTETS).then_some(name)
}

fn close(name: &mut [u8], length_at: usize) -> Option<()> {
    let length = name.len() - length_at - 1;
    if !(1..=LABEL_OCTETS).contains(&length) {
        return None;
    }
    name[length_at] = u8::try_from(length).ok()?;
    Some(())
}

/// The octet after a backslash: `DDD` is an octet, any other X is X (RFC 1035 §5.1).
pub(super) fn unescape(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (first, after) = rest.split_first()?;
    if !first.is_ascii_digit() {
        return Some((*first, after));
    }
    let digits = rest.get(..3).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, &rest[3..]))
}

/// The absolute name in zone file format (RFC 4343 §2.1).
pub(super) fn text(name: &[u8]) -> String {
    if name.len() <= 1 {
        return ".".to_owned();
    }
    let mut text = String::with_capacity(name.len() + 1);
    for label in and_above(name).filter(|n| n.len() > 1) {
        for octet in &label[1..=usize::from(label[0])] {
            match octet {
                b'.' | b'\\' | b'"' | b'@' | b'$' | b';' | b'(' | b')' => {
                    text.extend(['\\', char::from(*octet)])
                }
                b'!'..=b'~' => text.push(char::from(*octet)),
                other => text.push_str(&format!("\\{other:03}")),
            }
        }
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: Option<&str>) {
        let origin = parse(b"example.test.", ROOT).expect("an origin");
        assert_eq!(
            parse(written.as_bytes(), &origin)
                .map(|n| text(&n))
                .as_deref(),
            expected,
            "{written}"
        );
    }

    #[test]
    fn names_read_and_printed() {
        check("@", Some("example.test."));
        check(".", Some("."));
        check("mail", Some("mail.example.test."));
        check("Mail.Other.", Some("Mail.Other."));
        check(r"a\.b", Some(r"a\.b.example.test."));
        check(r"a\046b.", Some(r"a\.b."));
        check(r"\000\255.", Some(r"\000\255."));
        check(r"end\.", Some(r"end\..example.test."));
        check("a..b", None);
        check(".a", None);
        check("..", None);
        check(r"\300", None);
        check(r"\25", None);
        check(r"a\", None);
        check(
            &"x".repeat(63),
            Some(&format!("{}.example.test.", "x".repeat(63))),
        );
        check(&"x".repeat(64), None);
        check(&"abc.".repeat(64), None);
    }

    #[test]
    fn relations() {
        let name = |text: &str| parse(text.as_bytes(), ROOT).expect("a name");
        assert!(is_within(&name("a.example.test."), &name("example.test.")));
        assert!(is_within(&name("example.test."), &name("example.test.")));
        assert!(is_within(&name("example.test."), ROOT));
        assert!(!is_within(
            &name("notexample.test."),
            &name("example.test.")
        ));
        // The octets of "test." at the end of this label are not labels.
        assert!(!is_within(&name(r"x\004test."), &name("test.")));
        assert_eq!(of(&super::name(&name("Mail.Test."))), name("Mail.Test."));
    }
}
