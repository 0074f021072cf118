//! `wait`: holds the request until sessions match or the time is up, and answers with evidence either way.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::extract::{Listing, TheWorld};
use super::paging::Keys;
use super::problem::Problem;
use super::views::SessionView;
use crate::expect::{NearMiss, Sessions, WaitTimeout};

/// How long a wait waits unless told otherwise.
const USUAL_MS: u64 = 5_000;
/// The longest wait.
const LONGEST_MS: u64 = 60_000;
/// Most sessions that a wait gives.
const MOST: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(wait))
}

/// How long, and for how many.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Until {
    /// For so many sessions: one unless told otherwise, 1000 at most.
    #[param(minimum = 0)]
    count: Option<usize>,
    /// So many milliseconds at most: 5000 unless told otherwise, 60000 at most.
    #[param(minimum = 0)]
    timeout_ms: Option<u64>,
    /// Only sessions with a number above this one.
    #[param(minimum = 0)]
    after: u64,
}

impl Keys for Until {
    const KEYS: &'static [&'static str] = &["count", "timeout_ms", "after"];
}

/// What came of a wait.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Waited {
    /// Whether as many matched as were wanted.
    matched: bool,
    /// What was waited for, in words.
    wanted: String,
    /// How many matched.
    found: u64,
    /// The sessions that matched, where enough did.
    sessions: Vec<SessionView>,
    /// Where too few did: what was seen, a line each.
    seen: Vec<String>,
    /// Where too few did: what came nearest, the nearest first.
    near_misses: Vec<NearMiss>,
}

/// Waits for sessions whose outcome is known, those that ended before the request too
#[utoipa::path(get, path = "/wait", tag = "expect", params(Until, Sessions), responses(
    (status = 200, description = "Enough sessions matched", body = Waited),
    (status = 417, description = "Too few matched in time; says what was seen", body = Waited),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn wait(
    TheWorld(world): TheWorld,
    Listing(until, pattern): Listing<Until, Sessions>,
) -> (StatusCode, Json<Waited>) {
    let count = until.count.unwrap_or(1).min(MOST);
    let patience = Duration::from_millis(until.timeout_ms.unwrap_or(USUAL_MS).min(LONGEST_MS));
    match world
        .wait_for_sessions_within(&pattern, count, until.after, patience)
        .await
    {
        Ok(found) => {
            let sessions: Vec<_> = found
                .iter()
                .take(MOST)
                .map(|session| SessionView::whole(session))
                .collect();
            let wanted = format!("{count} {pattern}");
            let found = found.len() as u64;
            let waited = Waited {
                matched: true,
                wanted,
                found,
                sessions,
                seen: Vec::new(),
                near_misses: Vec::new(),
            };
            (StatusCode::OK, Json(waited))
        }
        Err(WaitTimeout {
            wanted,
            found,
            seen,
            near_misses,
            ..
        }) => {
            let waited = Waited {
                matched: false,
                wanted,
                found,
                sessions: Vec::new(),
                seen,
                near_misses,
            };
            (StatusCode::EXPECTATION_FAILED, Json(waited))
        }
    }
}
