//! `helo-ptr-match`: the HELO name is the PTR name.

use crate::facts::{Facts, Helo, HeloKind, Iprev, Outcome, Relation};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, ptr_names, unavailable,
    violated,
};
use crate::stage::Stage;

/// Office 365 never satisfies the mode `any`.
pub(super) static CHECK: Check = Check {
    name: "helo-ptr-match",
    topic: Topic::HeloPtr,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name is a PTR name of the client address, or is related to one (mode)",
    basis: "Haraka rdns_match, qpsmtpd no_matching_dns, Fastmail's published policy, hand-written ACLs",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO name and forbids refusing on that ground",
    parameters: &[Parameter {
        name: "mode",
        kind: Kind::Choice(MODES),
        default: "any",
        doc: "equal to the first, any or a verified PTR name; in the same organisational domain as any or a verified one (public suffix list); with the same last two labels; one name within the other",
    }],
    fail: &["550 5.7.1 <{helo}>: HELO host does not match rDNS {ptr}"],
    error: &["450 4.7.1 <{helo}>: rDNS lookup failed, try again later"],
    needs: ptr_names,
    build,
};

const MODES: &[&str] = &[
    "first",
    "any",
    "verified",
    "organisation",
    "verified-organisation",
    "last-two-labels",
    "suffix",
];

fn build(settings: &Settings) -> Judge {
    let holds: fn(Relation) -> bool = match settings.choice("mode", "any") {
        "first" => |r| r.equals_first,
        "verified" => |r| r.equals_verified,
        "organisation" => |r| r.equals_any || r.same_organisation,
        "verified-organisation" => |r| r.equals_verified || r.verified_organisation,
        "last-two-labels" => |r| r.equals_any || r.last_two_labels,
        "suffix" => |r| r.suffix,
        _ => |r| r.equals_any,
    };
    let verified = settings.choice("mode", "any").starts_with("verified");
    Box::new(move |facts| judge(facts, holds, verified))
}

fn judge(facts: &Facts, holds: fn(Relation) -> bool, verified: bool) -> Finding {
    let (Some(helo), Some(iprev)) = (&facts.helo, &facts.iprev) else {
        return Finding::NotApplicable;
    };
    if helo.kind == HeloKind::Literal {
        return Finding::NotApplicable;
    }
    if facts.relation.is_some_and(holds) {
        return Finding::Satisfied;
    }
    let address = facts.client_address;
    if iprev.reverse.is_temporary() {
        let why = format!(
            "the PTR name of {address} is unknown: the lookup ended with {}",
            iprev.reverse
        );
        return unavailable(why, [Change::MendDns(name::reverse(address))]);
    }
    if let Some(forward) = iprev
        .forwards
        .iter()
        .find(|f| verified && f.temporary && !f.confirms)
    {
        let why = format!(
            "whether {} leads back to {address} is unknown: the lookup failed",
            name::display(&forward.name)
        );
        return unavailable(why, [Change::MendDns(forward.name.clone())]);
    }
    violated(complaint(facts, helo, iprev), remedies(facts, helo, iprev))
}

fn complaint(facts: &Facts, helo: &Helo, iprev: &Iprev) -> String {
    if iprev.reverse != Outcome::Data {
        return format!(
            "the client says {:?}, but {} has no PTR name ({})",
            helo.argument, facts.client_address, iprev.reverse
        );
    }
    let names: Vec<_> = iprev.ptr_names.iter().map(name::display).collect();
    format!(
        "the client says {:?}, and the PTR name of {} is {}",
        helo.argument,
        facts.client_address,
        names.join(", ")
    )
}

fn remedies(facts: &Facts, helo: &Helo, iprev: &Iprev) -> Vec<Change> {
    let address = facts.client_address;
    let mut remedies = Vec::new();
    let better = iprev
        .verified_name
        .as_ref()
        .or_else(|| iprev.host_names().next());
    remedies.extend(better.map(|name| Change::SayHelo(Some(name::display(name)))));
    if let Some(name) = helo.name() {
        remedies.push(Change::PointPtr {
            address,
            target: Some(name.clone()),
        });
        if !helo.contains(address) {
            remedies.push(Change::PointName {
                name: name.clone(),
                address,
            });
        }
    } else if better.is_none() {
        remedies.push(Change::PointPtr {
            address,
            target: None,
        });
    }
    // Translation to an address of the HELO name fixes a host whose PTR record cannot be changed.
    let translate = helo
        .addresses
        .iter()
        .find(|a| **a != address && a.is_ipv4() == address.is_ipv4());
    remedies.extend(translate.map(|a| Change::SendFrom(*a)));
    remedies.push(Change::AskReceiver(address));
    remedies
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[track_caller]
    fn check(helo: &str, world: &str, mode: &str) -> crate::policy::checks::test::Outcome {
        let settings = format!("mode = \"{mode}\"");
        case(Case {
            check: "helo-ptr-match",
            helo: Some(helo),
            world,
            settings: &settings,
            ..Case::default()
        })
    }

    #[test]
    fn equal_names() {
        let world =
            format!("{PTR} a.mx.example.test mail.example.test\nmail.example.test A 192.0.2.10");
        check("Mail.Example.TEST", &world, "any").is(SATISFIED);
        check("mail.example.test", &world, "first")
            .is(VIOLATED)
            .because("a.mx.example.test");
        check("mail.example.test", &world, "verified").is(SATISFIED);
        check("a.mx.example.test", &world, "verified")
            .is(VIOLATED)
            .remedied_by("send EHLO mail.example.test");
        check("other.test", &world, "any")
            .is(VIOLATED)
            .remedied_by("10.2.0.192.in-addr.arpa. PTR other.test.");
    }

    #[test]
    fn related_names() {
        let world = format!("{PTR} mail-bn1lp0150.outbound.protection.outlook.com");
        let helo = "na01-bn1-obe.outbound.protection.outlook.com";
        check(helo, &world, "any").is(VIOLATED);
        check(helo, &world, "suffix").is(VIOLATED);
        check(helo, &world, "organisation").is(SATISFIED);
        check(helo, &world, "last-two-labels").is(SATISFIED);
        check(helo, &world, "verified-organisation").is(VIOLATED);
        check("outlook.example.test", &world, "organisation").is(VIOLATED);
        check("outbound.protection.outlook.com", &world, "suffix").is(SATISFIED);
        check("b.co.uk", &format!("{PTR} a.co.uk"), "organisation").is(VIOLATED);
        check("b.co.uk", &format!("{PTR} a.co.uk"), "last-two-labels").is(SATISFIED);
    }

    #[test]
    fn nothing_to_compare() {
        check("mail.example.test", "", "any")
            .is(VIOLATED)
            .because("no PTR name (NXDOMAIN)");
        check("mail.example.test", &format!("{PTR} NODATA"), "any")
            .is(VIOLATED)
            .because("NODATA");
        check("mail.example.test", &format!("{PTR} SERVFAIL"), "any").is(UNAVAILABLE);
        check(
            "mail.example.test",
            &format!("{PTR} timeout"),
            "organisation",
        )
        .is(UNAVAILABLE);
        check(
            "m.test",
            &format!("{PTR} m.test\nm.test A SERVFAIL"),
            "verified",
        )
        .is(UNAVAILABLE);
        check("m.test", &format!("{PTR} m.test\nm.test A SERVFAIL"), "any").is(SATISFIED);
        check("[192.0.2.10]", "", "any").is(NOT_APPLICABLE);
        check("not valid", &format!("{PTR} m.test"), "any").is(VIOLATED);
    }

    #[test]
    fn a_verified_name_of_the_same_organisation() {
        let world = format!("{PTR} a.example.test\na.example.test A 192.0.2.10");
        check("b.example.test", &world, "verified").is(VIOLATED);
        check("b.example.test", &world, "verified-organisation").is(SATISFIED);
        check("b.other.test", &world, "verified-organisation").is(VIOLATED);
        // The PTR name is not verified.
        let world = format!("{PTR} a.example.test\na.example.test A 192.0.2.99");
        check("b.example.test", &world, "verified-organisation").is(VIOLATED);
        check("b.example.test", &world, "organisation").is(SATISFIED);
    }

    #[test]
    fn another_address_of_the_helo_name_is_a_remedy() {
        let remedied = |conduct| {
            case(Case {
                check: "helo-ptr-match",
                helo: Some("mail.other.test"),
                world: &format!("{PTR} a.example.test"),
                conduct,
                ..Case::default()
            })
            .is(VIOLATED)
        };
        remedied(|facts| {
            let helo = facts.helo.as_mut().expect("a HELO");
            let helo = std::sync::Arc::make_mut(helo);
            helo.addresses = vec![facts.client_address, [192, 0, 2, 11].into()];
        })
        .remedied_by("send from 192.0.2.11");
    }
}
