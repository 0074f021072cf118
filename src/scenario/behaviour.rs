//! `[auth]` and `[[script]]` of receiver files: credentials and scripted misbehaviour.

use std::collections::BTreeMap;

use toml::Spanned;

use super::reader::{At, Reader, string};
use super::report::Mistakes;
use super::values::{needing, networks, reply};
use crate::facts::Verb;
use crate::smtp::{
    Auth, AuthOutcome, Condition, CountPer, End, Mechanism, Point, Schedule, Script, SendMode,
    UnwantedResponse,
};

/// The challenges of LOGIN that most receivers send.
const LOGIN_CHALLENGES: [&str; 2] = ["Username:", "Password:"];
/// The maximum size of a challenge: its encoding fits into a reply line (RFC 5321 §4.5.3.1.5).
const CHALLENGE_OCTETS: usize = 375;

/// Reads `[auth]`; without it, AUTH is not offered.
pub(super) fn auth(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Auth> {
    let mut table = file.table("auth", mistakes)?;
    let mechanisms = offered(&mut table, mistakes);
    let users = users(&mut table, mistakes);
    let span = table.span();
    let outcome = table.choice("accept", mistakes);
    if outcome == Some("users") && users.is_empty() {
        mistakes.add(
            span,
            "users = { name = \"password\" } with accept = \"users\"",
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
        initial_response: initial_response(&mut table, mistakes),
        unwanted_response: match table.choice("unwanted_response", mistakes) {
            Some("ignored") => UnwantedResponse::Ignored,
            _ => UnwantedResponse::Refused,
        },
        login_challenges: login_challenges(&mut table, mistakes),
        kept_at_ehlo: table.flag("kept_at_ehlo", mistakes).unwrap_or(true),
        keep_credentials: table.flag("keep_credentials", mistakes).unwrap_or(false),
    };
    table.finish();
    Some(auth)
}

/// The mechanisms that EHLO offers.
fn offered(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Vec<Mechanism>> {
    let at = table.value("mechanisms").map(Spanned::span);
    let mechanisms = table.parsed_list("mechanisms", mistakes, mechanism)?;
    for mechanism in &mechanisms {
        if let Some((feature, at)) = mechanism.missing_feature().zip(at.clone()) {
            let expected = "mechanisms that this build has";
            mistakes.add(at, expected, needing(mechanism.word(), feature));
        }
    }
    Some(mechanisms)
}

fn mechanism(text: &str) -> Option<Mechanism> {
    Mechanism::ALL
        .into_iter()
        .find(|known| known.word() == text)
}

/// The mechanisms that accept an initial response; CRAM-MD5 cannot, because the server sends the first message.
fn initial_response(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Vec<Mechanism> {
    let client_first = |text: &str| mechanism(text).filter(|known| known.is_client_first());
    table
        .parsed_list("initial_response", mistakes, client_first)
        .unwrap_or_else(|| {
            let all = Mechanism::ALL.into_iter();
            all.filter(|known| known.is_client_first()).collect()
        })
}

/// The two challenges of LOGIN.
fn login_challenges(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> [String; 2] {
    let default = || LOGIN_CHALLENGES.map(str::to_owned);
    let span = table
        .value("login_challenges")
        .map_or_else(|| table.span(), Spanned::span);
    let Some(texts) = table.strings("login_challenges", mistakes) else {
        return default();
    };
    let found = format!("{} texts", texts.len());
    let short = |text: &At<String>| text.value.len() <= CHALLENGE_OCTETS;
    match <[At<String>; 2]>::try_from(texts) {
        Ok(both) if both.iter().all(short) => both.map(|text| text.value),
        Ok(_) => {
            let expected = format!("challenges of at most {CHALLENGE_OCTETS} octets");
            mistakes.add(span, expected, "a longer one");
            default()
        }
        Err(_) => {
            mistakes.add(
                span,
                "two texts: for the user name, for the password",
                found,
            );
            default()
        }
    }
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
    if !matches!(word, None | Some("auth")) {
        for key in ["mechanism", "initial_response"] {
            let at = table.value(key).map(Spanned::span);
            if let Some(at) = at {
                mistakes.add(at, format!("stage = \"auth\" with {key}"), "another stage");
            }
        }
    }
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
    let send_mode = send_mode(&mut table, mistakes);
    let span = table.span();
    if reply.is_some() && raw.is_some() {
        mistakes.add(span.clone(), "reply or raw", "both");
    }
    if reply.is_none() && raw.is_none() && send_mode == SendMode::default() {
        mistakes.add(
            span,
            "reply, raw, delay, drip, split, instead or after",
            "none of them",
        );
    }
    table.finish();
    Some(Script {
        point: point?.1,
        when,
        often,
        reply,
        raw,
        send_mode,
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
    let verb = |text: &str| Verb::ALL.into_iter().find(|verb| verb.word() == text);
    let verbs = table.parsed_list("verb", mistakes, verb);
    let mechanisms = table.parsed_list("mechanism", mistakes, mechanism);
    Condition {
        recipients,
        senders,
        helos,
        clients,
        headers,
        verbs: verbs.unwrap_or_default(),
        tls: table.flag("tls", mistakes),
        mechanisms: mechanisms.unwrap_or_default(),
        initial_response: table.flag("initial_response", mistakes),
    }
}

fn often(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Schedule {
    let probability = table.points("probability", mistakes);
    let seed = table.number("seed", mistakes);
    if let Some(seed) = seed.as_ref().filter(|_| !table.has("probability")) {
        let found = format!("seed = {} without it", seed.value);
        mistakes.add(seed.span.clone(), "a probability with a seed", found);
    }
    let seed = seed.map_or(0, |seed| seed.value);
    let span = table.span();
    let millionths = probability
        .and_then(|points| u32::try_from(points.0).ok())
        .filter(|p| *p <= 100)
        .map(|p| p * 10_000);
    if probability.is_some() && millionths.is_none() {
        mistakes.add(
            span,
            "a probability from 0.0 to 1.0 with at most two decimal places",
            "another number",
        );
    }
    let per = table.choice("per", mistakes);
    let mut count =
        |key, mistakes: &mut Mistakes| table.number(key, mistakes).map(|number| number.value);
    Schedule {
        attempt: count("attempt", mistakes),
        times: count("times", mistakes),
        every: count("every", mistakes),
        probability: millionths.map(|millionths| (millionths, seed)),
        per: CountPer::ALL
            .into_iter()
            .find(|(word, _)| Some(*word) == per)
            .map(|(_, per)| per)
            .unwrap_or_default(),
    }
}

fn send_mode(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> SendMode {
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
