//! The last reset of a world, which separates earlier sessions from later ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::dns::Zones;

/// The last reset of a world. A session that was running continues, but leaves no trace afterwards: no message, no event,
/// and no fault count if the faults were reset as well.
#[derive(Debug, Default)]
pub(crate) struct LastReset {
    /// The number of the last session before the journal was emptied.
    session: AtomicU64,
    /// The number of the last session before the zones were reset.
    zones_session: AtomicU64,
    /// The zones of those sessions.
    zones: ArcSwap<Zones>,
}

impl LastReset {
    /// Records that the journal was emptied. The caller prevents new sessions during the call.
    pub(crate) fn of_journal(&self, last_session: u64) {
        self.session.store(last_session, Ordering::Release);
    }

    /// Records that these zones are about to be reset. The caller prevents new sessions during the call.
    pub(crate) fn of_zones(&self, last_session: u64, zones: Arc<Zones>) {
        self.zones.store(zones);
        self.zones_session.store(last_session, Ordering::Release);
    }

    /// Whether the journal was emptied after a session began.
    pub(crate) fn is_after(&self, session: u64) -> bool {
        session <= self.session.load(Ordering::Acquire)
    }

    /// The zones for a session: the current ones, or the earlier ones if they were reset since it began.
    pub(crate) fn zones(&self, session: u64, present: &ArcSwap<Zones>) -> Guard<Arc<Zones>> {
        // In this order, because a session that sees the new zones must see the reset as well.
        let zones = present.load();
        if session <= self.zones_session.load(Ordering::Acquire) {
            self.zones.load()
        } else {
            zones
        }
    }
}
