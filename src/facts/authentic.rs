//! Results of the verification of DKIM (RFC 6376) and DMARC (RFC 9989) of a message.
//!
//! The feature `dkim` adds the verifier. Without it, no rule that needs these facts can be built: see
//! [`crate::policy::check::Check::missing_feature`].

#[cfg(feature = "dkim")]
mod verify;

use std::time::Duration;

use serde::Serialize;

use super::Lookup;
#[cfg(feature = "dkim")]
use super::Spf;

/// The result of a verification, in the words of RFC 8601 §2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthResult {
    /// Nothing to verify.
    None,
    /// Verified.
    Pass,
    /// Verification failed.
    Fail,
    /// Present, but not evaluated.
    Neutral,
    /// DNS failed temporarily.
    TempError,
    /// A record or signature cannot be interpreted.
    PermError,
}

impl AuthResult {
    /// The word of RFC 8601.
    pub(crate) const fn word(self) -> &'static str {
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

impl super::Facts {
    /// Verifies DKIM and DMARC of a message. Returns the time of the lookups.
    #[cfg(feature = "dkim")]
    pub(super) fn authenticate(&mut self, message: &[u8], lookup: &dyn Lookup) -> Duration {
        let sender = self.sender.as_deref().unwrap_or_default();
        let helo = self.helo.as_ref().map_or("", |helo| helo.argument.as_str());
        // For the null sender, the domain is that of the HELO identity (RFC 7489 §3.1.2, RFC 7208 §2.4).
        let sender_domain = sender.rsplit_once('@').map_or(helo, |(_, domain)| domain);
        let envelope = Envelope {
            spf: self.spf_sender.as_ref(),
            sender_domain,
        };
        let (dkim, dmarc, elapsed) =
            verify::observe(message, &envelope, lookup, &mut self.evidence);
        (self.dkim, self.dmarc) = (Some(dkim), Some(dmarc));
        elapsed
    }

    /// Verifies nothing: without the feature `dkim`, no rule needs these facts.
    #[cfg(not(feature = "dkim"))]
    pub(super) fn authenticate(&mut self, _: &[u8], _: &dyn Lookup) -> Duration {
        Duration::ZERO
    }

    /// The domain of the From header field; empty if it is not known.
    pub(crate) fn author_domain_text(&self) -> String {
        let header = self.header.as_ref();
        let domain = header.and_then(|header| header.from_domain.as_ref());
        let of_dmarc = || self.dmarc.as_ref().map(|dmarc| dmarc.from_domain.clone());
        let domain = domain.map(crate::name::display).or_else(of_dmarc);
        domain.unwrap_or_default()
    }

    /// Whether SPF of the envelope sender passed.
    pub(crate) fn spf_passed(&self) -> bool {
        let result = self.spf_sender.as_ref().map(|spf| spf.result);
        result == Some(super::SpfResult::Pass)
    }

    /// Whether a DKIM signature of the message passed.
    pub(crate) fn dkim_passed(&self) -> bool {
        let mut signatures = self.dkim.iter().flatten();
        signatures.any(|signature| signature.result == AuthResult::Pass)
    }

    /// Whether the message passed DMARC.
    pub(crate) fn dmarc_passed(&self) -> bool {
        let result = self.dmarc.as_ref().map(|dmarc| dmarc.result);
        result == Some(AuthResult::Pass)
    }
}

/// One DKIM signature of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Dkim {
    /// The signing domain (`d=`); empty if the signature cannot be parsed.
    pub(crate) domain: String,
    /// The selector (`s=`).
    pub(crate) selector: String,
    /// The result of its verification.
    pub(crate) result: AuthResult,
    /// The reason why it did not pass; empty if it did.
    pub(crate) why: String,
}

/// DMARC of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Dmarc {
    /// The domain of the From header field; empty if there is none, or more than one.
    pub(crate) from_domain: String,
    /// Whether a record was found for it.
    pub(crate) record: bool,
    /// The policy that applies: `none`, `quarantine` or `reject`.
    pub(crate) policy: &'static str,
    /// The result.
    pub(crate) result: AuthResult,
    /// Whether SPF passed, for an aligned domain.
    pub(crate) spf_aligned: bool,
    /// Whether a DKIM signature passed, of an aligned domain.
    pub(crate) dkim_aligned: bool,
}

/// The identities of the session to which the message belongs.
#[cfg(feature = "dkim")]
pub(super) struct Envelope<'a> {
    pub(super) spf: Option<&'a Spf>,
    pub(super) sender_domain: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    #[test]
    fn one_signature_that_passes_is_enough() {
        let signature = |result| Dkim {
            domain: "example.test".to_owned(),
            selector: "s".to_owned(),
            result,
            why: String::new(),
        };
        let passed = |results: Option<&[AuthResult]>| {
            let mut facts = Facts::new(std::net::Ipv4Addr::LOCALHOST.into());
            facts.dkim = results.map(|results| results.iter().map(|r| signature(*r)).collect());
            facts.dkim_passed()
        };
        assert!(!passed(None) && !passed(Some(&[])));
        assert!(!passed(Some(&[AuthResult::Fail, AuthResult::TempError])));
        assert!(passed(Some(&[AuthResult::Fail, AuthResult::Pass])));
    }
}
