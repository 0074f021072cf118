//! Writes captured answers as a scenario file: data as zones, failures as faults, verdicts as expectations.

use std::collections::BTreeMap;
use std::fmt::Write;

use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::BinEncodable;

use super::Capture;
use super::resolver::AnsweredLookup;
use crate::check::Judgement;
use crate::lookup::Outcome;
use crate::name::{self, Name, RecordType};

/// Writes the scenario.
pub(super) fn scenario(
    capture: &Capture,
    lookups: &[AnsweredLookup],
    judgements: &[Judgement],
) -> String {
    let records: BTreeMap<(String, RecordType), Vec<String>> = records(lookups);
    let apexes = apexes(lookups);
    let helo = text(&capture.helo);
    let mut out = format!(
        "# Captured by `martinet capture` from the resolver {}.\ntitle  = {}\nsender = {}\n\n[[domain]]\nname = \"contoso.test\"\n",
        capture.resolver,
        text(&format!("{} as {}, captured", capture.client, capture.helo)),
        text(&capture.sender),
    );
    let mut zones: BTreeMap<String, String> = BTreeMap::new();
    for ((owner, record_type), data) in &records {
        let zone = zones.entry(origin(owner, &apexes)).or_default();
        // Every zone has its own SOA record.
        for line in data.iter().filter(|_| *record_type != RecordType::SOA) {
            let _ = writeln!(zone, "{owner}  {record_type}  {line}");
        }
    }
    for (origin, records) in &zones {
        let _ = write!(
            out,
            "\n[[zone]]\norigin = {}\ntext = '''\n{records}'''\n",
            text(origin)
        );
    }
    for answered in lookups {
        fault(&mut out, answered, &records, &zones);
    }
    let _ = write!(
        out,
        "\n[[pool]]\nname      = \"client\"\naddresses = [\"{}\"]\nhelo      = {helo}\n",
        capture.client
    );
    for judgement in judgements {
        let rule = judgement
            .rule
            .map(|rule| format!("rule     = \"{rule}\"\n"))
            .unwrap_or_default();
        let _ = write!(
            out,
            "\n[[expect]]\nclient   = \"{}\"\nhelo     = {helo}\nreceiver = {}\nreply    = \"{}\"\n{rule}",
            capture.client,
            text(&judgement.receiver),
            judgement.reply.code()
        );
    }
    out
}

/// The records of all answers, by owner and type.
fn records(lookups: &[AnsweredLookup]) -> BTreeMap<(String, RecordType), Vec<String>> {
    let mut records: BTreeMap<(String, RecordType), Vec<String>> = BTreeMap::new();
    for record in lookups.iter().flat_map(|answered| &answered.records) {
        let key = (owner(&record.name), record.record_type());
        // In the order of the answer, because some receivers use the first name only.
        let (known, data) = (records.entry(key).or_default(), data(record));
        if !known.contains(&data) {
            known.push(data);
        }
    }
    records
}

/// Names with a SOA record: each is the apex of a zone.
fn apexes(lookups: &[AnsweredLookup]) -> Vec<String> {
    let records = lookups.iter().flat_map(|answered| &answered.records);
    let soa = records.filter(|record| record.record_type() == RecordType::SOA);
    soa.map(|record| owner(&record.name)).collect()
}

fn owner(name: &Name) -> String {
    name.to_lowercase().to_ascii()
}

/// The zone of a name: the deepest apex above it, otherwise its organisational domain, otherwise the name itself.
fn origin(owner: &str, apexes: &[String]) -> String {
    let holds = |apex: &&String| owner == apex.as_str() || owner.ends_with(&format!(".{apex}"));
    if let Some(apex) = apexes.iter().filter(holds).max_by_key(|apex| apex.len()) {
        return apex.clone();
    }
    let domain = name::absolute(owner).and_then(|name| name::organisational_domain(&name));
    domain.map_or_else(
        || owner.to_owned(),
        |domain| format!("{}.", domain.trim_end_matches('.')),
    )
}

/// A fault for a lookup that the zones would answer differently.
fn fault(
    out: &mut String,
    answered: &AnsweredLookup,
    records: &BTreeMap<(String, RecordType), Vec<String>>,
    zones: &BTreeMap<String, String>,
) {
    let (name, record_type) = (owner(&answered.lookup.name), answered.lookup.record_type);
    let is_owner = records.keys().any(|(owner, _)| *owner == name);
    let is_above = records
        .keys()
        .any(|(owner, _)| owner.ends_with(&format!(".{name}")));
    let is_apex = zones.contains_key(&name);
    let action = match answered.lookup.outcome {
        Outcome::Data => return,
        Outcome::ServFail => "servfail",
        Outcome::Refused => "refused",
        Outcome::Timeout => "drop",
        Outcome::NoData if is_owner && !(is_apex && record_type == RecordType::SOA) => return,
        Outcome::NoData => "nodata",
        Outcome::NxDomain if !is_owner && !is_above && !is_apex => return,
        Outcome::NxDomain => "nxdomain",
    };
    let _ = write!(
        out,
        "\n[[fault]]\nname = {}\ntype = \"{record_type}\"\ndo   = \"{action}\"\n",
        text(&name)
    );
}

/// Record data in master-file syntax, or in the syntax of RFC 3597 §5 if that is uncertain.
fn data(record: &Record) -> String {
    match &record.data {
        RData::TXT(txt) => {
            let strings = txt.txt_data.iter().map(|string| quoted(string));
            strings.collect::<Vec<_>>().join(" ")
        }
        RData::A(_)
        | RData::AAAA(_)
        | RData::PTR(_)
        | RData::CNAME(_)
        | RData::NS(_)
        | RData::MX(_) => record.data.to_string(),
        other => {
            let octets = other.to_bytes().unwrap_or_default();
            let hexadecimal: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("\\# {} {hexadecimal}", octets.len())
        }
    }
}

/// A character-string of a zone file (RFC 1035 §5.1).
fn quoted(octets: &[u8]) -> String {
    let mut out = String::from("\"");
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(octet));
            }
            // ''' would end the text of the zone in TOML.
            b' '..=b'~' if octet != b'\'' => out.push(char::from(octet)),
            octet => {
                let _ = write!(out, "\\{octet:03}");
            }
        }
    }
    out + "\""
}

/// A string in TOML syntax.
fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}
