//! Scripted behaviour of a receiver: replies, delays, slow sending, closed and reset connections, silence. Nothing is random
//! without a seed.

use std::time::Duration;

use ipnet::IpNet;

use crate::facts::{Facts, Verb};
use crate::policy::Template;
use crate::smtp::client_address::splitmix64;
use crate::smtp::protocol::extension::Mechanism;
use crate::wildcard;

/// The points of a session at which a script can take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The greeting.
    Connect,
    /// The reply to HELO, EHLO or LHLO.
    Helo,
    /// The reply to MAIL.
    Mail,
    /// The reply to RCPT.
    Rcpt,
    /// The reply to DATA.
    Data,
    /// The reply to the final dot, or to the last chunk.
    Eod,
    /// The reply to QUIT.
    Quit,
    /// The reply to AUTH.
    Auth,
    /// The reply to STARTTLS.
    StartTls,
}

impl Point {
    /// All points with their names.
    pub(crate) const ALL: [(&'static str, Self); 9] = [
        ("connect", Self::Connect),
        ("helo", Self::Helo),
        ("mail", Self::Mail),
        ("rcpt", Self::Rcpt),
        ("data", Self::Data),
        ("eod", Self::Eod),
        ("quit", Self::Quit),
        ("auth", Self::Auth),
        ("starttls", Self::StartTls),
    ];

    /// The name.
    pub(super) fn name(self) -> &'static str {
        let mut points = Self::ALL.into_iter();
        let named = points.find(|(_, point)| *point == self);
        named.map_or("", |(name, _)| name)
    }
}

/// The way to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With FIN.
    Close,
    /// With RST; data in transit is lost.
    Reset,
}

/// The way to send the output of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SendMode {
    /// The delay before the reply.
    pub delay: Duration,
    /// Octets per second; all at once if `None`.
    pub drip: Option<u32>,
    /// Whether each reply line is sent in two packets.
    pub split: bool,
    /// Whether nothing is sent.
    pub mute: bool,
    /// How the connection ends afterwards.
    pub end: Option<End>,
}

/// One script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The point of the session.
    pub(crate) point: Point,
    /// The condition; every session if all lists are empty.
    pub(crate) when: Condition,
    /// The opportunities that the script uses.
    pub(crate) often: Schedule,
    /// The reply that replaces that of the receiver.
    pub(crate) reply: Option<Template>,
    /// The octets to send instead of a reply; CRLF is added.
    pub(crate) raw: Option<String>,
    /// How the reply is sent.
    pub(crate) send_mode: SendMode,
}

/// The condition of a script: every list that is not empty must match.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Condition {
    /// Envelope recipients; `*` matches any octets.
    pub(crate) recipients: Vec<String>,
    /// Envelope senders.
    pub(crate) senders: Vec<String>,
    /// HELO names.
    pub(crate) helos: Vec<String>,
    /// Client addresses.
    pub(crate) clients: Vec<IpNet>,
    /// Header fields of the message, `Subject: urgent*`; known at the final dot.
    pub(crate) headers: Vec<String>,
    /// The verbs of the current HELO.
    pub(crate) verbs: Vec<Verb>,
    /// Whether the session is under TLS.
    pub(crate) tls: Option<bool>,
    /// Mechanisms of AUTH.
    pub(crate) mechanisms: Vec<Mechanism>,
    /// Whether AUTH has an initial response.
    pub(crate) initial_response: Option<bool>,
}

/// What a condition can use in addition to the facts of the session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScriptContext<'a> {
    /// The message, at the final dot.
    pub(crate) message: Option<&'a [u8]>,
    /// The mechanism of AUTH, and whether an initial response came with it.
    pub(crate) auth: Option<(Mechanism, bool)>,
}

impl<'a> ScriptContext<'a> {
    /// The context at the final dot.
    pub(crate) fn of_message(message: &'a [u8]) -> Self {
        Self {
            message: Some(message),
            ..Self::default()
        }
    }
}

/// The scope in which a schedule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum CountPer {
    /// All sessions since the start or the last reset.
    #[default]
    World,
    /// Each client address.
    Client,
    /// Each session.
    Session,
}

impl CountPer {
    /// All scopes with their names.
    pub(crate) const ALL: [(&'static str, Self); 3] = [
        ("world", Self::World),
        ("client", Self::Client),
        ("session", Self::Session),
    ];
}

/// The opportunities that a script uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Schedule {
    /// Only the opportunity with this number, from 1.
    pub attempt: Option<u64>,
    /// Only this many first opportunities.
    pub times: Option<u64>,
    /// Every n-th opportunity.
    pub every: Option<u64>,
    /// A probability in millionths, and the seed.
    pub probability: Option<(u32, u64)>,
    /// The scope of the count.
    pub per: CountPer,
}

impl Schedule {
    /// Whether the script uses its nth opportunity, from 1.
    pub(super) fn holds(&self, n: u64) -> bool {
        let one_of = |limit: Option<u64>, holds: fn(u64, u64) -> bool| {
            limit.is_none_or(|limit| holds(n, limit))
        };
        one_of(self.attempt, |n, attempt| n == attempt)
            && one_of(self.times, |n, times| n <= times)
            && one_of(self.every, |n, every| n % every.max(1) == 0)
            && self.probability.is_none_or(|(millionths, seed)| {
                splitmix64(seed.wrapping_add(n)) % 1_000_000 < u64::from(millionths)
            })
    }
}

impl Condition {
    pub(super) fn holds(&self, facts: &Facts, context: ScriptContext<'_>) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|p| wildcard::matches(p, text))
        };
        let helo = facts
            .helo
            .as_ref()
            .map_or("", |helo| helo.argument.as_str());
        any(
            &self.recipients,
            facts.recipient.as_deref().unwrap_or_default(),
        ) && any(&self.senders, facts.sender.as_deref().unwrap_or_default())
            && any(&self.helos, helo)
            && (self.clients.is_empty()
                || self
                    .clients
                    .iter()
                    .any(|net| net.contains(&facts.client_address)))
            && (self.headers.is_empty() || context.message.is_some_and(|m| self.has_field(m)))
            && (self.verbs.is_empty()
                || facts
                    .helo
                    .as_ref()
                    .is_some_and(|helo| self.verbs.contains(&helo.verb)))
            && self.tls.is_none_or(|tls| tls == facts.conduct.tls)
            && self.holds_auth(context.auth)
    }

    /// Outside AUTH there is neither a mechanism nor an initial response.
    fn holds_auth(&self, auth: Option<(Mechanism, bool)>) -> bool {
        let needs_auth = !self.mechanisms.is_empty() || self.initial_response.is_some();
        let holds = |(mechanism, initial): (Mechanism, bool)| {
            (self.mechanisms.is_empty() || self.mechanisms.contains(&mechanism))
                && self
                    .initial_response
                    .is_none_or(|expected| expected == initial)
        };
        !needs_auth || auth.is_some_and(holds)
    }

    fn has_field(&self, message: &[u8]) -> bool {
        let text = String::from_utf8_lossy(message);
        let header = text
            .split("\r\n\r\n")
            .next()
            .unwrap_or_default()
            .replace("\r\n\t", " ")
            .replace("\r\n ", " ");
        let is_named = |field: &str| self.headers.iter().any(|p| wildcard::matches(p, field));
        header.lines().any(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often() {
        let applies_to = |often: Schedule| (1..=6).filter(|n| often.holds(*n)).collect::<Vec<_>>();
        assert_eq!(applies_to(Schedule::default()), [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            applies_to(Schedule {
                attempt: Some(2),
                ..Schedule::default()
            }),
            [2]
        );
        assert_eq!(
            applies_to(Schedule {
                times: Some(3),
                ..Schedule::default()
            }),
            [1, 2, 3]
        );
        assert_eq!(
            applies_to(Schedule {
                every: Some(3),
                ..Schedule::default()
            }),
            [3, 6]
        );
        let seeded = Schedule {
            probability: Some((500_000, 7)),
            ..Schedule::default()
        };
        let count = (1..=1000).filter(|n| seeded.holds(*n)).count();
        assert!((400..600).contains(&count), "{count} of 1000");
        assert_eq!(applies_to(seeded), applies_to(seeded));
    }
}
