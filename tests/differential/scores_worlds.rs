//! Random worlds for the scoring programs: names of dynamic ranges, and SPF.

use std::net::IpAddr;

use crate::helo;
use crate::random::Random;
use crate::reverse;
use crate::worlds::{self, World};

/// Words that rspamd or SpamAssassin treat as signs for or against a dynamic range, and some that neither uses.
const WORDS: &[&str] = &[
    "nat",
    "homeuser",
    "unused-addr",
    "pppoe",
    "dynamic",
    "catv",
    "comcast",
    "broadband",
    "fbx",
    "peer",
    "customer",
    "customers",
    "wifi",
    "kabel",
    "dynip",
    "broad",
    "dsl-line",
    "adsl-line",
    "ppp",
    "pool",
    "gprs",
    "brodband",
    "user",
    "in-addr",
    "inaddr",
    "host",
    "cdma",
    "dhcp",
    "client",
    "clients",
    "cable",
    "dial-up",
    "dialup",
    "bredband",
    "cablemodem",
    "pptp",
    "fibertel",
    "modem",
    "dyn",
    "adsl",
    "xdsl",
    "dsl",
    "dsl-dynamic",
    "node",
    "docsis",
    "cpe",
    "cm",
    "static",
    "fix",
    "dedicated",
    "smtp",
    "mail",
    "mail-mail",
    "res",
    "resnet",
    "business",
    "mx",
    "out",
    "www",
    "dip",
    "isdn",
    "wireless",
];

/// Names that SpamAssassin's rules match, each of one operator.
const OPERATORS: &[&str] = &[
    "h0002a5d76857.ne.client2.attbi.com",
    "CPE00e0184f0eba-CM014490118324.cpe.net.cable.rogers.com",
    "cmr-208-124-139-194.cr.net.cable.rogers.com",
    "ca-morpark-cuda1-zone7-b-159.vnnyca.adelphia.net",
    "pD9E4F89F.dip.t-dialin.net",
    "0x50a46949.virnxx11.adsl-dhcp.tele.dk",
    "118.Red-80-35-201.pooles.rima-tde.net",
    "YahooBB219173000034.bbtec.net",
    "ool-18be1aaf.dyn.optonline.net",
    "wiley-170-10231.roadrunner.nf.net",
    "pcp04024417pcs.toresd01.pa.comcast.net",
    "h234n2fls32o895.telia.com",
    "CM-vina5-168-207.cm.vtr.net",
    "ec9z5l.cm.chello.no",
    "g225174.upc-g.chello.nl",
    "MG001182.user.veloxzone.com.br",
    "public4-seve6-5-cust173.lond.broadband.ntl.com",
    "nwblwi-nrp3-l10-a671.nwblwi.tds.net",
    "12.cps.virtua.com.br",
    "sp1-c700-131.spacelan.ne.jp",
    "dsl.dynamic8510023760.ttnet.net.tr",
    "c221106.ppp.asahi-net.or.jp",
    "fia160-115-100.dsl.hccnet.nl",
    "66-220-155-151.mail-mail.facebook.com",
    "o167-89-97-77.outbound-mail.sendgrid.net",
    "smtp-0f95944d4245d0b2c.core1.sfdc-58ktaz.mta.salesforce.com",
    "50-203-126-142-static.hfc.comcastbusiness.net",
];

/// The receiver's name, which belongs to no single world.
const MX: &str = "mx.martinet.test";

/// A client, its names and what it sends.
pub fn random(number: usize, random: &mut Random) -> (World, Claims) {
    let mut world = World::bare(number, random);
    if random.chance(60) {
        let operator = random.chance(15);
        let name = if operator {
            random.pick(OPERATORS).to_owned()
        } else {
            dynamic(&world, random, "p")
        };
        let reverse = world.reverse();
        world.record(&reverse, &format!("PTR {name}."));
        let own = operator || random.chance(85);
        world.address(&name, own);
        world.ptr_names.push(name);
    } else {
        reverse::random(&mut world, random);
    }
    let helo = match random.below(5) {
        4 if random.chance(50) => random.pick(OPERATORS).to_owned(),
        0 => dynamic(&world, random, "h"),
        1 => special_helo(&world, random),
        _ => helo::random(&mut world, random, "h"),
    };
    spf(&mut world, random, &helo);
    let sender = worlds::sender(&mut world, random);
    if let Some((_, domain)) = sender.split_once('@').map(|(a, b)| (a, b.to_owned())) {
        spf(&mut world, random, &domain);
    }
    (world, Claims { helo, sender })
}

/// The names that the client sends.
pub struct Claims {
    /// In HELO or EHLO.
    pub helo: String,
    /// In MAIL; empty for the null sender.
    pub sender: String,
}

/// A name such as providers generate for a range.
fn dynamic(world: &World, random: &mut Random, label: &str) -> String {
    let [a, b, c, d] = numbers(world.client);
    let (word, other) = (random.pick(WORDS), random.pick(WORDS));
    let separator = random.pick(&["-", ".", "", "x", "-", "."]);
    let (small, large) = (random.below(10), 10 + random.below(5000));
    let host = match random.below(14) {
        0 => format!("{a}-{b}-{c}-{d}.{word}"),
        1 => format!("{d}.{c}.{b}.{a}.{word}"),
        2 => format!("{word}-{a}-{b}-{c}-{d}"),
        3 => format!("{word}{separator}{small}"),
        4 => format!("{word}{separator}{large}"),
        5 => format!("{small}{separator}{word}"),
        6 => format!("{label}{large}{separator}{word}"),
        7 => format!("{label}.{word}"),
        8 => format!("{label}.{word}.{other}"),
        9 => format!("{word}{small}-{large}.{other}"),
        10 => format!("0x{a:02x}{b:02x}{c:02x}{d:02x}.{word}"),
        11 => format!("{a:03}{b:03}{c:03}{d:03}.{word}"),
        12 => format!("{d}.{label}-{a}-{b}-{c}.{word}"),
        _ => format!("c-{a}x{b}x{c}x{d}.{word}-{other}"),
    };
    world.host(&host)
}

/// A HELO name of a private network, or one that is almost an address.
fn special_helo(world: &World, random: &mut Random) -> String {
    let [a, b, c, d] = numbers(world.client);
    let kinds = [
        "speedtouch.lan",
        "device.lan",
        "dsldevice.lan",
        "mail.local",
        "server.intra",
        "pc.home",
        "a.localdomain",
        "10.2.0.192.in-addr.arpa",
        "box.priv",
        "x.user",
        "veloxzon",
        "LAPTOP-7",
        "[10.0.0.1]",
        "[127.0.0.1]",
        "[8.8.8.8]",
        "8.8.8.8",
        "10.1.2.3",
        "192.168.1.1",
        "[IPv6:fe80::1]",
        "[IPv6:2001:db8::9]",
        "2001:db8::9",
        "fe80::1",
        "::1",
        "a00:1::2",
        "172.20.1.1",
        "100.64.3.4",
        "1.2.3.255",
        "169.254.3.3",
        "192.88.99.1",
        "0.0.0.0",
    ];
    match random.below(kinds.len() + 3) {
        0 => format!("{a}x{b}x{c}x{d}"),
        1 => format!("{a}-{b}-{c}-{d}"),
        2 => format!("{a}.{b}.{c}.{}", d.wrapping_add(1)),
        other => kinds[other - 3].to_owned(),
    }
}

fn numbers(client: IpAddr) -> [u8; 4] {
    match client {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let [.., low, high] = v6.octets();
            [81, 7, low, high]
        }
    }
}

/// An SPF record for a name, sometimes.
fn spf(world: &mut World, random: &mut Random, name: &str) {
    if !name.ends_with(".test") || name == MX || !is_host(name) {
        return;
    }
    let own = match world.client {
        IpAddr::V4(client) => format!("ip4:{client}"),
        IpAddr::V6(client) => format!("ip6:{client}"),
    };
    let text = match random.below(8) {
        0 => "v=spf1 -all".to_owned(),
        1 => "v=spf1 mx a -all".to_owned(),
        2 => "v=spf1 ~all".to_owned(),
        3 => format!("v=spf1 {own} -all"),
        4 => "v=spf1 exists:nothing.test include:nowhere.test -all".to_owned(),
        _ => return,
    };
    world.record(name, &format!("TXT \"{text}\""));
}

/// Whether zone text can have records of a name.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        (1..=63).contains(&label.len()) && !label.starts_with('-') && label.chars().all(legal)
    };
    name.len() <= 253 && name.split('.').all(label)
}
