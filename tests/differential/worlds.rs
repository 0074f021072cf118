//! Random worlds: a client, its DNS data, and what it sends. Equal seeds give equal worlds.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use martinet::name;

use crate::commands;
use crate::helo;
use crate::random::Random;
use crate::reverse;

/// An IPv4 address that is not the client of any world.
pub const ELSEWHERE_4: &str = "198.51.100.7";
/// The name of the client whose names all agree.
pub const SOUND: &str = "sound.test";
/// The same for IPv6.
pub const ELSEWHERE_6: &str = "2001:db8::7";
/// In this percentage of worlds, the first failing name times out instead, which costs real seconds. About one world in
/// four has a failing name.
const TIMEOUT_PERCENT: usize = 25;

/// Worlds of a round: the documentation ranges have 500 addresses, for three in five worlds.
pub const ROUND: usize = 800;

/// One client and its DNS. All worlds of a round share one set of zones: their names and addresses differ.
pub struct World {
    /// Its number.
    pub number: usize,
    /// The client's address.
    pub client: IpAddr,
    /// Its records, one a line, names absolute.
    pub records: String,
    /// Its faults, in the syntax of scenario files.
    pub faults: String,
    /// The PTR names, in order.
    pub ptr_names: Vec<String>,
    /// What the client sends.
    pub commands: Vec<String>,
    /// Whether a question may still be made to time out.
    pub slow: bool,
}

impl World {
    /// Makes the world with a number.
    pub fn random(number: usize, random: &mut Random) -> Self {
        let mut world = Self::bare(number, random);
        reverse::random(&mut world, random);
        world.commands = session(&mut world, random);
        world
    }

    /// A client without records and without commands.
    pub fn bare(number: usize, random: &mut Random) -> Self {
        // Three in five are IPv4: the documentation ranges have 500 addresses.
        let client = if number % 5 < 3 {
            client_4(number % ROUND)
        } else {
            client_6(number % ROUND)
        };
        let slow = random.chance(TIMEOUT_PERCENT);
        Self {
            number,
            client,
            records: String::new(),
            faults: String::new(),
            ptr_names: Vec::new(),
            commands: Vec::new(),
            slow,
        }
    }

    /// A client whose names all agree, with the commands of a script.
    pub fn sound(number: usize, commands: Vec<String>) -> Self {
        let mut world = Self {
            number,
            client: Ipv4Addr::new(203, 0, 113, 251).into(),
            records: String::new(),
            faults: String::new(),
            ptr_names: vec![SOUND.to_owned()],
            commands,
            slow: false,
        };
        if number == 0 {
            let reverse = world.reverse();
            world.record(&reverse, &format!("PTR {SOUND}."));
            world.address(SOUND, true);
            world.record("from.test", "MX 10 mx.contoso.test.");
        }
        world
    }

    /// A name within the world's own domain.
    pub fn host(&self, label: &str) -> String {
        format!("{label}.w{}.test", self.number)
    }

    /// Adds a record; `name` has no final dot.
    pub fn record(&mut self, name: &str, data: &str) {
        // A name may occur twice in a world; a CNAME must be the only record of its name.
        let owner = format!("{name}. ");
        let mut present = self
            .records
            .lines()
            .filter_map(|line| line.strip_prefix(&owner));
        if present.any(|other| [other, data].iter().any(|text| text.starts_with("CNAME "))) {
            return;
        }
        writeln!(self.records, "{name}. {data}").expect("a string takes text");
    }

    /// Adds the address record of the client, or of another address in the client's family.
    pub fn address(&mut self, name: &str, own: bool) {
        let data = match (self.client, own) {
            (IpAddr::V4(client), true) => format!("A {client}"),
            (IpAddr::V4(_), false) => format!("A {ELSEWHERE_4}"),
            (IpAddr::V6(client), true) => format!("AAAA {client}"),
            (IpAddr::V6(_), false) => format!("AAAA {ELSEWHERE_6}"),
        };
        self.record(name, &data);
    }

    /// Makes the server answer questions for a name differently; every type if `kind` is empty.
    pub fn fault(&mut self, name: &str, kind: &str, action: &str) {
        let kind = if kind.is_empty() {
            String::new()
        } else {
            format!("type = \"{kind}\"\n")
        };
        write!(
            self.faults,
            "[[fault]]\nname = \"{name}.\"\n{kind}do = \"{action}\"\n"
        )
        .expect("a string takes text");
    }

    /// The record types of the client's family and of the other one.
    pub fn families(&self) -> (&'static str, &'static str) {
        if self.client.is_ipv4() {
            ("A", "AAAA")
        } else {
            ("AAAA", "A")
        }
    }

    /// SERVFAIL, or a timeout if this world has one.
    pub fn failure(&mut self) -> &'static str {
        if std::mem::take(&mut self.slow) {
            "drop"
        } else {
            "servfail"
        }
    }

    /// The name of the client's PTR record, without a final dot.
    pub fn reverse(&self) -> String {
        name::display(&name::reverse(self.client))
    }
}

fn client_4(number: usize) -> IpAddr {
    let place = number / 5 * 3 + number % 5;
    let host = u8::try_from(place % 250 + 1).expect("an octet");
    match place / 250 {
        0 => Ipv4Addr::new(203, 0, 113, host).into(),
        1 => Ipv4Addr::new(192, 0, 2, host).into(),
        _ => unreachable!("a round has no more worlds than addresses"),
    }
}

fn client_6(number: usize) -> IpAddr {
    Ipv6Addr::new(
        0x2001,
        0xdb8,
        1,
        0,
        0,
        0,
        0,
        u16::try_from(number + 1).expect("a group"),
    )
    .into()
}

/// The commands of the client, with QUIT at the end.
fn session(world: &mut World, random: &mut Random) -> Vec<String> {
    let helo = helo::random(world, random, "h");
    let verb = if random.chance(12) { "HELO" } else { "EHLO" };
    let mail = format!("MAIL FROM:<{}>", sender(world, random));
    let rcpt = "RCPT TO:<postmaster@contoso.test>".to_owned();
    let first = [format!("{verb} {helo}"), mail.clone(), rcpt.clone()];
    let mut commands = first.to_vec();
    match random.weighted(&[
        (60, ""),
        (15, "helo"),
        (7, "none"),
        (7, "rcpt"),
        (6, "rset"),
        (5, "early"),
    ]) {
        "helo" => {
            let second = helo::random(world, random, "i");
            commands.extend([format!("EHLO {second}"), mail, rcpt]);
        }
        "none" => _ = commands.remove(0),
        "rcpt" => commands.push(rcpt),
        "rset" => commands.extend(["RSET".to_owned(), mail, rcpt]),
        "early" => commands = [&[rcpt, "NOOP".to_owned()], &first[..]].concat(),
        _ => {}
    }
    commands::insert_mistakes(&mut commands, random);
    commands.push("QUIT".to_owned());
    commands
}

/// A sender address, and the DNS data of its domain.
pub fn sender(world: &mut World, random: &mut Random) -> String {
    let domain = world.host("from");
    let kinds = [
        (20, "mx"),
        (8, "a"),
        (3, "aaaa"),
        (4, "nxdomain"),
        (4, "nodata"),
        (4, "fails"),
        (3, "mx fails"),
    ];
    let more = [(4, "null mx"), (6, "null"), (3, "cname"), (2, "a fails")];
    match random.weighted(&[&kinds[..], &more[..]].concat()) {
        "mx" => world.record(&domain, "MX 10 mx.contoso.test."),
        "a" => world.record(&domain, &format!("A {ELSEWHERE_4}")),
        "aaaa" => world.record(&domain, &format!("AAAA {ELSEWHERE_6}")),
        "nodata" => world.record(&domain, "TXT x"),
        "null mx" => world.record(&domain, "MX 0 ."),
        "null" => return String::new(),
        "fails" => {
            let action = world.failure();
            world.fault(&domain, "", action);
        }
        "mx fails" => {
            world.record(&domain, &format!("A {ELSEWHERE_4}"));
            world.fault(&domain, "MX", "servfail");
        }
        "a fails" => {
            world.record(&domain, &format!("AAAA {ELSEWHERE_6}"));
            world.fault(&domain, "A", "servfail");
        }
        "cname" => {
            let target = world.host("target");
            world.record(&domain, &format!("CNAME {target}."));
            world.record(&target, &format!("A {ELSEWHERE_4}"));
        }
        _ => {}
    }
    format!("a@{domain}")
}
