//! Who may ask: by credentials, by the Host field (against DNS rebinding), by the Origin field (against other sites).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::{App, BODY_OCTETS};

/// Longer than any wait may last.
const REQUEST_TIME: Duration = Duration::from_secs(90);

/// How the API is guarded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may ask; everybody who reaches the port where empty.
    pub credentials: Vec<Credentials>,
    /// Host names by which the server may be called, beside `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask, as in `http://localhost:5173`; none unless told otherwise.
    pub origins: Vec<String>,
}

/// One way to prove who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// `user:password` (RFC 7617).
    Basic(String),
    /// A bearer token (RFC 6750).
    Bearer(String),
}

/// Secrets are not shown.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

impl Credentials {
    /// Whether an Authorization field proves this.
    fn proved_by(&self, field: &str) -> bool {
        let (scheme, value) = field.split_once(' ').unwrap_or((field, ""));
        let same = |a: &[u8], b: &[u8]| bool::from(a.ct_eq(b));
        match self {
            Self::Basic(expected) if scheme.eq_ignore_ascii_case("basic") => STANDARD
                .decode(value.trim())
                .is_ok_and(|given| same(&given, expected.as_bytes())),
            Self::Bearer(expected) if scheme.eq_ignore_ascii_case("bearer") => {
                same(value.trim().as_bytes(), expected.as_bytes())
            }
            _ => false,
        }
    }
}

/// Lets a request pass, or says why not; counts it.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match pass(&app.options, &request) {
        Err(problem) => *problem,
        Ok(Passed::Preflight) => StatusCode::NO_CONTENT.into_response(),
        Ok(Passed::Request) => match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the request took too long")
                .into_response(),
        },
    };
    harden(response.headers_mut());
    if let Some(origin) = origin.filter(|origin| allowed(&app.options, origin)) {
        allow(response.headers_mut(), origin);
    }
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let method = if known.contains(&method) {
        method.as_str().to_owned()
    } else {
        "other".to_owned()
    };
    app.requests
        .count([&method, &route, response.status().as_str()]);
    app.request_time.observe(began.elapsed());
    tracing::debug!(%method, route, status = response.status().as_u16(), took = ?began.elapsed(), "HTTP request");
    response
}

enum Passed {
    Request,
    Preflight,
}

fn pass(options: &Options, request: &Request) -> Result<Passed, Box<Response>> {
    let refuse = |problem: Problem| Err(Box::new(problem.into_response()));
    let host = host(request);
    if !known_host(options, &host) {
        let detail = "this name is not the server's: allow it with --http-host, or ask by address";
        let wrong = Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
        return refuse(wrong.about("Host", "localhost, an address, or an allowed name", &host));
    }
    if let Some(origin) = foreign(options, request.headers(), &host) {
        let wrong = Problem::new(
            StatusCode::FORBIDDEN,
            "pages of other sites may not ask: allow one with --http-origin",
        );
        return refuse(wrong.about("Origin", "the server's own", &origin));
    }
    let headers = request.headers();
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|l| l.parse().ok());
    if length.is_some_and(|length: usize| length > BODY_OCTETS) {
        let wrong = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        let (limit, found) = (
            format!("at most {BODY_OCTETS} octets"),
            length.unwrap_or_default().to_string(),
        );
        return refuse(wrong.about("Content-Length", &limit, &found));
    }
    if request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return Ok(Passed::Preflight);
    }
    let open = matches!(request.uri().path(), "/livez" | "/readyz");
    let field = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !options.credentials.is_empty()
        && !open
        && !options.credentials.iter().any(|c| c.proved_by(field))
    {
        let found = if field.is_empty() { "none" } else { "others" };
        let wrong = Problem::new(StatusCode::UNAUTHORIZED, "credentials are wanted");
        let mut response = wrong
            .about("Authorization", "the server's credentials", found)
            .into_response();
        let challenge = HeaderValue::from_static("Basic realm=\"martinet\", charset=\"UTF-8\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return Err(Box::new(response));
    }
    Ok(Passed::Request)
}

/// The host asked for, without its port.
fn host(request: &Request) -> String {
    let field = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let text = field
        .or_else(|| request.uri().authority().map(|a| a.as_str()))
        .unwrap_or_default();
    without_port(text).to_ascii_lowercase()
}

fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && port.bytes().all(|o| o.is_ascii_digit()) => {
            host
        }
        _ => text,
    }
}

/// A page that was rebound asks by its own name: an address or `localhost` is no such name.
fn known_host(options: &Options, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.is_empty()
        || bare.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || options
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
}

/// The origin of a page of another site, where the request comes from one.
fn foreign(options: &Options, headers: &HeaderMap, host: &str) -> Option<String> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let text = String::from_utf8_lossy(origin.as_bytes()).into_owned();
        let authority = text
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .to_ascii_lowercase();
        let own = headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok());
        let same = own.is_some_and(|own| own.eq_ignore_ascii_case(&authority));
        return (!same && !allowed(options, origin)).then_some(text);
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    (site == Some(b"cross-site")).then(|| format!("another site than {host}"))
}

fn allowed(options: &Options, origin: &HeaderValue) -> bool {
    options
        .origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes())
}

/// A browser takes nothing here for a page of its own.
fn harden(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// What a page of an allowed origin may do.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let methods = HeaderValue::from_static("GET, POST, PUT, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let fields = HeaderValue::from_static("Content-Type, Authorization, Last-Event-ID");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, known: bool) {
        let options = Options {
            hosts: vec!["martinet".to_owned()],
            ..Options::default()
        };
        assert_eq!(known_host(&options, without_port(host)), known, "{host}");
    }

    #[test]
    fn hosts() {
        check("127.0.0.1:8025", true);
        check("[::1]:8025", true);
        check("::1", true);
        check("localhost:8025", true);
        check("app.localhost", true);
        check("Martinet:8025", true);
        check("evil.example:8025", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example", false);
    }

    #[test]
    fn credentials() {
        let basic = Credentials::Basic("user:pass".to_owned());
        assert!(basic.proved_by("Basic dXNlcjpwYXNz") && basic.proved_by("basic dXNlcjpwYXNz"));
        assert!(
            !basic.proved_by("Basic dXNlcjpwYXNy")
                && !basic.proved_by("Bearer user:pass")
                && !basic.proved_by("")
        );
        let bearer = Credentials::Bearer("token".to_owned());
        assert!(
            bearer.proved_by("Bearer token")
                && !bearer.proved_by("Bearer toke")
                && !bearer.proved_by("Basic token")
        );
        assert_eq!(format!("{basic:?}"), "Basic(…)");
    }
}
