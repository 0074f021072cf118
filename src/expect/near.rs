//! Near misses: entries that match a filter except for a few conditions.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Mismatch;
use super::watch::Watched;
use crate::journal::Log;

/// Maximum number of entries that are examined for near misses, newest first.
const EXAMINED: usize = 1_000;

/// An entry that nearly matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct NearMiss {
    /// The number of the session, DNS query or message.
    pub id: u64,
    /// A summary in one line.
    pub what: String,
    /// The conditions that do not match.
    pub mismatches: Vec<Mismatch>,
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differs: Vec<_> = self.mismatches.iter().map(ToString::to_string).collect();
        write!(f, "{}\n      {}", self.what, differs.join("\n      "))
    }
}

/// The near misses among the newest entries with a number above `after`, nearest first.
pub(crate) fn nearest<T: Watched>(
    log: &Log<T>,
    after: u64,
    pattern: &T::Pattern,
    most: usize,
) -> Vec<NearMiss> {
    let near = |entry: &Arc<T>| {
        let (what, mismatches) = entry.view(|view| {
            let mismatches = match T::is_settled(view) {
                true => T::mismatches(view, pattern),
                false => Vec::new(),
            };
            (T::line(view), mismatches)
        });
        let id = entry.number();
        (!mismatches.is_empty()).then_some(NearMiss {
            id,
            what,
            mismatches,
        })
    };
    let entries = log.page_back(u64::MAX, EXAMINED);
    let newer = entries.iter().filter(|entry| entry.number() > after);
    let mut near: Vec<_> = newer.filter_map(near).collect();
    near.sort_by_key(|near| (near.mismatches.len(), Reverse(near.id)));
    near.truncate(most);
    near
}
