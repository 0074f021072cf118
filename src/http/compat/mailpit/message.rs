//! One message: summary, header fields, source, parts, text.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::World;
use crate::http::App;
use crate::http::compat::mailpit::search::matching;
use crate::http::compat::mailpit::{author, blind, mailboxes, not_found, plain};
use crate::http::compat::mime::{self, Mail, Part};
use crate::http::server::extract::{Params, TheWorld};
use crate::http::server::problem::Problem;
use crate::journal::Message;

/// The policy for content from strangers in a browser: nothing runs or loads.
const SANDBOX: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Go's zero time, which Mailpit's clients read as "no date".
const NO_DATE: &str = "0001-01-01T00:00:00Z";

/// The filter that the id `latest` applies.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Latest {
    query: String,
}

fn value<'a>(params: &'a RawPathParams, key: &str) -> &'a str {
    params
        .iter()
        .find(|(name, _)| *name == key)
        .map_or("", |(_, value)| value)
}

/// The message in the path: by number, or the latest.
async fn find(
    app: &App,
    world: &World,
    id: &str,
    query: &str,
) -> Result<Option<Arc<Message>>, Problem> {
    if id == "latest" {
        return Ok(matching(app, world, query).await?.pop());
    }
    let Ok(id) = id.parse() else {
        return Ok(None);
    };
    let exists = |_: &Arc<Message>| app.mailpit.with(world, |marked| marked.exists(id));
    Ok(world.messages().entry(id).filter(exists))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Result<Response, Problem> {
    let id = value(&params, "id");
    let Some(message) = find(&app, &world, id, &latest.query).await? else {
        return Ok(not_found());
    };
    let (read, tags) = app.mailpit.with(&world, |marked| {
        let unread = !marked.read.contains(&message.id);
        marked.set_read(message.id, true);
        (unread, marked.tags(message.id))
    });
    let then = move |message: &Message, mail: &Mail| {
        Json(object(message, mail, read, &tags)).into_response()
    };
    app.mails.one(message, then).await
}

fn object(message: &Message, mail: &Mail, read: bool, tags: &[String]) -> Value {
    let parts = |inline: bool| {
        let parts = mail.parts.iter().filter(|part| part.inline == inline);
        parts.map(part_object).collect::<Vec<_>>()
    };
    json!({
        "ID": message.id.to_string(),
        "MessageID": mail.message_id,
        // Mailpit no longer sends this field; PyPI's client requires it.
        "Read": read,
        "From": author(mail),
        "To": mailboxes(&mail.to),
        "Cc": mailboxes(&mail.cc),
        "Bcc": blind(mail, message),
        "ReplyTo": mailboxes(&mail.reply_to),
        "ReturnPath": message.envelope.sender,
        "Subject": mail.subject,
        "ListUnsubscribe": unsubscribe(mail),
        "Date": mail.date.as_deref().unwrap_or(NO_DATE),
        "Tags": tags,
        "Username": "",
        "Text": mail.text,
        "HTML": mail.html,
        "Size": mail.size,
        "Inline": parts(true),
        "Attachments": parts(false),
    })
}

fn part_object(part: &Part) -> Value {
    json!({
        "PartID": part.id.to_string(),
        "FileName": part.file_name,
        "ContentType": part.content_type,
        "ContentID": part.content_id,
        "Size": part.size,
        "Checksums": { "MD5": part.md5, "SHA1": part.sha1, "SHA256": part.sha256 },
    })
}

fn unsubscribe(mail: &Mail) -> Value {
    let header = mail.field("List-Unsubscribe").unwrap_or_default();
    let links: Vec<_> = header
        .split(',')
        .map(|link| link.trim().trim_matches(['<', '>']))
        .filter(|l| !l.is_empty())
        .collect();
    let post = mail.field("List-Unsubscribe-Post").unwrap_or_default();
    json!({ "Header": header, "Links": links, "Errors": "", "HeaderPost": post })
}

/// Header fields by canonical name, in their order in the message.
pub(crate) async fn headers(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Result<Response, Problem> {
    let id = value(&params, "id");
    let Some(message) = find(&app, &world, id, &latest.query).await? else {
        return Ok(not_found());
    };
    let then = |_: &Message, mail: &Mail| {
        let mut fields = serde_json::Map::new();
        for (name, value) in &mail.fields {
            let values = fields.entry(canonical(name)).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(value.as_str().into());
            }
        }
        Json(fields).into_response()
    };
    app.mails.one(message, then).await
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

pub(crate) async fn raw(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<Latest>,
) -> Result<Response, Problem> {
    let id = value(&params, "id");
    let Some(message) = find(&app, &world, id, &latest.query).await? else {
        return Ok(not_found());
    };
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, message.raw()).into_response())
}

pub(crate) async fn part(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let Some(message) = find(&app, &world, value(&params, "id"), "").await? else {
        return Ok(not_found());
    };
    let wanted = value(&params, "part").parse().ok();
    let then = move |message: &Message, mail: &Mail| {
        wanted.and_then(|id| mime::part(&message.raw(), mail, id))
    };
    let found = app.mails.one(message, then).await?;
    let none = || plain(StatusCode::NOT_FOUND, "Part not found");
    Ok(found.map_or_else(none, attachment))
}

/// A part as a download, so that a browser never shows content from strangers as a page of this server.
fn attachment(part: mime::Contents) -> Response {
    let mut response = part.octets.into_response();
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
pub(crate) async fn view(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    Params(latest): Params<ViewOptions>,
) -> Result<Response, Problem> {
    let (id, kind) = value(&params, "file").rsplit_once('.').unwrap_or_default();
    let Some(message) = find(&app, &world, id, &latest.query).await? else {
        return Ok(not_found());
    };
    let html = match kind {
        "html" => true,
        "txt" => false,
        _ => return Ok(not_found()),
    };
    let then = move |_: &Message, mail: &Mail| match (html, mail.html.is_empty()) {
        (true, true) => plain(
            StatusCode::NOT_FOUND,
            "This message does not contain a HTML part",
        ),
        (true, false) => page("text/html; charset=utf-8", &mail.html),
        (false, _) => page("text/plain; charset=utf-8", &mail.text),
    };
    app.mails.one(message, then).await
}

fn page(kind: &str, text: &str) -> Response {
    let fields = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    (fields, text.to_owned()).into_response()
}

/// Parameters of a view; `embed` has no effect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ViewOptions {
    query: String,
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
