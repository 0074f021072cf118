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

use crate::error::Error;
use crate::http::App;
use crate::http::server::extract::{Body, Name, Params, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::name;
use crate::scenario::{self, ReceiverProfile, Scenario};
use crate::smtp::{ClientSource, Order};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_scenario, set_scenario))
        .routes(routes!(show_receiver, set_receiver))
        .routes(routes!(list_zones))
        .routes(routes!(show_zone, set_zone, remove_zone))
        .routes(routes!(show_client, set_client))
        .routes(routes!(clock, advance))
        .routes(routes!(reset))
}

/// A scenario or receiver: the name of a built-in one, TOML text, or the same content as a JSON object.
///
/// File names are not accepted, because an HTTP client must not be able to read files of the server.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = ScenarioOrReceiver)]
pub(crate) enum Source {
    /// The name of a built-in one, or TOML text.
    Text(String),
    /// The content of the TOML file as a JSON object.
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
        domains: scenario.domains.iter().map(name::display).collect(),
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

/// The source of client addresses: the address that each connection is judged by.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Client {
    /// The address of the connection.
    Socket,
    /// One address for all connections.
    #[schema(value_type = String, format = "ip")]
    Address(IpAddr),
    /// A map from the address of the connection to the client address; other addresses are used unchanged. Not empty.
    #[schema(value_type = HashMap<String, String>)]
    Map(HashMap<IpAddr, IpAddr>),
    /// The next address of a pool for each connection.
    Pool {
        /// The addresses; not empty.
        #[schema(value_type = Vec<String>, min_items = 1)]
        addresses: Vec<IpAddr>,
        /// The order in which addresses are used.
        #[serde(default)]
        order: PoolOrder,
        /// The seed of the order `random`; 1 by default. Not allowed with another order.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 0)]
        seed: Option<u64>,
    },
}

/// The order in which the addresses of a pool are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PoolOrder {
    /// Each address in turn.
    #[default]
    RoundRobin,
    /// A pseudo-random order, which is the same for the same seed.
    Random,
}

impl Client {
    /// The source of client addresses that is meant.
    pub fn source(self) -> Result<ClientSource, Problem> {
        let source = match self {
            Self::Socket => ClientSource::Socket,
            Self::Address(address) => ClientSource::Fixed(address),
            Self::Map(map) => ClientSource::Map(map),
            Self::Pool {
                addresses,
                order,
                seed,
            } => {
                let order = match (order, seed) {
                    (PoolOrder::RoundRobin, None) => Order::RoundRobin,
                    (PoolOrder::RoundRobin, Some(seed)) => {
                        return Err(Problem::mistake(
                            "client.pool.seed",
                            "a seed only with \"order\": \"random\"",
                            &seed.to_string(),
                        ));
                    }
                    (PoolOrder::Random, seed) => Order::Random {
                        seed: seed.unwrap_or(1),
                    },
                };
                ClientSource::Pool { addresses, order }
            }
        };
        let field = match source {
            ClientSource::Pool { .. } => "client.pool.addresses",
            _ => "client.map",
        };
        source.check().map_err(|error| Problem::of(field, &error))?;
        Ok(source)
    }
}

impl From<ClientSource> for Client {
    fn from(source: ClientSource) -> Self {
        match source {
            ClientSource::Socket => Self::Socket,
            ClientSource::Fixed(address) => Self::Address(address),
            ClientSource::Map(map) => Self::Map(map),
            ClientSource::Pool { addresses, order } => {
                let (order, seed) = match order {
                    Order::RoundRobin => (PoolOrder::RoundRobin, None),
                    Order::Random { seed } => (PoolOrder::Random, Some(seed)),
                };
                Self::Pool {
                    addresses,
                    order,
                    seed,
                }
            }
        }
    }
}

/// The source of client addresses of a world.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ClientOfWorld {
    /// The source of client addresses: the address that each connection is judged by.
    client: Client,
}

/// Show the source of client addresses, in the format that PUT accepts
#[utoipa::path(get, path = "/client", tag = "change", operation_id = "show_client", responses((status = 200, description = "The source of client addresses", body = ClientOfWorld)))]
async fn show_client(TheWorld(world): TheWorld) -> Json<ClientOfWorld> {
    Json(ClientOfWorld {
        client: world.client().into(),
    })
}

/// Replace the source of client addresses for new connections
#[utoipa::path(put, path = "/client", tag = "change", operation_id = "set_client", request_body = ClientOfWorld, responses(
    (status = 204, description = "The source is replaced"),
    BodyMistakes,
))]
async fn set_client(
    TheWorld(world): TheWorld,
    Body(new): Body<ClientOfWorld>,
) -> Result<StatusCode, Problem> {
    world
        .set_client(new.client.source()?)
        .map_err(|error| Problem::of("client", &error))?;
    Ok(StatusCode::NO_CONTENT)
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
