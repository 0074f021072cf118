//! The HELO name: the claim of the client in HELO or EHLO (RFC 5321 §4.1.1.1), and the DNS lookups about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RData;
use serde::Serialize;

use super::hostname::{hostname_mistake, mistake_within};
use super::{Iprev, Lookup, LookupRecord, Observations, Outcome};
use crate::name::{self, NAME_OCTETS, Name, RecordType};

/// The verb of a HELO command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// RFC 821 style.
    Helo,
    /// With extensions.
    Ehlo,
    /// LMTP (RFC 2033).
    Lhlo,
}

impl Verb {
    /// Every verb.
    pub(crate) const ALL: [Self; 3] = [Self::Helo, Self::Ehlo, Self::Lhlo];

    /// The verb as written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Helo => "HELO",
            Self::Ehlo => "EHLO",
            Self::Lhlo => "LHLO",
        }
    }
}

/// The kind of a HELO argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeloKind {
    /// A domain name.
    Name,
    /// An address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
    Literal,
    /// An address without brackets, which is neither a literal nor a name.
    BareIp,
    /// Anything else.
    Invalid,
}

/// The HELO argument and the facts about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Helo {
    /// HELO, EHLO or LHLO.
    pub(crate) verb: Verb,
    /// The argument as sent.
    pub(crate) argument: String,
    /// The kind.
    pub(crate) kind: HeloKind,
    /// The address of a literal or bare address; IPv4-mapped addresses as IPv4.
    pub(crate) address: Option<IpAddr>,
    /// The reason why it is invalid; empty if it is valid.
    pub(crate) mistake: String,
    /// The addresses of the name.
    pub(crate) addresses: Vec<IpAddr>,
    /// The outcome of the address lookup; `None` if no rule needs it.
    pub(crate) addresses_outcome: Option<Outcome>,
    /// The outcome of the MX lookup; `None` if no rule needs it.
    pub(crate) mx_outcome: Option<Outcome>,
    /// The MX hosts with their addresses; empty if no rule needs them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mx_hosts: Vec<MxHost>,
    #[serde(skip)]
    name: Option<Name>,
}

/// The observations of a HELO name that a check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct HeloObservations {
    /// Look up its addresses.
    pub(crate) addresses: bool,
    /// Look up its MX records.
    pub(crate) mx: bool,
    /// Look up the addresses of its MX hosts, with `mx`.
    pub(crate) mx_addresses: bool,
}

impl HeloObservations {
    /// Only the addresses of the name.
    pub(crate) const ADDRESSES: Self = Self {
        addresses: true,
        mx: false,
        mx_addresses: false,
    };

    pub(super) fn add(&mut self, other: Self) {
        self.addresses |= other.addresses;
        self.mx |= other.mx;
        self.mx_addresses |= other.mx_addresses;
    }
}

/// A host of an MX record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MxHost {
    /// The host.
    #[serde(serialize_with = "name::as_text")]
    pub name: Name,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The outcome of the address lookup; data in either family counts as data.
    pub outcome: Outcome,
}

/// Maximum number of MX hosts that are looked up (RFC 7208 §4.6.4 has this number for SPF).
const MX_HOSTS: usize = 10;

impl Helo {
    /// Parses an argument. An argument that cannot be parsed has the kind `invalid`.
    pub fn parse(verb: Verb, argument: &str) -> Self {
        let mut helo = Self {
            verb,
            argument: argument.to_owned(),
            kind: HeloKind::Invalid,
            address: None,
            mistake: String::new(),
            addresses: Vec::new(),
            addresses_outcome: None,
            mx_outcome: None,
            mx_hosts: Vec::new(),
            name: None,
        };
        if argument.starts_with('[') {
            match address_literal(argument) {
                Some(address) => {
                    (helo.kind, helo.address) = (HeloKind::Literal, Some(name::normalise(address)))
                }
                None => helo.mistake = "not an address literal (RFC 5321 §4.1.3)".into(),
            }
        } else if let Ok(address) = argument.parse::<IpAddr>() {
            (helo.kind, helo.address) = (HeloKind::BareIp, Some(name::normalise(address)));
        } else if let Some(mistake) = hostname_mistake(argument, true) {
            helo.mistake = mistake;
        } else {
            (helo.kind, helo.name) = (HeloKind::Name, name::absolute(argument));
        }
        helo
    }

    /// Whether the only flaw of a name is its length of 254 or 255 octets. Postfix compares its length in text with the
    /// limit of 255 octets on the wire, where a name has two more, and accepts it.
    pub(crate) fn is_overlong_name(&self) -> bool {
        self.kind == HeloKind::Invalid
            && mistake_within(NAME_OCTETS + 2, &self.argument, true).is_none()
    }

    /// The name, if the HELO is one.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Whether the lookup has data or a proof of absence, not a temporary failure.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    /// Looks the name up. Returns the time of the slowest lookup, plus that of the slowest lookup of an MX host.
    pub(super) fn observe(
        &mut self,
        needs: &Observations,
        lookup: &dyn Lookup,
        evidence: &mut Vec<Arc<LookupRecord>>,
    ) -> Duration {
        let Some(name) = self.name.clone() else {
            return Duration::ZERO;
        };
        let before = evidence.len();
        if needs.helo.addresses {
            let questions = [
                lookup.ask(&name, RecordType::A),
                lookup.ask(&name, RecordType::AAAA),
            ];
            self.addresses = questions
                .iter()
                .flat_map(|question| question.addresses())
                .map(name::normalise)
                .collect();
            self.addresses_outcome = Some(Outcome::combined(questions.iter().map(|q| q.outcome)));
            evidence.extend(questions);
        }
        let mut hosts = Vec::new();
        if needs.helo.mx {
            let question = lookup.ask(&name, RecordType::MX);
            self.mx_outcome = Some(question.outcome);
            if needs.helo.mx_addresses {
                hosts = mx_hosts(&question);
            }
            evidence.push(question);
        }
        let first = slowest(&evidence[before..]);
        let before_addresses = evidence.len();
        self.mx_hosts = hosts
            .into_iter()
            .map(|host| MxHost::observe(host, lookup, evidence))
            .collect();
        first + slowest(&evidence[before_addresses..])
    }

    /// The relation of the name to the PTR names; `None` if the HELO is not a name.
    pub(crate) fn relation(&self, iprev: &Iprev) -> Option<Relation> {
        let helo = self.name()?;
        let same = |name: &Name| name == helo;
        let organisation = name::organisational_domain(helo);
        let organisational = |name: &Name| {
            organisation.is_some() && name::organisational_domain(name) == organisation
        };
        let last_two = |name: &Name| {
            name.num_labels() >= 2 && helo.num_labels() >= 2 && name.trim_to(2) == helo.trim_to(2)
        };
        Some(Relation {
            equals_first: iprev.ptr_names.first().is_some_and(same),
            equals_any: iprev.ptr_names.iter().any(same),
            equals_verified: iprev.verified_names().any(same),
            same_organisation: iprev.ptr_names.iter().any(organisational),
            last_two_labels: iprev.ptr_names.iter().any(last_two),
            suffix: iprev
                .ptr_names
                .iter()
                .any(|n| name::is_within(n, helo) || name::is_within(helo, n)),
            verified_organisation: iprev.verified_names().any(organisational),
        })
    }
}

impl MxHost {
    pub(super) fn observe(
        name: Name,
        lookup: &dyn Lookup,
        evidence: &mut Vec<Arc<LookupRecord>>,
    ) -> Self {
        let questions = [RecordType::A, RecordType::AAAA].map(|kind| lookup.ask(&name, kind));
        let addresses = questions.iter().flat_map(|question| question.addresses());
        let host = Self {
            name,
            addresses: addresses.map(name::normalise).collect(),
            outcome: Outcome::combined(questions.iter().map(|question| question.outcome)),
        };
        evidence.extend(questions);
        host
    }
}

/// The hosts in an MX answer, without the root of a null MX (RFC 7505).
pub(super) fn mx_hosts(question: &LookupRecord) -> Vec<Name> {
    let exchange = |data: &RData| match data {
        RData::MX(mx) if !mx.exchange.is_root() => Some(mx.exchange.clone()),
        _ => None,
    };
    let hosts = question.answers.iter().filter_map(exchange);
    hosts.take(MX_HOSTS).collect()
}

/// The time of concurrent lookups.
pub(super) fn slowest(questions: &[Arc<LookupRecord>]) -> Duration {
    let times = questions.iter().map(|question| question.elapsed);
    times.max().unwrap_or_default()
}

/// The relation of the HELO name to the PTR names. Case is ignored (RFC 4343).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Relation {
    /// Equals the first PTR name.
    pub(crate) equals_first: bool,
    /// Equals some PTR name.
    pub(crate) equals_any: bool,
    /// Equals a PTR name that leads back to the client address.
    pub(crate) equals_verified: bool,
    /// Shares the organisational domain with some PTR name (public suffix list).
    pub(crate) same_organisation: bool,
    /// Shares the organisational domain with a verified name.
    pub(crate) verified_organisation: bool,
    /// Shares the last two labels with some PTR name (qpsmtpd).
    pub(crate) last_two_labels: bool,
    /// One name equals the other, or is below it.
    pub(crate) suffix: bool,
}

/// The address in an address literal with brackets. `IPv6:` is required for IPv6 (RFC 5321 §4.1.3), in any case.
pub(crate) fn address_literal(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            inner[5..].parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => ipv4(inner).map(IpAddr::V4),
    }
}

/// `Snum 3("." Snum)`: `Snum = 1*3DIGIT` can have leading zeros and is decimal, which `Ipv4Addr` does not parse.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = text.split('.').map(|number| {
        let digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        number.parse::<u8>().ok().filter(|_| digits)
    });
    let mut octets = [0; 4];
    for octet in &mut octets {
        *octet = numbers.next()??;
    }
    numbers.next().is_none().then_some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::lookup::table::Table;

    #[track_caller]
    fn check(argument: &str, kind: HeloKind, address: Option<&str>) {
        let helo = Helo::parse(Verb::Ehlo, argument);
        assert_eq!(helo.kind, kind, "{argument}: {}", helo.mistake);
        assert_eq!(
            helo.address,
            address.map(|a| a.parse().expect("an address"))
        );
        assert_eq!(helo.mistake.is_empty(), kind != HeloKind::Invalid);
    }

    #[test]
    fn kinds() {
        check("mail.example.test", HeloKind::Name, None);
        check("MAIL.example.test.", HeloKind::Name, None);
        check("localhost", HeloKind::Name, None);
        check("under_score.example.test", HeloKind::Name, None);
        check("[192.0.2.1]", HeloKind::Literal, Some("192.0.2.1"));
        check("[192.0.2.010]", HeloKind::Literal, Some("192.0.2.10"));
        check("[IPv6:2001:db8::1]", HeloKind::Literal, Some("2001:db8::1"));
        check(
            "[ipv6:::ffff:192.0.2.1]",
            HeloKind::Literal,
            Some("192.0.2.1"),
        );
        check("192.0.2.1", HeloKind::BareIp, Some("192.0.2.1"));
        check("2001:db8::1", HeloKind::BareIp, Some("2001:db8::1"));
        for invalid in [
            "",
            "[192.0.2.1",
            "[2001:db8::1]",
            "[192.0.2.256]",
            "[192.0.2.0010]",
            "[192.0.2.+1]",
            "[192.0.2]",
            "[192.0.2.1.1]",
            "a..b",
            "-a.test",
            "a-.test",
            "a b",
            "bücher.test",
            "1.2.3",
            &"a".repeat(64),
        ] {
            check(invalid, HeloKind::Invalid, None);
        }
        check(&["a"; 128].join("."), HeloKind::Invalid, None);
    }

    #[track_caller]
    fn relation(helo: &str, world: &str) -> Relation {
        let mut evidence = Vec::new();
        let client = "192.0.2.10".parse().expect("an address");
        let (iprev, _) = super::super::iprev::observe(
            client,
            &Default::default(),
            &Table::new(world),
            &mut evidence,
        );
        Helo::parse(Verb::Ehlo, helo)
            .relation(&iprev)
            .expect("the HELO is a name")
    }

    #[test]
    fn relations() {
        let world = "10.2.0.192.in-addr.arpa PTR a.mx.example.test b.mx.example.test\nb.mx.example.test A 192.0.2.10";
        let first = relation("A.mx.Example.test", world);
        assert!(
            first.equals_first
                && first.equals_any
                && !first.equals_verified
                && first.same_organisation
        );
        let second = relation("b.mx.example.test.", world);
        assert!(
            !second.equals_first
                && second.equals_any
                && second.equals_verified
                && second.verified_organisation
        );
        let shared = relation("out.example.test", world);
        assert!(
            !shared.equals_any
                && shared.same_organisation
                && shared.last_two_labels
                && !shared.suffix
        );
        assert!(relation("mx.example.test", world).suffix);
        let foreign = relation("mail.other.test", world);
        assert!(!foreign.same_organisation && !foreign.last_two_labels && !foreign.suffix);
    }

    #[test]
    fn addresses_of_the_name() {
        let mut evidence = Vec::new();
        let table = Table::new("m.test A 192.0.2.1\nm.test AAAA SERVFAIL\nt.test A timeout");
        let addresses = Observations {
            helo: HeloObservations::ADDRESSES,
            ..Observations::default()
        };
        let both = Observations {
            helo: HeloObservations {
                mx: true,
                ..HeloObservations::ADDRESSES
            },
            ..addresses.clone()
        };
        let mut helo = Helo::parse(Verb::Ehlo, "m.test");
        assert_eq!(helo.observe(&both, &table, &mut evidence), Duration::ZERO);
        assert_eq!(
            (helo.addresses_outcome, helo.mx_outcome),
            (Some(Outcome::Data), Some(Outcome::NoData))
        );
        assert!(helo.contains("192.0.2.1".parse().expect("an address")));
        let mut slow = Helo::parse(Verb::Ehlo, "t.test");
        assert_eq!(
            slow.observe(&addresses, &table, &mut evidence),
            Table::TIMEOUT
        );
        assert_eq!(slow.addresses_outcome, Some(Outcome::Timeout));
        assert_eq!(evidence.len(), 5);
    }
}
