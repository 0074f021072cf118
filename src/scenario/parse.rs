//! Parses scenario files.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::compile::Generator;
use super::conduct::conduct;
use super::expect::{DnsExpectation, Expectation, SessionExpectation};
use super::keys::{EXPECT_ANSWER, EXPECT_REPLY};
use super::listener::listeners;
use super::named::named_receiver;
use super::pool::{Pattern, Pool, Pools};
use super::reader::{At, Reader};
use super::report::Mistakes;
use super::sent::sent;
use super::values::{address, check_name, domain_name, ranges, record_type};
use super::{Scenario, domain, source};
use crate::dns::{Fault, FaultMistake, FaultSpec, Outside, Settings, Transport};
use crate::smtp::{self, Mailboxes};
use crate::time::WrittenTime;

/// The default receiver.
const RECEIVER: &str = "fcrdns";
/// The default sender.
const SENDER: &str = "sender@example.test";

/// Reads a scenario file; `file` of a zone is relative to `folder`.
pub(super) fn read(
    name: &str,
    mut file: Reader<'_>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<Scenario> {
    let title = file.required("title", mistakes).map(|t| t.value);
    let sources = file
        .strings("sources", mistakes)
        .unwrap_or_default()
        .into_iter()
        .map(|s| s.value)
        .collect();
    file.string("kind", mistakes);
    let receiver =
        named_receiver(&mut file, folder, mistakes).unwrap_or_else(|| RECEIVER.to_owned());
    let mailbox = |text: &str| smtp::is_mailbox(text).then(|| text.to_owned());
    let sender = file.parsed("sender", mistakes, mailbox);
    let sender = sender.unwrap_or_else(|| SENDER.to_owned());
    let (domains, domain_spans) = domain::domains(&mut file, folder, mistakes);
    let known_recipients = recipients(&mut file, mistakes);
    let zones = source::zones(&mut file, folder, mistakes);
    domain::contradictions(&domains, &domain_spans, &zones, mistakes);
    let dns = dns(&mut file, mistakes);
    let pools = pools(&mut file, mistakes);
    let (client, nat) = source::client(&mut file, &pools, mistakes);
    let listeners = listeners(&mut file, &pools, folder, mistakes);
    let faults = file
        .tables("fault", mistakes)
        .into_iter()
        .filter_map(|t| fault(t, mistakes))
        .collect();
    let sent = file
        .tables("sent", mistakes)
        .into_iter()
        .filter_map(|table| sent(table, mistakes))
        .collect();
    let has_question = |table: &DeTable<'_>| table.keys().any(|key| key.get_ref() == "ask");
    let section = |table: &DeTable<'_>| match has_question(table) {
        true => &EXPECT_ANSWER,
        false => &EXPECT_REPLY,
    };
    let expected = file.tables_by("expect", section, mistakes);
    file.finish();
    let mut scenario = Scenario {
        text: mistakes.text().into(),
        name: name.to_owned(),
        title: title.clone().unwrap_or_default(),
        sources,
        receiver,
        sender,
        domains,
        known_recipients,
        zones,
        dns,
        pools: pools.read,
        client,
        nat,
        listeners,
        faults,
        sent,
        expectations: Vec::new(),
    };
    let expectations = expected
        .into_iter()
        .filter_map(|table| expect(table, &scenario, folder, mistakes));
    scenario.expectations = expectations.collect();
    clashes(&scenario, &domain_spans, &pools.spans, mistakes);
    title.map(|_| scenario)
}

/// Reports generated records that conflict with the text of a zone, at their domain or pool.
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
        let (expected, found) = clash.expected_and_found();
        mistakes.add(span.cloned().unwrap_or_default(), expected, found);
    }
}

fn pools(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Pools {
    let mut pools = Pools::default();
    for mut table in file.tables("pool", mistakes) {
        let whole = table.span();
        let named = table.required("name", mistakes);
        let name = named.as_ref().map(|name| name.value.clone());
        let repeated = pools
            .read
            .iter()
            .map(|pool| &pool.name)
            .chain(&pools.broken);
        if let Some(At { value, span }) = named
            && repeated.into_iter().any(|other| *other == value)
        {
            let found = format!("a second pool {value:?}");
            mistakes.add(span, "a name that no other pool has", found);
        }
        match pool(table, mistakes) {
            Some(pool) => {
                pools.read.push(pool);
                pools.spans.push(whole);
            }
            None => pools.broken.extend(name),
        }
    }
    pools
}

fn pool(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Pool> {
    let named = table.string("name", mistakes);
    table.require("addresses", mistakes);
    let addresses = ranges(&mut table, "addresses", mistakes);
    if addresses.as_ref().is_some_and(Vec::is_empty) {
        let listed = table.value("addresses").map(toml::Spanned::span);
        let listed = listed.unwrap_or_else(|| table.span());
        mistakes.add(listed, "at least one address in addresses", "none");
    }
    let first_number = table.number_as("first_number", mistakes).unwrap_or(1);
    let ptr = table.parsed_list("ptr", mistakes, host_pattern);
    table.require("helo", mistakes);
    let helo = table.parsed("helo", mistakes, Pattern::parse);
    let spf = table.string("spf", mistakes).map(|s| s.value);
    let forward = table.flag("forward", mistakes).unwrap_or(true);
    let helo_addresses = helo_addresses(&mut table, addresses.as_deref(), mistakes);
    table.finish();
    Some(Pool {
        name: named?.value,
        addresses: addresses?,
        first_number,
        ptr: ptr.unwrap_or_default(),
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

/// The addresses of the HELO name: a number of addresses of the pool, or a list.
fn helo_addresses(
    table: &mut Reader<'_>,
    pool: Option<&[IpAddr]>,
    mistakes: &mut Mistakes,
) -> Vec<IpAddr> {
    let is_number = table
        .value("helo_addresses")
        .is_some_and(|v| v.get_ref().is_integer());
    if !is_number {
        return ranges(table, "helo_addresses", mistakes).unwrap_or_default();
    }
    let (Some(At { value, span }), Some(pool)) = (table.number("helo_addresses", mistakes), pool)
    else {
        return Vec::new();
    };
    let count = usize::try_from(value).unwrap_or(usize::MAX);
    if count > pool.len() {
        mistakes.add(
            span,
            format!(
                "at most {}, the number of addresses of the pool",
                pool.len()
            ),
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
        delay: table.duration("delay", mistakes).map(WrittenTime::Time),
        jitter: table.duration("jitter", mistakes).map(WrittenTime::Time),
        seed: number(&mut table, "seed", mistakes),
        ttl: number(&mut table, "ttl", mistakes),
        length: number(&mut table, "length", mistakes),
        octets: number(&mut table, "octets", mistakes),
        order: text(&mut table, "order", mistakes),
        address: text(&mut table, "address", mistakes),
        ..FaultSpec::default()
    };
    let built = spec.build();
    for FaultMistake {
        key,
        expected,
        found,
    } in built.as_ref().err().into_iter().flatten()
    {
        let value = table.value(key).map(|v| v.span());
        // An invalid value and an invalid name have been reported already.
        let reported = (table.has(key) && found == "none") || (*key == "name" && named.is_none());
        if !reported {
            mistakes.add(value.unwrap_or_else(|| table.span()), expected, found);
        }
    }
    table.finish();
    built.ok()
}

/// The name of a fault with its non-ASCII labels as A-labels (RFC 5891).
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

/// Reads `[recipients]`.
fn recipients(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Vec<Mailboxes>> {
    let mut table = file.table("recipients", mistakes)?;
    let known = domain::mailboxes(&mut table, "known", mistakes);
    table.finish();
    known
}

fn dns(file: &mut Reader<'_>, mistakes: &mut Mistakes) -> Settings {
    let mut settings = Settings::default();
    let Some(mut table) = file.table("dns", mistakes) else {
        return settings;
    };
    let outside = table.value("outside").map(toml::Spanned::span);
    let word = table.choice("outside", mistakes);
    let at = table.value("upstream").map(toml::Spanned::span);
    let upstream = table.parsed("upstream", mistakes, |t| t.parse().ok());
    settings.outside = word.map(|word| match (word, upstream) {
        ("nxdomain", _) => Outside::NxDomain,
        ("servfail", _) => Outside::ServFail,
        ("drop", _) => Outside::Drop,
        ("forward", Some(upstream)) => Outside::Forward(upstream),
        _ => Outside::Refused,
    });
    match (word, outside, at) {
        (Some("forward"), Some(span), None) if !table.has("upstream") => {
            mistakes.add(
                span,
                "upstream = \"127.0.0.1:5353\" with outside = \"forward\"",
                "none",
            );
        }
        (None | Some("refused" | "nxdomain" | "servfail" | "drop"), _, Some(span)) => {
            mistakes.add(
                span,
                "outside = \"forward\" with upstream",
                word.unwrap_or("none"),
            );
        }
        _ => {}
    }
    settings.recursion_available = table
        .flag("recursion_available", mistakes)
        .unwrap_or_default();
    settings.transfer = table.choice("axfr", mistakes) == Some("loopback");
    let limits = &mut settings.limits;
    limits.responses_per_second = table
        .number_as("responses_per_second", mistakes)
        .unwrap_or(limits.responses_per_second);
    limits.tcp_connections = table
        .number_as("tcp_connections", mistakes)
        .unwrap_or(limits.tcp_connections);
    table.finish();
    settings
}

fn transport(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<Transport> {
    match table.choice("transport", mistakes)? {
        "tcp" => Some(Transport::Tcp),
        _ => Some(Transport::Udp),
    }
}

/// Reads an expectation; missing keys have the values of the scenario.
fn expect(
    mut table: Reader<'_>,
    scenario: &Scenario,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<Expectation> {
    let expectation = if table.is(&EXPECT_ANSWER) {
        dns_expectation(&mut table, mistakes).map(Expectation::Dns)
    } else {
        session_expectation(&mut table, scenario, folder, mistakes)
            .map(|s| Expectation::Session(Box::new(s)))
    };
    table.string("note", mistakes);
    table.finish();
    expectation
}

fn dns_expectation(table: &mut Reader<'_>, mistakes: &mut Mistakes) -> Option<DnsExpectation> {
    let parse_question = |text: &str| {
        let (owner, kind) = text.split_once(' ')?;
        Some((domain_name(owner)?, record_type(kind.trim())?))
    };
    let question = table.parsed("ask", mistakes, parse_question);
    let transport = transport(table, mistakes).unwrap_or(Transport::Udp);
    let edns = table
        .number_as("edns", mistakes)
        .filter(|size: &u16| *size > 0);
    let answers = table.number_as("answers", mistakes);
    let truncated = table.flag("truncated", mistakes);
    let rcode = table.choice("rcode", mistakes).map(str::to_owned);
    let (name, record_type) = question?;
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

/// Maximum number of sessions that an expectation plays.
const MOST_SESSIONS: u64 = 1000;

fn session_expectation(
    table: &mut Reader<'_>,
    scenario: &Scenario,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<SessionExpectation> {
    for key in ["client", "helo", "reply"] {
        table.require(key, mistakes);
    }
    let client = table.parsed("client", mistakes, address);
    let helo = table.string("helo", mistakes);
    let reply = table.parsed("reply", mistakes, reply);
    let verb = table.choice("verb", mistakes).unwrap_or("EHLO");
    let text = |table: &mut Reader<'_>, key, mistakes: &mut Mistakes| {
        table.string(key, mistakes).map(|t| t.value)
    };
    let sender = text(table, "sender", mistakes).unwrap_or_else(|| scenario.sender.clone());
    let recipient = text(table, "recipient", mistakes);
    let message = text(table, "message", mistakes);
    let receiver = named_receiver(table, folder, mistakes).unwrap_or_else(|| {
        let default = scenario.recipient();
        let recipient = recipient.as_deref().unwrap_or(&default);
        scenario.receiver_for(recipient)
    });
    let rule = check_name(table, "rule", mistakes);
    let stage = table.choice("stage", mistakes).map(str::to_owned);
    let verdict = table.choice("verdict", mistakes);
    let verdict = verdict.and_then(|word| word.parse().ok());
    let sessions = table.number("sessions", mistakes).map_or(1, |number| {
        if !(1..=MOST_SESSIONS).contains(&number.value) {
            let expected = format!("a whole number from 1 to {MOST_SESSIONS}");
            mistakes.add(number.span, expected, number.value.to_string());
        }
        number.value
    });
    let pause = table.duration("pause", mistakes).unwrap_or_default();
    let conduct = conduct(table, mistakes);
    let helo = helo?.value;
    Some(SessionExpectation {
        client: client?,
        helo,
        verb,
        sender,
        recipient,
        message,
        receiver,
        reply: reply?,
        rule,
        stage,
        verdict,
        sessions,
        pause,
        conduct,
    })
}

fn reply(text: &str) -> Option<String> {
    let code = text.get(..3)?.parse::<u16>().ok()?;
    let separated = matches!(text.as_bytes().get(3), None | Some(b' ' | b'-'));
    (separated && (200..=599).contains(&code)).then(|| text.to_owned())
}
