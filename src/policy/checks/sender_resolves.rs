//! `sender-resolves` and `from-header-resolves`: mail can be sent to the domain of the envelope sender, or of the From
//! header field.

use crate::facts::{Facts, Observations, Outcome, SenderDomain, SenderObservations};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, unavailable, violated,
};
use crate::stage::Stage;

const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "about",
        kind: Kind::Choice(&["all", "null-mx", "absence"]),
        default: "\"all\"",
        doc: "what is refused: everything, only a null MX, or everything else (Postfix has different texts for them)",
    },
    Parameter {
        name: "soa",
        kind: Kind::Flag,
        default: "false",
        doc: "whether a domain with only a SOA record is accepted (Yahoo)",
    },
    Parameter {
        name: "mx",
        kind: Kind::Flag,
        default: "false",
        doc: "whether an address in place of an MX record is refused (Facebook)",
    },
];

pub(super) static SENDER: Check = Check {
    name: "sender-resolves",
    topic: Topic::SenderDomain,
    stage: Stage::Mail,
    timing: Timing::Stage,
    checks: "the domain of the reverse-path has an MX, A or AAAA record, and no null MX",
    basis: "RFC 5321 §5.1, RFC 7505 §4.1; Postfix reject_unknown_sender_domain, Sendmail, Yahoo, GMX",
    beyond: "within RFC 5321 §3.6.2, which requires a domain that resolves",
    parameters: PARAMETERS,
    fail: &["550 5.1.8 <{sender}>: Sender address rejected: Domain not found"],
    error: &["450 4.1.8 <{sender}>: Sender address rejected: Domain not found"],
    needs: |_| Observations {
        sender: SenderObservations::DOMAIN,
        ..Observations::default()
    },
    build: |settings| build(settings, |facts| facts.sender_domain.as_ref()),
};

pub(super) static FROM: Check = Check {
    name: "from-header-resolves",
    topic: Topic::Other,
    stage: Stage::Eod,
    timing: Timing::Stage,
    checks: "the domain of the From header field has an MX, A or AAAA record, and no null MX",
    basis: "RFC 5322 §3.6.2, RFC 5321 §5.1, RFC 7505 §4.1; Yahoo with soa = true",
    beyond: "beyond RFC 5321 §3.3, which does not let a server judge the header",
    parameters: PARAMETERS,
    fail: &["550 5.1.8 The domain of the From header field cannot be replied to"],
    error: &["451 4.1.8 The domain of the From header field cannot be looked up"],
    needs: |_| Observations {
        from_domain: true,
        ..Observations::default()
    },
    build: |settings| build(settings, |facts| facts.from_domain.as_ref()),
};

fn build(settings: &Settings, domain: fn(&Facts) -> Option<&SenderDomain>) -> Judge {
    let (about, soa) = (settings.choice("about", "all"), settings.flag("soa", false));
    let mx = settings.flag("mx", false);
    Box::new(move |facts| match domain(facts) {
        Some(domain) => judge(domain, about, soa, mx),
        None => Finding::NotApplicable,
    })
}

fn judge(sender: &SenderDomain, about: &str, soa: bool, mx: bool) -> Finding {
    let domain = name::display(&sender.domain);
    if (about == "null-mx" && !sender.null_mx) || (about == "absence" && sender.null_mx) {
        return Finding::Satisfied;
    }
    if sender.null_mx {
        return violated(
            format!("{domain} accepts no mail (null MX), so nobody can reply"),
            [Change::AddMx(sender.domain.clone())],
        );
    }
    let outcomes = [
        Some(sender.mx),
        sender.addresses.filter(|_| !mx),
        sender.soa.filter(|_| soa),
    ];
    if outcomes.contains(&Some(Outcome::Data)) {
        return Finding::Satisfied;
    }
    match outcomes.into_iter().flatten().find(|o| o.is_temporary()) {
        Some(failure) => unavailable(
            format!("whether {domain} can be replied to is unknown: {failure}"),
            [Change::MendDns(sender.domain.clone())],
        ),
        None => violated(
            format!(
                "{domain} has no MX record{} ({})",
                if mx { "" } else { " and no address" },
                sender.addresses.filter(|_| !mx).unwrap_or(sender.mx)
            ),
            [Change::AddMx(sender.domain.clone())],
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn sender_resolves() {
        let check = |world| {
            case(Case {
                check: "sender-resolves",
                sender: Some("a@from.test"),
                world,
                ..Case::default()
            })
        };
        check("from.test MX mx.from.test").is(SATISFIED);
        check("from.test A 192.0.2.1").is(SATISFIED);
        check("from.test AAAA 2001:db8::1").is(SATISFIED);
        check("from.test MX .").is(VIOLATED).because("null MX");
        check("")
            .is(VIOLATED)
            .because("NXDOMAIN")
            .remedied_by("MX record for from.test");
        check("from.test TXT x").is(VIOLATED).because("NODATA");
        check("from.test MX SERVFAIL").is(UNAVAILABLE);
        check("from.test MX NODATA\nfrom.test A timeout").is(UNAVAILABLE);
        check("from.test MX timeout\nfrom.test A 192.0.2.1").is(SATISFIED);
        let about = |settings, world| {
            let sender = Some("a@from.test");
            case(Case {
                check: "sender-resolves",
                sender,
                world,
                settings,
                ..Case::default()
            })
        };
        about("about = \"null-mx\"", "from.test MX .").is(VIOLATED);
        about("about = \"null-mx\"", "").is(SATISFIED);
        about("about = \"absence\"", "from.test MX .").is(SATISFIED);
        about("about = \"absence\"", "").is(VIOLATED);
        about("soa = true", "from.test SOA SERVFAIL").is(UNAVAILABLE);
        about("soa = true", "from.test TXT x").is(VIOLATED);
        about("soa = true", "from.test SOA ns.from.test").is(SATISFIED);
        about("", "from.test SOA ns.from.test").is(VIOLATED);
        case(Case {
            check: "sender-resolves",
            sender: Some(""),
            ..Case::default()
        })
        .is(NOT_APPLICABLE);
        let only_mx = |world| {
            case(Case {
                check: "sender-resolves",
                settings: "mx = true",
                sender: Some("a@from.test"),
                world,
                ..Case::default()
            })
        };
        only_mx("from.test MX mx.from.test").is(SATISFIED);
        only_mx("from.test A 192.0.2.1")
            .is(VIOLATED)
            .because("no MX record (");
        only_mx("from.test MX SERVFAIL").is(UNAVAILABLE);
    }

    #[test]
    fn from_header_resolves() {
        let check = |from: &str, world, settings| {
            case(Case {
                check: "from-header-resolves",
                world,
                settings,
                message: Some(&format!("From: {from}\r\n\r\nx\r\n")),
                ..Case::default()
            })
        };
        check("<a@from.test>", "from.test MX mx.from.test", "").is(SATISFIED);
        check("<a@from.test>", "", "")
            .is(VIOLATED)
            .because("NXDOMAIN")
            .remedied_by("MX record for from.test");
        check("<a@from.test>", "from.test MX .", "").is(VIOLATED);
        check("<a@from.test>", "from.test SOA ns.from.test", "").is(VIOLATED);
        check("<a@from.test>", "from.test SOA ns.from.test", "soa = true").is(SATISFIED);
        check("<a@from.test>", "from.test MX SERVFAIL", "").is(UNAVAILABLE);
        check("a@from.test, b@other.test", "", "").is(NOT_APPLICABLE);
        check("<>", "", "").is(NOT_APPLICABLE);
    }
}
