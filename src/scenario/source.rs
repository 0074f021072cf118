//! Zones as text, and where client addresses come from: the parts of a scenario file that have rules of their own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use hickory_proto::rr::Record;
use toml::de::DeValue;

use super::parse::{address, domain_name};
use super::pool::Pool;
use super::reader::{At, Reader, known, string, wrong_type};
use super::receiver::network;
use super::report::Mistakes;
use crate::dns::parse_master;
use crate::name::{self, Name, RecordType};
use crate::smtp::{ClientSource, Nat, Order};

/// TTL of records whose zone says nothing, in seconds.
const TTL: u32 = 300;

/// A zone as read, its records with the lines they stand on.
struct Text {
    origin: Name,
    records: Vec<(usize, Record)>,
    /// Whether the lines are those of the scenario file.
    here: bool,
}

/// Reads every `[[zone]]`, and checks that each name stands in one zone only.
pub(super) fn zones(file: &mut Reader<'_>, beside: Option<&Path>, mistakes: &mut Mistakes) -> Vec<(Name, Vec<Record>)> {
    let mut zones: Vec<Text> = Vec::new();
    for table in file.tables("zone", mistakes) {
        let span = table.span();
        let Some(zone) = zone(table, beside, mistakes) else { continue };
        if zones.iter().any(|other| other.origin == zone.origin) {
            mistakes.add(span, "one zone for each origin", format!("a second zone {}", zone.origin));
        } else {
            zones.push(zone);
        }
    }
    for zone in &zones {
        misplaced(zone, &zones, mistakes);
    }
    zones.into_iter().map(|zone| (zone.origin, zone.records.into_iter().map(|(_, r)| r).collect())).collect()
}

fn zone(mut table: Reader<'_>, beside: Option<&Path>, mistakes: &mut Mistakes) -> Option<Text> {
    let origin = table.required("origin", mistakes).and_then(|o| o.parsed("a domain name", mistakes, domain_name));
    let ttl = table.number_as("ttl", mistakes).unwrap_or(TTL);
    let text = table.string("text", mistakes);
    let path = table.string("file", mistakes);
    let span = table.span();
    table.finish(mistakes);
    let origin = origin?;
    match (text, path) {
        (Some(text), None) => {
            let first = mistakes.line_of(text.span.start);
            let multiline = ["\"\"\"", "'''"].iter().any(|q| mistakes.source(text.span.clone()).starts_with(q));
            // A line end right after the opening quotes is no part of the text: its first line is the next one.
            let opens = mistakes.source(text.span.clone()).get(3..).is_some_and(|s| s.starts_with(['\n', '\r']));
            let opened = first + usize::from(opens);
            // The lines of a one-line string are escapes: all of them stand where the string does.
            let place = |line: usize| if multiline { opened + line - 1 } else { first };
            let records = records(&text.value, &origin, ttl, place, mistakes);
            Some(Text { origin, records, here: true })
        }
        (None, Some(path)) => {
            let records = records_of_file(path, &origin, ttl, beside, mistakes);
            Some(Text { origin, records, here: false })
        }
        (Some(_), Some(path)) => {
            mistakes.add(path.span, "text or file", "both");
            None
        }
        (None, None) => {
            mistakes.add(span, "text = \"…\" or file = \"…\"", "neither");
            None
        }
    }
}

/// Reads the records of a text; `place` gives the line of the file for a line of the text, from 1.
fn records(
    text: &str,
    origin: &Name,
    ttl: u32,
    place: impl Fn(usize) -> usize,
    mistakes: &mut Mistakes,
) -> Vec<(usize, Record)> {
    match parse_master(text, origin, ttl) {
        Ok(records) => records.into_iter().map(|(line, record)| (place(line), record)).collect(),
        Err(found) => {
            for mistake in found {
                mistakes.add_line(place(mistake.line), mistake.expected, mistake.found);
            }
            Vec::new()
        }
    }
}

fn records_of_file(
    path: At<String>,
    origin: &Name,
    ttl: u32,
    beside: Option<&Path>,
    mistakes: &mut Mistakes,
) -> Vec<(usize, Record)> {
    let Some(beside) = beside else {
        mistakes.add(path.span, "text: a built-in scenario reads no files", "file");
        return Vec::new();
    };
    let read = std::fs::read_to_string(beside.join(&path.value)).map_err(|e| e.to_string());
    match read.map(|text| parse_master(&text, origin, ttl)) {
        Ok(Ok(records)) => records,
        Ok(Err(found)) => {
            for m in found {
                let expected = format!("{} in {} line {}", m.expected, path.value, m.line);
                mistakes.add(path.span.clone(), expected, m.found);
            }
            Vec::new()
        }
        Err(cause) => {
            mistakes.add(path.span, "a zone file that can be read", format!("{:?}: {cause}", path.value));
            Vec::new()
        }
    }
}

/// Names outside their zone, and names that a deeper zone answers for.
fn misplaced(zone: &Text, zones: &[Text], mistakes: &mut Mistakes) {
    for (line, record) in &zone.records {
        let deeper = zones.iter().filter(|z| z.origin.num_labels() > zone.origin.num_labels());
        let deeper = deeper
            .filter(|z| name::is_within(&z.origin, &zone.origin))
            .find(|z| name::is_within(&record.name, &z.origin));
        let delegation = record.record_type() == RecordType::NS;
        let glue = matches!(record.record_type(), RecordType::A | RecordType::AAAA) && delegated(zone, &record.name);
        let (expected, found) = if !name::is_within(&record.name, &zone.origin) {
            (format!("a name within the zone {}", zone.origin), record.name.to_string())
        } else if let Some(deeper) = deeper.filter(|_| !delegation && !glue) {
            (format!("each name in one zone: zone {} holds it", deeper.origin), record.name.to_string())
        } else {
            continue;
        };
        if zone.here {
            mistakes.add_line(*line, expected, found);
        } else {
            mistakes.add(0..0, expected, found);
        }
    }
}

fn delegated(zone: &Text, host: &Name) -> bool {
    use hickory_proto::rr::RData;
    zone.records.iter().any(|(_, r)| matches!(&r.data, RData::NS(ns) if ns.0 == *host && r.name != zone.origin))
}

/// Reads `[client]`: where addresses come from, and how they are translated.
pub(super) fn client(file: &mut Reader<'_>, pools: &[Pool], mistakes: &mut Mistakes) -> (ClientSource, Vec<Nat>) {
    let Some(mut table) = file.table("client", mistakes) else { return (all_pools(pools), Vec::new()) };
    let source = identity("from", &mut table, pools, mistakes).unwrap_or_else(|| all_pools(pools));
    let nat = table.tables("nat", mistakes).into_iter().filter_map(|t| translation(t, mistakes)).collect();
    table.finish(mistakes);
    (source, nat)
}

/// Which client address connections have, under this key.
pub(super) fn identity(
    key: &'static str,
    table: &mut Reader<'_>,
    pools: &[Pool],
    mistakes: &mut Mistakes,
) -> Option<ClientSource> {
    let value = table.value(key)?;
    Some(match value.get_ref() {
        DeValue::String(text) if text == "socket" => ClientSource::Socket,
        DeValue::String(_) => fixed(value, mistakes),
        DeValue::Table(inner) => from_table(Reader::new(inner, value.span()), pools, mistakes),
        _ => {
            wrong_type(value, "\"socket\", an address, or a table with pool or map", mistakes);
            ClientSource::Socket
        }
    })
}

/// Without `from`: every pool, one address after the other; the socket's peer where there is no pool.
fn all_pools(pools: &[Pool]) -> ClientSource {
    if pools.is_empty() {
        return ClientSource::Socket;
    }
    let addresses = pools.iter().flat_map(|pool| pool.addresses.clone()).collect();
    ClientSource::Pool { addresses, order: Order::RoundRobin }
}

fn fixed(value: &toml::Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> ClientSource {
    let parsed = string(value, mistakes).and_then(|s| s.parsed("\"socket\", or an address", mistakes, address));
    parsed.map_or(ClientSource::Socket, ClientSource::Fixed)
}

fn from_table(mut table: Reader<'_>, pools: &[Pool], mistakes: &mut Mistakes) -> ClientSource {
    if let Some(map) = table.table("map", mistakes) {
        table.finish(mistakes);
        return ClientSource::Map(address_map(map, mistakes));
    }
    let span = table.span();
    let names = table.strings("pool", mistakes);
    let order = table.choice("order", &["round-robin", "random"], mistakes);
    let seed = table.number("seed", mistakes).map_or(1, |n| n.value);
    table.finish(mistakes);
    let Some(names) = names else {
        mistakes.add(span, "pool = \"…\" or map = { … }", "neither");
        return ClientSource::Socket;
    };
    let mut addresses = Vec::new();
    for named in names {
        match pools.iter().find(|pool| pool.name == named.value) {
            Some(pool) => addresses.extend(&pool.addresses),
            None => {
                let all: Vec<_> = pools.iter().map(|p| p.name.as_str()).collect();
                mistakes.add(named.span, known(&named.value, &all), format!("unknown pool {:?}", named.value));
            }
        }
    }
    let order = if order == Some("random") { Order::Random { seed } } else { Order::RoundRobin };
    ClientSource::Pool { addresses, order }
}

fn address_map(mut table: Reader<'_>, mistakes: &mut Mistakes) -> HashMap<IpAddr, IpAddr> {
    let mut map = HashMap::new();
    for (key, value) in table.entries() {
        let inside = At { value: key.get_ref().to_string(), span: key.span() }.parsed("an address", mistakes, address);
        let outside = string(value, mistakes).and_then(|s| s.parsed("an address", mistakes, address));
        map.extend(inside.zip(outside));
    }
    map
}

fn translation(mut table: Reader<'_>, mistakes: &mut Mistakes) -> Option<Nat> {
    let from = table.parsed_list("from", "an address or network", mistakes, network);
    let to = table.required("to", mistakes).and_then(|t| t.parsed("an address", mistakes, address));
    let span = table.span();
    table.finish(mistakes);
    if from.is_none() {
        mistakes.add(span, "from = [\"10.0.0.0/8\"]", "none");
    }
    Some(Nat { from: from?, to: to? })
}
