//! The receiver of a scenario, a domain or a listener.

use std::path::Path;

use super::reader::{At, Reader};
use super::receiver;
use super::report::Mistakes;
use super::shipped::{is_path, names};
use super::words::unknown;

/// The receiver under the key `receiver`: the name of a built-in one, or a path relative to the file.
pub(super) fn named_receiver(
    table: &mut Reader<'_>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let At { value, span } = table.string("receiver", mistakes)?;
    if !is_path(&value) {
        let names = names("receivers");
        let (name, era) = match value.split_once('@') {
            Some((name, era)) => (name, Some(era)),
            None => (value.as_str(), None),
        };
        if !names.iter().any(|known| known == name) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let unknown = unknown("receiver", &value, &names);
            let expected = format!("{}, or a path with / or .toml", unknown.expected);
            mistakes.add(span, expected, unknown.found);
        } else if era.is_some() && receiver::built_in(&value).is_none() {
            let expected =
                format!("{name}, or {name}@ERA with an era of `martinet show receiver {name}`");
            mistakes.add(span, expected, format!("{value:?}"));
        }
        return Some(value);
    }
    // Text from an HTTP request has no directory, and must not reveal which files the server has.
    let Some(folder) = folder else {
        let expected = "the name of a built-in receiver: this scenario reads no files";
        mistakes.add(span, expected, format!("the path {value:?}"));
        return None;
    };
    let path = folder.join(&value);
    if let Err(cause) = std::fs::File::open(&path) {
        let found = format!("{}: {cause}", path.display());
        mistakes.add(span, "a receiver file that can be read", found);
    }
    Some(path.display().to_string())
}
