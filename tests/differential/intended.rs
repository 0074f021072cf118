//! Intended differences from the real programs: data, each row with its reason.

use crate::dialogue::{Exchange, WAIT};
use crate::{intended_haraka, intended_sendmail};

/// One intended difference.
pub struct Intended {
    /// The start of the profile's name.
    profile: &'static str,
    /// The start of the command.
    command: &'static str,
    /// The start of the real reply.
    real: &'static str,
    /// The start of martinet's reply.
    ours: &'static str,
    /// The reason.
    pub reason: &'static str,
}

/// Makes a row.
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
        "opensmtpd",
        "RCPT TO:",
        "503 Unsupported option ",
        "503 5.5.4 Invalid command arguments: Unsupported option ",
        "OpenSMTPD has different texts for unknown parameters of RCPT and of MAIL; the profile has one text",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<a@[192.0.2.010]>",
        "501 5.1.3",
        "250 2.1.5",
        "OpenSMTPD accepts no leading zeros in address literals, which RFC 5321 §4.1.3 permits",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@[192.0.2.010]>",
        "553 5.1.0",
        "250 2.0.0",
        "OpenSMTPD accepts no leading zeros in address literals, which RFC 5321 §4.1.3 permits",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@from.test>X",
        "503 5.5.4",
        "553 5.1.0",
        "OpenSMTPD treats the text after the bracket as a parameter",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<a@from.test>X",
        "503 Unsupported",
        "501 5.1.3",
        "OpenSMTPD treats the text after the bracket as a parameter",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<a@from.test> SIZE=",
        "250 2.0.0",
        "552 5.3.4",
        "OpenSMTPD offers SIZE but ignores the value in MAIL",
    ),
    row(
        "opensmtpd",
        "STARTTLS",
        "503 5.5.1 Invalid command: Command not allowed",
        "503 5.5.1 Invalid command: Command not supported",
        "within a transaction, OpenSMTPD gives another reply to STARTTLS and AUTH, which it does not offer",
    ),
    row(
        "opensmtpd",
        "AUTH",
        "503 5.5.1 Invalid command: Command not allowed",
        "503 5.5.1 Invalid command: Command not supported",
        "within a transaction, OpenSMTPD gives another reply to STARTTLS and AUTH, which it does not offer",
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
        "OpenSMTPD treats <@> as the null path",
    ),
    row(
        "opensmtpd",
        "MAIL FROM:<\"a b\"@",
        "553 5.1.0",
        "250 2.0.0",
        "OpenSMTPD accepts no blank within a quoted local part",
    ),
    row(
        "opensmtpd",
        "RCPT TO:<\"a b\"@",
        "501 5.1.3",
        "250 2.1.5",
        "OpenSMTPD accepts no blank within a quoted local part",
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
        "DATA",
        "503 Valid RCPT",
        "503 valid RCPT",
        "after several refused RCPT commands with different replies Exim has a capital letter",
    ),
    row(
        "exim",
        "MAIL FROM:",
        "501 <a@from.test> ",
        "552 ",
        "Exim accepts parameters only after EHLO, the profile after HELO too",
    ),
    row(
        "exim",
        "MAIL FROM:",
        "501 <a@from.test> ",
        "250 OK",
        "Exim accepts parameters only after EHLO, the profile after HELO too",
    ),
    row(
        "postfix-no-delay",
        "",
        "500 5.5.2 Error: bad syntax",
        "503 5.7.0",
        "Postfix checks for empty lines before it repeats a refusal",
    ),
    row(
        "postfix",
        "ETRN",
        "503 Error: send HELO/EHLO first",
        "503 5.5.1 Error: send HELO/EHLO first",
        "Postfix has no enhanced codes in its replies to ETRN",
    ),
    row(
        "postfix",
        "EXPN",
        "500 5.5.2 Error: command not recognized",
        "530 5.7.0",
        "RFC 3207 §4 has 530 for every command but NOOP, EHLO, STARTTLS and QUIT; Postfix does not know EXPN",
    ),
    row(
        "postfix",
        "BDAT",
        "551 5.0.0 Discarded",
        "503 5.5.1",
        "after a chunk that was too large Postfix discards the others; the transaction of the profile has ended",
    ),
    row(
        "exim",
        "AUTH PLAIN =",
        "535 Incorrect",
        "501 Invalid base64",
        "a response of PLAIN without its two NULs is malformed (RFC 4616 §2); Exim takes it for wrong credentials",
    ),
    row(
        "postfix",
        WAIT,
        "<closed>",
        "421 4.3.2 Service shutting down",
        "RFC 5321 §3.8 has a server that stops say 421; Postfix's smtpd says nothing",
    ),
    row(
        "postfix-no-delay",
        "VRFY",
        "450 4.7.1 <",
        "252 2.0.0",
        "a deferral of the HELO name (defer_if_permit) applies at VRFY and ETRN too; the profile applies it at RCPT",
    ),
    row(
        "postfix-no-delay",
        "ETRN",
        "450 4.7.1 <",
        "459 <",
        "a deferral of the HELO name (defer_if_permit) applies at VRFY and ETRN too; the profile applies it at RCPT",
    ),
    row(
        "postfix-strict",
        "VRFY",
        "252 2.0.0",
        "450 4.7.1 <",
        "before MAIL Postfix does not always keep a deferral of the HELO name (defer_if_permit) at VRFY",
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
        "Exim's parser has its own text for each malformed path",
    ),
    row(
        "exim",
        "EHLO",
        "250-mx.martinet.test Hello ",
        "250-mx.martinet.test Hello ",
        "Exim greets the client by its PTR name if it has looked that up; the profile by the HELO name",
    ),
    row(
        "exim",
        "HELO",
        "250 mx.martinet.test Hello ",
        "250 mx.martinet.test Hello ",
        "Exim greets the client by its PTR name if it has looked that up; the profile by the HELO name",
    ),
    row(
        "postfix",
        "BDAT",
        "250 2.0.0 Ok: ",
        "250 2.0.0 Ok: queued",
        "the last chunk gets the reply to a whole message",
    ),
    row(
        "exim",
        "BDAT",
        "250- ",
        "250 OK",
        "the last chunk gets the reply to a whole message",
    ),
    row(
        "postfix",
        "MAIL FROM:",
        "552 5.3.4",
        "250 2.1.0",
        "after a MAIL with a SIZE that was too large, Postfix 3.7 refuses the next MAIL too",
    ),
    row(
        "exim",
        "RCPT TO:<a b",
        "",
        "501 ",
        "Exim accepts a blank within brackets in RCPT, but not in MAIL",
    ),
    row(
        "postfix-no-delay",
        "",
        "500 5.5.2 Error: bad UTF-8",
        "503 5.7.0",
        "Postfix checks UTF-8 before it repeats a refusal",
    ),
    row(
        "exim",
        "RCPT TO:",
        "501 ",
        "501 ",
        "Exim's parser has its own text for each malformed path",
    ),
];

/// The row that explains why two replies differ, if there is one.
pub fn explains(profile: &str, real: &Exchange, ours: &Exchange) -> Option<&'static Intended> {
    let mut rows = ROWS
        .iter()
        .chain(intended_sendmail::ROWS)
        .chain(intended_haraka::ROWS);
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
