//! Reads TOML tables key by key. The tables of [`keys`](super::keys) declare the keys and their types: any other key is
//! a mistake, and all mistakes are reported.

mod typed;

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use typed::{is_header, points, strings, text, word};
pub(super) use typed::{string, wrong_type};

use super::keys::{More, Section, Takes, one_of};
use super::report::Mistakes;
use super::words::{Unknown, unknown};
use crate::policy::check::Points;
use crate::policy::checks::{self, CATALOGUE};
use crate::time::duration;

/// A table being read.
pub(super) struct Reader<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    section: &'static Section,
    read_keys: Vec<&'static str>,
    /// Missing keys that the file has in misspelt form.
    misspelt: Vec<String>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'a> Reader<'a> {
    /// Begins to read a table, and reports keys that its section does not have.
    pub(super) fn new(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        section: &'static Section,
        mistakes: &mut Mistakes,
    ) -> Self {
        Self::with_strays(table, span, section, |_| None, mistakes)
    }

    /// The same; `stray` can explain where an unknown key belongs.
    pub(super) fn with_strays(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        section: &'static Section,
        stray: impl Fn(&str) -> Option<String>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut reader = Self {
            table,
            span,
            section,
            read_keys: Vec::new(),
            misspelt: Vec::new(),
        };
        if section.more == More::Anything {
            return reader;
        }
        let known = reader.known();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let Unknown {
                meant,
                expected,
                found,
            } = unknown("key", name, &known);
            let found = match (&meant, stray(name)) {
                (None, Some(explanation)) => explanation,
                _ => found,
            };
            mistakes.add(key.span(), expected, found);
            reader
                .misspelt
                .extend(meant.filter(|meant| !reader.has(meant)));
        }
        reader
    }

    /// The keys of the section; with an unknown check, the parameters of all checks too.
    fn known(&self) -> Vec<&'static str> {
        let mut known: Vec<_> = self.section.keys.iter().map(|key| key.name).collect();
        if self.section.more == More::Parameters {
            let check = self.find("check").and_then(|v| v.get_ref().as_str());
            let check = check.and_then(checks::find);
            let parameters = CATALOGUE
                .iter()
                .filter(|candidate| check.is_none_or(|check| check == **candidate))
                .flat_map(|check| check.parameters.iter().map(|p| p.name));
            known.extend(parameters);
        }
        known
    }

    /// The position of the table.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the table belongs to this section.
    pub(super) fn is(&self, section: &'static Section) -> bool {
        std::ptr::eq(self.section, section)
    }

    /// Whether a key is present, even if misspelt.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some() || self.misspelt.iter().any(|meant| meant == key)
    }

    fn find(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let found = self.table.iter().find(|(k, _)| k.get_ref() == key);
        found.map(|(_, value)| value)
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.read_keys.push(key);
        self.find(key)
    }

    /// The type of a key, as its section declares it.
    fn takes(&self, key: &'static str) -> Takes {
        let declared = self.section.key(key);
        debug_assert!(
            declared.is_some(),
            "{} declares no key {key}",
            self.section.title
        );
        declared.map_or(Takes::Either("a value"), |key| key.takes)
    }

    pub(super) fn string(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<At<String>> {
        let expected = self.takes(key).words();
        text(self.get(key)?, &expected, mistakes)
    }

    pub(super) fn required(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<At<String>> {
        self.require(key, mistakes);
        self.string(key, mistakes)
    }

    /// Reports a missing key.
    pub(super) fn require(&self, key: &'static str, mistakes: &mut Mistakes) {
        if !self.has(key) {
            mistakes.add(self.span(), format!("the key {key:?}"), "none");
        }
    }

    /// A string, or a list of strings.
    pub(super) fn strings(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Vec<At<String>>> {
        let (expected, item) = (self.takes(key).words(), self.item(key));
        strings(self.get(key)?, &expected, &item, mistakes)
    }

    /// The type of one item of a list.
    fn item(&self, key: &'static str) -> String {
        match self.takes(key) {
            Takes::List(content) => content.to_owned(),
            Takes::Words(words) => one_of(&words()),
            other => other.words(),
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(value, &Takes::Flag.words(), mistakes);
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
            wrong_type(value, &Takes::Number.words(), mistakes);
        }
        Some(At {
            value: number?,
            span: value.span(),
        })
    }

    /// A score: a decimal number with at most two places.
    pub(super) fn points(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Points> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => "",
        };
        let points = points(text);
        if points.is_none() {
            wrong_type(value, &Takes::Points.words(), mistakes);
        }
        points
    }

    /// A number that fits into the type; a larger one is a mistake, and is never truncated or ignored.
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
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let expected = self.takes(key).words();
        self.string(key, mistakes)?
            .parsed(&expected, mistakes, parse)
    }

    /// A list of strings, each of which `parse` reads; invalid strings are reported and left out.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let item = self.item(key);
        let strings = self.strings(key, mistakes)?;
        Some(
            strings
                .into_iter()
                .filter_map(|s| s.parsed(&item, mistakes, &parse))
                .collect(),
        )
    }

    /// One of the words that the section declares.
    pub(super) fn choice(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<&'static str> {
        let words = match self.takes(key) {
            Takes::Choice(words) => words.to_vec(),
            Takes::Word(words) => words(),
            _ => Vec::new(),
        };
        word(self.get(key)?, &words, mistakes)
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Duration> {
        let expected = Takes::Duration.words();
        text(self.get(key)?, &expected, mistakes)?.parsed(&expected, mistakes, duration)
    }

    /// The value of any type.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.get(key)
    }

    /// A table within this one.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<Reader<'a>> {
        let Takes::Table(section) = self.takes(key) else {
            return None;
        };
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Reader::new(table, value.span(), section, mistakes)),
            DeValue::Array(_) if is_header(value, mistakes) => {
                let expected = format!("{}, because there is only one", section.title);
                mistakes.add(value.span(), expected, format!("[{}]", section.title));
                None
            }
            _ => {
                wrong_type(value, "a table", mistakes);
                None
            }
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Vec<Reader<'a>> {
        match self.takes(key) {
            Takes::Tables(section) => self.tables_by(key, |_| section, mistakes),
            _ => Vec::new(),
        }
    }

    /// The tables of `[[key]]`; the keys of each table determine its section.
    pub(super) fn tables_by(
        &mut self,
        key: &'static str,
        choose: impl Fn(&DeTable<'_>) -> &'static Section,
        mistakes: &mut Mistakes,
    ) -> Vec<Reader<'a>> {
        let Takes::Tables(Section { title, .. }) = self.takes(key) else {
            return Vec::new();
        };
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            if is_header(value, mistakes) {
                let single = title.trim_start_matches('[').trim_end_matches(']');
                let expected = format!("{title}, because there can be several");
                mistakes.add(value.span(), expected, format!("[{single}]"));
            } else {
                wrong_type(value, &format!("tables, each begun with {title}"), mistakes);
            }
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    tables.push(Reader::new(table, item.span(), choose(table), mistakes));
                }
                _ => wrong_type(item, "a table", mistakes),
            }
        }
        tables
    }

    /// Keys and values, if the caller knows all of them.
    pub(super) fn entries(
        &self,
    ) -> impl Iterator<
        Item = (
            &'a Spanned<std::borrow::Cow<'a, str>>,
            &'a Spanned<DeValue<'a>>,
        ),
    > {
        self.table.iter()
    }

    /// Ends the reading. The caller must have read every key that the section declares, so that no key is accepted and
    /// then ignored.
    pub(super) fn finish(self) {
        debug_assert!(
            self.section
                .keys
                .iter()
                .all(|key| self.read_keys.contains(&key.name)),
            "{} declares keys that nothing reads: {:?} were read",
            self.section.title,
            self.read_keys
        );
    }
}

/// Parameters of checks, which the catalogue declares instead of a section.
impl Reader<'_> {
    /// One of some words.
    pub(super) fn choice_of(
        &mut self,
        key: &'static str,
        words: &[&'static str],
        mistakes: &mut Mistakes,
    ) -> Option<&'static str> {
        word(self.get(key)?, words, mistakes)
    }

    /// A list of strings, each of which `parse` reads.
    pub(super) fn list_of<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let strings = self.strings_of(key, expected, mistakes)?;
        Some(
            strings
                .into_iter()
                .filter_map(|s| s.parsed(expected, mistakes, &parse))
                .collect(),
        )
    }

    /// A string, or a list of strings.
    pub(super) fn strings_of(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Vec<At<String>>> {
        let whole = format!("{expected}, or a list of them");
        strings(self.get(key)?, &whole, expected, mistakes)
    }

    /// Tables of a section.
    pub(super) fn tables_of(
        &mut self,
        key: &'static str,
        section: &'static Section,
        mistakes: &mut Mistakes,
    ) -> Vec<Self> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            let expected = format!("tables, each begun with {}", section.title);
            wrong_type(value, &expected, mistakes);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    tables.push(Reader::new(table, item.span(), section, mistakes));
                }
                _ => wrong_type(item, "a table", mistakes),
            }
        }
        tables
    }
}

impl At<String> {
    /// Parses the string, or reports what was expected.
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
