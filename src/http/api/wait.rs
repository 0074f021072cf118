//! `wait`: the request waits until enough sessions, messages or DNS queries match or the time is up. The response has
//! evidence in both cases.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::{MOST, Mail, NearMiss, Queries, Sessions, WaitTimeout};
use crate::http::App;
use crate::http::api::mail::MailView;
use crate::http::api::views::SessionView;
use crate::http::server::extract::{Listing, TheWorld};
use crate::http::server::paging::{Keys, within};
use crate::http::server::problem::Problem;
use crate::journal::DnsQuery;

/// Default time to wait, in milliseconds.
const USUAL_MS: u64 = 5_000;
/// Maximum time to wait, in milliseconds.
const LONGEST_MS: u64 = 60_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(wait))
        .routes(routes!(wait_for_mail))
        .routes(routes!(wait_for_queries))
}

/// The number of matches to wait for, and the maximum time.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Until {
    /// The number of matches to wait for, 1 to 1000; 1 by default.
    #[param(minimum = 1, maximum = 1000)]
    count: Option<u64>,
    /// The maximum time to wait, 0 to 60000 milliseconds; 5000 by default.
    #[param(minimum = 0, maximum = 60000)]
    timeout_ms: Option<u64>,
    /// Only entries with a number greater than this one.
    #[param(minimum = 0)]
    after: u64,
}

impl Keys for Until {
    const KEYS: &'static [&'static str] = &["count", "timeout_ms", "after"];
}

impl Until {
    /// The count and the time, within their bounds.
    fn checked(self) -> Result<(usize, Duration), Problem> {
        let count = within("count", self.count.unwrap_or(1), 1, MOST as u64)?;
        let time = self.timeout_ms.unwrap_or(USUAL_MS);
        let time = within("timeout_ms", time, 0, LONGEST_MS)?;
        let count = usize::try_from(count).unwrap_or(MOST);
        Ok((count, Duration::from_millis(time)))
    }
}

/// The part of a result that is the same for sessions, messages and queries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Evidence {
    /// Whether enough entries matched.
    matched: bool,
    /// A description of the filter.
    wanted: String,
    /// The number of matches.
    found: u64,
    /// If too few matched, the last entries seen, one line each.
    seen: Vec<String>,
    /// If too few matched, the entries that nearly match, nearest first.
    near_misses: Vec<NearMiss>,
}

/// The result of a wait for sessions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Waited {
    #[serde(flatten)]
    evidence: Evidence,
    /// The sessions that matched, at most 1000; empty if too few did.
    sessions: Vec<SessionView>,
}

/// The result of a wait for messages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WaitedForMail {
    #[serde(flatten)]
    evidence: Evidence,
    /// The messages that matched, at most 1000; empty if too few did.
    mail: Vec<MailView>,
}

/// The result of a wait for DNS queries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WaitedForQueries {
    #[serde(flatten)]
    evidence: Evidence,
    /// The queries that matched, at most 1000; empty if too few did.
    queries: Vec<Arc<DnsQuery>>,
}

/// Wait for sessions with a verdict, including those before the request
#[utoipa::path(get, path = "/wait", tag = "expect", params(Until, Sessions), responses(
    (status = 200, description = "Enough sessions matched", body = Waited),
    (status = 417, description = "Too few matched in time; the body has the entries seen and the near misses", body = Waited),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "The world was deleted during the wait", body = Problem, content_type = "application/problem+json"),
))]
async fn wait(
    TheWorld(world): TheWorld,
    Listing(until, pattern): Listing<Until, Sessions>,
) -> Result<Response, Problem> {
    let (count, time) = until.checked()?;
    let waiting = world.wait_for_sessions_within(&pattern, count, until.after, time);
    let wanted = format!("{count} {pattern}");
    answer(waiting.await, wanted, |evidence, found| Waited {
        evidence,
        sessions: found.iter().map(|s| SessionView::whole(s)).collect(),
    })
}

/// Wait for messages, including those before the request
#[utoipa::path(get, path = "/wait/mail", tag = "expect", params(Until, Mail), responses(
    (status = 200, description = "Enough messages matched", body = WaitedForMail),
    (status = 417, description = "Too few matched in time; the body has the entries seen and the near misses", body = WaitedForMail),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "The world was deleted during the wait", body = Problem, content_type = "application/problem+json"),
))]
async fn wait_for_mail(
    TheWorld(world): TheWorld,
    Listing(until, pattern): Listing<Until, Mail>,
) -> Result<Response, Problem> {
    let (count, time) = until.checked()?;
    let waiting = world.wait_for_mail_within(&pattern, count, until.after, time);
    let wanted = format!("{count} {pattern}");
    answer(waiting.await, wanted, |evidence, found| WaitedForMail {
        evidence,
        mail: found.iter().map(MailView::from).collect(),
    })
}

/// Wait for DNS queries, including those before the request
#[utoipa::path(get, path = "/wait/dns/queries", tag = "expect", params(Until, Queries), responses(
    (status = 200, description = "Enough queries matched", body = WaitedForQueries),
    (status = 417, description = "Too few matched in time; the body has the entries seen and the near misses", body = WaitedForQueries),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 410, description = "The world was deleted during the wait", body = Problem, content_type = "application/problem+json"),
))]
async fn wait_for_queries(
    TheWorld(world): TheWorld,
    Listing(until, pattern): Listing<Until, Queries>,
) -> Result<Response, Problem> {
    let (count, time) = until.checked()?;
    let waiting = world.wait_for_queries_within(&pattern, count, until.after, time);
    let wanted = format!("{count} {pattern}");
    answer(waiting.await, wanted, |evidence, queries| {
        WaitedForQueries { evidence, queries }
    })
}

/// 200 with the matches, 417 with the entries that were seen instead, or 410 if the world stopped.
fn answer<T, B: Serialize>(
    waited: Result<Vec<T>, WaitTimeout>,
    wanted: String,
    body: impl FnOnce(Evidence, Vec<T>) -> B,
) -> Result<Response, Problem> {
    let (status, evidence, entries) = match waited {
        Ok(mut entries) => {
            let found = entries.len() as u64;
            entries.truncate(MOST);
            let evidence = Evidence {
                matched: true,
                wanted,
                found,
                seen: Vec::new(),
                near_misses: Vec::new(),
            };
            (StatusCode::OK, evidence, entries)
        }
        Err(missed) if missed.stopped => {
            let text = format!("the world stopped during the wait for {wanted}");
            return Err(Problem::new(StatusCode::GONE, &text));
        }
        Err(missed) => {
            let evidence = Evidence {
                matched: false,
                wanted,
                found: missed.found,
                seen: missed.seen,
                near_misses: missed.near_misses,
            };
            (StatusCode::EXPECTATION_FAILED, evidence, Vec::new())
        }
    };
    Ok((status, Json(body(evidence, entries))).into_response())
}
