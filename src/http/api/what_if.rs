//! `check` and `matrix`: judgements without sending mail.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::check::{Attempt, Judgement, judge, remedied};
use crate::error::Error;
use crate::harness::World;
use crate::http::App;
use crate::http::api::pictures::{document, drawing};
use crate::http::api::source::Source;
use crate::http::api::views::plain;
use crate::http::server::extract::{Body, Params, TheWorld};
use crate::http::server::problem::{BodyMistakes, Problem};
use crate::matrix::{self, Row};
use crate::picture::{Case, Picture};
use crate::policy::Remedy;
use crate::scenario::{self, ReceiverProfile, Scenario};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_matrix))
}

/// The routes that every world has.
pub(crate) fn of_a_world() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(check, check_body))
        .routes(routes!(picture, picture_body))
        .routes(routes!(svg, svg_body))
}

/// The client and the receiver of a judgement.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct WhatIf {
    /// The client address; by default the one that the next connection from 127.0.0.1 gets, or 127.0.0.1 with `scenario`.
    #[param(value_type = Option<String>, format = "ip", example = "192.0.2.10")]
    #[schema(value_type = Option<String>, format = "ip", example = "192.0.2.10")]
    client_address: Option<IpAddr>,
    /// The HELO name.
    #[param(required = true, value_type = String, pattern = "^[^\\r\\n\\u0000]*$", example = "mail.example.test")]
    #[schema(required = true, value_type = String, pattern = "^[^\\r\\n\\u0000]*$", example = "mail.example.test")]
    helo: Option<String>,
    /// A scenario to judge with, in its original state and with a receiver without memory; by default the state of the world.
    #[param(value_type = Option<String>)]
    scenario: Option<Source>,
    /// A receiver, or `all` built-in receivers; by default that of the recipient's domain, or of
    /// the world, or of `scenario`.
    #[param(value_type = Option<String>)]
    receiver: Option<Source>,
    /// The envelope sender; that of the scenario by default.
    #[param(pattern = "^[^\\r\\n\\u0000]*$")]
    #[schema(pattern = "^[^\\r\\n\\u0000]*$")]
    sender: Option<String>,
    /// The envelope recipient; by default postmaster at the first domain of the receiver, or of the scenario.
    #[param(pattern = "^[^\\r\\n\\u0000]*$")]
    #[schema(pattern = "^[^\\r\\n\\u0000]*$")]
    recipient: Option<String>,
    /// The message; a short message from the sender by default.
    message: Option<String>,
}

/// The judgements of receivers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Judgements {
    /// One judgement for each receiver: `verdict`, `stage`, `rule` if one refused, `reply`, `why`, `facts`, `evidence`,
    /// `remedies`.
    #[schema(value_type = Vec<Object>)]
    judgements: Vec<Value>,
}

/// Show what a receiver, or all receivers, would reply to a client now
///
/// The judgement uses the zones, DNS faults, NAT, clock and memory of the world. The request leaves no trace: it does not
/// count for faults, and greylisting does not remember it. With `scenario`, the judgement uses that scenario instead of the
/// world.
#[utoipa::path(get, path = "/check", tag = "ask", params(WhatIf), responses(
    (status = 200, description = "The judgements", body = Judgements),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn check(
    TheWorld(world): TheWorld,
    Params(what_if): Params<WhatIf>,
) -> Result<Json<Judgements>, Problem> {
    judged(world, what_if).await
}

/// Show what a receiver would reply; scenario and receiver can also be TOML text or JSON objects
#[utoipa::path(post, path = "/check", tag = "ask", request_body = WhatIf, responses(
    (status = 200, description = "The judgements", body = Judgements),
    BodyMistakes,
))]
async fn check_body(
    TheWorld(world): TheWorld,
    Body(what_if): Body<WhatIf>,
) -> Result<Json<Judgements>, Problem> {
    judged(world, what_if).await
}

/// Draw what one receiver would reply as an HTML page: DNS answers, the broken link, the effect of each remedy
#[utoipa::path(get, path = "/check/picture", tag = "ask", params(WhatIf), responses(
    (status = 200, description = "The page, which needs no script and can be printed", body = String, content_type = "text/html"),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn picture(
    TheWorld(world): TheWorld,
    Params(what_if): Params<WhatIf>,
) -> Result<Response, Problem> {
    drawn(world, what_if, |picture| document(picture).into_response()).await
}

/// Draw the same page; scenario and receiver can also be TOML text or JSON objects
#[utoipa::path(post, path = "/check/picture", tag = "ask", request_body = WhatIf, responses(
    (status = 200, description = "The page", body = String, content_type = "text/html"),
    BodyMistakes,
))]
async fn picture_body(
    TheWorld(world): TheWorld,
    Body(what_if): Body<WhatIf>,
) -> Result<Response, Problem> {
    drawn(world, what_if, |picture| document(picture).into_response()).await
}

/// Draw the identities of a client as one receiver would see them, as SVG
#[utoipa::path(get, path = "/check/picture.svg", tag = "ask", params(WhatIf), responses(
    (status = 200, description = "Each identity with the DNS answers about it, and the broken link", body = String, content_type = "image/svg+xml"),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn svg(
    TheWorld(world): TheWorld,
    Params(what_if): Params<WhatIf>,
) -> Result<Response, Problem> {
    drawn(world, what_if, |picture| drawing(picture).into_response()).await
}

/// Draw the same picture; scenario and receiver can also be TOML text or JSON objects
#[utoipa::path(post, path = "/check/picture.svg", tag = "ask", request_body = WhatIf, responses(
    (status = 200, description = "The picture", body = String, content_type = "image/svg+xml"),
    BodyMistakes,
))]
async fn svg_body(
    TheWorld(world): TheWorld,
    Body(what_if): Body<WhatIf>,
) -> Result<Response, Problem> {
    drawn(world, what_if, |picture| drawing(picture).into_response()).await
}

async fn drawn(
    world: Arc<World>,
    what_if: WhatIf,
    draw: fn(&Picture) -> Response,
) -> Result<Response, Problem> {
    let question = Question::of(&world, what_if)?;
    if question.profiles.len() > 1 {
        return Err(Problem::mistake("receiver", "one receiver", "all"));
    }
    let drawn = move || {
        let [profile] = &question.profiles[..] else {
            return None;
        };
        let judgement = question.judgement(&world, profile);
        let case = Case::from(&judgement).trying(&judgement.remedies, |remedy| {
            question.remedied(&world, profile, remedy)
        });
        Some(draw(&Picture::of(&case)))
    };
    let drawn = tokio::task::spawn_blocking(drawn)
        .await
        .map_err(|e| Problem::of("", &Error::other(e.to_string())))?;
    drawn.ok_or_else(|| Problem::mistake("receiver", "one receiver", "none"))
}

async fn judged(world: Arc<World>, what_if: WhatIf) -> Result<Json<Judgements>, Problem> {
    let question = Question::of(&world, what_if)?;
    let judgements = tokio::task::spawn_blocking(move || question.judgements(&world));
    let judgements = judgements
        .await
        .map_err(|e| Problem::of("", &Error::other(e.to_string())))?;
    Ok(Json(Judgements { judgements }))
}

/// A what-if with its defaults filled in.
struct Question {
    /// The scenario; `None` for that of the world.
    scenario: Option<Scenario>,
    profiles: Vec<ReceiverProfile>,
    attempt: Attempt,
    /// Whether each receiver is asked about a recipient of its own domain.
    own_recipient: bool,
}

impl Question {
    fn of(world: &World, what_if: WhatIf) -> Result<Self, Problem> {
        let one_line = |field, text: Option<String>| match text {
            Some(text) if text.contains(['\r', '\n', '\0']) => Err(Problem::mistake(
                field,
                "one line",
                "a line end or NUL in it",
            )),
            text => Ok(text),
        };
        let helo = one_line("helo", what_if.helo)?
            .ok_or_else(|| Problem::mistake("helo", "a value", "none"))?;
        let sender = one_line("sender", what_if.sender)?;
        let recipient = one_line("recipient", what_if.recipient)?;
        let scenario = what_if.scenario.map(|named| named.scenario()).transpose()?;
        let profiles = match (&what_if.receiver, &scenario) {
            (Some(Source::Text(name)), _) if name == "all" => all_receivers()?,
            (Some(receiver), _) => vec![receiver.receiver()?],
            (None, Some(scenario)) => {
                let recipient = recipient.clone().unwrap_or_else(|| scenario.recipient());
                vec![named_receiver(&scenario.receiver_for(&recipient))?]
            }
            (None, None) => {
                let recipient = recipient
                    .clone()
                    .unwrap_or_else(|| world.scenario().recipient());
                vec![ReceiverProfile::clone(&world.receiver_for(&recipient))]
            }
        };
        let client = what_if.client_address.unwrap_or_else(|| match scenario {
            Some(_) => Ipv4Addr::LOCALHOST.into(),
            None => world.next_client(),
        });
        let mut attempt = match &scenario {
            Some(scenario) => Attempt::of(scenario, client, &helo),
            None => world.attempt(client, &helo),
        };
        if let Some(sender) = sender {
            attempt = attempt.from_sender(sender);
        }
        if let Some(message) = what_if.message {
            attempt.message = crlf(&message);
        }
        let named = what_if.receiver.is_some();
        Ok(Self {
            own_recipient: recipient.is_none() && named,
            attempt: Attempt {
                recipient: recipient.unwrap_or(attempt.recipient),
                ..attempt
            },
            scenario,
            profiles,
        })
    }

    fn judgements(&self, world: &World) -> Vec<Value> {
        let judgement = |profile: &ReceiverProfile| plain(&self.judgement(world, profile));
        self.profiles.iter().map(judgement).collect()
    }

    /// The attempt that a receiver judges.
    fn attempt(&self, world: &World, profile: &ReceiverProfile) -> Attempt {
        let mut attempt = self.attempt.clone();
        if self.own_recipient {
            attempt.recipient = match &self.scenario {
                Some(scenario) => scenario.recipient_at(&profile.name),
                None => world.scenario().recipient_at(&profile.name),
            };
        }
        attempt
    }

    fn judgement(&self, world: &World, profile: &ReceiverProfile) -> Judgement {
        let attempt = self.attempt(world, profile);
        match &self.scenario {
            Some(scenario) => {
                // Each judgement begins with the counts of faults at 0.
                let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
                let timeout = profile.dns_timeout;
                judge(&profile.receiver, &zones, timeout, &attempt)
            }
            None => world.check_by(profile, &attempt),
        }
    }

    /// The judgement after a remedy is applied.
    fn remedied(
        &self,
        world: &World,
        profile: &ReceiverProfile,
        remedy: &Remedy,
    ) -> Option<Judgement> {
        let attempt = self.attempt(world, profile);
        let Some(scenario) = &self.scenario else {
            return world.check_remedied(profile, &attempt, remedy);
        };
        let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
        let (zones, attempt) = remedied(&zones, &attempt, remedy)?;
        let timeout = profile.dns_timeout;
        Some(judge(&profile.receiver, &zones, timeout, &attempt))
    }
}

/// The text with CRLF line ends.
fn crlf(text: &str) -> Vec<u8> {
    let lines = text.lines().map(|line| format!("{line}\r\n"));
    lines.collect::<String>().into_bytes()
}

/// The scenarios and receivers of a matrix.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The scenarios, separated by commas; all by default.
    scenario: Option<String>,
    /// The receivers, separated by commas; all by default.
    receiver: Option<String>,
}

/// Every scenario client against every receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Matrix {
    /// The rows: one for the clients of a scenario with the same HELO name and the same verdicts.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// Show the verdict of each receiver on each client of the scenarios, with the rule that refused
#[utoipa::path(get, path = "/matrix", tag = "ask", params(Which), responses(
    (status = 200, description = "The rows", body = Matrix),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn show_matrix(Params(which): Params<Which>) -> Result<Json<Matrix>, Problem> {
    let scenarios = match &which.scenario {
        None => scenario::list_scenarios().map_err(|e| Problem::of("scenario", &e))?,
        Some(names) => names
            .split(',')
            .map(named_scenario)
            .collect::<Result<_, _>>()?,
    };
    let profiles = match &which.receiver {
        None => all_receivers()?,
        Some(names) => names
            .split(',')
            .map(named_receiver)
            .collect::<Result<_, _>>()?,
    };
    let rows = tokio::task::spawn_blocking(move || {
        let rows = scenarios
            .iter()
            .flat_map(|scenario| matrix::rows(scenario, &profiles));
        rows.map(|row: Row| plain(&row)).collect()
    });
    let rows = rows
        .await
        .map_err(|e| Problem::of("", &Error::other(e.to_string())))?;
    Ok(Json(Matrix { rows }))
}

fn named_scenario(name: &str) -> Result<Scenario, Problem> {
    Source::Text(name.to_owned()).scenario()
}

fn named_receiver(name: &str) -> Result<ReceiverProfile, Problem> {
    Source::Text(name.to_owned()).receiver()
}

fn all_receivers() -> Result<Vec<ReceiverProfile>, Problem> {
    scenario::list_receivers().map_err(|error| Problem::of("receiver", &error))
}
