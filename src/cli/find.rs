//! `martinet find`: finds which receiver gives a reply, which scenario causes it, and what fixes it.

use std::fmt::Write;
use std::io::Read;

use super::args::{Find, Format};
use super::{paint, print, print_json};
use crate::error::Error;
use crate::find::{Certainty, Finder, Found, Match, Sent, scenario_of};

/// Maximum size of the input: a notification with the returned message.
const INPUT_OCTETS: u64 = 64 << 20;

pub(super) fn run(options: &Find) -> Result<bool, Error> {
    let input = read(&options.what)?;
    let finder = Finder::built_in()?;
    let found = finder.find(&input);
    match options.format {
        Format::Json => print_json(&found)?,
        Format::Human => print(&text(&found)),
    }
    if let Some(path) = &options.scenario_out {
        let rewritten = scenario_of(&finder, &found);
        let name = path.display();
        std::fs::write(path, &rewritten.text)
            .map_err(|e| Error::io(format!("cannot write {name}"), e))?;
        if options.format == Format::Human {
            let says = if rewritten.same_reply {
                "the receiver gives this reply to its client"
            } else {
                "no receiver is known to give this reply to its client"
            };
            print(&format!(
                "\nscenario written to {name}: {says}\n  martinet verify {name}\n"
            ));
        }
    }
    Ok(!found.matches.is_empty())
}

/// Standard input for `-`, the file if there is one, and otherwise the text itself.
fn read(what: &str) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    let result = match what {
        "-" => std::io::stdin().take(INPUT_OCTETS).read_to_end(&mut octets),
        path if std::path::Path::new(path).is_file() => std::fs::File::open(path)
            .and_then(|file| file.take(INPUT_OCTETS).read_to_end(&mut octets)),
        text => return Ok(text.as_bytes().to_vec()),
    };
    result.map_err(|e| Error::io(format!("cannot read {what}"), e))?;
    Ok(octets)
}

/// The number of matches that are explained; the others are listed.
const EXPLAINED: usize = 3;

fn text(found: &Found) -> String {
    let sent = sent(&found.sent);
    if found.matches.is_empty() {
        return nothing(found) + &sent;
    }
    let mut out = String::new();
    for matched in found.matches.iter().take(EXPLAINED) {
        let _ = writeln!(out, "{}", explained(matched));
    }
    let others = found.matches.iter().skip(EXPLAINED);
    let mut others = others.peekable();
    if others.peek().is_some() {
        let _ = writeln!(out, "{}also{:#}", paint::HEADING, paint::HEADING);
    }
    for matched in others {
        let _ = writeln!(
            out,
            "  {} ({}, {}): {}",
            matched.receiver,
            matched.rule.unwrap_or("SMTP server"),
            certainty(matched.certainty),
            matched.reply.first().map_or("", String::as_str)
        );
    }
    out + &sent
}

/// The details of the refused message that the bounce contains.
fn sent(sent: &Sent) -> String {
    let client = sent.client.map(|client| client.to_string());
    let known = [
        ("client address", &client),
        ("HELO name", &sent.helo),
        ("sender", &sent.sender),
        ("recipient", &sent.recipient),
        ("sent to", &sent.receiver),
        ("time", &sent.time),
    ];
    let known = known
        .into_iter()
        .filter_map(|(what, value)| Some((what, value.as_ref()?)));
    let mut out = String::new();
    for (what, value) in known {
        if out.is_empty() {
            let heading = paint::HEADING;
            let _ = writeln!(out, "{heading}the refused message{heading:#}");
        }
        let _ = writeln!(out, "  {}{what:<15}{:#}{value}", paint::DIM, paint::DIM);
    }
    out
}

/// The session that gets the reply, if several are needed.
fn nth(sessions: u64) -> String {
    match sessions {
        1 => String::new(),
        sessions => format!(", in session {sessions}"),
    }
}

const fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Literal => "literal",
        Certainty::Words => "same words",
        Certainty::Kind => "same kind",
    }
}

fn explained(matched: &Match) -> String {
    let mut out = String::new();
    let mut row = |label: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, "  {}{label:<11}{:#}{text}", paint::DIM, paint::DIM);
        }
    };
    row(
        "receiver",
        &format!(
            "{}{}{:#}: {}",
            paint::HEADING,
            matched.receiver,
            paint::HEADING,
            matched.title
        ),
    );
    let sure = match matched.certainty {
        Certainty::Literal => "literal: text and codes are this receiver's",
        Certainty::Words => {
            "same words: codes or details differ, or other receivers use the same software"
        }
        Certainty::Kind => "same kind: only the reply code and the subject agree",
    };
    row("match", sure);
    row(
        "era",
        &format!("{} (confidence: {})", matched.era, matched.confidence),
    );
    let at = matched
        .stage
        .map(|stage| format!(" at {stage}"))
        .unwrap_or_default();
    row(
        "rule",
        &format!("{}{at}", matched.rule.unwrap_or("the SMTP server itself")),
    );
    row("requires", matched.requires);
    if matched.temporary {
        row("", "the reply is for a temporary DNS failure");
    }
    for (i, line) in matched.reply.iter().enumerate() {
        row(if i == 0 { "reply" } else { "" }, line);
    }
    match (&matched.scenario, matched.client, &matched.helo) {
        (Some(scenario), Some(client), Some(helo)) => {
            row(
                "scenario",
                &format!(
                    "{scenario}: client {client}, HELO name {helo}{}",
                    nth(matched.sessions)
                ),
            );
        }
        _ => row("scenario", "no built-in scenario causes this reply"),
    }
    for (i, command) in matched.commands.iter().enumerate() {
        row(if i == 0 { "commands" } else { "" }, command);
    }
    for (i, line) in matched.test.lines().enumerate() {
        row(if i == 0 { "test" } else { "" }, line);
    }
    for (label, change) in paint::changes(&matched.remedies) {
        row(label, &change);
    }
    for (i, line) in matched.notes.lines().enumerate() {
        row(if i == 0 { "notes" } else { "" }, line);
    }
    for (i, source) in matched.sources.iter().enumerate() {
        row(if i == 0 { "sources" } else { "" }, source);
    }
    out
}

fn nothing(found: &Found) -> String {
    let mut out = String::from("no receiver is known to give this reply\n");
    for near in &found.nearest {
        let rule = near.rule.unwrap_or("SMTP server");
        let _ = writeln!(
            out,
            "  nearest    {} ({rule}): {}",
            near.receiver, near.because
        );
        for line in &near.reply {
            let _ = writeln!(out, "             {line}");
        }
    }
    out
}
