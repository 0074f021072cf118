//! The rules of a receiver file, and the clients that are exempt from them.

use std::time::Duration;

use toml::Spanned;

use crate::facts::{CountBy, MOST_COUNTED};
use crate::name::{self, Name};
use crate::policy::check::{Check, Kind, Parameter, Pattern, Setting, Settings, Timing, Weight};
use crate::policy::checks::REJECT;
use crate::policy::{After, Allow, Bulk, Escalation, Rule, TempPolicy, Variant};
use crate::reply::ReplyCode;
use crate::scenario::keys::WEIGHT;
use crate::scenario::reader::Reader;
use crate::scenario::report::Mistakes;
use crate::scenario::values::{self, networks, networks_of, reply, reply_of_any_class};
use crate::stage::Stage;

/// Default time within which messages and violations count.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn after(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<After> {
    match table.choice("after", mistakes)? {
        "close" => Some(After::Close),
        "503" => Some(After::Sticky503),
        "repeat" => Some(After::Repeat),
        "each-command" => Some(After::EachCommand),
        _ => Some(After::Continue),
    }
}

/// The `after` of one rule.
fn after_of_rule(stage: Stage, table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<After> {
    let at = table.value("after").map(Spanned::span);
    let after = after(table, mistakes)?;
    if after == After::EachCommand && stage != Stage::Connect {
        let expected =
            "a rule with stage = \"connect\": only a refusal at connect applies to each command";
        mistakes.add(at?, expected, "\"each-command\"".to_owned());
    }
    Some(after)
}

fn once(check: &Check, table: &mut Reader<'_>, mistakes: &mut Mistakes) -> bool {
    let at = table.value("once").map(Spanned::span);
    let once = table.flag("once", mistakes).unwrap_or(false);
    if let Some(at) = at.filter(|_| once && check.timing != Timing::Stage) {
        let expected = "a check that is judged at a stage";
        mistakes.add(at, expected, format!("once = true with {}", check.name));
    }
    once
}

pub(super) fn rule(
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
    own_replies(&mut rule, &mut table, mistakes);
    rule.after = after_of_rule(rule.stage, &mut table, mistakes).or(default_after);
    rule.once = once(check, &mut table, mistakes);
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
        rule.modelled = chosen.modelled;
        rule.escalation = None;
    }
    table.finish();
    Some(rule)
}

/// The replies of a rule in the file, which replace those of its check.
fn own_replies(rule: &mut Rule, table: &mut Reader<'_>, mistakes: &mut Mistakes) {
    // Postfix sends 221 to a web browser: a check whose default reply is 221 can have another 221.
    let says_goodbye = rule.fail.pattern().code().get() == 221;
    let expected = if says_goodbye {
        "a 221, 4yz or 5yz reply"
    } else {
        "a 4yz or 5yz reply"
    };
    let refuses = |code: ReplyCode| code.is_refusal() || (says_goodbye && code.get() == 221);
    let any_class = table.flag("any_class", mistakes).unwrap_or(false);
    let fail = if any_class {
        reply_of_any_class("fail", expected, refuses, table, mistakes)
    } else {
        reply("fail", expected, refuses, table, mistakes)
    };
    if let Some(fail) = fail {
        rule.fail = fail;
        rule.has_own_fail = true;
    }
    let expected = "a 4yz reply: a temporary DNS failure is never a 5yz, unless temp = \"as_fail\"";
    let as_fail = rule.temp == TempPolicy::AsFail;
    let defers = |code: ReplyCode| code.class() == 4 || (as_fail && code.is_refusal());
    if let Some(error) = reply("error", expected, defers, table, mistakes) {
        rule.error = error;
        rule.has_own_error = true;
    }
}

/// The type of the counts of a rule.
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
    let modelled = table.flag("modelled", mistakes).unwrap_or(false);
    table.finish();
    Some(Variant {
        era: era?,
        fail: fail?,
        error,
        modelled,
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

/// Requires at least one block list.
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

/// Requires a threshold for deferral below the one for rejection.
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
        mistakes.add(at, expected, format!("{defer}, which is not below it"));
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
        Kind::Patterns => table
            .list_of(key, "a regular expression", mistakes, Pattern::new)
            .map(Setting::Patterns),
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
            let mut weights = Vec::new();
            for table in tables {
                let weight = weight(table, &weights, mistakes);
                weights.extend(weight);
            }
            (!weights.is_empty()).then_some(Setting::Weights(weights))
        }
    }
}

/// One part of a score: a check, its parameters, and what a violation adds.
fn weight(mut table: Reader<'_>, earlier: &[Weight], mistakes: &mut Mistakes) -> Option<Weight> {
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
    let expected = "the symbol of a part above this one";
    let unless = table.list_of("unless", expected, mistakes, |symbol| {
        let known = earlier.iter().any(|weight| weight.symbol == symbol);
        known.then(|| symbol.to_owned())
    });
    let group = table.string("group", mistakes).map(|group| group.value);
    let temp_as_fail = table.choice("temp", mistakes) == Some("as_fail");
    table.finish();
    Some(Weight {
        symbol,
        check,
        settings,
        score: score?,
        unless: unless.unwrap_or_default(),
        group,
        temp_as_fail,
    })
}

pub(super) fn allow(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Allow {
    let suffix = |text: &str| -> Option<Name> {
        name::absolute(text.trim_start_matches("*.").trim_start_matches('.'))
    };
    let conditions = ["addresses", "ptr_suffix", "helo_suffix", "recipients"];
    let addresses = networks(&mut table, "addresses", mistakes).unwrap_or_default();
    let ptr_suffixes = table.parsed_list("ptr_suffix", mistakes, suffix);
    let helo_suffixes = table.parsed_list("helo_suffix", mistakes, suffix);
    let recipients = table.strings("recipients", mistakes).unwrap_or_default();
    let recipients = recipients.into_iter().map(|named| named.value).collect();
    let checks = table.strings("checks", mistakes).unwrap_or_default();
    let mut checks: Vec<_> = checks
        .into_iter()
        .filter_map(|named| values::check(named, mistakes))
        .collect();
    checks.sort_by_key(|check| check.name);
    checks.dedup();
    if !conditions.iter().any(|key| table.has(key)) {
        let found = "none of them";
        mistakes.add(
            table.span(),
            "addresses, ptr_suffix, helo_suffix or recipients",
            found,
        );
    }
    table.finish();
    Allow {
        addresses,
        ptr_suffixes: ptr_suffixes.unwrap_or_default(),
        helo_suffixes: helo_suffixes.unwrap_or_default(),
        recipients,
        checks,
    }
}
