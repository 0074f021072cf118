//! Scenario files.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use super::builtin::{is_path, names};
use super::compile::Generator;
use super::expect::{DnsExpectation, Expectation, SessionExpectation};
use super::listener::listeners;
use super::pool::{Pattern, Pool, addresses};
use super::reader::{At, Reader, known};
use super::report::Mistakes;
use super::{Scenario, source};
use crate::dns::{Fault, FaultMistake, FaultSpec, Outside, Settings, Transport};
use crate::name::{self, Name, RecordType};
use crate::stage::Stage;
use crate::verdict::Verdict;

/// The receiver of a scenario that names none.
const RECEIVER: &str = "fcrdns";
/// The sender of a scenario that names none.
const SENDER: &str = "sender@example.test";

/// Reads a scenario file; `beside` is the directory that `file = "…"` of a zone is looked for in.
pub(super) fn read(
    name: &str,
    mut file: Reader<'_>,
    beside: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<Scenario> {
    let title = file.required("title", mistakes).map(|t| t.value);
    let sources = file
        .strings("sources", mistakes)
        .unwrap_or_default()
        .into_iter()
        .map(|s| s.value)
        .collect();
    let receiver = receiver(&mut file, mistakes).unwrap_or_else(|| RECEIVER.to_owned());
    let sender = file
        .string("sender", mistakes)
        .map_or_else(|| SENDER.to_owned(), |s| s.value);
    let (domains, domain_spans): (Vec<_>, Vec<_>) = file
        .tables("domain", mistakes)
        .into_iter()
        .filter_map(|t| Some((t.span(), domain(t, mistakes)?)))
        .map(|(span, domain)| (domain, span))
        .unzip();
    let zones = source::zones(&mut file, beside, mistakes);
    let dns = dns(&mut file, mistakes);
    let (pools, pool_spans): (Vec<_>, Vec<_>) = pools(&mut file, mistakes).into_iter().unzip();
    let (client, nat) = source::client(&mut file, &pools, mistakes);
    let listeners = listeners(&mut file, &pools, mistakes);
    let faults = file
        .tables("fault", mistakes)
        .into_iter()
        .filter_map(|t| fault(t, mistakes))
        .collect();
    let expectations = file
        .tables("expect", mistakes)
        .into_iter()
        .filter_map(|t| expect(t, &receiver, &sender, mistakes))
        .collect();
    file.finish(mistakes);
    let name = name.to_owned();
    let scenario = Scenario {
        name,
        title: title?,
        sources,
        receiver,
        sender,
        domains,
        zones,
        dns,
        pools,
        client,
        nat,
        listeners,
        faults,
        expectations,
    };
    clashes(&scenario, &domain_spans, &pool_spans, mistakes);
    Some(scenario)
}

/// Reports generated records that no server loads beside the text of a zone, at their domain or pool.
fn clashes(
    scenario: &Scenario,
    domains: &[Range<usize>],
    pools: &[Range<usize>],
    mistakes: &mut Mistakes,
) {
    for clash in scenario.clashes() {
        let span = match clash.by {
            Generator::Domain(index) => domains.get(index),
            Generator::Pool(index) => pools.get(index),
        };
        let (expected, found) = clash.told();
        mistakes.add(span.cloned().unwrap_or_default(), expected, found);
    }
}

/// The receiver under the key `receiver`: a built-in one, or a path, which is read when it is played.
pub(super) fn receiver(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<String> {
    let At { value, span } = table.string("receiver", mistakes)?;
    if is_path(&value) {
        return Some(value);
    }
    let names = names("receivers");
    if !names.contains(&value) {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let expected = format!("{}; or a path with / or .toml", known(&value, &names));
        mistakes.add(span, expected, format!("unknown receiver {value:?}"));
    }
    Some(value)
}

fn domain(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Name> {
    let named = table.required("name", mistakes);
    table.finish(mistakes);
    named?.parsed("a domain name", mistakes, domain_name)
}

/// A domain name; a name beyond ASCII becomes its A-labels (RFC 5891).
pub(super) fn domain_name(text: &str) -> Option<Name> {
    let ascii = if text.is_ascii() {
        text.to_owned()
    } else {
        idna::domain_to_ascii(text).ok()?
    };
    (!ascii.is_empty())
        .then(|| name::absolute(&ascii))
        .flatten()
}

pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(name::normalise)
}

fn pools(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Vec<(Pool, Range<usize>)> {
    let mut pools: Vec<(Pool, Range<usize>)> = Vec::new();
    for table in file.tables("pool", mistakes) {
        let span = table.span();
        let Some(pool) = pool(table, mistakes) else {
            continue;
        };
        if pools.iter().any(|(other, _)| other.name == pool.name) {
            mistakes.add(
                span.clone(),
                "one pool of each name",
                format!("a second pool {:?}", pool.name),
            );
        }
        pools.push((pool, span));
    }
    pools
}

fn pool(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Pool> {
    const RANGE: &str =
        "an address, a range such as 192.0.2.1-9, or a network of at most 65536 addresses";
    const PATTERN: &str = "a host name, maybe with {a} {b} {c} {d} {d:03} {n} or {ip}";
    let named = table.required("name", mistakes);
    let ranges = table.parsed_list("addresses", RANGE, mistakes, addresses);
    let ptr = table
        .parsed_list("ptr", PATTERN, mistakes, host_pattern)
        .unwrap_or_default();
    let helo = table.required("helo", mistakes);
    let helo =
        helo.and_then(|h| h.parsed("a HELO, maybe with placeholders", mistakes, Pattern::parse));
    let spf = table.string("spf", mistakes).map(|s| s.value);
    let forward = table.flag("forward", mistakes).unwrap_or(true);
    let span = table.span();
    if ranges.as_ref().is_none_or(Vec::is_empty) {
        mistakes.add(span, "addresses of the pool", "none");
    }
    let addresses: Vec<IpAddr> = ranges?.into_iter().flatten().collect();
    let helo_addresses = helo_addresses(&mut table, &addresses, mistakes);
    table.finish(mistakes);
    Some(Pool {
        name: named?.value,
        addresses,
        ptr,
        helo: helo?,
        helo_addresses,
        spf,
        forward,
    })
}

fn host_pattern(text: &str) -> Option<Pattern> {
    let pattern = Pattern::parse(text)?;
    pattern
        .name(1, IpAddr::from([192, 0, 2, 1]))
        .map(|_| pattern)
}

/// How many of the pool the HELO name lists, or which addresses.
fn helo_addresses(table: &mut Reader<'_>, pool: &[IpAddr], mistakes: &mut Mistakes) -> Vec<IpAddr> {
    let is_number = table
        .value("helo_addresses")
        .is_some_and(|v| v.get_ref().is_integer());
    if !is_number {
        let listed = table.parsed_list(
            "helo_addresses",
            "a number, or addresses",
            mistakes,
            addresses,
        );
        return listed.unwrap_or_default().into_iter().flatten().collect();
    }
    let Some(At { value, span }) = table.number("helo_addresses", mistakes) else {
        return Vec::new();
    };
    let count = usize::try_from(value).unwrap_or(usize::MAX);
    if count > pool.len() {
        mistakes.add(
            span,
            format!("at most the {} addresses of the pool", pool.len()),
            value.to_string(),
        );
    }
    pool.iter().copied().take(count).collect()
}

fn fault(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Fault> {
    let named = table.required("name", mistakes);
    let text = |table: &mut Reader<'_>, key, mistakes: &mut Mistakes| {
        table.string(key, mistakes).map(|t| t.value)
    };
    let number = |table: &mut Reader<'_>, key, mistakes: &mut Mistakes| {
        table.number(key, mistakes).map(|n| n.value)
    };
    let spec = FaultSpec {
        name: named
            .as_ref()
            .map(|n| pattern(&n.value))
            .unwrap_or_default(),
        record_type: text(&mut table, "type", mistakes),
        transport: text(&mut table, "transport", mistakes),
        action: text(&mut table, "do", mistakes),
        from: number(&mut table, "from", mistakes),
        times: number(&mut table, "times", mistakes),
        every: number(&mut table, "every", mistakes),
        delay: table.duration("delay", mistakes),
        jitter: table.duration("jitter", mistakes),
        seed: number(&mut table, "seed", mistakes),
        ttl: number(&mut table, "ttl", mistakes),
        length: number(&mut table, "length", mistakes),
        octets: number(&mut table, "octets", mistakes),
        order: text(&mut table, "order", mistakes),
        address: text(&mut table, "address", mistakes),
    };
    let built = spec.build();
    for FaultMistake {
        key,
        expected,
        found,
    } in built.as_ref().err().into_iter().flatten()
    {
        let value = table.value(key).map(|v| v.span());
        // A value that could not be read has been reported already, and so has a name that is not there.
        let reported = (value.is_some() && found == "none") || (*key == "name" && named.is_none());
        if !reported {
            mistakes.add(value.unwrap_or_else(|| table.span()), expected, found);
        }
    }
    table.finish(mistakes);
    built.ok()
}

/// The name of a fault with its labels beyond ASCII as A-labels (RFC 5891).
fn pattern(text: &str) -> String {
    let (star, bare) = text
        .strip_prefix("*.")
        .map_or(("", text), |bare| ("*.", bare));
    let ascii = if bare.is_ascii() {
        Some(bare.to_owned())
    } else {
        idna::domain_to_ascii(bare).ok()
    };
    ascii.map_or_else(|| text.to_owned(), |ascii| format!("{star}{ascii}"))
}

/// The settings of the DNS server: `[dns]`.
fn dns(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Settings {
    let mut settings = Settings::default();
    let Some(mut table) = file.table("dns", mistakes) else {
        return settings;
    };
    let outside = table.value("outside").map(toml::Spanned::span);
    let word = table.choice("outside", &Outside::WORDS, mistakes);
    let at = table.value("upstream").map(toml::Spanned::span);
    let upstream = table.parsed(
        "upstream",
        "an address and a port, such as 127.0.0.1:5353",
        mistakes,
        |t| t.parse().ok(),
    );
    settings.outside = match (word, upstream) {
        (Some("nxdomain"), _) => Outside::NxDomain,
        (Some("servfail"), _) => Outside::ServFail,
        (Some("drop"), _) => Outside::Drop,
        (Some("forward"), Some(upstream)) => Outside::Forward(upstream),
        _ => Outside::Refused,
    };
    match (word, outside, at) {
        (Some("forward"), Some(span), None) => {
            mistakes.add(
                span,
                "upstream = \"127.0.0.1:5353\" beside outside = \"forward\"",
                "none",
            );
        }
        (None | Some("refused" | "nxdomain" | "servfail" | "drop"), _, Some(span)) => {
            mistakes.add(
                span,
                "outside = \"forward\" beside upstream",
                word.unwrap_or("none"),
            );
        }
        _ => {}
    }
    settings.recursion_available = table
        .flag("recursion_available", mistakes)
        .unwrap_or_default();
    settings.transfer =
        table.choice("axfr", &["refused", "loopback"], mistakes) == Some("loopback");
    let limits = &mut settings.limits;
    limits.responses_per_second = table
        .number_as("responses_per_second", mistakes)
        .unwrap_or(limits.responses_per_second);
    limits.tcp_connections = table
        .number_as("tcp_connections", mistakes)
        .unwrap_or(limits.tcp_connections);
    table.finish(mistakes);
    settings
}

fn record_type(text: &str) -> Option<RecordType> {
    text.to_ascii_uppercase().parse().ok()
}

fn transport(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Transport> {
    match table.choice("transport", &["udp", "tcp"], mistakes)? {
        "tcp" => Some(Transport::Tcp),
        _ => Some(Transport::Udp),
    }
}

fn expect(
    mut table: Reader<'_>,
    receiver: &str,
    sender: &str,
    mistakes: &mut Mistakes,
) -> Option<Expectation> {
    let expectation = match table.string("ask", mistakes) {
        Some(ask) => dns_expectation(ask, &mut table, mistakes).map(Expectation::Dns),
        None => session_expectation(&mut table, receiver, sender, mistakes)
            .map(|s| Expectation::Session(Box::new(s))),
    };
    table.string("note", mistakes);
    table.finish(mistakes);
    expectation
}

fn dns_expectation(
    ask: At<String>,
    table: &mut Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<DnsExpectation> {
    const RCODES: [&str; 6] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
    ];
    let asked = |text: &str| {
        let (owner, kind) = text.split_once(' ')?;
        Some((domain_name(owner)?, record_type(kind.trim())?))
    };
    let asked = ask.parsed(
        "a name and a type, such as \"mail.example.test A\"",
        mistakes,
        asked,
    );
    let transport = transport(table, mistakes).unwrap_or(Transport::Udp);
    let edns = table
        .number_as("edns", mistakes)
        .filter(|size: &u16| *size > 0);
    let answers = table.number_as("answers", mistakes);
    let truncated = table.flag("truncated", mistakes);
    let rcode = table.choice("rcode", &RCODES, mistakes).map(str::to_owned);
    let (name, record_type) = asked?;
    Some(DnsExpectation {
        name,
        record_type,
        transport,
        edns,
        answers,
        truncated,
        rcode,
    })
}

fn session_expectation(
    table: &mut Reader<'_>,
    met: &str,
    sender: &str,
    mistakes: &mut Mistakes,
) -> Option<SessionExpectation> {
    let client = table
        .required("client", mistakes)
        .and_then(|c| c.parsed("an address", mistakes, address));
    let helo = table.required("helo", mistakes);
    let reply = table
        .required("reply", mistakes)
        .and_then(|r| r.parsed("a reply such as 250, 554 or 550 5.7.25", mistakes, reply));
    let verb = table
        .choice("verb", &["EHLO", "HELO"], mistakes)
        .unwrap_or("EHLO");
    let text = |table: &mut Reader<'_>, key, mistakes: &mut Mistakes| {
        table.string(key, mistakes).map(|t| t.value)
    };
    let mail_from = text(table, "mail_from", mistakes).unwrap_or_else(|| sender.to_owned());
    let rcpt = text(table, "rcpt", mistakes);
    let message = text(table, "message", mistakes);
    let receiver = receiver(table, mistakes).unwrap_or_else(|| met.to_owned());
    let known = |text: &str| crate::policy::checks::find(text).map(|c| c.name.to_owned());
    let rule = table.parsed("rule", "the name of a check", mistakes, known);
    let stage = table.parsed("stage", "a stage", mistakes, |text| {
        text.parse::<Stage>().ok().map(|s| s.name().to_owned())
    });
    let verdict = table
        .choice("verdict", &Verdict::ALL.map(Verdict::name), mistakes)
        .and_then(|word| word.parse().ok());
    let helo = helo?.value;
    Some(SessionExpectation {
        client: client?,
        helo,
        verb,
        mail_from,
        rcpt,
        message,
        receiver,
        reply: reply?,
        rule,
        stage,
        verdict,
    })
}

fn reply(text: &str) -> Option<String> {
    let code = text.get(..3)?.parse::<u16>().ok()?;
    let separated = matches!(text.as_bytes().get(3), None | Some(b' ' | b'-'));
    (separated && (200..=599).contains(&code)).then(|| text.to_owned())
}

/// What a file calls its scenario: its name without directory and ending.
pub(super) fn scenario_name(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
