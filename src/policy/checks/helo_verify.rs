//! `helo-verify`: any of Exim's three ways to verify a HELO name.

use crate::facts::{Facts, Helo, HeloObservations, IprevResult, Observations};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, unavailable, violated};
use crate::stage::Stage;

/// Exim does not skip the `IPv6:` of a literal, so an IPv6 literal without the tag verifies. A HELO name whose lookup
/// fails counts as unverified; `error` is sent if the lookup of the client's own names fails and nothing else verifies.
pub(super) static CHECK: Check = Check {
    name: "helo-verify",
    topic: Topic::HeloAddress,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is the address literal of the client or its verified name, or resolves to the client address",
    basis: "Exim verify = helo, helo_verify_hosts, smtp_verify_helo in smtp_in.c",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO and forbids refusing on that ground",
    parameters: &[],
    fail: &["550 EHLO argument does not match calling host"],
    error: &["451 Temporary local problem - please try later"],
    needs: |_| Observations {
        helo: HeloObservations::ADDRESSES,
        iprev: true,
        ..Observations::default()
    },
    build: |_| Box::new(judge),
};

fn judge(facts: &Facts) -> Finding {
    let (Some(helo), Some(iprev)) = (&facts.helo, &facts.iprev) else {
        return Finding::NotApplicable;
    };
    let literal = helo.argument.strip_prefix('[');
    let same = literal.is_some_and(|inner| inner.starts_with(&facts.client_address.to_string()));
    let named =
        iprev.result == IprevResult::Pass && facts.relation.is_some_and(|r| r.equals_verified);
    if same || named || helo.contains(facts.client_address) {
        return Finding::Satisfied;
    }
    if literal.is_none() && iprev.result == IprevResult::Temperror {
        return unavailable(
            format!(
                "whether {} is {} is unknown: {}",
                helo.argument, facts.client_address, iprev.explanation
            ),
            [Change::MendDns(super::iprev::failed(facts, iprev))],
        );
    }
    violated(complaint(facts, helo), remedies(facts, helo))
}

fn complaint(facts: &Facts, helo: &Helo) -> String {
    let client = facts.client_address;
    format!(
        "{:?} is neither the literal of {client} nor a verified name of it, and does not resolve to it",
        helo.argument
    )
}

fn remedies(facts: &Facts, helo: &Helo) -> Vec<Change> {
    let verified = facts.iprev.as_ref().and_then(|i| i.verified_name.as_ref());
    let mut remedies: Vec<_> = verified
        .map(|name| Change::SayHelo(Some(name::display(name))))
        .into_iter()
        .collect();
    remedies.extend(helo.name().map(|name| Change::PointName {
        name: name.clone(),
        address: facts.client_address,
    }));
    remedies.push(Change::SayHelo(Some(format!("[{}]", facts.client_address))));
    remedies
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, UNAVAILABLE, VIOLATED, case};

    #[test]
    fn helo_verify() {
        let check = |helo: &str, world: &str| {
            case(Case {
                check: "helo-verify",
                helo: Some(helo),
                world,
                ..Case::default()
            })
        };
        let named = "10.2.0.192.in-addr.arpa PTR m.test\nm.test A 192.0.2.10";
        check("[192.0.2.10]", "").is(SATISFIED);
        check("[192.0.2.11]", "")
            .is(VIOLATED)
            .remedied_by("[192.0.2.10]");
        check("M.test", named).is(SATISFIED);
        check(
            "m.test",
            "10.2.0.192.in-addr.arpa PTR m.test\nm.test A 192.0.2.9",
        )
        .is(VIOLATED);
        check("other.test", "other.test A 192.0.2.10").is(SATISFIED);
        check("other.test", named)
            .is(VIOLATED)
            .remedied_by("send EHLO m.test");
        check("other.test", "other.test A SERVFAIL").is(VIOLATED);
        check("other.test", "10.2.0.192.in-addr.arpa PTR timeout").is(UNAVAILABLE);
        check(
            "m.test",
            "10.2.0.192.in-addr.arpa PTR m.test b.test\nm.test A 192.0.2.10\nb.test A SERVFAIL",
        )
        .is(SATISFIED);
        check("a b", named).is(VIOLATED);
    }
}
