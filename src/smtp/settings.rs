//! How a receiver speaks SMTP, apart from whom it refuses.

use std::time::Duration;

use ipnet::IpNet;

/// What a bare LF or bare CR means. Only CRLF `.` CRLF ever ends the data (RFC 5321 §4.1.1.4), so that no setting
/// opens the door to SMTP smuggling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BareNewline {
    /// Refused: RFC 5321 §2.3.8 forbids both.
    #[default]
    Reject,
    /// A bare LF ends a line; in the message it becomes CRLF, and so does a bare CR (Postfix `normalize`).
    Normalize,
    /// An octet like any other in the message; a command may end with a bare LF (Postfix `no`).
    Accept,
}

/// The extensions offered in the EHLO reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 1870.
    pub size: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self { pipelining: true, eight_bit_mime: true, size: true, smtputf8: true, enhanced_status_codes: true }
    }
}

/// How a receiver speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its host name, `{mx}` in replies.
    pub hostname: String,
    /// The text lines of the greeting, `{mx}` replaced.
    pub greeting: Vec<String>,
    /// Most octets of a message (RFC 1870).
    pub max_message_octets: usize,
    /// Most recipients of a transaction (RFC 5321 §4.5.3.1.8: at least 100).
    pub max_recipients: usize,
    /// Most mistakes of a client before 421.
    pub max_errors: usize,
    /// The extensions offered.
    pub extensions: Extensions,
    /// What a bare LF or bare CR means.
    pub bare_newline: BareNewline,
    /// How long a client may take for a command (RFC 5321 §4.5.3.2.7).
    pub command_timeout: Duration,
    /// How long a client may take between blocks of data (RFC 5321 §4.5.3.2.5).
    pub data_timeout: Duration,
    /// Lines of a session's transcript that are kept; the rest is counted.
    pub transcript_lines: usize,
    /// Peers that may say XCLIENT.
    pub xclient: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self {
            hostname: "mx.martinet.test".to_owned(),
            greeting: vec!["{mx} ESMTP martinet".to_owned()],
            max_message_octets: 25 << 20,
            max_recipients: 1000,
            max_errors: 20,
            extensions: Extensions::default(),
            bare_newline: BareNewline::default(),
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(3 * 60),
            transcript_lines: 400,
            xclient: loopback.iter().filter_map(|net| net.parse().ok()).collect(),
        }
    }
}
