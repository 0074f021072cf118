//! Which edge of the strip each rule is about.

use crate::facts::Facts;
use crate::policy::check::Topic;
use crate::policy::checks::find;

/// The edge that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Ptr,
    Forward,
    HeloForm,
    HeloAddress,
    HeloPtr,
    HeloSpf,
    SenderDomain,
    SenderSpf,
    Dkim,
    Dmarc,
    Lists,
    /// Rules about conduct, history or limits, which have no edge in the strip.
    Elsewhere,
}

/// The edge of a rule; the facts decide whether `iprev` breaks at the PTR lookup or after it.
pub(super) fn subject(rule: &str, facts: &Facts) -> Subject {
    match find(rule).map(|check| check.topic) {
        Some(Topic::Iprev) if reaches_forward(facts) => Subject::Forward,
        Some(Topic::Iprev | Topic::Ptr) => Subject::Ptr,
        Some(Topic::Helo) => Subject::HeloForm,
        Some(Topic::HeloAddress) => Subject::HeloAddress,
        Some(Topic::HeloPtr) => Subject::HeloPtr,
        Some(Topic::HeloSpf) => Subject::HeloSpf,
        Some(Topic::SenderDomain) => Subject::SenderDomain,
        Some(Topic::SenderSpf) => Subject::SenderSpf,
        Some(Topic::Dkim) => Subject::Dkim,
        Some(Topic::Dmarc) => Subject::Dmarc,
        Some(Topic::List) => Subject::Lists,
        Some(Topic::Tls | Topic::Greylist | Topic::Limits | Topic::Other) | None => {
            Subject::Elsewhere
        }
    }
}

fn reaches_forward(facts: &Facts) -> bool {
    facts
        .iprev
        .as_ref()
        .is_some_and(|iprev| !iprev.ptr_names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::checks::CATALOGUE;

    #[test]
    fn every_rule_about_an_identity_has_an_edge() {
        let facts = Facts::new("192.0.2.1".parse().expect("an address"));
        let about_names = [
            "ptr", "helo", "dkim", "dmarc", "spf", "sender", "iprev", "dnsbl", "rhsbl",
        ];
        for check in CATALOGUE {
            let named = about_names.iter().any(|word| check.name.contains(word));
            let drawn = subject(check.name, &facts) != Subject::Elsewhere;
            assert!(drawn || !named, "{} has no edge in the strip", check.name);
        }
    }
}
