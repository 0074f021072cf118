//! The public error type: mistakes in files, failures of the machine, wrong calls.

use std::fmt;
use std::io;

/// A mistake in a scenario or receiver file: its place, what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as named by the user.
    pub file: String,
    /// The line, from 1; 0 if the mistake concerns the whole file.
    pub line: usize,
    /// The range of octets in the file to mark in a report.
    pub span: Option<std::ops::Range<usize>>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: expected {}, found {}",
            self.file, self.line, self.expected, self.found
        )
    }
}

/// The reason why martinet could not start, or could not do what was requested.
///
/// `Debug` prints the same report as `Display`: a test that returns an error with `?` shows it readably.
pub struct Error {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Mistakes {
        mistakes: Vec<Mistake>,
        report: String,
    },
    Io {
        what: String,
        source: io::Error,
    },
    /// A value was refused, with the expected value.
    Unexpected {
        expected: String,
        found: String,
    },
    Other(String),
}

impl Error {
    /// Mistakes in files; `report` is the text with source lines.
    pub(crate) fn mistakes(mistakes: Vec<Mistake>, report: String) -> Self {
        Self {
            kind: Kind::Mistakes { mistakes, report },
        }
    }

    /// The operating system refused; `what` has the address or path.
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self {
            kind: Kind::Io {
                what: what.into(),
                source,
            },
        }
    }

    /// A value was refused, with what was expected.
    pub(crate) fn unexpected(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unexpected {
                expected: expected.into(),
                found: found.into(),
            },
        }
    }

    /// Any other error, in one sentence.
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Other(text.into()),
        }
    }

    /// The mistakes in files; empty for other errors.
    pub fn mistakes_found(&self) -> &[Mistake] {
        match &self.kind {
            Kind::Mistakes { mistakes, .. } => mistakes,
            _ => &[],
        }
    }

    /// The expected and the found value, if one value was refused or a file has mistakes (then those of the first one).
    pub(crate) fn expected_and_found(&self) -> Option<(&str, &str)> {
        match &self.kind {
            Kind::Mistakes { mistakes, .. } => mistakes
                .first()
                .map(|first| (first.expected.as_str(), first.found.as_str())),
            Kind::Unexpected { expected, found } => Some((expected, found)),
            Kind::Io { .. } | Kind::Other(_) => None,
        }
    }

    /// Whether the error is a mistake in a scenario or receiver file.
    pub fn is_scenario(&self) -> bool {
        matches!(self.kind, Kind::Mistakes { .. })
    }

    /// Whether a port is in use.
    pub(crate) fn is_address_in_use(&self) -> bool {
        matches!(&self.kind, Kind::Io { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }

    /// Whether the machine does not have an address.
    pub(crate) fn is_address_missing(&self) -> bool {
        let missing = io::ErrorKind::AddrNotAvailable;
        matches!(&self.kind, Kind::Io { source, .. } if source.kind() == missing)
    }

    /// Whether the operating system refused: a port in use, no permission, no such file.
    pub fn is_environment(&self) -> bool {
        matches!(self.kind, Kind::Io { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Mistakes { report, .. } => f.write_str(report.trim_end()),
            Kind::Io { what, source } => write!(f, "{what}: {source}"),
            Kind::Unexpected { expected, found } => {
                write!(f, "expected {expected}, found {found}")
            }
            Kind::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_the_report_that_display_prints() {
        let mistake = Mistake {
            file: "a.toml".to_owned(),
            line: 3,
            span: None,
            expected: "an address".to_owned(),
            found: "\"x\"".to_owned(),
        };
        let errors = [
            Error::mistakes(vec![mistake], "error: one\n  --> a.toml:3".to_owned()),
            Error::io("cannot bind 127.0.0.1:25", io::Error::other("in use")),
            Error::unexpected("a name", "\"..\""),
            Error::other("a thread cannot be started"),
        ];
        for error in errors {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }
}
