//! Zones as text and the source of client addresses: two parts of scenario files with rules of their own.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;

use toml::de::DeValue;

use super::keys::ASSIGNMENT;
use super::pool::Pools;
use super::reader::{At, Reader, string, wrong_type};
use super::report::Mistakes;
use super::values::{address, domain_name, networks};
use super::words::unknown;
use crate::dns::{MasterMistake, Zone};
use crate::name::{Name, RecordType};
use crate::smtp::{ClientSource, Nat, Order};

/// Default TTL of records, in seconds.
const TTL: u32 = 300;

/// The position of the lines of a zone.
enum Place {
    /// In the scenario file, beginning with this line.
    Lines(usize),
    /// In the scenario file, all on this line: its line ends are escapes.
    Line(usize),
    /// In the file that this key names.
    File(At<String>),
}

impl Place {
    fn report(&self, line: usize, expected: String, found: String, mistakes: &mut Mistakes) {
        match self {
            Self::Lines(first) => mistakes.add_line(first + line - 1, expected, found),
            Self::Line(only) => mistakes.add_line(*only, expected, found),
            Self::File(path) => {
                let expected = format!("{expected} in {} line {line}", path.value);
                mistakes.add(path.span.clone(), expected, found);
            }
        }
    }
}

/// Reads all `[[zone]]` tables, and checks that each name is in only one zone.
pub(super) fn zones(
    file: &mut Reader<'_>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Vec<Zone> {
    let mut tables = file.tables("zone", mistakes);
    let mut origins = Vec::new();
    for table in &mut tables {
        table.require("origin", mistakes);
        let origin = table.parsed("origin", mistakes, domain_name);
        if let Some(origin) = origin
            .as_ref()
            .filter(|origin| origins.contains(&Some((*origin).clone())))
        {
            mistakes.add(
                table.span(),
                "one zone for each origin",
                format!("a second zone {origin}"),
            );
        }
        origins.push(origin);
    }
    let known: HashSet<Name> = origins.iter().flatten().cloned().collect();
    let read = |(table, origin)| zone(table, origin, &known, folder, mistakes);
    tables.into_iter().zip(origins).filter_map(read).collect()
}

fn zone(
    mut table: Reader<'_>,
    origin: Option<Name>,
    origins: &HashSet<Name>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<Zone> {
    let ttl = table.number_as("ttl", mistakes).unwrap_or(TTL);
    let text = table.string("text", mistakes);
    let path = table.string("file", mistakes);
    table.value("origin");
    let span = table.span();
    let either = table.has("text") || table.has("file");
    table.finish();
    let origin = origin?;
    let (octets, place) = match (text, path) {
        (Some(text), None) => {
            let place = place(&text, mistakes);
            (text.value.into_bytes(), place)
        }
        (None, Some(path)) => (octets_of_file(&path, folder, mistakes)?, Place::File(path)),
        (Some(_), Some(path)) => {
            mistakes.add(path.span, "text or file", "both");
            return None;
        }
        (None, None) => {
            if !either {
                mistakes.add(span, "text = \"…\" or file = \"…\"", "neither");
            }
            return None;
        }
    };
    let (zone, found) = zone_text(&octets, &origin, ttl, origins);
    for mistake in found {
        place.report(mistake.line, mistake.expected, mistake.found, mistakes);
    }
    Some(zone)
}

fn place(text: &At<String>, mistakes: &Mistakes) -> Place {
    let first = mistakes.line_of(text.span.start);
    let source = mistakes.source(text.span.clone());
    if !["\"\"\"", "'''"]
        .iter()
        .any(|quotes| source.starts_with(quotes))
    {
        return Place::Line(first);
    }
    // A line end after the opening quotes does not belong to the text.
    let opens = source.get(3..).is_some_and(|s| s.starts_with(['\n', '\r']));
    Place::Lines(first + usize::from(opens))
}

fn octets_of_file(
    path: &At<String>,
    folder: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Option<Vec<u8>> {
    let Some(folder) = folder else {
        mistakes.add(
            path.span.clone(),
            "text: a built-in scenario reads no files",
            "file",
        );
        return None;
    };
    match std::fs::read(folder.join(&path.value)) {
        Ok(octets) => Some(octets),
        Err(cause) => {
            mistakes.add(
                path.span.clone(),
                "a zone file that can be read",
                format!("{:?}: {cause}", path.value),
            );
            None
        }
    }
}

/// Parses the text of a zone, given the origins of all zones. The mistakes are in the order of lines: of syntax, of
/// data that conflicts, and of names that belong to another zone.
pub(crate) fn zone_text(
    octets: &[u8],
    origin: &Name,
    ttl: u32,
    origins: &HashSet<Name>,
) -> (Zone, Vec<MasterMistake>) {
    let (mut suspects, mut glue) = (Vec::new(), HashSet::new());
    let is_only_origin = origins.iter().all(|other| other == origin);
    let (zone, mut mistakes) = Zone::load_each(octets, origin, ttl, |row| {
        if is_only_origin {
            return;
        }
        let owner = row.owner();
        if row.record_type() == RecordType::NS && owner != *origin {
            glue.extend(row.target());
        }
        if let Some(deeper) = within_another(&owner, origin, origins) {
            suspects.push((row.line, owner, row.record_type(), deeper));
        }
    });
    // Records of a deeper zone are only allowed if they are its delegation, or addresses of its servers.
    suspects.retain(|(_, owner, record_type, _)| match *record_type {
        RecordType::NS | RecordType::DS => false,
        RecordType::A | RecordType::AAAA => !glue.contains(owner),
        _ => true,
    });
    mistakes.extend(suspects.into_iter().map(|(line, owner, _, deeper)| {
        let expected = format!("each name in one zone: zone {deeper} holds it");
        let found = owner.to_string();
        MasterMistake {
            line,
            expected,
            found,
        }
    }));
    mistakes.sort_by_key(|mistake| mistake.line);
    (zone, mistakes)
}

/// The deepest other zone below `origin` that contains a name.
fn within_another(name: &Name, origin: &Name, origins: &HashSet<Name>) -> Option<Name> {
    let mut above = name.clone();
    while above.num_labels() > origin.num_labels() {
        if origins.contains(&above) {
            return Some(above);
        }
        above = above.base_name();
    }
    None
}

/// Reads `[client]`: the source of client addresses, and their translation.
pub(super) fn client(
    file: &mut Reader<'_>,
    pools: &Pools,
    mistakes: &mut Mistakes,
) -> (ClientSource, Vec<Nat>) {
    let Some(mut table) = file.table("client", mistakes) else {
        return (all_pools(pools), Vec::new());
    };
    let source = identity("from", &mut table, pools, mistakes).unwrap_or_else(|| all_pools(pools));
    let nat = table
        .tables("nat", mistakes)
        .into_iter()
        .filter_map(|t| translation(t, mistakes))
        .collect();
    table.finish();
    (source, nat)
}

/// Reads the source of client addresses under this key.
pub(super) fn identity(
    key: &'static str,
    table: &mut Reader<'_>,
    pools: &Pools,
    mistakes: &mut Mistakes,
) -> Option<ClientSource> {
    let value = table.value(key)?;
    Some(match value.get_ref() {
        DeValue::String(text) if text == "socket" => ClientSource::Socket,
        DeValue::String(_) => fixed(value, mistakes),
        DeValue::Table(inner) => {
            let table = Reader::new(inner, value.span(), &ASSIGNMENT, mistakes);
            from_table(table, pools, mistakes)
        }
        _ => {
            wrong_type(
                value,
                "\"socket\", an address, or a table with pool or map",
                mistakes,
            );
            ClientSource::Socket
        }
    })
}

/// The default of `from`: all addresses of all pools in order; the address of the connection if there is no pool.
fn all_pools(pools: &Pools) -> ClientSource {
    if pools.read.is_empty() {
        return ClientSource::Socket;
    }
    let addresses = pools
        .read
        .iter()
        .flat_map(|pool| pool.addresses.clone())
        .collect();
    ClientSource::Pool {
        addresses,
        order: Order::RoundRobin,
    }
}

fn fixed(value: &toml::Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> ClientSource {
    let parsed = string(value, mistakes)
        .and_then(|s| s.parsed("\"socket\", or an address", mistakes, address));
    parsed.map_or(ClientSource::Socket, ClientSource::Fixed)
}

fn from_table(mut table: Reader<'_>, pools: &Pools, mistakes: &mut Mistakes) -> ClientSource {
    let span = table.span();
    let map = table.table("map", mistakes);
    let listed = table.value("pool").map(toml::Spanned::span);
    let names = table.strings("pool", mistakes);
    let order = pool_order(&mut table, map.is_some(), mistakes);
    let either = table.has("pool") || table.has("map");
    table.finish();
    if map.is_some() && names.is_some() {
        mistakes.add(span.clone(), "pool or map", "both");
    }
    if let Some(map) = map {
        if map.entries().next().is_none() {
            mistakes.add(map.span(), "at least one address in map", "none");
        }
        return ClientSource::Map(address_map(&map, mistakes));
    }
    if let (Some([]), Some(listed)) = (names.as_deref(), listed) {
        mistakes.add(listed, "at least one pool", "none");
    }
    let Some(names) = names else {
        if !either {
            mistakes.add(span, "pool = \"…\" or map = { … }", "neither");
        }
        return ClientSource::Socket;
    };
    let mut addresses = Vec::new();
    for named in names {
        match pools.read.iter().find(|pool| pool.name == named.value) {
            Some(pool) => addresses.extend(&pool.addresses),
            None if pools.broken.contains(&named.value) => {}
            None => {
                let all: Vec<_> = pools.read.iter().map(|p| p.name.as_str()).collect();
                let unknown = unknown("pool", &named.value, &all);
                mistakes.add(named.span, unknown.expected, unknown.found);
            }
        }
    }
    ClientSource::Pool { addresses, order }
}

/// The order of a pool. A map has no order, and only a random order has a seed.
fn pool_order(table: &mut Reader<'_>, map: bool, mistakes: &mut Mistakes) -> Order {
    let order = table.choice("order", mistakes);
    let seed = table.number("seed", mistakes);
    let at = table.value("order").map(toml::Spanned::span);
    if let Some(at) = at.filter(|_| map) {
        mistakes.add(at, "an order with pool", "an order with map");
    }
    match (order, seed) {
        (Some("random"), seed) => Order::Random {
            seed: seed.map_or(1, |seed| seed.value),
        },
        (_, Some(seed)) => {
            let found = format!("seed = {} without it", seed.value);
            mistakes.add(seed.span, "order = \"random\" with a seed", found);
            Order::RoundRobin
        }
        (_, None) => Order::RoundRobin,
    }
}

fn address_map(table: &Reader<'_>, mistakes: &mut Mistakes) -> HashMap<IpAddr, IpAddr> {
    let mut map = HashMap::new();
    for (key, value) in table.entries() {
        let inside = At {
            value: key.get_ref().to_string(),
            span: key.span(),
        }
        .parsed("an address", mistakes, address);
        let outside =
            string(value, mistakes).and_then(|s| s.parsed("an address", mistakes, address));
        map.extend(inside.zip(outside));
    }
    map
}

fn translation(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Nat> {
    table.require("from", mistakes);
    table.require("to", mistakes);
    let from = networks(&mut table, "from", mistakes);
    let to = table.parsed("to", mistakes, address);
    table.finish();
    Some(Nat {
        from: from?,
        to: to?,
    })
}
