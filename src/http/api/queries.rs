//! `dns/queries`: the DNS queries and their answers.

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::Queries;
use crate::http::App;
use crate::http::server::extract::{Listing, TheWorld};
use crate::http::server::paging::{Cursor, Page};
use crate::http::server::problem::Problem;
use crate::journal::DnsQuery;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One page of DNS queries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QueryPage {
    /// The queries.
    queries: Vec<Arc<DnsQuery>>,
    #[serde(flatten)]
    cursor: Cursor,
}

/// List the DNS queries and their answers, oldest first
#[utoipa::path(get, path = "/dns/queries", tag = "journal", params(Page, Queries), responses(
    (status = 200, description = "One page", body = QueryPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    TheWorld(world): TheWorld,
    Listing(page, pattern): Listing<Page, Queries>,
) -> Json<QueryPage> {
    let found = page.of(
        world.dns_queries(),
        |query| query.id,
        |query| pattern.mismatches(query).is_empty(),
    );
    Json(QueryPage {
        queries: found.entries,
        cursor: found.cursor,
    })
}
