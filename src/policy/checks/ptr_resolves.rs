//! `ptr-resolves`: a PTR name of the client address has any address.

use super::ptr_exists;
use crate::facts::{Facts, Outcome};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, ptr_names, unavailable, violated};
use crate::stage::Stage;

/// `iprev` judges a name that leads to another address, so that each case can have a reply of its own.
pub(super) static CHECK: Check = Check {
    name: "ptr-resolves",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "a PTR name of the client address has any address; ptr-exists judges a client without a PTR name",
    basis: "RFC 1912 §2.1; spamdyke reject-unresolvable-rdns",
    beyond: "beyond RFC 5321, which does not require reverse DNS",
    parameters: &[],
    fail: &["550 5.7.25 Client host rejected: the PTR name {ptr} of [{ip}] does not resolve"],
    error: &[
        "451 4.7.25 Client host rejected: cannot resolve the PTR name of [{ip}], try again later",
    ],
    needs: ptr_names,
    build: |_| Box::new(judge),
};

fn judge(facts: &Facts) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    let address = facts.client_address;
    if iprev.reverse.is_temporary() {
        let why = format!("the PTR names of {address} are unknown: {}", iprev.reverse);
        return unavailable(why, [Change::MendDns(name::reverse(address))]);
    }
    // Names given by XCLIENT confirm the client without an address lookup.
    let resolves = |outcome: Outcome, confirms: bool| confirms || outcome == Outcome::Data;
    let mut forwards = iprev.forwards.iter();
    if forwards.len() == 0 || forwards.any(|f| resolves(f.outcome, f.confirms)) {
        return Finding::Satisfied;
    }
    if let Some(failed) = iprev.forwards.iter().find(|f| f.temporary) {
        let why = format!(
            "whether the PTR name {} resolves is unknown: {}",
            name::display(&failed.name),
            failed.outcome
        );
        return unavailable(why, [Change::MendDns(failed.name.clone())]);
    }
    let all: Vec<_> = iprev
        .forwards
        .iter()
        .map(|f| format!("{} ({})", name::display(&f.name), f.outcome))
        .collect();
    let first = iprev.host_names().next().cloned();
    let point = first.map(|name| Change::PointName { name, address });
    let target = ptr_exists::named(facts);
    violated(
        format!("no PTR name of {address} resolves: {}", all.join(", ")),
        point
            .into_iter()
            .chain([Change::PointPtr { address, target }]),
    )
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, UNAVAILABLE, VIOLATED, case};

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn ptr_resolves() {
        let check = |world: &str| {
            case(Case {
                check: "ptr-resolves",
                world,
                ..Case::default()
            })
        };
        check(&format!("{PTR} m.test\nm.test A 192.0.2.10")).is(SATISFIED);
        check(&format!("{PTR} m.test\nm.test A 203.0.113.1")).is(SATISFIED);
        check(&format!("{PTR} a.test m.test\nm.test A 203.0.113.1")).is(SATISFIED);
        check("").is(SATISFIED);
        check(&format!("{PTR} m.test"))
            .is(VIOLATED)
            .because("m.test (NXDOMAIN)")
            .remedied_by("m.test. A 192.0.2.10")
            .remedied_by("PTR mail.example.test");
        check(&format!("{PTR} m.test\nm.test A NODATA")).is(VIOLATED);
        check(&format!("{PTR} a.test m.test\nm.test A timeout")).is(UNAVAILABLE);
        check(&format!("{PTR} SERVFAIL")).is(UNAVAILABLE);
    }
}
