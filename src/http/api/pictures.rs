//! `sessions/{id}/picture`: why a session was refused, drawn.

use std::sync::{Arc, LazyLock};

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Id, TheWorld};
use crate::http::server::problem::Problem;
use crate::picture::{Case, Picture, STYLE, moments};

/// Nothing but the style sheet of pictures may take effect in them: no script, no image, no other origin.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'self'");
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(svg))
        .routes(routes!(page))
}

/// Draw the identities of a session as SVG
#[utoipa::path(get, path = "/sessions/{id}/picture.svg", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "Each identity with the DNS answers about it, and the broken link", body = String, content_type = "image/svg+xml"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn svg(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let svg = picture(&world, id)?.svg();
    let kind = HeaderValue::from_static("image/svg+xml; charset=utf-8");
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        ],
        svg,
    ))
}

/// Draw why a session was refused, as an HTML page with identities, SPF, remedies and a timeline
#[utoipa::path(get, path = "/sessions/{id}/picture", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "A page without scripts, which can be printed", body = String, content_type = "text/html"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn page(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let html = picture(&world, id)?.html();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        ],
        html,
    ))
}

fn picture(world: &World, id: u64) -> Result<Picture, Problem> {
    let entry = crate::http::api::sessions::find(world, id)?;
    let (events, queries) = (world.events().entries(), world.dns_queries().entries());
    let receiver = world.receiver().receiver.name.clone();
    Ok(entry.look(|record| {
        let moments = moments(record, &events, &queries);
        Picture::of(&Case::of_session(record, &receiver, moments))
    }))
}
