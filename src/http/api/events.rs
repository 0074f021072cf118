//! `events`: the event log as server-sent events with ids and resume, as pages, and as JSON lines.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Deserializer, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expect::did_you_mean;
use crate::harness::World;
use crate::http::App;
use crate::http::server::extract::{Listing, TheWorld};
use crate::http::server::paging::{Cursor, Page};
use crate::http::server::problem::Problem;
use crate::journal::{Event, EventKind, Log};

/// Time without events after which a comment is sent, so that no proxy closes the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Maximum number of events read from the log at a time.
const BURST: usize = 256;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(follow))
        .routes(routes!(export))
}

/// A filter for events.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct EventPattern {
    /// Only events of these kinds, separated by commas, for example `verdict`.
    #[param(value_type = Option<String>)]
    #[serde(deserialize_with = "kinds")]
    event: Option<Vec<String>>,
    /// Only events of this session.
    #[param(minimum = 0)]
    session: Option<u64>,
}

/// Reads kinds of events, separated by commas.
fn kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let words: Vec<String> = text.split(',').map(str::to_owned).collect();
    let unknown = words
        .iter()
        .find(|word| !EventKind::NAMES.contains(&word.as_str()));
    match unknown {
        Some(word) => {
            let near = did_you_mean(word, EventKind::NAMES);
            let known = EventKind::NAMES.join(", ");
            Err(serde::de::Error::custom(format!(
                "invalid value {word:?}, expected one of {known}{near}"
            )))
        }
        None => Ok(Some(words)),
    }
}

impl EventPattern {
    fn matches(&self, event: &Event) -> bool {
        self.event
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|kind| kind == event.what.name()))
            && self.session.is_none_or(|session| session == event.session)
    }
}

/// One page of events.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventPage {
    /// The events.
    events: Vec<Arc<Event>>,
    #[serde(flatten)]
    cursor: Cursor,
}

/// List events as JSON, or stream them if the request accepts `text/event-stream`
///
/// A stream begins after the event `Last-Event-ID`, or after `after`, or with the next event that occurs. If events after
/// that number have been dropped, or if the number is greater than that of the last event (it comes from an earlier
/// process), the stream begins with an event `gap`: `after` is the number in the request, `next` the number of the next
/// event, and `missed` the number of lost events, if known. The stream continues with the oldest event that is kept.
#[utoipa::path(get, path = "/events", tag = "journal", params(Page, EventPattern), responses(
    (status = 200, description = "One page of events, or a stream", body = EventPage),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn follow(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    headers: HeaderMap,
    Listing(page, pattern): Listing<Page, EventPattern>,
) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !accept.contains("text/event-stream") {
        let found = page.of(
            world.events(),
            |event| event.id,
            |event| pattern.matches(event),
        );
        return Json(EventPage {
            events: found.entries,
            cursor: found.cursor,
        })
        .into_response();
    }
    let last = match last_event_id(&headers) {
        Ok(last) => last,
        Err(problem) => return problem.into_response(),
    };
    let after = last.or(page.after).unwrap_or_else(|| world.events().last());
    let follower = Follower {
        world,
        pattern,
        after,
        pending: Vec::new(),
        shutdown: app.shutdown.clone(),
    };
    let events = stream::unfold(follower, Follower::next);
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

/// The number of the event after which the client resumes.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(field) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(field.as_bytes());
    let wrong = |_| {
        Problem::mistake(
            "Last-Event-ID",
            "the number of an event",
            &format!("{text:?}"),
        )
    };
    text.parse().map(Some).map_err(wrong)
}

/// The events after a number.
enum Found {
    /// The next events.
    Events(Vec<Arc<Event>>),
    /// Events are missing; the stream continues after this number.
    Gap(u64),
}

impl Found {
    fn look(log: &Log<Event>, after: u64) -> Option<Self> {
        if after > log.last() {
            return Some(Self::Gap(log.counts().dropped));
        }
        let page = log.page(after, BURST);
        match page.first() {
            Some(first) if first.id > after + 1 => Some(Self::Gap(first.id - 1)),
            Some(_) => Some(Self::Events(page)),
            None => Some(log.counts().dropped)
                .filter(|dropped| *dropped > after)
                .map(Self::Gap),
        }
    }
}

struct Follower {
    world: Arc<World>,
    pattern: EventPattern,
    after: u64,
    /// The events to send, latest first.
    pending: Vec<Arc<Event>>,
    shutdown: CancellationToken,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            while let Some(event) = self.pending.pop() {
                self.after = event.id;
                if self.pattern.matches(&event) {
                    return Some((Ok(sse_event(&event)), self));
                }
            }
            let log = Arc::clone(self.world.events());
            let after = self.after;
            let found = tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = self.world.stopped() => return None,
                found = log.wait(|log| Found::look(log, after)) => found,
            };
            match found {
                Found::Events(new) => self.pending = new,
                Found::Gap(reached) => {
                    self.after = reached;
                    return Some((Ok(gap(after, reached)), self));
                }
            }
            self.pending.reverse();
        }
    }
}

/// Reports that events are missing. Its id is the number after which the stream continues, for clients that reconnect.
fn gap(after: u64, reached: u64) -> sse::Event {
    let mut data = serde_json::json!({ "after": after, "next": reached + 1 });
    if let Some(missed) = reached.checked_sub(after) {
        data["missed"] = missed.into();
    }
    sse::Event::default()
        .id(reached.to_string())
        .event("gap")
        .data(data.to_string())
}

fn sse_event(event: &Event) -> sse::Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    sse::Event::default()
        .id(event.id.to_string())
        .event(event.what.name())
        .data(data)
}

/// Return every event that is kept, as JSON lines
#[utoipa::path(get, path = "/events.jsonl", tag = "journal", params(EventPattern), responses(
    (status = 200, description = "One JSON object per line", body = String, content_type = "application/jsonl"),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn export(
    TheWorld(world): TheWorld,
    crate::http::server::extract::Params(pattern): crate::http::server::extract::Params<
        EventPattern,
    >,
) -> impl IntoResponse {
    let mut lines = String::new();
    for event in world
        .events()
        .entries()
        .iter()
        .filter(|event| pattern.matches(event))
    {
        lines.push_str(&serde_json::to_string(event).unwrap_or_default());
        lines.push('\n');
    }
    ([(header::CONTENT_TYPE, "application/jsonl")], lines)
}
