//! Access control: credentials, the Host field (against DNS rebinding), the Origin field (against other sites).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use subtle::ConstantTimeEq;

use crate::http::server::placement::Placement;
use crate::http::server::problem::Problem;
use crate::http::{App, BODY_OCTETS};

/// Maximum time of a request; longer than any wait.
const REQUEST_TIME: Duration = Duration::from_secs(90);
/// Maximum time to send a body.
const BODY_TIME: Duration = Duration::from_secs(15);

/// Access to the API.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Accepted credentials; if empty, the API requires none.
    pub credentials: Vec<Credentials>,
    /// Accepted host names, in addition to `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Origins whose pages may use the API, in the form of [`origin`]; none by default.
    pub origins: Vec<String>,
    /// Where worlds that are created over HTTP listen, and how their addresses are shown.
    pub worlds: Placement,
}

/// The credentials of one client.
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
    /// Reads `user:password` (RFC 7617 §2: the user has no colon, and neither has control characters).
    ///
    /// # Errors
    /// The expected form, as text.
    pub fn basic(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() => {}
            _ => return Err("expected user:password".to_owned()),
        }
        if text.chars().any(char::is_control) {
            return Err("expected user:password without control characters".to_owned());
        }
        Ok(Self::Basic(text.to_owned()))
    }

    /// Reads a bearer token. RFC 6750 §2.1 allows fewer characters; a client can send any visible ASCII character.
    ///
    /// # Errors
    /// The expected form, as text.
    pub fn bearer(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a token, found an empty one".to_owned());
        }
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err("expected a token of visible ASCII characters without spaces".to_owned());
        }
        Ok(Self::Bearer(text.to_owned()))
    }

    /// Whether an Authorization field has these credentials. Empty credentials never match.
    fn are_in(&self, field: &str) -> bool {
        let (scheme, value) = field.split_once(' ').unwrap_or((field, ""));
        let same = |a: &[u8], b: &[u8]| !b.is_empty() && bool::from(a.ct_eq(b));
        match self {
            Self::Basic(expected) if scheme.eq_ignore_ascii_case("basic") => STANDARD
                .decode(value.trim())
                .is_ok_and(|decoded| same(&decoded, expected.as_bytes())),
            Self::Bearer(expected) if scheme.eq_ignore_ascii_case("bearer") => {
                same(value.trim().as_bytes(), expected.as_bytes())
            }
            _ => false,
        }
    }

    /// The challenge of this scheme (RFC 9110 §11.6.1).
    fn challenge(&self) -> &'static str {
        match self {
            Self::Basic(_) => "Basic realm=\"martinet\", charset=\"UTF-8\"",
            Self::Bearer(_) => "Bearer realm=\"martinet\"",
        }
    }
}

/// Reads a host name for [`Options::hosts`], in lower case.
///
/// # Errors
/// The expected form, as text: a port, a scheme or a wildcard would never match a request.
pub(crate) fn host_name(text: &str) -> Result<String, String> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if !text.is_empty() && text.bytes().all(plain) || bare.parse::<IpAddr>().is_ok() {
        return Ok(text.to_ascii_lowercase());
    }
    Err("expected a host name without scheme and port, such as martinet.internal".to_owned())
}

/// Reads an origin for [`Options::origins`], as browsers write it (RFC 6454 §6.2): in lower case, without the default
/// port.
///
/// # Errors
/// The expected form, as text: a path, a wildcard or `null` would never match, or match pages of every site.
pub fn origin(text: &str) -> Result<String, String> {
    let wrong = || "expected an origin without a path, such as http://localhost:5173".to_owned();
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let letter = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(letter);
    let authority = authority(rest.as_bytes()).filter(|_| named && !rest.contains('*'));
    let authority = authority.ok_or_else(wrong)?;
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    match authority.port_u16() {
        Some(port) if Some(port) != usual => Ok(format!("{scheme}://{}:{port}", authority.host())),
        _ => Ok(format!("{scheme}://{}", authority.host())),
    }
}

/// A host with or without a port, and nothing else (RFC 9110 §7.2).
fn authority(octets: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(octets)
        .ok()
        .filter(|_| octets.is_ascii())?;
    let host = authority.host();
    let bracketed = |host: &str| {
        let inner = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|address| address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()))
    };
    let whole = host.len() + authority.port().map_or(0, |port| port.as_str().len() + 1);
    let valid = !host.is_empty()
        && (!host.contains(['[', ']', ':']) || bracketed(host))
        // `host:` has an empty port (RFC 3986 §3.2.3).
        && (whole == octets.len() || octets.ends_with(b":") && whole + 1 == octets.len());
    valid.then_some(authority)
}

/// Passes a request on, or refuses it with a reason; counts it.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
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
        Ok(Passed::Request) => match whole(request).await {
            Err(problem) => problem.into_response(),
            Ok(request) => match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
                Ok(response) => response,
                Err(_) => {
                    let detail = "the request took too long";
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
                }
            },
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
    let authority = match requested_authority(request) {
        Ok(authority) => authority,
        Err(problem) => return refuse(problem),
    };
    if let Some(authority) = authority
        .as_ref()
        .filter(|a| !known_host(options, a.host()))
    {
        let detail = "the Host field names another server: allow the name with --http-host, or use an address";
        let wrong = Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
        let expected = "localhost, an address, or an allowed name";
        return refuse(wrong.about("Host", expected, authority.host()));
    }
    if let Some(origin) = foreign(options, request.headers(), authority.as_ref()) {
        let wrong = Problem::new(
            StatusCode::FORBIDDEN,
            "pages of other sites may not use the API: allow an origin with --http-origin",
        );
        return refuse(wrong.about("Origin", "the server's own origin", &origin));
    }
    let headers = request.headers();
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
    let has_credentials = options.credentials.iter().any(|c| c.are_in(field));
    if !options.credentials.is_empty() && !open && !has_credentials {
        return Err(Box::new(unauthorized(options)));
    }
    Ok(Passed::Request)
}

/// 401 with a challenge of each accepted scheme.
fn unauthorized(options: &Options) -> Response {
    let detail = "this server requires credentials";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let mut challenges: Vec<_> = options
        .credentials
        .iter()
        .map(Credentials::challenge)
        .collect();
    challenges.sort_unstable();
    challenges.dedup();
    for challenge in challenges {
        let challenge = HeaderValue::from_static(challenge);
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Reads the whole body of a request, so that a slow or large body gets the same response on every path.
async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let too_large = |found: &str| {
        let limit = format!("at most {BODY_OCTETS} octets");
        let wrong = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        wrong.about("body", &limit, found)
    };
    let announced = body.size_hint().lower();
    if announced > BODY_OCTETS as u64 {
        return Err(too_large(&format!("{announced} octets")));
    }
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    let mut data = body.into_data_stream();
    let reading = async {
        let mut octets = Vec::new();
        while let Some(more) = data.next().await {
            let more =
                more.map_err(|e| Problem::mistake("body", "a complete body", &e.to_string()))?;
            if octets.len() + more.len() > BODY_OCTETS {
                return Err(too_large("more"));
            }
            octets.extend_from_slice(&more);
        }
        Ok(octets)
    };
    let slow = |_| {
        let limit = format!("the whole body within {} seconds", BODY_TIME.as_secs());
        let detail = "the body did not arrive in time";
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail).about("body", &limit, "less")
    };
    let octets = tokio::time::timeout(BODY_TIME, reading)
        .await
        .map_err(slow)??;
    Ok(Request::from_parts(parts, Body::from(octets)))
}

/// The host that a request names; `None` for an HTTP/1.0 request without one.
///
/// # Errors
/// 400 if Host is missing, repeated or not a host (RFC 9112 §3.2). A Host field must be valid even if the
/// request-target overrides it.
fn requested_authority(request: &Request) -> Result<Option<Authority>, Problem> {
    let fields: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
    let expected = "one Host field with a host and an optional port";
    let wrong = |found: &str| Err(Problem::mistake("Host", expected, found));
    let target = request.uri().authority().cloned();
    match fields[..] {
        [] if request.version() < Version::HTTP_11 => Ok(target),
        [] => wrong("none"),
        [field] => match authority(field.as_bytes()) {
            Some(host) => Ok(Some(target.unwrap_or(host))),
            None => wrong(&format!("{:?}", String::from_utf8_lossy(field.as_bytes()))),
        },
        _ => wrong(&format!("{} Host fields", fields.len())),
    }
}

/// DNS rebinding needs a host name of the attacker, so addresses and `localhost` are safe.
fn known_host(options: &Options, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok()
        || host == "localhost"
        || host.ends_with(".localhost")
        || options
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&host))
}

/// The origin of the other site whose page sent the request, if one did.
fn foreign(options: &Options, headers: &HeaderMap, own: Option<&Authority>) -> Option<String> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let text = String::from_utf8_lossy(origin.as_bytes()).into_owned();
        let origin_authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let same = own.is_some_and(|own| own.as_str().eq_ignore_ascii_case(origin_authority));
        return (!same && !allowed(options, origin)).then_some(text);
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    (site == Some(b"cross-site")).then(|| "a page of another site".to_owned())
}

fn allowed(options: &Options, origin: &HeaderValue) -> bool {
    options
        .origins
        .iter()
        .any(|known| known.as_bytes() == origin.as_bytes())
}

/// Keeps browsers from guessing content types and from caching.
fn harden(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Permissions for pages of an allowed origin.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let methods = HeaderValue::from_static("GET, POST, PUT, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let fields = HeaderValue::from_static("Content-Type, Authorization, Last-Event-ID");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fields);
}

#[cfg(test)]
mod tests;
