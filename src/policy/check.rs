//! What a check is: a row of the catalogue, what it observes, and what its judgement comes to.

mod settings;

pub use settings::{Kind, Parameter, Pattern, Points, Setting, Settings, Weight};

use std::net::IpAddr;

use crate::facts::{Facts, Observations};
use crate::policy::remedy::Remedy;
use crate::stage::Stage;

/// One row of the catalogue. Its texts are the documentation of the check: what it **checks**, what it **replies**, on
/// which **basis**, and how far that goes **beyond** the RFCs. They are written here and nowhere else.
pub struct Check {
    /// The name used in files and verdicts.
    pub name: &'static str,
    /// Its number in the catalogue.
    pub number: u8,
    /// The subject of its demand.
    pub(crate) topic: Topic,
    /// The earliest stage at which its facts are known, and the default stage of its rules.
    pub stage: Stage,
    /// When its rules are judged, beside their stage.
    pub(crate) timing: Timing,
    /// What it demands.
    pub checks: &'static str,
    /// RFC section or named operator practice.
    pub(crate) basis: &'static str,
    /// Where it goes beyond RFC 5321 §4.1.4.
    pub beyond: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// The reply to a violation, unless a rule says otherwise.
    pub fail: &'static [&'static str],
    /// The reply when DNS failed for the time being.
    pub error: &'static [&'static str],
    /// The observations that it needs with these settings.
    pub needs: fn(&Settings) -> Observations,
    /// Makes it ready to judge with these settings.
    pub build: fn(&Settings) -> Judge,
}

impl Check {
    /// The Cargo feature that this check needs and this build lacks.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        let message = (self.needs)(&Settings::default()).message;
        (message && !cfg!(feature = "dkim")).then_some("dkim")
    }

    /// The earliest stage at which a check knows its facts with these settings: a score waits for the last of its parts.
    pub fn earliest(&self, settings: &Settings) -> Stage {
        let parts = settings.weights().iter();
        let last = parts
            .map(|weight| weight.check.earliest(&weight.settings))
            .max();
        last.unwrap_or(self.stage)
    }

    /// The parameter of a kind, if the check has one.
    pub(crate) fn parameter_of(&self, kind: Kind) -> Option<&'static Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.kind == kind)
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

/// The subject of a check's demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The PTR names of the client address.
    Ptr,
    /// The PTR names, and whether they lead back to the client address.
    Iprev,
    /// The form of the HELO name, or its use.
    Helo,
    /// The addresses of the HELO name.
    HeloAddress,
    /// The HELO name beside the PTR names.
    HeloPtr,
    /// SPF of the HELO name.
    HeloSpf,
    /// The domain of the envelope sender.
    SenderDomain,
    /// SPF of the envelope sender.
    SenderSpf,
    /// DKIM signatures, or SPF in their place.
    Dkim,
    /// DMARC of the From domain.
    Dmarc,
    /// Block lists.
    List,
    /// TLS.
    Tls,
    /// Greylisting.
    Greylist,
    /// Limits of connections, messages, recipients and mistakes.
    Limits,
    /// Anything else.
    Other,
}

/// When the rules of a check are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// At their stage. `delay_reject` moves it to RCPT.
    Stage,
    /// As soon as the client violates them, from their stage on: they are about its conduct.
    Conduct,
    /// At their stage, which `delay_reject` does not move. Without a HELO, MAIL gets 503.
    Helo,
    /// At their stage, and at the commands that RFC 3207 §4 forbids without TLS.
    Tls,
}

/// The result of a check.
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

/// The demand that was not met, with remedies.
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

/// The observations of a check that looks only at the commands of the client: none.
pub(super) fn nothing(_: &Settings) -> Observations {
    Observations::default()
}

/// The needs of a check that looks at the PTR names and their addresses.
pub(super) fn ptr_names(_: &Settings) -> Observations {
    Observations {
        iprev: true,
        ..Observations::default()
    }
}

pub(super) fn violated<R: Into<Remedy>>(
    why: impl Into<String>,
    remedies: impl IntoIterator<Item = R>,
) -> Finding {
    Finding::Violated(complaint(why, remedies))
}

pub(super) fn unavailable<R: Into<Remedy>>(
    why: impl Into<String>,
    remedies: impl IntoIterator<Item = R>,
) -> Finding {
    Finding::Unavailable(complaint(why, remedies))
}

pub(super) fn complaint<R: Into<Remedy>>(
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
pub(super) fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}
