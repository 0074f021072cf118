//! `helo-not-reserved`: neither the HELO name nor its MX hosts have reserved addresses.

use std::net::IpAddr;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{A, AAAA};
use ipnet::IpNet;

use super::helo_syntax;
use crate::facts::{Facts, HeloObservations, Observations};
use crate::name::{self, Name};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, unavailable, violated,
};
use crate::stage::Stage;

/// Address space that no host on the Internet has (RFC 6890, RFC 1918, RFC 6598), without the networks that RFC 5737
/// and RFC 3849 reserve for documentation: those represent public addresses in a scenario.
const RESERVED: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// The parameter that replaces [`RESERVED`].
pub(super) const NETWORKS: Parameter = Parameter {
    name: "networks",
    kind: Kind::Networks,
    default: "loopback, private, link-local, shared, multicast and unspecified space",
    doc: "the reserved address space",
};

pub(super) static CHECK: Check = Check {
    name: "helo-not-reserved",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "no address of the HELO name, or of its MX hosts, is in reserved address space",
    basis: "RFC 6890; Postfix check_helo_a_access and check_helo_mx_access with a CIDR table, which ignore DNS failures (temp = \"ignore\")",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO name and forbids refusing on that ground",
    parameters: &[
        Parameter {
            name: "of",
            kind: Kind::Choice(&["name", "mx", "both"]),
            default: "\"both\"",
            doc: "which addresses: those of the name (check_helo_a_access), of its MX hosts (check_helo_mx_access), or both",
        },
        NETWORKS,
    ],
    fail: &["550 5.7.1 <{helo}>: Helo command rejected: {what} is in reserved address space"],
    error: &["450 4.7.1 <{helo}>: Helo command rejected: cannot look up its addresses"],
    needs: |_| Observations {
        helo: HeloObservations {
            addresses: true,
            mx: true,
            mx_addresses: true,
        },
        ..Observations::default()
    },
    build,
};

fn build(settings: &Settings) -> Judge {
    let of = settings.choice("of", "both");
    let (own, mx) = (of != "mx", of != "name");
    let networks = networks(settings);
    Box::new(move |facts| judge(facts, own, mx, &networks))
}

/// The reserved address space of a rule.
pub(super) fn networks(settings: &Settings) -> Vec<IpNet> {
    let mut networks = settings.networks("networks");
    if !settings.is_set("networks") {
        networks.extend(RESERVED.iter().filter_map(|net| net.parse::<IpNet>().ok()));
    }
    networks
}

fn judge(facts: &Facts, own: bool, mx: bool, networks: &[IpNet]) -> Finding {
    let Some(helo) = &facts.helo else {
        return Finding::NotApplicable;
    };
    let Some(helo_name) = helo.name() else {
        return Finding::NotApplicable;
    };
    let own = own.then(|| {
        let name = helo.argument.clone();
        (name, &helo.addresses, helo.addresses_outcome)
    });
    let hosts = helo.mx_hosts.iter().filter(|_| mx);
    let hosts = hosts.map(|host| {
        let what = format!("MX host {}", name::display(&host.name));
        (what, &host.addresses, Some(host.outcome))
    });
    let all: Vec<_> = own.into_iter().chain(hosts).collect();
    let reserved = |address: &&IpAddr| networks.iter().any(|net| net.contains(*address));
    let found = all.iter().find_map(|(what, addresses, _)| {
        let address = addresses.iter().find(reserved)?;
        Some((what, address))
    });
    if let Some((what, address)) = found {
        let why = format!("{what} has the address {address}, which is in reserved address space");
        let finding = violated(
            why,
            [
                helo_syntax::better(facts),
                move_to(helo_name, address, facts.client_address),
                Change::AskReceiver(facts.client_address),
            ],
        );
        return quoting(finding, format!("{what} [{address}]"));
    }
    let mx_outcome = helo.mx_outcome.filter(|_| mx);
    let mut outcomes = all
        .iter()
        .filter_map(|(_, _, outcome)| *outcome)
        .chain(mx_outcome);
    match outcomes.find(|outcome| outcome.is_temporary()) {
        Some(failure) => unavailable(
            format!(
                "whether {} is in reserved address space is unknown: {failure}",
                helo.argument
            ),
            [Change::MendDns(helo_name.clone())],
        ),
        None => Finding::Satisfied,
    }
}

/// Proposes the client address instead of the reserved address of the name.
pub(super) fn move_to(name: &Name, reserved: &IpAddr, client: IpAddr) -> Change {
    let data = |address: IpAddr| match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    };
    match reserved.is_ipv4() == client.is_ipv4() {
        true => Change::ReplaceRecord {
            name: name.clone(),
            old: vec![data(*reserved)],
            data: data(client),
        },
        false => Change::PointName {
            name: name.clone(),
            address: client,
        },
    }
}

pub(super) fn quoting(finding: Finding, what: String) -> Finding {
    match finding {
        Finding::Violated(mut complaint) => {
            complaint.quotes.push(("what", what));
            Finding::Violated(complaint)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const NAME: &str = "mail.example.test";

    #[track_caller]
    fn check(world: &str, settings: &str, expected: &str) -> crate::policy::checks::test::Outcome {
        case(Case {
            check: "helo-not-reserved",
            world,
            settings,
            ..Case::default()
        })
        .is(expected)
    }

    #[test]
    fn addresses_of_the_name() {
        check(&format!("{NAME} A 192.0.2.10"), "", SATISFIED);
        check("", "", SATISFIED);
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.9.9",
            "0.0.0.0",
            "224.0.0.1",
        ] {
            check(&format!("{NAME} A {address}"), "", VIOLATED)
                .because(address)
                .remedied_by("EHLO");
            check(&format!("{NAME} A {address}"), "of = \"mx\"", SATISFIED);
        }
        for address in ["::1", "fd00::1", "fe80::1"] {
            check(&format!("{NAME} AAAA {address}"), "of = \"name\"", VIOLATED);
        }
        check(&format!("{NAME} A 172.32.0.1"), "", SATISFIED);
        let networks = "networks = [\"203.0.113.9\"]";
        check(&format!("{NAME} A 127.0.0.1"), networks, SATISFIED);
        check(&format!("{NAME} A 203.0.113.9"), networks, VIOLATED);
        check(&format!("{NAME} A timeout"), "", UNAVAILABLE);
        check(
            &format!("{NAME} A 10.0.0.1\n{NAME} AAAA SERVFAIL"),
            "",
            VIOLATED,
        );
    }

    #[test]
    fn addresses_of_its_mail_hosts() {
        let mx = format!("{NAME} A 192.0.2.10\n{NAME} MX a.test b.test\na.test A 192.0.2.1\n");
        check(&format!("{mx}b.test A 192.0.2.2"), "", SATISFIED);
        let inside = format!("{mx}b.test A 192.168.0.2");
        check(&inside, "", VIOLATED).because("MX host b.test");
        check(&inside, "of = \"mx\"", VIOLATED);
        check(&inside, "of = \"name\"", SATISFIED);
        check(&format!("{mx}b.test A SERVFAIL"), "", UNAVAILABLE);
        check(&format!("{NAME} MX timeout"), "of = \"mx\"", UNAVAILABLE);
        check(&format!("{NAME} MX timeout"), "of = \"name\"", SATISFIED);
        check(&format!("{NAME} MX ."), "", SATISFIED);
    }

    #[test]
    fn a_literal_is_not_looked_up() {
        case(Case {
            check: "helo-not-reserved",
            helo: Some("[10.0.0.1]"),
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }
}
