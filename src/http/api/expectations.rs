//! `expectations`: declared in advance, counted while the world runs, verified in one request.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::{Expectation, ExpectationStatus, Mail, Queries, Sessions, Times};
use crate::http::App;
use crate::http::server::extract::{Body, Id, Object, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};

/// Maximum number of expectations of a world.
const MOST: usize = 10_000;
/// Maximum time that a verification waits for sessions whose last reply was just sent.
const GRACE: Duration = Duration::from_millis(200);

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, declare, clear))
        .routes(routes!(verify))
        .routes(routes!(one, withdraw))
}

/// An expectation about the sessions, DNS queries or messages that follow.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// The name in reports.
    #[serde(default)]
    name: String,
    /// The sessions to count. Exactly one of `sessions`, `queries` and `mail` is required.
    #[schema(value_type = Option<Sessions>)]
    sessions: Option<Object<Sessions>>,
    /// The DNS queries to count. Exactly one of `sessions`, `queries` and `mail` is required.
    #[schema(value_type = Option<Queries>)]
    queries: Option<Object<Queries>>,
    /// The messages to count. Exactly one of `sessions`, `queries` and `mail` is required.
    #[schema(value_type = Option<Mail>)]
    mail: Option<Object<Mail>>,
    /// The expected number of matches; at least 1 by default.
    #[serde(default)]
    #[schema(value_type = Times)]
    times: Object<Times>,
}

/// The outcomes of expectations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Outcomes {
    /// Whether every expectation is met so far.
    met: bool,
    /// A report as text, one paragraph for each expectation.
    report: String,
    /// The outcome of each expectation, with its count and near misses.
    expectations: Vec<ExpectationStatus>,
}

impl From<Vec<ExpectationStatus>> for Outcomes {
    fn from(expectations: Vec<ExpectationStatus>) -> Self {
        let mut report = String::new();
        for outcome in &expectations {
            let _ = writeln!(report, "{outcome}");
        }
        Self {
            met: expectations.iter().all(|outcome| outcome.met),
            report,
            expectations,
        }
    }
}

/// List the expectations with their outcomes so far
#[utoipa::path(get, path = "/expectations", tag = "expect", responses(
    (status = 200, description = "The outcomes", body = Outcomes),
))]
async fn list(TheWorld(world): TheWorld) -> Json<Outcomes> {
    Json(world.outcomes().into())
}

/// Declare an expectation, which counts what happens afterwards
#[utoipa::path(post, path = "/expectations", tag = "expect", request_body = Declared, responses(
    (status = 201, description = "The expectation is declared", body = ExpectationStatus),
    BodyMistakes,
))]
async fn declare(
    TheWorld(world): TheWorld,
    Body(declared): Body<Declared>,
) -> Result<(StatusCode, Json<ExpectationStatus>), Problem> {
    let Declared {
        name,
        sessions,
        queries,
        mail,
        times: Object(times),
    } = declared;
    if times.most.is_some_and(|most| most < times.least) {
        return Err(Problem::mistake(
            "times.most",
            "a number not below times.least",
            &format!("{times}"),
        ));
    }
    let mut expectations: Vec<(&str, Expectation)> = Vec::new();
    expectations.extend(sessions.map(|Object(sessions)| ("sessions", sessions.into())));
    expectations.extend(queries.map(|Object(queries)| ("queries", queries.into())));
    expectations.extend(mail.map(|Object(mail)| ("mail", mail.into())));
    let expectation = match expectations.len() {
        1 => expectations.remove(0).1,
        0 => {
            return Err(Problem::mistake(
                "sessions",
                "one of sessions, queries and mail",
                "none",
            ));
        }
        _ => {
            let found: Vec<_> = expectations.iter().map(|(key, _)| *key).collect();
            return Err(Problem::mistake(
                expectations[1].0,
                "one of sessions, queries and mail",
                &found.join(" and "),
            ));
        }
    };
    if world.ledger().len() >= MOST {
        let expected = format!("at most {MOST} expectations at a time");
        return Err(Problem::mistake("", &expected, "one more"));
    }
    let id = world.ledger().mount(expectation.named(&name).often(times));
    let outcome = world.ledger().find(id);
    let gone = || Problem::not_found("id", "an expectation that is declared", &id.to_string());
    outcome
        .map(|outcome| (StatusCode::CREATED, Json(outcome)))
        .ok_or_else(gone)
}

/// Remove all expectations
#[utoipa::path(delete, path = "/expectations", tag = "expect", responses(
    (status = 204, description = "All expectations are removed"),
))]
async fn clear(TheWorld(world): TheWorld) -> StatusCode {
    world.ledger().clear();
    StatusCode::NO_CONTENT
}

/// Verify all expectations
#[utoipa::path(get, path = "/expectations/verify", tag = "expect", responses(
    (status = 200, description = "All expectations are met", body = Outcomes),
    (status = 417, description = "Some expectations are not met; the report has their near misses", body = Outcomes),
))]
async fn verify(TheWorld(world): TheWorld) -> (StatusCode, Json<Outcomes>) {
    // A client can have read a reply before the thread that sent it publishes the session.
    let ledger = world.ledger();
    let met = world.sessions().wait(|_| ledger.is_met().then_some(()));
    let _ = tokio::time::timeout(GRACE, met).await;
    let outcomes = Outcomes::from(world.outcomes());
    let status = if outcomes.met {
        StatusCode::OK
    } else {
        StatusCode::EXPECTATION_FAILED
    };
    (status, Json(outcomes))
}

/// Show one expectation with its outcome so far
#[utoipa::path(get, path = "/expectations/{id}", tag = "expect", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The outcome", body = ExpectationStatus),
    (status = 404, description = "No expectation has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn one(TheWorld(world): TheWorld, Id(id): Id) -> Result<Json<ExpectationStatus>, Problem> {
    let none = || Problem::not_found("id", "the number of an expectation", &id.to_string());
    world.ledger().find(id).map(Json).ok_or_else(none)
}

/// Remove one expectation
#[utoipa::path(delete, path = "/expectations/{id}", tag = "expect", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 204, description = "The expectation is removed"),
    (status = 404, description = "No expectation has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn withdraw(TheWorld(world): TheWorld, Id(id): Id) -> Result<StatusCode, Problem> {
    if world.ledger().unmount(id) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(
        "id",
        "the number of an expectation",
        &id.to_string(),
    ))
}
