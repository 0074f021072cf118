//! HELO and EHLO arguments of every kind, and their DNS data.

use std::net::IpAddr;

use crate::random::Random;
use crate::worlds::{ELSEWHERE_4, ELSEWHERE_6, World};

/// The kinds of argument, and how often each occurs.
const KINDS: &[(usize, &str)] = &[
    (20, "ptr name"),
    (4, "second ptr name"),
    (3, "capitals"),
    (10, "own"),
    (8, "elsewhere"),
    (4, "nxdomain"),
    (4, "nodata"),
    (4, "fails"),
    (3, "a fails"),
    (3, "mx fails"),
    (3, "mx"),
    (2, "null mx"),
    (3, "alias"),
    (2, "dangling alias"),
    (4, "own literal"),
    (3, "other literal"),
    (5, "malformed literal"),
    (4, "bare address"),
    (3, "other bare address"),
    (3, "single label"),
    (2, "localhost"),
    (3, "trailing dot"),
    (3, "underscore"),
    (3, "odd hyphen"),
    (3, "empty label"),
    (3, "numeric"),
    (2, "long label"),
    (2, "long name"),
    (3, "receiver"),
    (3, "illegal"),
];

/// Makes an argument; `label` keeps the names of two HELOs distinct.
pub fn random(world: &mut World, random: &mut Random, label: &str) -> String {
    let kind = random.weighted(KINDS);
    resolving(world, kind, label).unwrap_or_else(|| textual(world, random, kind, label))
}

/// HELO names that differ in their DNS data.
fn resolving(world: &mut World, kind: &str, label: &str) -> Option<String> {
    let name = world.host(label);
    let (own, _) = world.families();
    match kind {
        "ptr name" => return world.ptr_names.first().cloned().or(Some(name)),
        "second ptr name" => return world.ptr_names.get(1).cloned().or(Some(name)),
        "capitals" => {
            return world
                .ptr_names
                .last()
                .map(|n| n.to_uppercase())
                .or(Some(name));
        }
        "own" => world.address(&name, true),
        "elsewhere" => world.address(&name, false),
        "nxdomain" => {}
        "nodata" => world.record(&name, "TXT x"),
        "fails" => {
            let action = world.failure();
            world.fault(&name, "", action);
        }
        "a fails" => {
            world.record(&name, &format!("MX 10 {name}."));
            world.fault(&name, own, "servfail");
        }
        "mx fails" => world.fault(&name, "MX", "servfail"),
        "mx" => world.record(&name, "MX 10 mx.contoso.test."),
        "null mx" => world.record(&name, "MX 0 ."),
        "alias" => {
            let target = world.host(&format!("{label}-target"));
            world.record(&name, &format!("CNAME {target}."));
            world.address(&target, true);
        }
        "dangling alias" => {
            let target = world.host(&format!("{label}-nothing"));
            world.record(&name, &format!("CNAME {target}."));
        }
        _ => return None,
    }
    Some(name)
}

/// HELO arguments that differ in their form.
fn textual(world: &mut World, random: &mut Random, kind: &str, label: &str) -> String {
    let client = world.client;
    match kind {
        "own literal" => literal(client),
        "other literal" => random
            .pick(&["[198.51.100.7]", "[IPv6:2001:db8::7]", "[198.51.100.25]"])
            .to_owned(),
        "malformed literal" => malformed(random, client),
        "bare address" => client.to_string(),
        "other bare address" => random
            .pick(&[ELSEWHERE_4, ELSEWHERE_6, "::ffff:198.51.100.7"])
            .to_owned(),
        "single label" => random.pick(&["mail", "WIN-SERVER", "x1"]).to_owned(),
        "localhost" => random
            .pick(&["localhost", "localhost.", "localhost.localdomain"])
            .to_owned(),
        "trailing dot" => {
            let name = world.host(label);
            world.address(&name, true);
            format!("{name}{}", random.pick(&[".", ".", ".."]))
        }
        "underscore" => {
            let name = world.host(&format!("{label}_1"));
            world.address(&name, true);
            name
        }
        "odd hyphen" => {
            let odd = random.pick(&["-a", "a-", "a--b", "-"]);
            let name = world.host(&format!("{label}.{odd}"));
            if !odd.starts_with('-') {
                world.address(&name, true); // zones hold no label that begins with a hyphen
            }
            name
        }
        "empty label" => random.pick(&["a..test", ".a.test", ".", ".."]).to_owned(),
        "numeric" => random
            .pick(&[
                "1.2.3",
                "123",
                "1.2.3.4.5",
                "256.1.1.1",
                "1.2.3.test",
                "0x7f.1",
            ])
            .to_owned(),
        "long label" => format!("{}.test", "l".repeat(random.pick(&[63, 64]))),
        "long name" => vec!["long"; random.pick(&[50, 51, 60])].join("."),
        "receiver" => "mx.martinet.test".to_owned(),
        _ => random
            .pick(&[
                "a!b.test", "a b", "a@b.test", "<a.test>", "a/b.test", "a*b.test", "a,b.test",
            ])
            .to_owned(),
    }
}

fn literal(address: IpAddr) -> String {
    if address.is_ipv4() {
        format!("[{address}]")
    } else {
        format!("[IPv6:{address}]")
    }
}

fn malformed(random: &mut Random, client: IpAddr) -> String {
    match random.below(8) {
        0 => format!("[{client}"),
        1 => "[198.51.100.300]".to_owned(),
        2 => "[]".to_owned(),
        3 => format!(
            "[{}]",
            random.pick(&[
                "2001:db8::7",
                "IPv6:198.51.100.7",
                "IPv4:198.51.100.7",
                "IPv6:zz"
            ])
        ),
        4 => "[198.51.100]".to_owned(),
        5 => "[mail.test]".to_owned(),
        6 if client.is_ipv6() => format!("[{client}]"),
        _ => format!("{client}]"),
    }
}
