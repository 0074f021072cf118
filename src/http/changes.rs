//! What can be changed while a world runs: scenario, zones, receiver, client address, clock; and the reset of it all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::extract::{Body, Name, Params, TheWorld};
use super::problem::{BodyMistakes, Problem};
use crate::error::Error;
use crate::name;
use crate::scenario::{self, ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, Order};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_scenario, set_scenario))
        .routes(routes!(show_receiver, set_receiver))
        .routes(routes!(set_zone))
        .routes(routes!(set_client))
        .routes(routes!(clock, advance))
        .routes(routes!(reset))
}

/// A scenario or receiver: the name of one that is built in, its TOML text, or the same as a JSON object.
///
/// Files of the server are not read: who may ask here need not be who may read there.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum Source {
    /// A name, or TOML text.
    Text(String),
    /// What the TOML would say.
    #[schema(value_type = Object)]
    Object(serde_json::Map<String, Value>),
}

/// By hand: what serde derives says `untagged enum Source` of a mistake.
impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Source;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a built-in name, TOML text or an object")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Source, E> {
                Ok(Source::Text(text.to_owned()))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let map = Deserialize::deserialize(MapAccessDeserializer::new(map));
                map.map(Source::Object)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The name of what was sent as text; no files are read beside it.
const INLINE: &str = "builtin:/inline";

impl Source {
    /// Reads a scenario.
    pub fn scenario(&self) -> Result<Scenario, Problem> {
        let scenario = match self.read("scenario")? {
            Read::Name(name) => {
                scenario::load_scenario(name).map_err(|error| Problem::of("scenario", &error))
            }
            Read::Toml(text) => scenario::parse_scenario(INLINE, &text)
                .map_err(|error| self.wrong("scenario", &error, &text)),
        };
        let scenario = scenario?;
        not_a_path("scenario.receiver", &scenario.receiver)?;
        Ok(scenario)
    }

    /// Reads a receiver.
    pub fn receiver(&self) -> Result<ReceiverProfile, Problem> {
        match self.read("receiver")? {
            Read::Name(name) => {
                scenario::load_receiver(name).map_err(|error| Problem::of("receiver", &error))
            }
            Read::Toml(text) => scenario::parse_receiver(INLINE, &text)
                .map_err(|error| self.wrong("receiver", &error, &text)),
        }
    }

    /// A mistake in the text that was sent, or in the object that was read as this text.
    fn wrong(&self, field: &str, error: &Error, text: &str) -> Problem {
        match self {
            Self::Text(_) => Problem::of(field, error),
            Self::Object(_) => Problem::of_object(field, error, text),
        }
    }

    fn read(&self, field: &str) -> Result<Read<'_>, Problem> {
        match self {
            Self::Text(text) if text.contains(['\n', '=']) => Ok(Read::Toml(text.clone())),
            Self::Text(name) => {
                not_a_path(field, name)?;
                Ok(Read::Name(name))
            }
            Self::Object(map) => {
                let text = toml::to_string(map);
                text.map(Read::Toml)
                    .map_err(|e| Problem::mistake(field, "what TOML can say", &e.to_string()))
            }
        }
    }
}

enum Read<'a> {
    Name(&'a str),
    Toml(String),
}

fn not_a_path(field: &str, name: &str) -> Result<(), Problem> {
    if name.contains(['/', '\\']) || name.ends_with(".toml") {
        return Err(Problem::mistake(
            field,
            "a built-in name, TOML text or an object; files are not read here",
            name,
        ));
    }
    Ok(())
}

/// A scenario.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ScenarioView {
    name: String,
    /// What it shows, in one line.
    title: String,
    /// Where it is known from.
    sources: Vec<String>,
    /// The receiver it meets unless told otherwise.
    receiver: String,
    /// Recipient domains: their MX is the receiver.
    domains: Vec<String>,
    /// Its clients: address and helo.
    clients: Vec<ClientView>,
    /// How many DNS faults it has.
    faults: usize,
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
        domains: scenario.domains.iter().map(name::display).collect(),
        clients: scenario.clients().into_iter().map(client).collect(),
        faults: scenario.faults.len(),
    }
}

/// The scenario
#[utoipa::path(get, path = "/scenario", tag = "change", responses((status = 200, description = "As it stands now", body = ScenarioView)))]
async fn show_scenario(TheWorld(world): TheWorld) -> Json<ScenarioView> {
    Json(view(&world.scenario()))
}

/// Which scenario.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewScenario {
    scenario: Source,
}

/// Replaces the scenario: zones, faults, client addresses
#[utoipa::path(put, path = "/scenario", tag = "change", request_body = NewScenario, responses(
    (status = 200, description = "It is served from now on", body = ScenarioView),
    BodyMistakes,
))]
async fn set_scenario(
    TheWorld(world): TheWorld,
    Body(new): Body<NewScenario>,
) -> Result<Json<ScenarioView>, Problem> {
    world.set_scenario(new.scenario.scenario()?);
    Ok(Json(view(&world.scenario())))
}

/// A receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ReceiverView {
    name: String,
    /// What it is, in one line.
    title: String,
    /// `software`, `operator` or `generic`.
    group: String,
    /// When it answered like this.
    era: String,
    /// How sure the texts are: `high`, `medium`, `low`, `invented`; empty where nothing is claimed.
    confidence: String,
    /// Where it is known from.
    sources: Vec<String>,
    /// Its host name.
    hostname: String,
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
    }
}

/// The receiver
#[utoipa::path(get, path = "/receiver", tag = "change", responses((status = 200, description = "As it judges now", body = ReceiverView)))]
async fn show_receiver(TheWorld(world): TheWorld) -> Json<ReceiverView> {
    Json(view_receiver(&world.receiver()))
}

/// Which receiver.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReceiver {
    receiver: Source,
}

/// Replaces the receiver for connections from now on
#[utoipa::path(put, path = "/receiver", tag = "change", request_body = NewReceiver, responses(
    (status = 200, description = "It judges from now on", body = ReceiverView),
    BodyMistakes,
))]
async fn set_receiver(
    TheWorld(world): TheWorld,
    Body(new): Body<NewReceiver>,
) -> Result<Json<ReceiverView>, Problem> {
    world.set_receiver(new.receiver.receiver()?);
    Ok(Json(view_receiver(&world.receiver())))
}

/// A zone's text.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewZone {
    /// Records as in a master file (RFC 1035 §5).
    #[schema(example = "mail A 192.0.2.1\n@ MX 10 mail")]
    text: String,
}

/// Adds a zone, or replaces the one of that origin
#[utoipa::path(put, path = "/zones/{name}", tag = "change", params(("name" = String, Path, description = "The origin", example = "example.test")), request_body = NewZone, responses(
    (status = 204, description = "It is served from now on"),
    BodyMistakes,
))]
async fn set_zone(
    TheWorld(world): TheWorld,
    Name(origin): Name,
    Body(new): Body<NewZone>,
) -> Result<StatusCode, Problem> {
    world
        .set_zone(&origin, &new.text)
        .map_err(|error| Problem::of("text", &error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where connections are taken to come from.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Client {
    /// The socket's peer.
    Socket,
    /// Always this address.
    #[schema(value_type = String, format = Ipv4)]
    Address(IpAddr),
    /// By the socket's peer.
    #[schema(value_type = HashMap<String, String>)]
    Map(HashMap<IpAddr, IpAddr>),
    /// The next of a pool for each connection.
    Pool {
        /// The addresses.
        #[schema(value_type = Vec<String>)]
        addresses: Vec<IpAddr>,
        /// Draws one by this seed, in place of one after the other.
        seed: Option<u64>,
    },
}

impl From<Client> for ClientSource {
    fn from(client: Client) -> Self {
        match client {
            Client::Socket => Self::Socket,
            Client::Address(address) => Self::Fixed(address),
            Client::Map(map) => Self::Map(map),
            Client::Pool { addresses, seed } => {
                let order = seed.map_or(Order::RoundRobin, |seed| Order::Random { seed });
                Self::Pool { addresses, order }
            }
        }
    }
}

/// Which client address.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewClient {
    /// Where connections are taken to come from.
    client: Client,
}

/// Takes connections from now on to come from elsewhere
#[utoipa::path(put, path = "/client", tag = "change", request_body = NewClient, responses(
    (status = 204, description = "They do"),
    BodyMistakes,
))]
async fn set_client(TheWorld(world): TheWorld, Body(new): Body<NewClient>) -> StatusCode {
    world.set_client(new.client.into());
    StatusCode::NO_CONTENT
}

/// The receiver's clock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Now {
    /// Milliseconds since the world began, advances included.
    now_ms: f64,
}

/// The time by the receiver's clock
#[utoipa::path(get, path = "/clock", tag = "change", responses((status = 200, description = "The time", body = Now)))]
async fn clock(TheWorld(world): TheWorld) -> Json<Now> {
    Json(Now {
        now_ms: world.now().as_secs_f64() * 1e3,
    })
}

/// How far.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// A time, for example 300s, 5m or 250ms.
    #[schema(example = "5m")]
    advance: String,
}

/// Moves the receiver's clock forward: what it remembers is so much older then
#[utoipa::path(post, path = "/clock", tag = "change", request_body = Advance, responses(
    (status = 200, description = "The time now", body = Now),
    BodyMistakes,
))]
async fn advance(
    TheWorld(world): TheWorld,
    Body(new): Body<Advance>,
) -> Result<Json<Now>, Problem> {
    let by = scenario::duration(&new.advance);
    world.advance(
        by.ok_or_else(|| Problem::mistake("advance", "a time such as 300s or 5m", &new.advance))?,
    );
    Ok(clock(TheWorld(world)).await)
}

/// What a reset leaves.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Leave {
    /// Keeps what was seen, and the expectations.
    keep_journal: bool,
}

/// Begins anew: faults have not fired, the receiver remembers nobody, nothing was seen, nothing is expected
#[utoipa::path(post, path = "/reset", tag = "change", params(Leave), responses(
    (status = 204, description = "As new"),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn reset(TheWorld(world): TheWorld, Params(leave): Params<Leave>) -> StatusCode {
    if leave.keep_journal {
        world.reset();
    } else {
        world.clear();
    }
    StatusCode::NO_CONTENT
}
