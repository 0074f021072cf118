//! The catalogue of checks. A further check is one file here and one row in [`CATALOGUE`].

mod authentic;
mod conduct;
mod dmarc;
mod helo_bare_ip;
mod helo_conduct;
mod helo_fqdn;
mod helo_ip_match;
mod helo_is_me;
mod helo_literal;
mod helo_literal_match;
mod helo_name;
mod helo_not_reserved;
mod helo_ptr_match;
mod helo_required;
mod helo_resolves;
mod helo_syntax;
mod helo_verify;
mod iprev;
mod limits;
mod listed;
mod memory;
mod message_format;
mod ptr_exists;
mod ptr_generic;
mod ptr_more;
mod ptr_resolves;
mod ptr_valid_name;
mod score;
mod sender_resolves;
mod settings;
mod spf;
#[cfg(test)]
mod test;

pub(super) use conduct::pregreet;
pub(super) use listed::lists;
pub(super) use message_format::title;
pub use score::REJECT;
pub use settings::{Kind, Parameter, Points, Setting, Settings, Weight};

use std::net::IpAddr;

use crate::facts::Facts;
use crate::policy::Remedy;
use crate::stage::Stage;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The demand is met.
    Satisfied,
    /// The demand is not met, and that is proved.
    Violated(Complaint),
    /// DNS failed for the time being: nothing is proved.
    Unavailable(Complaint),
    /// The demand is not met well enough to accept now, nor badly enough to refuse for good.
    Deferred(Complaint),
    /// The demand does not concern this client.
    NotApplicable,
}

/// Which demand was not met, and what would cure it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// One sentence, without a final stop.
    pub why: String,
    /// What might cure it, the best first.
    pub remedies: Vec<Remedy>,
    /// What the reply may quote beside the facts: a placeholder and its value.
    pub quotes: Vec<(&'static str, String)>,
}

/// A check made ready to judge.
pub type Judge = Box<dyn Fn(&Facts) -> Finding + Send + Sync>;

/// What a check has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Needs {
    /// PTR names and their addresses.
    pub iprev: bool,
    /// Addresses of the HELO name.
    pub helo_addresses: bool,
    /// MX of the HELO name.
    pub helo_mx: bool,
    /// Addresses of the hosts that the MX of the HELO name names.
    pub helo_mx_addresses: bool,
    /// SPF of the HELO identity.
    pub spf_helo: bool,
    /// SPF of the MAIL FROM identity.
    pub spf_sender: bool,
    /// What DNS says of the domain of the reverse-path.
    pub sender_domain: bool,
    /// DKIM and DMARC of the message.
    pub message: bool,
    /// The header of the message.
    pub header: bool,
    /// What DNS says of the domain of the From header field.
    pub from_domain: bool,
    /// What is remembered of the client.
    pub history: bool,
    /// Since when client and envelope are known.
    pub greylist: bool,
    /// How the client behaves: then the rule speaks as soon as it is violated, from its stage on.
    pub conduct: bool,
    /// Whether the client has sent HELO or EHLO at all: `delay_reject` does not move such a rule.
    pub helo_sent: bool,
    /// Whether the session is under TLS: such a rule also answers the commands that RFC 3207 §4 forbids without TLS.
    pub tls: bool,
}

impl Needs {
    /// Nothing but what the client said.
    pub const NOTHING: Self = Self {
        iprev: false,
        helo_addresses: false,
        helo_mx: false,
        helo_mx_addresses: false,
        spf_helo: false,
        spf_sender: false,
        sender_domain: false,
        message: false,
        header: false,
        from_domain: false,
        history: false,
        greylist: false,
        conduct: false,
        helo_sent: false,
        tls: false,
    };
    /// PTR names and their addresses.
    pub const IPREV: Self = Self {
        iprev: true,
        ..Self::NOTHING
    };
    /// How the client behaves.
    pub const CONDUCT: Self = Self {
        conduct: true,
        ..Self::NOTHING
    };

    /// Either's needs. A sum that looks at conduct among other things is judged at its stage, as they are.
    fn and(self, other: Self) -> Self {
        Self {
            iprev: self.iprev || other.iprev,
            helo_addresses: self.helo_addresses || other.helo_addresses,
            helo_mx: self.helo_mx || other.helo_mx,
            helo_mx_addresses: self.helo_mx_addresses || other.helo_mx_addresses,
            spf_helo: self.spf_helo || other.spf_helo,
            spf_sender: self.spf_sender || other.spf_sender,
            sender_domain: self.sender_domain || other.sender_domain,
            message: self.message || other.message,
            header: self.header || other.header,
            from_domain: self.from_domain || other.from_domain,
            history: self.history || other.history,
            greylist: self.greylist || other.greylist,
            conduct: self.conduct,
            helo_sent: self.helo_sent,
            tls: self.tls,
        }
    }
}

/// One row of the catalogue.
pub struct Check {
    /// The name used in files and verdicts.
    pub name: &'static str,
    /// Its number in the catalogue.
    pub number: u8,
    /// The earliest stage at which its facts are known; where it speaks unless a rule says otherwise.
    pub stage: Stage,
    /// What it demands: the **Checks** line.
    pub checks: &'static str,
    /// RFC section or named operator practice: the **Basis** line.
    pub basis: &'static str,
    /// Where it goes beyond RFC 5321 §4.1.4: the **Beyond** line.
    pub beyond: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// The reply to a violation, unless a rule says otherwise.
    pub fail: &'static [&'static str],
    /// The reply when DNS failed for the time being.
    pub error: &'static [&'static str],
    /// What it has to know.
    pub needs: Needs,
    /// Makes it ready to judge with these settings.
    pub build: fn(&Settings) -> Judge,
}

impl Check {
    /// The Cargo feature that this check needs and this build lacks.
    pub fn missing_feature(&self) -> Option<&'static str> {
        (self.needs.message && !cfg!(feature = "dkim")).then_some("dkim")
    }
}

impl PartialEq for Check {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Check {}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every check, in catalogue order.
pub static CATALOGUE: &[&Check] = &[
    &conduct::PREGREET,
    &conduct::SYNC,
    &conduct::NON_SMTP,
    &conduct::BARE_LF,
    &ptr_exists::CHECK,
    &ptr_valid_name::CHECK,
    &ptr_resolves::CHECK,
    &iprev::CHECK,
    &ptr_generic::PTR,
    &ptr_more::COUNTRY,
    &listed::CLIENT,
    &listed::HELO,
    &listed::SENDER,
    &helo_required::CHECK,
    &helo_syntax::CHECK,
    &helo_bare_ip::CHECK,
    &helo_literal::ALLOWED,
    &helo_literal_match::CHECK,
    &helo_literal::BAD_IP,
    &helo_fqdn::CHECK,
    &helo_name::TLD,
    &helo_is_me::CHECK,
    &helo_name::BADLIST,
    &helo_resolves::CHECK,
    &helo_not_reserved::CHECK,
    &helo_ip_match::CHECK,
    &helo_ptr_match::CHECK,
    &helo_verify::CHECK,
    &ptr_generic::HELO,
    &helo_conduct::STABLE,
    &helo_conduct::PROTO,
    &spf::HELO,
    &sender_resolves::SENDER,
    &spf::SENDER,
    &authentic::DKIM,
    &authentic::SPF_OR_DKIM,
    &authentic::DMARC,
    &dmarc::RECORD,
    &dmarc::ALIGNMENT,
    &message_format::CHECK,
    &sender_resolves::FROM,
    &ptr_more::IPV6,
    &authentic::IPV6_AUTH,
    &limits::TLS,
    &memory::GREYLIST,
    &limits::LIMITS,
    &score::CHECK,
    &memory::UNVERIFIABLE,
];

/// The check of a name.
pub fn find(name: &str) -> Option<&'static Check> {
    CATALOGUE.iter().copied().find(|check| check.name == name)
}

/// The earliest stage at which a check knows its facts with these settings: a score waits for the last of its parts.
pub fn earliest(check: &Check, settings: &Settings) -> Stage {
    let parts = settings.weights().iter();
    let last = parts
        .map(|weight| earliest(weight.check, &weight.settings))
        .max();
    last.unwrap_or(check.stage)
}

/// What a check has to know with these settings: for a score, what its parts have to know.
pub(super) fn needs(check: &Check, settings: &Settings) -> Needs {
    settings.weights().iter().fold(check.needs, |all, weight| {
        all.and(needs(weight.check, &weight.settings))
    })
}

fn violated<R: Into<Remedy>>(
    why: impl Into<String>,
    remedies: impl IntoIterator<Item = R>,
) -> Finding {
    Finding::Violated(complaint(why, remedies))
}

fn unavailable<R: Into<Remedy>>(
    why: impl Into<String>,
    remedies: impl IntoIterator<Item = R>,
) -> Finding {
    Finding::Unavailable(complaint(why, remedies))
}

fn complaint<R: Into<Remedy>>(
    why: impl Into<String>,
    remedies: impl IntoIterator<Item = R>,
) -> Complaint {
    Complaint {
        why: why.into(),
        remedies: remedies.into_iter().map(Into::into).collect(),
        quotes: Vec::new(),
    }
}

/// An address as the literal that a client says in EHLO (RFC 5321 §4.1.3).
fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}
