//! `sessions`: the SMTP sessions with their commands, replies and verdicts.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::Sessions;
use crate::harness::World;
use crate::http::App;
use crate::http::api::views::SessionView;
use crate::http::server::extract::{Id, Listing, TheWorld};
use crate::http::server::paging::{Cursor, Page};
use crate::http::server::problem::Problem;
use crate::smtp::SessionEntry;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(transcript))
        .routes(routes!(story))
}

/// One page of sessions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SessionPage {
    /// The sessions, without facts, evidence and transcript unless `full` is set.
    sessions: Vec<SessionView>,
    #[serde(flatten)]
    cursor: Cursor,
}

/// List the sessions, including running ones, oldest first
#[utoipa::path(get, path = "/sessions", tag = "journal", params(Page, Sessions), responses(
    (status = 200, description = "One page", body = SessionPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    TheWorld(world): TheWorld,
    Listing(page, pattern): Listing<Page, Sessions>,
) -> Json<SessionPage> {
    let any = pattern == Sessions::default();
    let matches = |entry: &SessionEntry| any || entry.look(|record| pattern.matches(record));
    let found = page.of(world.sessions(), |entry| entry.id, matches);
    let view = if page.full {
        SessionView::whole
    } else {
        SessionView::outline
    };
    Json(SessionPage {
        sessions: found.entries.iter().map(|e| e.explain(view)).collect(),
        cursor: found.cursor,
    })
}

/// Show one session with transcript, facts and DNS evidence
#[utoipa::path(get, path = "/sessions/{id}", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The session", body = SessionView),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn one(TheWorld(world): TheWorld, Id(id): Id) -> Result<Json<SessionView>, Problem> {
    Ok(Json(find(&world, id)?.explain(SessionView::whole)))
}

/// Return the dialogue of a session as text
#[utoipa::path(get, path = "/sessions/{id}/transcript", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The dialogue; lines of the client begin with C:, lines of the server with S:", body = String, content_type = "text/plain"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn transcript(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let text = find(&world, id)?.look(|record| record.transcript());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// Explain a session as text
#[utoipa::path(get, path = "/sessions/{id}/story", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "DNS lookups, refusals, remedies and dialogue", body = String, content_type = "text/plain"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn story(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let text = find(&world, id)?.explain(|record| record.story());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

pub(crate) fn find(world: &World, id: u64) -> Result<Arc<SessionEntry>, Problem> {
    let entry = world.sessions().entry(id);
    entry.ok_or_else(|| {
        Problem::not_found(
            "id",
            "the number of a session that is kept",
            &id.to_string(),
        )
    })
}
