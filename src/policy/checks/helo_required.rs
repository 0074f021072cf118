//! `helo-required`: HELO or EHLO comes before MAIL.

use super::{Check, Finding, Needs, violated};
use crate::policy::Change;
use crate::stage::Stage;

/// **Checks** that a HELO was accepted before the transaction begins.
/// **Replies** 503 5.5.1.
/// **Basis** RFC 5321 §4.1.1.1; Postfix `smtpd_helo_required`, Exim `hosts_require_helo`.
/// **Beyond** nothing: RFC 5321 §4.1.4 says that a session starts with EHLO or HELO.
pub(super) static CHECK: Check = Check {
    name: "helo-required",
    number: 12,
    stage: Stage::Mail,
    checks: "HELO or EHLO was accepted before MAIL",
    basis: "RFC 5321 §4.1.1.1; Postfix smtpd_helo_required, Exim hosts_require_helo",
    beyond: "within RFC 5321 §4.1.4: a session starts with EHLO or HELO",
    parameters: &[],
    fail: &["503 5.5.1 Error: send HELO/EHLO first"],
    error: &["450 4.5.1 Error: send HELO/EHLO first"],
    needs: Needs {
        helo_sent: true,
        ..Needs::NOTHING
    },
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
        check(None).is(VIOLATED).cured_by("send EHLO");
        case(Case {
            check: "helo-required",
            helo: Some("mail.example.test"),
            conduct: |facts| facts.conduct.helo_refused = true,
            ..Case::default()
        })
        .is(VIOLATED);
    }
}
