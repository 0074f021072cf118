//! `dkim`, `spf-or-dkim`, `dmarc` and `ipv6-auth`: the message is authentic (RFC 6376, RFC 9989).

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::TXT;

use crate::facts::{AuthResult, Dmarc, Facts, Observations, SpfResult};
use crate::name;
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Settings, Timing, Topic, complaint, unavailable, violated,
};
use crate::policy::{Behaviour, Change};
use crate::stage::Stage;

/// The observations of a check that needs DKIM or DMARC, which include SPF of the envelope sender.
pub(super) fn message(_: &Settings) -> Observations {
    Observations {
        message: true,
        spf_sender: true,
        ..Observations::default()
    }
}

pub(super) static DKIM: Check = Check {
    name: "dkim",
    topic: Topic::Dkim,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "a DKIM signature of the message verifies",
    basis: "RFC 6376, RFC 7372 §3.1; Gmail 5.7.30",
    beyond: "beyond RFC 6376 §6.3: a message without a signature should be treated like any other",
    parameters: &[],
    fail: &["550 5.7.20 No passing DKIM signature found"],
    error: &["451 4.7.20 Temporary error verifying the DKIM signature"],
    needs: message,
    build: |_| Box::new(|facts| demand(facts, &[dkim(facts)], "DKIM did not pass")),
};

pub(super) static SPF_OR_DKIM: Check = Check {
    name: "spf-or-dkim",
    topic: Topic::Dkim,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "SPF of the reverse-path or a DKIM signature passes",
    basis: "RFC 7372 §3.3; Gmail 5.7.26, Yahoo 5.7.9",
    beyond: "beyond RFC 7208 and RFC 6376: a message without either should be treated like any other",
    parameters: &[Parameter {
        name: "spf",
        kind: Kind::Choice(&["any", "fail"]),
        default: "\"any\"",
        doc: "which SPF results the rule refuses: all except pass, or only fail (Gmail has another text for a record with -all)",
    }],
    fail: &["550 5.7.26 Multiple authentication checks failed"],
    error: &["451 4.7.26 Temporary error in authentication checks"],
    needs: message,
    build: |settings| {
        let only_fail = settings.choice("spf", "any") == "fail";
        Box::new(move |facts| {
            let result = facts.spf_sender.as_ref().map(|spf| spf.result);
            if only_fail && result != Some(SpfResult::Fail) {
                return Finding::NotApplicable;
            }
            demand(
                facts,
                &[spf(facts), dkim(facts)],
                "neither SPF nor DKIM passed",
            )
        })
    },
};

pub(super) static IPV6_AUTH: Check = Check {
    name: "ipv6-auth",
    topic: Topic::Dkim,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "over IPv6, SPF of the reverse-path or a DKIM signature passes",
    basis: "Gmail's IPv6 guidelines, Microsoft 4.7.26",
    beyond: "beyond RFC 5321, which treats both families alike",
    parameters: &[],
    fail: &["550 5.7.26 Message sent over IPv6 [{ip}] must pass either SPF or DKIM validation"],
    error: &["450 4.7.26 Temporary error in authentication checks"],
    needs: message,
    build: |_| {
        Box::new(|facts| match facts.client_address.is_ipv6() {
            true => demand(
                facts,
                &[spf(facts), dkim(facts)],
                "over IPv6 neither SPF nor DKIM passed",
            ),
            false => Finding::NotApplicable,
        })
    },
};

pub(super) static DMARC: Check = Check {
    name: "dmarc",
    topic: Topic::Dmarc,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the message passes DMARC, or the policy of its From domain does not ask for enforcement",
    basis: "RFC 9989 §5.3; Microsoft 5.7.515, Gmail 5.7.26, Yahoo 5.7.9",
    beyond: "beyond RFC 9989 if a policy other than reject is enforced, or a record is required",
    parameters: &[
        Parameter {
            name: "enforce",
            kind: Kind::Choice(&["reject", "quarantine", "any"]),
            default: "\"reject\"",
            doc: "the mildest published policy that is enforced",
        },
        Parameter {
            name: "record",
            kind: Kind::Flag,
            default: "false",
            doc: "whether a From domain without a record is refused",
        },
    ],
    fail: &["550 5.7.1 Email rejected per DMARC policy for {from}"],
    error: &["451 4.7.1 Temporary error in the DMARC evaluation"],
    needs: message,
    build: |settings| {
        let (enforce, record) = (
            settings.choice("enforce", "reject"),
            settings.flag("record", false),
        );
        Box::new(move |facts| {
            let Some(dmarc) = &facts.dmarc else {
                return Finding::NotApplicable;
            };
            let enforced = matches!(
                (enforce, dmarc.policy),
                ("any", _) | (_, "reject") | ("quarantine", "quarantine")
            );
            match dmarc.result {
                AuthResult::Fail if enforced => refused(facts, dmarc),
                AuthResult::TempError => unavailable(
                    format!("DNS failed for DMARC of {}", dmarc.from_domain),
                    answer(facts),
                ),
                AuthResult::None | AuthResult::PermError if record => refused(facts, dmarc),
                _ => Finding::Satisfied,
            }
        })
    },
};

/// Proposes that the failed DNS servers answer.
pub(super) fn answer(facts: &Facts) -> Option<Change> {
    let failed = facts.evidence.iter().find(|q| q.outcome.is_temporary())?;
    Some(Change::MendDns(failed.name.clone()))
}

/// Proposes that the domain of the envelope sender, or of the HELO name, authorizes the client.
pub(super) fn authorize(facts: &Facts) -> Option<Change> {
    let domain = name::of_octets(&facts.spf_sender.as_ref()?.domain)?;
    let address = facts.client_address;
    Some(Change::AuthorizeSpf { domain, address })
}

/// Proposes that the domain of the From header field signs the message.
pub(super) fn sign(facts: &Facts) -> Option<Change> {
    let from = &facts.dmarc.as_ref()?.from_domain;
    (!from.is_empty()).then(|| Change::Behave(Behaviour::Sign(from.clone())))
}

fn refused(facts: &Facts, dmarc: &Dmarc) -> Finding {
    let (why, remedies) = match dmarc.record {
        true => (
            format!(
                "neither an aligned SPF domain nor an aligned DKIM signature passed for {}",
                dmarc.from_domain
            ),
            sign(facts).into_iter().chain(authorize(facts)).collect(),
        ),
        false => (
            format!("{:?} publishes no DMARC record", dmarc.from_domain),
            publish(facts, dmarc, "none")
                .into_iter()
                .collect::<Vec<_>>(),
        ),
    };
    let mut complaint = complaint(why, remedies);
    complaint.quotes.push(("from", dmarc.from_domain.clone()));
    Finding::Violated(complaint)
}

/// Proposes that the From domain publishes a record with this policy, instead of its present record.
pub(super) fn publish(facts: &Facts, dmarc: &Dmarc, policy: &str) -> Option<Change> {
    let name = name::of_octets(&format!("_dmarc.{}", dmarc.from_domain))
        .filter(|_| !dmarc.from_domain.is_empty())?;
    let data = RData::TXT(TXT::new(vec![format!("v=DMARC1; p={policy}")]));
    let mut lookups = facts.evidence.iter().filter(|lookup| lookup.name == name);
    let old = lookups.find(|lookup| !lookup.answers.is_empty());
    Some(match old {
        Some(lookup) => Change::ReplaceRecord {
            name,
            old: lookup.answers.clone(),
            data,
        },
        None => Change::AddRecord { name, data },
    })
}

/// The best result of the signatures of the message; `None` if they were not verified.
fn dkim(facts: &Facts) -> Option<AuthResult> {
    let results: Vec<_> = facts
        .dkim
        .as_ref()?
        .iter()
        .map(|signature| signature.result)
        .collect();
    let has = |result| results.contains(&result);
    Some(match () {
        () if has(AuthResult::Pass) => AuthResult::Pass,
        () if has(AuthResult::TempError) => AuthResult::TempError,
        () => results.first().copied().unwrap_or(AuthResult::None),
    })
}

fn spf(facts: &Facts) -> Option<AuthResult> {
    Some(match facts.spf_sender.as_ref()?.result {
        SpfResult::Pass => AuthResult::Pass,
        SpfResult::TempError => AuthResult::TempError,
        SpfResult::None => AuthResult::None,
        _ => AuthResult::Fail,
    })
}

/// Requires that one of the results is a pass.
fn demand(facts: &Facts, results: &[Option<AuthResult>], why: &str) -> Finding {
    let has = |result| results.contains(&Some(result));
    if results.iter().all(Option::is_none) {
        Finding::NotApplicable
    } else if has(AuthResult::Pass) {
        Finding::Satisfied
    } else if has(AuthResult::TempError) {
        unavailable(format!("{why}, and DNS failed"), answer(facts))
    } else {
        violated(why, authorize(facts).into_iter().chain(sign(facts)))
    }
}

#[cfg(all(test, feature = "dkim"))]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    /// The message of RFC 8463 appendix A.3, with its two signatures.
    const SIGNED: &str = include_str!("../../../tests/data/rfc8463-a3.eml");
    const UNSIGNED: &str = "From: Joe <joe@football.example.com>\r\nSubject: x\r\n\r\nHi.\r\n";
    const KEYS: &str = "
        brisbane._domainkey.football.example.com TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        test._domainkey.football.example.com TXT NODATA";
    const REJECT: &str = "_dmarc.football.example.com TXT v=DMARC1; p=reject";
    const SPF: &str = "football.example.com TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::1 -all";

    #[track_caller]
    fn check(check: &str, message: &str, world: &[&str], expected: &str) {
        let (message, world, sender) = (
            Some(message),
            &world.join("\n"),
            Some("joe@football.example.com"),
        );
        case(Case {
            check,
            message,
            world,
            sender,
            ..Case::default()
        })
        .is(expected);
    }

    #[test]
    fn rfc6376_signatures() {
        check("dkim", SIGNED, &[KEYS], SATISFIED);
        check("dkim", UNSIGNED, &[KEYS], VIOLATED);
        check("dkim", &SIGNED.replace("Joe.", "Jim."), &[KEYS], VIOLATED);
        check("dkim", SIGNED, &[], VIOLATED);
        check(
            "dkim",
            SIGNED,
            &["brisbane._domainkey.football.example.com TXT SERVFAIL"],
            UNAVAILABLE,
        );
        case(Case {
            check: "dkim",
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }

    #[test]
    fn either_is_enough() {
        check("spf-or-dkim", UNSIGNED, &[SPF], SATISFIED);
        check("spf-or-dkim", SIGNED, &[KEYS], SATISFIED);
        check("spf-or-dkim", UNSIGNED, &[], VIOLATED);
        check(
            "spf-or-dkim",
            UNSIGNED,
            &["football.example.com TXT TIMEOUT"
                .replace("TIMEOUT", "timeout")
                .as_str()],
            UNAVAILABLE,
        );
        check("ipv6-auth", UNSIGNED, &[], NOT_APPLICABLE);
        let over_ipv6 = |world: &str, expected| {
            let (message, sender) = (Some(UNSIGNED), Some("joe@football.example.com"));
            case(Case {
                check: "ipv6-auth",
                client: "2001:db8::1",
                message,
                sender,
                world,
                ..Case::default()
            })
            .is(expected);
        };
        over_ipv6(SPF, SATISFIED);
        over_ipv6("", VIOLATED);
        over_ipv6("football.example.com TXT SERVFAIL", UNAVAILABLE);
    }

    #[test]
    fn rfc9989_policies() {
        check("dmarc", SIGNED, &[KEYS, REJECT], SATISFIED);
        check("dmarc", UNSIGNED, &[SPF, REJECT], SATISFIED);
        check("dmarc", UNSIGNED, &[REJECT], VIOLATED);
        check(
            "dmarc",
            UNSIGNED,
            &[&REJECT.replace("reject", "quarantine")],
            SATISFIED,
        );
        check(
            "dmarc",
            UNSIGNED,
            &["_dmarc.example.com TXT v=DMARC1; p=none; sp=reject; np=none"],
            VIOLATED,
        );
        check("dmarc", UNSIGNED, &[], SATISFIED);
        check(
            "dmarc",
            UNSIGNED,
            &["_dmarc.football.example.com TXT SERVFAIL"],
            UNAVAILABLE,
        );
        let settings = "enforce = \"any\"\nrecord = true";
        let strict = |world: &str, expected| {
            let (message, sender) = (Some(UNSIGNED), Some("joe@football.example.com"));
            case(Case {
                check: "dmarc",
                settings,
                message,
                sender,
                world,
                ..Case::default()
            })
            .is(expected)
            .because("football");
        };
        strict("", VIOLATED);
        strict("_dmarc.football.example.com TXT v=DMARC1; p=none", VIOLATED);
    }
}
