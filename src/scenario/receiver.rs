//! Receiver files: rules, replies, and where they are known from.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::behaviour;
use super::keys::WEIGHT;
use super::reader::{At, Reader, wrong_type};
use super::report::Mistakes;
use super::speech;
use super::values::{self, networks, networks_of, reply};
use crate::facts::{
    AnyTempfail, CountBy, ForwardFamily, ForwardNxdomain, IprevSettings, MOST_COUNTED,
    Observations, PtrNames, Relaxed,
};
use crate::name::{self, Name};
use crate::policy::check::{Check, Kind, Parameter, Setting, Settings, Weight};
use crate::policy::checks::REJECT;
use crate::policy::{After, Allow, Bulk, Escalation, Policy, Rule, TempPolicy, Variant};
use crate::reply::ReplyCode;
use crate::smtp::{AFTER_HELO, Extension, Extensions, Receiver, Settings as Smtp, StartTls};
use crate::stage::Stage;
use crate::tls::TlsFault;

/// How long a receiver waits for a DNS answer, unless its file says otherwise.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// The time within which messages and violations count, unless a rule says otherwise.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// A receiver, and where it is known from.
#[derive(Clone, Debug)]
pub struct ReceiverProfile {
    /// Its name: the file's, without directory and ending.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// `software`, `operator` or `generic`.
    pub group: String,
    /// When it answered like this.
    pub era: String,
    /// How sure the texts are: `high`, `medium`, `low`, or `invented` where no text exists.
    pub confidence: String,
    /// Where it is known from.
    pub sources: Vec<String>,
    /// What a reader should know.
    pub notes: String,
    /// How long it waits for a DNS answer.
    pub dns_timeout: Duration,
    /// How it speaks and whom it refuses.
    pub receiver: Arc<Receiver>,
    /// The TOML text that it was read from.
    pub text: Arc<str>,
}

/// Reads a receiver file. A name such as `gmail@2016` takes the texts of that era.
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
    settings.syntax = speech::syntax(&mut file, mistakes);
    settings.replies = speech::replies(&mut file, mistakes);
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

/// An era is a mistake where no rule has a text of it.
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
        helo_addresses: record.contains(&"helo"),
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

/// Warns of each rule that judges as another one does at the same stage: of the two, the first speaks.
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
            mistakes.doubt(
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

/// `extensions` is the whole set, `without` and `with` change the usual one.
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

fn after(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<After> {
    match table.choice("after", mistakes)? {
        "close" => Some(After::Close),
        "503" => Some(After::Sticky503),
        "repeat" => Some(After::Repeat),
        _ => Some(After::Continue),
    }
}

fn rule(
    mut table: Reader<'_>,
    default_after: Option<After>,
    era: Option<&str>,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    let check = values::usable_check(table.required("check", mistakes)?, mistakes)?;
    let mut rule = Rule::new(check, &parameters(check, &mut table, mistakes));
    rule.bulk = bulk(&mut table, mistakes);
    rule.escalation = escalation(&mut table, mistakes);
    let at = table.value("stage").map(Spanned::span);
    let word = table.choice("stage", mistakes);
    if let Some((stage, span)) = word.and_then(|word| word.parse::<Stage>().ok()).zip(at) {
        let earliest = rule.earliest();
        if stage < earliest {
            let expected = format!(
                "a stage from {earliest} on, when the facts of {} are known",
                check.name
            );
            mistakes.add(span, expected, format!("{:?}", stage.name()));
        }
        rule.stage = stage;
    } else {
        rule.stage = rule.stage.max(rule.earliest());
    }
    rule.temp = match table.choice("temp", mistakes) {
        Some("defer_if_permit") => TempPolicy::DeferIfPermit,
        Some("ignore") => TempPolicy::Ignore,
        Some("as_fail") => TempPolicy::AsFail,
        _ => TempPolicy::DeferNow,
    };
    // Postfix says 221 to a web browser: a check whose own reply is no refusal may have another such.
    let says_goodbye = rule.fail.pattern().code().get() == 221;
    let expected = if says_goodbye {
        "a 221, 4yz or 5yz reply"
    } else {
        "a 4yz or 5yz reply"
    };
    let refuses = |code: ReplyCode| code.is_refusal() || (says_goodbye && code.get() == 221);
    if let Some(fail) = reply("fail", expected, refuses, &mut table, mistakes) {
        rule.fail = fail;
        rule.has_own_fail = true;
    }
    let expected = "a 4yz reply: a temporary DNS failure is never a 5yz, unless temp = \"as_fail\"";
    let as_fail = rule.temp == TempPolicy::AsFail;
    let defers = |code: ReplyCode| code.class() == 4 || (as_fail && code.is_refusal());
    if let Some(error) = reply("error", expected, defers, &mut table, mistakes) {
        rule.error = error;
        rule.has_own_error = true;
    }
    rule.after = after(&mut table, mistakes).or(default_after);
    rule.modelled = table.flag("modelled", mistakes).unwrap_or(false);
    rule.era = table.string("era", mistakes).map(|era| era.value);
    rule.confidence = table.choice("confidence", mistakes);
    let variants = table.tables("variant", mistakes).into_iter();
    rule.variants = variants
        .filter_map(|table| variant(table, mistakes))
        .collect();
    let chosen = era.and_then(|era| rule.variants.iter().find(|variant| variant.is_of(era)));
    if let Some(chosen) = chosen.cloned() {
        rule.fail = chosen.fail;
        rule.error = chosen.error.unwrap_or(rule.error);
        rule.era = Some(chosen.era);
        rule.modelled = false;
    }
    table.finish();
    Some(rule)
}

/// The most that a count of a rule can tell apart.
const COUNT: &str = "a whole number from 1 to 10000";

fn counted(key: &'static str, table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<u64> {
    table.require(key, mistakes);
    let number = table.number(key, mistakes)?;
    if !(1..=MOST_COUNTED).contains(&number.value) {
        mistakes.add(number.span, COUNT, number.value.to_string());
        return None;
    }
    Some(number.value)
}

fn window(table: &mut Reader<'_>, usual: CountBy, mistakes: &mut Mistakes) -> (Duration, CountBy) {
    let per = table.duration("per", mistakes).unwrap_or(A_DAY);
    let by = table.choice("by", mistakes).and_then(CountBy::of_word);
    (per, by.unwrap_or(usual))
}

fn bulk(rule: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Bulk> {
    let mut table = rule.table("bulk", mistakes)?;
    let messages = counted("messages", &mut table, mistakes);
    let (per, by) = window(&mut table, CountBy::FromDomain, mistakes);
    table.finish();
    Some(Bulk {
        messages: messages?,
        per,
        by,
    })
}

fn escalation(rule: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Escalation> {
    let mut table = rule.table("escalate", mistakes)?;
    let after = counted("after", &mut table, mistakes);
    let (per, by) = window(&mut table, CountBy::Client, mistakes);
    let defers = |code: ReplyCode| code.class() == 4;
    let first = reply("first", "a 4yz reply", defers, &mut table, mistakes);
    table.finish();
    Some(Escalation {
        after: after?,
        per,
        by,
        first,
    })
}

/// Another text of a rule.
fn variant(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Variant> {
    let era = table.required("era", mistakes).map(|era| era.value);
    table.require("fail", mistakes);
    let refuses = |code: ReplyCode| code.is_refusal();
    let fail = reply("fail", "a 4yz or 5yz reply", refuses, &mut table, mistakes);
    let defers = |code: ReplyCode| code.class() == 4;
    let error = reply("error", "a 4yz reply", defers, &mut table, mistakes);
    table.finish();
    Some(Variant {
        era: era?,
        fail: fail?,
        error,
    })
}

fn parameters(check: &'static Check, table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Settings {
    let mut settings = Settings::default();
    for parameter in check.parameters {
        if let Some(setting) = parameter_value(parameter, table, mistakes) {
            settings.set(parameter, setting);
        }
    }
    lists(check, &settings, table, mistakes);
    thresholds(check, &settings, table, mistakes);
    settings
}

/// A rule that asks block lists has to name at least one.
fn lists(check: &Check, settings: &Settings, table: &mut Reader<'_>, mistakes: &mut Mistakes) {
    let Some(key) = check.parameter_of(Kind::Zones).map(|zones| zones.name) else {
        return;
    };
    let zones = settings.words(key, &[]);
    let at = table.value(key).map_or_else(|| table.span(), Spanned::span);
    if let Some(bad) = zones.iter().find(|zone| name::absolute(zone).is_none()) {
        mistakes.add(at, "the names of block lists", format!("{bad:?}"));
    } else if zones.is_empty() && (settings.is_set(key) || !table.has(key)) {
        let expected = "zones = [\"…\"] with the name of a block list";
        mistakes.add(at, expected, "none");
    }
}

/// A sum that defers has to be reached before the sum that rejects.
fn thresholds(check: &Check, settings: &Settings, table: &mut Reader<'_>, mistakes: &mut Mistakes) {
    if check.parameter_of(Kind::Weights).is_none() || !settings.is_set("defer") {
        return;
    }
    let reject = settings.points("reject", REJECT);
    let defer = settings.points("defer", reject);
    if defer >= reject {
        let at = table
            .value("defer")
            .map_or_else(|| table.span(), Spanned::span);
        let expected = format!("a threshold below reject = {reject}");
        mistakes.add(
            at,
            expected,
            format!("{defer}, which is never reached first"),
        );
    }
}

fn parameter_value(
    parameter: &Parameter,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Setting> {
    let key = parameter.name;
    match parameter.kind {
        Kind::Flag => table.flag(key, mistakes).map(Setting::Flag),
        Kind::Count => table.number(key, mistakes).map(|n| Setting::Count(n.value)),
        Kind::Choice(words) => table.choice_of(key, words, mistakes).map(Setting::Choice),
        Kind::Words | Kind::Zones => table
            .list_of(key, "a string", mistakes, |word| Some(word.to_owned()))
            .map(Setting::Words),
        Kind::Choices(words) => table
            .list_of(
                key,
                &format!("one of {}", words.join(", ")),
                mistakes,
                |word| words.iter().copied().find(|known| *known == word),
            )
            .map(Setting::Choices),
        Kind::Networks => table
            .strings_of(key, "an address or a network", mistakes)
            .map(|strings| Setting::Networks(networks_of(strings, mistakes))),
        Kind::Duration => table.duration(key, mistakes).map(Setting::Duration),
        Kind::Points => table.points(key, mistakes).map(Setting::Points),
        Kind::Weights => {
            let tables = table.tables_of(key, &WEIGHT, mistakes);
            let weights: Vec<_> = tables
                .into_iter()
                .filter_map(|table| weight(table, mistakes))
                .collect();
            (!weights.is_empty()).then_some(Setting::Weights(weights))
        }
    }
}

/// One part of a score: a check, its parameters, and what a violation adds.
fn weight(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Weight> {
    let named = table.required("check", mistakes)?;
    let span = named.span.clone();
    let check = values::usable_check(named, mistakes)?;
    if check.parameter_of(Kind::Weights).is_some() {
        let expected = format!("a check other than {}", check.name);
        mistakes.add(span, expected, format!("{:?}", check.name));
        return None;
    }
    let settings = parameters(check, &mut table, mistakes);
    let symbol = table
        .string("symbol", mistakes)
        .map_or_else(|| check.name.to_owned(), |s| s.value);
    table.require("score", mistakes);
    let score = table.points("score", mistakes);
    table.finish();
    Some(Weight {
        symbol,
        check,
        settings,
        score: score?,
    })
}

fn allow(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Allow {
    let suffix = |text: &str| -> Option<Name> {
        name::absolute(text.trim_start_matches("*.").trim_start_matches('.'))
    };
    let conditions = ["addresses", "ptr_suffix", "helo_suffix"];
    let addresses = networks(&mut table, "addresses", mistakes).unwrap_or_default();
    let ptr_suffixes = table.parsed_list("ptr_suffix", mistakes, suffix);
    let helo_suffixes = table.parsed_list("helo_suffix", mistakes, suffix);
    let checks = table.strings("checks", mistakes).unwrap_or_default();
    let mut checks: Vec<_> = checks
        .into_iter()
        .filter_map(|named| values::check(named, mistakes))
        .collect();
    checks.sort_by_key(|check| check.name);
    checks.dedup();
    if !conditions.iter().any(|key| table.has(key)) {
        let found = "none: the section would allow no client";
        mistakes.add(table.span(), "addresses, ptr_suffix or helo_suffix", found);
    }
    table.finish();
    Allow {
        addresses,
        ptr_suffixes: ptr_suffixes.unwrap_or_default(),
        helo_suffixes: helo_suffixes.unwrap_or_default(),
        checks,
    }
}

#[cfg(all(test, not(feature = "dkim")))]
mod tests {
    #[test]
    fn a_rule_that_verifies_messages_is_reported_in_a_build_without_dkim() {
        let file =
            "title = \"Signed\"\n[[rule]]\ncheck = \"ptr-exists\"\n[[rule]]\ncheck = \"dkim\"\n";
        let report = crate::scenario::parse_receiver("signed", file)
            .expect_err("no rule is left out in silence")
            .to_string();
        assert!(
            report.contains("which needs martinet's Cargo feature \"dkim\"")
                && report.contains("5 |"),
            "{report}"
        );
    }
}
