//! `client`: the source of client addresses of a world.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::App;
use crate::http::server::extract::{Body, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::smtp::{ClientSource, Order};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_client, set_client))
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
    /// Converts the request, or reports the wrong field.
    pub(crate) fn source(self) -> Result<ClientSource, Problem> {
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
