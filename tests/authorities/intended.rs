//! Intended differences from the other authorities: data, each row with its reason.

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record, RecordType};

use crate::case::{Case, aliases, is_dname, leads_below_itself};
use crate::hickory;

/// An intended difference. The condition of a row is as narrow as possible, so that the row hides nothing else.
pub struct Intended {
    /// The reason.
    pub reason: &'static str,
    /// The servers that differ.
    servers: &'static [&'static str],
    holds: fn(&Case) -> bool,
}

/// A peculiarity of a server that is reverted before its answers are compared, so that everything else is compared.
pub struct Peculiarity {
    /// The description.
    pub reason: &'static str,
    server: &'static str,
    undo: fn(&Case, &mut Message),
}

/// The row that explains why two answers differ, if there is one.
pub fn explains(case: &Case) -> Option<&'static Intended> {
    let mut rows = INTENDED.iter();
    rows.find(|row| row.servers.contains(&case.server) && (row.holds)(case))
}

/// The peculiarities of a server.
pub fn peculiarities(server: &str) -> impl Iterator<Item = &'static Peculiarity> {
    PECULIARITIES
        .iter()
        .filter(move |peculiarity| peculiarity.server == server)
}

impl Peculiarity {
    /// Reverts it in an answer.
    pub fn undo(&self, case: &Case, real: &mut Message) {
        (self.undo)(case, real);
    }
}

const PECULIARITIES: &[Peculiarity] = &[
    Peculiarity {
        reason: "AA in referrals, which are no answers of the zone (RFC 1034 §4.3.1)",
        server: hickory::NAME,
        undo: |_, real| {
            let delegates = |r: &Record| r.record_type() == RecordType::NS;
            if real.answers.is_empty() && real.authorities.iter().any(delegates) {
                real.metadata.authoritative = false;
            }
        },
    },
    Peculiarity {
        reason: "a question for the NS set of a delegation has it as an answer with AA, not as a referral",
        server: hickory::NAME,
        undo: |case, real| {
            let ours = case.ours;
            let delegated = !ours.metadata.authoritative && ours.answers.is_empty();
            if delegated && case.asks(RecordType::NS) && real.authorities.is_empty() {
                std::mem::swap(&mut real.answers, &mut real.authorities);
                real.metadata.authoritative = false;
            }
        },
    },
    Peculiarity {
        reason: "DO is not copied (RFC 3225 §3)",
        server: hickory::NAME,
        undo: |case, real| {
            let dnssec_ok = case
                .ours
                .edns
                .as_ref()
                .is_some_and(|edns| edns.flags().dnssec_ok);
            if let Some(edns) = &mut real.edns {
                edns.set_dnssec_ok(dnssec_ok);
            }
        },
    },
    Peculiarity {
        reason: "an answer with TC has lost its OPT record (RFC 6891 §7 wants one)",
        server: hickory::NAME,
        undo: |case, real| {
            if real.metadata.truncation && real.edns.is_none() {
                real.edns.clone_from(&case.ours.edns);
            }
        },
    },
    Peculiarity {
        reason: "CD is copied, which means nothing without DNSSEC; NSD and Knot leave it out",
        server: hickory::NAME,
        undo: |_, real| real.metadata.checking_disabled = false,
    },
    Peculiarity {
        reason: "an answer with the SOA record has the NS set in the authority section",
        server: hickory::NAME,
        undo: |case, real| {
            if case.asks(RecordType::SOA) && !real.answers.is_empty() {
                real.authorities
                    .retain(|r| r.record_type() != RecordType::NS);
            }
        },
    },
    Peculiarity {
        reason: "the SOA record of a negative answer keeps its TTL (RFC 2308 §3 wants the least)",
        server: hickory::NAME,
        undo: |_, real| {
            for record in &mut real.authorities {
                if let RData::SOA(soa) = &record.data {
                    record.ttl = record.ttl.min(soa.minimum);
                }
            }
        },
    },
];

const INTENDED: &[Intended] = &[
    Intended {
        reason: "sixteen aliases are followed where a DNAME leads below itself; NSD stops at the first, Knot at the fifth",
        servers: &["nsd", "knot"],
        holds: |case| {
            aliases(case.ours) == 16
                && case.ours_goes_on()
                && (1..=5).contains(&aliases(case.real))
                && case.real.answers.iter().any(leads_below_itself)
        },
    },
    Intended {
        reason: "ANY gets the HINFO record of RFC 8482 §4.2; NSD sends all sets over TCP and TC over UDP, Knot and hickory-server one set",
        servers: &["nsd", "knot", hickory::NAME],
        holds: |case| {
            case.asks(RecordType::ANY)
                && case.ours_ends_with(RecordType::HINFO)
                && case.ours.authorities == case.real.authorities
        },
    },
    Intended {
        reason: "a CNAME is followed into another zone of the server (RFC 1034 §4.3.2 3a); Knot stays in the zone",
        servers: &["knot"],
        holds: |case| {
            case.they_stop_at_an_alias() && case.ours_goes_on() && case.real.authorities.is_empty()
        },
    },
    Intended {
        reason: "the DS set stands in the zone above (RFC 4035 §3.1.4.1), also behind an alias of the child; Knot stays in the child",
        servers: &["knot"],
        holds: |case| {
            case.asks(RecordType::DS)
                && case.ours.authorities.is_empty()
                && case.their_authority_is(RecordType::SOA)
                && case.ours_goes_on()
                && !case.real.answers.is_empty()
                && case.ours_ends_with(RecordType::DS)
        },
    },
    Intended {
        reason: "addresses of hosts in another zone of the server are added; Knot looks into the zone only",
        servers: &["knot"],
        holds: |case| {
            let more = case.additional_of_ours();
            let elsewhere = more.iter().all(|record| case.is_elsewhere(&record.name));
            case.agree_without_additional() && !more.is_empty() && elsewhere
        },
    },
    Intended {
        reason: "a record stands once (RFC 2181 §5); NSD has a CNAME that leads to itself twice, Knot the address of two SRV records",
        servers: &["nsd", "knot"],
        holds: |case| case.agree_without_doubles(case.server == "knot"),
    },
    Intended {
        reason: "an alias is followed into a child zone of the server; Knot answers with the referral to it",
        servers: &["knot"],
        holds: |case| {
            let child = |name: String| name.eq_ignore_ascii_case("child.one.test.");
            let delegations = &case.real.authorities;
            case.they_stop_at_an_alias()
                && case.ours_goes_on()
                && case.their_authority_is(RecordType::NS)
                && !delegations.is_empty()
                && delegations
                    .iter()
                    .all(|record| child(record.name.to_string()))
        },
    },
    Intended {
        reason: "DO is copied into every response (RFC 3225 §3); NSD leaves it out of BADVERS",
        servers: &["nsd"],
        holds: |case| {
            case.question.version == Some(1) && u16::from(case.ours.metadata.response_code) == 16
        },
    },
    Intended {
        reason: "a DNAME redirects (RFC 6672); for hickory-server the type is like any other",
        servers: &[hickory::NAME],
        holds: |case| case.ours_is_redirected() && !case.real.answers.iter().any(is_dname),
    },
    Intended {
        reason: "an alias is followed to its end, and a negative end is told (RFC 2308 §2.1); hickory-server stays in the zone, follows seven, and has neither NXDOMAIN nor SOA",
        servers: &[hickory::NAME],
        holds: |case| {
            case.they_stop_at_an_alias() && case.ours_goes_on() && case.real.authorities.is_empty()
        },
    },
    Intended {
        reason: "an alias that leads below a delegation gets the referral; hickory-server has the NS set in the answer section",
        servers: &[hickory::NAME],
        holds: |case| {
            !case.asks(RecordType::NS)
                && aliases(case.real) > 0
                && case
                    .real
                    .answers
                    .last()
                    .is_some_and(|r| r.record_type() == RecordType::NS)
        },
    },
    Intended {
        reason: "a wildcard stands for names that do not exist, below the closest encloser (RFC 4592 §3.3.1); hickory-server takes any wildcard above, also for a type that an existing name lacks",
        servers: &[hickory::NAME],
        holds: |case| case.they_use_a_wildcard(),
    },
    Intended {
        reason: "a wildcard makes a name exist for every type (RFC 4592 §2.2.1); hickory-server says NXDOMAIN for types that it lacks",
        servers: &[hickory::NAME],
        holds: |case| {
            let rcode = |message: &Message| u16::from(message.metadata.response_code);
            (rcode(case.ours), rcode(case.real)) == (0, 3)
                && (case.ours.answers.is_empty() || case.asks(RecordType::ANY))
                && case.real.answers.is_empty()
                && case.is_below_a_wildcard(&case.name())
        },
    },
    Intended {
        reason: "the DS set stands in the zone above (RFC 4035 §3.1.4.1); hickory-server asks the child",
        servers: &[hickory::NAME],
        holds: |case| {
            case.asks(RecordType::DS)
                && case.real.answers.is_empty()
                && case.their_authority_is(RecordType::SOA)
                && case.ours.metadata.authoritative
        },
    },
];
