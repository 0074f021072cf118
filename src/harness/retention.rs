//! The limits of the journal of a world.

use crate::journal::Limits;

/// The limits of the journal of a world. The oldest entries are dropped first, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Limits of the log of sessions.
    pub sessions: Limits,
    /// Limits of the log of messages.
    pub messages: Limits,
    /// Limits of the log of DNS queries.
    pub dns_queries: Limits,
    /// Limits of the event log.
    pub events: Limits,
    /// Total size of the messages being received, in octets. Further messages get 452 until others have ended.
    pub under_way: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            sessions: Limits {
                entries: 2_000,
                octets: 64 << 20,
            },
            messages: Limits {
                entries: 100_000,
                octets: 256 << 20,
            },
            dns_queries: Limits {
                entries: 10_000,
                octets: 8 << 20,
            },
            events: Limits {
                entries: 50_000,
                octets: 32 << 20,
            },
            under_way: 256 << 20,
        }
    }
}

impl Retention {
    /// Limits the total size to this number of octets, in the proportions of the default, which is
    /// `Retention::DEFAULT_OCTETS`; the numbers of entries change in proportion.
    #[must_use]
    pub fn within(octets: usize) -> Self {
        let share = |usual: usize| {
            let share = usual as u128 * octets as u128 / Self::DEFAULT_OCTETS as u128;
            usize::try_from(share).unwrap_or(usize::MAX).max(1)
        };
        let limits = |usual: Limits| Limits {
            entries: share(usual.entries),
            octets: share(usual.octets),
        };
        let usual = Self::default();
        Self {
            sessions: limits(usual.sessions),
            messages: limits(usual.messages),
            dns_queries: limits(usual.dns_queries),
            events: limits(usual.events),
            under_way: usual.under_way,
        }
    }

    /// The default total size: 360 MiB.
    pub(crate) const DEFAULT_OCTETS: usize = (64 + 256 + 8 + 32) << 20;
}
