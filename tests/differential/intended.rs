//! What is meant to differ from the real programs: data, each row with its reason.

use crate::dialogue::Exchange;

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

const fn row(
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
    ROWS.iter().find(|row| {
        profile.starts_with(row.profile)
            && real
                .command
                .to_ascii_uppercase()
                .starts_with(&row.command.to_ascii_uppercase())
            && real.reply[0].starts_with(row.real)
            && ours.reply[0].starts_with(row.ours)
    })
}
