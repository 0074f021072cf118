//! MailHog's message API: what npm `mailhog`, `cypress-mailhog` and PyPI `mailhog` call. Deleting shares Mailpit's path:
//! an empty answer suits both families.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::extract::{Params, TheWorld};
use super::mailpit::{hide, shown};
use super::mime::{self, Mail};
use crate::journal::Message;

/// Messages of a page unless told otherwise.
const PAGE: usize = 50;
/// Most messages of a page.
const MOST: usize = 250;

pub(super) fn routes() -> Router<Arc<App>> {
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

/// Which page.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    start: usize,
    limit: Option<usize>,
}

/// What is searched for.
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
) -> Response {
    listed(&shown(&app, &world), page)
}

async fn search(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Params(query): Params<Query>,
) -> Response {
    let Query {
        kind,
        query,
        start,
        limit,
    } = query;
    if query.is_empty() || !["from", "to", "containing"].contains(&kind.as_str()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let wanted = query.to_lowercase();
    let mut found = shown(&app, &world);
    found.retain(|message| matches(message, &kind, &wanted));
    listed(&found, Page { start, limit })
}

/// A substring in any case: of the envelope or header for `from` and `to`, of the body or any field otherwise.
fn matches(message: &Message, kind: &str, wanted: &str) -> bool {
    let within = |text: &str| text.to_lowercase().contains(wanted);
    let raw = mime::raw(message);
    let mail = Mail::read(&raw);
    let field = |name: &str| {
        mail.headers()
            .iter()
            .any(|(n, value)| n.eq_ignore_ascii_case(name) && within(value))
    };
    match kind {
        "from" => within(&message.envelope.reverse_path) || field("From"),
        "to" => {
            message
                .envelope
                .forward_paths
                .iter()
                .any(|path| within(path))
                || field("To")
        }
        _ => within(&String::from_utf8_lossy(&raw)),
    }
}

fn listed(found: &[Arc<Message>], page: Page) -> Response {
    let limit = page.limit.unwrap_or(PAGE).min(MOST);
    let items: Vec<_> = found
        .iter()
        .rev()
        .skip(page.start)
        .take(limit)
        .map(|m| object(m))
        .collect();
    json_text(
        &json!({ "total": found.len(), "count": items.len(), "start": page.start, "items": items }),
    )
}

/// MailHog's v2 answers call themselves text/json.
fn json_text(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "text/json")], value.to_string()).into_response()
}

fn path(text: &str) -> Value {
    let (mailbox, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    json!({ "Relays": null, "Mailbox": mailbox, "Domain": domain, "Params": "" })
}

fn object(message: &Message) -> Value {
    let raw = mime::raw(message);
    let mail = Mail::read(&raw);
    let paths = &message.envelope.forward_paths;
    let data = String::from_utf8_lossy(&raw);
    let body = match &mail.parsed {
        Some(parsed) => text(
            raw.get(parsed.root_part().offset_body as usize..)
                .unwrap_or_default(),
        ),
        None => data.clone().into_owned(),
    };
    let mut headers = grouped(mail.headers().into_iter());
    headers
        .entry("Subject".to_owned())
        .or_insert_with(|| vec![String::new()]);
    let helo = raw_helo(&message.trace);
    json!({
        "ID": message.id.to_string(),
        "From": path(&message.envelope.reverse_path),
        "To": paths.iter().map(|p| path(p)).collect::<Vec<_>>(),
        "Content": { "Headers": headers, "Body": body, "Size": raw.len(), "MIME": null },
        "Created": format!("{:.9}", message.at),
        "MIME": parts(&mail),
        "Raw": { "From": message.envelope.reverse_path, "To": paths, "Data": data, "Helo": helo },
    })
}

/// The name after `Received: from`, which the receiver wrote.
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

/// The parts as they were sent, not decoded; null where the message has no parts.
fn parts(mail: &Mail<'_>) -> Value {
    let Some(parsed) = mail.parsed.as_ref().filter(|parsed| parsed.parts.len() > 1) else {
        return Value::Null;
    };
    let leaf = |part: &&mail_parser::MessagePart<'_>| !part.is_multipart();
    let all = parsed.parts.iter().skip(1).filter(leaf).map(|part| {
        let slice =
            |from: u32, to: u32| mail.raw.get(from as usize..to as usize).unwrap_or_default();
        let fields = part.headers.iter().map(|field| {
            let value = text(slice(field.offset_start, field.offset_end));
            (
                field.name.as_str().to_owned(),
                value.split_whitespace().collect::<Vec<_>>().join(" "),
            )
        });
        let body = slice(part.offset_body, part.offset_end);
        json!({ "Headers": grouped(fields), "Body": text(body), "Size": body.len(), "MIME": null })
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
) -> Response {
    let found = id(&params).and_then(|id| shown(&app, &world).into_iter().find(|m| m.id == id));
    found.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |message| json_text(&object(&message)),
    )
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
    (fields, mime::raw(&message)).into_response()
}

/// Jim is absent: chance is not what refuses mail here.
async fn no_jim() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Nothing is delivered anywhere, least of all to a host that a request names.
async fn release() -> Response {
    (StatusCode::FORBIDDEN, "martinet delivers nothing").into_response()
}
