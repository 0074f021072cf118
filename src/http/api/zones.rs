//! `zones`: the zones of a world.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::App;
use crate::http::server::extract::{Body, Name, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::name;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_zones))
        .routes(routes!(show_zone, set_zone, remove_zone))
}

/// The zones of the world.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ZoneList {
    zones: Vec<ZoneRow>,
}

/// A zone without its records.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ZoneRow {
    /// The origin of the zone.
    origin: String,
    /// The number of records, including SOA and NS.
    records: usize,
}

/// List the zones, ordered by origin
#[utoipa::path(get, path = "/zones", tag = "change", operation_id = "list_zones", responses((status = 200, description = "The zones", body = ZoneList)))]
async fn list_zones(TheWorld(world): TheWorld) -> Json<ZoneList> {
    let mut zones: Vec<_> = world
        .zones()
        .zones()
        .map(|zone| ZoneRow {
            origin: name::display(&zone.origin()),
            records: zone.records(),
        })
        .collect();
    zones.sort_by(|a, b| a.origin.cmp(&b.origin));
    Json(ZoneList { zones })
}

/// The records of a zone.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ZoneText {
    /// The records in master-file format (RFC 1035 §5).
    #[schema(example = "mail A 192.0.2.1\n@ MX 10 mail")]
    text: String,
}

/// Show the records of a zone, in the format that PUT accepts
#[utoipa::path(get, path = "/zones/{name}", tag = "change", operation_id = "show_zone", params(("name" = String, Path, description = "The origin", example = "example.test")), responses(
    (status = 200, description = "The zone, including SOA and NS", body = ZoneText),
    (status = 404, description = "No zone has this origin", body = Problem, content_type = "application/problem+json"),
))]
async fn show_zone(
    TheWorld(world): TheWorld,
    Name(origin): Name,
) -> Result<Json<ZoneText>, Problem> {
    let zones = world.zones();
    let zone = name::absolute(&origin).and_then(|name| zones.of_origin(&name));
    let text = zone.ok_or_else(|| no_zone(&origin))?.to_master();
    Ok(Json(ZoneText { text }))
}

/// Add a zone, or replace all records of the zone with this origin
#[utoipa::path(put, path = "/zones/{name}", tag = "change", operation_id = "set_zone", params(("name" = String, Path, description = "The origin", example = "example.test")), request_body = ZoneText, responses(
    (status = 204, description = "The zone is served. SOA and NS are added if the text has none"),
    BodyMistakes,
))]
async fn set_zone(
    TheWorld(world): TheWorld,
    Name(origin): Name,
    Body(new): Body<ZoneText>,
) -> Result<StatusCode, Problem> {
    if name::absolute(&origin).is_none() {
        return Err(Problem::mistake(
            "name",
            "a domain name",
            &format!("{origin:?}"),
        ));
    }
    world
        .set_zone(&origin, &new.text)
        .map_err(|error| Problem::of("text", &error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a zone
#[utoipa::path(delete, path = "/zones/{name}", tag = "change", operation_id = "remove_zone", params(("name" = String, Path, description = "The origin", example = "example.test")), responses(
    (status = 204, description = "The zone is removed"),
    (status = 404, description = "No zone has this origin", body = Problem, content_type = "application/problem+json"),
))]
async fn remove_zone(TheWorld(world): TheWorld, Name(origin): Name) -> Result<StatusCode, Problem> {
    match world.remove_zone(&origin) {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(no_zone(&origin)),
    }
}

fn no_zone(origin: &str) -> Problem {
    Problem::not_found("name", "the origin of a zone that is served", origin)
}
