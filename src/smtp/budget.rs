//! Memory for messages that are being received: each message has a limit (SIZE, RFC 1870 §6), and so have all messages of a
//! world together (452, RFC 5321 §4.2.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A flaw of the received data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    TooLarge,
    ChunkTooLarge,
    NoStorage,
    LineTooLong,
    BareLf,
    BareCr,
}

/// The limit for all messages that the sessions of a world are receiving, in octets.
#[derive(Debug)]
pub(crate) struct MessageBudget {
    most: usize,
    used: AtomicUsize,
}

impl MessageBudget {
    /// Makes a budget of `most` octets.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            used: AtomicUsize::new(0),
        }
    }

    /// The octets in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether `octets` more are available now.
    pub(crate) fn has_room(&self, octets: usize) -> bool {
        self.used().saturating_add(octets) <= self.most
    }

    fn claim(&self, octets: usize) -> bool {
        let claimed = |used: usize| used.checked_add(octets).filter(|used| *used <= self.most);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, claimed)
            .is_ok()
    }

    fn release(&self, octets: usize) {
        self.used.fetch_sub(octets, Ordering::Relaxed);
    }
}

/// The octets of one message received so far. Octets beyond a limit are received and discarded.
#[derive(Debug)]
pub(crate) struct MailData {
    octets: Vec<u8>,
    limit: usize,
    budget: Option<Arc<MessageBudget>>,
    lost: Option<Flaw>,
}

impl MailData {
    /// Makes an empty buffer for at most `limit` octets of this budget.
    pub(crate) fn new(limit: usize, budget: Option<Arc<MessageBudget>>) -> Self {
        Self {
            octets: Vec::new(),
            limit,
            budget,
            lost: None,
        }
    }

    pub(crate) fn push(&mut self, run: &[u8]) {
        if self.lost.is_some() {
            return;
        }
        if self.octets.len() + run.len() > self.limit {
            return self.discard(Flaw::TooLarge);
        }
        if self
            .budget
            .as_ref()
            .is_some_and(|budget| !budget.claim(run.len()))
        {
            return self.discard(Flaw::NoStorage);
        }
        if self.octets.capacity() == 0 {
            self.octets.reserve(run.len().max(1024));
        }
        self.octets.extend_from_slice(run);
    }

    /// Whether octets were discarded.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Discards what was kept.
    fn discard(&mut self, flaw: Flaw) {
        self.release();
        self.lost = Some(flaw);
    }

    fn release(&mut self) -> Vec<u8> {
        if let Some(budget) = &self.budget {
            budget.release(self.octets.len());
        }
        std::mem::take(&mut self.octets)
    }

    /// The octets, and the reason if they were discarded.
    pub(crate) fn into_octets(mut self) -> (Vec<u8>, Option<Flaw>) {
        (self.release(), self.lost)
    }
}

impl Drop for MailData {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claimed_memory_is_released() {
        let budget = Arc::new(MessageBudget::new(10));
        let data = || MailData::new(8, Some(Arc::clone(&budget)));
        let (mut first, mut second) = (data(), data());
        first.push(b"123456");
        second.push(b"1234");
        assert!(budget.used() == 10 && !budget.has_room(1));
        second.push(b"5");
        assert_eq!(
            budget.used(),
            6,
            "a message without memory is discarded whole"
        );
        assert_eq!(second.into_octets(), (Vec::new(), Some(Flaw::NoStorage)));
        first.push(b"789");
        assert_eq!(first.into_octets(), (Vec::new(), Some(Flaw::TooLarge)));
        let mut third = data();
        third.push(b"12345678");
        assert_eq!(third.into_octets(), (b"12345678".to_vec(), None));
        drop({
            let mut lost = data();
            lost.push(b"1");
            lost
        });
        assert_eq!(budget.used(), 0);
    }
}
