//! Extractors for handlers; every mistake is a [`Problem`].

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Visitor};

use crate::harness::World;
use crate::http::App;
use crate::http::server::problem::Problem;

/// The world in the path; the main world if the path names none.
pub(crate) struct TheWorld(pub Arc<World>);

impl FromRequestParts<Arc<App>> for TheWorld {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match named(parts, app, "world").await {
            None => Ok(Self(Arc::clone(app.worlds.main()))),
            Some(name) => {
                let world = app.worlds.find(&name);
                world
                    .map(Self)
                    .ok_or_else(|| Problem::not_found("world", "the name of a world", &name))
            }
        }
    }
}

/// The number in the path.
pub(crate) struct Id(pub u64);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let text = named(parts, app, "id").await.unwrap_or_default();
        text.parse()
            .map(Self)
            .map_err(|_| Problem::not_found("id", "a number", &text))
    }
}

/// The path parameter `number`, counted from 1.
pub(crate) struct Place(pub usize);

impl FromRequestParts<Arc<App>> for Place {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let text = named(parts, app, "number").await.unwrap_or_default();
        text.parse()
            .map(Self)
            .map_err(|_| Problem::not_found("number", "a number", &text))
    }
}

/// The path parameter `name`.
pub(crate) struct Name(pub String);

impl FromRequestParts<Arc<App>> for Name {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self(named(parts, app, "name").await.unwrap_or_default()))
    }
}

async fn named(parts: &mut Parts, app: &Arc<App>, key: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, app).await.ok()?;
    params
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
}

/// The parameters of the query string.
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        of_pairs(&pairs(parts)?).map(Self)
    }
}

/// The parameters of the query string: those of a page and those of a filter.
pub(crate) struct Listing<P, T>(pub P, pub T);

impl<P: DeserializeOwned + crate::http::server::paging::Keys, T: DeserializeOwned>
    FromRequestParts<Arc<App>> for Listing<P, T>
{
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let (page, pattern): (Vec<_>, Vec<_>) = pairs(parts)?
            .into_iter()
            .partition(|(key, _)| P::KEYS.contains(&key.as_str()));
        let pattern = of_pairs(&pattern).map_err(|problem| problem.near(P::KEYS))?;
        Ok(Self(of_pairs(&page)?, pattern))
    }
}

type Pair = (String, String);

fn pairs(parts: &Parts) -> Result<Vec<Pair>, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    serde_urlencoded::from_str(query)
        .map_err(|error| Problem::mistake("", "a query string", &error.to_string()))
}

fn of_pairs<T: DeserializeOwned>(pairs: &[Pair]) -> Result<T, Problem> {
    let text = serde_urlencoded::to_string(pairs).unwrap_or_default();
    let reader = serde_urlencoded::Deserializer::new(form(&text));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { field };
        let text = error.inner().to_string();
        let found = pairs
            .iter()
            .find(|(key, _)| *key == field)
            .map_or("", |(_, value)| value.as_str());
        let expected = match text.as_str() {
            "invalid digit found in string" | "cannot parse integer from empty string" => {
                "a number"
            }
            "number too large to fit in target type" => "a smaller number",
            "provided string was not `true` or `false`" => "true or false",
            _ => return Problem::unreadable(&field, &text),
        };
        Problem::mistake(&field, expected, &format!("{found:?}"))
    })
}

fn form(text: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(text.as_bytes())
}

/// Accepts only an object: serde also reads a list of the fields in order as a struct.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// A JSON body. Its Content-Type must be JSON, because a form on another site cannot send that type.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        json_type(request.headers())?;
        let octets = octets(request, app).await?;
        // serde also reads a list of the fields in order as a struct, which no client means.
        if octets.trim_ascii_start().first() != Some(&b'{') {
            let start = String::from_utf8_lossy(&octets[..octets.len().min(40)]).into_owned();
            return Err(Problem::mistake("", "a JSON object", &start));
        }
        let mut reader = serde_json::Deserializer::from_slice(&octets);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            Problem::unreadable(
                if field == "." { "" } else { &field },
                &error.inner().to_string(),
            )
        })?;
        reader
            .end()
            .map_err(|error| Problem::unreadable("", &error.to_string()))?;
        Ok(Self(value))
    }
}

/// The octets of a body, which `guard` has read whole.
pub(crate) async fn octets(request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    Bytes::from_request(request, app)
        .await
        .map_err(|rejection| Problem::new(rejection.status(), &rejection.body_text()))
}

/// Checks that the Content-Type is JSON.
///
/// # Errors
/// 415 if it is not.
pub(crate) fn json_type(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json")
    {
        return Ok(());
    }
    let wrong = Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body must be JSON, with a Content-Type of JSON",
    );
    Err(wrong.about(
        "Content-Type",
        "application/json",
        if content_type.is_empty() {
            "none"
        } else {
            content_type
        },
    ))
}
