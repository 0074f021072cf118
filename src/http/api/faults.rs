//! `faults`: DNS faults while a world runs. Keys are those of `[[fault]]` in scenario files.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dns::{FaultMistake, FaultSpec};
use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Body, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};

/// Maximum number of faults: each query is compared with all of them.
const FAULTS: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_faults, set_faults, add_fault, remove_faults))
}

/// The DNS faults of a world. If several apply to a query, the first one takes effect.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FaultList {
    /// The faults, at most 1,000.
    #[schema(max_items = 1_000)]
    faults: Vec<FaultSpec>,
}

/// List the DNS faults with their counts, in the format that PUT accepts
#[utoipa::path(get, path = "/faults", tag = "change", operation_id = "list_faults", responses((status = 200, description = "The faults", body = FaultList)))]
async fn list_faults(TheWorld(world): TheWorld) -> Json<FaultList> {
    Json(listed(&world))
}

/// Replace the DNS faults, with counts starting from 0
#[utoipa::path(put, path = "/faults", tag = "change", operation_id = "set_faults", request_body = FaultList, responses(
    (status = 200, description = "The faults are in force", body = FaultList),
    BodyMistakes,
))]
async fn set_faults(
    TheWorld(world): TheWorld,
    Body(new): Body<FaultList>,
) -> Result<Json<FaultList>, Problem> {
    let count = new.faults.len();
    if count > FAULTS {
        return Err(too_many("faults", count));
    }
    let (mut faults, mut mistakes) = (Vec::new(), Vec::new());
    for (index, written) in new.faults.into_iter().enumerate() {
        match written.build() {
            Ok(fault) => faults.push(fault),
            Err(found) => mistakes.extend(located(&format!("faults[{index}]."), found)),
        }
    }
    if !mistakes.is_empty() {
        return Err(Problem::of_fields(mistakes));
    }
    world.set_faults(faults);
    Ok(Json(listed(&world)))
}

/// Add a DNS fault after the existing ones
#[utoipa::path(post, path = "/faults", tag = "change", operation_id = "add_fault", request_body = FaultSpec, responses(
    (status = 201, description = "The fault is in force; the body lists all faults", body = FaultList),
    BodyMistakes,
))]
async fn add_fault(
    TheWorld(world): TheWorld,
    Body(new): Body<FaultSpec>,
) -> Result<(StatusCode, Json<FaultList>), Problem> {
    let fault = new
        .build()
        .map_err(|found| Problem::of_fields(located("", found).collect()))?;
    if world.add_fault_within(fault, FAULTS) {
        Ok((StatusCode::CREATED, Json(listed(&world))))
    } else {
        Err(too_many("", FAULTS + 1))
    }
}

/// Remove all DNS faults, including those of the scenario
#[utoipa::path(delete, path = "/faults", tag = "change", operation_id = "remove_faults", responses((status = 204, description = "All faults are removed")))]
async fn remove_faults(TheWorld(world): TheWorld) -> StatusCode {
    world.set_faults(Vec::new());
    StatusCode::NO_CONTENT
}

fn too_many(field: &str, count: usize) -> Problem {
    Problem::mistake(
        field,
        &format!("at most {FAULTS} faults"),
        &count.to_string(),
    )
}

/// The mistakes of a fault, each with the path of its field.
fn located(
    place: &str,
    mistakes: Vec<FaultMistake>,
) -> impl Iterator<Item = (String, String, String)> {
    mistakes.into_iter().map(move |mistake| {
        (
            format!("{place}{}", mistake.key),
            mistake.expected,
            mistake.found,
        )
    })
}

fn listed(world: &World) -> FaultList {
    FaultList {
        faults: world
            .faults()
            .iter()
            .map(|fault| FaultSpec::of(fault))
            .collect(),
    }
}
