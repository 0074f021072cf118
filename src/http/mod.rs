//! The HTTP APIs: the native API under `/api/v1`, the message APIs of Mailpit and MailHog beside it, metrics and
//! health.
//!
//! The APIs read the journals of the worlds, and change worlds only through [`Worlds`]. `guard` restricts access by
//! default.

mod api;
mod compat;
mod description;
#[cfg(feature = "page")]
mod page;
mod server;

pub(crate) use server::guard::host_name;
pub use server::guard::{Credentials, Options, origin};
pub(crate) use server::placement::host_and_port;
pub use server::placement::{Placement, shown};
pub(crate) use server::problem::Problem;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::harness::Worlds;
use crate::journal::{Family, Histogram};

/// Maximum size of a request body: a scenario with a few thousand records, or a message to send.
const BODY_OCTETS: usize = 32 << 20;

/// The state that all requests share.
#[derive(Debug)]
struct App {
    worlds: Arc<Worlds>,
    options: Options,
    started: Instant,
    shutdown: CancellationToken,
    /// Requests by method, route and status.
    requests: Family<3>,
    request_time: Histogram,
    mailpit: compat::mailpit::Marks,
    mails: compat::mime::Mails,
}

/// The OpenAPI description; paths come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "martinet",
        description = "A mail server that refuses your mail on purpose, says exactly why, and says what would fix it. \
            For tests only.\n\nThe paths of a world exist under `/api/v1` for the main world, and under \
            `/api/v1/worlds/{world}` for each other world."
    ),
    components(schemas(crate::lookup::Transport)),
    tags(
        (name = "journal", description = "Sessions, messages, DNS queries and events"),
        (name = "expect", description = "Waits and expectations"),
        (name = "change", description = "Changes to a running world"),
        (name = "worlds", description = "Worlds: isolated servers in one process"),
        (name = "ask", description = "Judgements without sending mail"),
    )
)]
struct Api;

/// Serves the APIs on these listeners until shutdown.
///
/// The sockets of the worlds accept connections before this function is called, so an answer of `/readyz` is true.
pub async fn serve(
    listeners: Vec<TcpListener>,
    worlds: Arc<Worlds>,
    options: Options,
    shutdown: CancellationToken,
) {
    let app = Arc::new(App {
        worlds,
        options,
        started: Instant::now(),
        shutdown: shutdown.clone(),
        requests: Family::default(),
        request_time: Histogram::default(),
        mailpit: compat::mailpit::Marks,
        mails: compat::mime::Mails::default(),
    });
    let router = router(app);
    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(server::accept::serve(
            listener,
            router.clone(),
            shutdown.clone(),
        ));
    }
    // A task that the end of the runtime cancels is not a failure.
    while serving.join_next().await.is_some() {}
}

/// The API description, as `/api/openapi.json` shows it.
pub fn openapi() -> serde_json::Value {
    described(&native().1)
}

/// The description as JSON, with the bounds of unsigned numbers: utoipa gives them the formats of signed ones.
fn described(api: &utoipa::openapi::OpenApi) -> serde_json::Value {
    fn bound(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(all) => all.iter_mut().for_each(bound),
            serde_json::Value::Object(map) => {
                let integer = |kind: &serde_json::Value| kind == "integer" || kind[0] == "integer";
                let unsigned = map.get("type").is_some_and(integer)
                    && map.get("minimum").is_some_and(|least| least == 0);
                if unsigned && !map.contains_key("maximum") {
                    let narrow = map.get("format").is_some_and(|format| format == "int32");
                    let most = if narrow {
                        u64::from(u32::MAX)
                    } else {
                        u64::MAX
                    };
                    map.insert(
                        "format".to_owned(),
                        if narrow { "uint32" } else { "uint64" }.into(),
                    );
                    map.insert("maximum".to_owned(), most.into());
                }
                map.values_mut().for_each(bound);
            }
            _ => {}
        }
    }
    let mut json = serde_json::to_value(api).unwrap_or_default();
    bound(&mut json);
    description::complete(&mut json);
    json
}

/// The native routes with their description.
fn native() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Api::openapi())
        .nest(
            "/api/v1",
            of_a_world()
                .merge(api::worlds::routes())
                .merge(api::catalogue::routes())
                .merge(api::what_if::routes())
                .merge(api::find::routes()),
        )
        .nest("/api/v1/worlds/{world}", of_a_world())
        .split_for_parts()
}

/// The routes that every world has.
fn of_a_world() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(api::sessions::routes())
        .merge(api::pictures::routes())
        .merge(api::mail::routes())
        .merge(api::content::routes())
        .merge(api::queries::routes())
        .merge(api::events::routes())
        .merge(api::wait::routes())
        .merge(api::expectations::routes())
        .merge(api::profiles::routes())
        .merge(api::zones::routes())
        .merge(api::client::routes())
        .merge(api::clock::routes())
        .merge(api::faults::routes())
        .merge(api::what_if::of_a_world())
}

fn router(app: Arc<App>) -> Router {
    let (native, api) = native();
    let health = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(api::metrics::show))
        .route(
            "/api/openapi.json",
            get(async move || axum::Json(described(&api))),
        );
    #[cfg(feature = "page")]
    let root = page::routes();
    #[cfg(not(feature = "page"))]
    let root = Router::new().route("/", get(root));
    native
        .merge(health)
        .merge(root)
        .merge(compat::mailpit::routes())
        .merge(compat::mailhog::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&app))
        // The guard reads bodies, within its own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app, server::guard::guard))
}

/// Ready until shutdown begins.
async fn ready(axum::extract::State(app): axum::extract::State<Arc<App>>) -> Response {
    if app.shutdown.is_cancelled() {
        return (axum::http::StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    "ok\n".into_response()
}

/// The text of `/` without the page: probes of other tools expect a response there.
#[cfg(not(feature = "page"))]
async fn root() -> &'static str {
    "martinet is up. The API is below /api/v1, and /api/openapi.json describes it.\n"
}

async fn nothing(uri: axum::http::Uri) -> Problem {
    Problem::not_found("path", "a path of /api/openapi.json", uri.path())
}

async fn wrong_method(method: axum::http::Method) -> Problem {
    let wrong = Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "this path has no such method",
    );
    wrong.about(
        "method",
        "one of the methods in /api/openapi.json",
        method.as_str(),
    )
}
