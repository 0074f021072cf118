//! `helo-spf` and `sender-spf`: the domain authorizes the client address (RFC 7208).

use crate::facts::{Facts, Observations, Spf, SpfResult};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, complaint, unavailable,
};
use crate::stage::Stage;

const PARAMETERS: [Parameter; 4] = [
    Parameter {
        name: "require",
        kind: Kind::Choice(&["no-fail", "pass"]),
        default: "\"no-fail\"",
        doc: "the required SPF result: any that this rule does not refuse, or only pass (Gmail 5.7.27)",
    },
    Parameter {
        name: "softfail",
        kind: Kind::Flag,
        default: "false",
        doc: "whether softfail is refused too",
    },
    Parameter {
        name: "permerror",
        kind: Kind::Flag,
        default: "true",
        doc: "whether permerror is refused (RFC 7208 §8.7 leaves it to the receiver)",
    },
    Parameter {
        name: "none",
        kind: Kind::Flag,
        default: "false",
        doc: "whether a domain without a record is refused",
    },
];

const NULL_SENDER: Parameter = Parameter {
    name: "null_sender",
    kind: Kind::Flag,
    default: "true",
    doc: "whether the null sender is judged too, by the HELO name (RFC 7208 §2.4; SpamAssassin: no)",
};

pub(super) static HELO: Check = Check {
    name: "helo-spf",
    topic: Topic::HeloSpf,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the SPF record of the HELO name authorizes the client address",
    basis: "RFC 7208 §2.3, RFC 7372 §3.2; Stalwart spf.verify.ehlo",
    beyond: "within RFC 7208 §8.4; the owner of the HELO name decides; the name is not compared with the client",
    parameters: &PARAMETERS,
    fail: &["550 5.7.23 SPF validation failed for HELO {helo} from [{ip}]"],
    error: &["451 4.7.24 Temporary SPF validation error for HELO {helo}"],
    needs: |_| Observations {
        spf_helo: true,
        ..Observations::default()
    },
    build: |settings| build(settings, |facts| facts.spf_helo.as_deref()),
};

/// For the null sender, the identity is postmaster at the HELO name (RFC 7208 §2.4).
pub(super) static SENDER: Check = Check {
    name: "sender-spf",
    topic: Topic::SenderSpf,
    stage: Stage::Mail,
    timing: Timing::Stage,
    checks: "the SPF record of the reverse-path's domain authorizes the client address",
    basis: "RFC 7208 §2.4, RFC 7372 §3.2; Gmail 5.7.27 with require = \"pass\"",
    beyond: "within RFC 7208 §8.4",
    parameters: &[
        PARAMETERS[0],
        PARAMETERS[1],
        PARAMETERS[2],
        PARAMETERS[3],
        NULL_SENDER,
    ],
    fail: &["550 5.7.23 <{sender}>: SPF validation failed for [{ip}]"],
    error: &["451 4.7.24 <{sender}>: Temporary SPF validation error"],
    needs: |_| Observations {
        spf_sender: true,
        ..Observations::default()
    },
    build: |settings| match settings.flag("null_sender", true) {
        true => build(settings, |facts| facts.spf_sender.as_ref()),
        false => build(settings, |facts| {
            let named = facts
                .sender
                .as_ref()
                .is_some_and(|sender| !sender.is_empty());
            facts.spf_sender.as_ref().filter(|_| named)
        }),
    },
};

fn build(settings: &Settings, spf: fn(&Facts) -> Option<&Spf>) -> Judge {
    let softfail = settings.flag("softfail", false);
    let permerror = settings.flag("permerror", true);
    let none = settings.flag("none", false);
    let pass = settings.choice("require", "no-fail") == "pass";
    Box::new(move |facts| {
        let Some(spf) = spf(facts) else {
            return Finding::NotApplicable;
        };
        let refused = match spf.result {
            SpfResult::Fail => true,
            SpfResult::SoftFail => softfail,
            SpfResult::PermError => permerror,
            SpfResult::None => none,
            SpfResult::Neutral => false,
            SpfResult::Pass => return Finding::Satisfied,
            SpfResult::TempError => {
                let correction = name::of_octets(&spf.domain).map(Change::MendDns);
                return unavailable(
                    format!(
                        "the SPF result of {} is temperror: {}",
                        spf.domain, spf.problem
                    ),
                    correction,
                );
            }
        };
        if refused || pass {
            violated(facts, spf)
        } else {
            Finding::Satisfied
        }
    })
}

fn violated(facts: &Facts, spf: &Spf) -> Finding {
    let because = match (&*spf.mechanism, &*spf.problem) {
        ("", "") => String::new(),
        ("", problem) => format!(" ({problem})"),
        (mechanism, _) => format!(" ({mechanism})"),
    };
    let why = format!(
        "the SPF result of {} is {} for {}{because}",
        spf.domain,
        spf.result.word(),
        facts.client_address
    );
    let address = facts.client_address;
    let authorize =
        name::of_octets(&spf.domain).map(|domain| Change::AuthorizeSpf { domain, address });
    let remedies = authorize.into_iter().chain([Change::AskReceiver(address)]);
    let mut complaint = complaint(why, remedies);
    complaint.quotes.push(("exp", spf.explanation.clone()));
    Finding::Violated(complaint)
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn helo_spf() {
        let check = |world, settings| {
            case(Case {
                check: "helo-spf",
                world,
                settings,
                ..Case::default()
            })
        };
        check("mail.example.test TXT v=spf1 ip4:192.0.2.10 -all", "").is(SATISFIED);
        check("mail.example.test TXT v=spf1 -all", "")
            .is(VIOLATED)
            .because("fail")
            .remedied_by("authorize 192.0.2.10 in the SPF record of mail.example.test");
        check("mail.example.test TXT v=spf1 ~all", "").is(SATISFIED);
        check("mail.example.test TXT v=spf1 ~all", "softfail = true").is(VIOLATED);
        check("mail.example.test TXT v=spf1 ?all", "").is(SATISFIED);
        check("mail.example.test TXT v=spf1 foo", "")
            .is(VIOLATED)
            .because("permerror");
        check("mail.example.test TXT v=spf1 foo", "permerror = false").is(SATISFIED);
        check("", "").is(SATISFIED);
        check("", "none = true").is(VIOLATED);
        let pass = "require = \"pass\"\npermerror = false";
        check("mail.example.test TXT v=spf1 ip4:192.0.2.10 -all", pass).is(SATISFIED);
        for world in [
            "mail.example.test TXT v=spf1 ?all",
            "mail.example.test TXT v=spf1 ~all",
            "mail.example.test TXT v=spf1 foo",
            "mail.example.test TXT v=DMARC1",
        ] {
            check(world, pass)
                .is(VIOLATED)
                .remedied_by("authorize 192.0.2.10 in the SPF record");
        }
        check("mail.example.test TXT SERVFAIL", pass).is(UNAVAILABLE);
        check("mail.example.test TXT timeout", "")
            .is(UNAVAILABLE)
            .because("timeout");
    }

    #[test]
    fn sender_spf() {
        let check = |sender, world| {
            case(Case {
                check: "sender-spf",
                sender: Some(sender),
                world,
                ..Case::default()
            })
        };
        check(
            "a@from.test",
            "from.test TXT v=spf1 a -all\nfrom.test A 192.0.2.10",
        )
        .is(SATISFIED);
        check(
            "a@from.test",
            "from.test TXT v=spf1 a -all\nfrom.test A 192.0.2.9",
        )
        .is(VIOLATED)
        .because("-all");
        check("", "mail.example.test TXT v=spf1 -all")
            .is(VIOLATED)
            .because("mail.example.test");
        check("a@from.test", "from.test TXT SERVFAIL").is(UNAVAILABLE);
        for (sender, expected) in [("", NOT_APPLICABLE), ("a@mail.example.test", VIOLATED)] {
            case(Case {
                check: "sender-spf",
                settings: "null_sender = false",
                sender: Some(sender),
                world: "mail.example.test TXT v=spf1 -all",
                ..Case::default()
            })
            .is(expected);
        }
        case(Case {
            check: "sender-spf",
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
    }
}
