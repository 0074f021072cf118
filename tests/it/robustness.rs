//! Hostile octets, without sockets: lines, line ends, wrong sizes. `docs/robustness.md` has the table.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use martinet::facts::{Facts, Resolver};
use martinet::scenario::{load_scenario, parse_receiver};
use martinet::smtp::{
    AcceptedMessage, ClientAddress, Session, SessionEvent, SessionEvents, Speaker, Step,
};

use crate::script::Stage;

/// The outcome of a session: its replies, and what was published about it.
struct Played {
    replies: Vec<String>,
    events: SessionEvents,
    /// Maximum number of octets that waited in the input, and that were sent at once.
    most: (usize, usize),
    closed: bool,
}

impl Played {
    /// Plays packets to a receiver, which is given as TOML.
    fn with<'a>(receiver: &str, packets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let profile =
            parse_receiver("r", &format!("title = \"t\"\n{receiver}")).expect("a receiver");
        let zones = load_scenario("one-to-one")
            .expect("a scenario")
            .zones([127, 0, 0, 1].into());
        let resolver = Resolver::new(&zones, Duration::from_secs(5));
        let client = ClientAddress::fixed([192, 0, 2, 10].into());
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        let mut session = Session::new(
            Arc::clone(&profile.receiver),
            Arc::default(),
            client,
            peer,
            1,
        );
        let (mut input, mut output) = (BytesMut::new(), Vec::new());
        let mut played = Self {
            replies: Vec::new(),
            events: SessionEvents::default(),
            most: (0, 0),
            closed: false,
        };
        for packet in std::iter::once(&b""[..]).chain(packets) {
            input.extend_from_slice(packet);
            while !played.closed {
                let step = session.advance(&mut input, &mut output, &resolver);
                played.most.1 = played.most.1.max(output.len());
                let text =
                    String::from_utf8(std::mem::take(&mut output)).expect("replies are text");
                played.replies.extend(text.lines().map(str::to_owned));
                played.closed = step == Step::Close;
                if step == Step::Read {
                    break;
                }
            }
            played.most.0 = played.most.0.max(input.len());
        }
        played.events = session.take_events();
        played
    }

    /// The reply codes, the last line of each reply.
    fn codes(&self) -> Vec<&str> {
        self.replies
            .iter()
            .filter(|line| line.as_bytes().get(3) == Some(&b' '))
            .map(|line| &line[..3])
            .collect()
    }

    fn replies(&self) -> Vec<&str> {
        self.events
            .lines()
            .filter(|(from, _)| *from == Speaker::Client)
            .map(|(_, line)| line)
            .collect()
    }

    /// The messages that were accepted.
    fn messages(&self) -> Vec<&[u8]> {
        let messages = self.events.iter().filter_map(|event| match event {
            SessionEvent::Transaction {
                message: Some(AcceptedMessage { octets, .. }),
                ..
            } => Some(octets.as_slice()),
            _ => None,
        });
        messages.collect()
    }

    fn facts(&self) -> Option<&Facts> {
        self.events.iter().rev().find_map(|event| {
            if let SessionEvent::Observed(facts) = event {
                Some(&**facts)
            } else {
                None
            }
        })
    }
}

const ENVELOPE: &[u8] =
    b"EHLO mail.example.test\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@contoso.test>\r\n";

/// One packet.
fn one(octets: &[u8]) -> [&[u8]; 1] {
    [octets]
}

/// Each octet a packet.
fn each(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.chunks(1)
}

/// RFC 5321 §4.5.3.1.4: an overlong line gets one reply, whatever the packet borders, and the next line is a command
/// again.
#[test]
fn overlong_lines_are_skipped_and_recorded() {
    let line = |verb: &str, octets: usize| {
        format!("{verb}{}\r\n", "x".repeat(octets - verb.len() - 2)).into_bytes()
    };
    for (octets, codes, ending) in [
        (line("NOOP ", 512), ["220", "250", "250"], "x"),
        (line("NOOP ", 513), ["220", "500", "250"], "x"),
        (line("MAIL FROM:<", 1012), ["220", "501", "250"], "x"),
        (
            line("MAIL FROM:<", 1013),
            ["220", "500", "250"],
            "x… (1013 octets)",
        ),
        (
            line("AUTH PLAIN ", 5000),
            ["220", "500", "250"],
            "AUTH PLAIN <credentials>… (5000 octets)",
        ),
        (
            line("", 100_000),
            ["220", "500", "250"],
            "x… (100000 octets)",
        ),
    ] {
        let octets = [octets, b"NOOP\r\n".to_vec()].concat();
        for played in [
            Played::with("", one(&octets)),
            Played::with("", each(&octets)),
        ] {
            assert_eq!(played.codes(), codes);
            assert!(
                played.replies()[0].ends_with(ending),
                "{:?}",
                played.replies()
            );
        }
    }
}

#[test]
fn an_endless_line_is_not_stored() {
    let packets = vec![vec![b'x'; 60_000]; 100];
    let end = [&b"\r\nNOOP\r\n"[..]];
    let played = Played::with("", packets.iter().map(Vec::as_slice).chain(end));
    assert_eq!(played.codes(), ["220", "500", "250"]);
    assert_eq!(played.most.0, 0, "nothing of it waits in the input");
    assert_eq!(
        played.replies()[0].chars().count(),
        1012 + "… (6000002 octets)".chars().count()
    );
}

#[test]
fn overlong_text_lines_are_refused_at_the_dot() {
    for (octets, code) in [(998, "250"), (999, "500"), (100_000, "500")] {
        let text = "x".repeat(octets);
        let octets = [ENVELOPE, b"DATA\r\n", text.as_bytes(), b"\r\n.\r\nNOOP\r\n"].concat();
        for played in [
            Played::with("", one(&octets)),
            Played::with("", each(&octets)),
        ] {
            assert_eq!(
                played.codes(),
                ["220", "250", "250", "250", "354", code, "250"],
                "{octets:?} octets"
            );
        }
    }
}

#[test]
fn octets_not_allowed_in_commands() {
    Stage::default().play(
        "S: 220 mx.martinet.test ESMTP martinet
         C: NO\\0OP
         S: 500 5.5.2 Error: command not recognized
         C: HELO a\\0b
         S: 501 5.5.4 Syntax: printable characters
         C: MAIL FROM:<a\\r@example.test>
         S: 501 5.5.4 Syntax: printable characters
         C: MAIL FROM:<é@example.test>
         S: 553 5.6.7 Error: a path beyond ASCII needs SMTPUTF8 in MAIL
         C: NOOP\\r\\r\\n\\
         S: 500 5.5.2 Error: command not recognized
         C: \\0\\0\\0
         S: 500 5.5.2 Error: command not recognized",
    );
    let codes = Played::with(
        "",
        one(b"HELO \xff\xfe\r\n\xff\xfe\r\nRCPT TO:<\xff@contoso.test>\r\n"),
    );
    assert_eq!(
        codes.codes(),
        ["220", "500", "500", "500"],
        "octets that are no UTF-8 are a mistake in every command"
    );
}

/// Forms that some servers accepted as the end of data (CVE-2023-51764 and similar), and variants with NUL.
const SMUGGLED: [&str; 16] = [
    "\n.\n",
    "\n.\r\n",
    "\n.\r",
    "\r.\r",
    "\r.\r\n",
    "\r.\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r\n\n.\r\n",
    "\n\r.\r\n",
    "\r\r\n.\r\r\n",
    "\r\n.\r\r\n",
    "\r\n.\0\r\n",
    "\r\n\0.\r\n",
    "\0\r\n.\0\n",
    "\n\n.\n\n",
];

/// No setting accepts any of them as the end of data: there is one transaction, and the smuggled commands are text in
/// it. If bare line ends are accepted, the journal records them.
#[test]
fn no_form_of_smtp_smuggling_ends_the_data() {
    let smuggled = "MAIL FROM:<evil@example.test>\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\nevil\r\n";
    for form in SMUGGLED {
        let octets = [
            ENVELOPE,
            b"DATA\r\nfirst",
            form.as_bytes(),
            smuggled.as_bytes(),
            b".\r\nQUIT\r\n",
        ]
        .concat();
        let bare = form.replace("\r\n", "").contains(['\r', '\n']);
        for (setting, accepted) in [("reject", !bare), ("normalize", true), ("accept", true)] {
            let receiver =
                format!("syntax.bare_lf = \"{setting}\"\nsyntax.bare_cr = \"{setting}\"");
            for played in [
                Played::with(&receiver, one(&octets)),
                Played::with(&receiver, each(&octets)),
            ] {
                let end = if accepted { "250" } else { "550" };
                assert_eq!(
                    played.codes(),
                    ["220", "250", "250", "250", "354", end, "221"],
                    "{form:?} {setting}"
                );
                let messages = played.messages();
                assert_eq!(messages.len(), usize::from(accepted), "{form:?} {setting}");
                assert!(
                    messages.iter().all(|m| m.windows(5).any(|w| w == b"evil@")),
                    "{form:?} {setting}"
                );
                let ending = played
                    .facts()
                    .is_some_and(|facts| facts.conduct().bare_newline.is_some());
                assert_eq!(ending, bare, "the journal has it: {form:?} {setting}");
            }
        }
    }
}

#[test]
fn wrong_bdat_sizes() {
    for (chunk, codes) in [
        ("BDAT 4 LAST\r\nQUIT\r\n", &["250", "500"][..]),
        ("BDAT 4294967295 LAST\r\nQUIT\r\nNOOP\r\n", &[]),
        ("BDAT 4294967296 LAST\r\nQUIT\r\nNOOP\r\n", &["521"]),
        ("BDAT 99999999999999999999 LAST\r\nQUIT\r\n", &["521"]),
        ("BDAT 18446744073709551615\r\nQUIT\r\n", &["521"]),
        ("BDAT -1 LAST\r\nNOOP\r\n", &["521"]),
        ("BDAT 0x10 LAST\r\nNOOP\r\n", &["521"]),
        ("BDAT 0 LAST\r\nNOOP\r\n", &["250", "250"]),
        (
            "BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\nNOOP\r\n",
            &["250", "250", "250"],
        ),
    ] {
        let octets = [ENVELOPE, chunk.as_bytes()].concat();
        for played in [
            Played::with("", one(&octets)),
            Played::with("", each(&octets)),
        ] {
            assert_eq!(&played.codes()[4..], codes, "{chunk:?}");
        }
    }
}

/// RFC 3030 §2: the octets of a chunk are not commands, even after a refusal or if they come with the chunk.
#[test]
fn refused_chunks_are_not_commands() {
    let chunk = b"BDAT 12 LAST\r\nQUIT\r\nNOOP\r\nNOOP\r\n";
    for (stage, codes) in [
        ("helo", ["220", "554", "503", "503", "503", "503"]),
        ("data", ["220", "250", "250", "250", "554", "503"]),
    ] {
        let rule = format!(
            "[[rule]]\ncheck = \"helo-fqdn\"\nstage = \"{stage}\"\nfail = \"554 no\"\nafter = \"503\""
        );
        let octets = [
            &b"EHLO x\r\n"[..],
            &ENVELOPE[b"EHLO mail.example.test\r\n".len()..],
            chunk,
        ]
        .concat();
        for played in [
            Played::with(&rule, one(&octets)),
            Played::with(&rule, each(&octets)),
        ] {
            assert_eq!(played.codes(), codes, "{stage}");
            assert!(!played.closed, "QUIT was an octet of the chunk");
        }
    }
    let many = [&b"BDAT 6 LAST\r\nQUIT\r\n"[..]; 30].concat();
    let played = Played::with("smtp.max_errors = 3", one(&many));
    assert_eq!(
        played.codes(),
        ["220", "503", "503", "503", "421"],
        "refused chunks are mistakes like others"
    );
}

/// RFC 1870: an announced size is refused at MAIL; the actual size is checked too.
#[test]
fn wrong_sizes() {
    for (announced, sent, codes) in [
        ("SIZE=10", 90, &["250", "250", "354", "250"][..]),
        ("SIZE=10", 110, &["250", "250", "354", "552"]),
        ("SIZE=101", 10, &["552", "503", "503"]),
        ("SIZE=99999999999999999999", 10, &["552", "503", "503"]),
        ("SIZE=0", 110, &["250", "250", "354", "552"]),
    ] {
        let envelope = format!(
            "EHLO a.test\r\nMAIL FROM:<a@example.test> {announced}\r\nRCPT TO:<b@contoso.test>\r\nDATA\r\n"
        );
        let text = if codes.contains(&"354") {
            format!("{}\r\n.\r\n", "x".repeat(sent))
        } else {
            String::new()
        };
        let played = Played::with(
            "smtp.size = 100",
            one(&[envelope, text].concat().into_bytes()),
        );
        assert_eq!(&played.codes()[2..], codes, "{announced}, {sent} sent");
    }
}

/// 100,000 recipients: 1,000 are accepted, the rest get 452; neither replies nor records grow with them.
#[test]
fn a_hundred_thousand_recipients() {
    let burst: Vec<u8> = (0..2000)
        .flat_map(|n| format!("RCPT TO:<user{n}@contoso.test>\r\n").into_bytes())
        .collect();
    let packets = [ENVELOPE]
        .into_iter()
        .chain(std::iter::repeat_n(burst.as_slice(), 50))
        .chain([&b"DATA\r\nx\r\n.\r\n"[..]]);
    let played = Played::with("", packets);
    let count = |code: &str| played.codes().iter().filter(|c| **c == code).count();
    assert_eq!(
        (count("250"), count("452"), count("354")),
        (2 + 1000 + 1, 100_000 - 999, 1)
    );
    assert!(
        played.most.1 <= 17 << 10,
        "{} octets of replies at once",
        played.most.1
    );
    assert!(
        played.replies().len() <= 400,
        "the transcript has its limit"
    );
}

/// A burst of commands with long replies, or with many facts, is answered in parts: the client must read the first
/// part.
#[test]
fn a_burst_is_answered_in_parts() {
    for (line, most) in [
        ("HELP\r\n", 17 << 10),
        ("EHLO a.test\r\n", 17 << 10),
        ("HELO a.test\r\n", 2 << 10),
    ] {
        let played = Played::with("", one(line.repeat(5000).as_bytes()));
        assert_eq!(played.codes().len(), 5001);
        assert!(
            played.most.1 <= most,
            "{line:?}: {} octets at once",
            played.most.1
        );
    }
}

/// The table of docs/robustness.md names tests that exist.
#[test]
fn every_row_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let table = read("docs/robustness.md");
    let named: BTreeSet<_> = table
        .split('`')
        .filter_map(|word| word.rsplit_once("::"))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for (module, test) in named {
        let source = read(&format!("tests/it/{}.rs", module.replace("::", "/")));
        assert!(
            source.contains(&format!("fn {test}(")),
            "no test {module}::{test}"
        );
    }
    for row in table
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 5)
        .skip(2)
    {
        assert!(row.contains("::"), "a row without a test: {row}");
    }
}
