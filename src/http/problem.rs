//! Mistakes as problem details (RFC 9457): which field, what was expected, what was found.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Error;
use crate::expect::did_you_mean;

/// A mistake of the client, or the environment's refusal.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// What a problem says.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Details {
    /// Always `about:blank`: the title is the status's.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status code.
    title: String,
    /// The status code.
    status: u16,
    /// What is wrong, in one sentence.
    detail: String,
    /// What it is about: a field of the body, a parameter, a header field; empty where it is the request as a whole.
    field: String,
    /// What was expected there.
    expected: String,
    /// What was found.
    found: String,
    /// Every mistake in a scenario or receiver that was sent.
    mistakes: Vec<Located>,
}

/// What is said to a body that cannot be taken, for the description.
#[derive(utoipa::IntoResponses)]
#[expect(
    dead_code,
    reason = "the description is made of it, and nothing else is"
)]
pub(super) enum BodyMistakes {
    /// The body is wrong
    #[response(status = 400, content_type = "application/problem+json")]
    Wrong(Problem),
    /// The body is not said to be JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}

/// A mistake with its place in the text that was sent.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Located {
    /// Line, counted from 1; 0 where it is of the text as a whole.
    line: usize,
    /// What was expected there.
    expected: String,
    /// What was found.
    found: String,
}

impl Problem {
    /// Makes a problem.
    pub fn new(status: StatusCode, detail: &str) -> Self {
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

    /// Says which field it is about, what was expected there and what was found.
    #[must_use]
    pub fn about(mut self, field: &str, expected: &str, found: &str) -> Self {
        self.0.field = field.to_owned();
        self.0.expected = expected.to_owned();
        self.0.found = found.to_owned();
        self
    }

    /// Something in the request is not as it should be.
    pub fn mistake(field: &str, expected: &str, found: &str) -> Self {
        let detail = format!("expected {expected}, found {found}");
        Self::new(StatusCode::BAD_REQUEST, &detail).about(field, expected, found)
    }

    /// Where a field is not known: names these fields too, and the nearest of all.
    #[must_use]
    pub fn near(mut self, further: &[&str]) -> Self {
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

    /// There is nothing of that number or name.
    pub fn not_found(field: &str, expected: &str, found: &str) -> Self {
        let detail = format!("expected {expected}, found {found}");
        Self::new(StatusCode::NOT_FOUND, &detail).about(field, expected, found)
    }

    /// A value could not be read; serde's text says what was expected.
    pub(super) fn unreadable(field: &str, text: &str) -> Self {
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
        let unknown = found
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let field = unknown
            .filter(|name| !field.ends_with(name))
            .map_or_else(|| field.to_owned(), |name| name.to_owned());
        Self::mistake(&field, expected, found)
    }

    /// An error of the library, about a field.
    pub(super) fn of(field: &str, error: &Error) -> Self {
        if error.is_environment() {
            let found = error.to_string();
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, &found).about(field, "", &found);
        }
        let located = |m: &crate::error::Mistake| Located {
            line: m.line,
            expected: m.expected.clone(),
            found: m.found.clone(),
        };
        let mistakes: Vec<_> = error.mistakes_found().iter().map(located).collect();
        let text = error.to_string();
        let (expected, found) = match mistakes.first() {
            Some(first) => (first.expected.clone(), first.found.clone()),
            None => split(&text),
        };
        let detail = if mistakes.is_empty() {
            text
        } else {
            format!("{} mistakes in the text", mistakes.len())
        };
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, &detail).about(field, &expected, &found);
        problem.0.mistakes = mistakes;
        problem
    }
}

/// `expected …; found …`, as errors of one sentence say.
fn split(text: &str) -> (String, String) {
    let text = text.strip_prefix("expected ").unwrap_or(text);
    let (expected, found) = text.rsplit_once("found ").unwrap_or((text, ""));
    (
        expected.trim_end_matches([',', ';', ' ']).to_owned(),
        found.to_owned(),
    )
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
