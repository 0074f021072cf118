//! `helo-ip-match`: the client address is among the addresses of the HELO name.

use super::helo_literal_match;
use crate::facts::{Facts, Helo, HeloKind, HeloObservations, Observations, Outcome};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, literal, unavailable, violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-ip-match",
    topic: Topic::HeloAddress,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "an A or AAAA record of the HELO name has the client address",
    basis: "Haraka forward_dns, rspamd HFILTER_HELO_IP_A, Gordano GMS VerifyHostname",
    beyond: "beyond RFC 5321 §4.1.4: which forbids refusing after a failed verification of the HELO name",
    parameters: &[Parameter {
        name: "mode",
        kind: Kind::Choice(&["exact", "network", "exact-or-organisation"]),
        default: "exact",
        doc: "exact; network: an address in the same /24 (IPv6: /64) is enough; exact-or-organisation: a HELO name in the organisational domain of the PTR name passes too (Haraka)",
    }],
    fail: &["550 5.7.1 <{helo}>: Helo command rejected: it does not resolve to {ip}"],
    error: &["450 4.7.1 <{helo}>: Helo command rejected: DNS lookup failed, try again later"],
    needs: |_| Observations {
        helo: HeloObservations::ADDRESSES,
        iprev: true,
        ..Observations::default()
    },
    build,
};

fn build(settings: &Settings) -> Judge {
    let mode = settings.choice("mode", "exact");
    let (network, organisation) = (mode == "network", mode == "exact-or-organisation");
    Box::new(move |facts| judge(facts, network, organisation))
}

fn judge(facts: &Facts, network: bool, organisation: bool) -> Finding {
    let Some(helo) = &facts.helo else {
        return Finding::NotApplicable;
    };
    if helo.kind == HeloKind::Literal {
        return Finding::NotApplicable;
    }
    let client = facts.client_address;
    let near = |a: &std::net::IpAddr| {
        *a == client || (network && helo_literal_match::same_network(*a, client))
    };
    let related = organisation && facts.relation.is_some_and(|r| r.same_organisation);
    if helo.addresses.iter().any(near) || related {
        return Finding::Satisfied;
    }
    match (helo.name(), helo.addresses_outcome) {
        (Some(name), Some(outcome)) if outcome.is_temporary() => {
            let why = format!(
                "the addresses of {} are unknown: the lookup ended with {outcome}",
                helo.argument
            );
            unavailable(why, [Change::MendDns(name.clone())])
        }
        _ => violated(complaint(facts, helo), remedies(facts, helo)),
    }
}

fn complaint(facts: &Facts, helo: &Helo) -> String {
    let addresses: Vec<_> = helo.addresses.iter().map(ToString::to_string).collect();
    match helo.addresses_outcome {
        Some(Outcome::Data) => format!(
            "the HELO name {} resolves to {}, not to {}",
            helo.argument,
            addresses.join(", "),
            facts.client_address
        ),
        Some(outcome) => format!("the HELO name {} has no address ({outcome})", helo.argument),
        None => format!(
            "the HELO {:?} is not a name that could resolve to {}",
            helo.argument, facts.client_address
        ),
    }
}

fn remedies(facts: &Facts, helo: &Helo) -> Vec<Change> {
    let client = facts.client_address;
    let mut remedies = Vec::new();
    remedies.extend(helo.name().map(|name| Change::PointName {
        name: name.clone(),
        address: client,
    }));
    match facts.iprev.as_ref().and_then(|i| i.verified_name.as_ref()) {
        Some(name) => remedies.push(Change::SayHelo(Some(crate::name::display(name)))),
        None if helo.name().is_none() => remedies.push(Change::SayHelo(Some(literal(client)))),
        None => {}
    }
    let translate = helo
        .addresses
        .iter()
        .find(|a| a.is_ipv4() == client.is_ipv4());
    remedies.extend(translate.map(|a| Change::SendFrom(*a)));
    remedies.push(Change::AskReceiver(client));
    remedies
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn helo_ip_match() {
        let check = |world, settings| {
            case(Case {
                check: "helo-ip-match",
                world,
                settings,
                ..Case::default()
            })
        };
        check("mail.example.test A 203.0.113.1 192.0.2.10", "").is(SATISFIED);
        check("mail.example.test A 203.0.113.1", "")
            .is(VIOLATED)
            .remedied_by("send from 203.0.113.1");
        check("mail.example.test A 192.0.2.99", "")
            .is(VIOLATED)
            .because("192.0.2.99");
        check("mail.example.test A 192.0.2.99", "mode = \"network\"").is(SATISFIED);
        check("", "")
            .is(VIOLATED)
            .because("NXDOMAIN")
            .remedied_by("mail.example.test. A 192.0.2.10");
        check("mail.example.test A NODATA", "")
            .is(VIOLATED)
            .because("NODATA");
        check("mail.example.test A timeout", "").is(UNAVAILABLE);
        check("mail.example.test A SERVFAIL", "").is(UNAVAILABLE);
        let sibling =
            "10.2.0.192.in-addr.arpa PTR out7.example.test\nmail.example.test A 203.0.113.1";
        check(sibling, "").is(VIOLATED);
        check(sibling, "mode = \"exact-or-organisation\"").is(SATISFIED);
    }

    #[test]
    fn only_names_are_looked_up() {
        let check = |helo| {
            case(Case {
                check: "helo-ip-match",
                helo: Some(helo),
                ..Case::default()
            })
        };
        check("[192.0.2.10]").is(NOT_APPLICABLE);
        check("192.0.2.10").is(VIOLATED).remedied_by("[192.0.2.10]");
    }
}
