//! Loads built-in files and files of the user.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::kind::{Evidence, Kind};
use super::reader::Reader;
use super::report::{Mistakes, merge};
use super::shipped::{self, is_path, names, stem};
use super::words::unknown;
use super::{ReceiverProfile, Scenario, parse, receiver};
use crate::error::Error;

/// Loads the scenario with this name or path.
///
/// # Errors
/// The scenario does not exist, its file cannot be read, or it has mistakes, all of which are listed.
pub fn load_scenario(name: &str) -> Result<Scenario, Error> {
    let (file, text) = open(name, "", "scenario")?;
    read_scenario(&file, &text)
}

/// Loads the receiver with this name or path.
///
/// # Errors
/// The receiver does not exist, its file cannot be read, or it has mistakes, all of which are listed.
pub fn load_receiver(name: &str) -> Result<ReceiverProfile, Error> {
    let (file, text) = open(name, "receivers/", "receiver")?;
    read_receiver(&file, &text)
}

/// Parses the text of a scenario; `name` appears in reports.
///
/// # Errors
/// All mistakes in the text.
pub fn parse_scenario(name: &str, text: &str) -> Result<Scenario, Error> {
    read_scenario(Path::new(name), text)
}

/// Parses the text of a receiver; `name` appears in reports.
///
/// # Errors
/// All mistakes in the text.
pub fn parse_receiver(name: &str, text: &str) -> Result<ReceiverProfile, Error> {
    read_receiver(Path::new(name), text)
}

/// All built-in scenarios, by name.
///
/// # Errors
/// A mistake in a file.
pub fn list_scenarios() -> Result<Vec<Scenario>, Error> {
    names("").iter().map(|name| load_scenario(name)).collect()
}

/// All built-in receivers, by name.
///
/// # Errors
/// A mistake in a file.
pub fn list_receivers() -> Result<Vec<ReceiverProfile>, Error> {
    names("receivers")
        .iter()
        .map(|name| load_receiver(name))
        .collect()
}

/// Loads the scenarios with these names, and those in these files and directories, each once. Receiver files among them
/// are only checked for mistakes.
///
/// # Errors
/// A name that no built-in scenario has, all mistakes of all files, or a file that cannot be read.
pub(crate) fn load_scenarios(named: &[String]) -> Result<Vec<Scenario>, Error> {
    let known = names("");
    let (mut built_in, mut paths) = (Vec::new(), Vec::new());
    for name in named {
        // The path of a directory can be without a slash, unless a built-in scenario has this name.
        if is_path(name) || !known.contains(name) && Path::new(name).exists() {
            paths.push(PathBuf::from(name));
        } else if !built_in.contains(&name) {
            built_in.push(name);
        }
    }
    let mut scenarios = built_in
        .into_iter()
        .map(|name| load_scenario(name))
        .collect::<Result<Vec<_>, _>>()?;
    scenarios.extend(load_files(&paths)?);
    Ok(scenarios)
}

fn load_files(paths: &[PathBuf]) -> Result<Vec<Scenario>, Error> {
    let (mut scenarios, mut errors) = (Vec::new(), Vec::new());
    for Examined { mistakes, content } in examine_files(paths)? {
        match mistakes.finish(content) {
            Ok(Content::Scenario(scenario)) => scenarios.push(*scenario),
            Ok(Content::Receiver(_)) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(scenarios)
    } else {
        Err(merge(errors))
    }
}

/// The text of a file, built-in or of the user, with its name for reports.
fn open(name: &str, directory: &str, what: &str) -> Result<(PathBuf, String), Error> {
    if is_path(name) {
        let path = PathBuf::from(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::io(format!("cannot read {name}"), e))?;
        return Ok((path, text));
    }
    // The receivers of all eras are in the same file.
    let file = match name.split_once('@') {
        Some((file, _)) if what == "receiver" => file,
        _ => name,
    };
    let path = format!("{directory}{name}.toml");
    match shipped::text(&format!("{directory}{file}.toml")) {
        Some(text) => Ok((Path::new(shipped::PREFIX).join(path), text.to_owned())),
        None => {
            let all = names(directory.trim_end_matches('/'));
            let all: Vec<_> = all.iter().map(String::as_str).collect();
            let unknown = unknown(what, name, &all);
            Err(Error::unexpected(
                format!("a {what}: {}, or a path with / or .toml", unknown.expected),
                unknown.found,
            ))
        }
    }
}

/// The content of a file.
pub(super) enum Content {
    Scenario(Box<Scenario>),
    Receiver(ReceiverProfile),
}

fn read_scenario(file: &Path, text: &str) -> Result<Scenario, Error> {
    match read(file, text, Kind::Scenario, true)? {
        Content::Scenario(scenario) => Ok(*scenario),
        Content::Receiver(_) => Err(not_a(Kind::Scenario, file)),
    }
}

fn read_receiver(file: &Path, text: &str) -> Result<ReceiverProfile, Error> {
    match read(file, text, Kind::Receiver, true)? {
        Content::Receiver(profile) => Ok(profile),
        Content::Scenario(_) => Err(not_a(Kind::Receiver, file)),
    }
}

fn not_a(kind: Kind, file: &Path) -> Error {
    Error::unexpected(
        format!("a {} file", kind.word()),
        file.display().to_string(),
    )
}

/// A parsed file with its mistakes.
pub(super) struct Examined {
    pub(super) mistakes: Mistakes,
    pub(super) content: Option<Content>,
}

fn read(file: &Path, text: &str, usual: Kind, only: bool) -> Result<Content, Error> {
    let Examined { mistakes, content } = examine(file, text, usual, only);
    mistakes.finish(content)
}

/// Reads a file as the kind that its keys show, and as `usual` if they do not show one. With `only`, another kind of
/// file is a mistake.
fn examine(file: &Path, text: &str, usual: Kind, only: bool) -> Examined {
    let mut mistakes = Mistakes::new(file.display().to_string(), text);
    let (table, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        mistakes.add(error.span().unwrap_or(0..0), "TOML", error.message());
    }
    // A file with TOML syntax errors is not read further: keys that are missing for that reason are not mistakes of
    // their own.
    if !broken.is_empty() {
        return Examined {
            mistakes,
            content: None,
        };
    }
    let table = table.get_ref();
    let evidence = Evidence::of(table);
    let kind = evidence.kind(usual);
    if only && kind != usual {
        let expected = format!("a {} file", usual.word());
        let found = format!("a {} file: {}", kind.word(), evidence.reason(kind));
        mistakes.add(0..0, expected, found);
        return Examined {
            mistakes,
            content: None,
        };
    }
    let stray = |key: &str| evidence.stray(key, kind);
    let reader = Reader::with_strays(table, 0..0, kind.section(), stray, &mut mistakes);
    let folder = file.parent().filter(|_| !file.starts_with(shipped::PREFIX));
    let content = match kind {
        Kind::Scenario => parse::read(&stem(file), reader, folder, &mut mistakes)
            .map(|scenario| Content::Scenario(Box::new(scenario))),
        Kind::Receiver => receiver::read(&stem(file), reader, &mut mistakes).map(Content::Receiver),
    };
    Examined { mistakes, content }
}

/// Reads text without a file as the kind that its keys show.
pub(super) fn examine_text(text: &str) -> Examined {
    let path = Path::new(shipped::PREFIX).join("text");
    examine(&path, text, Kind::Scenario, false)
}

/// Reads all files, and compares their names and titles.
///
/// # Errors
/// A file that cannot be read, or a directory without TOML files.
pub(super) fn examine_files(paths: &[PathBuf]) -> Result<Vec<Examined>, Error> {
    let mut files = Vec::new();
    let mut seen: HashMap<(Kind, String), PathBuf> = HashMap::new();
    let mut titles: HashMap<String, PathBuf> = HashMap::new();
    let mut examined = HashSet::new();
    for file in toml_files(paths)? {
        // Overlapping directories contain the same files.
        if !examined.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|e| Error::io(format!("cannot read {}", file.display()), e))?;
        let kind = kind_of(&text);
        let mut examined = examine(&file, &text, Kind::Scenario, false);
        if let Some(first) = seen.insert((kind, stem(&file)), file.clone()) {
            let expected = format!("a file name that no other {} has", kind.word());
            let found = format!("the file name of {}", first.display());
            examined.mistakes.add(0..0, expected, found);
        } else if let Some(Content::Scenario(scenario)) = &examined.content
            && let Some(first) = titles.insert(scenario.title.clone(), file.clone())
        {
            let found = format!("the title of {}", first.display());
            let span = title_span(&text);
            let expected = "a title that no other scenario has";
            examined.mistakes.add(span, expected, found);
        }
        files.push(examined);
    }
    Ok(files)
}

fn kind_of(text: &str) -> Kind {
    let (table, _) = DeTable::parse_recoverable(text);
    Evidence::of(table.get_ref()).kind(Kind::Scenario)
}

/// The position of the title in a file.
fn title_span(text: &str) -> std::ops::Range<usize> {
    let (table, _) = DeTable::parse_recoverable(text);
    let title = table
        .get_ref()
        .iter()
        .find(|(key, _)| key.get_ref() == "title");
    title.map_or(0..0, |(_, value)| value.span())
}

/// The named files, and the TOML files of the named directories, each of which must have at least one.
fn toml_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        files_below(path, &mut files)?;
        if files.len() == before {
            return Err(Error::unexpected(
                format!("a file with the ending .toml in {}", path.display()),
                "none",
            ));
        }
    }
    Ok(files)
}

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |e| Error::io(format!("cannot read {}", directory.display()), e);
    let entries = std::fs::read_dir(directory).map_err(unreadable)?;
    let mut inside: Vec<_> = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    inside.sort();
    let (directories, others): (Vec<_>, Vec<_>) = inside.into_iter().partition(|p| p.is_dir());
    let toml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    files.extend(others.into_iter().filter(toml));
    directories
        .iter()
        .try_for_each(|directory| files_below(directory, files))
}
