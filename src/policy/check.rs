//! A check: a row of the catalogue, the observations that it needs, and the result of its judgement.

mod settings;

pub use settings::{Kind, Parameter, Settings};
pub(crate) use settings::{Pattern, Points, Setting, Weight};

use std::net::IpAddr;

use crate::facts::{Facts, Observations};
use crate::policy::remedy::Remedy;
use crate::stage::Stage;

/// One row of the catalogue. Its texts are the documentation of the check: what it **checks**, what it **replies**, its
/// **basis**, and how far it goes **beyond** the RFCs. They have no other copy.
pub struct Check {
    /// The name used in files and verdicts.
    pub name: &'static str,
    /// The subject of its demand.
    pub(crate) topic: Topic,
    /// The earliest stage at which its facts are known, and the default stage of its rules.
    pub(crate) stage: Stage,
    /// The time at which its rules are judged, besides their stage.
    pub(crate) timing: Timing,
    /// The demand.
    pub(crate) checks: &'static str,
    /// The RFC section or the named operator practice.
    pub(crate) basis: &'static str,
    /// How far it goes beyond RFC 5321 §4.1.4.
    pub(crate) beyond: &'static str,
    /// The parameters.
    pub(crate) parameters: &'static [Parameter],
    /// The default reply to a violation.
    pub(crate) fail: &'static [&'static str],
    /// The default reply after a temporary DNS failure.
    pub(crate) error: &'static [&'static str],
    /// The observations that the check needs with these settings.
    pub(crate) needs: fn(&Settings) -> Observations,
    /// Builds the judge for these settings.
    pub(crate) build: fn(&Settings) -> Judge,
}

impl Check {
    /// The Cargo feature that this check needs and this build lacks.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        let message = (self.needs)(&Settings::default()).message;
        (message && !cfg!(feature = "dkim")).then_some("dkim")
    }

    /// The earliest stage at which the facts are known with these settings: a score waits for the last of its parts.
    pub fn earliest(&self, settings: &Settings) -> Stage {
        let parts = settings.weights().iter();
        let last = parts
            .map(|weight| weight.check.earliest(&weight.settings))
            .max();
        last.unwrap_or(self.stage)
    }

    /// The parameter of this kind, if the check has one.
    pub(crate) fn parameter_of(&self, kind: Kind) -> Option<&'static Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.kind == kind)
    }
}

impl PartialEq for Check {
    /// Names are unique, so they identify checks.
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
pub(crate) enum Topic {
    /// The PTR names of the client address.
    Ptr,
    /// The PTR names, and whether they lead back to the client address.
    Iprev,
    /// The form of the HELO name, or its use.
    Helo,
    /// The addresses of the HELO name.
    HeloAddress,
    /// Whether the HELO name matches the PTR names.
    HeloPtr,
    /// SPF of the HELO name.
    HeloSpf,
    /// The domain of the envelope sender.
    SenderDomain,
    /// SPF of the envelope sender.
    SenderSpf,
    /// DKIM signatures, or SPF instead.
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

/// The time at which the rules of a check are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// At their stage. `delay_reject` moves it to RCPT.
    Stage,
    /// From their stage on, as soon as the conduct of the client violates them.
    Conduct,
    /// At their stage, which `delay_reject` does not move. MAIL without a HELO gets 503.
    Helo,
    /// At their stage, and at the commands that RFC 3207 §4 forbids without TLS.
    Tls,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The demand is met.
    Satisfied,
    /// The demand is not met.
    Violated(Complaint),
    /// DNS failed temporarily, so the result is unknown.
    Unavailable(Complaint),
    /// The demand is not met well enough to accept now, but not badly enough to reject.
    Deferred(Complaint),
    /// The demand does not apply to this client.
    NotApplicable,
}

/// The demand that was not met, with remedies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The reason in one sentence, without a full stop.
    pub why: String,
    /// The proposed remedies, best first.
    pub remedies: Vec<Remedy>,
    /// Values of placeholders in addition to the facts.
    pub quotes: Vec<(&'static str, String)>,
}

/// A check with its settings, ready to judge.
pub(crate) type Judge = Box<dyn Fn(&Facts) -> Finding + Send + Sync>;

/// The observations of a check that needs only the commands of the client: none.
pub(super) fn nothing(_: &Settings) -> Observations {
    Observations::default()
}

/// The observations of a check that needs the PTR names and their addresses.
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

/// An address as an address literal for EHLO (RFC 5321 §4.1.3).
pub(super) fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}
