//! What separates sessions that began before a reset from later ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::dns::Zones;

/// The last reset of a world. A session that was under way then goes on, but leaves no trace in what came after: no
/// message, no event, and no count of a fault where the faults were reset as well.
#[derive(Debug, Default)]
pub struct LastReset {
    /// The number of the last session that had begun when the journal was emptied.
    session: AtomicU64,
    /// The number of the last session that had begun when the zones were reset.
    zones_session: AtomicU64,
    /// The zones that those sessions go on with.
    zones: ArcSwap<Zones>,
}

impl LastReset {
    /// Records that the journal was emptied. The caller keeps further sessions from beginning meanwhile.
    pub fn of_journal(&self, last_session: u64) {
        self.session.store(last_session, Ordering::Release);
    }

    /// Records that the zones, which are still these, are about to be reset. The caller keeps further sessions from
    /// beginning meanwhile.
    pub fn of_zones(&self, last_session: u64, zones: Arc<Zones>) {
        self.zones.store(zones);
        self.zones_session.store(last_session, Ordering::Release);
    }

    /// Whether the journal was emptied after a session began.
    pub fn is_after(&self, session: u64) -> bool {
        session <= self.session.load(Ordering::Acquire)
    }

    /// The zones for a session: the present ones, or those of its time where they were reset since it began.
    pub(crate) fn zones(&self, session: u64, present: &ArcSwap<Zones>) -> Guard<Arc<Zones>> {
        // In this order: a session that sees the zones of after a reset sees the reset as well.
        let zones = present.load();
        if session <= self.zones_session.load(Ordering::Acquire) {
            self.zones.load()
        } else {
            zones
        }
    }
}
