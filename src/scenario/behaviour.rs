//! `[auth]` and `[[script]]` of receiver files: credentials, and misbehaviour on purpose.

use std::collections::BTreeMap;

use super::reader::{Reader, string};
use super::report::Mistakes;
use super::values::{networks, reply};
use crate::smtp::{
    Auth, AuthOutcome, Condition, End, Mechanism, Point, Schedule, Script, SendMode,
};

/// Reads `[auth]`; without it, AUTH is not offered.
pub(super) fn auth(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Auth> {
    let mut table = file.table("auth", mistakes)?;
    let mechanism = |text: &str| {
        Mechanism::ALL
            .into_iter()
            .find(|known| known.word() == text)
    };
    let mechanisms = table.parsed_list("mechanisms", mistakes, mechanism);
    let users = users(&mut table, mistakes);
    let span = table.span();
    let outcome = table.choice("accept", mistakes);
    if outcome == Some("users") && users.is_empty() {
        mistakes.add(
            span,
            "users = { name = \"password\" } beside accept = \"users\"",
            "none",
        );
    }
    let auth = Auth {
        mechanisms: mechanisms.unwrap_or_else(|| vec![Mechanism::Plain, Mechanism::Login]),
        outcome: match outcome {
            Some("none") => AuthOutcome::Refuse,
            Some("later") => AuthOutcome::Temporary,
            Some("users") => AuthOutcome::Users(users),
            _ if !users.is_empty() => AuthOutcome::Users(users),
            _ => AuthOutcome::Any,
        },
        required: table.flag("required", mistakes).unwrap_or(false),
        tls_only: table.flag("tls_only", mistakes).unwrap_or(false),
        keep_credentials: table.flag("keep_credentials", mistakes).unwrap_or(false),
    };
    table.finish();
    Some(auth)
}

fn users(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> BTreeMap<String, String> {
    let Some(users) = table.table("users", mistakes) else {
        return BTreeMap::new();
    };
    let each = users.entries().filter_map(|(user, password)| {
        Some((
            user.get_ref().to_string(),
            string(password, mistakes)?.value,
        ))
    });
    each.collect()
}

/// Reads every `[[script]]`.
pub(super) fn scripts(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Vec<Script> {
    file.tables("script", mistakes)
        .into_iter()
        .filter_map(|table| script(table, mistakes))
        .collect()
}

fn script(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Script> {
    table.require("stage", mistakes);
    let word = table.choice("stage", mistakes);
    let point = Point::ALL
        .into_iter()
        .find(|(known, _)| Some(*known) == word);
    let (when, often) = (when(&mut table, mistakes), often(&mut table, mistakes));
    let expected = "a reply code from 2yz to 5yz";
    let reply = reply(
        "reply",
        expected,
        |code| code.class() != 3 || code.get() == 354,
        &mut table,
        mistakes,
    );
    let one_line =
        |text: &str| (!text.contains(['\r', '\n']) && text.len() <= 5000).then(|| text.to_owned());
    let raw = table.parsed("raw", mistakes, one_line);
    let manner = manner(&mut table, mistakes);
    let span = table.span();
    if reply.is_some() && raw.is_some() {
        mistakes.add(span.clone(), "reply or raw", "both");
    }
    if reply.is_none() && raw.is_none() && manner == SendMode::default() {
        mistakes.add(
            span,
            "reply, raw, delay, drip, split, instead or after",
            "none: it would do nothing",
        );
    }
    table.finish();
    Some(Script {
        point: point?.1,
        when,
        often,
        reply,
        raw,
        manner,
    })
}

fn when(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Condition {
    let mut list = |key, mistakes: &mut Mistakes| -> Vec<String> {
        table
            .strings(key, mistakes)
            .unwrap_or_default()
            .into_iter()
            .map(|text| text.value)
            .collect()
    };
    let (recipients, senders) = (list("recipient", mistakes), list("sender", mistakes));
    let (helos, headers) = (list("helo", mistakes), list("header", mistakes));
    let clients = networks(table, "client", mistakes).unwrap_or_default();
    Condition {
        recipients,
        senders,
        helos,
        clients,
        headers,
    }
}

fn often(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Schedule {
    let probability = table.points("probability", mistakes);
    let seed = table.number("seed", mistakes).map_or(0, |seed| seed.value);
    let span = table.span();
    let millionths = probability
        .and_then(|points| u32::try_from(points.0).ok())
        .filter(|p| *p <= 100)
        .map(|p| p * 10_000);
    if probability.is_some() && millionths.is_none() {
        mistakes.add(
            span,
            "a probability from 0.0 to 1.0, of at most two places",
            "another number",
        );
    }
    let mut count =
        |key, mistakes: &mut Mistakes| table.number(key, mistakes).map(|number| number.value);
    Schedule {
        attempt: count("attempt", mistakes),
        times: count("times", mistakes),
        every: count("every", mistakes),
        probability: millionths.map(|millionths| (millionths, seed)),
    }
}

fn manner(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> SendMode {
    let end = |word| match word {
        Some("close") => Some(End::Close),
        Some("reset") => Some(End::Reset),
        _ => None,
    };
    let instead = table.choice("instead", mistakes);
    let after = table.choice("after", mistakes);
    SendMode {
        delay: table.duration("delay", mistakes).unwrap_or_default(),
        drip: table.number_as("drip", mistakes).filter(|rate| *rate > 0),
        split: table.flag("split", mistakes).unwrap_or(false),
        mute: instead.is_some(),
        end: end(instead).or_else(|| end(after)),
    }
}
