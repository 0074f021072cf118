//! `ptr-pattern` and `helo-pattern`: regular expressions that the name must not match, or must match.

use crate::facts::{Facts, Helo};
use crate::name;
use crate::policy::Change;
use crate::policy::check::{
    Check, Finding, Kind, Parameter, Pattern, Settings, Timing, Topic, nothing, ptr_names,
    unavailable, violated,
};
use crate::stage::Stage;

const PATTERNS: Parameter = Parameter {
    name: "patterns",
    kind: Kind::Patterns,
    default: "none",
    doc: "case-insensitive regular expressions that the name must not match",
};
const EXCEPT: Parameter = Parameter {
    name: "except",
    kind: Kind::Patterns,
    default: "none",
    doc: "regular expressions that exempt a name from `patterns`",
};
const REQUIRED: Parameter = Parameter {
    name: "required",
    kind: Kind::Patterns,
    default: "none",
    doc: "regular expressions of which the name must match one",
};

pub(super) static PTR: Check = Check {
    name: "ptr-pattern",
    topic: Topic::Ptr,
    stage: Stage::Connect,
    timing: Timing::Stage,
    checks: "the name of the client matches none of the patterns",
    basis: "Postfix check_reverse_client_hostname_access, rspamd HFILTER_HOSTNAME_1 to _5, SpamAssassin RDNS_DYNAMIC",
    beyond: "beyond RFC 5321, which says nothing about PTR names",
    parameters: &[
        PATTERNS,
        EXCEPT,
        REQUIRED,
        Parameter {
            name: "verified",
            kind: Kind::Flag,
            default: "false",
            doc: "whether the patterns apply to the verified name, which leads back to the client address, instead of the first PTR name",
        },
    ],
    fail: &["554 5.7.1 Client host rejected: generic PTR name {ptr} for [{ip}]"],
    error: &["451 4.7.25 Client host rejected: PTR lookup for [{ip}] failed, try again later"],
    needs: ptr_names,
    build: |settings| {
        let patterns = Patterns::new(settings);
        let verified = settings.flag("verified", false);
        Box::new(move |facts| judge_ptr(&patterns, verified, facts))
    },
};

pub(super) static HELO: Check = Check {
    name: "helo-pattern",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO matches none of the patterns",
    basis: "Postfix check_helo_access with a regexp or pcre table, rspamd HFILTER_HELO_1 to _5, SpamAssassin HELO_DYNAMIC_*",
    beyond: "beyond RFC 5321 §4.1.4, which lets a server verify the HELO name and forbids refusing on that ground",
    parameters: &[
        PATTERNS,
        EXCEPT,
        REQUIRED,
        Parameter {
            name: "brackets",
            kind: Kind::Flag,
            default: "true",
            doc: "whether the brackets of an address literal are part of the text (rspamd: no)",
        },
    ],
    fail: &["550 5.7.1 HELO is dynamic: {helo}"],
    error: &["451 4.7.1 HELO cannot be judged now"],
    needs: nothing,
    build: |settings| {
        let patterns = Patterns::new(settings);
        let brackets = settings.flag("brackets", true);
        Box::new(move |facts| match &facts.helo {
            Some(helo) => judge_helo(&patterns, brackets, facts, helo),
            None => Finding::NotApplicable,
        })
    },
};

struct Patterns {
    forbidden: Vec<Pattern>,
    except: Vec<Pattern>,
    required: Vec<Pattern>,
}

impl Patterns {
    fn new(settings: &Settings) -> Self {
        Self {
            forbidden: settings.patterns("patterns"),
            except: settings.patterns("except"),
            required: settings.patterns("required"),
        }
    }

    /// The reason why the name is refused, if it is.
    fn mismatch(&self, name: &str) -> Option<String> {
        let first = |patterns: &[Pattern]| {
            let found = patterns.iter().find(|p| p.matches(name));
            found.map(|pattern| pattern.as_str().to_owned())
        };
        match first(&self.forbidden) {
            Some(pattern) if first(&self.except).is_none() => Some(format!("matches {pattern}")),
            _ if !self.required.is_empty() && first(&self.required).is_none() => {
                Some("does not match a required pattern".to_owned())
            }
            _ => None,
        }
    }
}

fn judge_ptr(patterns: &Patterns, verified: bool, facts: &Facts) -> Finding {
    let Some(iprev) = &facts.iprev else {
        return Finding::NotApplicable;
    };
    let address = facts.client_address;
    if iprev.reverse.is_temporary() {
        let why = format!(
            "the PTR name of {address} is unknown: the lookup ended with {}",
            iprev.reverse
        );
        return unavailable(why, [Change::MendDns(name::reverse(address))]);
    }
    let name = match verified {
        true => iprev.verified_name.as_ref(),
        false => iprev.ptr_names.first(),
    };
    let Some(name) = name.map(name::display) else {
        return Finding::NotApplicable;
    };
    match patterns.mismatch(&name) {
        None => Finding::Satisfied,
        Some(mismatch) => {
            let target = super::ptr_exists::named(facts);
            violated(
                format!("the PTR name {name} {mismatch}"),
                [
                    Change::PointPtr { address, target },
                    Change::AskReceiver(address),
                ],
            )
        }
    }
}

fn judge_helo(patterns: &Patterns, brackets: bool, facts: &Facts, helo: &Helo) -> Finding {
    let text = match brackets {
        true => helo.argument.clone(),
        false => helo.argument.replace(['[', ']'], ""),
    };
    match patterns.mismatch(&text) {
        None => Finding::Satisfied,
        Some(mismatch) => violated(
            format!("the HELO {} {mismatch}", helo.argument),
            [
                super::helo_syntax::better(facts),
                Change::AskReceiver(facts.client_address),
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{
        Case, NOT_APPLICABLE, SATISFIED, UNAVAILABLE, VIOLATED, case,
    };

    const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

    #[test]
    fn helo_pattern() {
        let check = |helo, settings| {
            case(Case {
                check: "helo-pattern",
                helo: Some(helo),
                settings,
                ..Case::default()
            })
        };
        let dynamic = "patterns = ['^dyn', '[0-9]-[0-9]']";
        check("mail.example.test", dynamic).is(SATISFIED);
        check("DYN7.example.test", dynamic)
            .is(VIOLATED)
            .because("matches ^dyn");
        check("host-1-2.example.test", dynamic).is(VIOLATED);
        let except = "patterns = ['^dyn']\nexcept = ['static']";
        check("dyn7.static.example.test", except).is(SATISFIED);
        check("dyn7.example.test", except).is(VIOLATED);
        let required = "required = ['\\.test$', '\\.example$']";
        check("mail.example.test", required).is(SATISFIED);
        check("mail", required)
            .is(VIOLATED)
            .because("does not match a required pattern");
        check("[10.0.0.1]", "patterns = ['^10\\.']").is(SATISFIED);
        check("[10.0.0.1]", "patterns = ['^10\\.']\nbrackets = false").is(VIOLATED);
        check("not valid", "patterns = [' ']").is(VIOLATED);
        check("mail.example.test", "").is(SATISFIED);
    }

    #[test]
    fn ptr_pattern() {
        let check = |world: &str, settings| {
            case(Case {
                check: "ptr-pattern",
                world,
                settings,
                ..Case::default()
            })
        };
        let dynamic = "patterns = ['^dyn']";
        check(&format!("{PTR} dyn7.test"), dynamic)
            .is(VIOLATED)
            .because("dyn7.test matches ^dyn");
        check(&format!("{PTR} mail.test"), dynamic).is(SATISFIED);
        check("", dynamic).is(NOT_APPLICABLE);
        check(&format!("{PTR} SERVFAIL"), dynamic).is(UNAVAILABLE);
        let verified = "patterns = ['^dyn']\nverified = true";
        check(&format!("{PTR} dyn7.test"), verified).is(NOT_APPLICABLE);
        check(
            &format!("{PTR} dyn7.test\ndyn7.test A 192.0.2.10"),
            verified,
        )
        .is(VIOLATED);
    }
}
