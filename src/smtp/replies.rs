//! The receiver's own replies, each text once. What rules say stands in receiver files.

use std::borrow::Cow;

use super::command::Mistake;
use super::data::Flaw;
use crate::reply::{EnhancedCode, Reply, ReplyCode};

/// A reply of one line; the enhanced code is left out where the receiver does not offer them (RFC 2034).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canned {
    code: u16,
    enhanced: Option<(u16, u16)>,
    text: Cow<'static, str>,
}

const fn canned(code: u16, subject: u16, detail: u16, text: &'static str) -> Canned {
    Canned {
        code,
        enhanced: Some((subject, detail)),
        text: Cow::Borrowed(text),
    }
}

pub(super) const MAIL_OK: Canned = canned(250, 1, 0, "Ok");
pub(super) const RCPT_OK: Canned = canned(250, 1, 5, "Ok");
pub(super) const OK: Canned = canned(250, 0, 0, "Ok");
pub(super) const BYE: Canned = canned(221, 0, 0, "Bye");
pub(super) const VRFY: Canned = canned(
    252,
    5,
    2,
    "Cannot VRFY user, but will accept message and attempt delivery",
);
pub(super) const DATA: Canned = Canned {
    code: 354,
    enhanced: None,
    text: Cow::Borrowed("End data with <CR><LF>.<CR><LF>"),
};
pub(super) const HELP: Canned = canned(
    214,
    0,
    0,
    "martinet: HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH STARTTLS HELP QUIT",
);
pub(super) const HELLO_FIRST: Canned = canned(503, 5, 1, "Error: send HELO/EHLO first");
pub(super) const MAIL_FIRST: Canned = canned(503, 5, 1, "Error: need MAIL command");
pub(super) const RCPT_FIRST: Canned = canned(503, 5, 1, "Error: need RCPT command");
pub(super) const NO_VALID_RCPT: Canned = canned(554, 5, 1, "Error: no valid recipients");
pub(super) const NESTED_MAIL: Canned = canned(503, 5, 1, "Error: nested MAIL command");
pub(super) const IN_TRANSACTION: Canned = canned(503, 5, 1, "Error: MAIL transaction in progress");
pub(super) const NOT_AUTHORIZED: Canned = canned(550, 7, 0, "Error: insufficient authorization");
pub(super) const ACCESS_DENIED: Canned =
    canned(503, 7, 0, "Error: access denied, only QUIT is accepted");
pub(super) const TOO_MANY_RCPT: Canned = canned(452, 5, 3, "Error: too many recipients");
pub(super) const TOO_LARGE: Canned = canned(552, 3, 4, "Error: message exceeds the size limit");
pub(super) const NO_STORAGE: Canned = canned(452, 3, 1, "Insufficient system storage");
pub(super) const LINE_TOO_LONG: Canned = canned(500, 5, 2, "Error: line too long");
pub(super) const AUTH_LINE_TOO_LONG: Canned =
    canned(500, 5, 6, "Authentication Exchange line is too long");
pub(super) const BARE_LF: Canned = canned(500, 5, 2, "Error: bare <LF> received");
pub(super) const NO_PROXY: Canned = canned(421, 3, 0, "Server local error");
pub(super) const BDAT_ONLY: Canned = canned(503, 5, 1, "Error: this message comes by BDAT");
pub(super) const READY_FOR_TLS: Canned = canned(220, 0, 0, "Ready to start TLS");
pub(super) const TLS_NOT_OFFERED: Canned = canned(502, 5, 1, "Error: STARTTLS is not offered");
pub(super) const TLS_TEMPORARY: Canned =
    canned(454, 7, 0, "TLS not available due to temporary reason");
pub(super) const TLS_ACTIVE: Canned = canned(554, 5, 1, "Error: TLS already active");
pub(super) const AUTH_OK: Canned = canned(235, 7, 0, "Authentication successful");
pub(super) const AUTH_NOT_OFFERED: Canned = canned(503, 5, 1, "Error: authentication not enabled");
pub(super) const AUTH_REQUIRED: Canned = canned(530, 7, 0, "Authentication required");
pub(super) const AUTH_REFUSED: Canned = canned(535, 7, 8, "Error: authentication failed");
pub(super) const AUTH_TEMPORARY: Canned = canned(454, 7, 0, "Temporary authentication failure");
pub(super) const AUTH_SYNTAX: Canned = canned(501, 5, 2, "Error: cannot decode the response");
pub(super) const AUTH_CANCELLED: Canned = canned(501, 7, 0, "Authentication aborted");
pub(super) const ALREADY_AUTHENTICATED: Canned = canned(503, 5, 1, "Error: already authenticated");
pub(super) const ENCRYPTION_REQUIRED: Canned = canned(
    538,
    7,
    11,
    "Encryption required for requested authentication mechanism",
);
pub(super) const UNKNOWN_MECHANISM: Canned = canned(504, 5, 4, "Unrecognized authentication type");
pub(super) const LMTP_ONLY: Canned = canned(500, 5, 1, "Error: this is LMTP, say LHLO");
pub(super) const ETRN_QUEUED: Canned = canned(250, 0, 0, "Queuing for the domain started");
pub(super) const NOT_ASCII: Canned = canned(
    553,
    6,
    7,
    "Error: a path beyond ASCII needs SMTPUTF8 in MAIL",
);
pub(super) const NO_SMTPUTF8: Canned = canned(555, 6, 7, "Error: SMTPUTF8 is not offered");
pub(super) const TOO_MANY_ERRORS: Canned = canned(421, 7, 0, "Error: too many errors");
pub(super) const TIMEOUT: Canned = canned(421, 4, 2, "Error: timeout exceeded");
pub(super) const SHUTDOWN: Canned = canned(421, 3, 2, "Service shutting down");
pub(super) const TOO_MANY_CONNECTIONS: Canned = canned(421, 7, 0, "Error: too many connections");

/// The reply to a line that is no command.
pub(super) fn to_mistake(mistake: &Mistake) -> Canned {
    match mistake {
        Mistake::Unknown => canned(500, 5, 2, "Error: command not recognized"),
        Mistake::NotImplemented => canned(502, 5, 1, "Error: command not implemented"),
        Mistake::Syntax(syntax @ ("HELO hostname" | "EHLO hostname" | "LHLO hostname")) => Canned {
            code: 501,
            enhanced: None,
            text: format!("Syntax: {syntax}").into(),
        },
        Mistake::Syntax(syntax) => Canned {
            text: format!("Syntax: {syntax}").into(),
            ..canned(501, 5, 4, "")
        },
        Mistake::Parameter(name) => Canned {
            text: format!("Unsupported option: {name}").into(),
            ..canned(555, 5, 4, "")
        },
        Mistake::Sender => canned(501, 1, 7, "Bad sender address syntax"),
        Mistake::Recipient => canned(501, 1, 3, "Bad recipient address syntax"),
        Mistake::Xclient(text) => Canned {
            text: text.clone().into(),
            ..canned(501, 5, 4, "")
        },
    }
}

/// The reply to data with a flaw.
pub(super) fn to_flaw(flaw: Flaw) -> Canned {
    match flaw {
        Flaw::TooLarge => TOO_LARGE,
        Flaw::NoStorage => NO_STORAGE,
        Flaw::LineTooLong => LINE_TOO_LONG,
        Flaw::BareLf => canned(550, 5, 2, "Error: bare <LF> received"),
        Flaw::BareCr => canned(550, 5, 2, "Error: bare <CR> received"),
    }
}

/// What stands for a reply where a session gave none.
pub(crate) fn lost() -> Reply {
    SHUTDOWN.reply(true)
}

impl Canned {
    /// Whether it is a 4yz or 5yz reply.
    pub(super) fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    fn code(&self) -> ReplyCode {
        ReplyCode::new(self.code).expect("the table has codes from 2yz to 5yz")
    }

    /// The reply, with or without its enhanced code.
    pub(super) fn reply(&self, enhanced: bool) -> Reply {
        let code = self.code();
        let enhanced = self
            .enhanced
            .filter(|_| enhanced)
            .map(|(subject, detail)| EnhancedCode { subject, detail });
        Reply::new(code, enhanced, &self.text)
    }

    /// Appends the reply's octets, as [`Reply::write_to`] does.
    pub(super) fn write_to(&self, enhanced: bool, out: &mut Vec<u8>) {
        // Only texts that quote the client can be too long, or hold what no line may hold.
        match self.text {
            Cow::Owned(_) => self.reply(enhanced).write_to(out),
            Cow::Borrowed(text) => {
                let code = self.code();
                out.extend_from_slice(&code.digits());
                out.push(b' ');
                if let Some((subject, detail)) = self.enhanced.filter(|_| enhanced) {
                    out.extend_from_slice(&[b'0' + code.class(), b'.']);
                    decimal(subject, out);
                    out.push(b'.');
                    decimal(detail, out);
                    out.push(b' ');
                }
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

fn decimal(number: u16, out: &mut Vec<u8>) {
    if number >= 10 {
        decimal(number / 10, out);
    }
    out.push(b'0' + (number % 10) as u8);
}
