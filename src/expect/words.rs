//! The words of filters: they are checked when they are read, and the error for a wrong word suggests the nearest one.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::policy::checks::{self, CATALOGUE};
use crate::reply::{ReplyCode, enhanced_prefix};
use crate::stage::Stage;
use crate::verdict::{Source, Verdict};

/// The suggestion of the nearest known word, if one is near: `; did you mean "iprev"?`
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let wrong = wrong.to_ascii_lowercase();
    let near = known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, word), word))
        .min()
        .filter(|(distance, word)| *distance <= 1.max(word.len() / 3));
    near.map_or(String::new(), |(_, word)| {
        format!("; did you mean {word:?}?")
    })
}

/// The error for an unknown rule.
pub(super) fn no_rule(found: &str) -> String {
    let near = did_you_mean(found, CATALOGUE.iter().map(|check| check.name));
    format!(
        "invalid value {found:?}, expected a rule of the catalogue (martinet list checks){near}"
    )
}

/// The error for an invalid reply code.
pub(super) fn no_code(found: impl std::fmt::Display) -> String {
    format!("invalid value {found}, expected a reply code from 200 to 599")
}

/// The error for an invalid enhanced status code.
pub(super) fn no_enhanced(found: &str) -> String {
    format!("invalid value {found:?}, expected an enhanced status code such as 5.7.25")
}

/// Whether a text is exactly an enhanced status code.
pub(super) fn is_enhanced(text: &str) -> bool {
    enhanced_prefix(text)
        .is_some_and(|(class, code)| text == format!("{class}.{}.{}", code.subject, code.detail))
}

/// Parses one of a few words.
fn word<'de, D: Deserializer<'de>, T: std::str::FromStr>(
    deserializer: D,
    known: &[&'static str],
) -> Result<Option<T>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let near = did_you_mean(&text, known.iter().copied());
        let known = known.join(", ");
        D::Error::custom(format!(
            "invalid value {text:?}, expected one of {known}{near}"
        ))
    })
}

pub(super) fn verdict<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Verdict>, D::Error> {
    word(d, &Verdict::ALL.map(Verdict::name))
}

pub(super) fn source<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Source>, D::Error> {
    word(d, &Source::ALL.map(Source::name))
}

pub(super) fn stage<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Stage>, D::Error> {
    word(d, &Stage::ALL.map(Stage::name))
}

pub(super) fn rule<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(d)? {
        Some(rule) if checks::find(&rule).is_none() => Err(D::Error::custom(no_rule(&rule))),
        rule => Ok(rule),
    }
}

pub(super) fn code<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u16>, D::Error> {
    match Option::<u16>::deserialize(d)? {
        Some(code) if ReplyCode::new(code).is_none() => Err(D::Error::custom(no_code(code))),
        code => Ok(code),
    }
}

pub(super) fn enhanced<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(d)? {
        Some(code) if !is_enhanced(&code) => Err(D::Error::custom(no_enhanced(&code))),
        code => Ok(code),
    }
}

/// The RCODE in a filter of DNS queries.
pub(super) fn rcode<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    const KNOWN: [&str; 8] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "BADVERS", "none",
    ];
    let text = Option::<String>::deserialize(d)?;
    let numbered = |text: &str| {
        let number = text
            .get(5..)
            .filter(|_| text[..5].eq_ignore_ascii_case("rcode"));
        number.is_some_and(|number| number.parse::<u16>().is_ok_and(|n| n < 4096))
    };
    match &text {
        Some(word) if !numbered(word) && !KNOWN.iter().any(|k| k.eq_ignore_ascii_case(word)) => {
            let known = KNOWN.join(", ");
            Err(D::Error::custom(format!(
                "invalid value {word:?}, expected one of {known}, or a number such as RCODE11"
            )))
        }
        _ => Ok(text),
    }
}

/// The type in a filter of DNS queries.
pub(super) fn record_type<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    let is_type = |text: &str| {
        let word = text.to_ascii_uppercase();
        let number = word
            .strip_prefix("TYPE")
            .and_then(|n| n.parse::<u16>().ok());
        number.is_some() || word.parse::<crate::name::RecordType>().is_ok()
    };
    match &text {
        Some(word) if !is_type(word) => Err(D::Error::custom(format!(
            "invalid value {word:?}, expected a record type such as A, MX, PTR or TYPE65280"
        ))),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word() {
        for (wrong, expected) in [
            ("helo-prt-match", "; did you mean \"helo-ptr-match\"?"),
            ("IPREV", "; did you mean \"iprev\"?"),
            ("xyzzy", ""),
        ] {
            let names = CATALOGUE.iter().map(|check| check.name);
            assert_eq!(did_you_mean(wrong, names), expected, "{wrong}");
        }
    }

    #[test]
    fn enhanced_codes() {
        for (text, expected) in [
            ("5.7.25", true),
            ("5.7", false),
            ("5.7.25 x", false),
            ("3.0.0", false),
        ] {
            assert_eq!(is_enhanced(text), expected, "{text}");
        }
    }
}
