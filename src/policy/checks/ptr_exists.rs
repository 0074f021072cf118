//! `ptr-exists`: the client address has a PTR record that names a host.

use crate::facts::{Facts, Outcome, PtrNames};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, ptr_names, unavailable,
    violated,
};
use crate::stage::Stage;

/// Only the names that `[iprev]` looks up count: Postfix reads only the first name.
pub(super) static CHECK: Check = Check {
    name: "ptr-exists",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "the PTR answer has at least one name that could be a host name",
    basis: "RFC 1912 §2.1; Postfix reject_unknown_reverse_client_hostname, Comcast, GoDaddy, GMX",
    beyond: "beyond RFC 5321, which does not require a PTR record",
    parameters: &[Parameter {
        name: "names",
        kind: Kind::Choice(&["host", "not-numeric", "any"]),
        default: "\"host\"",
        doc: "which names count: valid host names, names that do not look like an address, or all names except the root",
    }],
    fail: &["550 5.7.25 Client host rejected: no PTR record for [{ip}]"],
    error: &["451 4.7.25 Client host rejected: PTR lookup for [{ip}] failed, try again later"],
    needs: ptr_names,
    build,
};

fn build(settings: &Settings) -> Judge {
    let word = settings.choice("names", "host");
    let named = PtrNames::ALL.into_iter().find(|(known, _)| *known == word);
    let names = named.map_or(PtrNames::Host, |(_, names)| names);
    Box::new(move |facts| judge(facts, names))
}

fn judge(facts: &Facts, names: PtrNames) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    let address = facts.client_address;
    match iprev.reverse {
        Outcome::Data if iprev.forwards.iter().any(|f| names.count(&f.name)) => Finding::Satisfied,
        Outcome::Data => {
            let names: Vec<_> = iprev
                .forwards
                .iter()
                .map(|f| name::display(&f.name))
                .collect();
            let why = format!(
                "the PTR record of {address} has no host name: {}",
                names.join(", ")
            );
            violated(
                why,
                [Change::PointPtr {
                    address,
                    target: named(facts),
                }],
            )
        }
        outcome if outcome.is_temporary() => {
            let why = format!(
                "whether {address} has a PTR record is unknown: the lookup ended with {outcome}"
            );
            unavailable(why, [Change::MendDns(name::reverse(address))])
        }
        outcome => {
            let why = format!("{address} has no PTR record ({outcome})");
            violated(
                why,
                [
                    Change::PointPtr {
                        address,
                        target: named(facts),
                    },
                    Change::AskReceiver(address),
                ],
            )
        }
    }
}

/// The HELO name, as the natural target of a PTR record.
pub(super) fn named(facts: &Facts) -> Option<name::Name> {
    facts
        .helo
        .as_ref()
        .and_then(|h| h.name())
        .filter(|n| n.num_labels() > 1)
        .cloned()
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, UNAVAILABLE, VIOLATED, case};

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn ptr_exists() {
        let check = |world: &str| {
            case(Case {
                check: "ptr-exists",
                world,
                ..Case::default()
            })
        };
        check(&format!("{PTR} mail.example.test")).is(SATISFIED);
        check(&format!("{PTR} under_score.example.test")).is(SATISFIED);
        check(&format!("{PTR} 192.0.2.10 mail.example.test")).is(SATISFIED);
        check("")
            .is(VIOLATED)
            .remedied_by("10.2.0.192.in-addr.arpa. PTR mail.example.test.");
        check(&format!("{PTR} NODATA"))
            .is(VIOLATED)
            .because("NODATA");
        check(&format!("{PTR} 192.0.2.10"))
            .is(VIOLATED)
            .because("has no host name");
        check(&format!("{PTR} .")).is(VIOLATED);
        check(&format!("{PTR} SERVFAIL"))
            .is(UNAVAILABLE)
            .because("SERVFAIL");
        check(&format!("{PTR} timeout"))
            .is(UNAVAILABLE)
            .because("timeout");
        check(&format!("{PTR} REFUSED")).is(UNAVAILABLE);
        let any = |world: &str| {
            case(Case {
                check: "ptr-exists",
                world,
                settings: "names = \"any\"",
                ..Case::default()
            })
        };
        any(&format!("{PTR} 192.0.2.10")).is(SATISFIED);
        any(&format!("{PTR} .")).is(VIOLATED);
    }
}
