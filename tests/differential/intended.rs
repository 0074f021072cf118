//! What is meant to differ from the real programs: data, each row with its reason.

use crate::dialogue::Exchange;
use crate::intended_haraka;

/// One intended difference.
pub struct Intended {
    /// What the profile's name begins with.
    profile: &'static str,
    /// What the command begins with.
    command: &'static str,
    /// What the real reply begins with.
    real: &'static str,
    /// What martinet's reply begins with.
    ours: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A row.
pub const fn row(
    profile: &'static str,
    command: &'static str,
    real: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Intended {
    Intended {
        profile,
        command,
        real,
        ours,
        reason,
    }
}

const ROWS: &[Intended] = &[
    row(
        "sendmail",
        "MAIL FROM:",
        "553 5.1.8 <",
        "553 5.1.8 <",
        "Sendmail repeats the path as it came",
    ),
    row(
        "sendmail",
        "AUTH",
        "503 5.5.0 AUTH not permitted during",
        "504 5.3.3",
        "within a transaction Sendmail does not say that it has no AUTH",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "550 5.7.1 ",
        "550 5.7.1 <",
        "Sendmail repeats the path as it came",
    ),
    row(
        "sendmail",
        "",
        "451 4.1.8 Possibly forged hostname for IPv6:",
        "451 4.1.8 Possibly forged hostname for 2001:",
        "Sendmail writes IPv6 addresses with their tag and all groups",
    ),
    row(
        "sendmail",
        "",
        "451 4.1.8 Client IP address IPv6:",
        "451 4.1.8 Client IP address 2001:",
        "Sendmail writes IPv6 addresses with their tag and all groups",
    ),
    row(
        "sendmail",
        "",
        "550 5.7.1 Fix reverse DNS for IPv6:",
        "550 5.7.1 Fix reverse DNS for 2001:",
        "Sendmail writes IPv6 addresses with their tag and all groups",
    ),
    row(
        "sendmail",
        "",
        "451 4.1.8 Possibly forged",
        "",
        "Sendmail decides at connect and refuses each command from then on; the profile refuses MAIL",
    ),
    row(
        "sendmail",
        "",
        "451 4.1.8 Client IP address",
        "",
        "Sendmail decides at connect and refuses each command from then on; the profile refuses MAIL",
    ),
    row(
        "sendmail",
        "",
        "550 5.7.1 Fix reverse DNS",
        "",
        "Sendmail decides at connect and refuses each command from then on; the profile refuses MAIL",
    ),
    row(
        "sendmail",
        "EHLO",
        "501 5.0.0 Invalid domain name",
        "250-",
        "Sendmail looks at the characters of HELO; a rule about HELO would have the profile demand one",
    ),
    row(
        "sendmail",
        "HELO",
        "501 5.0.0 Invalid domain name",
        "250 ",
        "Sendmail looks at the characters of HELO; a rule about HELO would have the profile demand one",
    ),
    row(
        "sendmail",
        "RSET x",
        "250 2.0.0",
        "501 ",
        "Sendmail ignores an argument of RSET and DATA",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "250 2.1.5",
        "550 5.7.1 <",
        "block_bad_helo asks for a dot in the HELO name only; the profile for a whole name",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "550 5.7.1 <",
        "250 2.1.5",
        "block_bad_helo knows no literal with the client's own IPv6 address",
    ),
    row(
        "sendmail",
        "NOOP\n",
        "250 2.0.0",
        "500 ",
        "Sendmail takes a bare LF in a command, and not in a message; the profile has one setting for both",
    ),
    row(
        "sendmail",
        "",
        "501 5.5.2 Syntax error in parameters scanning ",
        "501 5.5.2 Syntax error in parameters scanning ",
        "Sendmail repeats the line or the keyword; the profile does not",
    ),
    row(
        "sendmail",
        "",
        "501 5.5.4 Unknown BODY type ",
        "501 5.5.4 Unknown BODY type",
        "Sendmail repeats the line or the keyword; the profile does not",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "250 2.1.0 ",
        "250 2.1.0 ",
        "Sendmail repeats the path as it came",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "250 2.1.5 ",
        "250 2.1.5 ",
        "Sendmail repeats the path as it came",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "",
        "501 5.1.7",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "",
        "553 5.1.3",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "553 5.0.0",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "553 5.1.2",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "553 5.1.3",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:",
        "553 5.5.4",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:<a@[",
        "553 5.1.8",
        "250 2.1.0",
        "Sendmail looks the address literal of a sender up like a name",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "",
        "501 5.1.3",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "RCPT TO:",
        "",
        "553 5.1.3",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:<\u{ff}",
        "501 5.1.7",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "RCPT TO:<\u{ff}",
        "501 5.1.3",
        "",
        "Sendmail rewrites malformed paths by its own rules, and takes most of them",
    ),
    row(
        "sendmail",
        "MAIL FROM:<a@from.test> SIZE=",
        "452 4.4.5",
        "552 5.3.4",
        "Sendmail compares SIZE with the room on its disk",
    ),
    row(
        "sendmail",
        "EXPN",
        "250 2.1.5",
        "502 5.7.0",
        "the test has no local users, so that EXPN knows everybody; Debian's configuration refuses EXPN",
    ),
    row(
        "sendmail",
        "QUIT",
        "554 5.5.0 SMTP protocol error",
        "",
        "Sendmail 8.17 has no CHUNKING and takes the octets behind BDAT for commands",
    ),
    row(
        "sendmail",
        "EHLO",
        "250-mx.martinet.test Hello ",
        "250-mx.martinet.test Hello ",
        "Sendmail greets by the PTR name and says whether it may be forged; the profile by the HELO name",
    ),
    row(
        "sendmail",
        "HELO",
        "250 mx.martinet.test Hello ",
        "250 mx.martinet.test Hello ",
        "Sendmail greets by the PTR name and says whether it may be forged; the profile by the HELO name",
    ),
    row(
        "sendmail",
        "",
        "500 5.5.1 Command unrecognized: ",
        "500 5.5.1 Command unrecognized",
        "Sendmail repeats the line or the keyword; the profile does not",
    ),
    row(
        "sendmail",
        "",
        "502 5.5.1 Command not implemented: ",
        "502 5.5.1 Command not implemented",
        "Sendmail repeats the line or the keyword; the profile does not",
    ),
    row(
        "sendmail",
        "",
        "555 5.5.4 ",
        "555 5.5.4 ",
        "Sendmail repeats the line or the keyword; the profile does not",
    ),
    row(
        "opensmtpd",
        "RCPT TO:",
        "503 Unsupported option ",
        "503 5.5.4 Invalid command arguments: Unsupported option ",
        "OpenSMTPD words an unknown parameter of RCPT otherwise than one of MAIL; the profile has one text",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<a@[192.0.2.010]>",
        "501 5.1.3",
        "250 2.1.5",
        "OpenSMTPD's literals have no leading zeros, which RFC 5321 §4.1.3 permits",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@[192.0.2.010]>",
        "553 5.1.0",
        "250 2.0.0",
        "OpenSMTPD's literals have no leading zeros, which RFC 5321 §4.1.3 permits",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@from.test>X",
        "503 5.5.4",
        "553 5.1.0",
        "OpenSMTPD takes what follows the bracket for a parameter",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<a@from.test>X",
        "503 Unsupported",
        "501 5.1.3",
        "OpenSMTPD takes what follows the bracket for a parameter",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@from.test> SIZE=",
        "250 2.0.0",
        "552 5.3.4",
        "OpenSMTPD offers SIZE and does not compare what MAIL says",
    ),
    row(
        "opensmtpd",
        "STARTTLS",
        "503 5.5.1 Invalid command: Command not allowed",
        "503 5.5.1 Invalid command: Command not supported",
        "within a transaction OpenSMTPD does not say that it has no STARTTLS or AUTH",
    ),
    row(
        "opensmtpd",
        "AUTH",
        "503 5.5.1 Invalid command: Command not allowed",
        "503 5.5.1 Invalid command: Command not supported",
        "within a transaction OpenSMTPD does not say that it has no STARTTLS or AUTH",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<",
        "553 5.1.0 Sender",
        "501 5.1.3 Recipient",
        "a path beyond ASCII has one text for MAIL and RCPT in the profile",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<@>",
        "250 2.0.0",
        "553 5.1.0",
        "OpenSMTPD takes <@> for the null path",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<\"a b\"@",
        "553 5.1.0",
        "250 2.0.0",
        "OpenSMTPD takes no blank within a quoted local part",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<\"a b\"@",
        "501 5.1.3",
        "250 2.1.5",
        "OpenSMTPD takes no blank within a quoted local part",
    ),
    row(
        "opensmtpd",
        "\u{1}body\u{1}..a",
        "550 5.7.1",
        "250 2.0.0",
        "OpenSMTPD reads the header of a message; the profile has no rule about it",
    ),
    row(
        "postfix",
        "",
        "450 4.1.8 <a b@",
        "450 4.1.8 <\"a b\"@",
        "Postfix unquotes a local part in its texts; the profile quotes the client",
    ),
    row(
        "exim",
        "MAIL FROM:",
        "501 <a@from.test> ",
        "552 ",
        "Exim knows parameters after EHLO only, the profile after HELO too",
    ),
    row(
        "exim",
        "MAIL FROM:",
        "501 <a@from.test> ",
        "250 OK",
        "Exim knows parameters after EHLO only, the profile after HELO too",
    ),
    row(
        "postfix-no-delay",
        "",
        "500 5.5.2 Error: bad syntax",
        "503 5.7.0",
        "Postfix looks at empty lines before a refusal that stands",
    ),
    row(
        "exim",
        "DATA",
        "503-All RCPT",
        "503 valid RCPT",
        "Exim counts a RCPT without MAIL among those that it rejected",
    ),
    row(
        "exim",
        "BDAT",
        "503-All RCPT",
        "503 valid RCPT",
        "Exim counts a RCPT without MAIL among those that it rejected",
    ),
    row(
        "exim",
        "MAIL FROM:",
        "501 ",
        "501 ",
        "Exim's parser words each malformed path of its own",
    ),
    row(
        "exim",
        "EHLO",
        "250-mx.martinet.test Hello ",
        "250-mx.martinet.test Hello ",
        "Exim greets by the name of a PTR lookup where it has made one; the profile by the HELO name",
    ),
    row(
        "exim",
        "HELO",
        "250 mx.martinet.test Hello ",
        "250 mx.martinet.test Hello ",
        "Exim greets by the name of a PTR lookup where it has made one; the profile by the HELO name",
    ),
    row(
        "postfix",
        "BDAT",
        "250 2.0.0 Ok: ",
        "250 2.0.0 Ok: queued",
        "the last chunk has the reply of a whole message",
    ),
    row(
        "exim",
        "BDAT",
        "250- ",
        "250 OK",
        "the last chunk has the reply of a whole message",
    ),
    row(
        "postfix",
        "MAIL FROM:",
        "552 5.3.4",
        "250 2.1.0",
        "after a MAIL that was too large Postfix 3.7 refuses the next one too",
    ),
    row(
        "exim",
        "RCPT TO:<a b",
        "",
        "501 ",
        "Exim takes a blank within brackets in RCPT, and not in MAIL",
    ),
    row(
        "postfix-no-delay",
        "",
        "500 5.5.2 Error: bad UTF-8",
        "503 5.7.0",
        "Postfix looks at UTF-8 before a refusal that stands",
    ),
    row(
        "exim",
        "RCPT TO:",
        "501 ",
        "501 ",
        "Exim's parser words each malformed path of its own",
    ),
];

/// The row that explains why two replies differ, if one does.
pub fn explains(profile: &str, real: &Exchange, ours: &Exchange) -> Option<&'static Intended> {
    let mut rows = ROWS.iter().chain(intended_haraka::ROWS);
    rows.find(|row| {
        profile.starts_with(row.profile)
            && real
                .command
                .to_ascii_uppercase()
                .starts_with(&row.command.to_ascii_uppercase())
            && real.reply[0].starts_with(row.real)
            && ours.reply[0].starts_with(row.ours)
    })
}
