//! `clock` and `reset`: the time of a world, and its return to the start.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::App;
use crate::http::server::extract::{Body, Params, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::scenario;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(clock, advance))
        .routes(routes!(reset))
}

/// The clock of the world, which greylisting, limits and other memory use.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Now {
    /// Milliseconds since the world started or was reset, including all advances.
    now_ms: f64,
}

/// Show the clock
#[utoipa::path(get, path = "/clock", tag = "change", responses((status = 200, description = "The time", body = Now)))]
async fn clock(TheWorld(world): TheWorld) -> Json<Now> {
    Json(Now {
        now_ms: world.now().as_secs_f64() * 1e3,
    })
}

/// The advance.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// A duration such as 300s, 5m or 250ms. The sum of all advances is at most 100 years.
    #[schema(example = "5m", pattern = "^[0-9]{1,12}(ms|s|m|h)$")]
    advance: String,
}

/// Advance the clock
#[utoipa::path(post, path = "/clock", tag = "change", request_body = Advance, responses(
    (status = 200, description = "The new time", body = Now),
    BodyMistakes,
))]
async fn advance(
    TheWorld(world): TheWorld,
    Body(new): Body<Advance>,
) -> Result<Json<Now>, Problem> {
    let by = scenario::duration(&new.advance);
    let by =
        by.ok_or_else(|| Problem::mistake("advance", "a time such as 300s or 5m", &new.advance))?;
    world
        .advance(by)
        .map_err(|error| Problem::of("advance", &error))?;
    Ok(clock(TheWorld(world)).await)
}

/// The extent of a reset.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Extent {
    /// `journal` resets the journal alone. Everything by default.
    #[param(inline)]
    only: Option<Part>,
}

/// What can be reset alone.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    Journal,
}

/// Reset a world to its state at start, or empty its journal
///
/// Both empty the journal: sessions, messages, DNS queries, events, expectations with their counts, and the marks of
/// the Mailpit and MailHog APIs. Without `only=journal`, the scenario, zones, faults and their counts, receiver, source of
/// client addresses, clock and memory of the receiver are reset as well. Ports, metrics and the numbering of sessions and
/// messages continue. A session that began before the reset does not appear in the journal after it.
#[utoipa::path(post, path = "/reset", tag = "change", operation_id = "reset", params(Extent), responses(
    (status = 204, description = "The world is reset"),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn reset(TheWorld(world): TheWorld, Params(extent): Params<Extent>) -> StatusCode {
    match extent.only {
        Some(Part::Journal) => world.reset_journal(),
        None => world.reset(),
    }
    StatusCode::NO_CONTENT
}
