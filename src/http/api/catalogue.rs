//! `scenarios`, `receivers` and `lint`: the built-in files, and mistakes in a file.

use std::sync::{Arc, LazyLock};

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Mistake;
use crate::http::App;
use crate::http::server::extract::{Body, Name};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::scenario::{self, ReceiverProfile, Scenario};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(scenarios))
        .routes(routes!(one_scenario))
        .routes(routes!(receivers))
        .routes(routes!(one_receiver))
        .routes(routes!(lint))
}

/// A built-in scenario or receiver.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct Listed {
    name: String,
    /// The title.
    title: String,
    /// The group of a receiver: `software`, `operator` or `generic`; empty for a scenario.
    group: String,
}

/// A built-in file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BuiltIn {
    name: String,
    /// The title.
    title: String,
    /// Its TOML text.
    text: Arc<str>,
}

/// The built-in scenarios.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Scenarios {
    scenarios: Vec<Listed>,
}

/// The built-in receivers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Receivers {
    receivers: Vec<Listed>,
}

/// All built-in files. They are parsed once, because they do not change.
static SCENARIOS: LazyLock<Vec<(Listed, Arc<str>)>> = LazyLock::new(|| {
    let all = scenario::list_scenarios().unwrap_or_default();
    let listed = |each: Scenario| (Listed::of(each.name, each.title, ""), each.text);
    all.into_iter().map(listed).collect()
});
static RECEIVERS: LazyLock<Vec<(Listed, Arc<str>)>> = LazyLock::new(|| {
    let all = scenario::list_receivers().unwrap_or_default();
    let listed =
        |each: ReceiverProfile| (Listed::of(each.name, each.title, &each.group), each.text);
    all.into_iter().map(listed).collect()
});

impl Listed {
    fn of(name: String, title: String, group: &str) -> Self {
        Self {
            name,
            title,
            group: group.to_owned(),
        }
    }
}

fn names(all: &[(Listed, Arc<str>)]) -> Vec<Listed> {
    all.iter().map(|(listed, _)| listed.clone()).collect()
}

fn source(all: &[(Listed, Arc<str>)], what: &str, name: &str) -> Result<Json<BuiltIn>, Problem> {
    let found = all.iter().find(|(listed, _)| listed.name == name);
    let (listed, text) = found.ok_or_else(|| Problem::not_found("name", what, name))?;
    Ok(Json(BuiltIn {
        name: listed.name.clone(),
        title: listed.title.clone(),
        text: Arc::clone(text),
    }))
}

/// List the built-in scenarios by name
#[utoipa::path(get, path = "/scenarios", tag = "ask", operation_id = "list_scenarios", responses((status = 200, description = "The scenarios", body = Scenarios)))]
async fn scenarios() -> Json<Scenarios> {
    Json(Scenarios {
        scenarios: names(&SCENARIOS),
    })
}

/// Show the file of one built-in scenario
#[utoipa::path(get, path = "/scenarios/{name}", tag = "ask", operation_id = "built_in_scenario", params(("name" = String, Path, description = "Its name", example = "office365")), responses(
    (status = 200, description = "The scenario", body = BuiltIn),
    (status = 404, description = "No built-in scenario has this name", body = Problem, content_type = "application/problem+json"),
))]
async fn one_scenario(Name(name): Name) -> Result<Json<BuiltIn>, Problem> {
    source(&SCENARIOS, "a scenario that GET scenarios lists", &name)
}

/// List the built-in receivers by name
#[utoipa::path(get, path = "/receivers", tag = "ask", operation_id = "list_receivers", responses((status = 200, description = "The receivers", body = Receivers)))]
async fn receivers() -> Json<Receivers> {
    Json(Receivers {
        receivers: names(&RECEIVERS),
    })
}

/// Show the file of one built-in receiver
#[utoipa::path(get, path = "/receivers/{name}", tag = "ask", operation_id = "built_in_receiver", params(("name" = String, Path, description = "Its name", example = "fcrdns")), responses(
    (status = 200, description = "The receiver", body = BuiltIn),
    (status = 404, description = "No built-in receiver has this name", body = Problem, content_type = "application/problem+json"),
))]
async fn one_receiver(Name(name): Name) -> Result<Json<BuiltIn>, Problem> {
    source(&RECEIVERS, "a receiver that GET receivers lists", &name)
}

/// The text of a file.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FileText {
    /// The TOML text of a scenario or receiver.
    text: String,
}

/// The mistakes and warnings of a file.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
struct Findings {
    /// The mistakes: the file cannot be used.
    mistakes: Vec<Finding>,
    /// The warnings: the file can be used, but probably does not mean what its author intends.
    warnings: Vec<Finding>,
    /// The mistakes, or otherwise the warnings, as text with source lines.
    report: String,
}

/// One mistake or warning.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Finding {
    /// The line, from 1; 0 if it concerns the whole file.
    line: usize,
    expected: String,
    found: String,
}

impl From<&Mistake> for Finding {
    fn from(mistake: &Mistake) -> Self {
        Self {
            line: mistake.line,
            expected: mistake.expected.clone(),
            found: mistake.found.clone(),
        }
    }
}

/// Report mistakes and warnings in the text of a scenario or receiver file
#[utoipa::path(post, path = "/lint", tag = "ask", operation_id = "lint", request_body = FileText, responses(
    (status = 200, description = "The mistakes and warnings; both lists can be empty", body = Findings),
    BodyMistakes,
))]
async fn lint(Body(FileText { text }): Body<FileText>) -> Json<Findings> {
    let of = |all: &[Mistake]| all.iter().map(Finding::from).collect();
    Json(match scenario::lint_text(&text) {
        Ok(linted) => Findings {
            mistakes: Vec::new(),
            warnings: of(&linted.warnings),
            report: linted.report().to_owned(),
        },
        Err(error) => Findings {
            mistakes: of(error.mistakes_found()),
            warnings: Vec::new(),
            report: error.to_string(),
        },
    })
}
