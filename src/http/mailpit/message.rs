//! One message: as an object, its headers, its octets, its parts, its text.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use super::super::App;
use super::super::extract::{Params, TheWorld};
use super::super::mime::{self, Mail, Part};
use super::search::matching;
use super::{author, blind, mailboxes, not_found, plain, shown};
use crate::harness::World;
use crate::journal::Message;

/// What a browser may do with octets that a stranger sent: nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Which message `latest` means.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Latest {
    query: String,
}

fn value<'a>(params: &'a RawPathParams, key: &str) -> &'a str {
    params
        .iter()
        .find(|(name, _)| *name == key)
        .map_or("", |(_, value)| value)
}

/// The message of a path: by its number, or the latest.
fn find(app: &App, world: &World, id: &str, query: &str) -> Option<Arc<Message>> {
    if id == "latest" {
        return matching(app, world, query).pop();
    }
    let id = id.parse().ok()?;
    world
        .messages()
        .entry(id)
        .filter(|_| app.mailpit.with(world, |marked| marked.is_there(id)))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Response {
    let Some(message) = find(&app, &world, value(&params, "id"), &latest.query) else {
        return not_found();
    };
    let (read, tags) = app.mailpit.with(&world, |marked| {
        (!marked.read.insert(message.id), marked.tags(message.id))
    });
    let raw = mime::raw(&message);
    let mail = Mail::read(&raw);
    let (inline, attached): (Vec<_>, Vec<_>) =
        mail.parts().into_iter().partition(|part| part.inline);
    let parts = |parts: &[Part<'_>]| parts.iter().map(part_object).collect::<Vec<_>>();
    Json(json!({
        "ID": message.id.to_string(),
        "MessageID": mail.message_id(),
        // Real Mailpit leaves this out today; PyPI's client wants it.
        "Read": read,
        "From": author(&mail, &message),
        "To": mailboxes(mail.addresses(|m| m.to().cloned())),
        "Cc": mailboxes(mail.addresses(|m| m.cc().cloned())),
        "Bcc": blind(&mail, &message),
        "ReplyTo": mailboxes(mail.addresses(|m| m.reply_to().cloned())),
        "ReturnPath": message.envelope.reverse_path,
        "Subject": mail.subject(),
        "ListUnsubscribe": unsubscribe(&mail),
        "Date": date(&mail, &message),
        "Tags": tags,
        "Username": "",
        "Text": mail.text(),
        "HTML": mail.html(),
        "Size": raw.len(),
        "Inline": parts(&inline),
        "Attachments": parts(&attached),
    }))
    .into_response()
}

fn part_object(part: &Part<'_>) -> Value {
    let hex = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    json!({
        "PartID": part.id.to_string(),
        "FileName": part.file_name,
        "ContentType": part.content_type,
        "ContentID": part.content_id,
        "Size": part.octets.len(),
        "Checksums": {
            "MD5": hex(&Md5::digest(part.octets)),
            "SHA1": hex(&Sha1::digest(part.octets)),
            "SHA256": hex(&Sha256::digest(part.octets)),
        },
    })
}

fn field(mail: &Mail<'_>, wanted: &str) -> Option<String> {
    mail.headers()
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value)
}

fn unsubscribe(mail: &Mail<'_>) -> Value {
    let header = field(mail, "List-Unsubscribe").unwrap_or_default();
    let links: Vec<_> = header
        .split(',')
        .map(|link| link.trim().trim_matches(['<', '>']))
        .filter(|l| !l.is_empty())
        .collect();
    let post = field(mail, "List-Unsubscribe-Post").unwrap_or_default();
    json!({ "Header": header, "Links": links, "Errors": "", "HeaderPost": post })
}

/// The message's own date; the time it was accepted where it has none.
fn date(mail: &Mail<'_>, message: &Message) -> String {
    let own = mail.date();
    own.unwrap_or_else(|| format!("{:.3}", message.at))
}

/// Header fields by their canonical names, in the order in which they stand in the message: those, and no others.
pub(super) async fn headers(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Response {
    let Some(message) = find(&app, &world, value(&params, "id"), &latest.query) else {
        return not_found();
    };
    let raw = mime::raw(&message);
    let mail = Mail::read(&raw);
    let mut fields = serde_json::Map::new();
    for (name, value) in mail.headers() {
        let values = fields.entry(canonical(&name)).or_insert_with(|| json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push(value.into());
        }
    }
    Json(fields).into_response()
}

/// `message-id` as `Message-Id`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first
            .into_iter()
            .chain(letters.map(|c| c.to_ascii_lowercase()))
            .collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

pub(super) async fn raw(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Response {
    let Some(message) = find(&app, &world, value(&params, "id"), &latest.query) else {
        return not_found();
    };
    let mut response = mime::raw(&message).into_response();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) async fn part(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> Response {
    let Some(message) = find(&app, &world, value(&params, "id"), "") else {
        return not_found();
    };
    let raw = mime::raw(&message);
    let mail = Mail::read(&raw);
    let found = value(&params, "part")
        .parse()
        .ok()
        .and_then(|id| mail.part(id));
    let Some(part) = found else {
        return plain(StatusCode::NOT_FOUND, "Part not found");
    };
    attachment(&part)
}

/// A part as a download: what a stranger sent is never a page of ours.
pub(in super::super) fn attachment(part: &Part<'_>) -> Response {
    let mut response = part.octets.to_vec().into_response();
    let name = part.file_name.replace(|c: char| !c.is_ascii(), "_");
    let disposition = format!("attachment; filename=\"{name}\"");
    let fields: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, &part.content_type),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    for (name, value) in fields {
        let value = HeaderValue::from_str(value)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(name, value);
    }
    response
}

/// `/view/{id}.html` and `/view/{id}.txt`.
pub(super) async fn view(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<ViewOptions>,
) -> Response {
    let (id, kind) = value(&params, "file").rsplit_once('.').unwrap_or_default();
    let Some(message) = find(&app, &world, id, &latest.query) else {
        return not_found();
    };
    let raw = mime::raw(&message);
    let mail = Mail::read(&raw);
    let (text, kind) = match kind {
        "html" if mail.html().is_empty() => {
            return plain(
                StatusCode::NOT_FOUND,
                "This message does not contain a HTML part",
            );
        }
        "html" => (mail.html(), "text/html; charset=utf-8"),
        "txt" => (mail.text(), "text/plain; charset=utf-8"),
        _ => return not_found(),
    };
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, SANDBOX),
        ],
        text,
    )
        .into_response()
}

/// How a message is looked at; `embed` changes nothing here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ViewOptions {
    query: String,
}

/// Messages that are shown, for `latest` without a query.
pub(super) fn all(app: &App, world: &World) -> Vec<Arc<Message>> {
    shown(app, world)
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_of_fields() {
        assert_eq!(canonical("message-ID"), "Message-Id");
        assert_eq!(canonical("SUBJECT"), "Subject");
    }
}
