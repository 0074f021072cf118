//! MailHog's message API, as npm `mailhog`, `cypress-mailhog` and PyPI `mailhog` use it. Deleting shares Mailpit's
//! path: the clients of both accept an empty response.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::App;
use crate::http::compat::mailpit::{hide, shown};
use crate::http::compat::mime::{Mail, fields};
use crate::http::server::extract::{Params, TheWorld};
use crate::http::server::problem::Problem;
use crate::journal::Message;

/// Default number of messages of a page.
const PAGE: usize = 50;
/// Maximum number of messages of a page.
const MOST: usize = 250;

pub(crate) fn routes() -> Router<Arc<App>> {
    let api = || {
        Router::new()
            .route("/api/v2/messages", get(list))
            .route("/api/v2/search", get(search))
            .route(
                "/api/v2/jim",
                get(no_jim).post(no_jim).put(no_jim).delete(no_jim),
            )
            .route("/api/v1/messages/{id}", delete(remove).get(one))
            .route("/api/v1/messages/{id}/download", get(download))
            .route("/api/v1/messages/{id}/release", post(release))
    };
    api().nest("/worlds/{world}", api())
}

/// The page to return.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    start: usize,
    limit: Option<usize>,
}

/// A search.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    kind: String,
    query: String,
    start: usize,
    limit: Option<usize>,
}

async fn list(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    listed(&app, &shown(&app, &world), page).await
}

async fn search(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(query): Params<Query>,
) -> Result<Response, Problem> {
    let Query {
        kind,
        query,
        start,
        limit,
    } = query;
    if query.is_empty() || !["from", "to", "containing"].contains(&kind.as_str()) {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    }
    let wanted = query.to_lowercase();
    let then = move |mails: &mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>| {
        let found = mails.filter(|(message, mail)| matches(message, mail, &kind, &wanted));
        found.map(|(message, _)| message).collect::<Vec<_>>()
    };
    let found = app.mails.all(shown(&app, &world), then).await?;
    listed(&app, &found, Page { start, limit }).await
}

/// A case-insensitive search: in the envelope or header for `from` and `to`, otherwise in the body or any field.
fn matches(message: &Message, mail: &Mail, kind: &str, wanted: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(wanted);
    let field = |name: &str| {
        mail.fields
            .iter()
            .any(|(n, value)| n.eq_ignore_ascii_case(name) && within(value))
    };
    match kind {
        "from" => within(&message.envelope.sender) || field("From"),
        "to" => message.envelope.recipients.iter().any(|path| within(path)) || field("To"),
        _ => within(&String::from_utf8_lossy(&message.raw())),
    }
}

async fn listed(app: &App, found: &[Arc<Message>], page: Page) -> Result<Response, Problem> {
    let limit = page.limit.unwrap_or(PAGE).min(MOST);
    let slice = found.iter().rev().skip(page.start).take(limit);
    let (total, start) = (found.len(), page.start);
    let then = move |mails: &mut dyn Iterator<Item = (Arc<Message>, Arc<Mail>)>| {
        let items: Vec<_> = mails
            .map(|(message, mail)| object(&message, &mail))
            .collect();
        json_text(&json!({ "total": total, "count": items.len(), "start": start, "items": items }))
    };
    app.mails.all(slice.cloned().collect(), then).await
}

/// MailHog's v2 responses have the type text/json.
fn json_text(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "text/json")], value.to_string()).into_response()
}

fn path(text: &str) -> Value {
    let (mailbox, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    json!({ "Relays": null, "Mailbox": mailbox, "Domain": domain, "Params": "" })
}

fn object(message: &Message, mail: &Mail) -> Value {
    let raw = message.raw();
    let paths = &message.envelope.recipients;
    let data = String::from_utf8_lossy(&raw);
    let body = text(raw.get(mail.body..).unwrap_or_default());
    let mut headers = grouped(mail.fields.iter().cloned());
    headers
        .entry("Subject".to_owned())
        .or_insert_with(|| vec![String::new()]);
    let helo = raw_helo(&message.trace);
    json!({
        "ID": message.id.to_string(),
        "From": path(&message.envelope.sender),
        "To": paths.iter().map(|p| path(p)).collect::<Vec<_>>(),
        "Content": { "Headers": headers, "Body": body, "Size": raw.len(), "MIME": null },
        "Created": format!("{:.9}", message.at),
        "MIME": parts(&raw, mail),
        "Raw": { "From": message.envelope.sender, "To": paths, "Data": data, "Helo": helo },
    })
}

/// The name after `Received: from`, in the field that the receiver added.
fn raw_helo(trace: &str) -> &str {
    let after = trace.split("Received: from ").nth(1).unwrap_or_default();
    after.split(' ').next().unwrap_or_default()
}

fn grouped(fields: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        groups.entry(name).or_default().push(value);
    }
    groups
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// The parts without decoding; null for a message without parts.
fn parts(raw: &[u8], mail: &Mail) -> Value {
    if mail.leaves.is_empty() {
        return Value::Null;
    }
    let all = mail.leaves.iter().map(|(section, body)| {
        let fields = fields(raw.get(section.clone()).unwrap_or_default());
        let body = raw.get(body.clone()).unwrap_or_default();
        json!({ "Headers": grouped(fields.into_iter()), "Body": text(body), "Size": body.len(), "MIME": null })
    });
    json!({ "Parts": all.collect::<Vec<_>>() })
}

fn id(params: &RawPathParams) -> Option<u64> {
    params
        .iter()
        .find(|(name, _)| *name == "id")
        .and_then(|(_, value)| value.parse().ok())
}

async fn remove(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> StatusCode {
    match id(&params) {
        Some(id) if hide(&app, &world, id) => StatusCode::OK,
        _ => StatusCode::NOT_FOUND,
    }
}

async fn one(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let found = id(&params).and_then(|id| shown(&app, &world).into_iter().find(|m| m.id == id));
    let Some(message) = found else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let then = |message: &Message, mail: &Mail| json_text(&object(message, mail));
    app.mails.one(message, then).await
}

async fn download(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> Response {
    let found = id(&params).and_then(|id| shown(&app, &world).into_iter().find(|m| m.id == id));
    let Some(message) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let name = format!("attachment; filename=\"{}.eml\"", message.id);
    let fields = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (fields, message.raw()).into_response()
}

/// Jim, MailHog's random failures, does not exist here: rules refuse, and faults are scripted.
async fn no_jim() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// martinet delivers no mail, so a host in a request is never contacted.
async fn release() -> Response {
    (StatusCode::FORBIDDEN, "martinet delivers nothing").into_response()
}
