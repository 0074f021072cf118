//! `iprev`: a PTR name leads back to the client address (FCrDNS).

use crate::facts::{Facts, Iprev, IprevResult, Outcome};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, ptr_names, unavailable,
    violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "iprev",
    topic: Topic::Iprev,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "a PTR name of the client address has that address among its own (FCrDNS), by the receiver's [iprev] parameters",
    basis: "RFC 8601 §2.7.3, RFC 7372 §3.3; Postfix reject_unknown_client_hostname, Stalwart, EarthLink, Gmail; seppmail.cloud with names = \"every\"",
    beyond: "beyond RFC 5321, which does not require reverse DNS",
    parameters: &[Parameter {
        name: "names",
        kind: Kind::Choice(&["one", "every"]),
        default: "\"one\"",
        doc: "how many of the PTR names that [iprev] looks up must lead back: one, or all (seppmail.cloud)",
    }],
    fail: &["550 5.7.25 Reverse DNS validation failed for [{ip}]"],
    error: &["451 4.7.25 Temporary error validating reverse DNS for [{ip}]"],
    needs: ptr_names,
    build,
};

fn build(settings: &Settings) -> Judge {
    match settings.choice("names", "one") {
        "every" => Box::new(|facts| match judge(facts) {
            Finding::Satisfied => every(facts),
            finding => finding,
        }),
        _ => Box::new(judge),
    }
}

/// One name leads back: checks whether all others do too.
fn every(facts: &Facts) -> Finding {
    let forwards = facts.iprev.iter().flat_map(|iprev| &iprev.forwards);
    let strays: Vec<_> = forwards.filter(|forward| !forward.confirms).collect();
    let address = facts.client_address;
    if let Some(stray) = strays.iter().find(|forward| !forward.temporary) {
        let text = name::display(&stray.name);
        let verified = facts.iprev.as_ref().and_then(|i| i.verified_name.clone());
        let name = stray.name.clone();
        let remedies = [
            Change::PointName { name, address },
            Change::PointPtr {
                address,
                target: verified,
            },
            Change::AskReceiver(address),
        ];
        return violated(
            format!("the PTR name {text} does not lead back to {address}"),
            remedies,
        );
    }
    match strays.first() {
        Some(unknown) => unavailable(
            format!(
                "whether the PTR name {} leads back to {address} is unknown: {}",
                name::display(&unknown.name),
                unknown.outcome
            ),
            [Change::MendDns(unknown.name.clone())],
        ),
        None => Finding::Satisfied,
    }
}

fn judge(facts: &Facts) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    let why = || iprev.explanation.clone();
    match iprev.result {
        IprevResult::Pass => Finding::Satisfied,
        IprevResult::Temperror => unavailable(why(), [Change::MendDns(failed(facts, iprev))]),
        IprevResult::Fail | IprevResult::Permerror => violated(why(), remedies(facts, iprev)),
    }
}

/// The name whose lookup failed: the reverse name, or the first PTR name without an answer.
pub(super) fn failed(facts: &Facts, iprev: &Iprev) -> name::Name {
    let forward = iprev
        .forwards
        .iter()
        .find(|f| f.temporary)
        .map(|f| f.name.clone());
    forward.unwrap_or_else(|| name::reverse(facts.client_address))
}

fn remedies(facts: &Facts, iprev: &Iprev) -> Vec<Change> {
    let address = facts.client_address;
    let mut remedies = Vec::new();
    if iprev.reverse != Outcome::Data {
        let target = super::ptr_exists::named(facts);
        remedies.push(Change::PointPtr {
            address,
            target: target.clone(),
        });
        remedies.extend(target.map(|name| Change::PointName { name, address }));
    } else if let Some(name) = iprev.host_names().next() {
        remedies.push(Change::PointName {
            name: name.clone(),
            address,
        });
        let elsewhere = iprev
            .forwards
            .iter()
            .flat_map(|f| &f.addresses)
            .find(|a| a.is_ipv4() == address.is_ipv4());
        remedies.extend(elsewhere.map(|a| Change::SendFrom(*a)));
    }
    remedies.push(Change::AskReceiver(address));
    remedies
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, UNAVAILABLE, VIOLATED, case};

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn iprev() {
        let check = |world: &str| {
            case(Case {
                check: "iprev",
                world,
                ..Case::default()
            })
        };
        check(&format!("{PTR} m.test\nm.test A 192.0.2.10")).is(SATISFIED);
        check(&format!(
            "{PTR} a.test m.test\na.test A 192.0.2.9\nm.test A 192.0.2.10"
        ))
        .is(SATISFIED);
        check("")
            .is(VIOLATED)
            .because("NXDOMAIN")
            .remedied_by("mail.example.test. A 192.0.2.10");
        check(&format!("{PTR} m.test"))
            .is(VIOLATED)
            .remedied_by("m.test. A 192.0.2.10");
        check(&format!("{PTR} m.test\nm.test A 192.0.2.9"))
            .is(VIOLATED)
            .remedied_by("send from 192.0.2.9");
        check(&format!(
            "{PTR} m.test\nm.test A NODATA\nm.test AAAA 2001:db8::1"
        ))
        .is(VIOLATED)
        .because("NODATA");
        check(&format!("{PTR} timeout"))
            .is(UNAVAILABLE)
            .remedied_by("10.2.0.192.in-addr.arpa");
        check(&format!("{PTR} m.test\nm.test A SERVFAIL"))
            .is(UNAVAILABLE)
            .remedied_by("m.test");
    }

    #[test]
    fn every_name_has_to_lead_back() {
        let check = |world: &str| {
            case(Case {
                check: "iprev",
                settings: "names = \"every\"",
                world: &format!("{PTR} a.test b.test\na.test A 192.0.2.10\n{world}"),
                ..Case::default()
            })
        };
        check("b.test A 192.0.2.9 192.0.2.10").is(SATISFIED);
        check("b.test A 192.0.2.9")
            .is(VIOLATED)
            .because("b.test does not lead back")
            .remedied_by("b.test. A 192.0.2.10")
            .remedied_by("PTR a.test");
        check("").is(VIOLATED);
        check("b.test A SERVFAIL")
            .is(UNAVAILABLE)
            .remedied_by("b.test");
        case(Case {
            check: "iprev",
            settings: "names = \"every\"",
            ..Case::default()
        })
        .is(VIOLATED);
    }

    #[test]
    fn iprev_of_an_ipv6_client() {
        let reverse = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        let check = |world: &str| {
            case(Case {
                check: "iprev",
                client: "2001:db8::7",
                world,
                ..Case::default()
            })
        };
        check(&format!("{reverse} PTR m.test\nm.test AAAA 2001:db8::7")).is(SATISFIED);
        check(&format!("{reverse} PTR m.test\nm.test A 192.0.2.1"))
            .is(VIOLATED)
            .remedied_by("m.test. AAAA 2001:db8::7");
        check(&format!("{reverse} PTR REFUSED")).is(UNAVAILABLE);
    }
}
