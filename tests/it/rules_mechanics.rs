//! How rules work apart from their check: stage, consequence, delay, deferral, allow entries.

use rstest::rstest;

use crate::script::Stage;

pub(crate) const GREETING: &str = "S: 220 mx.martinet.test ESMTP martinet\n";
const CLOSED: &str = "smtp.xclient = []\nsmtp.extensions = []\n";

#[track_caller]
pub(crate) fn check(scenario: &str, client: &str, rules: &str, script: &str) {
    let receiver = format!("title = \"t\"\n{CLOSED}{rules}");
    Stage {
        scenario,
        receiver: &receiver,
        client,
    }
    .play(script);
}

/// A refused greeting, by each consequence.
#[test]
fn after_a_refused_greeting() {
    let rule = |after: &str| {
        format!(
            "[[rule]]\ncheck = \"ptr-exists\"\nfail = [\"554-no PTR\", \"554 for {{ip}}\"]\n{after}"
        )
    };
    let refused = "S: 554-no PTR\nS: 554 for 192.0.2.10\n";
    check(
        "no-ptr",
        "192.0.2.10",
        &rule("after = \"close\""),
        &format!("{refused}S: (closed)"),
    );
    check(
        "no-ptr",
        "192.0.2.10",
        &rule(""),
        &format!(
            "{refused}C: EHLO x.test\nS: 503 Error: access denied, only QUIT is accepted\nC: QUIT\nS: 221 Bye\nS: (closed)"
        ),
    );
    check(
        "no-ptr",
        "192.0.2.10",
        &rule("after = \"repeat\""),
        &format!("{refused}C: NOOP\n{refused}C: QUIT\nS: 221 Bye\nS: (closed)"),
    );
    check(
        "no-ptr",
        "192.0.2.10",
        &rule("after = \"continue\""),
        &format!("{refused}C: NOOP\nS: 250 Ok"),
    );
}

/// Sendmail decides at connect and refuses each command that is not exempt; greeting and HELO are answered as usual.
#[test]
fn a_refused_client_may_greet_and_is_refused_at_each_command() {
    check(
        "no-ptr",
        "192.0.2.10",
        "[[rule]]\ncheck = \"ptr-exists\"\nstage = \"connect\"\nafter = \"each-command\"\nfail = \"550 no PTR\"",
        &format!(
            "{GREETING}C: NOOP
             S: 250 Ok
             C: FOO
             S: 500 Error: command not recognized
             C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 550 no PTR
             C: MAIL FROM:<a@
             S: 550 no PTR
             C: RCPT TO:<b@contoso.test>
             S: 550 no PTR
             C: DATA
             S: 550 no PTR
             C: VRFY b
             S: 550 no PTR
             C: RSET
             S: 250 Ok
             C: HELO mail.example.test
             S: 250 mx.martinet.test
             C: QUIT
             S: 221 Bye
             S: (closed)"
        ),
    );
}

/// A decision after connect follows RFC 5321: 421 closes.
#[test]
fn each_command_is_refused_only_by_rules_at_connect() {
    let rule = "[[rule]]\ncheck = \"ptr-exists\"\nfail = \"421 no PTR\"";
    check(
        "no-ptr",
        "192.0.2.10",
        &format!("after = \"each-command\"\ndelay_reject = true\n{rule}"),
        &format!(
            "{GREETING}C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 421 no PTR
             S: (closed)"
        ),
    );
}

/// A client that is refused at each command can be found by its sender, at the stage of the command.
#[tokio::test]
async fn a_refused_command_is_recorded() {
    let world = martinet::World::builder()
        .scenario("no-ptr")
        .receiver("sendmail-rdns");
    let world = world.start().await.expect("a world");
    let delivery = martinet::smtp::client::Delivery {
        helo: "mail.example.test".to_owned(),
        from: "a@example.test".to_owned(),
        to: vec!["b@contoso.test".to_owned()],
        ..Default::default()
    };
    let sent = martinet::smtp::client::deliver(world.smtp_addr(), &delivery).await;
    let reply = sent.expect("a session").last.expect("a reply");
    assert_eq!(reply.code().get(), 550);
    let session = world.wait_for_session().await.expect("a session");
    assert_eq!(session.sender(), "a@example.test");
    let refusal = &session.refusals()[0];
    assert_eq!((refusal.rule, refusal.stage.name()), ("ptr-exists", "mail"));
    assert_eq!(session.refusals().len(), 1);
    let [transaction] = session.transactions() else {
        panic!("one transaction, found {:?}", session.transactions());
    };
    assert_eq!(transaction.verdict, martinet::verdict::Verdict::Reject);
}

/// RFC 5321 §4.5.1: a receiver may exempt postmaster from its rules, delayed ones included; VRFY and ETRN are judged as
/// in Postfix.
#[test]
fn postmaster_is_exempt() {
    let rules = "delay_reject = true\nsmtp.with = [\"ETRN\"]\n[[allow]]\nrecipients = [\"postmaster\"]\n[[rule]]\ncheck = \"ptr-exists\"\nfail = \"550 no PTR\"";
    let receiver = format!("title = \"t\"\nsmtp.xclient = []\n{rules}");
    Stage {
        scenario: "no-ptr",
        receiver: &receiver,
        client: "192.0.2.10",
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: VRFY someone
         S: 550 no PTR
         C: VRFY Postmaster
         S: 252 2.5.2 Cannot VRFY user, but will accept message and attempt delivery
         C: ETRN example.test
         S: 550 no PTR
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: ETRN example.test
         S: 503 5.5.1 Error: MAIL transaction in progress
         C: ETRN
         S: 503 5.5.1 Error: MAIL transaction in progress
         C: RCPT TO:<someone@contoso.test>
         S: 550 no PTR
         C: RCPT TO:<postmaster@contoso.test>
         S: 550 no PTR
         C: RCPT TO:<Postmaster>
         S: 250 2.1.5 Ok",
    );
}

/// Extensions that need EHLO are not available after HELO; a command that is not offered is refused before a missing
/// argument.
#[test]
fn extensions_that_need_ehlo() {
    let receiver = "title = \"t\"\nsmtp.xclient = []\n[syntax]\nextensions_need_ehlo = true\n";
    Stage {
        scenario: "one-to-one",
        receiver,
        client: "192.0.2.10",
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: BDAT
         S: 502 5.5.1 Error: command not implemented
         C: AUTH
         S: 503 5.5.1 Error: authentication not enabled
         C: MAIL FROM:<a@example.test> BODY=8BITMIME
         S: 555 5.5.4 Unsupported option: BODY=8BITMIME
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok",
    );
}

/// RFC 5321 §4.1.1.11: a parameter that is not offered is refused before a rule judges the sender.
#[test]
fn a_parameter_that_is_not_offered_is_not_judged_by_rules() {
    check(
        "one-to-one",
        "192.0.2.10",
        "[[rule]]\ncheck = \"sender-resolves\"\nfail = \"550 who\"",
        &format!(
            "{GREETING}C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@nowhere.invalid> SMTPUTF8
             S: 555 Error: SMTPUTF8 is not offered
             C: MAIL FROM:<a@nowhere.invalid> FOO=1
             S: 555 Unsupported option: FOO=1
             C: MAIL FROM:<a@nowhere.invalid>
             S: 550 who"
        ),
    );
}

/// RFC 5321 §4.1.4: a refused HELO leaves the session as it was: without one, or with the one that was accepted.
#[test]
fn a_refused_helo_does_not_count() {
    let rule = "[[rule]]\ncheck = \"helo-ptr-match\"\nfail = \"550 no\"";
    check(
        "one-to-one",
        "192.0.2.10",
        rule,
        &format!(
            "{GREETING}C: MAIL FROM:<a@example.test>
             S: 503 Error: send HELO/EHLO first
             C: EHLO wrong.test
             S: 550 no
             C: MAIL FROM:<a@example.test>
             S: 503 Error: send HELO/EHLO first
             C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: HELO wrong.test
             S: 550 no
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: HELO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok"
        ),
    );
}

#[test]
fn delay_reject_moves_refusals_to_rcpt() {
    let rules = "delay_reject = true\n[[rule]]\ncheck = \"ptr-exists\"\nfail = \"550 no PTR\"\n[[rule]]\ncheck = \"helo-fqdn\"\nfail = \"504 short\"";
    check(
        "no-ptr",
        "192.0.2.10",
        rules,
        &format!(
            "{GREETING}C: EHLO localhost
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 550 no PTR
             C: RCPT TO:<c@contoso.test>
             S: 550 no PTR
             C: DATA
             S: 554 Error: no valid recipients"
        ),
    );
}

#[test]
fn temporary_failures() {
    let rule = |temp: &str| {
        format!(
            "[[rule]]\ncheck = \"ptr-exists\"\nfail = \"550 no PTR\"\nerror = \"450 later\"\n{temp}"
        )
    };
    check("ptr-servfail", "192.0.2.10", &rule(""), "S: 450 later");
    check(
        "ptr-servfail",
        "192.0.2.10",
        &rule("temp = \"as_fail\""),
        "S: 550 no PTR",
    );
    check(
        "ptr-servfail",
        "192.0.2.10",
        &rule("temp = \"ignore\""),
        GREETING,
    );
    let waiting = format!(
        "{GREETING}C: EHLO mail.example.test\nS: 250 mx.martinet.test\nC: MAIL FROM:<>\nS: 250 Ok\nC: RCPT TO:<b@contoso.test>\n"
    );
    check(
        "ptr-servfail",
        "192.0.2.10",
        &rule("temp = \"defer_if_permit\""),
        &format!("{waiting}S: 450 later"),
    );
    let later = "[[rule]]\ncheck = \"helo-ip-match\"\nstage = \"rcpt\"\nfail = \"550 not yours\"";
    let rules = format!("{}\n{later}", rule("temp = \"defer_if_permit\""));
    let elsewhere = waiting.replace("EHLO mail.example.test", "EHLO nowhere.test");
    check(
        "ptr-servfail",
        "192.0.2.10",
        &rules,
        &format!("{elsewhere}S: 550 not yours"),
    );
    check("ptr-timeout", "192.0.2.10", &rule(""), "S: 450 later");
}

#[rstest]
#[case::address("addresses = [\"192.0.2.0/24\"]", true)]
#[case::other_addresses("addresses = [\"198.51.100.0/24\", \"2001:db8::/32\"]", false)]
#[case::ptr_suffix("ptr_suffix = \"example.test\"", true)]
#[case::ptr_suffix_within_a_label("ptr_suffix = \"ample.test\"", false)]
#[case::helo_suffix("helo_suffix = \".example.test\"", true)]
#[case::other_helo_suffix("helo_suffix = \"mail.example.test\"", false)]
#[case::this_check("addresses = [\"192.0.2.10\"]\nchecks = [\"helo-ptr-match\"]", true)]
#[case::another_check("addresses = [\"192.0.2.10\"]\nchecks = [\"iprev\"]", false)]
fn bypasses(#[case] allow: &str, #[case] passes: bool) {
    check(
        "one-to-one",
        "192.0.2.10",
        &with_allow(allow),
        &answer_to_another_name(passes),
    );
}

/// A PTR name that does not lead back is the client's own claim, and allows nothing.
#[test]
fn an_unverified_ptr_name_is_not_allowed() {
    check(
        "forward-elsewhere",
        "192.0.2.10",
        &with_allow("ptr_suffix = \"example.test\""),
        &answer_to_another_name(false),
    );
}

fn with_allow(allow: &str) -> String {
    format!("[[rule]]\ncheck = \"helo-ptr-match\"\nfail = \"550 no\"\n[[allow]]\n{allow}")
}

fn answer_to_another_name(passes: bool) -> String {
    let answer = if passes {
        "250 mx.martinet.test"
    } else {
        "550 no"
    };
    format!("{GREETING}C: EHLO other.example.test\nS: {answer}")
}

#[test]
fn placeholders() {
    let rule = "[[rule]]\ncheck = \"iprev\"\nstage = \"rcpt\"\nfail = [\"550-{ip} {ptr} {helo} {mx}\", \"550 {sender} {rcpt} {domain}\"]";
    check(
        "forward-nxdomain",
        "192.0.2.10",
        rule,
        &format!(
            "{GREETING}C: EHLO says.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 550-192.0.2.10 gone.example.test says.test mx.martinet.test
             S: 550 a@example.test b@contoso.test example.test"
        ),
    );
}

#[test]
fn a_refusal_at_the_end_of_data() {
    let rule = "[[rule]]\ncheck = \"iprev\"\nstage = \"eod\"\nfail = \"550 after all\"";
    check(
        "no-ptr",
        "192.0.2.10",
        rule,
        &format!(
            "{GREETING}C: EHLO says.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: DATA
             S: 354 End data with <CR><LF>.<CR><LF>
             C: .
             S: 550 after all
             C: RCPT TO:<b@contoso.test>
             S: 503 Error: need MAIL command"
        ),
    );
}

/// A rule that requires TLS refuses at its stage, and at no earlier command (Gmail 5.7.29).
#[test]
fn tls_demanded_at_the_end_of_data() {
    let rule = "[[rule]]\ncheck = \"tls-required\"\nstage = \"eod\"\nfail = \"550 5.7.29 not sent over TLS\"";
    check(
        "one-to-one",
        "192.0.2.10",
        rule,
        &format!(
            "{GREETING}C: EHLO mail.example.test
             S: 250 mx.martinet.test
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: DATA
             S: 354 End data with <CR><LF>.<CR><LF>
             C: Subject: x
             C: .
             S: 550 5.7.29 not sent over TLS"
        ),
    );
}

/// A score refuses at the stage at which its last part has its facts; a file that sets an earlier stage is reported.
#[test]
fn a_score_at_rcpt() {
    let score = |stage: &str, part: &str| {
        format!(
            "title = \"t\"\n{CLOSED}[[rule]]\ncheck = \"score\"\nstage = \"{stage}\"\nreject = 2.0\nfail = \"550 {{score}}\"\n\
             [[rule.weights]]\ncheck = \"ptr-exists\"\nscore = 1.5\n[[rule.weights]]\ncheck = \"{part}\"\nscore = 1.0\n"
        )
    };
    Stage {
        scenario: "no-ptr",
        receiver: &score("rcpt", "sender-resolves"),
        client: "192.0.2.10",
    }
    .play(&format!(
        "{GREETING}C: EHLO mail.example.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 Ok
         C: RSET
         S: 250 Ok
         C: MAIL FROM:<a@nobody.example.test>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test>
         S: 550 2.5"
    ));
    for (stage, part) in [("rcpt", "dmarc"), ("helo", "sender-resolves")] {
        let report = martinet::scenario::parse_receiver("r.toml", &score(stage, part))
            .expect_err("the facts of a part are not known yet")
            .to_string();
        assert!(
            report.contains("when the facts of score are known"),
            "{report}"
        );
    }
}
