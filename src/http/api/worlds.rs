//! `worlds`: many worlds in one process, each with its own ports, zones, journal and memory.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::harness::{MAIN, World, Worlds};
use crate::http::App;
use crate::http::api::client::Client;
use crate::http::api::source::Source;
use crate::http::server::extract::{Body, Name};
use crate::http::server::placement::{host_and_port, host_of, shown};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::name;
use crate::scenario::Place;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, remove))
}

/// A world.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WorldView {
    /// The name of the world in paths.
    name: String,
    /// The scenario.
    scenario: String,
    /// The receiver.
    receiver: String,
    /// The address of the SMTP server.
    smtp: String,
    /// The host of `smtp`.
    smtp_host: String,
    /// The port of `smtp`.
    smtp_port: u16,
    /// The address of the DNS server, for UDP and TCP.
    dns: String,
    /// The host of `dns`.
    dns_host: String,
    /// The port of `dns`.
    dns_port: u16,
    /// The mail servers of the recipient domains.
    exchanges: Vec<ExchangeView>,
    /// The number of sessions kept.
    sessions: usize,
    /// The number of messages kept.
    messages: usize,
}

/// A mail server of a recipient domain, at one address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ExchangeView {
    /// The recipient domain.
    domain: String,
    /// The preference of its MX record; absent where the domain has none and is its own exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    preference: Option<u16>,
    /// The host.
    exchange: String,
    /// The address of the host in the DNS; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Where the receiver listens; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp: Option<String>,
    /// The receiver; absent if nothing listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<String>,
}

impl ExchangeView {
    fn of(place: &Place, main: &str, host: &RequestedHost) -> Self {
        let receiver = place.receiver.as_deref().unwrap_or(main);
        Self {
            domain: name::display(&place.domain),
            preference: place.preference,
            exchange: name::display(&place.exchange),
            address: place.address.map(|address| address.to_string()),
            smtp: place.listener.map(|listener| host.reaches(listener)),
            receiver: place.listener.map(|_| receiver.to_owned()),
        }
    }
}

impl WorldView {
    /// The view of a world for a client that reaches this server as `host`.
    fn of(name: &str, world: &World, host: &RequestedHost) -> Self {
        let of = |address| host.reaches(address);
        let (smtp, dns) = (of(world.smtp_addr()), of(world.dns_addr()));
        let split = |address: &str| host_and_port(address).unwrap_or_default();
        let ((smtp_host, smtp_port), (dns_host, dns_port)) = (split(&smtp), split(&dns));
        let receiver = world.receiver().name.clone();
        let places = world.exchanges();
        let exchanges = places
            .iter()
            .map(|place| ExchangeView::of(place, &receiver, host));
        Self {
            name: name.to_owned(),
            scenario: world.scenario().name.clone(),
            exchanges: exchanges.collect(),
            receiver,
            smtp,
            smtp_host,
            smtp_port,
            dns,
            dns_host,
            dns_port,
            sessions: world.sessions().counts().kept,
            messages: world.messages().counts().kept,
        }
    }
}

/// Every world.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WorldList {
    worlds: Vec<WorldView>,
}

/// List the worlds, the main one first
#[utoipa::path(get, path = "/worlds", tag = "worlds", responses((status = 200, description = "The worlds", body = WorldList)))]
async fn list(State(app): State<Arc<App>>, host: RequestedHost) -> Json<WorldList> {
    let worlds = app.worlds.all();
    Json(WorldList {
        worlds: worlds
            .iter()
            .map(|(name, world)| WorldView::of(name, world, &host))
            .collect(),
    })
}

/// A world to create.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct NewWorld {
    /// The name of the world in paths: letters, digits, `-`, `_` and `.`, not beginning with `.`; chosen by the server if absent.
    #[schema(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    name: Option<String>,
    /// The scenario; `one-to-one` by default.
    scenario: Option<Source>,
    /// The receiver; that of the scenario by default.
    receiver: Option<Source>,
    /// The source of client addresses; that of the scenario by default.
    client: Option<Client>,
}

/// Create a world on free ports
#[utoipa::path(post, path = "/worlds", tag = "worlds", request_body = NewWorld, responses(
    (status = 201, description = "The world accepts connections", body = WorldView),
    BodyMistakes,
    (status = 503, description = "The operating system did not provide the ports", body = Problem, content_type = "application/problem+json"),
))]
async fn create(
    State(app): State<Arc<App>>,
    host: RequestedHost,
    Body(new): Body<NewWorld>,
) -> Result<(StatusCode, Json<WorldView>), Problem> {
    let NewWorld {
        name,
        scenario,
        receiver,
        client,
    } = new;
    if let Some(name) = &name {
        Worlds::check_name(name).map_err(|error| Problem::of("name", &error))?;
    }
    let place = &app.options.worlds;
    let address = SocketAddr::new(place.address.unwrap_or(Ipv4Addr::LOCALHOST.into()), 0);
    let mut builder = World::builder()
        .keep(app.worlds.main().retention())
        .smtp(address)
        .dns(address);
    if let Some(ports) = &place.ports {
        builder = builder.ports(ports.clone());
    }
    if let Some(address) = place.advertised() {
        builder = builder.advertise(address);
    }
    if let Some(networks) = &place.xclient {
        builder = builder.xclient_from(Arc::clone(networks));
    }
    if let Some(scenario) = scenario {
        builder = builder.with_scenario(scenario.scenario()?);
    }
    if let Some(receiver) = receiver {
        builder = builder.with_receiver(receiver.receiver()?);
    }
    if let Some(client) = client {
        builder = builder.client(client.source()?);
    }
    let (name, world) = app
        .worlds
        .add(name, builder)
        .await
        .map_err(|error| Problem::of("name", &error))?;
    Ok((
        StatusCode::CREATED,
        Json(WorldView::of(&name, &world, &host)),
    ))
}

/// Show one world
#[utoipa::path(get, path = "/worlds/{name}", tag = "worlds", params(("name" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The world", body = WorldView),
    (status = 404, description = "No world has this name", body = Problem, content_type = "application/problem+json"),
))]
async fn one(
    State(app): State<Arc<App>>,
    host: RequestedHost,
    Name(name): Name,
) -> Result<Json<WorldView>, Problem> {
    let world = app.worlds.find(&name);
    let none = || Problem::not_found("name", "the name of a world", &name);
    world
        .map(|world| Json(WorldView::of(&name, &world, &host)))
        .ok_or_else(none)
}

/// Delete a world
#[utoipa::path(delete, path = "/worlds/{name}", tag = "worlds", params(("name" = String, Path, description = "Its name")), responses(
    (status = 204, description = "The world is deleted and its ports are closed"),
    (status = 400, description = "The main world cannot be deleted", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No world has this name", body = Problem, content_type = "application/problem+json"),
))]
async fn remove(State(app): State<Arc<App>>, Name(name): Name) -> Result<StatusCode, Problem> {
    if name == MAIN {
        return Err(Problem::mistake(
            "name",
            "another world than the main one",
            MAIN,
        ));
    }
    if app.worlds.remove(&name).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("name", "the name of a world", &name))
}

/// The host by which a request reaches this server.
struct RequestedHost(Option<String>);

impl RequestedHost {
    /// An address as the client should use it.
    fn reaches(&self, address: SocketAddr) -> String {
        shown(address, self.0.as_deref())
    }
}

impl FromRequestParts<Arc<App>> for RequestedHost {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let field = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let advertised = app.options.worlds.advertise.clone();
        Ok(Self(
            advertised.or_else(|| Some(host_of(field?).to_owned())),
        ))
    }
}
