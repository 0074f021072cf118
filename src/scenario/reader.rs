//! Reading TOML tables key by key: every key is known or a mistake, and no mistake hides another.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Mistakes;
use crate::policy::checks::Points;

/// A table being read.
pub(super) struct Reader<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, span: Range<usize>) -> Self {
        Self {
            table,
            span,
            known: Vec::new(),
        }
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table
            .iter()
            .find(|(k, _)| k.get_ref() == key)
            .map(|(_, value)| value)
    }

    pub(super) fn string(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<At<String>> {
        string(self.get(key)?, mistakes)
    }

    pub(super) fn required(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<At<String>> {
        let found = self.string(key, mistakes);
        if found.is_none() && !self.table.iter().any(|(k, _)| k.get_ref() == key) {
            mistakes.add(self.span(), format!("a key {key:?}"), "none");
        }
        found
    }

    /// A string, or a list of strings.
    pub(super) fn strings(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Vec<At<String>>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Array(array) => {
                Some(array.iter().filter_map(|v| string(v, mistakes)).collect())
            }
            DeValue::String(text) => Some(vec![At {
                value: text.to_string(),
                span: value.span(),
            }]),
            _ => {
                wrong_type(value, "a string or a list of strings", mistakes);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(value, "true or false", mistakes);
        }
        flag
    }

    pub(super) fn number(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<At<u64>> {
        let value = self.get(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        if number.is_none() {
            wrong_type(value, "a whole number", mistakes);
        }
        Some(At {
            value: number?,
            span: value.span(),
        })
    }

    /// A score: a decimal number of at most two places.
    pub(super) fn points(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Points> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => "",
        };
        let points = points(text);
        if points.is_none() {
            wrong_type(
                value,
                "a number such as 2.5, of at most two places",
                mistakes,
            );
        }
        points
    }

    /// A number that the type it is kept in can hold: more is a mistake, and never a smaller number or none.
    pub(super) fn number_as<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let At { value, span } = self.number(key, mistakes)?;
        let number = T::try_from(value).ok();
        if number.is_none() {
            let bits = 8 * std::mem::size_of::<T>() as u32;
            mistakes.add(
                span,
                format!("a whole number below 2^{bits}"),
                value.to_string(),
            );
        }
        number
    }

    /// A string that `parse` reads.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.string(key, mistakes)?
            .parsed(expected, mistakes, parse)
    }

    /// A list of strings, each of which `parse` reads.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let strings = self.strings(key, mistakes)?;
        Some(
            strings
                .into_iter()
                .filter_map(|s| s.parsed(expected, mistakes, &parse))
                .collect(),
        )
    }

    /// One of some words.
    pub(super) fn choice(
        &mut self,
        key: &'static str,
        words: &[&'static str],
        mistakes: &mut Mistakes,
    ) -> Option<&'static str> {
        let expected = format!("one of {}", words.join(", "));
        self.parsed(key, &expected, mistakes, |text| {
            words.iter().copied().find(|word| *word == text)
        })
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Duration> {
        self.parsed(key, "a time such as 500ms, 5s or 2m", mistakes, duration)
    }

    /// Whatever value stands there.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.get(key)
    }

    /// A table within this one.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Reader<'a>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Reader::new(table, value.span())),
            _ => {
                wrong_type(value, "a table", mistakes);
                None
            }
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Vec<Reader<'a>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            wrong_type(
                value,
                &format!("tables, each begun with [[{key}]]"),
                mistakes,
            );
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Reader::new(table, item.span())),
                _ => wrong_type(item, "a table", mistakes),
            }
        }
        tables
    }

    /// Keys and values, all of them known to the caller.
    pub(super) fn entries(
        &mut self,
    ) -> impl Iterator<
        Item = (
            &'a Spanned<std::borrow::Cow<'a, str>>,
            &'a Spanned<DeValue<'a>>,
        ),
    > {
        self.table.iter()
    }

    /// Every key that was never asked for is a mistake.
    pub(super) fn finish(self, mistakes: &mut Mistakes) {
        for (key, _) in self
            .table
            .iter()
            .filter(|(k, _)| !self.known.contains(&k.get_ref().as_ref()))
        {
            mistakes.add(
                key.span(),
                known(key.get_ref(), &self.known),
                format!("unknown key {:?}", key.get_ref()),
            );
        }
    }
}

impl At<String> {
    /// Reads the string, or reports what was expected.
    pub(super) fn parsed<T>(
        self,
        expected: &str,
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&self.value);
        if parsed.is_none() {
            mistakes.add(self.span, expected, format!("{:?}", self.value));
        }
        parsed
    }
}

pub(super) fn string(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<At<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(At {
            value: text.to_string(),
            span: value.span(),
        }),
        _ => {
            wrong_type(value, "a string", mistakes);
            None
        }
    }
}

pub(super) fn wrong_type(value: &Spanned<DeValue<'_>>, expected: &str, mistakes: &mut Mistakes) {
    let found = match value.get_ref() {
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        _ => mistakes.source(value.span()).to_owned(),
    };
    mistakes.add(value.span(), expected, found);
}

/// "one of …", the nearest first where one is near.
pub(super) fn known(found: &str, words: &[&str]) -> String {
    let near = words
        .iter()
        .copied()
        .filter(|word| is_near(found, word))
        .min();
    match near {
        Some(near) => format!("{near:?} perhaps, or another of {}", words.join(", ")),
        None => format!("one of {}", words.join(", ")),
    }
}

/// Whether two words differ by a slip: equal but for case, separators and order, or by one letter more, less or other.
fn is_near(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let (one, other) = (plain(one), plain(other));
    let letters = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    if letters(&one) == letters(&other) {
        return true;
    }
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let prefix = short
        .bytes()
        .zip(long.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let suffix = short
        .bytes()
        .rev()
        .zip(long.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    long.len() - short.len() <= 1 && prefix + suffix + 1 >= long.len() && long.len() > 2
}

/// A time: a number and `ms`, `s`, `m` or `h`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// Reads a decimal number as hundredths.
fn points(text: &str) -> Option<Points> {
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
    fn near_words() {
        for (found, word, near) in [
            ("sorces", "sources", true),
            ("Helo_Addresses", "helo_addresses", true),
            ("helo-addresses", "helo_addresses", true),
            ("titel", "title", true),
            ("recieve", "receiver", false),
            ("ptr-exist", "ptr-exists", true),
            ("a", "b", false),
        ] {
            assert_eq!(is_near(found, word), near, "{found} {word}");
        }
    }

    #[test]
    fn scores() {
        for (text, hundredths) in [("2", 200), ("2.5", 250), ("0.25", 25), ("-1.05", -105)] {
            assert_eq!(points(text), Some(Points(hundredths)), "{text}");
        }
        for bad in ["", "2.", ".5", "1.234", "inf", "nan", "1e3", "-", "1_0"] {
            assert_eq!(points(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for bad in ["", "5", "s", "5 s", "-1s", "99999999999999999999s", "5d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
