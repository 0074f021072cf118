//! `mail`: the messages that were accepted. `messages` is Mailpit's word, with Mailpit's answers.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::Mail;
use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Id, Listing, TheWorld};
use crate::http::server::paging::{Cursor, Page};
use crate::http::server::problem::Problem;
use crate::journal::{Envelope, Message};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(raw))
}

/// A message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct MailView {
    /// The number of the message in this world, from 1.
    id: u64,
    /// The number of its session.
    session: u64,
    /// The time of the reply to the final dot.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The envelope.
    #[serde(flatten)]
    envelope: Envelope,
    /// The size of the message as sent, in octets.
    octets: usize,
}

impl From<&Arc<Message>> for MailView {
    fn from(message: &Arc<Message>) -> Self {
        let Message {
            id,
            session,
            at,
            envelope,
            octets,
            ..
        } = &**message;
        Self {
            id: *id,
            session: *session,
            at: *at,
            envelope: Envelope::clone(envelope),
            octets: octets.len(),
        }
    }
}

/// One page of messages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MailPage {
    /// The messages.
    mail: Vec<MailView>,
    #[serde(flatten)]
    cursor: Cursor,
}

/// List the accepted messages, oldest first
#[utoipa::path(get, path = "/mail", tag = "journal", params(Page, Mail), responses(
    (status = 200, description = "One page", body = MailPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    TheWorld(world): TheWorld,
    Listing(page, pattern): Listing<Page, Mail>,
) -> Json<MailPage> {
    let found = page.of(
        world.messages(),
        |message| message.id,
        |message| pattern.matches(message),
    );
    Json(MailPage {
        mail: found.entries.iter().map(MailView::from).collect(),
        cursor: found.cursor,
    })
}

/// Show the envelope of one message
#[utoipa::path(get, path = "/mail/{id}", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The message", body = MailView),
    (status = 404, description = "No message has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn one(TheWorld(world): TheWorld, Id(id): Id) -> Result<Json<MailView>, Problem> {
    find(&world, id).map(|message| Json(MailView::from(&message)))
}

/// Return one message as received, below the trace fields that the receiver adds
#[utoipa::path(get, path = "/mail/{id}/raw", tag = "journal", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "An .eml file", body = Vec<u8>, content_type = "message/rfc822"),
    (status = 404, description = "No message has this number", body = Problem, content_type = "application/problem+json"),
))]
async fn raw(TheWorld(world): TheWorld, Id(id): Id) -> Result<impl IntoResponse, Problem> {
    let message = find(&world, id)?;
    let name = format!("attachment; filename=\"message-{id}.eml\"");
    Ok((
        [
            (header::CONTENT_TYPE, "message/rfc822".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        message.raw(),
    ))
}

pub(crate) fn find(world: &World, id: u64) -> Result<Arc<Message>, Problem> {
    let message = world.messages().entry(id);
    message.ok_or_else(|| {
        Problem::not_found(
            "id",
            "the number of a message that is kept",
            &id.to_string(),
        )
    })
}
