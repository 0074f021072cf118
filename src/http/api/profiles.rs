//! `scenario` and `receiver`: what a world runs, and its replacement.

use std::sync::Arc;

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::App;
use crate::http::api::source::Source;
use crate::http::server::extract::{Body, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::name;
use crate::scenario::{ReceiverProfile, Scenario};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_scenario, set_scenario))
        .routes(routes!(show_receiver, set_receiver))
}

/// A scenario.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ScenarioView {
    name: String,
    /// The title.
    title: String,
    /// The sources.
    sources: Vec<String>,
    /// The default receiver.
    receiver: String,
    /// The recipient domains; their MX is the receiver.
    domains: Vec<String>,
    /// The clients, each with client address and HELO name.
    clients: Vec<ClientView>,
    /// The number of DNS faults.
    faults: usize,
    /// The TOML text that it was read from.
    text: Arc<str>,
}

/// A client of a scenario.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ClientView {
    address: String,
    helo: String,
}

fn view(scenario: &Scenario) -> ScenarioView {
    let client = |c: crate::scenario::ScenarioClient| ClientView {
        address: c.address.to_string(),
        helo: c.helo,
    };
    ScenarioView {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        sources: scenario.sources.clone(),
        receiver: scenario.receiver.clone(),
        domains: scenario
            .domains
            .iter()
            .map(|domain| name::display(&domain.name))
            .collect(),
        clients: scenario.clients().into_iter().map(client).collect(),
        faults: scenario.faults.len(),
        text: Arc::clone(&scenario.text),
    }
}

/// Show the scenario of the world
#[utoipa::path(get, path = "/scenario", tag = "change", responses((status = 200, description = "The scenario", body = ScenarioView)))]
async fn show_scenario(TheWorld(world): TheWorld) -> Json<ScenarioView> {
    Json(view(&world.scenario()))
}

/// The scenario to load.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewScenario {
    scenario: Source,
}

/// Replace the scenario with its zones, faults and client addresses
#[utoipa::path(put, path = "/scenario", tag = "change", request_body = NewScenario, responses(
    (status = 200, description = "The scenario is loaded", body = ScenarioView),
    BodyMistakes,
))]
async fn set_scenario(
    TheWorld(world): TheWorld,
    Body(new): Body<NewScenario>,
) -> Result<Json<ScenarioView>, Problem> {
    world
        .set_scenario(new.scenario.scenario()?)
        .map_err(|error| Problem::of("scenario", &error))?;
    Ok(Json(view(&world.scenario())))
}

/// A receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ReceiverView {
    name: String,
    /// The title.
    title: String,
    /// The group: `software`, `operator` or `generic`.
    group: String,
    /// The years in which the receiver replied like this.
    era: String,
    /// Confidence in the reply texts: `high`, `medium`, `low`, `invented`; empty if the receiver models no real one.
    confidence: String,
    /// The sources.
    sources: Vec<String>,
    /// The host name of the receiver.
    hostname: String,
    /// The TOML text that it was read from.
    text: Arc<str>,
}

fn view_receiver(profile: &ReceiverProfile) -> ReceiverView {
    let ReceiverProfile {
        name,
        title,
        group,
        era,
        confidence,
        sources,
        receiver,
        text,
        ..
    } = profile.clone();
    let hostname = receiver.settings.hostname.clone();
    ReceiverView {
        name,
        title,
        group,
        era,
        confidence,
        sources,
        hostname,
        text,
    }
}

/// Show the receiver of the world
#[utoipa::path(get, path = "/receiver", tag = "change", responses((status = 200, description = "The receiver", body = ReceiverView)))]
async fn show_receiver(TheWorld(world): TheWorld) -> Json<ReceiverView> {
    Json(view_receiver(&world.receiver()))
}

/// The receiver to load.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReceiver {
    receiver: Source,
}

/// Replace the receiver for new connections
#[utoipa::path(put, path = "/receiver", tag = "change", request_body = NewReceiver, responses(
    (status = 200, description = "The receiver is loaded", body = ReceiverView),
    BodyMistakes,
))]
async fn set_receiver(
    TheWorld(world): TheWorld,
    Body(new): Body<NewReceiver>,
) -> Result<Json<ReceiverView>, Problem> {
    world.set_receiver(new.receiver.receiver()?);
    Ok(Json(view_receiver(&world.receiver())))
}
