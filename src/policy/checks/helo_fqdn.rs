//! `helo-fqdn`: the HELO name is fully qualified.

use crate::facts::HeloKind;
use crate::policy::check::{Check, Finding, Timing, Topic, nothing, violated};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-fqdn",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO name contains a dot; an address literal passes",
    basis: "RFC 5321 §2.3.5; Postfix reject_non_fqdn_helo_hostname, Stalwart, Haraka valid_hostname",
    beyond: "partly beyond RFC 5321: §2.3.5 requires a fully-qualified name, but §4.1.4 has no refusal for other names",
    parameters: &[],
    fail: &["504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname"],
    error: &["450 4.5.2 <{helo}>: Helo command rejected"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match &facts.helo {
            None => Finding::NotApplicable,
            Some(helo) if helo.kind == HeloKind::Literal => Finding::NotApplicable,
            Some(helo)
                if helo.kind == HeloKind::Name
                    && helo.argument.trim_end_matches('.').contains('.') =>
            {
                Finding::Satisfied
            }
            // helo-syntax checks the length.
            Some(helo) if helo.is_overlong_name() && helo.argument.contains('.') => {
                Finding::Satisfied
            }
            Some(helo) => {
                let why = format!("the HELO {:?} is not a fully-qualified name", helo.argument);
                violated(why, [super::helo_syntax::better(facts)])
            }
        })
    },
};

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, NOT_APPLICABLE, SATISFIED, VIOLATED, case};

    #[test]
    fn helo_fqdn() {
        let check = |helo| {
            case(Case {
                check: "helo-fqdn",
                helo: Some(helo),
                world: "10.2.0.192.in-addr.arpa PTR m.test",
                ..Case::default()
            })
        };
        check("mail.example.test").is(SATISFIED);
        check("[192.0.2.10]").is(NOT_APPLICABLE);
        check("localhost")
            .is(VIOLATED)
            .remedied_by("send EHLO m.test");
        check("localhost.").is(VIOLATED);
        check("a b.test").is(VIOLATED);
        check("192.0.2.10").is(VIOLATED);
    }
}
