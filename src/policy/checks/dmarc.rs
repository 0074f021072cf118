//! `dmarc-record` and `dmarc-alignment`: the parts of DMARC that some receivers enforce on their own (RFC 9989).

use super::authentic::{answer, authorize, message, publish, sign};
use crate::facts::{AuthResult, Dmarc, Facts, SpfResult};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Complaint, Finding, Kind, Parameter, Timing, Topic, unavailable, violated,
};
use crate::stage::Stage;

pub(super) static RECORD: Check = Check {
    name: "dmarc-record",
    topic: Topic::Dmarc,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the From domain, or its organizational domain, publishes a DMARC record",
    basis: "RFC 9989 §4.7; Gmail 4.7.40 and 5.7.40 for bulk senders, Microsoft 5.7.515",
    beyond: "beyond RFC 9989, which does not require a record",
    parameters: &[Parameter {
        name: "policy",
        kind: Kind::Choice(&["none", "quarantine", "reject"]),
        default: "\"none\"",
        doc: "the mildest policy that the record must publish",
    }],
    fail: &[
        "550 5.7.40 The domain {from} has no DMARC record, or the record does not specify a policy",
    ],
    error: &["451 4.7.40 Temporary error looking up the DMARC record of {from}"],
    needs: message,
    build: |settings| {
        let least = settings.choice("policy", "none");
        Box::new(move |facts| match &facts.dmarc {
            Some(dmarc) => quoting(record(facts, dmarc, least), dmarc),
            None => Finding::NotApplicable,
        })
    },
};

pub(super) static ALIGNMENT: Check = Check {
    name: "dmarc-alignment",
    topic: Topic::Dmarc,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "a domain that SPF or DKIM authenticated is aligned with the From domain, with or without a DMARC record",
    basis: "RFC 9989 §5.1; Gmail 4.7.32 for bulk senders",
    beyond: "beyond RFC 9989: alignment is required whatever the policy, and relaxed alignment even without a record",
    parameters: &[],
    fail: &[
        "550 5.7.32 The From: header of this message is not aligned with the domain that SPF or DKIM authenticated",
    ],
    error: &["451 4.7.32 Temporary error in authentication checks for {from}"],
    needs: message,
    build: |_| {
        Box::new(|facts| match &facts.dmarc {
            Some(dmarc) => quoting(alignment(facts, dmarc), dmarc),
            None => Finding::NotApplicable,
        })
    },
};

fn record(facts: &Facts, dmarc: &Dmarc, least: &str) -> Finding {
    const MILDEST_FIRST: [&str; 3] = ["none", "quarantine", "reject"];
    let strictness = |policy: &str| MILDEST_FIRST.iter().position(|known| *known == policy);
    let from = &dmarc.from_domain;
    match dmarc.record {
        true if strictness(dmarc.policy) >= strictness(least) => Finding::Satisfied,
        true => violated(
            format!(
                "the DMARC policy of {from} is {}, and at least {least} is required",
                dmarc.policy
            ),
            publish(facts, dmarc, least),
        ),
        false if from.is_empty() => violated("the message has no From domain", None::<Change>),
        false if dmarc.result == AuthResult::TempError => unavailable(
            format!("whether {from} publishes a DMARC record is unknown: DNS failed"),
            answer(facts),
        ),
        false => violated(
            format!("{from} publishes no DMARC record"),
            publish(facts, dmarc, least),
        ),
    }
}

fn alignment(facts: &Facts, dmarc: &Dmarc) -> Finding {
    let from = &dmarc.from_domain;
    let aligned = match dmarc.record {
        true => dmarc.spf_aligned || dmarc.dkim_aligned,
        false => authenticated(facts).any(|domain| is_relaxed_aligned(&domain, from)),
    };
    if aligned {
        return Finding::Satisfied;
    }
    let why = format!(
        "no domain that SPF or DKIM authenticated is aligned with the From domain {}",
        if from.is_empty() {
            "(there is none)"
        } else {
            from
        }
    );
    let spf = facts.spf_sender.as_ref().map(|spf| spf.result);
    let signatures = facts.dkim.iter().flatten();
    let failed = spf == Some(SpfResult::TempError)
        || dmarc.result == AuthResult::TempError
        || signatures
            .into_iter()
            .any(|s| s.result == AuthResult::TempError);
    if failed {
        return unavailable(format!("{why}, and DNS failed"), answer(facts));
    }
    let authorize = authorize(facts).filter(|change| match change {
        Change::AuthorizeSpf { domain, .. } => is_relaxed_aligned(&name::display(domain), from),
        _ => true,
    });
    violated(why, sign(facts).into_iter().chain(authorize))
}

/// The domains that SPF or DKIM authenticated.
fn authenticated(facts: &Facts) -> impl Iterator<Item = String> {
    let spf = facts.spf_sender.as_ref();
    let spf = spf.filter(|spf| spf.result == SpfResult::Pass);
    let dkim = facts.dkim.iter().flatten();
    let dkim = dkim.filter(|signature| signature.result == AuthResult::Pass);
    let spf = spf.map(|spf| spf.domain.clone()).into_iter();
    spf.chain(dkim.map(|signature| signature.domain.clone()))
}

/// Whether both have the same organizational domain (RFC 9989 §5.1).
fn is_relaxed_aligned(one: &str, other: &str) -> bool {
    let organizational = |text: &str| {
        let name = name::absolute(text)?;
        name::organisational_domain(&name).or_else(|| Some(name::display(&name)))
    };
    let (one, other) = (organizational(one), organizational(other));
    one.is_some() && one == other
}

fn quoting(finding: Finding, dmarc: &Dmarc) -> Finding {
    let quoted = |mut complaint: Complaint| {
        complaint.quotes.push(("from", dmarc.from_domain.clone()));
        complaint
    };
    match finding {
        Finding::Violated(complaint) => Finding::Violated(quoted(complaint)),
        Finding::Unavailable(complaint) => Finding::Unavailable(quoted(complaint)),
        other => other,
    }
}

#[cfg(all(test, feature = "dkim"))]
mod tests {
    use super::authenticated;
    use crate::facts::{AuthResult, Dkim, Facts};
    use crate::policy::checks::test::{Case, Outcome, SATISFIED, UNAVAILABLE, VIOLATED, case};

    const UNSIGNED: &str = "From: Joe <joe@mail.example.com>\r\nSubject: x\r\n\r\nHi.\r\n";
    const SPF: &str = "bounces.example.com TXT v=spf1 ip4:192.0.2.10 -all";
    const FOREIGN: &str = "other.test TXT v=spf1 ip4:192.0.2.10 -all";

    #[track_caller]
    fn check(name: &str, sender: &str, world: &[&str], settings: &str, expected: &str) -> Outcome {
        case(Case {
            check: name,
            sender: Some(sender),
            world: &world.join("\n"),
            settings,
            message: Some(UNSIGNED),
            ..Case::default()
        })
        .is(expected)
    }

    #[test]
    fn only_signatures_that_pass_authenticate() {
        let facts = |result| {
            let mut facts = Facts::new(std::net::Ipv4Addr::LOCALHOST.into());
            facts.dkim = Some(vec![Dkim {
                domain: "example.com".to_owned(),
                selector: "s".to_owned(),
                result,
                why: String::new(),
            }]);
            facts
        };
        let domains = |result| authenticated(&facts(result)).collect::<Vec<_>>();
        assert_eq!(domains(AuthResult::Pass), ["example.com"]);
        assert!(domains(AuthResult::Fail).is_empty());
    }

    #[test]
    fn record() {
        let record = |world: &str, settings, expected| {
            check(
                "dmarc-record",
                "a@bounces.example.com",
                &[SPF, world],
                settings,
                expected,
            )
        };
        record(
            "_dmarc.mail.example.com TXT v=DMARC1; p=none",
            "",
            SATISFIED,
        );
        record("_dmarc.example.com TXT v=DMARC1; p=none", "", SATISFIED);
        record("", "", VIOLATED)
            .because("mail.example.com publishes no DMARC record")
            .remedied_by("v=DMARC1; p=none");
        let strict = "policy = \"quarantine\"";
        record("_dmarc.example.com TXT v=DMARC1; p=none", strict, VIOLATED)
            .because("is none")
            .remedied_by("p=quarantine");
        record(
            "_dmarc.example.com TXT v=DMARC1; p=reject",
            strict,
            SATISFIED,
        );
        record("_dmarc.mail.example.com TXT SERVFAIL", "", UNAVAILABLE);
    }

    #[test]
    fn alignment() {
        let aligned = |sender, world: &[&str], expected| {
            check("dmarc-alignment", sender, world, "", expected)
        };
        let strict = "_dmarc.example.com TXT v=DMARC1; p=none; aspf=s";
        let relaxed = "_dmarc.example.com TXT v=DMARC1; p=none";
        aligned("a@bounces.example.com", &[SPF, relaxed], SATISFIED);
        aligned("a@bounces.example.com", &[SPF], SATISFIED);
        aligned("a@bounces.example.com", &[SPF, strict], VIOLATED)
            .remedied_by("sign the message with DKIM");
        aligned("a@other.test", &[FOREIGN, relaxed], VIOLATED)
            .because("From domain mail.example.com");
        aligned("a@other.test", &[FOREIGN], VIOLATED);
        aligned("a@other.test", &["other.test TXT timeout"], UNAVAILABLE);
    }
}
