//! `helo-bare-ip`: the HELO is not an address without brackets.

use crate::facts::HeloKind;
use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, literal, nothing, violated};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-bare-ip",
    topic: Topic::Helo,
    stage: Stage::Helo,
    timing: Timing::Stage,
    checks: "the HELO is not an address without brackets",
    basis: "RFC 5321 §4.1.3; Haraka bare_ip, qpsmtpd is_plain_ip, rspamd HFILTER_HELO_BAREIP",
    beyond: "within RFC 5321: an address without brackets is neither a domain nor an address literal",
    parameters: &[],
    fail: &["550 5.7.1 Invalid address format in HELO: {helo}"],
    error: &["450 4.7.1 Invalid address format in HELO: {helo}"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match &facts.helo {
            None => Finding::NotApplicable,
            Some(helo) if helo.kind == HeloKind::BareIp => {
                let why = format!("the HELO {} is an address without brackets", helo.argument);
                violated(
                    why,
                    [
                        super::helo_syntax::better(facts),
                        Change::SayHelo(Some(literal(facts.client_address))),
                    ],
                )
            }
            Some(_) => Finding::Satisfied,
        })
    },
};

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, VIOLATED, case};

    #[test]
    fn helo_bare_ip() {
        let check = |helo| {
            case(Case {
                check: "helo-bare-ip",
                helo: Some(helo),
                ..Case::default()
            })
        };
        check("mail.example.test").is(SATISFIED);
        check("[192.0.2.10]").is(SATISFIED);
        check("not valid").is(SATISFIED);
        check("192.0.2.10").is(VIOLATED).remedied_by("[192.0.2.10]");
        check("2001:db8::7").is(VIOLATED);
    }
}
