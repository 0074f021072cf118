//! Record data: one table with the fields of each type, which parsing, printing, validation and name compression use.

mod location;
mod presentation;
mod print;
mod read;
mod reader;
mod service;
mod structured;

pub(super) use print::text;
pub(super) use read::{expected, read, read_unknown, ttl};

use crate::name::RecordType;

/// One field of record data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Four octets, an IPv4 address.
    Ip4,
    /// Sixteen octets, an IPv6 address.
    Ip6,
    /// A domain name.
    Name,
    /// A number of one octet.
    Byte,
    /// The number of a DNSSEC algorithm, or its mnemonic.
    Algorithm,
    /// A number of two octets.
    Short,
    /// A certificate type, or its mnemonic (RFC 4398 §2.1).
    CertType,
    /// A number of four octets.
    Long,
    /// A time of four octets in seconds, with optional units.
    Period,
    /// A date of four octets, as YYYYMMDDHHmmSS or in seconds (RFC 4034 §3.2).
    Moment,
    /// The number of a record type.
    Type,
    /// A string with a length octet.
    Text,
    /// Strings to the end of the data, at least one.
    Texts,
    /// One string to the end of the data, without a length.
    Rest,
    /// Octets to the end of the data, in hexadecimal.
    Hex,
    /// Octets to the end of the data, in base 64.
    Base64,
    /// Octets with a length octet, in hexadecimal; `-` for none (RFC 5155 §3.3).
    Salt,
    /// Octets with a length octet, in base 32 hex (RFC 5155 §3.3).
    Hash,
    /// Record types to the end of the data, as a bitmap (RFC 4034 §4.1.2).
    Types,
    /// Six or eight octets, as hexadecimal pairs with hyphens (RFC 7043).
    Eui(usize),
    /// Sixty-four bits as four groups (RFC 6742 §2.1.2).
    Locator,
    /// Service parameters to the end of the data (RFC 9460 §2.1).
    Parameters,
    /// A place on Earth (RFC 1876).
    Location,
    /// Address prefixes to the end of the data (RFC 3123).
    Prefixes,
    /// An NSAP address to the end of the data (RFC 1706).
    Nsap,
    /// A protocol, and its ports to the end of the data as a bitmap (RFC 1035 §3.4.2).
    Services,
    /// The type of a gateway, an algorithm, and the gateway (RFC 4025 §2).
    Gateway,
    /// A discovery bit with the type of a relay, and the relay (RFC 8777 §4.2).
    Relay,
    /// A host identity tag, an algorithm, and a public key (RFC 8005 §5).
    Identity,
    /// Domain names to the end of the data, possibly none.
    Names,
}

/// The fields of a type; `None` for types whose data is opaque.
fn layout(kind: u16) -> Option<&'static [Field]> {
    use Field::*;
    Some(match kind {
        1 => &[Ip4],
        2 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 23 | 39 => &[Name], // NS MD MF CNAME MB MG MR PTR NSAP-PTR DNAME
        6 => &[Name, Name, Long, Period, Period, Period, Period],
        11 => &[Ip4, Services],                     // WKS
        13 => &[Text, Text],                        // HINFO
        14 | 17 | 58 => &[Name, Name],              // MINFO RP TALINK
        15 | 18 | 21 | 36 | 107 => &[Short, Name],  // MX AFSDB RT KX LP
        16 | 56 | 99 | 258 | 261 | 262 => &[Texts], // TXT NINFO SPF AVC RESINFO WALLET
        19 => &[Text],                              // X25
        20 => &[Texts],                             // ISDN
        22 => &[Nsap],
        26 => &[Short, Name, Name], // PX
        27 => &[Text, Text, Text],  // GPOS
        28 => &[Ip6],
        29 => &[Location],                                         // LOC
        33 => &[Short, Short, Short, Name],                        // SRV
        35 => &[Short, Short, Text, Text, Text, Name],             // NAPTR
        37 => &[CertType, Short, Algorithm, Base64],               // CERT
        42 => &[Prefixes],                                         // APL
        43 | 59 | 32768 | 32769 => &[Short, Algorithm, Byte, Hex], // DS CDS TA DLV
        44 => &[Byte, Byte, Hex],                                  // SSHFP
        45 => &[Byte, Gateway, Base64],                            // IPSECKEY
        24 | 46 => &[
            Type, Algorithm, Byte, Long, Moment, Moment, Short, Name, Base64,
        ], // SIG RRSIG
        47 => &[Name, Types],                                      // NSEC
        25 | 48 | 57 | 60 => &[Short, Byte, Algorithm, Base64],    // KEY DNSKEY RKEY CDNSKEY
        49 | 61 => &[Base64],                                      // DHCID OPENPGPKEY
        50 => &[Byte, Byte, Short, Salt, Hash, Types],             // NSEC3
        51 => &[Byte, Byte, Short, Salt],                          // NSEC3PARAM
        52 | 53 => &[Byte, Byte, Byte, Hex],                       // TLSA SMIMEA
        55 => &[Identity, Names],                                  // HIP
        62 => &[Long, Short, Types],                               // CSYNC
        63 => &[Long, Byte, Byte, Hex],                            // ZONEMD
        64 | 65 => &[Short, Name, Parameters],                     // SVCB HTTPS
        66 => &[Type, Byte, Short, Name],                          // DSYNC
        104 | 106 => &[Short, Locator],                            // NID L64
        105 => &[Short, Ip4],                                      // L32
        108 => &[Eui(6)],
        109 => &[Eui(8)],
        256 => &[Short, Short, Rest], // URI
        257 => &[Byte, Text, Rest],   // CAA
        260 => &[Byte, Relay],        // AMTRELAY
        _ => return None,
    })
}

/// Whether names in the data of a type can be compressed: only those of RFC 1035 (RFC 3597 §4).
pub(super) fn compressible(kind: u16) -> bool {
    matches!(kind, 2..=9 | 12 | 14 | 15)
}

/// The name in the data that a client looks up next: in NS, MX, SRV, CNAME and similar records.
pub(super) fn target(kind: u16, data: &[u8]) -> Option<&[u8]> {
    let at = layout(kind)?
        .iter()
        .take_while(|f| **f != Field::Name)
        .try_fold(0, |at, field| match field {
            Field::Short => Some(at + 2),
            _ => None,
        })?;
    layout(kind)?
        .contains(&Field::Name)
        .then(|| data.get(at..))
        .flatten()
        .and_then(name_at)
}

/// The name at the beginning of octets, without pointers, as in zones.
fn name_at(octets: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let length = usize::from(*octets.get(end)?);
        end += 1 + length;
        if length == 0 {
            return octets
                .get(..end)
                .filter(|n| n.len() <= super::label::WIRE_OCTETS);
        }
        if length > crate::name::LABEL_OCTETS {
            return None;
        }
    }
}

/// The parts of the data in order, each with whether it is a name.
pub(super) fn names(kind: u16, data: &[u8]) -> Vec<(bool, &[u8])> {
    let mut parts = Vec::new();
    let mut rest = data;
    for field in layout(kind).unwrap_or_default() {
        let length = match field {
            Field::Name => name_at(rest).map(<[u8]>::len),
            Field::Short => Some(2),
            Field::Text => rest.first().map(|l| 1 + usize::from(*l)),
            _ => None,
        };
        // Everything after the last name is one part.
        let Some((part, after)) = length.and_then(|length| rest.split_at_checked(length)) else {
            break;
        };
        parts.push((*field == Field::Name, part));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push((false, rest));
    }
    parts
}

/// The mnemonic of a type, or TYPE1234 (RFC 3597 §5).
pub(super) fn type_text(kind: u16) -> String {
    match RecordType::from(kind) {
        RecordType::Unknown(_) => {
            further_type(kind).map_or_else(|| format!("TYPE{kind}"), str::to_owned)
        }
        known => known.to_string(),
    }
}

/// Types without a name in hickory-proto.
const FURTHER: &[(u16, &str)] = &[
    (3, "MD"),
    (4, "MF"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (11, "WKS"),
    (14, "MINFO"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAP-PTR"),
    (24, "SIG"),
    (26, "PX"),
    (27, "GPOS"),
    (29, "LOC"),
    (36, "KX"),
    (39, "DNAME"),
    (42, "APL"),
    (45, "IPSECKEY"),
    (49, "DHCID"),
    (55, "HIP"),
    (56, "NINFO"),
    (57, "RKEY"),
    (58, "TALINK"),
    (63, "ZONEMD"),
    (66, "DSYNC"),
    (99, "SPF"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (256, "URI"),
    (258, "AVC"),
    (260, "AMTRELAY"),
    (261, "RESINFO"),
    (262, "WALLET"),
    (32768, "TA"),
    (32769, "DLV"),
];

fn further_type(kind: u16) -> Option<&'static str> {
    FURTHER
        .iter()
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name)
}

/// The type with this mnemonic or TYPE1234, in any case (RFC 3597 §5); `None` for types that only questions have.
pub(super) fn record_type(word: &str) -> Option<u16> {
    // The most frequent types, without a copy of the word.
    const FREQUENT: [(&str, u16); 5] =
        [("A", 1), ("PTR", 12), ("AAAA", 28), ("MX", 15), ("TXT", 16)];
    if let Some((_, kind)) = FREQUENT
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
    {
        return Some(*kind);
    }
    let word = word.to_ascii_uppercase();
    let further = FURTHER
        .iter()
        .find(|(_, name)| *name == word)
        .map(|(number, _)| *number);
    let kind = match (further, word.strip_prefix("TYPE")) {
        (Some(kind), _) => kind,
        (None, Some(number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            number.parse().ok()?
        }
        (None, _) => word
            .parse::<RecordType>()
            .ok()
            .filter(|t| !matches!(t, RecordType::Unknown(_)))?
            .into(),
    };
    // 0 is reserved, 41 is OPT, 128 to 255 are meta types and question types (RFC 6895 §3.1); ANAME (65305) has no RFC.
    (!matches!(kind, 0 | 41 | 128..=255)).then_some(kind)
}

/// The mnemonics of DNSSEC algorithms (RFC 8624 §3.1), as in zone files.
const ALGORITHMS: &[(u16, &str)] = &[
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

/// The mnemonics of certificate types (RFC 4398 §2.1).
const CERTIFICATES: &[(u16, &str)] = &[
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];
