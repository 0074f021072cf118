//! `sessions/{id}/picture`: drawings that show why a session was refused.

use std::sync::{Arc, LazyLock};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::check::Attempt;
use crate::error::Error;
use crate::harness::World;
use crate::http::App;
use crate::http::api::sessions::find;
use crate::http::server::extract::{Id, Place, TheWorld};
use crate::http::server::problem::Problem;
use crate::picture::{Case, Picture, STYLE, steps};
use crate::policy::Remedy;
use crate::smtp::{SessionEntry, SessionRecord};

/// The policy of pictures: only their own style sheet takes effect; scripts, images and other origins are forbidden.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'self'");
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(svg))
        .routes(routes!(page))
        .routes(routes!(remedy))
}

/// Draw the identities of a session as SVG
#[utoipa::path(get, path = "/sessions/{id}/picture.svg", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "Each identity with the DNS answers about it, and the broken link", body = String, content_type = "image/svg+xml"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn svg(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let entry = find(&world, id)?;
    let drawn = move || {
        entry.explain(|record| drawing(&Picture::of(&Case::of_session(record, Vec::new()))))
    };
    drawn_apart(drawn).await
}

/// Draw why a session was refused, as an HTML page with identities, SPF, remedies and a timeline
///
/// Each remedy has the picture of the session after it, if the world still has the receiver of the session.
#[utoipa::path(get, path = "/sessions/{id}/picture", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "A page without scripts, which can be printed", body = String, content_type = "text/html"),
    (status = 404, description = "No session has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn page(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let entry = find(&world, id)?;
    drawn_apart(move || document(&whole(&world, &entry))).await
}

/// Draws on a blocking thread.
async fn drawn_apart<R: Send + 'static>(
    draw: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Problem> {
    let drawn = tokio::task::spawn_blocking(draw).await;
    drawn.map_err(|e| Problem::of("", &Error::other(e.to_string())))
}

/// Draw the judgement of the client of a session after a remedy, as an HTML page
///
/// The judgement uses the current receiver and zones of the world. The remedy is applied to a copy; the world is unchanged.
#[utoipa::path(get, path = "/sessions/{id}/remedies/{number}/picture", tag = "journal", params(
    ("id" = u64, Path, description = "Its number"),
    ("number" = u64, Path, description = "The place of the remedy in the first refusal's `remedies.one_of`, from 1"),
), responses(
    (status = 200, description = "The page, as for a session", body = String, content_type = "text/html"),
    (status = 404, description = "No session of this number is kept, or it has no such remedy", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The remedy is up to the receiver, or to the client's conduct: it cannot be tried", body = Problem, content_type = "application/problem+json"),
))]
async fn remedy(
    TheWorld(world): TheWorld,
    Id(id): Id,
    Place(number): Place,
) -> Result<Response, Problem> {
    let entry = find(&world, id)?;
    let tried = move || {
        let (attempt, remedies) =
            entry.explain(|record| (attempt(&world, record), remedies(record)));
        let chosen = remedies.get(number.wrapping_sub(1));
        let chosen = chosen.ok_or_else(|| {
            Problem::not_found("number", "the place of a remedy", &number.to_string())
        })?;
        let named = entry.look(|record| record.receiver.to_string());
        let profile = world.receiver_named(&named);
        let profile = profile.unwrap_or_else(|| world.receiver_for(&attempt.recipient));
        let judgement = world.check_remedied(&profile, &attempt, chosen);
        let judgement = judgement.ok_or_else(|| {
            let detail =
                "the remedy is up to the receiver, or to the client's conduct: it cannot be tried";
            Problem::new(StatusCode::CONFLICT, detail)
        })?;
        Ok(document(&Picture::of(&Case::from(&judgement))).into_response())
    };
    let tried = tokio::task::spawn_blocking(tried).await;
    tried.unwrap_or_else(|e| Err(Problem::of("", &Error::other(e.to_string()))))
}

fn remedies(record: &SessionRecord) -> Vec<Remedy> {
    let first = record.refusals.first();
    first.map_or_else(Vec::new, |refusal| refusal.remedies.to_vec())
}

/// The session as an attempt that can be judged again: its first recipient, and its first message if that is kept.
fn attempt(world: &World, record: &SessionRecord) -> Attempt {
    let mut attempt = world.attempt(record.client_address, &record.helo);
    if let Some(helo) = &record.facts.helo {
        helo.verb.word().clone_into(&mut attempt.verb);
    }
    if !record.sender.is_empty() || !record.recipients.is_empty() {
        attempt = attempt.from_sender(record.sender.clone());
    }
    if let Some(recipient) = record.recipients.first() {
        attempt.recipient.clone_from(recipient);
    }
    let number = record.transactions.iter().find_map(|each| each.message);
    if let Some(message) = number.and_then(|number| world.messages().entry(number)) {
        attempt.message = message.octets.to_vec();
    }
    attempt
}

/// Responds with the page of a picture, under its policy.
pub(crate) fn document(picture: &Picture) -> impl IntoResponse + use<> {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        ],
        picture.html(),
    )
}

/// Responds with the SVG of a picture, under its policy.
pub(crate) fn drawing(picture: &Picture) -> impl IntoResponse + use<> {
    let kind = HeaderValue::from_static("image/svg+xml; charset=utf-8");
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        ],
        picture.svg(),
    )
}

/// The picture of a session with its timeline and the effect of each remedy.
fn whole(world: &World, entry: &SessionEntry) -> Picture {
    let (events, queries) = (world.events().entries(), world.dns_queries().entries());
    // The record is copied: a judgement takes the lock of changes, which comes before that of a record in the lock
    // order.
    let record = entry.explain(SessionRecord::clone);
    let case = Case::of_session(&record, steps(&record, &events, &queries));
    let Some(profile) = world.receiver_named(&record.receiver) else {
        return Picture::of(&case);
    };
    let attempt = attempt(world, &record);
    let judge = |remedy: &Remedy| world.check_remedied(&profile, &attempt, remedy);
    match record.refusals.first() {
        Some(refusal) => Picture::of(&case.trying(&refusal.remedies, judge)),
        None => Picture::of(&case),
    }
}
