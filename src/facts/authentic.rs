//! DKIM (RFC 6376) and DMARC (RFC 9989) of a message: what a verification concluded.
//!
//! The feature `dkim` brings the verifier. Without it no rule that needs these facts can be built: see
//! [`crate::policy::checks::Check::missing_feature`].

#[cfg(feature = "dkim")]
mod verify;

#[cfg(feature = "dkim")]
pub(super) use verify::observe;

use serde::Serialize;

#[cfg(feature = "dkim")]
use super::Spf;

/// What a verification came to, in the words of RFC 8601 §2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthResult {
    /// Nothing to verify.
    None,
    /// Verified.
    Pass,
    /// Proved wrong.
    Fail,
    /// There, and not to be evaluated.
    Neutral,
    /// DNS failed for the time being.
    TempError,
    /// A record or signature cannot be interpreted.
    PermError,
}

impl AuthResult {
    /// The word of RFC 8601.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// One DKIM signature of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dkim {
    /// The signing domain (`d=`), empty where the signature cannot be read.
    pub domain: String,
    /// The selector (`s=`).
    pub selector: String,
    /// What its verification came to.
    pub result: AuthResult,
    /// Why it did not pass; empty where it did.
    pub why: String,
}

/// DMARC of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dmarc {
    /// The domain of the From header field, empty where there is none, or several.
    pub from_domain: String,
    /// Whether a record was found for it.
    pub record: bool,
    /// The policy that applies: `none`, `quarantine` or `reject`.
    pub policy: &'static str,
    /// What it came to.
    pub result: AuthResult,
    /// Whether SPF passed, for an aligned domain.
    pub spf_aligned: bool,
    /// Whether a DKIM signature passed, of an aligned domain.
    pub dkim_aligned: bool,
}

/// Whose message it is, beside what its own header says.
#[cfg(feature = "dkim")]
pub(super) struct Envelope<'a> {
    pub(super) spf: Option<&'a Spf>,
    pub(super) sender_domain: &'a str,
}
