//! `helo-required`: HELO or EHLO is required before MAIL.

use crate::policy::Change;
use crate::policy::check::{Check, Finding, Timing, Topic, nothing, violated};
use crate::stage::Stage;

pub(super) static CHECK: Check = Check {
    name: "helo-required",
    topic: Topic::Helo,
    stage: Stage::Mail,
    timing: Timing::Helo,
    checks: "HELO or EHLO was accepted before MAIL",
    basis: "RFC 5321 §4.1.1.1; Postfix smtpd_helo_required, Exim hosts_require_helo",
    beyond: "within RFC 5321 §4.1.4: a session starts with EHLO or HELO",
    parameters: &[],
    fail: &["503 5.5.1 Error: send HELO/EHLO first"],
    error: &["450 4.5.1 Error: send HELO/EHLO first"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| {
            let why = match facts.helo {
                Some(_) if facts.conduct.helo_refused => "the HELO or EHLO was refused",
                Some(_) => return Finding::Satisfied,
                None => "the client sent no HELO or EHLO",
            };
            violated(why, [Change::SayHelo(None)])
        })
    },
};

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{Case, SATISFIED, VIOLATED, case};

    #[test]
    fn helo_required() {
        let check = |helo| {
            case(Case {
                check: "helo-required",
                helo,
                ..Case::default()
            })
        };
        check(Some("mail.example.test")).is(SATISFIED);
        check(None).is(VIOLATED).remedied_by("send EHLO");
        case(Case {
            check: "helo-required",
            helo: Some("mail.example.test"),
            conduct: |facts| facts.conduct.helo_refused = true,
            ..Case::default()
        })
        .is(VIOLATED);
    }
}
