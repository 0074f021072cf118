//! Gives the receivers' replies about PTR and HELO to an independent bounce classifier: Sisimai, as Debian packages it
//! (libsisimai-perl 4.25). That version has no separate reason for a missing PTR record: such refusals, and those of a
//! HELO name, are `blocked`.

use std::fmt::Write as _;
use std::process::Command;

use martinet::scenario;

use crate::skipped::skip;

/// Replies that Sisimai 4.25 classifies as something else (`syntaxerror`, `norelaying`), or for which it finds no
/// reason (`onhold`): receiver, check, Sisimai's reason, separated by tabs. `MARTINET_BLESS=1` rewrites the file.
const EXCEPTIONS: &str = "tests/data/sisimai-4.25.tsv";

const SCRIPT: &str = r#"
use Sisimai;
my $found = Sisimai->make($ARGV[0], 'delivered' => 0) || [];
for my $one (@$found) { printf "%s\t%s\n", $one->recipient->address, $one->reason; }
"#;

#[test]
fn refusals_of_ptr_and_helo_are_classified() {
    let has = Command::new("perl").args(["-MSisimai", "-e", "1"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        skip("Sisimai (libsisimai-perl): refusals of PTR and HELO are not classified");
        return;
    }
    let directory = std::env::temp_dir().join(format!("martinet-sisimai-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let mut written = Vec::new();
    for profile in scenario::list_receivers().expect("receivers") {
        if profile.group == "generic" {
            continue;
        }
        for (nth, rule) in profile.receiver.policy.rules().iter().enumerate() {
            let about = rule.check().name;
            if !(about.starts_with("ptr-") || about == "iprev" || about.starts_with("helo-")) {
                continue;
            }
            let own = (!rule.is_modelled()).then_some(rule.fail());
            let others = rule.variants().iter().filter(|variant| !variant.modelled);
            let texts = own.into_iter().chain(others.map(|variant| &variant.fail));
            for (text, template) in texts.enumerate() {
                let reply: Vec<_> = template
                    .pattern()
                    .wire_lines()
                    .map(|line| filled(&line))
                    .collect();
                let recipient = format!("{}-{nth}-{text}@isp.example", profile.name);
                std::fs::write(
                    directory.join(format!("{recipient}.eml")),
                    notification(&recipient, &reply),
                )
                .expect("a file");
                written.push((recipient, profile.name.clone(), about, reply.join(" / ")));
            }
        }
    }
    let output = Command::new("perl")
        .args(["-e", SCRIPT])
        .arg(&directory)
        .output()
        .expect("perl runs");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::remove_dir_all(&directory).expect("the directory goes");
    let mut other = String::new();
    let mut replies = String::new();
    for (recipient, receiver, check, reply) in &written {
        let line = stdout
            .lines()
            .find_map(|line| line.strip_prefix(recipient.as_str()));
        let reason = line.map_or("nothing", str::trim);
        let row = format!("{receiver}\t{check}\t{reason}\n");
        if reason != "blocked" && !other.contains(&row) {
            other.push_str(&row);
            let _ = writeln!(replies, "{receiver} {check}: {reason} for {reply}");
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(EXCEPTIONS);
    if std::env::var_os("MARTINET_BLESS").is_some() {
        std::fs::write(&path, &other).expect("the exceptions are written");
    }
    let excepted = std::fs::read_to_string(&path).expect("the exceptions");
    assert!(
        stdout.contains("\tblocked"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(written.len() > 40, "{} replies", written.len());
    assert!(
        other == excepted,
        "not as {EXCEPTIONS} has it; MARTINET_BLESS=1 writes it anew:\n{replies}"
    );
}

fn filled(line: &str) -> String {
    let values = [
        ("{ip}", "198.51.100.77"),
        ("{ptr}", "host77.isp.example"),
        ("{helo}", "out3.shop.example"),
        ("{helo_masked}", "out3.shop.example"),
        ("{verb}", "EHLO"),
        ("{mx}", "mx.isp.example"),
        ("{sender}", "news@shop.example"),
        ("{rcpt}", "someone@isp.example"),
        ("{domain}", "shop.example"),
        ("{id}", "a640c23a62f3a"),
    ];
    values.iter().fold(line.to_owned(), |text, (word, value)| {
        text.replace(word, value)
    })
}

/// A notification as Postfix writes it.
fn notification(recipient: &str, reply: &[String]) -> String {
    let text = reply.join(" ");
    let class = &text[..1];
    format!(
        "From MAILER-DAEMON Thu Nov 26 01:02:03 2026\nReturn-Path: <>\nReceived: by out.shop.example (Postfix)\n\tid 4Kx1T72tQ9z1; Thu, 26 Nov 2026 01:02:03 +0000 (UTC)\n\
         Date: Thu, 26 Nov 2026 01:02:03 +0000 (UTC)\nFrom: MAILER-DAEMON@out.shop.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\nTo: news@shop.example\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"4Kx1T65kRJz1/out.shop.example\"\nMessage-Id: <1@out.shop.example>\n\n\
         This is a MIME-encapsulated message.\n\n--4Kx1T65kRJz1/out.shop.example\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n\
         This is the mail system at host out.shop.example.\n\n<{recipient}>: host mx.isp.example[203.0.113.25] said: {text} (in reply to RCPT TO command)\n\n\
         --4Kx1T65kRJz1/out.shop.example\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; out.shop.example\n\
         X-Postfix-Queue-ID: 4Kx1T65kRJz1\nX-Postfix-Sender: rfc822; news@shop.example\nArrival-Date: Thu, 26 Nov 2026 01:02:02 +0000 (UTC)\n\n\
         Final-Recipient: rfc822; {recipient}\nOriginal-Recipient: rfc822;{recipient}\nAction: failed\nStatus: {class}.0.0\nRemote-MTA: dns; mx.isp.example\nDiagnostic-Code: smtp; {text}\n\n\
         --4Kx1T65kRJz1/out.shop.example\nContent-Description: Undelivered Message\nContent-Type: message/rfc822\n\n\
         Return-Path: <news@shop.example>\nFrom: News <news@shop.example>\nTo: {recipient}\nSubject: News\nDate: Thu, 26 Nov 2026 01:02:02 +0000\nMessage-ID: <1@shop.example>\n\nHello.\n\n\
         --4Kx1T65kRJz1/out.shop.example--\n"
    )
}
