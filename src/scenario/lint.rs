//! Checks files for mistakes, and for content that is probably a mistake.

use std::path::PathBuf;

use super::builtin::{Examined, examine_files, examine_text};
use super::report::merge;
use super::warnings;
use crate::error::{Error, Mistake};

/// Files without mistakes, and the warnings about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linted {
    /// The number of files.
    pub files: usize,
    /// The warnings: content that is valid, but probably a mistake.
    pub warnings: Vec<Mistake>,
    report: String,
}

impl Linted {
    /// The warnings with their source lines, as text.
    pub fn report(&self) -> &str {
        &self.report
    }
}

/// Checks scenario and receiver files, and directories of them. `strict` makes each warning a mistake.
///
/// # Errors
/// All mistakes of all files, a file that cannot be read, or a directory without TOML files.
pub fn lint(paths: &[PathBuf], strict: bool) -> Result<Linted, Error> {
    let examined = examine_files(paths)?;
    let files = examined.len();
    let (mut errors, mut warnings, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for Examined {
        mut mistakes,
        content,
    } in examined
    {
        if let Some(content) = &content {
            warnings::of(content, &mut mistakes);
        }
        if strict {
            mistakes.be_strict();
        }
        if mistakes.count() > 0 {
            errors.push(mistakes.into_error());
            continue;
        }
        let (found, report) = mistakes.into_warnings();
        if !found.is_empty() {
            warnings.extend(found);
            reports.push(report);
        }
    }
    if !errors.is_empty() {
        return Err(merge(errors));
    }
    Ok(Linted {
        files,
        warnings,
        report: reports.join("\n\n"),
    })
}

/// Checks the text of a scenario or receiver file. It reads no other files.
///
/// # Errors
/// All mistakes.
pub(crate) fn lint_text(text: &str) -> Result<Linted, Error> {
    let Examined {
        mut mistakes,
        content,
    } = examine_text(text);
    if let Some(content) = &content {
        warnings::of(content, &mut mistakes);
    }
    if mistakes.count() > 0 {
        return Err(mistakes.into_error());
    }
    let (warnings, report) = mistakes.into_warnings();
    Ok(Linted {
        files: 1,
        warnings,
        report,
    })
}
