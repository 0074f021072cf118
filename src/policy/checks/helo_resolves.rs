//! `helo-resolves`: the HELO name has an address (or MX).

use crate::facts::{Facts, HeloObservations, Observations, Outcome};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, unavailable, violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-resolves",
    topic: Topic::HeloAddress,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name has an A or AAAA record, or an MX record if mx = true",
    basis: "RFC 5321 §2.3.5; Postfix reject_unknown_helo_hostname, qpsmtpd no_forward_dns",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO name and forbids refusing on that ground",
    parameters: &[
        Parameter {
            name: "mx",
            kind: Kind::Flag,
            default: "true",
            doc: "whether an MX record is enough (Postfix: yes, even a null MX)",
        },
        Parameter {
            name: "trailing_dot",
            kind: Kind::Flag,
            default: "true",
            doc: "whether a name that ends in a dot is looked up (Postfix: no, it counts as unknown)",
        },
        Parameter {
            name: "overlong",
            kind: Kind::Flag,
            default: "false",
            doc: "whether names of 254 and 255 octets, which are too long for DNS, count as unknown (Postfix: yes)",
        },
    ],
    fail: &["550 5.7.1 <{helo}>: Helo command rejected: Host not found"],
    error: &["450 4.7.1 <{helo}>: Helo command rejected: Host not found"],
    needs: |_| Observations {
        helo: HeloObservations {
            addresses: true,
            mx: true,
            mx_addresses: false,
        },
        ..Observations::default()
    },
    build,
};

fn build(settings: &Settings) -> Judge {
    let mx = settings.flag("mx", true);
    let trailing_dot = settings.flag("trailing_dot", true);
    let overlong = settings.flag("overlong", false);
    Box::new(move |facts| match &facts.helo {
        Some(helo) if overlong && helo.is_overlong_name() => violated(
            "the HELO is too long for DNS",
            [super::helo_syntax::better(facts)],
        ),
        _ => judge(facts, mx, trailing_dot),
    })
}

fn judge(facts: &Facts, mx: bool, trailing_dot: bool) -> Finding {
    let Some(helo) = &facts.helo else {
        return Finding::NotApplicable;
    };
    let Some(name) = helo.name() else {
        return Finding::NotApplicable;
    };
    if helo.argument.ends_with('.') && !trailing_dot {
        return violated(
            "the HELO ends in a dot and is not looked up",
            [super::helo_syntax::better(facts)],
        );
    }
    let observed = [helo.addresses_outcome, helo.mx_outcome.filter(|_| mx)];
    let outcomes = || observed.iter().flatten();
    if outcomes().any(|o| *o == Outcome::Data) {
        return Finding::Satisfied;
    }
    if let Some(failure) = outcomes().find(|o| o.is_temporary()) {
        let why = format!(
            "whether {} resolves is unknown: the lookup ended with {failure}",
            helo.argument
        );
        return unavailable(why, [Change::MendDns(name.clone())]);
    }
    let outcome = helo.addresses_outcome.unwrap_or(Outcome::NxDomain);
    let why = format!(
        "the HELO name {} does not resolve ({outcome})",
        helo.argument
    );
    violated(
        why,
        [
            super::helo_syntax::better(facts),
            Change::PointName {
                name: name.clone(),
                address: facts.client_address,
            },
        ],
    )
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn helo_resolves() {
        let check = |world, settings| {
            case(Case {
                check: "helo-resolves",
                world,
                settings,
                ..Case::default()
            })
        };
        check("mail.example.test A 203.0.113.1", "").is(SATISFIED);
        check("mail.example.test AAAA 2001:db8::1", "").is(SATISFIED);
        check("mail.example.test A 203.0.113.1", "overlong = true").is(SATISFIED);
        check("mail.example.test MX mx.example.test", "").is(SATISFIED);
        check("mail.example.test MX mx.example.test", "mx = false")
            .is(VIOLATED)
            .because("NODATA");
        check("", "")
            .is(VIOLATED)
            .because("NXDOMAIN")
            .remedied_by("mail.example.test. A 192.0.2.10");
        check(
            "mail.example.test A SERVFAIL\nmail.example.test MX mx.example.test",
            "",
        )
        .is(SATISFIED);
        check("mail.example.test A SERVFAIL", "").is(UNAVAILABLE);
        check(
            "mail.example.test A timeout\nmail.example.test AAAA 2001:db8::1",
            "",
        )
        .is(SATISFIED);
        check(
            "mail.example.test A NODATA\nmail.example.test MX timeout",
            "",
        )
        .is(UNAVAILABLE);
    }

    #[test]
    fn a_name_with_a_final_dot() {
        let check = |settings| {
            let (helo, world) = (Some("m.test."), "m.test A 203.0.113.1");
            case(Case {
                check: "helo-resolves",
                helo,
                world,
                settings,
                ..Case::default()
            })
        };
        check("").is(SATISFIED);
        check("trailing_dot = false")
            .is(VIOLATED)
            .because("ends in a dot");
    }

    #[test]
    fn a_literal_is_not_looked_up() {
        case(Case {
            check: "helo-resolves",
            helo: Some("[192.0.2.10]"),
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }
}
