//! Requests to a running world over HTTP.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Uri, header};
use base64::Engine;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::Error;

/// Maximum size of a response: the judgements of all receivers are about one megabyte.
const ANSWER_OCTETS: usize = 64 << 20;

/// The URL of a world: `http://HOST:PORT` for the main world, `http://HOST:PORT/worlds/NAME` for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorldUrl {
    /// Host and port.
    authority: String,
    /// The value of the Authorization field, if the URL has credentials.
    credentials: Option<String>,
    /// The path before that of a resource.
    path: String,
}

/// Reads the URL of a world.
///
/// # Errors
/// The expected form, as text.
pub(super) fn world_url(text: &str) -> Result<WorldUrl, String> {
    let wrong = || "expected http://HOST:PORT or http://HOST:PORT/worlds/NAME".to_owned();
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let authority = uri.authority().map(|authority| authority.as_str());
    let (Some("http"), Some(authority), None) = (uri.scheme_str(), authority, uri.query()) else {
        return Err(wrong());
    };
    let (credentials, authority) = match authority.rsplit_once('@') {
        Some((credentials, authority)) => (Some(basic(credentials)), authority),
        None => (None, authority),
    };
    let path = uri.path().trim_end_matches('/');
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let named = path.strip_prefix("/worlds/");
    if !path.is_empty() && named.is_none_or(|name| name.is_empty() || name.contains('/')) {
        return Err(wrong());
    }
    let with_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(WorldUrl {
        authority: if with_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        },
        credentials,
        path: format!("/api/v1{path}"),
    })
}

fn basic(credentials: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    format!("Basic {encoded}")
}

impl WorldUrl {
    /// Posts a request to a resource of the world.
    ///
    /// # Errors
    /// The world cannot be reached, or refuses the request.
    pub(super) async fn post(&self, resource: &str, question: &Value) -> Result<Value, Error> {
        let octets = self.ask(resource, question).await?;
        Ok(serde_json::from_slice(&octets).unwrap_or_default())
    }

    /// Posts a request whose response is text.
    ///
    /// # Errors
    /// The world cannot be reached, refuses the request, or responds with something else.
    pub(super) async fn post_for_text(
        &self,
        resource: &str,
        question: &Value,
    ) -> Result<String, Error> {
        let octets = self.ask(resource, question).await?;
        String::from_utf8(octets.to_vec())
            .map_err(|error| Error::other(format!("the response is not UTF-8: {error}")))
    }

    async fn ask(&self, resource: &str, question: &Value) -> Result<Bytes, Error> {
        let place = format!("http://{}{}/{resource}", self.authority, self.path);
        let failed = |error: &dyn std::fmt::Display| Error::other(format!("{place}: {error}"));
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(|error| Error::io(format!("cannot reach {place}"), error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        let mut request = Request::post(format!("{}/{resource}", self.path))
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(credentials) = &self.credentials {
            request = request.header(header::AUTHORIZATION, credentials);
        }
        let request = request
            .body(Body::from(question.to_string()))
            .map_err(|error| failed(&error))?;
        let connection = tokio::spawn(connection);
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        let (head, body) = answer.into_parts();
        let octets = to_bytes(Body::new(body), ANSWER_OCTETS)
            .await
            .map_err(|error| failed(&error))?;
        connection.abort();
        if head.status.is_success() {
            return Ok(octets);
        }
        let answer: Value = serde_json::from_slice(&octets).unwrap_or_default();
        let detail = answer["detail"].as_str().unwrap_or_default();
        Err(failed(&format!("{}: {detail}", head.status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let read = |text: &str| world_url(text).map(|url| (url.authority, url.path));
        let at = |authority: &str, path: &str| Ok((authority.to_owned(), path.to_owned()));
        assert_eq!(
            read("http://127.0.0.1:8025"),
            at("127.0.0.1:8025", "/api/v1")
        );
        assert_eq!(read("http://[::1]:8025/"), at("[::1]:8025", "/api/v1"));
        assert_eq!(read("http://[::1]"), at("[::1]:80", "/api/v1"));
        assert_eq!(
            read("http://mail/worlds/w1"),
            at("mail:80", "/api/v1/worlds/w1")
        );
        assert_eq!(
            read("http://mail:1/api/v1/worlds/w1/"),
            at("mail:1", "/api/v1/worlds/w1")
        );
        let with = world_url("http://a:b@mail:1").expect("a URL");
        assert_eq!(
            (with.authority.as_str(), with.credentials.as_deref()),
            ("mail:1", Some("Basic YTpi"))
        );
        for wrong in [
            "",
            "mail:8025",
            "https://mail",
            "http://mail/x",
            "http://mail/worlds/",
            "http://mail/worlds/a/b",
            "http://mail?a=b",
        ] {
            assert!(world_url(wrong).is_err(), "{wrong}");
        }
    }
}
