//! The keys of scenario and receiver files: one table for each section.
//!
//! The reader accepts only the keys of these tables, takes the words of a choice from them, and reports a wrong value
//! with its expected type. `docs/files.md` and `martinet show key` print them. A new key is one row here and one call
//! of [`Reader`](super::reader::Reader) that reads it.

mod expect;
mod fault;
mod protocol;
mod receiver;
mod rule;
mod scenario;
mod script;
mod smtp;

pub(super) use expect::{EXPECT_ANSWER, EXPECT_REPLY};
pub(super) use receiver::RECEIVER;
pub(super) use rule::WEIGHT;
pub(super) use scenario::{ASSIGNMENT, MAIL_SERVER, MX, SCENARIO};

const ADDRESS: Takes = Takes::Text("an address");
const NETWORKS: Takes = Takes::List("an address or a network");
const SUFFIXES: Takes = Takes::List("a domain name");
const PATTERNS: Takes = Takes::List("a string, in which * matches any characters");
const REPLY: Takes = Takes::List("a reply line such as 550 5.7.25 No PTR record for {ip}");

/// One section of a file: the top level, or a table.
#[derive(Debug)]
pub(crate) struct Section {
    /// The header in a file: `[[pool]]`; empty for the top level.
    pub title: &'static str,
    /// The description, in one sentence.
    pub doc: &'static str,
    /// The keys, in the order of the documentation.
    pub keys: &'static [Key],
    /// The other keys that the section accepts.
    pub more: More,
}

/// Keys of a section that its table does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// None.
    Nothing,
    /// The parameters of the check that its key `check` names.
    Parameters,
    /// Any: the keys are the user's own, for example user names.
    Anything,
}

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The key as written in a file.
    pub(crate) name: &'static str,
    /// The type of its value.
    pub(crate) takes: Takes,
    /// The meaning of a missing key.
    pub(crate) absent: Absent,
    /// An example value as written in a file.
    pub(crate) example: &'static str,
    /// The effect, in one sentence.
    pub(crate) doc: &'static str,
    /// The RFC section or the program that the key follows; empty for martinet's own keys.
    pub(crate) follows: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// A string with this content, for example `an address`.
    Text(&'static str),
    /// A string with this content, or a list of such strings.
    List(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of the words that another module defines.
    Word(fn() -> Vec<&'static str>),
    /// A list of the words that another module defines.
    Words(fn() -> Vec<&'static str>),
    /// `true` or `false`.
    Flag,
    /// A whole number of at least 0.
    Number,
    /// A decimal number with at most two places.
    Points,
    /// A string such as `500ms`, `5s`, `2m` or `1h`.
    Duration,
    /// A table.
    Table(&'static Section),
    /// Any number of tables, each with a header `[[…]]`.
    Tables(&'static Section),
    /// One of several types, as described.
    Either(&'static str),
}

/// The meaning of a missing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The key is required.
    Required,
    /// This value, as written in a file.
    Value(&'static str),
    /// This description.
    Means(&'static str),
}

impl Section {
    /// The key with this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Takes {
    /// The type in words, for documentation and reports of mistakes.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text(content) | Self::Either(content) => (*content).to_owned(),
            Self::List(content) => format!("{content}, or a list of them"),
            Self::Choice(words) => one_of(words),
            Self::Word(words) => one_of(&words()),
            Self::Words(words) => format!("a list of words from {}", words().join(", ")),
            Self::Flag => "true or false".to_owned(),
            Self::Number => "a whole number".to_owned(),
            Self::Points => "a number such as 2.5, with at most two decimal places".to_owned(),
            Self::Duration => "a time such as 500ms, 5s, 2m or 1h".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Tables(_) => "tables".to_owned(),
        }
    }
}

/// `one of a, b, c`.
pub(super) fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

/// A key that is optional and has no default; the methods below change that.
const fn key(name: &'static str, takes: Takes, example: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        takes,
        absent: Absent::Means("none"),
        example,
        doc,
        follows: "",
    }
}

impl Key {
    const fn required(mut self) -> Self {
        self.absent = Absent::Required;
        self
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.absent = Absent::Value(value);
        self
    }

    const fn absent(mut self, words: &'static str) -> Self {
        self.absent = Absent::Means(words);
        self
    }

    const fn follows(mut self, source: &'static str) -> Self {
        self.follows = source;
        self
    }
}
