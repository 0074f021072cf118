//! Receiver files: rules, replies and sources.

mod rules;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rules::{after, allow, rule};
use toml::de::DeTable;

use super::behaviour;
use super::keys::RECEIVER;
use super::protocol;
use super::reader::{At, Reader, wrong_type};
use super::report::Mistakes;
use super::shipped;
use super::values::networks;
use crate::facts::{
    AnyTempfail, ForwardFamily, ForwardNxdomain, HeloObservations, IprevSettings, Observations,
    PtrNames, Relaxed,
};
use crate::policy::{Policy, Rule};
use crate::smtp::{AFTER_HELO, Extension, Extensions, Receiver, Settings as Smtp, StartTls};
use crate::tls::TlsFault;

/// Default time that a receiver waits for a DNS answer.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// A receiver with its sources.
#[derive(Clone, Debug)]
pub struct ReceiverProfile {
    /// The name: the file name without directory and extension.
    pub name: String,
    /// The title, in one line.
    pub title: String,
    /// `software`, `operator` or `generic`.
    pub group: String,
    /// The time in which the receiver replied like this.
    pub era: String,
    /// The confidence in the texts: `high`, `medium`, `low`, or `invented`.
    pub confidence: String,
    /// The sources.
    pub sources: Vec<String>,
    /// Remarks for readers.
    pub notes: String,
    /// The time that the receiver waits for a DNS answer.
    pub dns_timeout: Duration,
    /// The SMTP settings and the rules.
    pub receiver: Arc<Receiver>,
    /// The TOML text that it was read from.
    pub text: Arc<str>,
}

/// Reads a receiver file. A name such as `gmail@2016` selects the texts of that era.
pub(super) fn read(
    name: &str,
    mut file: Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<ReceiverProfile> {
    let title = file.required("title", mistakes).map(|t| t.value);
    let text = |file: &mut Reader<'_>, key, mistakes: &mut Mistakes| {
        file.string(key, mistakes)
            .map(|t| t.value)
            .unwrap_or_default()
    };
    let era = text(&mut file, "era", mistakes);
    let notes = text(&mut file, "notes", mistakes);
    file.string("kind", mistakes);
    let group = file.choice("group", mistakes).unwrap_or("generic");
    let confidence = file.choice("confidence", mistakes).unwrap_or_default();
    let sources = file
        .strings("sources", mistakes)
        .unwrap_or_default()
        .into_iter()
        .map(|s| s.value)
        .collect();
    let dns_timeout = file
        .duration("dns_timeout", mistakes)
        .unwrap_or(DNS_TIMEOUT);
    let mut settings = smtp(&mut file, mistakes);
    settings.syntax = protocol::syntax(&mut file, mistakes);
    settings.replies = protocol::replies(&mut file, mistakes);
    settings.auth = behaviour::auth(&mut file, mistakes);
    settings.scripts = behaviour::scripts(&mut file, mistakes);
    let of_era = name.split_once('@').map(|(_, era)| era);
    let policy = policy(&mut file, of_era, mistakes);
    known_era(of_era, &policy, mistakes);
    file.finish();
    Some(ReceiverProfile {
        name: name.to_owned(),
        title: title?,
        group: group.to_owned(),
        era,
        confidence: confidence.to_owned(),
        sources,
        notes,
        dns_timeout,
        text: mistakes.text().into(),
        receiver: Arc::new(Receiver {
            name: name.to_owned(),
            settings,
            policy,
        }),
    })
}

/// The built-in receiver with this name, such as `postfix` or `gmail@2016`, if there is one.
pub(super) fn built_in(name: &str) -> Option<ReceiverProfile> {
    let file = name.split_once('@').map_or(name, |(file, _)| file);
    let text = shipped::text(&format!("receivers/{file}.toml"))?;
    let mut mistakes = Mistakes::new(name.to_owned(), text);
    let table = DeTable::parse(text).ok()?;
    let reader = Reader::new(table.get_ref(), 0..0, &RECEIVER, &mut mistakes);
    let profile = read(name, reader, &mut mistakes);
    mistakes.finish(profile).ok()
}

/// Reports an era for which no rule has a text.
fn known_era(era: Option<&str>, policy: &Policy, mistakes: &mut Mistakes) {
    let Some(era) = era else {
        return;
    };
    let variants = || policy.rules().iter().flat_map(|rule| &rule.variants);
    if !variants().any(|variant| variant.is_of(era)) {
        let known: BTreeSet<_> = variants().map(|variant| variant.era.as_str()).collect();
        let known: Vec<_> = known.into_iter().collect();
        let expected = match known.as_slice() {
            [] => "no @: this receiver has one text for each rule".to_owned(),
            known => format!("an era after @: {}, or a year within one", known.join("; ")),
        };
        mistakes.add(0..0, expected, format!("{era:?}"));
    }
}

fn policy(file: &mut Reader<'_>, era: Option<&str>, mistakes: &mut Mistakes) -> Policy {
    let after = after(file, mistakes);
    let delay_reject = file.flag("delay_reject", mistakes).unwrap_or(false);
    let record = file.parsed_list("record", mistakes, |w| {
        ["iprev", "helo"].into_iter().find(|k| *k == w)
    });
    let record = record.unwrap_or_else(|| vec!["iprev", "helo"]);
    let wants = Observations {
        iprev: record.contains(&"iprev"),
        helo: HeloObservations {
            addresses: record.contains(&"helo"),
            ..HeloObservations::default()
        },
        iprev_settings: iprev(file, mistakes),
        ..Observations::default()
    };
    let rules = file
        .tables("rule", mistakes)
        .into_iter()
        .filter_map(|table| Some((table.span(), rule(table, after, era, mistakes)?)))
        .collect();
    let rules = without_doubles(rules, mistakes);
    let allow = file
        .tables("allow", mistakes)
        .into_iter()
        .map(|table| allow(table, mistakes))
        .collect();
    Policy::new(rules, allow, delay_reject, wants)
}

/// Warns of each rule with the same check and parameters as an earlier one at the same stage, which would never refuse.
fn without_doubles(rules: Vec<(Range<usize>, Rule)>, mistakes: &mut Mistakes) -> Vec<Rule> {
    let same = |one: &Rule, other: &Rule| {
        one.check == other.check
            && one.settings == other.settings
            && one.stage == other.stage
            && one.temp == other.temp
            && one.bulk == other.bulk
            && one.escalation == other.escalation
    };
    for (at, (span, rule)) in rules.iter().enumerate() {
        if rules[..at].iter().any(|(_, other)| same(rule, other)) {
            mistakes.warn(
                span.clone(),
                "each rule once, or with other parameters",
                format!("a second rule {} with the same", rule.check.name),
            );
        }
    }
    rules.into_iter().map(|(_, rule)| rule).collect()
}

fn iprev(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> IprevSettings {
    let mut settings = IprevSettings::default();
    let Some(mut table) = file.table("iprev", mistakes) else {
        return settings;
    };
    if let Some(value) = table.value("ptr_names") {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|i| i.as_str().parse().ok())
            .filter(|n| *n > 0);
        match (number, value.get_ref().as_str()) {
            (Some(number), _) => settings.ptr_names = number,
            (None, Some("all")) => settings.ptr_names = usize::MAX,
            _ => wrong_type(value, "a number from 1, or \"all\"", mistakes),
        }
    }
    if let Some(word) = table.choice("names", mistakes) {
        let named = PtrNames::ALL.into_iter().find(|(known, _)| *known == word);
        settings.names = named.map_or(settings.names, |(_, names)| names);
    }
    if table.choice("forward_family", mistakes) == Some("both") {
        settings.forward_family = ForwardFamily::Both;
    }
    if table.choice("forward_nxdomain", mistakes) == Some("permerror") {
        settings.forward_nxdomain = ForwardNxdomain::Permerror;
    }
    if table.choice("any_tempfail", mistakes) == Some("wins") {
        settings.any_tempfail = AnyTempfail::Wins;
    }
    if table.choice("relaxed", mistakes) == Some("network") {
        settings.relaxed = Relaxed::SameNetwork;
    }
    table.finish();
    settings
}

fn smtp(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Smtp {
    let mut settings = Smtp::default();
    let hostname = |text: &str| {
        crate::facts::hostname_mistake(text, false)
            .is_none()
            .then(|| text.to_owned())
    };
    if let Some(name) = file.parsed("hostname", mistakes, hostname) {
        settings.hostname = name;
    }
    if let Some(lines) = file.strings("greeting", mistakes) {
        settings.greeting = lines
            .into_iter()
            .filter_map(|l| greeting(l, mistakes))
            .collect();
    }
    let Some(mut table) = file.table("smtp", mistakes) else {
        return settings;
    };
    let Smtp {
        max_message_octets,
        max_recipients,
        max_errors,
        ..
    } = settings;
    settings.max_message_octets = table
        .number_as("size", mistakes)
        .unwrap_or(max_message_octets);
    settings.max_recipients = table
        .number_as("max_recipients", mistakes)
        .unwrap_or(max_recipients);
    settings.max_errors = table
        .number_as("max_errors", mistakes)
        .unwrap_or(max_errors);
    settings.command_timeout = table
        .duration("command_timeout", mistakes)
        .unwrap_or(settings.command_timeout);
    settings.data_timeout = table
        .duration("data_timeout", mistakes)
        .unwrap_or(settings.data_timeout);
    settings.extensions = extensions(&mut table, mistakes);
    settings.starttls = match table.choice("starttls", mistakes) {
        Some("offered") => StartTls::Offered,
        Some("refused") => StartTls::Refused,
        _ => StartTls::Never,
    };
    let command = |text: &str| AFTER_HELO.into_iter().find(|known| *known == text);
    settings.helo_first = table
        .parsed_list("helo_first", mistakes, command)
        .unwrap_or_default();
    if let Some(word) = table.choice("tls_fault", mistakes) {
        settings.tls_fault = TlsFault::ALL
            .into_iter()
            .find(|(known, _)| *known == word)
            .map(|(_, f)| f)
            .unwrap_or_default();
    }
    settings.magic_recipients = table.flag("magic_recipients", mistakes).unwrap_or(true);
    settings.any_recipient = table.flag("any_recipient", mistakes).unwrap_or(false);
    settings.any_domain = table.flag("any_domain", mistakes).unwrap_or(true);
    if let Some(networks) = networks(&mut table, "xclient", mistakes) {
        settings.xclient = networks;
    }
    table.finish();
    settings
}

fn greeting(line: At<String>, mistakes: &mut Mistakes) -> Option<String> {
    let one_line =
        |text: &str| (!text.contains(['\r', '\n']) && text.len() <= 500).then(|| text.to_owned());
    line.parsed("one line of at most 500 octets", mistakes, one_line)
}

/// `extensions` is the whole set; `without` and `with` change the default set.
fn extensions(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Extensions {
    let mut list =
        |key, mistakes: &mut Mistakes| table.parsed_list(key, mistakes, Extension::of_keyword);
    let only = list("extensions", mistakes);
    let (without, with) = (list("without", mistakes), list("with", mistakes));
    if only.is_some() && (without.is_some() || with.is_some()) {
        mistakes.add(table.span(), "extensions, or with and without", "both");
    }
    match only {
        Some(only) => only.into_iter().fold(Extensions::NONE, Extensions::with),
        None => {
            let more = with
                .unwrap_or_default()
                .into_iter()
                .fold(Extensions::default(), Extensions::with);
            without
                .unwrap_or_default()
                .into_iter()
                .fold(more, Extensions::without)
        }
    }
}
