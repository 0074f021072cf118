//! Problem details (RFC 9457): which field is wrong, what was expected, what was found.

use std::collections::HashMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Error;
use crate::expect::did_you_mean;

/// A mistake of the client, or a failure of the environment.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
pub(crate) struct Problem(Box<Details>);

/// The fields of a problem.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Details {
    /// Always `about:blank`: the title is that of the status code.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status code.
    title: String,
    /// The status code.
    status: u16,
    /// What is wrong, in one sentence.
    detail: String,
    /// The field of the body, the parameter or the header field; empty if the mistake concerns the whole request.
    field: String,
    /// What was expected there.
    expected: String,
    /// What was found.
    found: String,
    /// All mistakes in the scenario or receiver in the request.
    mistakes: Vec<Located>,
}

/// Problems of bodies, for the OpenAPI description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only the OpenAPI description uses it")]
pub(crate) enum BodyMistakes {
    /// The body is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    Wrong(Problem),
    /// The Content-Type of the body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// A mistake with its place in the request.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Located {
    /// The line of the text, from 1; absent if the mistake concerns the whole text, or if the request has an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// The path in the object, for example `zone.0.origin`; absent if the request has a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What was expected there.
    expected: String,
    /// What was found.
    found: String,
}

impl Problem {
    /// Makes a problem.
    pub(crate) fn new(status: StatusCode, detail: &str) -> Self {
        Self(Box::new(Details {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            field: String::new(),
            expected: String::new(),
            found: String::new(),
            mistakes: Vec::new(),
        }))
    }

    /// Names the field, what was expected there and what was found.
    #[must_use]
    pub(crate) fn about(mut self, field: &str, expected: &str, found: &str) -> Self {
        self.0.field = field.to_owned();
        self.0.expected = expected.to_owned();
        self.0.found = found.to_owned();
        self
    }

    /// A value in the request is wrong.
    pub(crate) fn mistake(field: &str, expected: &str, found: &str) -> Self {
        let detail = format!("expected {expected}, found {found}");
        Self::new(StatusCode::BAD_REQUEST, &detail).about(field, expected, found)
    }

    /// For an unknown field: lists these fields too, and names the nearest one.
    #[must_use]
    pub(crate) fn near(mut self, further: &[&str]) -> Self {
        if !self.0.found.starts_with("unknown field") {
            return self;
        }
        let words = self.0.expected.replace("one of ", "");
        let words = words
            .split(", ")
            .map(|word| word.trim_matches('`'))
            .chain(further.iter().copied());
        let words: Vec<_> = words.collect();
        let near = did_you_mean(&self.0.field, words.iter().copied());
        let expected = format!("one of {}{near}", words.join(", "));
        self.0.detail = format!("expected {expected}, found {}", self.0.found);
        self.0.expected = expected;
        self
    }

    /// No entry has this number or name.
    pub(crate) fn not_found(field: &str, expected: &str, found: &str) -> Self {
        let detail = format!("expected {expected}, found {found}");
        Self::new(StatusCode::NOT_FOUND, &detail).about(field, expected, found)
    }

    /// A value could not be read; serde's text says what was expected.
    pub(crate) fn unreadable(field: &str, text: &str) -> Self {
        let text = text.split(" at line ").next().unwrap_or(text);
        if field == "since" || field.ends_with(".since") {
            return Self::mistake(field, "a time such as 2026-11-21T08:00:00Z", text);
        }
        let (found, expected) = match text.split_once(", expected ") {
            Some((found, expected)) => (found, expected),
            None => match text.strip_prefix("missing field ") {
                Some(name) => {
                    let field = if field.is_empty() {
                        name.trim_matches('`')
                    } else {
                        field
                    };
                    return Self::mistake(field, &format!("a value for {name}"), "none");
                }
                None => (text, "a value that can be read"),
            },
        };
        let found = ["invalid type: ", "invalid value: "]
            .iter()
            .find_map(|prefix| found.strip_prefix(prefix))
            .unwrap_or(found);
        let expected = in_json_words(expected);
        let unknown = found
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let field = unknown
            .filter(|name| !field.ends_with(name))
            .map_or_else(|| field.to_owned(), |name| name.to_owned());
        Self::mistake(&field, expected, found)
    }

    /// Mistakes in fields of a body, at least one: field, expected, found.
    pub(crate) fn of_fields(mistakes: Vec<(String, String, String)>) -> Self {
        let (field, expected, found) = mistakes.first().cloned().unwrap_or_default();
        let mut problem = Self::mistake(&field, &expected, &found);
        let located = |(key, expected, found)| Located {
            line: None,
            key: Some(key),
            expected,
            found,
        };
        problem.0.mistakes = mistakes.into_iter().map(located).collect();
        problem
    }

    /// An error of the library about a field that holds text.
    pub(crate) fn of(field: &str, error: &Error) -> Self {
        Self::located(field, error, |line| {
            (Some(line).filter(|line| *line > 0), None)
        })
    }

    /// An error about a field that holds an object, which was converted to this TOML: the client knows keys, not TOML
    /// lines.
    pub(crate) fn of_object(field: &str, error: &Error, toml: &str) -> Self {
        Self::located(field, error, |line| (None, key_at(toml, line)))
    }

    fn located(
        field: &str,
        error: &Error,
        place: impl Fn(usize) -> (Option<usize>, Option<String>),
    ) -> Self {
        if error.is_environment() {
            let found = error.to_string();
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, &found).about(field, "", &found);
        }
        let located = |m: &crate::error::Mistake| {
            let (line, key) = place(m.line);
            Located {
                line,
                key,
                expected: m.expected.clone(),
                found: m.found.clone(),
            }
        };
        let mistakes: Vec<_> = error.mistakes_found().iter().map(located).collect();
        let text = error.to_string();
        let (expected, found) = error.expected_and_found().unwrap_or((text.as_str(), ""));
        let (expected, found) = (expected.to_owned(), found.to_owned());
        let detail = match &mistakes[..] {
            [] => text,
            [one] => one.sentence(),
            [first, _] => format!("{}; and one more mistake", first.sentence()),
            [first, more @ ..] => format!("{}; and {} more mistakes", first.sentence(), more.len()),
        };
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, &detail).about(field, &expected, &found);
        problem.0.mistakes = mistakes;
        problem
    }
}

impl Located {
    fn sentence(&self) -> String {
        let Self {
            line,
            key,
            expected,
            found,
        } = self;
        let place = match (line, key) {
            (Some(line), _) => format!("line {line}: "),
            (None, Some(key)) => format!("{key}: "),
            (None, None) => String::new(),
        };
        format!("{place}expected {expected}, found {found}")
    }
}

/// Translates serde's names of types to JSON terms.
fn in_json_words(expected: &str) -> &str {
    let names = [
        "struct variant ",
        "struct ",
        "internally tagged enum ",
        "adjacently tagged enum ",
    ];
    match expected {
        "a map" | "map" => "an object",
        "a sequence" | "sequence" => "a list",
        "a boolean" => "true or false",
        "string or map" | "map or string" => "a string or an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        _ if names.iter().any(|name| expected.starts_with(name)) => "an object",
        _ if expected.starts_with("enum ") => "a string or an object",
        _ if expected.starts_with("tuple ") => "a list",
        _ => expected,
    }
}

/// The path of the key at a line of TOML that was written from an object: every table has a header, and every value is
/// on one line.
fn key_at(toml: &str, line: usize) -> Option<String> {
    let mut tables: HashMap<String, usize> = HashMap::new();
    let mut table = String::new();
    let mut key = String::new();
    for text in toml.lines().take(line) {
        key.clear();
        if let Some(list) = text
            .strip_prefix("[[")
            .and_then(|rest| rest.strip_suffix("]]"))
        {
            let index = tables
                .entry(list.to_owned())
                .and_modify(|n| *n += 1)
                .or_insert(0);
            table = format!("{list}.{index}");
        } else if let Some(name) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let parent = name.rsplit_once('.').and_then(|(parent, own)| {
                let index = tables.get(parent)?;
                Some(format!("{parent}.{index}.{own}"))
            });
            table = parent.unwrap_or_else(|| name.to_owned());
        } else if let Some((name, _)) = text.split_once(" = ") {
            name.trim_matches('"').clone_into(&mut key);
        }
    }
    let parts: Vec<_> = [table, key]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    Some(parts.join(".")).filter(|path| line > 0 && !path.is_empty())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_has_expected_and_found() {
        let error = Error::unexpected("a name, found in the file", "\"found x\"");
        let problem = Problem::of("name", &error).0;
        assert_eq!(problem.expected, "a name, found in the file");
        assert_eq!(problem.found, "\"found x\"");
        assert_eq!(problem.detail, error.to_string());
    }

    #[test]
    fn lines_of_toml_are_keys_of_the_object() {
        let object = json!({
            "title": "two\nlines = [a]", "limits": { "a": 1 },
            "zone": [{ "origin": "a.test" }, { "origin": "b.test", "text": "x = y\n[z]", "soa": { "minimum": 1 } }],
        });
        let toml = toml::to_string(&object).expect("TOML");
        let at = |part: &str| {
            let line = toml
                .lines()
                .position(|line| line.contains(part))
                .expect("a line");
            key_at(&toml, line + 1).expect("a key")
        };
        assert_eq!(at("title"), "title");
        assert_eq!(at("a = 1"), "limits.a");
        assert_eq!(at("a.test"), "zone.0.origin");
        assert_eq!(at("b.test"), "zone.1.origin");
        assert_eq!(at("text"), "zone.1.text");
        assert_eq!(at("minimum"), "zone.1.soa.minimum");
        assert_eq!(key_at(&toml, 0), None);
    }

    #[test]
    fn serde_errors_use_the_words_of_json() {
        for (text, detail) in [
            (
                "invalid type: integer `5`, expected a string at line 1 column 3",
                "expected a string, found integer `5`",
            ),
            (
                "invalid type: string \"x\", expected struct Wanted",
                "expected an object, found string \"x\"",
            ),
            (
                "invalid type: null, expected struct variant Client::Pool",
                "expected an object, found null",
            ),
            (
                "invalid type: string \"x\", expected u64",
                "expected a whole number, 0 or more, found string \"x\"",
            ),
        ] {
            assert_eq!(Problem::unreadable("field", text).0.detail, detail);
        }
    }
}
