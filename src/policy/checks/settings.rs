//! The parameters of checks: declared once, checked when a file is read, shown by `show check`.

use std::collections::BTreeMap;

use ipnet::IpNet;

/// What values a parameter takes.
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
    /// A list of addresses and networks.
    Networks,
}

/// One parameter of a check.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its key in files.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when not set, as written in a file.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Count`].
    Count(u64),
    /// Of [`Kind::Choice`].
    Choice(&'static str),
    /// Of [`Kind::Words`].
    Words(Vec<String>),
    /// Of [`Kind::Networks`].
    Networks(Vec<IpNet>),
}

/// The parameters set for one rule; what is not set has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    set: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Sets a parameter. The value's kind must be the parameter's; the file reader sees to that.
    pub fn set(&mut self, parameter: &'static Parameter, setting: Setting) {
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

    /// A list of networks, empty where not set.
    pub fn networks(&self, name: &str) -> Vec<IpNet> {
        match self.set.get(name) {
            Some(Setting::Networks(value)) => value.clone(),
            _ => Vec::new(),
        }
    }
}
