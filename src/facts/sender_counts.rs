//! Counts of messages and refusals of each sender within a time, by the clock of the world.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::Facts;
use crate::name::{self, Name};
use crate::stage::Stage;

/// Maximum count of one sender.
pub(crate) const MOST_COUNTED: u64 = 10_000;
/// Maximum number of times of all senders together. Beyond it, those of the least active senders are removed.
const REMEMBERED: usize = 1_000_000;

/// The kind of sender that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountBy {
    /// The client address.
    Client,
    /// The organizational domain of the envelope sender.
    SenderDomain,
    /// The organizational domain of the only address in From.
    FromDomain,
}

impl CountBy {
    /// The words of receiver files.
    pub const WORDS: [&str; 3] = ["client", "sender-domain", "from-domain"];

    /// The word of receiver files.
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The kind of sender for a word of receiver files.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Client, Self::SenderDomain, Self::FromDomain];
        all.into_iter().find(|by| by.word() == word)
    }

    /// The sender in words.
    pub const fn sender(self) -> &'static str {
        match self {
            Self::Client => "one client address",
            Self::SenderDomain => "one domain of envelope senders",
            Self::FromDomain => "one From domain",
        }
    }

    /// The earliest stage at which the sender is known.
    pub(crate) const fn known_from(self) -> Stage {
        match self {
            Self::Client => Stage::Connect,
            Self::SenderDomain => Stage::Mail,
            Self::FromDomain => Stage::Eod,
        }
    }
}

/// A number of messages that a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VolumeWindow {
    /// The kind of sender.
    pub by: CountBy,
    /// The time in which they count.
    pub per: Duration,
    /// The highest count that the rule needs.
    pub most: u64,
}

/// A number of refusals that a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefusalWindow {
    /// The index of the rule in its policy.
    pub rule: usize,
    /// The kind of sender.
    pub by: CountBy,
    /// The time in which they count.
    pub per: Duration,
    /// The highest count that the rule needs.
    pub most: u64,
}

/// The number of acknowledged messages of a sender within a time, including the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Volume {
    /// The kind of sender.
    pub by: CountBy,
    /// The time, in milliseconds.
    #[serde(rename = "per_ms", serialize_with = "crate::journal::millis")]
    pub per: Duration,
    /// The number of messages.
    pub messages: u64,
}

/// The number of earlier refusals of a sender by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EarlierRefusals {
    /// The index of the rule in its policy.
    pub rule: usize,
    /// The number of refusals.
    pub times: u64,
}

/// Messages that a sender had sent before the memory of a receiver begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBefore {
    /// The kind of sender.
    pub(crate) by: CountBy,
    /// The address, or the organizational domain in lower case.
    pub(crate) who: String,
    /// The number of messages.
    pub(crate) messages: u64,
}

impl SentBefore {
    /// Messages from this client address.
    pub fn from_client(address: IpAddr, messages: u64) -> Self {
        let (by, who) = (CountBy::Client, address.to_string());
        Self { by, who, messages }
    }

    /// Messages from the organizational domain of this name.
    pub fn from_domain(by: CountBy, domain: &Name, messages: u64) -> Self {
        let who = organization(domain);
        Self { by, who, messages }
    }
}

/// The key of a count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CountKey {
    /// The kind of sender.
    pub(crate) by: CountBy,
    /// The address or domain.
    pub(crate) who: String,
    /// The receiver and the index of the refusing rule; `None` if messages are counted.
    pub(crate) refused_by: Option<(String, usize)>,
}

impl Facts {
    /// The address or domain of the sender; `None` if it is not known.
    pub(crate) fn sender_key(&self, by: CountBy) -> Option<String> {
        match by {
            CountBy::Client => Some(self.client_address.to_string()),
            CountBy::SenderDomain => {
                let (_, domain) = self.sender.as_deref()?.rsplit_once('@')?;
                name::absolute(domain).as_ref().map(organization)
            }
            CountBy::FromDomain => {
                let domain = self.header.as_ref()?.from_domain.as_ref();
                domain.map(organization)
            }
        }
    }
}

/// The organizational domain of a name, or the name itself if it has none.
fn organization(name: &Name) -> String {
    let domain = name::organisational_domain(name);
    domain
        .unwrap_or_else(|| name::display(name))
        .to_ascii_lowercase()
}

/// The times of counted events, by key.
#[derive(Clone, Debug, Default)]
pub(super) struct SenderCounts {
    times: HashMap<CountKey, VecDeque<Duration>>,
    total: usize,
}

impl SenderCounts {
    /// The number of events within a time before now.
    pub(super) fn within(&self, key: &CountKey, per: Duration, now: Duration) -> u64 {
        let times = self.times.get(key);
        let recent = |at: &&Duration| now.saturating_sub(**at) < per;
        times.map_or(0, |times| {
            times.iter().rev().take_while(recent).count() as u64
        })
    }

    /// Records an event now, and keeps at most the latest `keep` times.
    pub(super) fn add(&mut self, key: CountKey, keep: u64, now: Duration) {
        if self.total >= REMEMBERED {
            self.make_room();
        }
        let times = self.times.entry(key).or_default();
        times.push_back(now);
        self.total += 1;
        if times.len() as u64 > keep {
            times.pop_front();
            self.total -= 1;
        }
    }

    /// How often something happened, as far as it is remembered.
    pub(super) fn total_of(&self, key: &CountKey) -> u64 {
        self.times.get(key).map_or(0, |times| times.len() as u64)
    }

    /// Drops the older half of the senders.
    fn make_room(&mut self) {
        let last = |times: &VecDeque<Duration>| times.back().copied().unwrap_or_default();
        let mut all: Vec<_> = self.times.values().map(last).collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        let median = *median;
        self.times.retain(|_, times| last(times) > median);
        self.total = self.times.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(who: &str) -> CountKey {
        CountKey {
            by: CountBy::Client,
            who: who.to_owned(),
            refused_by: None,
        }
    }

    #[test]
    fn times_within_a_window() {
        let (mut sender_counts, seconds) = (SenderCounts::default(), Duration::from_secs);
        for at in [1, 10, 20] {
            sender_counts.add(key("a"), 3, seconds(at));
        }
        let within = |sender_counts: &SenderCounts, per, now| {
            sender_counts.within(&key("a"), seconds(per), seconds(now))
        };
        assert_eq!(within(&sender_counts, 100, 20), 3);
        assert_eq!(
            within(&sender_counts, 10, 20),
            1,
            "a window ends before its length has passed"
        );
        assert_eq!(within(&sender_counts, 11, 20), 2);
        assert_eq!(within(&sender_counts, 10, 40), 0);
        assert_eq!(
            sender_counts.within(&key("b"), seconds(100), seconds(20)),
            0
        );
        sender_counts.add(key("a"), 3, seconds(21));
        assert_eq!(
            (within(&sender_counts, 100, 21), sender_counts.total),
            (3, 3),
            "the oldest are removed"
        );
    }

    #[test]
    fn memory_has_a_bound() {
        let mut sender_counts = SenderCounts::default();
        for at in 0..=REMEMBERED as u64 {
            sender_counts.add(key(&(at / 100).to_string()), 100, Duration::from_secs(at));
        }
        assert!(
            sender_counts.total <= REMEMBERED / 2 + 101,
            "{}",
            sender_counts.total
        );
        assert_eq!(
            sender_counts.total,
            sender_counts
                .times
                .values()
                .map(VecDeque::len)
                .sum::<usize>()
        );
        let last = key(&(REMEMBERED / 100).to_string());
        let now = Duration::from_secs(REMEMBERED as u64);
        assert_eq!(
            sender_counts.within(&last, Duration::from_secs(1000), now),
            1
        );
    }
}
