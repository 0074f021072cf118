//! DNS faults while the world runs: `/api/v1/faults`.
//!
//! GET lists them with their counts, PUT replaces them by a list, POST adds one behind the others, DELETE removes all.
//! Keys are those of `[[fault]]` in scenario files. Input is strict: an unknown key, or a value that is no such thing,
//! changes nothing and is answered with every mistake.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use crate::dns::{Fault, FaultMistake, FaultSpec, Zones};
use crate::scenario::duration;

/// Where the faults are.
pub const PATH: &str = "/api/v1/faults";
/// Most faults: each question looks at all of them.
const FAULTS: usize = 1_000;

type Snapshot = Arc<ArcSwap<Zones>>;

/// The routes, over the snapshot that DNS and the receiver answer from.
pub fn router(zones: Snapshot) -> Router {
    Router::new()
        .route(PATH, get(list).put(replace).post(add).delete(clear))
        .with_state(zones)
}

/// A fault as JSON; times such as `500ms`, `3s`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FaultJson {
    name: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    record_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    #[serde(rename = "do")]
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    octets: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// A fault as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    fault: FaultJson,
    /// Questions that it concerned.
    seen: u64,
    /// Questions that met it.
    fired: u64,
}

#[derive(Debug, Serialize)]
struct List {
    faults: Vec<Listed>,
}

async fn list(State(zones): State<Snapshot>) -> Response {
    listed(&zones, StatusCode::OK)
}

async fn replace(State(zones): State<Snapshot>, body: Bytes) -> Response {
    let read = serde_json::from_slice::<Vec<FaultJson>>(&body)
        .map_err(|e| unreadable("a list of faults", &e));
    let written = match read {
        Ok(written) if written.len() > FAULTS => {
            return problem(&[mistake(
                "",
                format!("at most {FAULTS} faults"),
                written.len().to_string(),
            )]);
        }
        Ok(written) => written,
        Err(response) => return response,
    };
    let (mut faults, mut mistakes) = (Vec::new(), Vec::new());
    for (index, written) in written.into_iter().enumerate() {
        match build(written) {
            Ok(fault) => faults.push(Arc::new(fault)),
            Err(found) => mistakes.extend(found.iter().map(|m| described(&format!("{index}."), m))),
        }
    }
    if !mistakes.is_empty() {
        return problem(&mistakes);
    }
    zones.rcu(|zones| zones.with_faults(faults.clone()));
    listed(&zones, StatusCode::OK)
}

async fn add(State(zones): State<Snapshot>, body: Bytes) -> Response {
    let written = match serde_json::from_slice::<FaultJson>(&body) {
        Ok(written) => written,
        Err(error) => return unreadable("a fault", &error),
    };
    let fault = match build(written) {
        Ok(fault) => Arc::new(fault),
        Err(found) => return problem(&found.iter().map(|m| described("", m)).collect::<Vec<_>>()),
    };
    if zones.load().faults().len() >= FAULTS {
        return problem(&[mistake(
            "",
            format!("at most {FAULTS} faults"),
            "one more".to_owned(),
        )]);
    }
    zones.rcu(|zones| zones.with_faults([zones.faults(), &[Arc::clone(&fault)]].concat()));
    listed(&zones, StatusCode::CREATED)
}

async fn clear(State(zones): State<Snapshot>) -> StatusCode {
    zones.rcu(|zones| zones.with_faults(Vec::new()));
    StatusCode::NO_CONTENT
}

fn listed(zones: &Snapshot, status: StatusCode) -> Response {
    let row = |fault: &Arc<Fault>| Listed {
        fault: written(fault),
        seen: fault.seen(),
        fired: fault.fired(),
    };
    let faults = zones.load().faults().iter().map(row).collect();
    (status, axum::Json(List { faults })).into_response()
}

fn build(written: FaultJson) -> Result<Fault, Vec<FaultMistake>> {
    let mut mistakes = Vec::new();
    let mut time = |key, text: Option<&String>| {
        let text = text?;
        let time = duration(text);
        if time.is_none() {
            let (expected, found) = (
                "a time such as 500ms, 5s or 2m".to_owned(),
                format!("{text:?}"),
            );
            mistakes.push(FaultMistake {
                key,
                expected,
                found,
            });
        }
        time
    };
    let (delay, jitter) = (
        time("delay", written.delay.as_ref()),
        time("jitter", written.jitter.as_ref()),
    );
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let FaultJson {
        name,
        record_type,
        transport,
        from,
        times,
        every,
        seed,
        ttl,
        length,
        octets,
        order,
        address,
        ..
    } = written;
    let action = Some(written.action);
    let spec = FaultSpec {
        name,
        record_type,
        transport,
        action,
        from,
        times,
        every,
        delay,
        jitter,
        seed,
        ttl,
        length,
        octets,
        order,
        address,
    };
    spec.build()
}

fn written(fault: &Fault) -> FaultJson {
    let spec = FaultSpec::of(fault);
    let time = |time: Duration| format!("{}ms", time.as_millis());
    FaultJson {
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
    }
}

fn mistake(key: &str, expected: String, found: String) -> serde_json::Value {
    serde_json::json!({ "key": key, "expected": expected, "found": found })
}

fn described(place: &str, found: &FaultMistake) -> serde_json::Value {
    mistake(
        &format!("{place}{}", found.key),
        found.expected.clone(),
        found.found.clone(),
    )
}

fn unreadable(expected: &str, error: &serde_json::Error) -> Response {
    problem(&[mistake(
        "",
        format!("{expected} as JSON"),
        error.to_string(),
    )])
}

/// The mistakes as problem details (RFC 9457).
fn problem(mistakes: &[serde_json::Value]) -> Response {
    let status = StatusCode::BAD_REQUEST;
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": 400, "mistakes": mistakes });
    (
        status,
        [("content-type", "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}
