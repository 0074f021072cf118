//! Random questions about random zones.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RecordType};

use crate::random::Random;
use crate::zones::Zone;

/// One question.
pub struct Question {
    /// The message.
    pub octets: Vec<u8>,
    /// The name of the question.
    pub name: String,
    /// The type of the question.
    pub record_type: RecordType,
    /// Whether it is sent over TCP.
    pub tcp: bool,
    /// Maximum size of the answer over UDP, in octets.
    pub size: usize,
    /// The version of EDNS, if the query has EDNS.
    pub version: Option<u8>,
}

const TYPES: [RecordType; 18] = [
    RecordType::A,
    RecordType::A,
    RecordType::AAAA,
    RecordType::MX,
    RecordType::TXT,
    RecordType::NS,
    RecordType::SOA,
    RecordType::CNAME,
    RecordType::PTR,
    RecordType::SRV,
    RecordType::CAA,
    RecordType::DS,
    RecordType::HINFO,
    RecordType::NAPTR,
    RecordType::Unknown(65280),
    RecordType::Unknown(39), // DNAME
    RecordType::CNAME,
    RecordType::ANY,
];

/// Makes a question.
pub fn random(zones: &[Zone], random: &mut Random) -> Question {
    let (name, record_type) = (name(zones, random), random.pick(&TYPES));
    let mut message = Message::new(
        random.below(65536) as u16,
        MessageType::Query,
        OpCode::Query,
    );
    message.metadata.recursion_desired = random.chance(50);
    message.metadata.checking_disabled = random.chance(5);
    message.metadata.authentic_data = random.chance(5);
    message.add_query(Query::query(
        Name::from_ascii(&name).expect("a name"),
        record_type,
    ));
    let (mut size, mut version) = (512, None);
    if random.chance(60) {
        let mut edns = Edns::new();
        let offered = random.pick(&[0, 512, 600, 1232, 1232, 4096]);
        let edns_version = u8::from(random.chance(2));
        edns.set_max_payload(offered)
            .set_version(edns_version)
            .set_dnssec_ok(random.chance(20));
        if random.chance(10) {
            let code = random.pick(&[65_001, 18, 26_946]);
            edns.options_mut()
                .insert(EdnsOption::Unknown(code, vec![7; random.below(20)]));
        }
        (size, version) = (usize::from(offered.clamp(512, 1232)), Some(edns_version));
        message.edns = Some(edns);
    }
    let octets = message.to_vec().expect("a message");
    Question {
        octets,
        name,
        record_type,
        tcp: random.chance(15),
        size,
        version,
    }
}

fn name(zones: &[Zone], random: &mut Random) -> String {
    let zone = &zones[random.below(zones.len())];
    let owners: Vec<_> = zone.nodes.keys().collect();
    let owner = owners[random.below(owners.len())].clone();
    let base = match random.weighted(&[
        (46, "it"),
        (4, "large"),
        (15, "below"),
        (10, "above"),
        (10, "beside"),
        (10, "cut"),
        (14, "dname"),
        (3, "out"),
    ]) {
        "below" => format!("{}.{owner}", random.pick(&["x", "x.y", "mail", "*"])),
        "above" if owner != zone.origin => owner
            .split_once('.')
            .map_or(owner.clone(), |(_, above)| above.to_owned()),
        "large" => format!("{}.{}", random.pick(&["many", "big"]), zone.origin),
        "beside" => format!(
            "{}.{}",
            random.pick(&["nobody", "missing", "zz", "*", "child"]),
            zone.origin
        ),
        "cut" if !zone.cuts.is_empty() => {
            let cut = random.below(zone.cuts.len());
            format!(
                "{}{}",
                random.pick(&["", "www.", "ns.", "a.b."]),
                zone.cuts[cut]
            )
        }
        "dname" if !zone.dnames.is_empty() => {
            let dname = random.below(zone.dnames.len());
            let below = [
                "",
                "x.",
                "a.",
                "mail.",
                "www.a.",
                "deep.b.",
                "*.",
                "child.",
                "_tcp.x-1.",
            ];
            format!("{}{}", random.pick(&below), zone.dnames[dname])
        }
        "out" => random
            .pick(&["www.unknown.invalid.", "test.", ".", "notone.test."])
            .to_owned(),
        _ => owner,
    };
    let flip = random.chance(25);
    base.chars()
        .map(|c| {
            if flip && random.chance(40) {
                swapped(c)
            } else {
                c
            }
        })
        .collect()
}

fn swapped(c: char) -> char {
    if c.is_ascii_lowercase() {
        c.to_ascii_uppercase()
    } else {
        c.to_ascii_lowercase()
    }
}
