//! Warnings: content that is valid, but probably a mistake. Only `lint` reports them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::builtin::{Content, load_receiver};
use super::report::Mistakes;
use super::{Expectation, ReceiverProfile, Scenario, SessionExpectation};
use crate::dns::Outside;
use crate::name;
use crate::smtp::{ClientSource, Extension};

/// Adds the warnings about the content of a file.
pub(super) fn of(content: &Content, mistakes: &mut Mistakes) {
    let text = mistakes.text().to_owned();
    let (table, _) = DeTable::parse_recoverable(&text);
    let places = Places(table.get_ref());
    match content {
        Content::Scenario(scenario) => {
            recipients(scenario, mistakes);
            pools(scenario, &places, mistakes);
            faults(scenario, &places, mistakes);
            // A table with a mistake is missing in the list, so the indices of the others do not match the file.
            if mistakes.count() == 0 {
                expectations(scenario, &places, mistakes);
            }
        }
        Content::Receiver(profile) => replies(profile, &places, mistakes),
    }
}

/// Positions in a file.
struct Places<'t>(&'t DeTable<'t>);

impl<'t> Places<'t> {
    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        entry(self.0, key)
    }

    /// The tables of `[[section]]`.
    fn tables(&self, section: &str) -> impl Iterator<Item = &'t Spanned<DeValue<'t>>> + use<'t> {
        let array = self.value(section).and_then(|v| v.get_ref().as_array());
        array.into_iter().flat_map(|array| array.iter())
    }

    /// The position of a key of a `[[section]]` table, or of the table if it lacks the key.
    fn of(&self, section: &str, index: usize, key: &str) -> Range<usize> {
        let Some(table) = self.tables(section).nth(index) else {
            return 0..0;
        };
        let inside = table.get_ref().as_table().and_then(|t| entry(t, key));
        inside.unwrap_or(table).span()
    }
}

fn entry<'t>(table: &'t DeTable<'t>, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
    let found = table.iter().find(|(k, _)| k.get_ref() == key);
    found.map(|(_, value)| value)
}

/// Warns if no recipient domain has an MX that leads to the receiver.
fn recipients(scenario: &Scenario, mistakes: &mut Mistakes) {
    if scenario.domains.is_empty() {
        let found = "none: no MX record leads to the receiver";
        mistakes.warn(
            0..0,
            "[[domain]] with the name of a recipient domain",
            found,
        );
    }
}

/// Warns of an address in two pools, which gets the PTR and A records of both.
fn pools(scenario: &Scenario, places: &Places<'_>, mistakes: &mut Mistakes) {
    let mut owners: HashMap<IpAddr, usize> = HashMap::new();
    for (index, pool) in scenario.pools.iter().enumerate() {
        let mut shared: Option<(IpAddr, usize)> = None;
        let mut more = 0;
        for address in &pool.addresses {
            match owners.insert(*address, index) {
                Some(owner) if shared.is_none() => shared = Some((*address, owner)),
                Some(_) => more += 1,
                None => {}
            }
        }
        let Some((address, owner)) = shared else {
            continue;
        };
        let others = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let holder = match owner == index {
            true => "twice".to_owned(),
            false => format!("also in pool {:?}", scenario.pools[owner].name),
        };
        mistakes.warn(
            places.of("pool", index, "addresses"),
            "each address in one pool, and once",
            format!("{address}{others}, {holder}"),
        );
    }
}

/// Warns of a fault for a name in no zone, which only changes how the server refuses the query.
fn faults(scenario: &Scenario, places: &Places<'_>, mistakes: &mut Mistakes) {
    if scenario.faults.is_empty() || matches!(scenario.dns.outside(), Outside::Forward(_)) {
        return;
    }
    let zones = scenario.zones(Ipv4Addr::LOCALHOST.into());
    for (index, fault) in scenario.faults.iter().enumerate() {
        let pattern = fault.pattern();
        let (suffix, bare) = match pattern.strip_prefix("*.") {
            Some(bare) => (true, if bare.is_empty() { "." } else { bare }),
            None => (false, pattern.as_str()),
        };
        let Some(name) = name::absolute(bare) else {
            continue;
        };
        let below = || zones.zones().any(|zone| name.zone_of(&zone.origin()));
        let concerned = zones.holds(&name) || (suffix && below());
        if !concerned {
            mistakes.warn(
                places.of("fault", index, "name"),
                "a name in a zone of the scenario",
                format!("{pattern:?}, which is in no zone"),
            );
        }
    }
}

fn expectations(scenario: &Scenario, places: &Places<'_>, mistakes: &mut Mistakes) {
    let mut receivers: HashMap<&str, Option<ReceiverProfile>> = HashMap::new();
    for (index, expectation) in scenario.expectations.iter().enumerate() {
        let Expectation::Session(session) = expectation else {
            continue;
        };
        let name = session.receiver.as_str();
        let receiver = receivers
            .entry(name)
            .or_insert_with(|| load_receiver(name).ok());
        match receiver {
            Some(profile) => rule(session, profile, index, places, mistakes),
            None => mistakes.warn(
                places.of("expect", index, "receiver"),
                "a receiver file without mistakes",
                format!("{name:?}"),
            ),
        }
        client(session, scenario, index, places, mistakes);
    }
}

/// Warns of an expected rule that the receiver does not have.
fn rule(
    session: &SessionExpectation,
    profile: &ReceiverProfile,
    index: usize,
    places: &Places<'_>,
    mistakes: &mut Mistakes,
) {
    let rules = profile.receiver.policy.rules();
    let Some(rule) = &session.rule else { return };
    if rules.iter().all(|known| known.check.name != rule) {
        mistakes.warn(
            places.of("expect", index, "rule"),
            format!("a rule of the receiver {}", profile.name),
            format!("{rule:?}, which the receiver does not have"),
        );
    }
}

/// Warns of a client address in no pool if pools assign the client addresses.
fn client(
    session: &SessionExpectation,
    scenario: &Scenario,
    index: usize,
    places: &Places<'_>,
    mistakes: &mut Mistakes,
) {
    let ClientSource::Pool { .. } = scenario.client else {
        return;
    };
    let client = session.client;
    let pooled = scenario.pools.iter().any(|p| p.addresses.contains(&client));
    if !pooled && scenario.nat.iter().all(|nat| nat.to != client) {
        mistakes.warn(
            places.of("expect", index, "client"),
            "an address of a pool: the scenario takes its clients from pools",
            format!("{client}, which is in no pool"),
        );
    }
}

/// Warns of non-ASCII replies without SMTPUTF8 (RFC 6531 §3.1), because no client can ask for them.
fn replies(profile: &ReceiverProfile, places: &Places<'_>, mistakes: &mut Mistakes) {
    let settings = &profile.receiver.settings;
    if settings.extensions.offers(Extension::SmtpUtf8) {
        return;
    }
    let mut texts: Vec<_> = places.value("greeting").into_iter().collect();
    if let Some(replies) = places.value("replies").and_then(|v| v.get_ref().as_table()) {
        texts.extend(replies.values());
    }
    for (section, keys) in [("rule", ["fail", "error"]), ("script", ["reply", "reply"])] {
        for table in places.tables(section) {
            let table = table.get_ref().as_table();
            let has = |key: &&str| table.and_then(|table| entry(table, key));
            let keys = if keys[0] == keys[1] {
                &keys[..1]
            } else {
                &keys
            };
            texts.extend(keys.iter().filter_map(has));
        }
    }
    for text in texts {
        ascii(text, mistakes);
    }
}

/// Warns of each non-ASCII string.
fn ascii(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) {
    match value.get_ref() {
        DeValue::Array(lines) => lines.iter().for_each(|line| ascii(line, mistakes)),
        DeValue::String(text) if !text.is_ascii() => mistakes.warn(
            value.span(),
            "ASCII: the receiver does not offer SMTPUTF8 (RFC 6531 §3.1)",
            format!("{text:?}"),
        ),
        _ => {}
    }
}
