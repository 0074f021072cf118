//! The parameters of checks: declared once, validated when a file is read, and shown by `show check`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use regex_lite::{Regex, RegexBuilder};

use super::Check;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// true or false.
    Flag,
    /// A whole number.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of words or names.
    Words,
    /// A list of block lists, at least one.
    Zones,
    /// A list of regular expressions.
    Patterns,
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// A list of addresses and networks.
    Networks,
    /// A time such as "6s" or "5m".
    Duration,
    /// A decimal number.
    Points,
    /// Tables with a check, its parameters and its `score`.
    Weights,
}

impl Kind {
    /// The type in words.
    pub fn words(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Count => "a whole number".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Words | Self::Zones => "a list of strings".to_owned(),
            Self::Patterns => "a list of regular expressions".to_owned(),
            Self::Choices(words) => format!("a list of {}", words.join(", ")),
            Self::Networks => "a list of addresses and networks".to_owned(),
            Self::Duration => "a time such as 500ms, 5s, 2m or 1h".to_owned(),
            Self::Points => "a number such as 2.5, with at most two decimal places".to_owned(),
            Self::Weights => "tables".to_owned(),
        }
    }
}

/// Maximum memory of one compiled regular expression.
const PATTERN_OCTETS: usize = 1 << 18;

/// A case-insensitive regular expression over ASCII. Copies share the compiled form.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern; `None` if it is invalid, or needs too much memory.
    pub(crate) fn new(text: &str) -> Option<Self> {
        RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(PATTERN_OCTETS)
            .build()
            .ok()
            .map(Self)
    }

    /// Whether the pattern matches a part of a name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// The text that was compiled.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// One parameter of a check.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The key in files.
    pub name: &'static str,
    /// The type of the value.
    pub kind: Kind,
    /// The default, as written in a file.
    pub default: &'static str,
    /// The effect, in one sentence.
    pub doc: &'static str,
}

impl Parameter {
    /// An example value as written in a file, different from the default if possible.
    pub fn example(&self) -> String {
        let default = self.default.trim_matches('"');
        match self.kind {
            Kind::Flag => (default != "true").to_string(),
            Kind::Count => default
                .parse()
                .map_or(3, |count: u64| count + 1)
                .to_string(),
            Kind::Choice(words) => {
                let other = words.iter().rev().find(|word| **word != default);
                format!("{:?}", other.unwrap_or(&default))
            }
            Kind::Words | Kind::Zones => "[\"list.example.test\"]".to_owned(),
            Kind::Patterns => "[\"^dyn-[0-9]\"]".to_owned(),
            Kind::Choices(words) => format!("{:?}", &words[..words.len().min(2)]),
            Kind::Networks => "[\"127.0.0.2\"]".to_owned(),
            Kind::Duration => "\"30s\"".to_owned(),
            Kind::Points => "7.5".to_owned(),
            Kind::Weights => "[{ check = \"helo-fqdn\", score = 2.5 }]".to_owned(),
        }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Count`].
    Count(u64),
    /// Of [`Kind::Choice`].
    Choice(&'static str),
    /// Of [`Kind::Words`] and [`Kind::Zones`].
    Words(Vec<String>),
    /// Of [`Kind::Patterns`].
    Patterns(Vec<Pattern>),
    /// Of [`Kind::Choices`].
    Choices(Vec<&'static str>),
    /// Of [`Kind::Networks`].
    Networks(Vec<IpNet>),
    /// Of [`Kind::Duration`].
    Duration(Duration),
    /// Of [`Kind::Points`].
    Points(Points),
    /// Of [`Kind::Weights`].
    Weights(Vec<Weight>),
}

/// A score in hundredths, so that sums are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Points(pub i64);

impl std::ops::Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{sign}{whole}.0"),
            (_, 0) => write!(f, "{sign}{whole}.{}", rest / 10),
            _ => write!(f, "{sign}{whole}.{rest:02}"),
        }
    }
}

/// A check with the points that its violation adds to a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// The receiver's name of the part, for example `HFILTER_HELO_BAREIP`.
    pub(crate) symbol: String,
    /// The check.
    pub(crate) check: &'static Check,
    /// Its parameters.
    pub(crate) settings: Settings,
    /// The points that a violation adds.
    pub(crate) score: Points,
    /// The symbols that cancel the points if one of them is found.
    pub(crate) unless: Vec<String>,
    /// The group of which only the first symbol counts.
    pub(crate) group: Option<String>,
    /// Whether a temporary DNS failure counts as a violation.
    pub(crate) temp_as_fail: bool,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, words: Vec<String>| {
            write!(
                f,
                "[{}]",
                words
                    .iter()
                    .map(|word| format!("{word:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        match self {
            Self::Flag(value) => value.fmt(f),
            Self::Count(value) => value.fmt(f),
            Self::Choice(word) => write!(f, "{word:?}"),
            Self::Words(words) => list(f, words.clone()),
            Self::Patterns(patterns) => {
                list(f, patterns.iter().map(|p| p.as_str().to_owned()).collect())
            }
            Self::Choices(words) => list(f, words.iter().map(ToString::to_string).collect()),
            Self::Networks(networks) => list(f, networks.iter().map(ToString::to_string).collect()),
            Self::Duration(time) if time.subsec_nanos() == 0 => {
                write!(f, "\"{}s\"", time.as_secs())
            }
            Self::Duration(time) => write!(f, "\"{}ms\"", time.as_millis()),
            Self::Points(points) => points.fmt(f),
            Self::Weights(weights) => write!(f, "{} parts", weights.len()),
        }
    }
}

/// The parameters of one rule; a parameter that is not set has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    set: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Sets a parameter. The kind of the value must be that of the parameter, which the file reader ensures.
    pub(crate) fn set(&mut self, parameter: &'static Parameter, setting: Setting) {
        self.set.insert(parameter.name, setting);
    }

    /// A flag, or `default`.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.set.get(name) {
            Some(Setting::Flag(value)) => *value,
            _ => default,
        }
    }

    /// A number, or `default`.
    pub fn count(&self, name: &str, default: u64) -> u64 {
        match self.set.get(name) {
            Some(Setting::Count(value)) => *value,
            _ => default,
        }
    }

    /// A word of a choice, or `default`.
    pub fn choice(&self, name: &str, default: &'static str) -> &'static str {
        match self.set.get(name) {
            Some(Setting::Choice(value)) => value,
            _ => default,
        }
    }

    /// A list of words, or `default`.
    pub fn words(&self, name: &str, default: &[&str]) -> Vec<String> {
        match self.set.get(name) {
            Some(Setting::Words(value)) => value.clone(),
            _ => default.iter().map(|w| (*w).to_owned()).collect(),
        }
    }

    /// The words of a list of choices; empty if not set.
    pub fn choices(&self, name: &str) -> Vec<&'static str> {
        match self.set.get(name) {
            Some(Setting::Choices(value)) => value.clone(),
            _ => Vec::new(),
        }
    }

    /// A time, or `default`.
    pub(crate) fn duration(&self, name: &str, default: Duration) -> Duration {
        match self.set.get(name) {
            Some(Setting::Duration(value)) => *value,
            _ => default,
        }
    }

    /// A score, or `default`.
    pub(crate) fn points(&self, name: &str, default: Points) -> Points {
        match self.set.get(name) {
            Some(Setting::Points(value)) => *value,
            _ => default,
        }
    }

    /// The weighted checks of a score.
    pub(crate) fn weights(&self) -> &[Weight] {
        self.set
            .values()
            .find_map(|setting| match setting {
                Setting::Weights(weights) => Some(weights.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The parameters that were set, as written in a file; the parts of a score are left out.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let settings = self
            .set
            .iter()
            .filter(|(_, setting)| !matches!(setting, Setting::Weights(_)));
        settings.map(|(name, setting)| format!("{name} = {setting}"))
    }

    /// Whether a parameter was set.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The regular expressions of a list; empty if not set.
    pub(crate) fn patterns(&self, name: &str) -> Vec<Pattern> {
        match self.set.get(name) {
            Some(Setting::Patterns(value)) => value.clone(),
            _ => Vec::new(),
        }
    }

    /// A list of networks; empty if not set.
    pub fn networks(&self, name: &str) -> Vec<IpNet> {
        match self.set.get(name) {
            Some(Setting::Networks(value)) => value.clone(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::checks;

    #[test]
    fn an_example_of_a_choice_is_another_word_than_the_default() {
        let parameters = checks::CATALOGUE.iter().flat_map(|check| check.parameters);
        let choices = parameters.filter(|p| matches!(p.kind, Kind::Choice(_) | Kind::Flag));
        for parameter in choices {
            let default = parameter.default.trim_matches('"');
            let example = parameter.example();
            assert_ne!(example.trim_matches('"'), default, "{}", parameter.name);
        }
    }
}
