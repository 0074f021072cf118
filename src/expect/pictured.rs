//! The pictures of failing tests.
//!
//! With `MARTINET_PICTURES=1`, they are written to `martinet/` in the target directory of cargo. Any other value is the
//! directory to write to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::expectation::{Ledger, UnmetExpectations};
use crate::picture::{Case, Picture};
use crate::smtp::SessionRecord;

/// The environment variable.
const VARIABLE: &str = "MARTINET_PICTURES";

/// The story of a session, for a failing test. If pictures are enabled, its last line is the path of one.
pub(super) fn story(record: &SessionRecord) -> String {
    record.story() + &picture(record)
}

impl Ledger {
    /// The report of expectations that are not met, for a failing test. If pictures are enabled, it has the path of one
    /// for each near miss and for each session beyond the expected number.
    pub(crate) fn failure(&self, unmet: &UnmetExpectations) -> String {
        let mut report = unmet.to_string();
        let of_sessions = unmet
            .outcomes
            .iter()
            .filter(|outcome| !outcome.met && self.is_of_sessions(outcome.id));
        for outcome in of_sessions {
            let violation = outcome.violation.as_ref().map(|violation| violation.id);
            let near = outcome.near_misses.first().map(|near| near.id);
            let entry = violation
                .or(near)
                .and_then(|id| self.sources().sessions.log().entry(id));
            if let Some(entry) = entry {
                let line = entry.explain(picture);
                if !line.is_empty() {
                    report = format!("{}\n{line}", report.trim_end());
                }
            }
        }
        report
    }
}

/// Draws a session and returns a line with the path; empty if pictures are not enabled.
fn picture(record: &SessionRecord) -> String {
    let Some(folder) = std::env::var_os(VARIABLE).and_then(folder) else {
        return String::new();
    };
    let path = folder.join(format!("{}-session-{}.svg", test(), record.id));
    let svg = Picture::of(&Case::of_session(record, Vec::new())).svg();
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, svg));
    match written {
        Ok(()) => format!("  picture  {}\n", path.display()),
        // This error must not hide the reason why the test fails.
        Err(error) => format!("  picture  cannot write {}: {error}\n", path.display()),
    }
}

/// The directory for pictures; `None` for an empty value.
fn folder(value: OsString) -> Option<PathBuf> {
    match value.to_str() {
        Some("") => None,
        Some("1") => Some(target().join("martinet")),
        _ => Some(PathBuf::from(value)),
    }
}

/// The target directory of cargo: the program of a test is in `target/PROFILE/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|place| place.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target.map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}

/// The name of the running test: the program without its hash, and the name of the thread.
fn test() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let program = program.unwrap_or_default();
    let program = program
        .rsplit_once('-')
        .map_or(program.as_str(), |(name, _)| name);
    let thread = std::thread::current();
    let name = match thread.name() {
        Some(name) if name != "main" => format!("{program}-{name}"),
        _ => program.to_owned(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.replace("::", "-").replace(|c| !is_plain(c), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_below_the_target_directory_or_that_of_the_variable() {
        assert_eq!(folder(OsString::new()), None);
        assert_eq!(folder("drawn".into()), Some(PathBuf::from("drawn")));
        let target = folder("1".into()).expect("a folder");
        assert!(target.ends_with("martinet"), "{}", target.display());
        let program = std::env::current_exe().expect("a program");
        let parent = target.parent().expect("the target directory");
        assert!(program.starts_with(parent), "{}", target.display());
    }

    #[test]
    fn a_picture_has_the_name_of_its_test() {
        assert_eq!(
            test(),
            "martinet-expect-pictured-tests-a_picture_has_the_name_of_its_test"
        );
    }
}
