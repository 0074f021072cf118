//! Settings in receiver files for long lines and paths, mistakes and chunks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use martinet::facts::Resolver;
use martinet::scenario::{load_scenario, parse_receiver};
use martinet::smtp::{ClientAddress, Session, Step};
use rstest::rstest;

use crate::script::Stage;

#[track_caller]
fn play(receiver: &str, script: &str) {
    Stage {
        receiver: &format!(
            "title = \"t\"\nsmtp.xclient = []\nsmtp.extensions = [\"CHUNKING\"]\n{receiver}"
        ),
        ..Stage::default()
    }
    .play(&format!("S: 220 mx.martinet.test ESMTP martinet\n{script}"));
}

/// The beginning of a transaction.
const TO_RCPT: &str = "C: EHLO a.test
S: 250-mx.martinet.test
S: 250 CHUNKING
C: MAIL FROM:<a@from.test>
S: 250 Ok
C: RCPT TO:<b@contoso.test>
S: 250 Ok";

/// A line with this number of octets, without its CRLF.
fn line(beginning: &str, octets: usize) -> String {
    format!("{beginning}{}", "x".repeat(octets - beginning.len()))
}

#[rstest]
#[case::refused("", "S: 500 Error: line too long\nC: NOOP\nS: 250 Ok")]
// The first part is NOOP with an argument.
#[case::cut("[syntax]\nlong_lines = \"cut\"", "S: 250 Ok\nC: NOOP\nS: 250 Ok")]
// The rest is another command, which is unknown.
#[case::split(
    "[syntax]\nlong_lines = \"split\"",
    "S: 500 Error: line too long\nS: 500 Error: command not recognized\nC: NOOP\nS: 250 Ok"
)]
fn long_lines(#[case] syntax: &str, #[case] expected: &str) {
    for octets in [600, 5000] {
        let long = line("NOOP ", octets);
        let mut script = format!("C: {long}\n{expected}");
        if syntax.contains("split") && octets == 5000 {
            // 5,002 octets are nine pieces of 512 and a rest.
            let pieces = "S: 500 Error: line too long\n".repeat(9);
            script = script.replacen("S: 500 Error: line too long\n", &pieces, 1);
        }
        play(syntax, &script);
    }
}

#[test]
fn a_line_that_is_cut_loses_its_end() {
    // The closing bracket is after the limit.
    let mail = format!("{}@from.test>", line("MAIL FROM:<", 505));
    play(
        "[syntax]\nlong_lines = \"cut\"",
        &format!(
            "C: {mail}\nS: 501 Bad sender address syntax\nC: MAIL FROM:<a@from.test>\nS: 250 Ok"
        ),
    );
}

#[test]
fn rfc5321_4_5_3_1_3_long_paths() {
    let (fits, long) = (line("", 246), line("", 247));
    let quoted = "x".repeat(64);
    play(
        "[syntax]\npath_octets = 256\n[replies]\nsender_too_long = \"501 {argument}: too long: {beginning}...\"",
        &format!(
            "C: MAIL FROM:<{long}@from.test>
             S: 501 <{long}@from.test>: too long: {quoted}...
             C: MAIL FROM:<{fits}@from.test>
             S: 250 Ok
             C: RCPT TO:<{long}@from.test>
             S: 501 Bad recipient address syntax
             C: RCPT TO:<{fits}@from.test>
             S: 250 Ok"
        ),
    );
}

#[test]
fn vrfy_takes_a_path() {
    play(
        "[syntax]\nvrfy_path = true\nunqualified = false\n[replies]\nrecipient_unqualified = \"501 {argument}: a domain, please\"",
        "C: VRFY a
         S: 501 a: a domain, please
         C: VRFY <a@from.test>
         S: 252 Cannot VRFY user, but will accept message and attempt delivery",
    );
}

const AS_EXIM: &str = "smtp.max_errors = 2
[replies]
too_many_errors = [\"501-{mistake}\", \"501 Too many syntax or protocol errors\"]
too_many_unknown = \"500 Too many unrecognized commands\"";

#[rstest]
// The text precedes the last reply, which has the code of the mistake.
#[case(
    "C: DATA
     S: 503 Error: need MAIL command
     C: FOO
     S: 500 Error: command not recognized
     C: DATA
     S: 503-Error: need MAIL command
     S: 503 Too many syntax or protocol errors
     S: (closed)"
)]
#[case(
    "C: FOO
     S: 500 Error: command not recognized
     C: FOO
     S: 500 Error: command not recognized
     C: NOOP
     S: 250 Ok
     C: FOO
     S: 500 Too many unrecognized commands
     S: (closed)"
)]
#[case(
    "C: EHLO a.test
     S: 250-mx.martinet.test
     S: 250 CHUNKING
     C: BDAT 0 LAST
     S: 503 Error: need MAIL command
     C: BDAT 0 LAST
     S: 503 Error: need MAIL command
     C: BDAT 0 LAST
     S: 503-Error: need MAIL command
     S: 503 Too many syntax or protocol errors
     S: (closed)"
)]
fn too_many_mistakes_as_exim(#[case] script: &str) {
    play(AS_EXIM, script);
}

#[rstest]
#[case(
    "C: FOO
     S: 500 Error: command not recognized
     S: 421 too many unknown commands
     S: (closed)"
)]
#[case(
    "C: DATA
     S: 503 Error: need MAIL command
     S: 421 Error: too many errors
     S: (closed)"
)]
fn unknown_commands_have_words_of_their_own(#[case] script: &str) {
    play(
        "smtp.max_errors = 1\n[replies]\ntoo_many_unknown = \"421 too many unknown commands\"",
        script,
    );
}

#[test]
fn rfc3030_a_chunk_that_is_too_large_ends_the_transaction() {
    play(
        "smtp.size = 1000\n[replies]\nchunk_too_large = \"552 Chunk exceeds message size limit\"",
        &format!(
            "{TO_RCPT}
             C: BDAT 1202
             C: {}
             S: 552 Chunk exceeds message size limit
             C: BDAT 0 LAST
             S: 503 Error: need MAIL command",
            line("", 1200)
        ),
    );
}

#[test]
fn rfc3207_4_a_malformed_command_needs_tls_too() {
    play(
        "delay_reject = true\n[[rule]]\ncheck = \"tls-required\"\nfail = \"530 5.7.0 Must issue a STARTTLS command first\"",
        "C: AUTH
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: EHLO a.test
         S: 250-mx.martinet.test
         S: 250 CHUNKING
         C: MAIL FROM:
         S: 530 5.7.0 Must issue a STARTTLS command first
         C: MAIL FROM:<a@from.test>
         S: 530 5.7.0 Must issue a STARTTLS command first",
    );
}

#[test]
fn quit_with_an_argument_ends_a_refused_session_where_the_receiver_takes_it() {
    let refused = "[[rule]]\ncheck = \"helo-fqdn\"\nafter = \"503\"\nfail = \"550 5.7.1 no\"\n";
    let dialogue = |last: &str| {
        format!(
            "C: EHLO a
             S: 550 5.7.1 no
             C: QUIT now
             {last}"
        )
    };
    let denied = "S: 503 Error: access denied, only QUIT is accepted";
    play(refused, &dialogue(denied));
    play(
        &format!("{refused}[replies]\nquit_syntax = \"221 Bye\""),
        &dialogue("S: 221 Bye\nS: (closed)"),
    );
}

#[test]
fn a_malformed_mail_before_helo_is_out_of_sequence() {
    play(
        "[syntax]\norder = \"sequence\"\n[[rule]]\ncheck = \"helo-required\"\nfail = \"503 5.5.1 say HELO\"",
        "C: MAIL FROM:<a@
         S: 503 Error: send HELO/EHLO first
         C: HELO a.test
         S: 250 mx.martinet.test
         C: MAIL FROM:<a@
         S: 501 Bad sender address syntax",
    );
}

#[test]
fn a_rule_about_conduct_speaks_from_its_stage_on() {
    play(
        "[[rule]]\ncheck = \"limits\"\nerrors = 1\nstage = \"data\"\nfail = \"421 4.7.0 {mx} too many errors\"",
        "C: HELO a.test
         S: 250 mx.martinet.test
         C: FOO
         S: 500 Error: command not recognized
         C: MAIL FROM:<a@from.test>
         S: 250 Ok
         C: FOO
         S: 500 Error: command not recognized
         C: RCPT TO:<b@contoso.test>
         S: 250 Ok
         C: FOO
         S: 421 4.7.0 mx.martinet.test too many errors
         S: (closed)",
    );
}

#[test]
fn rfc3030_the_chunk_behind_bdat_is_in_step() {
    play(
        "[[rule]]\ncheck = \"sync\"\nstage = \"helo\"\nfail = \"554 5.5.1 wait for the reply\"",
        &format!("{TO_RCPT}\nC: BDAT 5 LAST\\r\\nabc\\r\\n\\\nS: 250 Ok"),
    );
}

/// The transcript does not show the credentials of an overlong AUTH, whatever happens to long lines.
#[rstest]
fn rfc4954_credentials_of_a_long_line(
    #[values("refuse", "cut", "split")] long_lines: &str,
    #[values("", " ")] space: &str,
) {
    let receiver = format!(
        "title = \"t\"\n[syntax]\nlong_lines = \"{long_lines}\"\nleading_space = true\n[auth]"
    );
    let profile = parse_receiver("r", &receiver).expect("a receiver");
    let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let client = ClientAddress::fixed([192, 0, 2, 10].into());
    let mut session = Session::new(profile.receiver, Arc::default(), client, peer, 1);
    let scenario = load_scenario("one-to-one").expect("a scenario");
    let zones = scenario.zones([127, 0, 0, 1].into());
    let resolver = Resolver::new(&zones, Duration::from_secs(5));
    let credentials = "c2VjcmV0".repeat(500);
    let lines = format!("EHLO a.test\r\n{space}AUTH PLAIN {credentials}\r\nQUIT\r\n");
    let (mut input, mut output) = (BytesMut::from(lines.as_bytes()), Vec::new());
    while session.advance(&mut input, &mut output, &resolver) != Step::Close {}
    let events = session.take_events();
    let lines: Vec<_> = events.lines().map(|(_, line)| line.to_owned()).collect();
    let shown = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(
        shown("AUTH PLAIN <credentials>") && !shown("c2VjcmV0"),
        "{lines:?}"
    );
}
