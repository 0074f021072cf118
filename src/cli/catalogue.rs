//! `martinet list`, `show` and `lint`: names, one entry in full, and mistakes in files.

use std::fmt::Write;

use super::args::{Lint, List, Plural, Show, Singular};
use super::matrix::clients;
use super::paint::{self, counted};
use super::{print, warn};
use crate::error::Error;
use crate::find;
use crate::name;
use crate::policy::check::Check;
use crate::policy::checks::{self, CATALOGUE};
use crate::policy::{Rule, TempPolicy};
use crate::scenario::{
    self, Domain, ExchangeKind, KeyReference, MailServers, ReceiverProfile, Scenario,
    ScenarioClient,
};

pub(super) fn list(options: &List) -> Result<bool, Error> {
    if let Some(pattern) = &options.reply {
        return list_by_reply(options.what, pattern);
    }
    let rows: Vec<[String; 3]> = match options.what {
        Plural::Scenarios => scenario::list_scenarios()?
            .into_iter()
            .map(|s| [String::new(), s.name, s.title])
            .collect(),
        Plural::Receivers => scenario::list_receivers()?
            .into_iter()
            .map(|p| [p.group, p.name, p.title])
            .collect(),
        Plural::Checks => CATALOGUE
            .iter()
            .map(|c| [String::new(), c.name.to_owned(), c.checks.to_owned()])
            .collect(),
    };
    print(&grouped(rows));
    Ok(true)
}

/// The receivers with a reply that contains the words, and those replies.
fn list_by_reply(what: Plural, pattern: &str) -> Result<bool, Error> {
    if what != Plural::Receivers {
        return Err(Error::unexpected("receivers with --reply", "another list"));
    }
    let mut out = String::new();
    for profile in scenario::list_receivers()? {
        let replies = find::replies_with(&profile, pattern);
        if replies.is_empty() {
            continue;
        }
        heading(&mut out, &profile.name, &profile.title);
        let width = replies.iter().map(|(rule, _)| rule.len() + 2).max();
        for (rule, lines) in replies {
            wide_rows(&mut out, width.unwrap_or_default().max(12), rule, lines);
        }
    }
    print(&out);
    Ok(!out.is_empty())
}

/// Names and titles, aligned, under a heading for each group.
fn grouped(mut rows: Vec<[String; 3]>) -> String {
    rows.sort_by(|a, b| a[0].cmp(&b[0]));
    let width = rows.iter().map(|r| r[1].len()).max().unwrap_or_default();
    let mut out = String::new();
    let mut group = "";
    for [this, name, title] in &rows {
        if this != group {
            let _ = writeln!(out, "{}{this}{:#}", paint::HEADING, paint::HEADING);
            group = this;
        }
        let _ = writeln!(
            out,
            "{}{name:<width$}  {title}",
            if this.is_empty() { "" } else { "  " }
        );
    }
    out
}

pub(super) fn show(options: &Show) -> Result<bool, Error> {
    let text = match options.what {
        Singular::Scenario => scenario_text(&scenario::load_scenario(&options.name)?),
        Singular::Receiver => receiver_text(&scenario::load_receiver(&options.name)?),
        Singular::Key => {
            let keys = scenario::key_reference(&options.name).map_err(Error::other)?;
            keys.iter().map(key_text).collect::<Vec<_>>().join("\n")
        }
        Singular::Check => match checks::find(&options.name) {
            Some(check) => check_text(check),
            None => {
                let names: Vec<_> = CATALOGUE.iter().map(|c| c.name).collect();
                return Err(Error::unexpected(
                    format!("a check: {}", names.join(", ")),
                    format!("{:?}", options.name),
                ));
            }
        },
    };
    print(&text);
    Ok(true)
}

fn heading(out: &mut String, name: &str, title: &str) {
    let _ = writeln!(out, "{}{name}{:#}: {title}", paint::HEADING, paint::HEADING);
}

fn row(out: &mut String, label: &str, text: &str) {
    wide_row(out, 12, label, text);
}

fn wide_row(out: &mut String, width: usize, label: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "  {}{label:<width$}{:#}{text}", paint::DIM, paint::DIM);
    }
}

fn rows(out: &mut String, label: &str, lines: impl IntoIterator<Item = String>) {
    wide_rows(out, 12, label, lines);
}

fn wide_rows(out: &mut String, width: usize, label: &str, lines: impl IntoIterator<Item = String>) {
    for (i, line) in lines.into_iter().enumerate() {
        wide_row(out, width, if i == 0 { label } else { "" }, &line);
    }
}

fn key_text(key: &KeyReference) -> String {
    let mut out = String::new();
    heading(&mut out, &key.name, &key.place);
    row(&mut out, "does", &key.doc);
    row(&mut out, "type", &key.takes);
    row(&mut out, "default", &key.absent.replace(['`', '*'], ""));
    row(&mut out, "example", &key.example);
    row(&mut out, "follows", &key.follows);
    out
}

fn check_text(check: &Check) -> String {
    let mut out = String::new();
    heading(&mut out, check.name, check.checks);
    row(&mut out, "stage", check.stage.name());
    rows(
        &mut out,
        "replies",
        check
            .fail
            .iter()
            .chain(check.error)
            .map(|l| (*l).to_owned()),
    );
    row(&mut out, "follows", check.basis);
    row(&mut out, "RFC basis", check.beyond);
    for (i, parameter) in check.parameters.iter().enumerate() {
        let values = parameter.kind.words();
        row(
            &mut out,
            if i == 0 { "parameters" } else { "" },
            &format!("{} = {} ({values})", parameter.name, parameter.default),
        );
        row(&mut out, "", &format!("  {}", parameter.doc));
    }
    out
}

fn receiver_text(profile: &ReceiverProfile) -> String {
    let mut out = String::new();
    heading(&mut out, &profile.name, &profile.title);
    row(&mut out, "era", &profile.era);
    row(&mut out, "confidence", &profile.confidence);
    rows(&mut out, "sources", profile.sources.iter().cloned());
    rows(&mut out, "notes", profile.notes.lines().map(str::to_owned));
    let policy = &profile.receiver.policy;
    if policy.delay_reject() {
        row(
            &mut out,
            "stages",
            "every refusal is sent in reply to RCPT (delay_reject)",
        );
    }
    for allow in policy.allows() {
        row(&mut out, "allows", &allow.to_string());
    }
    if policy.rules().is_empty() {
        row(
            &mut out,
            "rules",
            "none: every client is accepted, and its facts are recorded",
        );
    }
    for rule in policy.rules() {
        let _ = writeln!(out, "\n{}", rule_text(rule));
    }
    out
}

/// Width of the labels of a rule.
const RULE_LABEL: usize = 22;

fn rule_text(rule: &Rule) -> String {
    let mut out = String::new();
    let modelled = if rule.modelled { ", text modelled" } else { "" };
    let _ = writeln!(
        out,
        "  {}{}{:#} at {}{modelled}",
        paint::HEADING,
        rule.check.name,
        paint::HEADING,
        rule.stage
    );
    let known = [rule.era.as_deref(), rule.confidence].into_iter().flatten();
    wide_row(
        &mut out,
        RULE_LABEL,
        "  era",
        &known.collect::<Vec<_>>().join(", confidence "),
    );
    wide_row(&mut out, RULE_LABEL, "  requires", rule.check.checks);
    wide_row(&mut out, RULE_LABEL, "  RFC basis", rule.check.beyond);
    wide_rows(&mut out, RULE_LABEL, "  settings", rule.settings.lines());
    if rule.once {
        wide_row(&mut out, RULE_LABEL, "  judged", "once in a session");
    }
    let bulk = rule.bulk.iter().map(ToString::to_string);
    wide_rows(&mut out, RULE_LABEL, "  binds", bulk);
    wide_rows(&mut out, RULE_LABEL, "  adds", parts(rule));
    wide_rows(
        &mut out,
        RULE_LABEL,
        "  reply",
        rule.fail.pattern().wire_lines(),
    );
    if let Some(escalation) = &rule.escalation {
        let first = escalation.first.as_ref().unwrap_or(&rule.error);
        let lines = first.pattern().wire_lines();
        let lines = lines.chain([format!("({escalation})")]);
        wide_rows(&mut out, RULE_LABEL, "  reply at first", lines);
    }
    for variant in &rule.variants {
        let lines: Vec<_> = variant.fail.pattern().wire_lines().collect();
        wide_row(
            &mut out,
            RULE_LABEL,
            "  also",
            &format!("{} ({})", lines[0], variant.era),
        );
        wide_rows(&mut out, RULE_LABEL, "", lines.into_iter().skip(1));
    }
    let temporary = match rule.temp {
        TempPolicy::DeferNow => rule.error.pattern().wire_lines().collect(),
        TempPolicy::DeferIfPermit => {
            let mut lines: Vec<_> = rule.error.pattern().wire_lines().collect();
            lines.push("(only if no later rule refuses)".to_owned());
            lines
        }
        TempPolicy::Ignore => vec!["(the rule is skipped)".to_owned()],
        TempPolicy::AsFail => vec!["(counts as a violation)".to_owned()],
    };
    let label = if rule.settings.weights().is_empty() {
        "  on temporary error"
    } else {
        "  defers"
    };
    wide_rows(&mut out, RULE_LABEL, label, temporary);
    out.trim_end().to_owned()
}

/// The parts of a score, each with what it adds.
fn parts(rule: &Rule) -> impl Iterator<Item = String> {
    rule.settings.weights().iter().map(|weight| {
        let with: Vec<_> = weight.settings.lines().collect();
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" ({})", with.join(", "))
        };
        format!(
            "{:>5} {} where {} is violated{with}",
            weight.score.to_string(),
            weight.symbol,
            weight.check.name
        )
    })
}

fn scenario_text(scenario: &Scenario) -> String {
    let mut out = String::new();
    heading(&mut out, &scenario.name, &scenario.title);
    rows(&mut out, "sources", scenario.sources.iter().cloned());
    row(&mut out, "receiver", &scenario.receiver);
    rows(
        &mut out,
        "domains",
        scenario
            .domains
            .iter()
            .map(|domain| domain_line(scenario, domain)),
    );
    rows(&mut out, "clients", client_lines(&scenario.clients()));
    rows(&mut out, "expects", scenario.sentences());
    out
}

/// A recipient domain with its hosts and its receiver.
fn domain_line(scenario: &Scenario, domain: &Domain) -> String {
    let mut line = name::display(&domain.name);
    if *domain == Domain::new(domain.name.clone()) {
        return line;
    }
    if domain.servers == MailServers::Null {
        return format!("{line}: a null MX, no mail");
    }
    let receiver = domain.receiver.as_ref().unwrap_or(&scenario.receiver);
    let _ = write!(line, ": {receiver}");
    for exchange in scenario.exchanges_of(domain) {
        let host = name::display(&exchange.name);
        let _ = match exchange.preference {
            Some(preference) => write!(line, ", {preference} {host}"),
            None => write!(line, ", no MX record"),
        };
        match exchange.kind {
            ExchangeKind::Dead => line.push_str(" (dead)"),
            ExchangeKind::Nowhere => line.push_str(" (no address)"),
            ExchangeKind::Own if exchange.receiver != domain.receiver => {
                let own = exchange.receiver.as_ref().unwrap_or(&scenario.receiver);
                let _ = write!(line, " ({own})");
            }
            ExchangeKind::Own | ExchangeKind::Main => {}
        }
    }
    line
}

/// One line for consecutive clients with the same HELO name.
fn client_lines(all: &[ScenarioClient]) -> Vec<String> {
    let groups = all.chunk_by(|one, other| one.helo.eq_ignore_ascii_case(&other.helo));
    let line = |group: &[ScenarioClient]| {
        let addresses: Vec<_> = group.iter().map(|client| client.address).collect();
        let helo = &group[0].helo;
        match addresses.len() {
            1 => format!("{} says {helo}", addresses[0]),
            count => format!("{} say {helo} ({count} addresses)", clients(&addresses)),
        }
    };
    groups.map(line).collect()
}

pub(super) fn lint(options: &Lint) -> Result<bool, Error> {
    let linted = scenario::lint(&options.files, options.strict)?;
    if !linted.warnings.is_empty() {
        warn(linted.report());
    }
    let warnings = linted.warnings.len();
    let mut summary = format!("{} without mistakes", counted(linted.files, "file"));
    if warnings > 0 {
        let _ = write!(summary, ", {}", counted(warnings, "warning"));
    }
    print(&format!("{summary}\n"));
    Ok(true)
}
