//! How a receiver speaks SMTP, apart from whom it refuses.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use crate::smtp::{CoreReplies, Extensions, Script, Syntax};
use crate::tls::TlsFault;

/// What becomes of STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StartTls {
    /// Not offered.
    #[default]
    Never,
    /// Offered.
    Offered,
    /// Offered, and refused with 454.
    Refused,
}

/// How a client may authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The mechanisms offered, in order.
    pub mechanisms: Vec<Mechanism>,
    /// What becomes of credentials.
    pub outcome: AuthOutcome,
    /// Whether MAIL demands it (530).
    pub required: bool,
    /// Whether it is offered under TLS only (538 otherwise).
    pub tls_only: bool,
    /// The mechanisms that take an initial response (RFC 4954 §4).
    pub initial_response: Vec<Mechanism>,
    /// What becomes of any other initial response.
    pub unwanted_response: UnwantedResponse,
    /// The two challenges of LOGIN, before their encoding.
    pub login_challenges: [String; 2],
    /// Whether the authentication outlasts a further HELO or EHLO.
    pub kept_at_ehlo: bool,
    /// Whether the journal keeps what was sent; else it stands there as `<credentials>`.
    pub keep_credentials: bool,
}

/// What becomes of an initial response that a mechanism does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnwantedResponse {
    /// AUTH is refused with 501 (RFC 4954 §4).
    #[default]
    Refused,
    /// The challenge follows as if nothing had been sent.
    Ignored,
}

/// What becomes of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// Whatever is sent is right.
    Any,
    /// Right are those of these users, by their passwords.
    Users(BTreeMap<String, String>),
    /// Whatever is sent is wrong: 535.
    Refuse,
    /// Nobody can tell for the time being: 454.
    Temporary,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The old one of many clients.
    Login,
    /// RFC 2195.
    CramMd5,
    /// Google's and Microsoft's bearer tokens.
    XOAuth2,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Login, Self::CramMd5, Self::XOAuth2];

    /// Whether the client speaks first, so that AUTH may bring an initial response (RFC 4954 §4). LOGIN has no
    /// specification; clients send the user name along.
    pub const fn is_client_first(self) -> bool {
        !matches!(self, Self::CramMd5)
    }

    /// The name it has in EHLO.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::XOAuth2 => "XOAUTH2",
        }
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
    /// What is tolerated of a client's syntax.
    pub syntax: Syntax,
    /// What it says where no rule speaks.
    pub replies: CoreReplies,
    /// How long a client may take for a command (RFC 5321 §4.5.3.2.7).
    pub command_timeout: Duration,
    /// How long a client may take between blocks of data (RFC 5321 §4.5.3.2.5).
    pub data_timeout: Duration,
    /// Lines of a session's transcript that are kept; the rest is counted.
    pub transcript_lines: usize,
    /// AUTH (RFC 4954); not offered where `None`.
    pub auth: Option<Auth>,
    /// Whether STARTTLS is offered (RFC 3207), where the listener can do TLS.
    pub starttls: StartTls,
    /// Whether STARTTLS has to wait for an accepted HELO or EHLO.
    pub starttls_after_helo: bool,
    /// What is wrong with the receiver's TLS, on purpose.
    pub tls_fault: TlsFault,
    /// Misbehaviour on purpose; the first that holds for a client speaks.
    pub scripts: Vec<Script>,
    /// Whether recipients such as `550-5.1.1@…` get what their name asks for.
    pub magic_recipients: bool,
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
            syntax: Syntax::default(),
            replies: CoreReplies::default(),
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(3 * 60),
            transcript_lines: 400,
            auth: None,
            starttls: StartTls::default(),
            starttls_after_helo: false,
            tls_fault: TlsFault::None,
            scripts: Vec::new(),
            magic_recipients: true,
            xclient: loopback.iter().filter_map(|net| net.parse().ok()).collect(),
        }
    }
}
