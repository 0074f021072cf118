//! `check` and `matrix`: who would refuse whom, without sending.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::check::{Attempt, judge};
use crate::error::Error;
use crate::http::App;
use crate::http::api::changes::Source;
use crate::http::api::views::plain;
use crate::http::server::extract::Params;
use crate::http::server::problem::Problem;
use crate::matrix::{self, Row};
use crate::scenario::{self, ReceiverProfile, Scenario, plain_message};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(check))
        .routes(routes!(show_matrix))
}

/// Who tries what.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhatIf {
    /// The client address.
    #[param(value_type = String, example = "192.0.2.10")]
    client_address: IpAddr,
    /// The HELO/EHLO argument.
    #[param(example = "mail.example.test")]
    helo: String,
    /// The scenario; `one-to-one` where left out.
    scenario: Option<String>,
    /// The receiver, or `all`; the scenario's own where left out.
    receiver: Option<String>,
    /// The reverse-path; the scenario's sender where left out.
    sender: Option<String>,
    /// The forward-path; postmaster of the scenario's first domain where left out.
    recipient: Option<String>,
}

/// What receivers would say.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Judgements {
    /// One for each receiver: `verdict`, `stage`, `rule` where one refused, `reply`, `why`, `facts`, `evidence`,
    /// `remedies`.
    #[schema(value_type = Vec<Object>)]
    judgements: Vec<Value>,
}

/// What a receiver, or all of them, would say to a client
#[utoipa::path(get, path = "/check", tag = "ask", params(WhatIf), responses(
    (status = 200, description = "The judgements", body = Judgements),
    (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn check(Params(what_if): Params<WhatIf>) -> Result<Json<Judgements>, Problem> {
    for (field, text) in [
        ("helo", Some(&what_if.helo)),
        ("sender", what_if.sender.as_ref()),
        ("recipient", what_if.recipient.as_ref()),
    ] {
        if text.is_some_and(|text| text.contains(['\r', '\n', '\0'])) {
            return Err(Problem::mistake(
                field,
                "one line",
                "a line end or NUL in it",
            ));
        }
    }
    let scenario = named_scenario(what_if.scenario.as_deref().unwrap_or("one-to-one"))?;
    let receiver = what_if
        .receiver
        .clone()
        .unwrap_or_else(|| scenario.receiver.clone());
    let profiles = if receiver == "all" {
        all_receivers()?
    } else {
        vec![named_receiver(&receiver)?]
    };
    let attempt = Attempt {
        client: what_if.client_address,
        helo: what_if.helo,
        verb: "EHLO".to_owned(),
        recipient: what_if.recipient.unwrap_or_else(|| scenario.recipient()),
        message: plain_message(&scenario.sender),
        sender: what_if.sender.unwrap_or_else(|| scenario.sender.clone()),
    };
    let judged = tokio::task::spawn_blocking(move || {
        let judgement = |profile: &ReceiverProfile| {
            // Faults that count begin anew for each.
            let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
            plain(&judge(
                &profile.receiver,
                &zones,
                profile.dns_timeout,
                &attempt,
            ))
        };
        profiles.iter().map(judgement).collect()
    });
    let judgements = judged
        .await
        .map_err(|e| Problem::of("", &Error::other(e.to_string())))?;
    Ok(Json(Judgements { judgements }))
}

/// Which scenario and receivers.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Scenarios, separated by commas; all where left out.
    scenario: Option<String>,
    /// Receivers, separated by commas; all where left out.
    receiver: Option<String>,
}

/// Every scenario client against every receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Matrix {
    /// A row for the clients of a scenario that say the same HELO and fare alike.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// Every scenario client against every receiver, with the rule that refused in each cell
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
