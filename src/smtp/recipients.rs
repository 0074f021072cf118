//! The mailboxes of the recipient domains.

use std::collections::HashMap;

use crate::wildcard;

/// The existing mailboxes, as patterns. Without patterns every mailbox exists. `postmaster` always exists (RFC 5321
/// §4.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    known: Option<Vec<Mailboxes>>,
    domains: HashMap<String, Option<Vec<Mailboxes>>>,
    /// Whether any mailbox is unknown.
    limited: bool,
}

/// One mailbox, or a pattern in which `*` matches any text: `info@contoso.test`, `sales-*@contoso.test`, `postmaster`.
/// Without a domain it applies to every domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailboxes {
    local: String,
    domain: Option<String>,
}

/// The class of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecipientKind {
    Known,
    /// The mailbox does not exist.
    UnknownMailbox,
    /// The domain is not a recipient domain.
    UnknownDomain,
}

impl Mailboxes {
    /// Parses a pattern: a local part, or a mailbox.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain.to_owned())),
            None => (text.as_str(), None),
        };
        let sound = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        (sound(local) && domain.as_deref().is_none_or(sound)).then(|| Self {
            local: local.to_owned(),
            domain,
        })
    }

    fn holds(&self, local: &str, domain: &str) -> bool {
        wildcard::matches(&self.local, local)
            && self
                .domain
                .as_deref()
                .is_none_or(|own| wildcard::matches(own, domain))
    }
}

impl Recipients {
    /// Takes the mailboxes of all domains, and those of each recipient domain by its name in lower case. `None` means every
    /// mailbox for all domains, and the mailboxes of all domains for one domain.
    pub(crate) fn new(
        known: Option<Vec<Mailboxes>>,
        domains: HashMap<String, Option<Vec<Mailboxes>>>,
    ) -> Self {
        let limited = known.is_some() || domains.values().any(Option::is_some);
        Self {
            known,
            domains,
            limited,
        }
    }

    /// Whether mailboxes can be unknown. Otherwise only domains can.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited
    }

    pub(crate) fn kind(&self, recipient: &str) -> RecipientKind {
        let recipient = recipient.to_lowercase();
        let (local, domain) = recipient.rsplit_once('@').unwrap_or((&recipient, ""));
        let own = self.domains.get(domain.trim_end_matches('.'));
        let known = own.and_then(Option::as_ref).or(self.known.as_ref());
        let exists =
            known.is_none_or(|known| known.iter().any(|mailboxes| mailboxes.holds(local, domain)));
        match (own, exists || local == "postmaster") {
            // RFC 5321 §4.1.1.3: <postmaster> does not require a domain.
            (None, _) if !domain.is_empty() => RecipientKind::UnknownDomain,
            (_, true) => RecipientKind::Known,
            (_, false) => RecipientKind::UnknownMailbox,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let read = |patterns: &[&str]| {
            patterns
                .iter()
                .map(|text| Mailboxes::read(text))
                .collect::<Option<Vec<_>>>()
        };
        let domains = || {
            HashMap::from([
                ("contoso.test".to_owned(), None),
                ("own.test".to_owned(), read(&["a"])),
            ])
        };
        let recipients = Recipients::new(read(&["info", "sales-*@contoso.test"]), domains());
        for (recipient, expected) in [
            ("Info@Contoso.test", RecipientKind::Known),
            ("sales-eu@contoso.test", RecipientKind::Known),
            ("nobody@contoso.test", RecipientKind::UnknownMailbox),
            ("postmaster@contoso.test", RecipientKind::Known),
            ("Postmaster", RecipientKind::Known),
            ("a@own.test", RecipientKind::Known),
            ("info@own.test", RecipientKind::UnknownMailbox),
            ("info@elsewhere.test", RecipientKind::UnknownDomain),
        ] {
            assert_eq!(recipients.kind(recipient), expected, "{recipient}");
        }
        let all = Recipients::new(None, domains());
        assert_eq!(all.kind("x@contoso.test"), RecipientKind::Known);
        assert_eq!(Mailboxes::read("@contoso.test"), None);
        assert_eq!(Mailboxes::read("a b"), None);
    }
}
