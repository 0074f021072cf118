//! Whole dialogues, by section of RFC 5321 and its extensions.

use martinet::smtp::{AcceptedMessage, SessionEvent, SessionEvents};

use crate::script::Stage;

fn messages(events: &SessionEvents) -> Vec<String> {
    let octets = events.iter().filter_map(|event| match event {
        SessionEvent::Transaction {
            message: Some(AcceptedMessage { octets, .. }),
            ..
        } => Some(String::from_utf8_lossy(octets).into_owned()),
        _ => None,
    });
    octets.collect()
}

#[test]
fn d_1_a_typical_transaction() {
    let events = Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: EHLO mail.example.test
         S: 250-mx.martinet.test
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-ENHANCEDSTATUSCODES
         S: 250-CHUNKING
         S: 250-BINARYMIME
         S: 250-DSN
         S: 250-SIZE 26214400
         S: 250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: Subject: x
         C:
         C: ..dot
         C: .
         S: 250 2.0.0 Ok
         C: QUIT
         S: 221 2.0.0 Bye
         S: (closed)",
    );
    assert_eq!(messages(&events), ["Subject: x\r\n\r\n.dot\r\n"]);
}

#[test]
fn s4_1_4_order_of_commands() {
    Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: RCPT TO:<b@contoso.test>
         S: 503 5.5.1 Error: need MAIL command
         C: DATA
         S: 503 5.5.1 Error: need MAIL command
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<>
         S: 250 2.1.0 Ok
         C: MAIL FROM:<a@example.test>
         S: 503 5.5.1 Error: nested MAIL command
         C: DATA
         S: 503 5.5.1 Error: need RCPT command
         C: RCPT TO:<Postmaster>
         S: 250 2.1.5 Ok
         C: RSET
         S: 250 2.0.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 503 5.5.1 Error: need MAIL command
         C: NOOP
         S: 250 2.0.0 Ok",
    );
}

#[test]
fn s4_1_4_a_second_ehlo_resets_the_transaction() {
    Stage {
        receiver: "title = \"t\"\nsmtp.xclient = []\nsmtp.extensions = [\"PIPELINING\", \"ENHANCEDSTATUSCODES\"]",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: EHLO a.test
         S: 250-mx.martinet.test
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: EHLO b.test
         S: 250-mx.martinet.test
         S: 250-PIPELINING
         S: 250 ENHANCEDSTATUSCODES
         C: RCPT TO:<b@contoso.test>
         S: 503 5.5.1 Error: need MAIL command",
    );
}

#[test]
fn s4_2_4_unknown_and_unimplemented_commands() {
    Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: EHLO
         S: 501 Syntax: EHLO hostname
         C: GET / HTTP/1.1
         S: 500 5.5.2 Error: command not recognized
         C: EXPN list
         S: 502 5.5.1 Error: command not implemented
         C: VRFY someone
         S: 252 2.5.2 Cannot VRFY user, but will accept message and attempt delivery
         C: HELP
         S: 214 2.0.0 martinet: HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH STARTTLS HELP QUIT
         C: DATA now
         S: 501 5.5.4 Syntax: DATA
         C: MAIL FROM:<a@example.test> FOO=bar
         S: 555 5.5.4 Unsupported option: FOO=bar
         C: MAIL FROM:<a@example.test\\0>
         S: 501 5.5.4 Syntax: printable characters",
    );
}

#[test]
fn s4_5_3_1_limits() {
    let long = format!("NOOP {}", "x".repeat(506));
    let fits = format!("NOOP {}", "x".repeat(505));
    let endless = "x".repeat(5000);
    Stage::default().play(&format!(
        "S: 220 mx.martinet.test ESMTP martinet
         C: {fits}
         S: 250 2.0.0 Ok
         C: {long}
         S: 500 5.5.2 Error: line too long
         C: {endless}
         S: 500 5.5.2 Error: line too long
         C: NOOP
         S: 250 2.0.0 Ok"
    ));
}

#[test]
fn s4_5_3_1_10_too_many_recipients_and_rfc1870_size() {
    Stage {
        receiver: "title = \"t\"\nsmtp.max_recipients = 1\nsmtp.size = 20",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: MAIL FROM:<a@example.test> SIZE=21
         S: 552 5.3.4 Error: message exceeds the size limit
         C: MAIL FROM:<a@example.test> SIZE=20
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 2.1.5 Ok
         C: RCPT TO:<c@contoso.test>
         S: 452 4.5.3 Error: too many recipients
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: more than twenty octets of text
         C: .
         S: 552 5.3.4 Error: message exceeds the size limit
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok",
    );
}

#[test]
fn s2_3_8_bare_line_feeds() {
    Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: NOOP\\n\\
         S: 500 5.5.2 Error: bare <LF> received
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: a\\n.\\nMAIL FROM:<smuggled@example.test>
         C: .
         S: 550 5.5.2 Error: bare <LF> received",
    );
    let receiver = "title = \"t\"\nsyntax.bare_lf = \"normalize\"\nsyntax.bare_cr = \"normalize\"";
    let events = Stage {
        receiver,
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: MAIL FROM:<a@example.test>\\n\\
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: a\\n.\\nb
         C: .
         S: 250 2.0.0 Ok",
    );
    assert_eq!(messages(&events), ["a\r\n.\r\nb\r\n"]);
}

#[test]
fn rfc2034_enhanced_codes_can_be_left_out() {
    Stage {
        receiver: "title = \"t\"\nsmtp.without = \"ENHANCEDSTATUSCODES\"",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: NOOP
         S: 250 Ok
         C: MAIL FROM:<a@example.test>
         S: 250 Ok",
    );
}

#[test]
fn too_many_mistakes_end_the_session() {
    Stage {
        receiver: "title = \"t\"\nsmtp.max_errors = 2",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: FOO
         S: 500 5.5.2 Error: command not recognized
         C: BAR
         S: 500 5.5.2 Error: command not recognized
         S: 421 4.7.0 Error: too many errors
         S: (closed)",
    );
}

#[test]
fn xclient_begins_anew_from_another_address() {
    let receiver = "title = \"t\"\n[[rule]]\ncheck = \"ptr-exists\"\nfail = \"554 no PTR for {ip}\"\nafter = \"503\"";
    Stage {
        receiver,
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: XCLIENT ADDR=nowhere
         S: 501 5.5.4 Bad ADDR syntax: nowhere
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: XCLIENT ADDR=192.0.2.10
         S: 503 5.5.1 Error: MAIL transaction in progress
         C: RSET
         S: 250 2.0.0 Ok
         C: XCLIENT ADDR=IPV6:::ffff:192.0.2.10
         S: 220 mx.martinet.test ESMTP martinet
         C: XCLIENT ADDR=203.0.113.1
         S: 554 no PTR for 203.0.113.1
         C: NOOP
         S: 503 5.7.0 Error: access denied, only QUIT is accepted
         C: QUIT
         S: 221 2.0.0 Bye
         S: (closed)",
    );
    Stage {
        receiver: "title = \"t\"\nsmtp.xclient = []",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: XCLIENT ADDR=192.0.2.10
         S: 550 5.7.0 Error: insufficient authorization",
    );
}

#[test]
fn s4_1_2_mailboxes() {
    Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: MAIL FROM:<a@>
         S: 501 5.1.7 Bad sender address syntax
         C: MAIL FROM:<a@-x.test>
         S: 501 5.1.7 Bad sender address syntax
         C: MAIL FROM:<\"a\"b@good.test>
         S: 501 5.1.7 Bad sender address syntax
         C: MAIL FROM:<ü@example.test>
         S: 553 5.6.7 Error: a path beyond ASCII needs SMTPUTF8 in MAIL
         C: MAIL FROM: <a@[192.0.2.010]>
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@>
         S: 501 5.1.3 Bad recipient address syntax
         C: RCPT TO:<ü@contoso.test>
         S: 553 5.6.7 Error: a path beyond ASCII needs SMTPUTF8 in MAIL
         C: RCPT TO:<postmaster>
         S: 250 2.1.5 Ok
         C: NOOP \\xff
         S: 250 2.0.0 Ok",
    );
    Stage {
        receiver: include_str!("../../scenarios/receivers/rfc5321-clean.toml"),
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: MAIL FROM: <a@example.test>
         S: 501 5.5.4 Syntax: MAIL FROM:<address>
         C: MAIL FROM:<postmaster>
         S: 501 5.1.7 Bad sender address syntax
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: RCPT TO:<Postmaster>
         S: 250 2.1.5 Ok",
    );
}

#[test]
fn lenient_accepts_everything() {
    let events = Stage {
        receiver: include_str!("../../scenarios/receivers/lenient.toml"),
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test\\n\\
         S: 250 mx.martinet.test
         C: MAIL FROM: a..b@x_y.test
         S: 250 2.1.0 Ok
         C: RCPT TO:ü@contoso.test.
         S: 250 2.1.5 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: a\\nb\\rc
         C: .
         S: 250 2.0.0 Ok",
    );
    assert_eq!(messages(&events), ["a\nb\rc\r\n"]);
}

#[test]
fn core_replies_belong_to_the_receiver() {
    Stage {
        receiver: "title = \"t\"
             [syntax]
             order = \"sequence\"
             [replies]
             helo = \"250 {mx} Hello {helo} [{ip}]\"
             unknown_command = \"500 {command}: what?\"
             no_valid_recipients = [\"503-rejected:\", \"503-{refused}\", \"503 no {command}\"]
             rset_syntax = \"421 {mx} enough\"
             [[rule]]
             check = \"helo-fqdn\"
             stage = \"rcpt\"
             fail = \"550 not you\"",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: foo bar
         S: 500 FOO: what?
         C: HELO x
         S: 250 mx.martinet.test Hello x [192.0.2.10]
         C: RCPT nonsense
         S: 503 5.5.1 Error: need MAIL command
         C: MAIL FROM:<a@example.test>
         S: 250 2.1.0 Ok
         C: RCPT TO:<b@contoso.test>
         S: 550 not you
         C: DATA
         S: 503-rejected:
         S: 503-not you
         S: 503 no DATA
         C: RSET now
         S: 421 mx.martinet.test enough
         S: (closed)",
    );
}

#[test]
fn rfc3207_4_commands_without_tls() {
    Stage {
        receiver: "title = \"t\"\n[auth]\n[[rule]]\ncheck = \"tls-required\"",
        ..Stage::default()
    }
    .play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: HELO mail.example.test
         S: 250 mx.martinet.test
         C: AUTH PLAIN AGEAYg==
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: VRFY a
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: RSET
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: MAIL FROM:<a@example.test>
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: RCPT TO:<b@contoso.test>
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: DATA
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: NOOP
         S: 250 2.0.0 Ok
         C: QUIT
         S: 221 2.0.0 Bye
         S: (closed)",
    );
}
