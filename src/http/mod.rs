//! The HTTP API: whether the world is up, its sessions from the journal, and its DNS faults, which it can change.

pub mod faults;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::dns::Zones;
use crate::journal::Log;
use crate::smtp::{SessionEntry, SessionRecord};

/// Most sessions in one page.
const PAGE: usize = 100;

/// Serves the API on a listener until shut down.
///
/// The listener accepts before the first request is read, and the world's sockets before that: whoever can ask
/// `/readyz` gets a true answer.
pub async fn serve(
    listener: TcpListener,
    sessions: Arc<Log<SessionEntry>>,
    zones: Arc<ArcSwap<Zones>>,
    shutdown: CancellationToken,
) {
    let router = router(sessions).merge(faults::router(zones));
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP API stopped");
    }
}

fn router(sessions: Arc<Log<SessionEntry>>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async || "ok\n"))
        .route("/api/v1/sessions", get(list))
        .route("/api/v1/sessions/{id}", get(one))
        .with_state(sessions)
}

/// Which page of the sessions.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Page {
    /// Only sessions with a number above this one.
    after: u64,
    /// Most sessions; 100 at most.
    limit: Option<usize>,
}

/// One page, oldest first; `next` is the `after` of the following page, as long as `more` is true.
#[derive(Debug, Serialize)]
struct Sessions {
    sessions: Vec<SessionRecord>,
    next: u64,
    more: bool,
    dropped: u64,
}

async fn list(State(log): State<Arc<Log<SessionEntry>>>, Query(page): Query<Page>) -> Json<Sessions> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let mut entries = log.after(page.after);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let sessions: Vec<_> = entries.iter().map(|e| e.snapshot()).collect();
    let next = entries.last().map_or(page.after, |e| e.id);
    Json(Sessions { sessions, next, more, dropped: log.counts().dropped })
}

async fn one(State(log): State<Arc<Log<SessionEntry>>>, Path(id): Path<String>) -> Response {
    let entry = id.parse().ok().and_then(|number| log.entry(number));
    match entry {
        Some(entry) => Json(entry.snapshot()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "the number of a session that is kept", &id),
    }
}

/// A mistake as problem details (RFC 9457).
fn problem(status: StatusCode, expected: &str, found: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "expected": expected,
        "found": found,
    });
    (status, [("content-type", "application/problem+json")], body.to_string()).into_response()
}
