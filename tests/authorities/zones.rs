//! Random zones that every server loads: wildcards, empty non-terminals, delegations at several depths with much and
//! little glue, aliases and DNAMEs in chains, in circles and across zones, large sets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::random::Random;

/// One zone.
pub struct Zone {
    /// Its origin, with the final dot.
    pub origin: String,
    /// Absolute owner names, and their records: lines of type and data.
    pub nodes: BTreeMap<String, Vec<String>>,
    /// Names for which another server is authoritative, with everything below them.
    pub cuts: Vec<String>,
    /// Names with a DNAME that redirects everything below them.
    pub dnames: Vec<String>,
}

const LABELS: [&str; 10] = [
    "a", "b", "c", "mail", "www", "_tcp", "x-1", "*", "deep", "Upper",
];

/// Makes three zones, one of them a child of another, and their delegation.
pub fn random(random: &mut Random) -> Vec<Zone> {
    let origins = ["one.test.", "two.example.", "child.one.test."];
    let mut zones: Vec<Zone> = origins.iter().map(|origin| zone(origin, random)).collect();
    let delegation = vec![
        "NS ns.child.one.test.".to_owned(),
        "DS 1 8 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF".to_owned(),
    ];
    zones[0]
        .nodes
        .insert("child.one.test.".to_owned(), delegation);
    zones[0].nodes.insert(
        "ns.child.one.test.".to_owned(),
        vec!["A 192.0.2.53".to_owned()],
    );
    zones[0].cuts.push("child.one.test.".to_owned());
    zones[2].nodes.insert(
        "ns.child.one.test.".to_owned(),
        vec!["A 192.0.2.53".to_owned()],
    );
    zones.push(renamed());
    zones
}

/// A zone whose origin has a DNAME, so that everything is found in another zone.
fn renamed() -> Zone {
    let origin = "renamed.example.".to_owned();
    let apex = [
        "SOA ns.one.test. hostmaster.one.test. 1 3600 600 86400 300",
        "NS ns.one.test.",
        "DNAME one.test.",
    ];
    let nodes = BTreeMap::from([(origin.clone(), apex.map(str::to_owned).to_vec())]);
    Zone {
        dnames: vec![origin.clone()],
        cuts: Vec::new(),
        origin,
        nodes,
    }
}

fn zone(origin: &str, random: &mut Random) -> Zone {
    let mut zone = Zone {
        origin: origin.to_owned(),
        nodes: BTreeMap::new(),
        cuts: Vec::new(),
        dnames: Vec::new(),
    };
    let apex = [
        format!(
            "SOA ns.{origin} hostmaster.{origin} 1 3600 600 86400 {}",
            random.pick(&[30, 300, 3600])
        ),
        format!("NS ns.{origin}"),
        "NS ns.elsewhere.invalid.".to_owned(),
        format!("MX 10 mail.{origin}"),
    ];
    zone.nodes.insert(origin.to_owned(), apex.to_vec());
    zone.nodes.insert(
        format!("ns.{origin}"),
        vec!["A 192.0.2.1".to_owned(), "AAAA 2001:db8::1".to_owned()],
    );
    for _ in 0..120 {
        let depth = random.weighted(&[(50, 1), (30, 2), (20, 3)]);
        let labels: Vec<_> = (0..depth).map(|_| random.pick(&LABELS)).collect();
        let owner = format!("{}.{origin}", labels.join("."));
        add(&mut zone, owner, random);
    }
    let many = (1..=60).map(|n| format!("A 198.51.100.{n}")).collect();
    zone.nodes.insert(format!("many.{origin}"), many);
    let text = "x".repeat(250);
    zone.nodes.insert(
        format!("big.{origin}"),
        (0..9).map(|n| format!("TXT \"{n}{text}\"")).collect(),
    );
    zone
}

fn add(zone: &mut Zone, owner: String, random: &mut Random) {
    let same = |other: &String| other.eq_ignore_ascii_case(&owner);
    let below_cut = zone.cuts.iter().chain(&zone.dnames).any(|cut| {
        owner
            .to_ascii_lowercase()
            .ends_with(&format!(".{}", cut.to_ascii_lowercase()))
    });
    // No wildcard owns a delegation or is in the middle of a name: their meaning is disputed.
    let starred = owner.trim_start_matches("*.").contains('*');
    if zone.nodes.keys().any(same) || below_cut || starred {
        return;
    }
    let host = host(zone, random);
    let suffix = format!(".{}", owner.to_ascii_lowercase());
    let bare = !zone
        .nodes
        .keys()
        .any(|other| other.to_ascii_lowercase().ends_with(&suffix));
    match random.weighted(&[(60, "data"), (22, "alias"), (10, "cut"), (12, "dname")]) {
        "alias" => _ = zone.nodes.insert(owner, vec![format!("CNAME {host}")]),
        "cut" if !owner.starts_with('*') && bare => cut(zone, owner, random),
        // The meaning of a DNAME at a wildcard is disputed (RFC 6672 §3.3).
        "dname" if !owner.starts_with('*') && bare => {
            let target = match random.below(4) {
                0 => host,
                1 => random
                    .pick(&["one.test.", "two.example.", "child.one.test."])
                    .to_owned(),
                // A circle, or names that grow until they are too long.
                2 => format!("{}.{owner}", random.pick(&["a", "b"])),
                _ => format!("{}.{}", random.pick(&["a", "b", "deep"]), zone.origin),
            };
            let mut lines = vec![format!("DNAME {target}")];
            if random.chance(30) {
                lines.push("TXT \"beside\"".to_owned());
            }
            zone.nodes.insert(owner.clone(), lines);
            zone.dnames.push(owner);
        }
        _ => {
            let mut lines = Vec::new();
            for _ in 0..random.below(3) + 1 {
                let line = data(&host, random);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            zone.nodes.insert(owner, lines);
        }
    }
}

/// A delegation with one to nine name servers within it, some outside it in the same zone, and one in another zone.
fn cut(zone: &mut Zone, owner: String, random: &mut Random) {
    let mut servers = vec!["NS ns2.elsewhere.invalid.".to_owned()];
    for number in 0..random.pick(&[1, 1, 2, 3, 9]) {
        let host = match number {
            0 => format!("ns.{owner}"),
            number => format!("ns{number}.deep.{owner}"),
        };
        servers.push(format!("NS {host}"));
        let mut addresses = vec![format!("A 192.0.2.{}", 54 + number)];
        if random.chance(50) {
            addresses.push(format!("AAAA 2001:db8::{}", 54 + number));
        }
        zone.nodes.insert(host, addresses);
    }
    if random.chance(40) {
        servers.push(format!("NS ns.{}", zone.origin));
    }
    zone.nodes.insert(owner.clone(), servers);
    zone.cuts.push(owner);
}

/// A name as the target of a record: in this zone, in another zone, or nonexistent.
fn host(zone: &Zone, random: &mut Random) -> String {
    let label = random.pick(&LABELS).replace('*', "star");
    match random.below(10) {
        0 => format!("{label}.elsewhere.invalid."),
        1 => format!("{label}.two.example."),
        2 => format!(
            "{label}.{}.{}",
            random.pick(&["a", "b", "deep"]),
            zone.origin
        ),
        3 => format!("missing.{}", zone.origin),
        _ => format!("{label}.{}", zone.origin),
    }
}

fn data(host: &str, random: &mut Random) -> String {
    let octet = random.below(250) + 1;
    match random.below(10) {
        0 | 1 => format!("A 203.0.113.{octet}"),
        2 => format!("AAAA 2001:db8::{octet:x}"),
        3 => format!("MX {octet} {host}"),
        4 => format!("TXT \"v=spf1 ip4:192.0.2.{octet} -all\" \"second \\\"string\\\" \\; \\255\""),
        5 => format!("SRV 0 5 {octet} {host}"),
        6 => format!("PTR {host}"),
        7 => format!("CAA 0 issue \"ca{octet}.example\""),
        8 => format!("TYPE65280 \\# 3 abcd{octet:02x}"),
        _ => "HINFO \"a b\" c".to_owned(),
    }
}

/// Writes the zone files, and the scenario that loads them.
pub fn write(zones: &[Zone], directory: &Path) {
    let mut scenario = "title = \"authorities\"\n".to_owned();
    for zone in zones {
        let mut text = format!("$ORIGIN {}\n$TTL 300\n", zone.origin);
        let apex = zone.nodes.get_key_value(&zone.origin);
        for (owner, lines) in apex.into_iter().chain(
            zone.nodes
                .iter()
                .filter(|(owner, _)| **owner != zone.origin),
        ) {
            for line in lines {
                writeln!(text, "{owner} IN {line}").expect("a string takes text");
            }
        }
        let file = format!("{}zone", zone.origin);
        std::fs::write(directory.join(&file), text).expect("a zone file");
        writeln!(
            scenario,
            "[[zone]]\norigin = \"{}\"\nfile = \"{file}\"",
            zone.origin
        )
        .expect("a string takes text");
    }
    std::fs::write(directory.join("authorities.toml"), scenario).expect("a scenario file");
}
