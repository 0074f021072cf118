//! Commands and errors apart from HELO: malformed, out of sequence, unknown or not offered, and whole messages.
//!
//! A character below U+0100 is the octet with that number, so that lines can have any octets. A line that ends with LF
//! is sent unchanged, any other line gets CRLF. A line that starts with [`BODY`] is sent only after 354.

use crate::random::Random;

/// The start of a message: it is sent only after 354.
pub const BODY: &str = "\u{1}body\u{1}";

/// One line each; the client is accepted by all rules, or may be in any state.
const LINES: &[&str] = &[
    "NOOP",
    "NOOP x",
    "RSET",
    "RSET x",
    "VRFY",
    "VRFY postmaster",
    "VRFY <a@good.test>",
    "ETRN",
    "ETRN good.test",
    "EXPN list",
    "HELP",
    "FOO",
    "FOO bar",
    "TURN",
    "SOML FROM:<a@b.test>",
    "LHLO a.test",
    "DATA",
    "STARTTLS",
    "AUTH",
    "AUTH PLAIN",
    "AUTH PLAIN AGEAYg==",
    "STARTTLS x",
    "BDAT",
    "QUIT now",
    "EHLO",
    "HELO",
    "",
    "MAIL",
    "RCPT",
    "MAIL FROM",
    "RCPT TO",
    "MAIL FROM:",
    "RCPT TO:",
    "MAIL TO:<a@b.test>",
    "MAIL FROM <a@b.test>",
    "mail from:<a@from.test>",
    "FOO\u{ff}",
    "NOOP\n",
    "NOOP \u{ff}",
    "VRFY a",
];

/// Paths of MAIL and RCPT.
const PATHS: &[&str] = &[
    "<>",
    "<a@>",
    "<a@-x.test>",
    "<\"a\"b@good.test>",
    "a@from.test",
    "<a@from.test",
    " <a@from.test>",
    " a@from.test",
    "<a>",
    "<Postmaster>",
    "<@>",
    "<a..b@from.test>",
    "<.a@from.test>",
    "<a b@from.test>",
    "<\"a b\"@from.test>",
    "<@r.test:a@from.test>",
    "<a@[192.0.2.1]>",
    "<a@[192.0.2.010]>",
    "<a@[IPv6:2001:db8::1]>",
    "<a@from..test>",
    "<a,b@from.test>",
    "<a@from.test>X",
    "<\u{c3}\u{bc}@from.test>",
    "<\u{ff}@from.test>",
    "<a@from.test> FOO",
    "<a@from.test> FOO=BAR",
    "<a@from.test> SIZE=1",
    "<a@from.test> SIZE=99999999999",
    "<a@from.test> BODY=FOO",
    "<a@from.test> BODY=8BITMIME",
    "<a@from.test> SMTPUTF8",
    "<a@from.test> NOTIFY=FOO",
    "<a@from.test> RET=FULL",
];

/// Whole messages after RCPT, with possible mistakes.
const MESSAGES: &[&str] = &[
    "Subject: a\r\n\r\nb\r\n.\r\n",
    ".\r\n",
    "Subject: a\n\nb\r\n.\r\n",
    "Subject: a\r\n\r\nb\rc\r\n.\r\n",
    "..a\r\n.\r\n",
];

/// Sessions of a correctly configured client, each with every kind of mistake.
pub fn scripts(helo: &str) -> Vec<Vec<String>> {
    let line = |text: &str| text.to_owned();
    let hello = format!("EHLO {helo}");
    let (mail, rcpt) = (
        line("MAIL FROM:<a@from.test>"),
        line("RCPT TO:<postmaster@contoso.test>"),
    );
    let with = |lines: &[&str]| {
        [
            vec![hello.clone()],
            lines.iter().map(|l| line(l)).collect(),
            vec![line("QUIT")],
        ]
        .concat()
    };
    let paths = |command: &str, before: &[String]| {
        let each = PATHS.iter().flat_map(|path| {
            let with_path = format!("{command}{path}");
            [before, &[with_path, line("RSET")]].concat()
        });
        [vec![hello.clone()], each.collect(), vec![line("QUIT")]].concat()
    };
    let mut scripts = vec![
        [LINES.iter().map(|l| line(l)).collect(), vec![line("QUIT")]].concat(),
        with(LINES),
        paths("MAIL FROM:", &[]),
        paths("RCPT TO:", std::slice::from_ref(&mail)),
        with(&["BDAT x"]),
        with(&["BDAT 0 LAST"]),
        [
            vec![hello.clone(), mail.clone()],
            vec![
                line("DATA"),
                mail.clone(),
                line("BDAT 0 LAST"),
                line("QUIT"),
            ],
        ]
        .concat(),
        vec![
            hello.clone(),
            mail.clone(),
            rcpt.clone(),
            line("BDAT 5\r\nabc\r\n"),
            line("DATA"),
            line("QUIT"),
        ],
        vec![
            hello.clone(),
            mail.clone(),
            rcpt.clone(),
            line("BDAT 5 LAST\r\nabc\r\n"),
            line("QUIT"),
        ],
        vec![
            hello.clone(),
            mail.clone(),
            rcpt.clone(),
            hello.clone(),
            line("DATA"),
            line("QUIT"),
        ],
        vec![mail.clone(), rcpt.clone(), line("DATA"), line("QUIT")],
    ];
    for message in MESSAGES {
        let body = format!("{BODY}{message}");
        scripts.push(vec![
            hello.clone(),
            mail.clone(),
            rcpt.clone(),
            line("DATA"),
            body,
            line("NOOP"),
            line("QUIT"),
        ]);
    }
    scripts
}

/// Inserts commands and errors into a session, at any position before QUIT.
pub fn insert_mistakes(commands: &mut Vec<String>, random: &mut Random) {
    let mut messages = Vec::new();
    for _ in 0..random.weighted(&[(35, 0), (35, 1), (20, 2), (10, 4)]) {
        let at = random.below(commands.len());
        let command = match random.below(4) {
            0 => format!("MAIL FROM:{}", random.pick(PATHS)),
            1 => format!("RCPT TO:{}", random.pick(PATHS)),
            _ => random.pick(LINES).to_owned(),
        };
        match command.as_str() {
            "DATA" => messages.push(format!("{BODY}{}", random.pick(MESSAGES))),
            _ => commands.insert(at, command),
        }
    }
    // Inserted last, so that nothing comes between DATA and its message.
    if let Some(message) = messages.pop() {
        let at = random.below(commands.len());
        commands.splice(at..at, ["DATA".to_owned(), message]);
    }
}
