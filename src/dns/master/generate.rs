//! `$GENERATE`, BIND's directive for many records that differ in a number.

use std::fmt::Write as _;

use super::entries::Entry;
use super::{MasterMistake, Reader, Row};
use crate::dns::token::{self, Token};

/// Maximum number of records of one `$GENERATE`: a /16.
const RECORDS: u64 = 65_536;
/// Maximum width of a number.
const WIDTH: usize = 255;
const RANGE: &str = "$GENERATE first-last[/step] owner type data, of at most 65536 records";
const MODIFIER: &str =
    "$ or ${offset[,width[,base]]} in $GENERATE, where base is one of d o x X n N";

impl Reader {
    /// Reads `$GENERATE range owner [ttl] [class] type data`: a record for each number of the range.
    pub(super) fn generate(
        &mut self,
        entry: &Entry,
        tokens: &[Token],
        take: &mut impl FnMut(Row<'_>),
    ) -> Result<(), MasterMistake> {
        let (range, record) = match tokens {
            [_, range, record @ ..] if !record.is_empty() => (range, record),
            _ => return Err(entry.mistake(RANGE, token::text(tokens))),
        };
        let (first, last, step) =
            range_of(range.word()).ok_or_else(|| entry.mistake(RANGE, token::text(&[*range])))?;
        for number in (first..=last).step_by(step) {
            let mut filled = Vec::with_capacity(record.len());
            for token in record {
                let octets = fill(token.octets, number)
                    .ok_or_else(|| entry.mistake(MODIFIER, token::text(&[*token])))?;
                filled.push((octets, token.quoted));
            }
            let tokens: Vec<_> = filled
                .iter()
                .map(|(octets, quoted)| Token {
                    octets,
                    quoted: *quoted,
                })
                .collect();
            self.record(entry, &tokens, take)?;
        }
        Ok(())
    }
}

/// `first-last` or `first-last/step`.
fn range_of(word: &str) -> Option<(u32, u32, usize)> {
    let (range, step) = word.split_once('/').unwrap_or((word, "1"));
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok())?
    };
    let (first, last, step) = (number(first)?, number(last)?, number(step)?);
    let most = i32::MAX as u32;
    let count = u64::from(last.checked_sub(first)?) / u64::from(step).max(1) + 1;
    (step > 0 && last <= most && count <= RECORDS).then_some((first, last, step as usize))
}

/// Replaces the number in a token: `$`, or `${offset,width,base}`; `$$` and `\$` are dollar signs.
fn fill(text: &[u8], number: u32) -> Option<Vec<u8>> {
    let mut filled = Vec::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'\\', [escaped, after @ ..]) => {
                filled.extend([b'\\', *escaped]);
                rest = after;
            }
            (b'$', [b'$', after @ ..]) => {
                filled.extend(b"\\$");
                rest = after;
            }
            (b'$', [b'{', after @ ..]) => {
                let end = after.iter().position(|octet| *octet == b'}')?;
                filled.extend(modified(std::str::from_utf8(&after[..end]).ok()?, number)?);
                rest = &after[end + 1..];
            }
            (b'$', _) => filled.extend(number.to_string().into_bytes()),
            (other, _) => filled.push(*other),
        }
    }
    Some(filled)
}

fn modified(modifier: &str, number: u32) -> Option<Vec<u8>> {
    let mut parts = modifier.split(',');
    let (offset, width, base) = (parts.next()?, parts.next(), parts.next());
    let offset: i64 = match offset.strip_prefix('-') {
        Some(digits) => -i64::from(digits.parse::<u32>().ok()?),
        None => offset.parse::<u32>().ok()?.into(),
    };
    let value = u64::try_from(i64::from(number) + offset).ok()?;
    let width = width.map_or(Some(0), |width| width.parse::<usize>().ok())?;
    let text = match base.unwrap_or("d") {
        _ if width > WIDTH || parts.next().is_some() => return None,
        "d" => format!("{value:0width$}"),
        "o" => format!("{value:0width$o}"),
        "x" => format!("{value:0width$x}"),
        "X" => format!("{value:0width$X}"),
        "n" => nibbles(value, width),
        "N" => nibbles(value, width).to_ascii_uppercase(),
        _ => return None,
    };
    Some(text.into_bytes())
}

/// Hexadecimal digits in reverse order, separated by dots; the dots count for the width.
fn nibbles(mut value: u64, width: usize) -> String {
    let mut text = String::new();
    loop {
        let _ = write!(text, "{:x}", value & 0x0f);
        value >>= 4;
        if value == 0 && text.len() >= width {
            return text;
        }
        text.push('.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, number: u32, expected: Option<&str>) {
        let filled = fill(text.as_bytes(), number);
        let filled = filled.map(|octets| String::from_utf8(octets).expect("text"));
        assert_eq!(filled.as_deref(), expected, "{text}");
    }

    #[test]
    fn numbers_in_tokens() {
        check("host-$", 7, Some("host-7"));
        check("$.0-127", 7, Some("7.0-127"));
        check("10.0.0.${128}", 7, Some("10.0.0.135"));
        check("${-5,3}x", 7, Some("002x"));
        check("${0,4,x}${0,0,X}${0,0,o}", 26, Some("001a1A32"));
        // The output of named-checkzone -D of BIND 9.18.
        check("${0,7,n}", 0x1a, Some("a.1.0.0"));
        check("${0,2,N}", 0xab, Some("B.A"));
        check("a$$b\\$c", 7, Some("a\\$b\\$c"));
        for bad in [
            "${-8}",
            "${",
            "${}",
            "${x}",
            "${0,x}",
            "${0,1,q}",
            "${0,256}",
            "${0,1,d,1}",
        ] {
            check(bad, 7, None);
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(range_of("0-65535"), Some((0, 65_535, 1)));
        assert_eq!(range_of("10-20/5"), Some((10, 20, 5)));
        for bad in [
            "0-65536",
            "2-1",
            "1",
            "-1-2",
            "1-2/0",
            "1-2/",
            "1-4294967296",
            "1-2147483648/9999999",
        ] {
            assert_eq!(range_of(bad), None, "{bad}");
        }
    }
}
