//! `faults`: DNS faults while a world runs. Keys are those of `[[fault]]` in scenario files.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dns::{Fault, FaultMistake, FaultSpec};
use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Body, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::scenario::duration;

/// Most faults: each question looks at all of them.
const FAULTS: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_faults, set_faults, add_fault, remove_faults))
}

/// A DNS fault. Durations are texts such as `500ms` or `3s`.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FaultView {
    /// A domain name, or `*.` and a domain name for all names below it.
    #[schema(example = "*.example.test")]
    name: String,
    /// The record type of the queries that it applies to, such as `PTR`; all types by default.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    record_type: Option<String>,
    /// The transport, `udp` or `tcp`; both by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    /// The kind of fault.
    #[serde(rename = "do")]
    #[schema(example = "servfail")]
    action: String,
    /// The number of the first query that it applies to, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    from: Option<u64>,
    /// The number of queries that it applies to; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    times: Option<u64>,
    /// It applies to `times` queries out of every `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    every: Option<u64>,
    /// The delay of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "3s")]
    delay: Option<String>,
    /// The maximum random time added to the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<String>,
    /// The seed of `jitter` and `order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    seed: Option<u64>,
    /// The TTL for the kind `ttl`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    ttl: Option<u64>,
    /// The number of CNAME records for the kind `cname-chain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    length: Option<u64>,
    /// The size of the answer for the kind `oversized`, in octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 513)]
    octets: Option<u64>,
    /// The order of the records for the kind `reorder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    /// The address in the answer for the kind `wrong-answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The number of queries that matched name, type and transport. PUT and POST ignore it and start from 0.
    #[serde(default)]
    #[schema(minimum = 0)]
    seen: u64,
    /// The number of queries that it took effect on. PUT and POST ignore it and start from 0.
    #[serde(default)]
    #[schema(minimum = 0)]
    fired: u64,
}

/// The DNS faults of a world. If several apply to a query, the first one takes effect.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct FaultList {
    /// The faults, at most 1,000.
    #[schema(max_items = 1_000)]
    faults: Vec<FaultView>,
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
        match build(written) {
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
#[utoipa::path(post, path = "/faults", tag = "change", operation_id = "add_fault", request_body = FaultView, responses(
    (status = 201, description = "The fault is in force; the body lists all faults", body = FaultList),
    BodyMistakes,
))]
async fn add_fault(
    TheWorld(world): TheWorld,
    Body(new): Body<FaultView>,
) -> Result<(StatusCode, Json<FaultList>), Problem> {
    let fault = build(new).map_err(|found| Problem::of_fields(located("", found).collect()))?;
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
        faults: world.faults().iter().map(|fault| view(fault)).collect(),
    }
}

fn build(written: FaultView) -> Result<Fault, Vec<FaultMistake>> {
    let mut mistakes = Vec::new();
    let mut time = |key, text: Option<&String>| {
        let text = text?;
        let time = duration(text);
        if time.is_none() {
            mistakes.push(FaultMistake {
                key,
                expected: "a time such as 500ms, 5s or 2m".to_owned(),
                found: format!("{text:?}"),
            });
        }
        time
    };
    let (delay, jitter) = (
        time("delay", written.delay.as_ref()),
        time("jitter", written.jitter.as_ref()),
    );
    // A time that cannot be read stands in for itself: whether its key belongs here is another mistake.
    let stand_in = |time: Option<Duration>, text: &Option<String>| {
        time.or(text.as_ref().map(|_| Duration::ZERO))
    };
    let spec = FaultSpec {
        delay: stand_in(delay, &written.delay),
        jitter: stand_in(jitter, &written.jitter),
        name: written.name,
        record_type: written.record_type,
        transport: written.transport,
        action: Some(written.action),
        from: written.from,
        times: written.times,
        every: written.every,
        seed: written.seed,
        ttl: written.ttl,
        length: written.length,
        octets: written.octets,
        order: written.order,
        address: written.address,
    };
    let built = spec.build();
    match built {
        Ok(fault) if mistakes.is_empty() => Ok(fault),
        Ok(_) => Err(mistakes),
        Err(found) => {
            mistakes.extend(found);
            Err(mistakes)
        }
    }
}

fn view(fault: &Fault) -> FaultView {
    let spec = FaultSpec::of(fault);
    let time = |time: Duration| format!("{}ms", time.as_millis());
    FaultView {
        name: spec.name,
        record_type: spec.record_type,
        transport: spec.transport,
        action: spec.action.unwrap_or_default(),
        from: spec.from,
        times: spec.times,
        every: spec.every,
        delay: spec.delay.map(time),
        jitter: spec.jitter.map(time),
        seed: spec.seed,
        ttl: spec.ttl,
        length: spec.length,
        octets: spec.octets,
        order: spec.order,
        address: spec.address,
        seen: fault.seen(),
        fired: fault.fired(),
    }
}
