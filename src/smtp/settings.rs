//! The SMTP settings of a receiver, apart from its rules.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use crate::smtp::protocol::extension::Mechanism;
use crate::smtp::{CoreReplies, Extensions, Script, Syntax};
use crate::tls::TlsFault;

/// The setting of STARTTLS.
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

/// The settings of AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Auth {
    /// The mechanisms offered, in order.
    pub(crate) mechanisms: Vec<Mechanism>,
    /// Which credentials are accepted.
    pub(crate) outcome: AuthOutcome,
    /// Whether MAIL requires authentication (530).
    pub(crate) required: bool,
    /// Whether AUTH is offered under TLS only (538 otherwise).
    pub(crate) tls_only: bool,
    /// The mechanisms that accept an initial response (RFC 4954 §4).
    pub(crate) initial_response: Vec<Mechanism>,
    /// The treatment of other initial responses.
    pub(crate) unwanted_response: UnwantedResponse,
    /// The two challenges of LOGIN, before their encoding.
    pub(crate) login_challenges: [String; 2],
    /// Whether the authentication is kept after another HELO or EHLO.
    pub(crate) kept_at_ehlo: bool,
    /// Whether the journal keeps the credentials; otherwise it has `<credentials>` instead.
    pub(crate) keep_credentials: bool,
}

/// The treatment of an initial response that the mechanism does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum UnwantedResponse {
    /// AUTH is refused with 501 (RFC 4954 §4).
    #[default]
    Refused,
    /// The initial response is ignored, and the challenge follows.
    Ignored,
}

/// The credentials that are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthOutcome {
    /// All credentials.
    Any,
    /// The passwords of these users.
    Users(BTreeMap<String, String>),
    /// None: 535.
    Refuse,
    /// None for now: 454.
    Temporary,
}

/// The SMTP settings of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The host name; `{mx}` in replies.
    pub(crate) hostname: String,
    /// The text lines of the greeting, `{mx}` replaced.
    pub(crate) greeting: Vec<String>,
    /// Maximum size of a message in octets (RFC 1870).
    pub(crate) max_message_octets: usize,
    /// Maximum number of recipients of a transaction (RFC 5321 §4.5.3.1.8: at least 100).
    pub(crate) max_recipients: usize,
    /// Number of mistakes after which the session ends with 421.
    pub(crate) max_errors: usize,
    /// The extensions offered.
    pub(crate) extensions: Extensions,
    /// The tolerated syntax.
    pub(crate) syntax: Syntax,
    /// The replies that do not come from rules.
    pub(crate) replies: CoreReplies,
    /// Time limit for a command (RFC 5321 §4.5.3.2.7).
    pub(crate) command_timeout: Duration,
    /// Time limit between blocks of data (RFC 5321 §4.5.3.2.5).
    pub(crate) data_timeout: Duration,
    /// Maximum number of transcript lines; further lines are only counted.
    pub(crate) transcript_lines: usize,
    /// AUTH (RFC 4954); not offered if `None`.
    pub(crate) auth: Option<Auth>,
    /// STARTTLS (RFC 3207), if the listener has TLS.
    pub(crate) starttls: StartTls,
    /// The commands that require an accepted HELO or EHLO.
    pub(crate) helo_first: Vec<&'static str>,
    /// A deliberate TLS fault.
    pub(crate) tls_fault: TlsFault,
    /// The scripts; the first one that applies takes effect.
    pub(crate) scripts: Vec<Script>,
    /// Whether recipients such as `550-5.1.1@…` get the reply that their name asks for.
    pub(crate) magic_recipients: bool,
    /// Whether mailboxes that the recipient domains do not have are accepted.
    pub(crate) any_recipient: bool,
    /// Whether recipients at other domains than the recipient domains are accepted.
    pub(crate) any_domain: bool,
    /// Peers that may use XCLIENT.
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
            helo_first: Vec::new(),
            tls_fault: TlsFault::None,
            scripts: Vec::new(),
            magic_recipients: true,
            any_recipient: false,
            any_domain: true,
            xclient: loopback.iter().filter_map(|net| net.parse().ok()).collect(),
        }
    }
}
