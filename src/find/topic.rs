//! The topic of a refusal, for replies with words of no profile.

use crate::policy::checks::Check;

/// The topic of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Ptr,
    Helo,
    Spf,
    Dkim,
    Dmarc,
    List,
    Tls,
    Greylist,
    Rate,
    Sender,
}

/// Words of each topic, more specific topics first.
const SIGNS: &[(Topic, &[&str])] = &[
    (
        Topic::Ptr,
        &[
            "ptr",
            "rdns",
            "reverse dns",
            "reverse hostname",
            "reverse lookup",
            "in addr arpa",
            "ip name lookup",
            "find your hostname",
            "fcrdns",
            "dns nr",
            "reverse name",
            "rfc 1912",
            "rfc1912",
            "rtr bb",
            "rtr du",
        ],
    ),
    (Topic::Helo, &["helo", "ehlo"]),
    (Topic::Dmarc, &["dmarc"]),
    (Topic::Dkim, &["dkim"]),
    (Topic::Spf, &["spf"]),
    (
        Topic::Greylist,
        &["greylist", "greylisted", "greylisting", "graylisted"],
    ),
    (
        Topic::List,
        &[
            "blocked",
            "blacklist",
            "blacklisted",
            "blocklist",
            "listed",
            "rbl",
            "dnsbl",
            "spamhaus",
            "reputation",
        ],
    ),
    (Topic::Tls, &["tls", "starttls"]),
    (Topic::Rate, &["rate", "too many", "connections", "volume"]),
    (
        Topic::Sender,
        &["sender address", "sender domain", "domain not found"],
    ),
];

impl Topic {
    /// The topic of words.
    pub(super) fn of_words(words: &[String]) -> Option<Self> {
        let text = format!(" {} ", words.join(" "));
        let shows = |signs: &&[&str]| signs.iter().any(|sign| text.contains(&format!(" {sign} ")));
        let row = SIGNS.iter().find(|(_, signs)| shows(signs));
        row.map(|(topic, _)| *topic)
    }

    /// The topic of a check.
    pub(super) fn of_check(check: &Check) -> Option<Self> {
        Some(match check.name {
            name if name.starts_with("ptr-") || name == "iprev" => Self::Ptr,
            "helo-spf" | "sender-spf" => Self::Spf,
            "dnsbl" | "helo-dnsbl" | "sender-dnsbl" => Self::List,
            name if name.starts_with("helo-") => Self::Helo,
            "dkim" | "spf-or-dkim" => Self::Dkim,
            name if name.starts_with("dmarc") => Self::Dmarc,
            "tls-required" => Self::Tls,
            "greylist" => Self::Greylist,
            "limits" => Self::Rate,
            "sender-resolves" => Self::Sender,
            _ => return None,
        })
    }
}
