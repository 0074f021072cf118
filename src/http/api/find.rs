//! `find`: from a bounce to its cause.

use std::sync::Arc;

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Error;
use crate::find::{Finder, Sent, scenario_of};
use crate::http::App;
use crate::http::api::views::plain;
use crate::http::server::extract::Body;
use crate::http::server::problem::{BodyMistakes, Problem};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(find))
}

/// A bounce.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Bounce {
    /// A reply, a log line, the JSON of a mailer, or a whole delivery status notification (RFC 3464).
    #[schema(
        example = "550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.10]"
    )]
    text: String,
}

/// The result of a search.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FoundReceivers {
    /// The matches, best first: `receiver`, `rule`, `certainty` (`literal`, `words` or `kind`), `stage`, `scenario`,
    /// `client`, `helo`, `sessions` (if several are needed), `commands`, `test`, `remedies`, `era`, `confidence`, `sources`, `notes`.
    #[schema(value_type = Vec<Object>)]
    matches: Vec<Value>,
    /// Without a match, the nearest replies by code, and a generic receiver with the same behaviour.
    #[schema(value_type = Vec<Object>)]
    nearest: Vec<Value>,
    /// The details of the refused message in the bounce.
    sent: Sent,
    /// A scenario file with the client address, HELO name and sender of the bounce.
    scenario: String,
}

/// Find the receivers that give a reply, with rule, scenario and remedies
#[utoipa::path(post, path = "/find", tag = "ask", request_body = Bounce, responses(
    (status = 200, description = "The matches", body = FoundReceivers),
    BodyMistakes,
))]
async fn find(Body(bounce): Body<Bounce>) -> Result<Json<FoundReceivers>, Problem> {
    let found = tokio::task::spawn_blocking(move || {
        let finder = Finder::built_in()?;
        let found = finder.find(bounce.text.as_bytes());
        let scenario = scenario_of(&finder, &found).text;
        Ok(FoundReceivers {
            matches: found.matches.iter().map(plain).collect(),
            nearest: found.nearest.iter().map(plain).collect(),
            sent: found.sent,
            scenario,
        })
    });
    let found: Result<_, Error> = found
        .await
        .map_err(|e| Problem::of("", &Error::other(e.to_string())))?;
    Ok(Json(found.map_err(|error| Problem::of("", &error))?))
}
