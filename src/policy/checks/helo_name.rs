//! `helo-tld` and `helo-badlist`: HELO names that no honest host uses.

use crate::facts::{Facts, HeloKind};
use crate::name::{self, Name};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Timing, Topic, nothing, ptr_names, unavailable, violated,
};
use crate::stage::Stage;

/// Top-level labels of private networks.
const PRIVATE: &[&str] = &[
    "lan",
    "local",
    "intern",
    "internal",
    "localhost",
    "localdomain",
    "home",
    "corp",
];

pub(super) static TLD: Check = Check {
    name: "helo-tld",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name has an organisational domain under a known public suffix",
    basis: "Haraka valid_hostname (public suffix list), Cleanmail.ch, rspamd HFILTER_HELO_5",
    beyond: "beyond RFC 5321 §4.1.4, which forbids refusing for this reason",
    parameters: &[
        Parameter {
            name: "private",
            kind: Kind::Words,
            default: "lan local intern internal localhost localdomain home corp",
            doc: "top-level labels that are refused",
        },
        Parameter {
            name: "known",
            kind: Kind::Flag,
            default: "true",
            doc: "whether the suffix must be on the public suffix list; if not, only the private suffixes are refused",
        },
    ],
    fail: &["550 5.7.1 HELO host name invalid"],
    error: &["450 4.7.1 HELO host name invalid"],
    needs: nothing,
    build: |settings| {
        let (private, known) = (
            settings.words("private", PRIVATE),
            settings.flag("known", true),
        );
        Box::new(move |facts| {
            let Some(helo) = facts.helo.as_ref() else {
                return Finding::NotApplicable;
            };
            let Some(name) = helo.name() else {
                return Finding::NotApplicable;
            };
            let text = name::display(name).to_ascii_lowercase();
            let top = text.rsplit('.').next().unwrap_or_default();
            let public = name::organisational_domain(name).is_some()
                && (!known || name::has_public_suffix(name));
            if public && !private.iter().any(|label| label == top) {
                return Finding::Satisfied;
            }
            violated(
                format!("{text} is not under a public suffix"),
                [super::helo_syntax::better(facts)],
            )
        })
    },
};

pub(super) static BADLIST: Check = Check {
    name: "helo-badlist",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is not a listed name, unless the client's verified name is within the listed domain or an allowed one",
    basis: "qpsmtpd is_in_badhelo, Haraka big_company",
    beyond: "beyond RFC 5321 §4.1.4, which forbids refusing for this reason",
    parameters: &[
        Parameter {
            name: "names",
            kind: Kind::Words,
            default: "[]",
            doc: "names that only their owner may use; names below them count too",
        },
        Parameter {
            name: "allowed",
            kind: Kind::Words,
            default: "[]",
            doc: "domains whose hosts may use them too",
        },
    ],
    fail: &["550 5.7.1 You are not who you say you are"],
    error: &["450 4.7.1 rDNS lookup failed, try again later"],
    needs: ptr_names,
    build: |settings| {
        let read = |key| {
            settings
                .words(key, &[])
                .iter()
                .filter_map(|n| name::absolute(n))
                .collect::<Vec<_>>()
        };
        let (names, allowed) = (read("names"), read("allowed"));
        Box::new(move |facts| badlist(facts, &names, &allowed))
    },
};

fn badlist(facts: &Facts, names: &[Name], allowed: &[Name]) -> Finding {
    let Some(helo) = facts.helo.as_ref().filter(|h| h.kind == HeloKind::Name) else {
        return Finding::NotApplicable;
    };
    let listed = helo
        .name()
        .and_then(|name| names.iter().find(|listed| name::is_within(name, listed)));
    let (Some(listed), Some(iprev)) = (listed, &facts.iprev) else {
        return Finding::Satisfied;
    };
    let owned = |verified: &Name| {
        std::iter::once(listed)
            .chain(allowed)
            .any(|domain| name::is_within(verified, domain))
    };
    if iprev.verified_names().any(owned) {
        return Finding::Satisfied;
    }
    if iprev.reverse.is_temporary() || iprev.forwards.iter().any(|f| f.temporary) {
        let why = format!(
            "whether the client may use {} is unknown: {}",
            helo.argument, iprev.explanation
        );
        return unavailable(why, [Change::MendDns(name::reverse(facts.client_address))]);
    }
    violated(
        format!(
            "the client uses {}, but is not a host of {}",
            helo.argument,
            name::display(listed)
        ),
        [super::helo_syntax::better(facts)],
    )
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    #[test]
    fn helo_tld() {
        let check = |helo: &str, settings| {
            case(Case {
                check: "helo-tld",
                helo: Some(helo),
                settings,
                ..Case::default()
            })
        };
        check("mail.example.com", "").is(SATISFIED);
        check("mail.example.co.uk", "").is(SATISFIED);
        check("mail.example.test", "").is(SATISFIED);
        check("mail.example.nowhere", "").is(VIOLATED);
        check("mail.example.nowhere", "known = false").is(SATISFIED);
        for private in [
            "server.lan",
            "pc.LOCAL",
            "localhost",
            "localhost.localdomain",
        ] {
            check(private, "").is(VIOLATED);
            check(private, "known = false").is(VIOLATED);
        }
        check("co.uk", "").is(VIOLATED);
        check("[192.0.2.10]", "").is(NOT_APPLICABLE);
    }

    #[test]
    fn helo_badlist() {
        let settings =
            "names = [\"aol.test\", \"mail.example.test\"]\nallowed = [\"partner.test\"]";
        let check = |helo: &str, world: &str| {
            case(Case {
                check: "helo-badlist",
                helo: Some(helo),
                world,
                settings,
                ..Case::default()
            })
        };
        let ptr = |name: &str| format!("10.2.0.192.in-addr.arpa PTR {name}\n{name} A 192.0.2.10");
        check("other.test", "").is(SATISFIED);
        check("AOL.test", "")
            .is(VIOLATED)
            .because("not a host of aol.test");
        check("mx.aol.test", &ptr("m.isp.test"))
            .is(VIOLATED)
            .remedied_by("m.isp.test");
        check("mx.aol.test", &ptr("out.aol.test")).is(SATISFIED);
        check("mx.aol.test", &ptr("out.partner.test")).is(SATISFIED);
        check("aol.test", "10.2.0.192.in-addr.arpa PTR SERVFAIL").is(UNAVAILABLE);
        check("[192.0.2.10]", "").is(NOT_APPLICABLE);
    }
}
