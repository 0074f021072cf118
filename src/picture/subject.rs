//! Which edge of the strip each rule is about.

use crate::facts::Facts;

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
    /// Conduct, history, limits: nothing that the strip shows.
    Elsewhere,
}

/// The edge of each rule of the catalogue; `iprev` breaks at the PTR lookup or behind it, as the facts say.
pub(super) fn subject(rule: &str, facts: &Facts) -> Subject {
    match rule {
        "iprev" | "ipv6-ptr" if reaches_forward(facts) => Subject::Forward,
        "helo-resolves" | "helo-ip-match" | "helo-verify" => Subject::HeloAddress,
        "helo-ptr-match" => Subject::HeloPtr,
        "helo-spf" => Subject::HeloSpf,
        "sender-spf" => Subject::SenderSpf,
        "dkim" | "spf-or-dkim" | "ipv6-auth" => Subject::Dkim,
        "dnsbl" | "rhsbl-helo" | "rhsbl-sender" => Subject::Lists,
        "iprev" | "ipv6-ptr" => Subject::Ptr,
        _ if rule.starts_with("ptr-forward") => Subject::Forward,
        _ if rule.starts_with("ptr-") => Subject::Ptr,
        _ if rule.starts_with("helo-") => Subject::HeloForm,
        _ if rule.starts_with("dmarc") => Subject::Dmarc,
        _ if rule.starts_with("sender-") => Subject::SenderDomain,
        _ => Subject::Elsewhere,
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
