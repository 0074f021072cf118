//! The client's PTR records, and the addresses of the PTR names.

use std::net::IpAddr;

use crate::random::Random;
use crate::worlds::{ELSEWHERE_4, ELSEWHERE_6, World};

/// Makes PTR records.
pub fn random(world: &mut World, random: &mut Random) {
    let owner = world.reverse();
    let names = match random.weighted(&[(7, 0), (3, 1), (4, 2), (60, 3), (14, 4), (6, 5), (6, 6)]) {
        0 => return, // NXDOMAIN
        1 => return world.record(&owner, "TXT x"),
        2 => {
            let action = world.failure();
            return world.fault(&owner, "", action);
        }
        3 | 6 => 1,
        names => names - 2,
    };
    // RFC 2317: the name of the record is an alias into a zone of the client's owner.
    let owner = if random.chance(12) {
        let target = world.host("7.0-25");
        world.record(&owner, &format!("CNAME {target}."));
        target
    } else {
        owner
    };
    for index in 1..=names {
        let name = ptr_name(world, random, index);
        world.record(&owner, &format!("PTR {name}."));
        forward(world, random, &name);
        world.ptr_names.push(name);
    }
}

fn ptr_name(world: &World, random: &mut Random, index: usize) -> String {
    match random.weighted(&[
        (80, ""),
        (4, "underscore"),
        (4, "address"),
        (3, "label"),
        (2, "hyphen"),
        (3, "capitals"),
    ]) {
        "underscore" => world.host(&format!("p_{index}")),
        "address" => match world.client {
            IpAddr::V4(client) => client.to_string(),
            IpAddr::V6(_) => format!("10.{index}.{}.{}", world.number / 256, world.number % 256),
        },
        "label" => format!("single{}-{index}", world.number),
        "hyphen" => world.host(&format!("p{index}-")),
        "capitals" => world.host(&format!("MAIL{index}")).replace("test", "TEST"),
        _ => world.host(&format!("p{index}")),
    }
}

/// The addresses of a PTR name.
fn forward(world: &mut World, random: &mut Random, name: &str) {
    let (own, other) = world.families();
    let mostly = [
        (50, "match"),
        (10, "mismatch"),
        (5, "nxdomain"),
        (4, "nodata"),
        (5, "fails"),
        (4, "other family"),
    ];
    let seldom = [
        (6, "several"),
        (5, "alias"),
        (3, "other fails"),
        (3, "own fails"),
        (3, "both families"),
    ];
    let elsewhere = if other == "A" {
        ELSEWHERE_4
    } else {
        ELSEWHERE_6
    };
    match random.weighted(&[&mostly[..], &seldom[..]].concat()) {
        "match" => world.address(name, true),
        "mismatch" => world.address(name, false),
        "nodata" => world.record(name, "TXT x"),
        "fails" => {
            let action = world.failure();
            world.fault(name, "", action);
        }
        "other family" => world.record(name, &format!("{other} {elsewhere}")),
        "several" => {
            world.address(name, false);
            world.address(name, true);
        }
        "alias" => {
            let target = format!("alias-of-{name}");
            world.record(name, &format!("CNAME {target}."));
            world.address(&target, true);
        }
        "other fails" => {
            world.address(name, true);
            world.fault(name, other, "servfail");
        }
        "own fails" => {
            world.record(name, &format!("{other} {elsewhere}"));
            let action = world.failure();
            world.fault(name, own, action);
        }
        "both families" => {
            world.address(name, true);
            world.record(name, &format!("{other} {elsewhere}"));
        }
        _ => {}
    }
}
