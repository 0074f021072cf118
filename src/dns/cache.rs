//! Cache of the answers of one snapshot, by the octets of the request after its id.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::Zones;
use crate::journal::DnsExchange;

/// Maximum number of answers. Beyond it, all are removed, which costs less than tracking their use.
const ANSWERS: usize = 20_000;
/// Maximum length of a request whose answer is cached, in octets.
const REQUEST_OCTETS: usize = 300;

/// The cached answers of one snapshot. Each socket has its own cache, so that no lock is needed.
#[derive(Default)]
pub(super) struct Cache {
    answers: HashMap<Box<[u8]>, Arc<DnsExchange>>,
    /// The snapshot of the answers. A weak reference prevents reuse of its address, but does not keep its zones.
    snapshot: Weak<Zones>,
}

impl Cache {
    /// Removes everything if the snapshot is another one.
    pub(super) fn follow(&mut self, zones: &Arc<Zones>) {
        if self.snapshot.as_ptr() != Arc::as_ptr(zones) {
            self.answers.clear();
            self.snapshot = Arc::downgrade(zones);
        }
    }

    /// The cached answer to an equal request; its id is that of the earlier request.
    pub(super) fn get(&self, request: &[u8]) -> Option<&Arc<DnsExchange>> {
        self.answers.get(request.get(2..)?)
    }

    /// Caches an answer, which must be valid as long as the snapshot.
    pub(super) fn keep(&mut self, exchange: &Arc<DnsExchange>) {
        if self.answers.len() >= ANSWERS {
            self.answers.clear();
        }
        if let Some(key) = exchange
            .request
            .get(2..)
            .filter(|key| key.len() <= REQUEST_OCTETS)
        {
            self.answers.insert(key.into(), Arc::clone(exchange));
        }
    }
}
