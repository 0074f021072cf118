//! Changes of marks: read, deleted, tagged.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use crate::http::App;
use crate::http::compat::mailpit::search::matching;
use crate::http::compat::mailpit::{ok, plain};
use crate::http::server::extract::{TheWorld, octets};
use crate::http::server::problem::Problem;

/// The body: JSON, or a form in the case of PyPI's client.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
struct Wanted {
    #[serde(rename = "IDs", deserialize_with = "list")]
    ids: Vec<String>,
    read: bool,
    search: String,
    #[serde(deserialize_with = "list")]
    tags: Vec<String>,
    name: String,
}

/// A list, for which some clients send null.
fn list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::<Vec<String>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a body. An unreadable body is refused: treating it as an empty one would delete all messages.
async fn wanted(request: Request, app: &Arc<App>) -> Result<Option<Wanted>, Response> {
    let field = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_form = field.starts_with("application/x-www-form-urlencoded");
    let octets = octets(request, app)
        .await
        .map_err(axum::response::IntoResponse::into_response)?;
    if octets.is_empty() {
        return Ok(None);
    }
    let wrong = |text: String| plain(StatusCode::BAD_REQUEST, &format!("Error: {text}"));
    if is_form && octets.first() != Some(&b'{') {
        return form(&octets).map(Some).map_err(wrong);
    }
    serde_json::from_slice(&octets)
        .map(Some)
        .map_err(|error| wrong(error.to_string()))
}

fn form(octets: &[u8]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for (key, value) in form_urlencoded::parse(octets) {
        match key.to_ascii_lowercase().as_str() {
            "ids" => wanted.ids.push(value.into_owned()),
            "tags" => wanted.tags.push(value.into_owned()),
            "read" => wanted.read = value.eq_ignore_ascii_case("true"),
            "search" => wanted.search = value.into_owned(),
            other => {
                return Err(format!(
                    "expected IDs, Tags, Read or Search, found {other:?}"
                ));
            }
        }
    }
    Ok(wanted)
}

pub(crate) async fn mark(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = match wanted(request, &app).await {
        Ok(wanted) => wanted.unwrap_or_default(),
        Err(response) => return Ok(response),
    };
    let ids: Vec<u64> = if wanted.ids.is_empty() {
        let found = matching(&app, &world, &wanted.search).await?;
        found.iter().map(|message| message.id).collect()
    } else {
        wanted.ids.iter().filter_map(|id| id.parse().ok()).collect()
    };
    app.mailpit.with(&world, |marked| {
        for id in ids {
            marked.set_read(id, wanted.read);
        }
    });
    Ok(ok())
}

/// Deletes the named messages, or all messages without a body. The response to a request without a body is empty,
/// because npm `mailhog` shares this path and parses any text as JSON.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    request: Request,
) -> Response {
    let wanted = match wanted(request, &app).await {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            crate::http::compat::mailpit::hide_all(&app, &world);
            return plain(StatusCode::OK, "");
        }
        Err(response) => return response,
    };
    if wanted.ids.is_empty() {
        crate::http::compat::mailpit::hide_all(&app, &world);
    }
    for id in wanted.ids.iter().filter_map(|id| id.parse().ok()) {
        crate::http::compat::mailpit::hide(&app, &world, id);
    }
    ok()
}

pub(crate) async fn tags(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
) -> Json<BTreeSet<String>> {
    Json(app.mailpit.with(&world, |marked| {
        marked.tags.values().flatten().cloned().collect()
    }))
}

pub(crate) async fn tag(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    request: Request,
) -> Response {
    let wanted = match wanted(request, &app).await {
        Ok(wanted) => wanted.unwrap_or_default(),
        Err(response) => return response,
    };
    app.mailpit.with(&world, |marked| {
        for id in wanted.ids.iter().filter_map(|id| id.parse().ok()) {
            marked.set_tags(id, wanted.tags.iter().cloned().collect());
        }
    });
    ok()
}

fn tag_of(params: &RawPathParams) -> String {
    params
        .iter()
        .find(|(name, _)| *name == "tag")
        .map_or_else(String::new, |(_, value)| value.to_owned())
}

pub(crate) async fn rename_tag(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
    request: Request,
) -> Response {
    let wanted = match wanted(request, &app).await {
        Ok(wanted) => wanted.unwrap_or_default(),
        Err(response) => return response,
    };
    if wanted.name.is_empty() {
        return plain(
            StatusCode::BAD_REQUEST,
            "Error: expected a Name, found none",
        );
    }
    let old = tag_of(&params);
    app.mailpit.with(&world, |marked| {
        marked.replace_tag(&old, Some(&wanted.name))
    });
    ok()
}

pub(crate) async fn drop_tag(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    params: RawPathParams,
) -> Response {
    let old = tag_of(&params);
    app.mailpit
        .with(&world, |marked| marked.replace_tag(&old, None));
    ok()
}
