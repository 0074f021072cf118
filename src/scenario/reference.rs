//! The reference of all keys of files, generated from the tables of the reader.

use std::fmt::Write;

use super::keys::{ASSIGNMENT, EXPECT_ANSWER, MAIL_SERVER};
use super::keys::{Absent, Key, More, RECEIVER, SCENARIO, Section, Takes, WEIGHT};
use super::words::unknown;
use crate::policy::check::{Check, Parameter};
use crate::policy::checks::CATALOGUE;

/// One key in the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyReference {
    /// The key.
    pub(crate) name: String,
    /// The section of the key, for example `[[pool]] in scenario files`.
    pub(crate) place: String,
    /// The type of its value.
    pub(crate) takes: String,
    /// The meaning of a missing key.
    pub(crate) absent: String,
    /// An example line of a file.
    pub(crate) example: String,
    /// The effect.
    pub(crate) doc: String,
    /// The RFC section or program that the key follows; empty for martinet's own keys.
    pub(crate) follows: String,
}

/// All keys with this name: a key, `section.key` such as `smtp.size`, or a parameter of a check.
///
/// # Errors
/// The name is unknown: the known names, and the nearest one.
pub(crate) fn key_reference(name: &str) -> Result<Vec<KeyReference>, String> {
    let mut found = Vec::new();
    let mut names = Vec::new();
    for (file, sections) in files() {
        for section in sections {
            let place = match section.title {
                "" => format!("the top level of {file} files"),
                title => format!("{title} in {file} files"),
            };
            for key in section.keys {
                names.push(key.name);
                if key.name == name || format!("{}.{}", bare(section), key.name) == name {
                    found.push(of_key(key, &place));
                }
            }
        }
    }
    for check in CATALOGUE {
        for parameter in check.parameters {
            names.push(parameter.name);
            if parameter.name == name || format!("{}.{}", check.name, parameter.name) == name {
                found.push(of_parameter(parameter, check));
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    if found.is_empty() {
        let last = name.rsplit('.').next().unwrap_or_default();
        let unknown = unknown("key", last, &names);
        return Err(format!(
            "expected {}, found {}",
            unknown.expected, unknown.found
        ));
    }
    Ok(found)
}

/// The reference of all keys, as Markdown: `docs/files.md`.
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    for (file, sections) in files() {
        let _ = write!(out, "\n## {} files\n", capitalised(file));
        for section in sections {
            section_text(&mut out, section);
        }
        if file == "receiver" {
            parameters_text(&mut out);
        }
    }
    out
}

const HEAD: &str = "<!-- Written by `MARTINET_BLESS=1 cargo nextest run files_reference` from src/scenario/keys/. Do not edit. -->

# Keys of scenario and receiver files

A scenario file describes the sending side and its DNS, a receiver file describes the mail server that the sender
meets. Both are TOML. `martinet lint` reports every mistake in them with its line, `martinet show key NAME` prints one
key of this page. A key that this page does not have is a mistake.

A file is read as what most of its keys belong to; the key `kind` overrules that. *Required* keys have no default.
";

fn files() -> [(&'static str, Vec<&'static Section>); 2] {
    let mut scenario = sections(&SCENARIO);
    // No key leads to sections that are selected by a type or by the keys of a table.
    let after =
        |all: &[&Section], title: &str| 1 + all.iter().position(|s| s.title == title).unwrap_or(0);
    let at = after(&scenario, "[[domain]]");
    scenario.insert(at, &MAIL_SERVER);
    let at = after(&scenario, "[client]");
    scenario.splice(at..at, sections(&ASSIGNMENT));
    let at = after(&scenario, "[[expect]]");
    scenario.insert(at, &EXPECT_ANSWER);
    let mut receiver = sections(&RECEIVER);
    let at = after(&receiver, "[[rule]]");
    receiver.insert(at, &WEIGHT);
    [("scenario", scenario), ("receiver", receiver)]
}

/// A section and its subsections.
fn sections(section: &'static Section) -> Vec<&'static Section> {
    let inner = section.keys.iter().flat_map(|key| match key.takes {
        Takes::Table(inner) | Takes::Tables(inner) => sections(inner),
        _ => Vec::new(),
    });
    std::iter::once(section).chain(inner).collect()
}

/// The name of a section without brackets.
fn bare(section: &Section) -> &'static str {
    section.title.trim_start_matches('[').trim_end_matches(']')
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{}{rest}", first.to_ascii_uppercase())
}

fn section_text(out: &mut String, section: &Section) {
    match section.title {
        "" => {
            let _ = write!(out, "\n{}\n", section.doc);
        }
        title => {
            let _ = write!(out, "\n### `{title}`\n\n{}\n", section.doc);
        }
    }
    if !section.keys.is_empty() {
        table_head(out);
    }
    for key in section.keys {
        table_row(out, &of_key(key, ""));
    }
    if section.more == More::Parameters {
        out.push_str("\nThe parameters of the check are further keys: see [Parameters of checks](#parameters-of-checks).\n");
    }
}

fn parameters_text(out: &mut String) {
    out.push_str("\n### Parameters of checks\n\nKeys of a `[[rule]]` or `[[rule.weights]]` with that check.\n");
    for check in CATALOGUE
        .iter()
        .filter(|check| !check.parameters.is_empty())
    {
        let _ = write!(
            out,
            "\n#### `{}`\n\nDemands that {}. Follows {}.\n",
            check.name, check.checks, check.basis
        );
        table_head(out);
        for parameter in check.parameters {
            table_row(
                out,
                &KeyReference {
                    follows: String::new(),
                    ..of_parameter(parameter, check)
                },
            );
        }
    }
}

fn table_head(out: &mut String) {
    out.push_str("\n| key | type | default | description | example | follows |\n| --- | --- | --- | --- | --- | --- |\n");
}

fn table_row(out: &mut String, key: &KeyReference) {
    let KeyReference {
        name,
        takes,
        absent,
        example,
        doc,
        follows,
        ..
    } = key;
    let cells = [
        &format!("`{name}`"),
        takes,
        absent,
        doc,
        &format!("`{example}`"),
        follows,
    ];
    let _ = writeln!(
        out,
        "| {} |",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    );
}

fn of_key(key: &Key, place: &str) -> KeyReference {
    KeyReference {
        name: key.name.to_owned(),
        place: place.to_owned(),
        takes: key.takes.words(),
        absent: match key.absent {
            Absent::Required => "*required*".to_owned(),
            Absent::Value(value) => format!("`{value}`"),
            Absent::Means(words) => words.to_owned(),
        },
        example: match key.takes {
            Takes::Table(inner) | Takes::Tables(inner) if key.example.is_empty() => {
                inner.title.to_owned()
            }
            _ => format!("{} = {}", key.name, key.example),
        },
        doc: key.doc.to_owned(),
        follows: key.follows.to_owned(),
    }
}

fn of_parameter(parameter: &Parameter, check: &Check) -> KeyReference {
    KeyReference {
        name: parameter.name.to_owned(),
        place: format!("[[rule]] with check = {:?} in receiver files", check.name),
        takes: parameter.kind.words(),
        absent: parameter.default.to_owned(),
        example: format!("{} = {}", parameter.name, parameter.example()),
        doc: parameter.doc.to_owned(),
        follows: check.basis.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Absent, RECEIVER, SCENARIO, Section, Takes};
    use super::super::{parse_receiver, parse_scenario};

    /// Parses a file; returns its content or its mistakes.
    fn read(file: &Section, text: &str) -> Result<String, String> {
        let show = |error: crate::error::Error| error.to_string();
        if std::ptr::eq(file, &SCENARIO) {
            // The text is left out, because it has the key that is compared.
            parse_scenario("t.toml", text)
                .map(|s| {
                    format!(
                        "{:?}",
                        super::super::Scenario {
                            text: "".into(),
                            ..s
                        }
                    )
                })
                .map_err(show)
        } else {
            parse_receiver("t.toml", text)
                .map(|r| {
                    let text = "".into();
                    format!("{:?}", super::super::ReceiverProfile { text, ..r })
                })
                .map_err(show)
        }
    }

    /// Reads a section with only its required keys, and again with each key that has a default set to that default.
    fn compare(file: &Section, section: &Section, checked: &mut usize) {
        let mut base = format!(
            "kind = {:?}\n",
            if std::ptr::eq(file, &SCENARIO) {
                "scenario"
            } else {
                "receiver"
            }
        );
        if !section.title.is_empty() {
            base = format!("{base}title = \"t\"\n{}\n", section.title);
        }
        for key in section
            .keys
            .iter()
            .filter(|key| key.absent == Absent::Required)
        {
            base = format!("{base}{} = {}\n", key.name, key.example);
        }
        let Ok(plain) = read(file, &base) else {
            return; // the section needs more than its required keys, such as one of two
        };
        for key in section.keys {
            if let Absent::Value(value) = key.absent {
                let text = format!("{base}{} = {value}\n", key.name);
                assert!(
                    read(file, &text).as_ref() == Ok(&plain),
                    "not the default:\n{text}"
                );
                *checked += 1;
            }
        }
    }

    #[test]
    fn documented_defaults_are_those_of_the_reader() {
        let mut checked = 0;
        for file in [&SCENARIO, &RECEIVER] {
            compare(file, file, &mut checked);
            for key in file.keys {
                // A core reply in a file is sent with exactly the enhanced code of its text, even if the default is
                // sent without one.
                if let Takes::Table(section) | Takes::Tables(section) = key.takes
                    && key.name != "replies"
                {
                    compare(file, section, &mut checked);
                }
            }
        }
        assert!(checked >= 20, "only {checked} defaults were compared");
    }
}
