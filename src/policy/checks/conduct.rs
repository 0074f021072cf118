//! `pregreet`, `sync`, `non-smtp-command` and `bare-lf`: the client follows the syntax and the sequence of SMTP.
//!
//! A rule about conduct refuses at the first violation, but not before its stage: with `stage = "rcpt"` the refusal is the
//! reply to RCPT, like postscreen's `enforce`; with the default stage it is the reply to the command that violates the rule.

use std::time::Duration;

use crate::facts::{Observations, Pregreet};
use crate::policy::check::{Check, Finding, Kind, Parameter, Timing, Topic, nothing, violated};
use crate::policy::{Behaviour, Change};
use crate::stage::Stage;

/// The delay of postscreen's greeting (`postscreen_greet_wait`).
const GREET_WAIT: Duration = Duration::from_secs(6);
/// The default of Postfix's `smtpd_forbidden_commands`.
const FORBIDDEN: &[&str] = &["CONNECT", "GET", "POST"];

pub(super) static PREGREET: Check = Check {
    name: "pregreet",
    topic: Topic::Other,
    stage: Stage::Connect,
    timing: Timing::Conduct,
    checks: "the client sends nothing before the greeting is complete",
    basis: "RFC 5321 §3.1, §4.3.1; postscreen, Sendmail greet_pause, Exim smtp_enforce_sync",
    beyond: "within RFC 5321 §4.3.1: the client waits for the greeting",
    parameters: &[
        Parameter {
            name: "wait",
            kind: Kind::Duration,
            default: "\"6s\"",
            doc: "the delay of the greeting, which detects clients that do not wait",
        },
        Parameter {
            name: "teaser",
            kind: Kind::Flag,
            default: "false",
            doc: "whether the first line of a multi-line greeting is sent before the delay, as by postscreen",
        },
    ],
    fail: &["521 5.5.1 Protocol error"],
    error: &["450 4.3.2 Service currently unavailable"],
    needs: |settings| Observations {
        pregreet: Some(Pregreet {
            wait: settings.duration("wait", GREET_WAIT),
            teaser: settings.flag("teaser", false),
        }),
        ..Observations::default()
    },
    build: |_| {
        Box::new(|facts| match facts.conduct.pregreet {
            true => violated(
                "the client sent data before the greeting was complete",
                [Change::Behave(Behaviour::AwaitGreeting)],
            ),
            false => Finding::Satisfied,
        })
    },
};

/// RFC 2920 forbids pipelining that is not offered, and pipelining after EHLO and DATA.
pub(super) static SYNC: Check = Check {
    name: "sync",
    topic: Topic::Other,
    stage: Stage::Connect,
    timing: Timing::Conduct,
    checks: "the client waits for the reply to EHLO, DATA, NOOP, VRFY, and to every command if PIPELINING is not offered",
    basis: "RFC 2920 §3.1; Postfix smtpd_forbid_unauth_pipelining, Exim smtp_enforce_sync",
    beyond: "within RFC 2920 §3.1",
    parameters: &[],
    fail: &["554 5.5.0 Error: SMTP protocol synchronization"],
    error: &["450 4.3.2 Service currently unavailable"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match facts.conduct.unsynchronised.as_str() {
            "" => Finding::Satisfied,
            verb => violated(
                format!("the client sent more after {verb} before the reply"),
                [Change::Behave(Behaviour::AwaitReply(verb.to_owned()))],
            ),
        })
    },
};

pub(super) static NON_SMTP: Check = Check {
    name: "non-smtp-command",
    topic: Topic::Other,
    stage: Stage::Connect,
    timing: Timing::Conduct,
    checks: "no line is HTTP or a header field, and every line begins with a letter",
    basis: "Postfix smtpd_forbidden_commands",
    beyond: "beyond RFC 5321 §4.2.4, which has the reply 500 for an unrecognized command",
    parameters: &[Parameter {
        name: "commands",
        kind: Kind::Words,
        default: "[\"CONNECT\", \"GET\", \"POST\"]",
        doc: "the forbidden words",
    }],
    fail: &["221 2.7.0 Error: I can break rules, too. Goodbye."],
    error: &["450 4.3.2 Service currently unavailable"],
    needs: nothing,
    build: |settings| {
        let forbidden = settings.words("commands", FORBIDDEN);
        Box::new(move |facts| {
            let line = facts.conduct.not_smtp.as_str();
            if line.is_empty() || !is_foreign(line, &forbidden) {
                return Finding::Satisfied;
            }
            violated(
                format!("{line:?} is not SMTP"),
                [Change::Behave(Behaviour::SpeakSmtp)],
            )
        })
    },
};

fn is_foreign(line: &str, forbidden: &[String]) -> bool {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    forbidden
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
        || !line.starts_with(|c: char| c.is_ascii_alphabetic())
        || word.contains(':')
}

/// Applies only if `syntax.bare_lf` and `syntax.bare_cr` of the receiver accept the octet.
pub(super) static BARE_LF: Check = Check {
    name: "bare-lf",
    topic: Topic::Other,
    stage: Stage::Connect,
    timing: Timing::Conduct,
    checks: "every line ends with CRLF, without bare CR or LF",
    basis: "RFC 5321 §2.3.8; Postfix smtpd_forbid_bare_newline = reject",
    beyond: "within RFC 5321 §2.3.8",
    parameters: &[],
    fail: &["550 5.5.2 {mx} Error: bare <LF> received"],
    error: &["450 4.3.2 Service currently unavailable"],
    needs: nothing,
    build: |_| {
        Box::new(|facts| match facts.conduct.bare_newline {
            None => Finding::Satisfied,
            Some(which) => violated(
                format!("a bare {} was sent", which.name()),
                [Change::Behave(Behaviour::EndLines)],
            ),
        })
    },
};

#[cfg(test)]
mod tests {
    use crate::policy::checks::test::{SATISFIED, VIOLATED, check_conduct as check};

    #[test]
    fn turns() {
        check(
            "pregreet",
            "wait = \"2s\"\nteaser = true",
            SATISFIED,
            |_| {},
        );
        check("pregreet", "", VIOLATED, |facts| {
            facts.conduct.pregreet = true
        });
        check("sync", "", SATISFIED, |_| {});
        check("sync", "", VIOLATED, |facts| {
            facts.conduct.unsynchronised = "EHLO".into()
        });
        check("bare-lf", "", SATISFIED, |_| {});
        check("bare-lf", "", VIOLATED, |facts| {
            facts.conduct.bare_newline = Some(crate::facts::BareLineEnd::Cr)
        });
    }

    #[test]
    fn words_of_other_protocols() {
        check("non-smtp-command", "", SATISFIED, |facts| {
            facts.conduct.not_smtp = "FROB x".into()
        });
        check("non-smtp-command", "", VIOLATED, |facts| {
            facts.conduct.not_smtp = "get / HTTP/1.1".into()
        });
        check("non-smtp-command", "", VIOLATED, |facts| {
            facts.conduct.not_smtp = "Subject: x".into()
        });
        check("non-smtp-command", "", VIOLATED, |facts| {
            facts.conduct.not_smtp = "\u{16}\u{3}".into()
        });
        check("non-smtp-command", "commands = []", SATISFIED, |facts| {
            facts.conduct.not_smtp = "GET /".into()
        });
    }
}
