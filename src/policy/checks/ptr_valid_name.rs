//! `ptr-valid-name`: the PTR names are valid host names under an existing top-level domain.

use crate::facts::{Facts, Outcome, hostname_mistake};
use crate::name::{self, Name};
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Judge, Kind, Parameter, Settings, Timing, Topic, ptr_names, unavailable,
    violated,
};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "ptr-valid-name",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "every PTR name is a valid host name, under a known top-level domain if tld = true",
    basis: "RFC 1123 §2.1; Haraka fcrdns invalid_tld, Exim's handling of illegal PTR names",
    beyond: "beyond RFC 5321, which says nothing about PTR names",
    parameters: &[
        Parameter {
            name: "characters",
            kind: Kind::Flag,
            default: "true",
            doc: "whether a PTR name must be a valid host name (Haraka: no, only its top-level domain is checked)",
        },
        Parameter {
            name: "underscore",
            kind: Kind::Flag,
            default: "false",
            doc: "whether _ is valid (Postfix: yes)",
        },
        Parameter {
            name: "tld",
            kind: Kind::Flag,
            default: "false",
            doc: "whether the top-level domain must be on the public suffix list",
        },
    ],
    fail: &["550 5.7.25 Client host rejected: invalid PTR name {ptr} for [{ip}]"],
    error: &["451 4.7.25 Client host rejected: PTR lookup for [{ip}] failed, try again later"],
    needs: ptr_names,
    build,
};

fn build(settings: &Settings) -> Judge {
    let wanted = Wanted {
        characters: settings.flag("characters", true),
        underscore: settings.flag("underscore", false),
        tld: settings.flag("tld", false),
    };
    Box::new(move |facts| judge(facts, wanted))
}

/// The demands on a PTR name.
#[derive(Clone, Copy)]
struct Wanted {
    characters: bool,
    underscore: bool,
    tld: bool,
}

fn judge(facts: &Facts, wanted: Wanted) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    match iprev.reverse {
        outcome if outcome.is_temporary() => {
            let why = format!(
                "the PTR names of {} are unknown: the lookup ended with {outcome}",
                facts.client_address
            );
            return unavailable(why, [Change::MendDns(name::reverse(facts.client_address))]);
        }
        Outcome::Data => {}
        _ => return Finding::NotApplicable,
    }
    match iprev.ptr_names.iter().find_map(|n| mistake(n, wanted)) {
        None => Finding::Satisfied,
        Some(why) => {
            let remedy = Change::PointPtr {
                address: facts.client_address,
                target: super::ptr_exists::named(facts),
            };
            violated(why, [remedy])
        }
    }
}

fn mistake(ptr: &Name, wanted: Wanted) -> Option<String> {
    let text = name::display(ptr);
    if wanted.characters
        && let Some(mistake) = hostname_mistake(&text, wanted.underscore)
    {
        return Some(format!(
            "the PTR name {text} is not a valid host name: {mistake}"
        ));
    }
    (wanted.tld && !name::has_public_suffix(ptr))
        .then(|| format!("the PTR name {text} is not under a known top-level domain"))
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn ptr_valid_name() {
        let check = |world: &str, settings| {
            case(Case {
                check: "ptr-valid-name",
                world,
                settings,
                ..Case::default()
            })
        };
        check(&format!("{PTR} mail.example.test"), "").is(SATISFIED);
        check(&format!("{PTR} mail.example.com"), "tld = true").is(SATISFIED);
        check(&format!("{PTR} mail.example.nowhere"), "tld = true")
            .is(VIOLATED)
            .because("top-level");
        check(&format!("{PTR} a_b.example.test"), "")
            .is(VIOLATED)
            .because("'_'");
        check(&format!("{PTR} a_b.example.test"), "underscore = true").is(SATISFIED);
        check(&format!("{PTR} good.example.test 192.0.2.10"), "")
            .is(VIOLATED)
            .because("all numeric");
        let tld_alone = "characters = false\ntld = true";
        check(&format!("{PTR} a_b.example.test"), tld_alone).is(SATISFIED);
        check(&format!("{PTR} mail.example.nowhere"), tld_alone).is(VIOLATED);
        check("", "").is(NOT_APPLICABLE);
        check(&format!("{PTR} SERVFAIL"), "").is(UNAVAILABLE);
    }
}
