//! Public refusals of named operators: `find` names the operator, or the software whose words they are.

use std::fmt::Write as _;
use std::path::Path;

use martinet::find::{Certainty, Finder};

use crate::skipped;

/// Beside the repository: operator, reply, date and source, separated by tabs.
const FILE: &str = "../shared/data/bounces.tsv";

/// The receivers that are right for an operator of the file: its own profile, or that of the software whose words it uses.
const RIGHT: &[(&str, &[&str])] = &[
    ("Ziggo", &["ziggo"]),
    ("free.fr", &["free", "spamdyke"]),
    ("spamdyke", &["spamdyke"]),
    ("freenet.de", &["freenet"]),
    ("GMX", &["gmx"]),
    ("Gmail", &["gmail"]),
    ("AT&T", &["att"]),
    ("GoDaddy", &["godaddy"]),
    ("Cox", &["cox"]),
    ("Microsoft EOP", &["microsoft-eop"]),
    ("Exchange", &["exchange"]),
    ("SFR", &["sfr", "postfix-"]),
    ("addy.io", &["postfix-"]),
    ("OVH", &["ovh", "postfix-"]),
    ("NetCologne", &["netcologne", "postfix-"]),
    ("neo.space", &["postfix-"]),
    ("Orange", &["orange"]),
    ("mailbox.org", &["policyd-weight"]),
    ("Yahoo", &["yahoo"]),
    ("T-Online", &["t-online"]),
    ("iCloud", &["icloud", "postfix-"]),
    ("Mail.ru", &["mailru"]),
    ("MagicMail", &["magicmail"]),
    ("IronPort", &["unnamed-providers"]),
    ("(isp)", &["unnamed-providers"]),
    ("Sendmail", &["sendmail-rdns"]),
    ("Momentum", &["momentum"]),
    ("Exim", &["exim-"]),
    ("hMailServer", &["hmailserver"]),
    ("Postfix", &["postfix-"]),
    ("i.ua", &["iua"]),
    ("OpenSMTPD", &["opensmtpd-"]),
    ("Tucows", &[]),
];

/// A line of the file.
struct Row {
    operator: String,
    /// The lines of the reply, with their placeholders.
    template: Vec<String>,
    lines: Vec<String>,
}

impl Row {
    fn is_right(&self, receiver: &str) -> bool {
        let row = RIGHT
            .iter()
            .find(|(operator, _)| self.operator.starts_with(operator));
        let (_, right) = row.unwrap_or_else(|| panic!("who is {}?", self.operator));
        right.iter().any(|name| receiver.starts_with(name))
    }
}

fn rows() -> Option<Vec<Row>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let Ok(text) = std::fs::read_to_string(&path) else {
        skipped::record(&format!("find over public refusals: no {FILE}"));
        return None;
    };
    let rows = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &str| {
        let mut fields = line.split('\t');
        let operator = fields.next().unwrap_or_default().to_owned();
        let reply = fields.next().unwrap_or_default().split(" / ");
        let template: Vec<_> = reply.map(str::to_owned).collect();
        let lines = template.iter().map(|line| filled(line)).collect();
        Row {
            operator,
            template,
            lines,
        }
    };
    Some(rows.map(read).collect())
}

/// A reply with values for its placeholders: none of them stands in a profile.
fn filled(reply: &str) -> String {
    let values = [
        ("{ip}", "198.51.100.77"),
        ("{helo}", "out3.shop.example"),
        ("{mx}", "mx-in-07.isp.example"),
        ("{sender}", "news@shop.example"),
        ("{rcpt}", "someone@isp.example"),
        ("{domain}", "shop.example"),
        ("{id}", "a640c23a62f3a-b0a5f3"),
    ];
    values.iter().fold(reply.to_owned(), |text, (word, value)| {
        text.replace(word, value)
    })
}

/// A form in which a reply reaches its sender.
type Form = (&'static str, fn(&[String]) -> String);

/// The replies themselves, log lines of six programs, and notifications.
const FORMS: &[Form] = &[
    ("reply", |lines| lines.join("\r\n")),
    ("Postfix log", |lines| {
        let reply = lines.join(" ");
        format!(
            "Nov 26 02:00:00 out postfix/smtp[4242]: 4Kx1T65kRJz1: to=<someone@isp.example>, relay=mx-in-07.isp.example[203.0.113.25]:25, delay=0.9, delays=0.1/0/0.5/0.3, dsn=5.0.0, status=bounced (host mx-in-07.isp.example[203.0.113.25] said: {reply} (in reply to RCPT TO command))"
        )
    }),
    ("Exim log", |lines| {
        let reply = lines.join("\\n");
        format!(
            "2026-11-26 02:00:00 1uXyZa-000000001Ab-0 ** someone@isp.example R=dnslookup T=remote_smtp H=mx-in-07.isp.example [203.0.113.25] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes: SMTP error from remote mail server after RCPT TO:<someone@isp.example>: {reply}"
        )
    }),
    ("Sendmail log", |lines| {
        let reply = lines.join(" ");
        format!(
            "Nov 26 02:00:00 out sendmail[4242]: 5AQ2001: to=<someone@isp.example>, ctladdr=<news@shop.example> (1000/1000), delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=120000, relay=mx-in-07.isp.example. [203.0.113.25], dsn=5.0.0, reply={reply}, stat=Service unavailable"
        )
    }),
    ("qmail log", |lines| {
        let reply = lines.join("/").replace(' ', "_");
        format!(
            "@4000000065a delivery 7: failure: 203.0.113.25_does_not_like_recipient./Remote_host_said:_{reply}/Giving_up_on_203.0.113.25./"
        )
    }),
    ("OpenSMTPD log", |lines| {
        let reply = lines.join(" ");
        format!(
            "Nov 26 02:00:00 out smtpd[4242]: 5a12 mta delivery evpid=1a2b from=<news@shop.example> to=<someone@isp.example> rcpt=<-> source=\"192.0.2.1\" relay=\"203.0.113.25 (mx-in-07.isp.example)\" delay=1s result=\"PermFail\" stat=\"{reply}\""
        )
    }),
    ("nodemailer error", |lines| {
        let code: u16 = lines[0][..3].parse().expect("a code");
        serde_json::json!({"code": "EENVELOPE", "response": lines.join("\n"), "responseCode": code, "command": "RCPT TO"}).to_string()
    }),
    ("Exchange notification text", |lines| {
        let reply = lines.join(" ");
        format!(
            "Delivery has failed to these recipients or groups:\n\nsomeone@isp.example\nYour message wasn't delivered.\n\nDiagnostic information for administrators:\n\nGenerating server: out.shop.example\n\nsomeone@isp.example\nRemote Server returned '{reply}'\n\nOriginal message headers:\n\nReceived: from app.shop.example (10.0.0.7)\n"
        )
    }),
    ("delivery status notification", |lines| {
        notification(lines, 70)
    }),
    ("notification, wrapped narrowly", |lines| {
        notification(lines, 40)
    }),
];

/// A notification as Postfix writes it, its lines folded.
fn notification(lines: &[String], width: usize) -> String {
    let reply = lines.join(" ");
    let mut folded = String::new();
    let mut length = 0;
    for word in reply.split(' ') {
        if length + word.len() > width {
            folded.push_str("\n   ");
            length = 0;
        }
        let _ = write!(folded, " {word}");
        length += word.len() + 1;
    }
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@out.shop.example\nTo: news@shop.example\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\n\
         This is the mail system at host out.shop.example.\n\n<someone@isp.example>: host mx-in-07.isp.example[203.0.113.25] said:{folded}\n    (in reply to RCPT TO command)\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; out.shop.example\nArrival-Date: Thu, 26 Nov 2026 01:02:02 +0000 (UTC)\n\n\
         Final-Recipient: rfc822; someone@isp.example\nAction: failed\nStatus: 5.0.0\nRemote-MTA: dns; mx-in-07.isp.example\nDiagnostic-Code: smtp;{folded}\n\n--b--\n"
    )
}

/// A part of a reply; `None` if it has too few letters to be anybody's.
type Cut = (&'static str, fn(&[String]) -> Option<String>);

/// Minimum number of letters and digits of a cut, without the values of placeholders.
const DISTINCTIVE: usize = 20;

/// What users paste: a part of a reply, without its codes.
const CUTS: &[Cut] = &[
    ("the first line alone", |lines| part(&lines[..1], 0, 1, 1)),
    ("the longest line alone, without codes", |lines| {
        let longest = lines.iter().max_by_key(|line| bare(line).len())?;
        distinctive(bare(longest))
    }),
    ("the first half, without codes", |lines| {
        part(lines, 0, 1, 2)
    }),
    ("the second half, without codes", |lines| {
        part(lines, 1, 2, 2)
    }),
    ("the middle, without codes", |lines| part(lines, 1, 3, 4)),
    (
        "the middle in quotation marks, on lines of 30 columns",
        |lines| {
            let middle = part(lines, 1, 3, 4)?;
            let mut wrapped = String::from("> \"");
            for word in middle.split(' ') {
                let column = wrapped.len() - wrapped.rfind('\n').unwrap_or(0);
                wrapped.push_str(if column + word.len() > 30 { "\n> " } else { "" });
                let _ = write!(wrapped, "{word} ");
            }
            Some(wrapped + "\"")
        },
    ),
];

/// A line without its codes.
fn bare(line: &str) -> &str {
    let line = line.get(4..).unwrap_or_default().trim();
    match line.split_once(' ') {
        Some((code, rest)) if code.split('.').count() == 3 && code.starts_with(['4', '5']) => {
            rest.trim()
        }
        _ => line,
    }
}

/// The words of lines from one fraction of them to another.
fn part(lines: &[String], from: usize, to: usize, of: usize) -> Option<String> {
    let text: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    let text = text.join(" ");
    let words: Vec<_> = text.split_whitespace().collect();
    let cut = words.len() * from / of..words.len() * to / of;
    distinctive(&words[cut].join(" "))
}

/// The text with values for its placeholders, if it has enough letters besides.
fn distinctive(text: &str) -> Option<String> {
    let placeholder = |token: &str| token.contains('{');
    let own = text.split_whitespace().filter(|token| !placeholder(token));
    let letters = own.flat_map(str::chars).filter(|c| c.is_alphanumeric());
    (letters.count() >= DISTINCTIVE).then(|| filled(text))
}

/// In each form at least 95 of 100 refusals lead to the right operator or software, of parts of replies at least 90 of 100, and
/// none to another one that is said to be literal. The first match counts.
#[test]
fn public_refusals_lead_to_their_operators() {
    let Some(rows) = rows() else {
        return;
    };
    let finder = Finder::built_in().expect("the built-in files are sound");
    let mut report = String::new();
    for (form, write) in FORMS {
        let texts = rows.iter().map(|row| (row, write(&row.lines)));
        report.push_str(&measured(&finder, form, texts, 95));
    }
    for (form, write) in CUTS {
        let texts = rows
            .iter()
            .filter_map(|row| Some((row, write(&row.template)?)));
        report.push_str(&measured(&finder, form, texts, 90));
    }
    println!("{report}");
    assert!(!report.contains("FAILS"), "{report}");
}

/// A line of figures, then what was not right.
fn measured<'a>(
    finder: &Finder,
    form: &str,
    texts: impl Iterator<Item = (&'a Row, String)>,
    least: usize,
) -> String {
    let (mut all, mut right, mut literal) = (0, 0, 0);
    let (mut wrong, mut none_wrong) = (String::new(), true);
    for (row, text) in texts {
        all += 1;
        let found = finder.receivers(text.as_bytes());
        for (profile, certainty) in &found {
            if *certainty == Certainty::Literal && !row.is_right(&profile.name) {
                none_wrong = false;
                let _ = writeln!(
                    wrong,
                    "  WRONG LITERAL {}: {} for {text}",
                    row.operator, profile.name
                );
            }
        }
        let best = found
            .first()
            .map(|(profile, certainty)| (profile.name.as_str(), *certainty));
        match best {
            Some((name, certainty)) if row.is_right(name) => {
                right += 1;
                literal += usize::from(certainty == Certainty::Literal);
            }
            other => {
                let _ = writeln!(wrong, "  {}: {other:?} for {text}", row.operator);
            }
        }
    }
    let fails = right * 100 < all * least || !none_wrong;
    let fails = if fails { "^ FAILS\n" } else { "" };
    format!("{form}: {right} of {all} right, {literal} literal\n{wrong}{fails}")
}
