//! Mistakes of one file, collected and shown with their source lines.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::error::{Error, Mistake};

/// A file being read, and the mistakes found in it so far.
#[derive(Debug)]
pub(super) struct Mistakes {
    file: String,
    text: String,
    found: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: text.into(),
            found: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a mistake at a span of the file.
    pub(super) fn add(
        &mut self,
        span: Range<usize>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        let mistake = self.mistake(span, expected.into(), found.into());
        self.found.push(mistake);
    }

    /// Adds a warning at a span of the file: content that is valid, but probably a mistake.
    pub(super) fn warn(
        &mut self,
        span: Range<usize>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        let warning = self.mistake(span, expected.into(), found.into());
        self.warnings.push(warning);
    }

    fn mistake(&self, span: Range<usize>, expected: String, found: String) -> Mistake {
        Mistake {
            file: self.file.clone(),
            line: self.line_of(span.start),
            span: Some(span),
            expected,
            found,
        }
    }

    /// Adds a mistake about a whole line.
    pub(super) fn add_line(
        &mut self,
        line: usize,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let length = self.text[before..].lines().next().map_or(0, str::len);
        let indent =
            self.text[before..].len() - self.text[before..].trim_start_matches([' ', '\t']).len();
        self.add(
            before + indent.min(length)..before + length,
            expected,
            found,
        );
    }

    /// The number of mistakes so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// The line of an octet, from 1.
    pub(super) fn line_of(&self, octet: usize) -> usize {
        let upto = &self.text.as_bytes()[..octet.min(self.text.len())];
        1 + upto.iter().filter(|b| **b == b'\n').count()
    }

    /// The text of the file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The source of a span.
    pub(super) fn source(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// The value, or every mistake in one error.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(self.into_error()),
        }
    }

    /// Every mistake in one error.
    pub(super) fn into_error(mut self) -> Error {
        self.found.sort_by_key(|m| m.line);
        let report = self.report(&self.found, Level::ERROR);
        Error::mistakes(self.found, report)
    }

    /// Makes every warning a mistake.
    pub(super) fn be_strict(&mut self) {
        self.found.append(&mut self.warnings);
    }

    /// All warnings, and their report as text.
    pub(super) fn into_warnings(mut self) -> (Vec<Mistake>, String) {
        self.warnings.sort_by_key(|m| m.line);
        let report = self.report(&self.warnings, Level::WARNING);
        (self.warnings, report)
    }

    fn report(&self, mistakes: &[Mistake], level: Level<'static>) -> String {
        let reports = mistakes.iter().map(|mistake| {
            let title = format!("expected {}, found {}", mistake.expected, mistake.found);
            let span = mistake.span.clone().unwrap_or(0..0);
            let snippet = Snippet::source(self.text.as_str())
                .path(self.file.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            let group = level.clone().primary_title(title.as_str()).element(snippet);
            Renderer::plain().render(&[group])
        });
        reports.collect::<Vec<_>>().join("\n\n")
    }
}

/// Merges several errors into one with all mistakes of all files.
pub(super) fn merge(errors: Vec<Error>) -> Error {
    if let Some(at) = errors.iter().position(|e| !e.is_scenario()) {
        let mut errors = errors;
        return errors.swap_remove(at);
    }
    let report = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n\n");
    let mistakes = errors
        .iter()
        .flat_map(|e| e.mistakes_found().to_vec())
        .collect();
    Error::mistakes(mistakes, report)
}
