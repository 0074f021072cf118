//! Converts one TOML value to a type, or reports a mistake.

use toml::Spanned;
use toml::de::DeValue;

use super::At;
use crate::policy::check::Points;
use crate::scenario::keys::one_of;
use crate::scenario::report::Mistakes;
use crate::scenario::words::{Unknown, unknown};

/// Whether a value is written as `[section]` or `[[section]]`, not after `=`.
pub(super) fn is_header(value: &Spanned<DeValue<'_>>, mistakes: &Mistakes) -> bool {
    let before = mistakes.source(0..value.span().start);
    let line = before.rsplit('\n').next().unwrap_or_default();
    !line.contains('=') && mistakes.source(value.span()).starts_with('[')
}

/// A string.
pub(in crate::scenario) fn string(
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Option<At<String>> {
    text(value, "a string", mistakes)
}

pub(super) fn text(
    value: &Spanned<DeValue<'_>>,
    expected: &str,
    mistakes: &mut Mistakes,
) -> Option<At<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(At {
            value: text.to_string(),
            span: value.span(),
        }),
        _ => {
            wrong_type(value, expected, mistakes);
            None
        }
    }
}

pub(super) fn strings(
    value: &Spanned<DeValue<'_>>,
    expected: &str,
    item: &str,
    mistakes: &mut Mistakes,
) -> Option<Vec<At<String>>> {
    match value.get_ref() {
        DeValue::Array(array) => Some(
            array
                .iter()
                .filter_map(|value| text(value, item, mistakes))
                .collect(),
        ),
        DeValue::String(text) => Some(vec![At {
            value: text.to_string(),
            span: value.span(),
        }]),
        _ => {
            wrong_type(value, expected, mistakes);
            None
        }
    }
}

pub(super) fn word(
    value: &Spanned<DeValue<'_>>,
    words: &[&'static str],
    mistakes: &mut Mistakes,
) -> Option<&'static str> {
    let At { value, span } = text(value, &one_of(words), mistakes)?;
    let found = words.iter().copied().find(|word| *word == value);
    if found.is_none() {
        let Unknown {
            expected, found, ..
        } = unknown("word", &value, words);
        mistakes.add(span, expected, found);
    }
    found
}

pub(in crate::scenario) fn wrong_type(
    value: &Spanned<DeValue<'_>>,
    expected: &str,
    mistakes: &mut Mistakes,
) {
    let found = match value.get_ref() {
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        _ => mistakes.source(value.span()).to_owned(),
    };
    mistakes.add(value.span(), expected, found);
}

/// Reads a decimal number as hundredths.
pub(super) fn points(text: &str) -> Option<Points> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let negative = whole.starts_with('-');
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let all = |text: &str| {
        !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !all(digits) || !all(places) || places.len() > 2 {
        return None;
    }
    let hundredths =
        digits.parse::<i64>().ok()? * 100 + format!("{places:0<2}").parse::<i64>().ok()?;
    Some(Points(if negative { -hundredths } else { hundredths }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        for (text, hundredths) in [("2", 200), ("2.5", 250), ("0.25", 25), ("-1.05", -105)] {
            assert_eq!(points(text), Some(Points(hundredths)), "{text}");
        }
        for bad in ["", "2.", ".5", "1.234", "inf", "nan", "1e3", "-", "1_0"] {
            assert_eq!(points(bad), None, "{bad}");
        }
    }
}
