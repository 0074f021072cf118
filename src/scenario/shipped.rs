//! The built-in scenario and receiver files.

use std::path::Path;

use include_dir::{Dir, include_dir};

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// The prefix of built-in files in reports.
pub(super) const PREFIX: &str = "builtin:";

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
        .map(|f| stem(f.path()))
        .collect();
    names.sort();
    names
}

/// The text of a built-in file.
pub(super) fn text(path: &str) -> Option<&'static str> {
    FILES.get_file(path).and_then(|file| file.contents_utf8())
}

/// Whether a value is a path, and not the name of a built-in file.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".toml")
}

/// The name of a scenario or receiver: its file name without directory and extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
