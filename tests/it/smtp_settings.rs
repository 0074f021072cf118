//! Settings in receiver files for an empty HELO, STARTTLS, AUTH, scripts and idle clients; and numbers in pools.

use std::sync::Arc;

use bytes::BytesMut;
use martinet::facts::Resolver;
use martinet::scenario::{load_scenario, parse_receiver, parse_scenario};
use martinet::smtp::{ClientAddress, Session};

use crate::script::Stage;

/// Settings for short replies, and for scripts without XCLIENT.
const SHORT: &str = "smtp.xclient = []\nsmtp.extensions = []\n";

#[track_caller]
fn play(receiver: &str, script: &str) {
    Stage {
        receiver: &format!("title = \"t\"\n{SHORT}{receiver}"),
        ..Stage::default()
    }
    .play(&format!("S: 220 mx.martinet.test ESMTP martinet\n{script}"));
}

#[track_caller]
fn mistakes(receiver: &str, expected: &[&str]) {
    let text = format!("title = \"t\"\n{receiver}");
    let error = parse_receiver("r", &text)
        .expect_err("a mistake")
        .to_string();
    for words in expected {
        assert!(error.contains(words), "{words:?} in {error}");
    }
}

#[test]
fn empty_helo_by_rule() {
    let refused =
        "[syntax]\nempty_helo = true\n[[rule]]\ncheck = \"helo-syntax\"\nabout = \"empty\"
                   fail = \"550 5.7.1 {mx} wants to know your name\"";
    play(
        refused,
        "C: EHLO
         S: 550 5.7.1 mx.martinet.test wants to know your name
         C: HELO
         S: 550 5.7.1 mx.martinet.test wants to know your name
         C: MAIL FROM:<a@example.test>
         S: 503 Error: send HELO/EHLO first
         C: HELO a_b
         S: 250 mx.martinet.test",
    );
    // Other checks see the empty argument too.
    let illegal = "[syntax]\nempty_helo = true\n[[rule]]\ncheck = \"helo-syntax\"";
    play(
        illegal,
        "C: EHLO
         S: 501 5.5.2 <>: Helo command rejected: Invalid name",
    );
}

#[test]
fn empty_helo_is_accepted() {
    play(
        "[syntax]\nempty_helo = true",
        "C: HELO
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: .
         S: 250 Ok",
    );
}

#[test]
fn empty_helo_by_script() {
    let script = "[[script]]\nstage = \"helo\"\nhelo = \"\"\nverb = \"EHLO\"\nreply = \"550 5.5.0 say a name\"
                  [[script]]\nstage = \"helo\"\nhelo = \"\"\nattempt = 2\nreply = \"250 hello, nobody\"";
    play(
        script,
        "C: EHLO
         S: 550 5.5.0 say a name
         C: HELO
         S: 501 Syntax: HELO hostname
         C: EHLO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: EHLO
         S: 550 5.5.0 say a name
         C: RCPT TO:<b@contoso.test>
         S: 250 Ok
         C: HELO
         S: 250 hello, nobody
         C: RCPT TO:<b@contoso.test>
         S: 503 Error: need MAIL command",
    );
}

#[test]
fn rfc3207_starttls_after_helo() {
    play(
        "smtp.starttls = \"refused\"\nsmtp.helo_first = [\"STARTTLS\", \"RSET\"]\n[replies]\nhelo_first = \"503 5.5.1 EHLO first\"",
        "C: STARTTLS
         S: 503 5.5.1 EHLO first
         C: EHLO a.test
         S: 250 mx.martinet.test
         C: STARTTLS
         S: 454 TLS not available due to temporary reason",
    );
    play(
        "smtp.helo_first = [\"MAIL\", \"NOOP\"]",
        "C: NOOP
         S: 503 Error: send HELO/EHLO first
         C: RSET
         S: 250 Ok
         C: MAIL FROM:<a@example.test>
         S: 503 Error: send HELO/EHLO first",
    );
}

#[test]
fn syntax_that_opensmtpd_refuses_and_accepts() {
    play(
        "syntax.repeated_helo = false\nsyntax.noop_argument = false\nsyntax.domains = [\"empty\"]\nsyntax.unchecked_parameters = [\"NOTIFY\"]",
        "C: EHLO a.test
         S: 250 mx.martinet.test
         C: EHLO a.test
         S: 503 Error: HELO/EHLO was sent already
         C: HELO
         S: 503 Error: HELO/EHLO was sent already
         C: NOOP x
         S: 501 Syntax: NOOP
         C: MAIL FROM:<a@>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test> NOTIFY=FOO
         S: 250 Ok",
    );
}

#[test]
fn scripts_count_per_session_or_client() {
    let receiver = |per: &str| {
        format!(
            "title = \"t\"\n{SHORT}[[script]]\nstage = \"mail\"\nper = \"{per}\"\nattempt = 2\nreply = \"451 the second\"\n"
        )
    };
    for (per, expected) in [
        ("session", ["250", "451", "250", "250", "451", "250"]),
        ("client", ["250", "451", "250", "250", "250", "250"]),
        ("world", ["250", "451", "250", "250", "250", "250"]),
    ] {
        let memory = Arc::default();
        let profile = parse_receiver("r", &receiver(per)).expect("a receiver");
        let mut replies = Vec::new();
        for _ in 0..2 {
            replies.extend(mail_replies(&profile.receiver, &memory, "192.0.2.10"));
        }
        assert_eq!(replies, expected, "{per}");
        let other = mail_replies(&profile.receiver, &memory, "192.0.2.11");
        let first = if per == "world" { "250" } else { "451" };
        assert_eq!(other[1], first, "{per}: another client");
    }
}

/// The codes of the replies to three MAIL commands in one session.
fn mail_replies(
    receiver: &Arc<martinet::smtp::Receiver>,
    memory: &Arc<martinet::facts::Memory>,
    client: &str,
) -> Vec<String> {
    let zones = load_scenario("one-to-one")
        .expect("a scenario")
        .zones([127, 0, 0, 1].into());
    let resolver = Resolver::new(&zones, std::time::Duration::from_secs(5));
    let client = ClientAddress::fixed(client.parse().expect("an address"));
    let peer = ([127, 0, 0, 1], 40_000).into();
    let mut session = Session::new(Arc::clone(receiver), Arc::clone(memory), client, peer, 1);
    let mut codes = Vec::new();
    for command in ["", "MAIL FROM:<a@b.test>\r\n", "RSET\r\n"]
        .into_iter()
        .chain([
            "MAIL FROM:<a@b.test>\r\n",
            "RSET\r\n",
            "MAIL FROM:<a@b.test>\r\n",
        ])
    {
        let (mut input, mut output) = (BytesMut::from(command), Vec::new());
        session.advance(&mut input, &mut output, &resolver);
        session.take_send_mode();
        if command.starts_with("MAIL") {
            codes.push(String::from_utf8_lossy(&output[..3]).into_owned());
        }
    }
    codes
}

#[test]
fn scripts_ask_about_verb_tls_and_initial_response() {
    let script = "[[script]]\nstage = \"mail\"\nverb = [\"HELO\"]\nreply = \"451 use EHLO\"
                  [[script]]\nstage = \"rcpt\"\ntls = true\nreply = \"451 in TLS\"
                  [[script]]\nstage = \"rcpt\"\ntls = false\nreply = \"451 in clear text\"";
    play(
        script,
        "C: HELO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 451 use EHLO
         C: EHLO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test>
         S: 451 in clear text",
    );
    let auth = "[auth]
                [[script]]\nstage = \"auth\"\nmechanism = \"LOGIN\"\ninitial_response = true\nreply = \"454 4.7.0 not so\"
                [[script]]\nstage = \"auth\"\ninitial_response = false\nreply = \"454 4.7.0 send it along\"";
    play(
        auth,
        "C: EHLO a.test
         S: 250-mx.martinet.test
         S: 250 AUTH PLAIN LOGIN
         C: AUTH LOGIN YQ==
         S: 454 4.7.0 not so
         C: AUTH LOGIN
         S: 454 4.7.0 send it along
         C: AUTH PLAIN AGEAYg==
         S: 235 Authentication successful",
    );
    mistakes(
        "[[script]]\nstage = \"mail\"\ninitial_response = true\nreply = \"451 no\"",
        &["stage = \"auth\" with initial_response", "another stage"],
    );
}

#[test]
fn auth_login_with_other_challenges() {
    let begin = "C: EHLO a.test
         S: 250-mx.martinet.test
         S: 250 AUTH LOGIN PLAIN\n";
    let login = "[auth]\nmechanisms = [\"LOGIN\", \"PLAIN\"]\n";
    play(
        &format!("{login}login_challenges = [\"User Name\\u0000\", \"Password\\u0000\"]"),
        &format!(
            "{begin}C: AUTH LOGIN
             S: 334 VXNlciBOYW1lAA==
             C: YQ==
             S: 334 UGFzc3dvcmQA
             C: Yg==
             S: 235 Authentication successful"
        ),
    );
    play(
        &format!("{login}initial_response = [\"PLAIN\"]"),
        &format!(
            "{begin}C: AUTH LOGIN YQ==
             S: 501 Error: this mechanism takes no initial response
             C: AUTH LOGIN
             S: 334 VXNlcm5hbWU6
             C: *
             S: 501 Authentication aborted
             C: AUTH PLAIN AGEAYg==
             S: 235 Authentication successful"
        ),
    );
    play(
        &format!("{login}initial_response = []\nunwanted_response = \"ignored\""),
        &format!(
            "{begin}C: AUTH LOGIN YQ==
             S: 334 VXNlcm5hbWU6
             C: YQ==
             S: 334 UGFzc3dvcmQ6
             C: Yg==
             S: 235 Authentication successful"
        ),
    );
    mistakes("[auth]\ninitial_response = [\"CRAM-MD5\"]", &["CRAM-MD5"]);
    mistakes(
        "[auth]\nlogin_challenges = [\"User\"]",
        &["two texts: for the user name, for the password", "1 texts"],
    );
    let long = format!("[auth]\nlogin_challenges = [\"{}\", \"\"]", "x".repeat(376));
    mistakes(&long, &["at most 375 octets"]);
}

#[test]
fn rfc4954_auth_and_a_second_ehlo() {
    let dialogue = |after: &str| {
        format!(
            "C: EHLO a.test
             S: 250-mx.martinet.test
             S: 250 AUTH PLAIN LOGIN
             C: AUTH PLAIN AGEAYg==
             S: 235 Authentication successful
             C: RSET
             S: 250 Ok
             C: AUTH PLAIN AGEAYg==
             S: 503 Error: already authenticated
             C: EHLO
             S: 501 Syntax: EHLO hostname
             C: EHLO a.test
             S: 250-mx.martinet.test
             S: 250 AUTH PLAIN LOGIN
             C: MAIL FROM:<a@example.test>
             {after}"
        )
    };
    play("[auth]\nrequired = true", &dialogue("S: 250 Ok"));
    play(
        "[auth]\nrequired = true\nkept_at_ehlo = false",
        &dialogue(
            "S: 530 Authentication required
             C: AUTH PLAIN AGEAYg==
             S: 235 Authentication successful
             C: MAIL FROM:<a@example.test>
             S: 250 Ok",
        ),
    );
}

#[test]
fn rfc5321_3_8_a_421_to_a_message_ends_the_session() {
    play(
        "[replies]\nbare_lf_in_data = \"421 4.5.0 Bare linefeed (LF) not allowed\"",
        "C: EHLO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@example.test>
         S: 250 Ok
         C: RCPT TO:<b@contoso.test>
         S: 250 Ok
         C: DATA
         S: 354 End data with <CR><LF>.<CR><LF>
         C: a\\nb\\r\\n.
         S: 421 4.5.0 Bare linefeed (LF) not allowed
         S: (closed)",
    );
}

#[test]
fn own_texts_for_idle_clients() {
    let both = "[replies]\ntimeout = \"421 4.4.2 {mx} waits for no one\"\ndata_timeout = \"421 4.4.1 {mx} misses the rest\"";
    assert_eq!(
        idle(both, ""),
        "421 4.4.2 mx.martinet.test waits for no one"
    );
    let message =
        "EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\nSubject: x\r\n";
    assert_eq!(
        idle(both, message),
        "421 4.4.1 mx.martinet.test misses the rest"
    );
    let one = "[replies]\ntimeout = \"421 4.4.2 bye\"";
    assert_eq!(idle(one, message), "421 4.4.2 bye");
    assert_eq!(idle("", message), "421 Error: timeout exceeded");
}

#[test]
fn scripts_ask_about_tls() {
    let text = format!(
        "title = \"t\"\n{SHORT}[[script]]\nstage = \"mail\"\ntls = true\nreply = \"451 in TLS\"\n[[script]]\nstage = \"mail\"\ntls = false\nreply = \"451 in clear text\""
    );
    let profile = parse_receiver("r", &text).expect("a receiver");
    let zones = load_scenario("one-to-one")
        .expect("a scenario")
        .zones([127, 0, 0, 1].into());
    let resolver = Resolver::new(&zones, std::time::Duration::from_secs(5));
    for (secured, expected) in [(true, "451 in TLS"), (false, "451 in clear text")] {
        let client = ClientAddress::fixed([192, 0, 2, 10].into());
        let peer = ([127, 0, 0, 1], 40_000).into();
        let receiver = Arc::clone(&profile.receiver);
        let mut session = Session::new(receiver, Arc::default(), client, peer, 1);
        if secured {
            session.under_tls("TLS 1.3".to_owned());
        }
        let (mut input, mut output) = (BytesMut::from("MAIL FROM:<a@b.test>\r\n"), Vec::new());
        session.advance(&mut input, &mut output, &resolver);
        assert_eq!(last_line(output), expected);
    }
}

/// The last line that a client reads after it has stopped sending.
fn idle(receiver: &str, input: &str) -> String {
    let text = format!("title = \"t\"\n{SHORT}{receiver}");
    let profile = parse_receiver("r", &text).expect("a receiver");
    let zones = load_scenario("one-to-one")
        .expect("a scenario")
        .zones([127, 0, 0, 1].into());
    let resolver = Resolver::new(&zones, std::time::Duration::from_secs(5));
    let client = ClientAddress::fixed([192, 0, 2, 10].into());
    let peer = ([127, 0, 0, 1], 40_000).into();
    let receiver = Arc::clone(&profile.receiver);
    let mut session = Session::new(receiver, Arc::default(), client, peer, 1);
    let (mut input, mut output) = (BytesMut::from(input), Vec::new());
    session.advance(&mut input, &mut output, &resolver);
    session.timed_out(&mut output);
    last_line(output)
}

fn last_line(output: Vec<u8>) -> String {
    let output = String::from_utf8(output).expect("text");
    output.lines().last().expect("a reply").to_owned()
}

#[test]
fn pools_number_from_any_number() {
    let pool = |first: &str| {
        let text = format!(
            "title = \"t\"\n[[pool]]\nname = \"p\"\naddresses = \"192.0.2.1-3\"\n{first}\nptr = \"mx{{n}}.example.test\"\nhelo = \"mx{{n:02}}.example.test\""
        );
        let scenario = parse_scenario("s", &text).expect("a scenario");
        let clients = scenario.clients();
        clients
            .into_iter()
            .map(|client| client.helo)
            .collect::<Vec<_>>()
    };
    let helos = |numbers: [&str; 3]| numbers.map(|n| format!("mx{n}.example.test"));
    assert_eq!(pool(""), helos(["01", "02", "03"]));
    assert_eq!(pool("first_number = 0"), helos(["00", "01", "02"]));
    assert_eq!(pool("first_number = 9"), helos(["09", "10", "11"]));
}
