//! Rules that are judged once in a session (`once = true`).

use crate::rules_mechanics::{GREETING, check};

/// A rule with `once` is judged at the first HELO that reaches it, whether it refuses that one or not.
#[test]
fn rules_that_are_judged_once() {
    check(
        "one-to-one",
        "192.0.2.10",
        "[[rule]]
         check = \"helo-fqdn\"
         once = true
         fail = \"550 no dot\"
         [[rule]]
         check = \"helo-stable\"
         once = true
         fail = \"550 {earlier} before\"
         [[rule]]
         check = \"helo-bare-ip\"
         fail = \"550 an address\"",
        &format!(
            "{GREETING}C: EHLO one
             S: 550 no dot
             C: EHLO two
             S: 550 one before
             C: EHLO three
             S: 250 mx.martinet.test
             C: EHLO 192.0.2.10
             S: 550 an address
             C: EHLO 192.0.2.10
             S: 550 an address
             C: MAIL FROM:<>
             S: 250 Ok"
        ),
    );
    // Its deferral stands, because a later HELO is not judged.
    check(
        "ptr-servfail",
        "192.0.2.10",
        "[[rule]]
         check = \"iprev\"
         stage = \"helo\"
         once = true
         temp = \"defer_if_permit\"
         error = \"450 later\"",
        &format!(
            "{GREETING}C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 450 later"
        ),
    );
}

/// A recipient that bypasses the rule does not use it up.
#[test]
fn a_bypass_is_no_judgement() {
    check(
        "no-ptr",
        "192.0.2.10",
        "[[allow]]
         recipients = [\"postmaster@*\"]
         [[rule]]
         check = \"ptr-exists\"
         stage = \"rcpt\"
         once = true
         fail = \"550 no PTR\"",
        &format!(
            "{GREETING}C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<>
             S: 250 Ok
             C: RCPT TO:<postmaster@contoso.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 550 no PTR
             C: RCPT TO:<c@contoso.test>
             S: 250 Ok"
        ),
    );
}
