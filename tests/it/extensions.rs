//! Whole dialogues of the extensions: BDAT, DSN, AUTH, ETRN, LIMITS, XCLIENT.

use martinet::smtp::{AcceptedMessage, SessionEvent, SessionEvents, Speaker};

use crate::script::Stage;

const PLAIN: &str =
    "smtp.xclient = []\nsmtp.extensions = [\"CHUNKING\", \"BINARYMIME\", \"8BITMIME\", \"DSN\"]\n";

#[track_caller]
fn play(receiver: &str, script: &str) -> SessionEvents {
    Stage {
        receiver: &format!("title = \"t\"\n{receiver}"),
        ..Stage::default()
    }
    .play(script)
}

fn message(events: &SessionEvents) -> Option<String> {
    events.iter().find_map(|event| match event {
        SessionEvent::Transaction {
            message: Some(AcceptedMessage { octets, .. }),
            ..
        } => Some(String::from_utf8_lossy(octets).into_owned()),
        _ => None,
    })
}

const BEGIN: &str = "S: 220 mx.martinet.test ESMTP martinet
    C: EHLO a.test
    S: 250-mx.martinet.test
    S: 250-8BITMIME
    S: 250-CHUNKING
    S: 250-BINARYMIME
    S: 250 DSN\n";

#[test]
fn rfc3030_chunks() {
    let events = play(
        PLAIN,
        &format!(
            "{BEGIN}C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: BDAT 12\\r\\nSubject: x\\r\\n\\
             S: 250 12 octets received
             C: DATA
             S: 503 Error: DATA after BDAT
             C: RCPT TO:<c@contoso.test>
             S: 503 Error: RCPT after BDAT
             C: BDAT 8 LAST\\r\\n\\r\\n.\\r\\nx\\r\\n\\
             S: 250 Ok
             C: BDAT 3\\r\\nabc\\
             S: 503 Error: need MAIL command
             C: NOOP
             S: 250 Ok"
        ),
    );
    assert_eq!(
        message(&events).as_deref(),
        Some("Subject: x\r\n\r\n.\r\nx\r\n"),
        "a dot is a dot, a size is a size"
    );
}

#[test]
fn rfc3030_refused_chunks_are_read_all_the_same() {
    play(
        PLAIN,
        &format!(
            "{BEGIN}C: BDAT 6\\r\\nQUIT\\r\\n\\
             S: 503 Error: need MAIL command
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: BDAT 6 LAST\\r\\nQUIT\\r\\n\\
             S: 503 Error: need RCPT command
             C: BDAT x
             S: 521 Syntax: BDAT octets [LAST]
             S: (closed)"
        ),
    );
    play(
        &format!("{PLAIN}smtp.size = 10\n"),
        &format!(
            "{BEGIN}C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: BDAT 12 LAST\\r\\n0123456789ab\\
             S: 552 Error: message exceeds the size limit
             C: NOOP
             S: 250 Ok"
        ),
    );
}

#[test]
fn rfc3030_binary_messages_come_by_bdat_only() {
    let events = play(
        PLAIN,
        &format!(
            "{BEGIN}C: MAIL FROM:<a@example.test> BODY=BINARYMIME
             S: 250 Ok
             C: RCPT TO:<b@contoso.test>
             S: 250 Ok
             C: DATA
             S: 503 Error: BODY=BINARYMIME needs BDAT
             C: BDAT 6 LAST\\r\\na\\0\\n\\r\\n.\\
             S: 250 Ok"
        ),
    );
    assert_eq!(message(&events).as_deref(), Some("a\0\n\r\n."));
    play(
        "smtp.xclient = []\nsmtp.extensions = []",
        "S: 220 mx.martinet.test ESMTP martinet
         C: EHLO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test> BODY=BINARYMIME
         S: 555 Unsupported option: BODY=BINARYMIME
         C: MAIL FROM:<a@example.test> SIZE=1
         S: 555 Unsupported option: SIZE=1
         C: BDAT 1
         S: 502 Error: command not implemented",
    );
}

#[test]
fn rfc3461_parameters_are_kept() {
    let events = play(
        PLAIN,
        &format!(
            "{BEGIN}C: MAIL FROM:<a@example.test> RET=HDRS ENVID=QQ314159
             S: 250 Ok
             C: RCPT TO:<b@contoso.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@contoso.test
             S: 250 Ok
             C: RCPT TO:<c@contoso.test> NOTIFY=SOMETIMES
             S: 501 Error: Bad NOTIFY parameter syntax
             C: BDAT 0 LAST
             S: 250 Ok"
        ),
    );
    let envelope = events.iter().find_map(|event| match event {
        SessionEvent::Transaction { envelope, .. } => Some(envelope.clone()),
        _ => None,
    });
    let envelope = envelope.expect("a transaction");
    assert_eq!(envelope.parameters, ["RET=HDRS", "ENVID=QQ314159"]);
    assert_eq!(
        envelope.recipient_parameters,
        [["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;b@contoso.test"]]
    );
}

#[test]
fn rfc4954_auth() {
    let users = "smtp.xclient = []\nsmtp.extensions = []\n[auth]\nusers = { tim = \"tanstaaftanstaaf\" }\n\
                 mechanisms = [\"PLAIN\", \"LOGIN\", \"CRAM-MD5\", \"XOAUTH2\"]\nrequired = true";
    let begin = "S: 220 mx.martinet.test ESMTP martinet
        C: EHLO a.test
        S: 250-mx.martinet.test
        S: 250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2\n";
    let events = play(
        users,
        &format!(
            "{begin}C: MAIL FROM:<a@example.test>
             S: 530 Authentication required
             C: AUTH PLAIN AHRpbQB3cm9uZw==
             S: 535 Error: authentication failed
             C: AUTH PLAIN
             S: 334
             C: *
             S: 501 Authentication aborted
             C: AUTH NTLM
             S: 504 Unrecognized authentication type
             C: AUTH LOGIN
             S: 334 VXNlcm5hbWU6
             C: dGlt
             S: 334 UGFzc3dvcmQ6
             C: dGFuc3RhYWZ0YW5zdGFhZg==
             S: 235 Authentication successful
             C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
             S: 503 Error: already authenticated
             C: MAIL FROM:<a@example.test>
             S: 250 Ok"
        ),
    );
    let lines = || {
        events
            .lines()
            .filter(|(from, _)| *from == Speaker::Client)
            .map(|(_, line)| line)
    };
    for line in lines() {
        assert!(
            !line.contains("dGlt") && !line.contains("AHRpbQ"),
            "credentials are not told: {line}"
        );
    }
    let lines_with_auth: Vec<_> = lines()
        .filter(|line| line.contains("credentials"))
        .collect();
    let plain = "AUTH PLAIN <credentials>";
    assert_eq!(
        lines_with_auth,
        [
            plain,
            "<credentials>",
            "<credentials>",
            "<credentials>",
            plain
        ]
    );
    play(
        users,
        &format!(
            "{begin}C: AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgeAEB
             S: 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=
             C:
             S: 535 Error: authentication failed
             C: AUTH PLAIN not-base64
             S: 501 Error: cannot decode the response
             C: AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
             S: 235 Authentication successful"
        ),
    );
}

#[test]
fn rfc4954_auth_by_setting() {
    let auth = |setting: &str| {
        format!(
            "smtp.xclient = []\nsmtp.extensions = []\n[auth]\nmechanisms = [\"PLAIN\"]\n{setting}"
        )
    };
    let try_any = |setting: &str, reply: &str| {
        play(
            &auth(setting),
            &format!(
                "S: 220 mx.martinet.test ESMTP martinet
                 C: EHLO a.test
                 S: 250-mx.martinet.test
                 S: 250 AUTH PLAIN
                 C: AUTH PLAIN AGEAYg==
                 S: {reply}"
            ),
        );
    };
    try_any("accept = \"any\"", "235 Authentication successful");
    try_any("accept = \"none\"", "535 Error: authentication failed");
    try_any("accept = \"later\"", "454 Temporary authentication failure");
    play(
        &auth("tls_only = true"),
        "S: 220 mx.martinet.test ESMTP martinet
         C: AUTH PLAIN AGEAYg==
         S: 503 Error: send HELO/EHLO first
         C: EHLO a.test
         S: 250 mx.martinet.test
         C: AUTH PLAIN AGEAYg==
         S: 538 Encryption required for requested authentication mechanism",
    );
}

#[test]
fn rfc9422_limits_and_rfc1985_etrn() {
    play(
        "smtp.xclient = []\nsmtp.extensions = [\"LIMITS\", \"ETRN\", \"MT-PRIORITY\", \"DELIVERBY\", \"REQUIRETLS\"]",
        "S: 220 mx.martinet.test ESMTP martinet
         C: EHLO a.test
         S: 250-mx.martinet.test
         S: 250-LIMITS RCPTMAX=1000
         S: 250-MT-PRIORITY
         S: 250-DELIVERBY
         S: 250 ETRN
         C: ETRN example.test
         S: 250 Queuing for the domain started
         C: STARTTLS
         S: 502 Error: STARTTLS is not offered
         C: MAIL FROM:<a@example.test> REQUIRETLS
         S: 555 Unsupported option: REQUIRETLS
         C: MAIL FROM:<a@example.test> MT-PRIORITY=3 BY=60;R
         S: 250 Ok",
    );
}

/// Postfix XCLIENT_README.
#[test]
fn xclient_in_its_breadth() {
    let rules = "smtp.extensions = []\n[[rule]]\ncheck = \"iprev\"\nstage = \"mail\"\nfail = \"550 {ptr} [{ip}]\"\nerror = \"451 later\"";
    let helo = "C: EHLO x.test
        S: 250-mx.martinet.test
        S: 250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT\n";
    let check = |attributes: &str, reply: &str| {
        play(
            rules,
            &format!(
                "S: 220 mx.martinet.test ESMTP martinet
                 C: XCLIENT {attributes}
                 S: 220 mx.martinet.test ESMTP martinet
                 {helo}C: MAIL FROM:<a@example.test>
                 S: {reply}"
            ),
        );
    };
    check("ADDR=192.0.2.10", "250 Ok");
    check("ADDR=198.51.100.1", "550 unknown [198.51.100.1]");
    check("ADDR=198.51.100.1 NAME=told.example.test", "250 Ok");
    check(
        "ADDR=198.51.100.1 NAME=[UNAVAILABLE] REVERSE_NAME=ptr.example.test",
        "550 ptr.example.test [198.51.100.1]",
    );
    check("NAME=[TEMPUNAVAIL]", "451 later");
    check("ADDR=IPV6:2001:db8::9", "550 unknown [2001:db8::9]");
    play(
        rules,
        &format!(
            "S: 220 mx.martinet.test ESMTP martinet
             C: XCLIENT HELO=told.test PROTO=SMTP LOGIN=tim
             S: 220 mx.martinet.test ESMTP martinet
             C: MAIL FROM:<a@example.test>
             S: 250 Ok
             C: XCLIENT ADDR=192.0.2.10
             S: 503 Error: MAIL transaction in progress
             C: RSET
             S: 250 Ok
             C: XCLIENT FOO=1
             S: 501 Bad XCLIENT attribute name: FOO
             C: XCLIENT
             S: 501 Syntax: XCLIENT attribute=value...
             {helo}C: QUIT
             S: 221 Bye
             S: (closed)"
        ),
    );
    play(
        "smtp.extensions = []\nsmtp.xclient = [\"192.0.2.0/24\"]",
        "S: 220 mx.martinet.test ESMTP martinet
         C: XCLIENT ADDR=192.0.2.1
         S: 550 Error: insufficient authorization",
    );
}
