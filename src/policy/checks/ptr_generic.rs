//! `ptr-generic` and `helo-dynamic`: the PTR name or the HELO name does not look generated from the address.

use crate::facts::{Facts, GenericMatch, Keywords, exempt, generic_pattern};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Settings, Timing, Topic, nothing, ptr_names, unavailable,
    violated,
};
use crate::stage::Stage;

const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "octets",
        kind: Kind::Count,
        default: "3",
        doc: "the number of the client's four octets that make a name generic",
    },
    Parameter {
        name: "keywords",
        kind: Kind::Flag,
        default: "true",
        doc: "whether words such as dyn, dsl, pool, ppp, dhcp make a name with a digit generic",
    },
    Parameter {
        name: "lone_keywords",
        kind: Kind::Flag,
        default: "false",
        doc: "whether such words make a name without a digit generic too, for example host.example.com",
    },
    Parameter {
        name: "exempt",
        kind: Kind::Flag,
        default: "true",
        doc: "whether the words static, business, fix and fixip exempt a name",
    },
];

pub(super) static PTR: Check = Check {
    name: "ptr-generic",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "the first PTR name does not contain the client's octets or a word of dynamic ranges",
    basis: "Haraka fcrdns generic_rdns, AOL RTR:DU, Mail.ru, T-Online DIAL",
    beyond: "beyond RFC 5321, which says nothing about PTR names",
    parameters: PARAMETERS,
    fail: &["554 5.7.1 Client host rejected: generic PTR name {ptr} for [{ip}]"],
    error: &["451 4.7.25 Client host rejected: PTR lookup for [{ip}] failed, try again later"],
    needs: ptr_names,
    build: |settings| {
        let engine = Engine::new(settings);
        Box::new(move |facts| engine.judge_ptr(facts))
    },
};

pub(super) static HELO: Check = Check {
    name: "helo-dynamic",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name does not contain the client's octets or a word of dynamic ranges",
    basis: "Haraka helo.checks dynamic, SpamAssassin HELO_DYNAMIC_*, rspamd HFILTER_HELO_*",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO name and forbids refusing on that ground",
    parameters: PARAMETERS,
    fail: &["550 5.7.1 HELO is dynamic: {helo}"],
    error: &["451 4.7.1 HELO cannot be judged now"],
    needs: nothing,
    build: |settings| {
        let engine = Engine::new(settings);
        Box::new(move |facts| engine.judge_helo(facts))
    },
};

struct Engine {
    octets: usize,
    keywords: Keywords,
    exempt: bool,
}

impl Engine {
    fn new(settings: &Settings) -> Self {
        let octets = usize::try_from(settings.count("octets", 3))
            .unwrap_or(usize::MAX)
            .max(1);
        Self {
            octets,
            keywords: match (
                settings.flag("keywords", true),
                settings.flag("lone_keywords", false),
            ) {
                (false, _) => Keywords::Ignored,
                (true, false) => Keywords::WithDigits,
                (true, true) => Keywords::Alone,
            },
            exempt: settings.flag("exempt", true),
        }
    }

    fn judge_ptr(&self, facts: &Facts) -> Finding {
        let Some(iprev) = &facts.iprev else {
            return Finding::NotApplicable;
        };
        if iprev.reverse.is_temporary() {
            let why = format!(
                "the PTR name of {} is unknown: the lookup ended with {}",
                facts.client_address, iprev.reverse
            );
            return unavailable(why, [Change::MendDns(name::reverse(facts.client_address))]);
        }
        let Some(ptr) = iprev.ptr_names.first() else {
            return Finding::NotApplicable;
        };
        let remedies = || {
            let target = super::ptr_exists::named(facts);
            vec![
                Change::PointPtr {
                    address: facts.client_address,
                    target,
                },
                Change::AskReceiver(facts.client_address),
            ]
        };
        self.judge("PTR name", &name::display(ptr), facts, remedies)
    }

    fn judge_helo(&self, facts: &Facts) -> Finding {
        let Some(helo) = facts.helo.as_ref().filter(|h| h.name().is_some()) else {
            return Finding::NotApplicable;
        };
        let remedies = || {
            vec![
                Change::SayHelo(None),
                Change::AskReceiver(facts.client_address),
            ]
        };
        self.judge("HELO name", &helo.argument, facts, remedies)
    }

    fn judge(
        &self,
        what: &str,
        name: &str,
        facts: &Facts,
        remedies: impl Fn() -> Vec<Change>,
    ) -> Finding {
        if self.exempt && exempt(name) {
            return Finding::Satisfied;
        }
        let sign = match generic_pattern(name, facts.client_address, self.octets, self.keywords) {
            None => return Finding::Satisfied,
            Some(GenericMatch::Octets(count)) => {
                format!("contains {count} octets of {}", facts.client_address)
            }
            Some(GenericMatch::Hexadecimal) => {
                format!("contains {} in hexadecimal", facts.client_address)
            }
            Some(GenericMatch::Keyword(word)) => format!("contains the word {word:?}"),
        };
        violated(
            format!("the {what} {name} looks generated: it {sign}"),
            remedies(),
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn ptr_generic() {
        let check = |world: &str, settings| {
            case(Case {
                check: "ptr-generic",
                world,
                settings,
                ..Case::default()
            })
        };
        check(&format!("{PTR} mail.example.test"), "").is(SATISFIED);
        check(&format!("{PTR} 192-0-2-10.example.test"), "")
            .is(VIOLATED)
            .because("4 octets");
        check(&format!("{PTR} 192-0-2-10.static.example.test"), "").is(SATISFIED);
        check(
            &format!("{PTR} 192-0-2-10.static.example.test"),
            "exempt = false",
        )
        .is(VIOLATED);
        check(&format!("{PTR} dyn-7.example.test"), "")
            .is(VIOLATED)
            .because("dyn");
        check(&format!("{PTR} dyn-7.example.test"), "keywords = false").is(SATISFIED);
        check(&format!("{PTR} host.firm.test"), "").is(SATISFIED);
        check(&format!("{PTR} host.firm.test"), "lone_keywords = true")
            .is(VIOLATED)
            .because("host");
        check(&format!("{PTR} h10-2.example.test"), "octets = 2").is(VIOLATED);
        check("", "").is(NOT_APPLICABLE);
        check(&format!("{PTR} SERVFAIL"), "").is(UNAVAILABLE);
    }

    #[test]
    fn helo_dynamic() {
        let check = |helo| {
            case(Case {
                check: "helo-dynamic",
                helo: Some(helo),
                ..Case::default()
            })
        };
        check("mail.example.test").is(SATISFIED);
        check("192-0-2-10.example.test").is(VIOLATED);
        check("dialup7.example.test").is(VIOLATED);
        check("[192.0.2.10]").is(NOT_APPLICABLE);
    }
}
