//! Receiver files: rules, replies, and where they are known from.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use super::behaviour;
use super::reader::{At, Reader, known, string, wrong_type};
use super::report::Mistakes;
use crate::facts::{AnyTempfail, ForwardFamily, ForwardNxdomain, IprevSettings, Relaxed, Wants};
use crate::name::{self, Name};
use crate::policy::checks::{CATALOGUE, Check, Kind, Parameter, Setting, Settings, Weight, find};
use crate::policy::{After, Allow, Policy, Rule, TempPolicy, Template};
use crate::reply::ReplyCode;
use crate::smtp::{BareNewline, Extension, Extensions, Receiver, Settings as Smtp, StartTls};
use crate::stage::Stage;
use crate::tls::TlsFault;

/// How long a receiver waits for a DNS answer, unless its file says otherwise.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);

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
}

/// Reads a receiver file.
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
    let group = file
        .choice("group", &["software", "operator", "generic"], mistakes)
        .unwrap_or("generic");
    let confidence = file
        .choice(
            "confidence",
            &["high", "medium", "low", "invented"],
            mistakes,
        )
        .unwrap_or_default();
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
    settings.auth = behaviour::auth(&mut file, mistakes);
    settings.scripts = behaviour::scripts(&mut file, mistakes);
    let policy = policy(&mut file, mistakes);
    file.finish(mistakes);
    Some(ReceiverProfile {
        name: name.to_owned(),
        title: title?,
        group: group.to_owned(),
        era,
        confidence: confidence.to_owned(),
        sources,
        notes,
        dns_timeout,
        receiver: Arc::new(Receiver {
            name: name.to_owned(),
            settings,
            policy,
        }),
    })
}

fn policy(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Policy {
    let after = after(file, mistakes);
    let delay_reject = file.flag("delay_reject", mistakes).unwrap_or(false);
    let record = file.parsed_list("record", "\"iprev\" or \"helo\"", mistakes, |w| {
        ["iprev", "helo"].into_iter().find(|k| *k == w)
    });
    let record = record.unwrap_or_else(|| vec!["iprev", "helo"]);
    let wants = Wants {
        iprev: record.contains(&"iprev"),
        helo_addresses: record.contains(&"helo"),
        iprev_settings: iprev(file, mistakes),
        ..Wants::default()
    };
    let rules = file
        .tables("rule", mistakes)
        .into_iter()
        .filter_map(|table| rule(table, after, mistakes))
        .collect();
    let allow = file
        .tables("allow", mistakes)
        .into_iter()
        .map(|table| allow(table, mistakes))
        .collect();
    Policy::new(rules, allow, delay_reject, wants)
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
    if table.choice("forward_family", &["client", "both"], mistakes) == Some("both") {
        settings.forward_family = ForwardFamily::Both;
    }
    if table.choice("forward_nxdomain", &["fail", "permerror"], mistakes) == Some("permerror") {
        settings.forward_nxdomain = ForwardNxdomain::Permerror;
    }
    if table.choice("any_tempfail", &["ignored", "wins"], mistakes) == Some("wins") {
        settings.any_tempfail = AnyTempfail::Wins;
    }
    if table.choice("relaxed", &["exact", "network"], mistakes) == Some("network") {
        settings.relaxed = Relaxed::SameNetwork;
    }
    table.finish(mistakes);
    settings
}

fn smtp(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Smtp {
    let mut settings = Smtp::default();
    let hostname = |text: &str| {
        crate::facts::hostname_mistake(text, false)
            .is_none()
            .then(|| text.to_owned())
    };
    if let Some(name) = file.parsed("hostname", "a host name", mistakes, hostname) {
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
    settings.bare_newline =
        match table.choice("bare_newline", &["reject", "normalize", "accept"], mistakes) {
            Some("normalize") => BareNewline::Normalize,
            Some("accept") => BareNewline::Accept,
            _ => BareNewline::Reject,
        };
    settings.extensions = extensions(&mut table, mistakes);
    settings.starttls = match table.choice("starttls", &["never", "offered", "refused"], mistakes) {
        Some("offered") => StartTls::Offered,
        Some("refused") => StartTls::Refused,
        _ => StartTls::Never,
    };
    let faults = TlsFault::ALL.map(|(word, _)| word);
    if let Some(word) = table.choice("tls_fault", &faults, mistakes) {
        settings.tls_fault = TlsFault::ALL
            .into_iter()
            .find(|(known, _)| *known == word)
            .map(|(_, f)| f)
            .unwrap_or_default();
    }
    settings.magic_recipients = table.flag("magic_recipients", mistakes).unwrap_or(true);
    if let Some(networks) = table.parsed_list("xclient", "an address or network", mistakes, network)
    {
        settings.xclient = networks;
    }
    table.finish(mistakes);
    settings
}

fn greeting(line: At<String>, mistakes: &mut Mistakes) -> Option<String> {
    let one_line =
        |text: &str| (!text.contains(['\r', '\n']) && text.len() <= 500).then(|| text.to_owned());
    line.parsed("one line of at most 500 octets", mistakes, one_line)
}

/// `extensions` is the whole set, `without` and `with` change the usual one.
fn extensions(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Extensions {
    let names: Vec<_> = Extension::ALL.into_iter().map(Extension::keyword).collect();
    let expected = format!("one of {}", names.join(", "));
    let mut list = |key, mistakes: &mut Mistakes| {
        table.parsed_list(key, &expected, mistakes, Extension::of_keyword)
    };
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
    match table.choice("after", &["close", "503", "repeat", "continue"], mistakes)? {
        "close" => Some(After::Close),
        "503" => Some(After::Sticky503),
        "repeat" => Some(After::Repeat),
        _ => Some(After::Continue),
    }
}

/// The check that a table names: one that exists, may stand here, and is part of this build.
fn named_check(
    table: &mut Reader<'_>,
    may_stand: fn(&Check) -> bool,
    mistakes: &mut Mistakes,
) -> Option<&'static Check> {
    let named = table.required("check", mistakes)?;
    let Some(check) = find(&named.value).filter(|check| may_stand(check)) else {
        let allowed = CATALOGUE.iter().filter(|check| may_stand(check));
        let names: Vec<_> = allowed.map(|check| check.name).collect();
        mistakes.add(
            named.span,
            known(&named.value, &names),
            format!("unknown check {:?}", named.value),
        );
        return None;
    };
    if let Some(feature) = check.missing_feature() {
        mistakes.add(
            named.span,
            "a check that this build has",
            format!(
                "{:?}, which needs martinet's Cargo feature {feature:?}",
                check.name
            ),
        );
        return None;
    }
    Some(check)
}

fn rule(
    mut table: Reader<'_>,
    default_after: Option<After>,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    let check = named_check(&mut table, |_| true, mistakes)?;
    let mut rule = Rule::new(check, &parameters(check, &mut table, mistakes));
    let stages = Stage::ALL.map(Stage::name).join(", ");
    if let Some(stage) = table.string("stage", mistakes)
        && let Some(parsed) = stage
            .clone()
            .parsed(&format!("one of {stages}"), mistakes, |s| {
                s.parse::<Stage>().ok()
            })
    {
        if parsed < check.stage {
            let expected = format!(
                "a stage from {} on, when the facts of {} are known",
                check.stage, check.name
            );
            mistakes.add(stage.span, expected, format!("{:?}", stage.value));
        }
        rule.stage = parsed;
    }
    rule.temp = match table.choice(
        "temp",
        &["defer_now", "defer_if_permit", "ignore", "as_fail"],
        mistakes,
    ) {
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
    }
    let expected = "a 4yz reply: a temporary DNS failure is never a 5yz, unless temp = \"as_fail\"";
    let as_fail = rule.temp == TempPolicy::AsFail;
    let defers = |code: ReplyCode| code.class() == 4 || (as_fail && code.is_refusal());
    if let Some(error) = reply("error", expected, defers, &mut table, mistakes) {
        rule.error = error;
    }
    rule.after = after(&mut table, mistakes).or(default_after);
    rule.modelled = table.flag("modelled", mistakes).unwrap_or(false);
    table.finish(mistakes);
    Some(rule)
}

/// Reads the reply under a key, and checks its class.
pub(super) fn reply(
    key: &'static str,
    expected: &str,
    allowed: impl Fn(ReplyCode) -> bool,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Template> {
    let lines = table.strings(key, mistakes)?;
    let first = lines
        .first()
        .map_or_else(|| table.span(), |l| l.span.clone());
    let texts: Vec<_> = lines.iter().map(|l| l.value.as_str()).collect();
    match Template::parse(&texts) {
        Ok(template) if allowed(template.pattern().code()) => Some(template),
        Ok(template) => {
            mistakes.add(first, expected, template.pattern().code().to_string());
            None
        }
        Err((expected, found)) => {
            let at = lines
                .iter()
                .find(|l| l.value == found || l.value.contains(&found));
            mistakes.add(at.map_or(first, |l| l.span.clone()), expected, found);
            None
        }
    }
}

fn parameters(check: &'static Check, table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Settings {
    let mut settings = Settings::default();
    for parameter in check.parameters {
        if let Some(setting) = parameter_value(parameter, table, mistakes) {
            settings.set(parameter, setting);
        }
    }
    settings
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
        Kind::Choice(words) => table.choice(key, words, mistakes).map(Setting::Choice),
        Kind::Words => table
            .strings(key, mistakes)
            .map(|l| Setting::Words(l.into_iter().map(|w| w.value).collect())),
        Kind::Networks => table
            .parsed_list(key, "an address or network", mistakes, network)
            .map(Setting::Networks),
        Kind::Duration => table.duration(key, mistakes).map(Setting::Duration),
        Kind::Points => table.points(key, mistakes).map(Setting::Points),
        Kind::Weights => {
            let tables = table.tables(key, mistakes);
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
    let check = named_check(&mut table, |check| check.name != "score", mistakes)?;
    let settings = parameters(check, &mut table, mistakes);
    let symbol = table
        .string("symbol", mistakes)
        .map_or_else(|| check.name.to_owned(), |s| s.value);
    let span = table.span();
    let score = table.points("score", mistakes);
    if score.is_none() {
        mistakes.add(span, "score, what a violation adds", "none");
    }
    table.finish(mistakes);
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
    let addresses = table
        .parsed_list("addresses", "an address or network", mistakes, network)
        .unwrap_or_default();
    let ptr_suffixes = table
        .parsed_list("ptr_suffix", "a domain name", mistakes, suffix)
        .unwrap_or_default();
    let helo_suffixes = table
        .parsed_list("helo_suffix", "a domain name", mistakes, suffix)
        .unwrap_or_default();
    let checks = checks(&mut table, mistakes);
    if addresses.is_empty() && ptr_suffixes.is_empty() && helo_suffixes.is_empty() {
        mistakes.add(
            table.span(),
            "addresses, ptr_suffix or helo_suffix",
            "none: it would allow nobody",
        );
    }
    table.finish(mistakes);
    Allow {
        addresses,
        ptr_suffixes,
        helo_suffixes,
        checks,
    }
}

fn checks(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Vec<String> {
    let Some(value) = table.value("checks") else {
        return Vec::new();
    };
    let DeValue::Array(array) = value.get_ref() else {
        wrong_type(value, "a list of checks", mistakes);
        return Vec::new();
    };
    let one = |value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes| {
        let exists = |text: &str| find(text).map(|check| check.name.to_owned());
        string(value, mistakes)?.parsed("the name of a check", mistakes, exists)
    };
    let found: HashSet<_> = array.iter().filter_map(|v| one(v, mistakes)).collect();
    found.into_iter().collect()
}

/// An address or a network; IPv4-mapped addresses are normalised.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let address = || {
        text.parse::<std::net::IpAddr>()
            .ok()
            .map(|a| IpNet::from(name::normalise(a)))
    };
    text.parse::<IpNet>().ok().or_else(address)
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
