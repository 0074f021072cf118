//! `helo-is-me`: the client does not use the receiver's name or address as its HELO name.

use std::net::IpAddr;

use crate::facts::{Facts, Helo};
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, nothing, violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-is-me",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is not the name or address of the receiver, nor a listed one",
    basis: "Sendmail block_bad_helo, the common Exim ACL, Exchange Online 5.7.506",
    beyond: "beyond RFC 5321 §4.1.4, although no honest client uses the receiver's name",
    parameters: &[
        Parameter {
            name: "names",
            kind: Kind::Words,
            default: "[]",
            doc: "further names of the receiver",
        },
        Parameter {
            name: "addresses",
            kind: Kind::Networks,
            default: "[]",
            doc: "addresses of the receiver",
        },
    ],
    fail: &["550 5.7.1 REJECTED - Bad HELO - Host impersonating [{helo}]"],
    error: &["450 4.7.1 Bad HELO"],
    needs: nothing,
    build,
};

fn build(settings: &Settings) -> Judge {
    let names: Vec<_> = settings
        .words("names", &[])
        .iter()
        .map(|n| bare(n))
        .collect();
    let networks = settings.networks("addresses");
    Box::new(move |facts| {
        let Some(helo) = &facts.helo else {
            return Finding::NotApplicable;
        };
        let listed = |a: &IpAddr| networks.iter().any(|net| net.contains(a));
        if is_name(helo, facts, &names) || helo.address.as_ref().is_some_and(listed) {
            let why = format!(
                "the HELO {} is the receiver's own name or address",
                helo.argument
            );
            return violated(why, [super::helo_syntax::better(facts)]);
        }
        Finding::Satisfied
    })
}

fn is_name(helo: &Helo, facts: &Facts, names: &[String]) -> bool {
    let argument = bare(&helo.argument);
    !argument.is_empty() && (argument == bare(&facts.receiver_name) || names.contains(&argument))
}

fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, VIOLATED, case};

    #[test]
    fn helo_is_me() {
        let settings = "names = [\"contoso.test\"]\naddresses = [\"198.51.100.25\"]";
        let check = |helo| {
            case(Case {
                check: "helo-is-me",
                helo: Some(helo),
                settings,
                ..Case::default()
            })
        };
        check("mail.example.test").is(SATISFIED);
        check("[192.0.2.10]").is(SATISFIED);
        check("MX.martinet.test").is(VIOLATED);
        check("contoso.test.").is(VIOLATED);
        check("[198.51.100.25]").is(VIOLATED);
        check("198.51.100.25").is(VIOLATED);
    }
}
