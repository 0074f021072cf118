//! The scenarios and receivers that are built in, and files of the user's.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use toml::de::DeTable;

use super::parse::scenario_name;
use super::reader::{Reader, known};
use super::report::{Mistakes, merge};
use super::{ReceiverProfile, Scenario, parse, receiver};
use crate::error::Error;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// The scenario of a name or path.
///
/// # Errors
/// No such scenario, a file that cannot be read, or every mistake in it.
pub fn load_scenario(name: &str) -> Result<Scenario, Error> {
    let (file, text) = open(name, "", "scenario")?;
    read_scenario(&file, &text)
}

/// The receiver of a name or path.
///
/// # Errors
/// No such receiver, a file that cannot be read, or every mistake in it.
pub fn load_receiver(name: &str) -> Result<ReceiverProfile, Error> {
    let (file, text) = open(name, "receivers/", "receiver")?;
    read_receiver(&file, &text)
}

/// Reads a scenario from text; `name` is what it is called and reported under.
///
/// # Errors
/// Every mistake in it.
pub fn parse_scenario(name: &str, text: &str) -> Result<Scenario, Error> {
    read_scenario(Path::new(name), text)
}

/// Reads a receiver from text; `name` is what it is called and reported under.
///
/// # Errors
/// Every mistake in it.
pub fn parse_receiver(name: &str, text: &str) -> Result<ReceiverProfile, Error> {
    read_receiver(Path::new(name), text)
}

/// Every built-in scenario, by name.
///
/// # Errors
/// A mistake in a file.
pub fn list_scenarios() -> Result<Vec<Scenario>, Error> {
    names("").iter().map(|name| load_scenario(name)).collect()
}

/// Every built-in receiver, by name.
///
/// # Errors
/// A mistake in a file.
pub fn list_receivers() -> Result<Vec<ReceiverProfile>, Error> {
    names("receivers")
        .iter()
        .map(|name| load_receiver(name))
        .collect()
}

/// The scenarios in files and directories; receiver files among them are read for mistakes only.
///
/// # Errors
/// Every mistake of every file, or a file that cannot be read.
pub fn load_files(paths: &[PathBuf]) -> Result<Vec<Scenario>, Error> {
    read_files(paths).map(|(scenarios, _)| scenarios)
}

/// Looks for mistakes in scenario and receiver files, and directories of them; gives the number of files.
///
/// # Errors
/// Every mistake of every file, or a file that cannot be read.
pub fn lint(paths: &[PathBuf]) -> Result<usize, Error> {
    let (scenarios, receivers) = read_files(paths)?;
    Ok(scenarios.len() + receivers)
}

/// Names of the built-in files of a directory, sorted.
pub(super) fn names(directory: &str) -> Vec<String> {
    let files = if directory.is_empty() {
        Some(&FILES)
    } else {
        FILES.get_dir(directory)
    };
    let mut names: Vec<_> = files
        .into_iter()
        .flat_map(Dir::files)
        .map(|f| scenario_name(f.path()))
        .collect();
    names.sort();
    names
}

/// Whether a value is a path, and not the name of a built-in file.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".toml")
}

/// The text of a built-in file or a user's, with the name to report it under.
fn open(name: &str, directory: &str, what: &str) -> Result<(PathBuf, String), Error> {
    if is_path(name) {
        let path = PathBuf::from(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::io(format!("cannot read {name}"), e))?;
        return Ok((path, text));
    }
    let path = format!("{directory}{name}.toml");
    match FILES.get_file(&path).and_then(|f| f.contents_utf8()) {
        Some(text) => Ok((Path::new("builtin:").join(path), text.to_owned())),
        None => {
            let all = names(directory.trim_end_matches('/'));
            let all: Vec<_> = all.iter().map(String::as_str).collect();
            Err(Error::unexpected(
                format!("a {what}: {}; or a path with / or .toml", known(name, &all)),
                format!("{name:?}"),
            ))
        }
    }
}

fn read_scenario(file: &Path, text: &str) -> Result<Scenario, Error> {
    let beside = file.parent().filter(|_| !file.starts_with("builtin:"));
    read(file, text, |name, reader, mistakes| {
        parse::read(name, reader, beside, mistakes)
    })
}

fn read_receiver(file: &Path, text: &str) -> Result<ReceiverProfile, Error> {
    read(file, text, receiver::read)
}

fn read<T>(
    file: &Path,
    text: &str,
    then: impl FnOnce(&str, Reader<'_>, &mut Mistakes) -> Option<T>,
) -> Result<T, Error> {
    let mut mistakes = Mistakes::new(file.display().to_string(), text);
    let (table, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        mistakes.add(error.span().unwrap_or(0..0), "TOML", error.message());
    }
    // What broken TOML leaves is not read further: what is missing there would be reported as mistakes of its own.
    let value = if broken.is_empty() {
        then(
            &scenario_name(file),
            Reader::new(table.get_ref(), 0..0),
            &mut mistakes,
        )
    } else {
        None
    };
    mistakes.finish(value)
}

fn read_files(paths: &[PathBuf]) -> Result<(Vec<Scenario>, usize), Error> {
    let (mut scenarios, mut receivers, mut errors) = (Vec::new(), 0, Vec::new());
    let mut seen: HashMap<(bool, String), PathBuf> = HashMap::new();
    let mut titles: HashMap<String, PathBuf> = HashMap::new();
    let mut read = HashSet::new();
    for file in toml_files(paths)? {
        // A directory and one within it, given both, hold the same files.
        if !read.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|e| Error::io(format!("cannot read {}", file.display()), e))?;
        let is_receiver = is_receiver(&text);
        if let Some(first) = seen.insert((is_receiver, scenario_name(&file)), file.clone()) {
            let mut mistakes = Mistakes::new(file.display().to_string(), text.as_str());
            mistakes.add(
                0..0,
                "one scenario of each name",
                format!("{} has it too", first.display()),
            );
            errors.extend(mistakes.finish(None::<()>).err());
            continue;
        }
        if is_receiver {
            receivers += 1;
            errors.extend(read_receiver(&file, &text).err());
        } else {
            match read_scenario(&file, &text) {
                Ok(scenario) => match titles.insert(scenario.title.clone(), file.clone()) {
                    Some(first) => errors.push(same_title(&file, &text, &first)),
                    None => scenarios.push(scenario),
                },
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() {
        Ok((scenarios, receivers))
    } else {
        Err(merge(errors))
    }
}

/// The mistake of a scenario whose title another one has.
fn same_title(file: &Path, text: &str, first: &Path) -> Error {
    let mut mistakes = Mistakes::new(file.display().to_string(), text);
    let (table, _) = DeTable::parse_recoverable(text);
    let title = table
        .get_ref()
        .iter()
        .find(|(key, _)| key.get_ref() == "title");
    let span = title.map_or(0..0, |(_, value)| value.span());
    mistakes.add(
        span,
        "one scenario of each title",
        format!("{} has it too", first.display()),
    );
    mistakes.into_error()
}

/// A receiver has a key that only receivers have; everything else is a scenario.
fn is_receiver(text: &str) -> bool {
    const ONLY_RECEIVERS: [&str; 12] = [
        "rule",
        "allow",
        "iprev",
        "delay_reject",
        "confidence",
        "era",
        "group",
        "record",
        "greeting",
        "smtp",
        "dns_timeout",
        "hostname",
    ];
    let (table, _) = DeTable::parse_recoverable(text);
    table
        .get_ref()
        .keys()
        .any(|key| ONLY_RECEIVERS.contains(&key.get_ref().as_ref()))
}

/// The files named, and the TOML files of the directories named.
fn toml_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |e| Error::io(format!("cannot read {}", path.display()), e);
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let mut inside: Vec<_> = entries
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        inside.sort();
        let directories: Vec<_> = inside.iter().filter(|p| p.is_dir()).cloned().collect();
        files.extend(
            inside
                .into_iter()
                .filter(|p| p.extension().is_some_and(|e| e == "toml")),
        );
        files.extend(toml_files(&directories)?);
    }
    Ok(files)
}
