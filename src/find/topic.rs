//! The topic of a refusal, for replies whose words are in no profile.

use crate::policy::check::{Check, Topic as About};

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
        Some(match check.topic {
            About::Ptr | About::Iprev => Self::Ptr,
            About::Helo | About::HeloAddress | About::HeloPtr => Self::Helo,
            About::HeloSpf | About::SenderSpf => Self::Spf,
            About::SenderDomain => Self::Sender,
            About::Dkim => Self::Dkim,
            About::Dmarc => Self::Dmarc,
            About::List => Self::List,
            About::Tls => Self::Tls,
            About::Greylist => Self::Greylist,
            About::Limits => Self::Rate,
            About::Other => return None,
        })
    }
}
