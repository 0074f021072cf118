//! The content of a journal file, loaded at start.

#[cfg(feature = "journal-file")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Retention;
use crate::error::Error;
#[cfg(feature = "journal-file")]
use crate::journal::StoredMessage;
use crate::journal::{Event, JournalStore, Log, Message};
use crate::smtp::SessionEntry;

/// The loaded content; empty without a file.
#[derive(Debug, Default)]
pub(super) struct Restored {
    #[cfg(feature = "journal-file")]
    restored: crate::journal::file::Restored,
}

type Opened = (Restored, Option<Arc<dyn JournalStore>>);

impl Restored {
    /// Opens the file, if one is configured.
    #[cfg(feature = "journal-file")]
    pub(super) fn open(path: Option<&std::path::Path>, keep: Retention) -> Result<Opened, Error> {
        let Some(path) = path else {
            return Ok((Self::default(), None));
        };
        let (file, restored) =
            crate::journal::file::File::open(path, keep.messages, keep.sessions)?;
        Ok((Self { restored }, Some(file)))
    }

    /// Without the feature there is no file.
    #[cfg(not(feature = "journal-file"))]
    pub(crate) fn open(_: Retention) -> Result<Opened, Error> {
        Ok((Self::default(), None))
    }

    /// Without the feature, nothing was stored.
    #[cfg(not(feature = "journal-file"))]
    pub(crate) fn restore(self, _: &Log<SessionEntry>, _: &Log<Message>, _: &Log<Event>) {}

    /// Without the feature, nothing was stored.
    #[cfg(all(feature = "http", not(feature = "journal-file")))]
    pub(crate) fn marks(&self) -> Vec<crate::journal::StoredMark> {
        Vec::new()
    }

    /// The marks of messages.
    #[cfg(all(feature = "http", feature = "journal-file"))]
    pub(super) fn marks(&self) -> Vec<crate::journal::StoredMark> {
        self.restored.marks.clone()
    }

    /// Fills the logs. Sessions and messages keep their numbers.
    #[cfg(feature = "journal-file")]
    pub(crate) fn restore(
        self,
        sessions: &Log<SessionEntry>,
        messages: &Log<Message>,
        events: &Log<Event>,
    ) {
        let crate::journal::file::Restored {
            messages: stored,
            sessions: records,
            last,
            ..
        } = self.restored;
        let stored = numbered(stored, last.message);
        let first = stored
            .first()
            .map_or(last.message + 1, |message| message.id);
        restore_sessions(&records, &stored, last.session, sessions);
        messages.restore(first, stored);
        events.restore(last.event + 1, Vec::new());
    }
}

/// Restores the numbers of messages. A process that was killed may not have written the last numbers: those messages
/// get the missing numbers in the order of storage. Messages older than a number that is still missing were about to be
/// removed.
#[cfg(feature = "journal-file")]
fn numbered(stored: Vec<(StoredMessage, Option<u64>)>, last: u64) -> Vec<Message> {
    let taken: BTreeSet<u64> = stored.iter().filter_map(|(_, number)| *number).collect();
    let first = taken.first().map_or(last, |first| first - 1);
    let mut free = (first + 1..).filter(|number| !taken.contains(number));
    let mut all: Vec<_> = stored
        .into_iter()
        .map(|(message, number)| {
            let id = number.or_else(|| free.next()).unwrap_or(u64::MAX);
            Message {
                id,
                session: message.session,
                at: message.at,
                envelope: message.envelope,
                trace: message.trace,
                octets: message.octets,
            }
        })
        .collect();
    all.sort_by_key(|message| message.id);
    let gap = all.windows(2).rposition(|two| two[0].id + 1 != two[1].id);
    all.split_off(gap.map_or(0, |gap| gap + 1))
}

/// Fills the log of sessions: those that had ended, and those that were running when the process ended, of which only
/// the messages are known.
#[cfg(feature = "journal-file")]
fn restore_sessions(
    records: &[(u64, String)],
    messages: &[Message],
    last: u64,
    sessions: &Log<SessionEntry>,
) {
    let records: BTreeMap<u64, &String> = records.iter().map(|(id, text)| (*id, text)).collect();
    let mut of_session: BTreeMap<u64, Vec<&Message>> = BTreeMap::new();
    for message in messages {
        of_session.entry(message.session).or_default().push(message);
    }
    let earliest = records.keys().next().or_else(|| of_session.keys().next());
    let latest = records.keys().last().max(of_session.keys().last());
    let (first, last) = match (earliest, latest) {
        (Some(first), Some(latest)) => (*first, last.max(*latest)),
        _ => (last + 1, last),
    };
    let entry = |id: u64| {
        let record = records
            .get(&id)
            .and_then(|text| serde_json::from_str(text).ok());
        match record {
            Some(record) => SessionEntry::restored(id, &record),
            None => SessionEntry::interrupted(
                id,
                of_session.get(&id).map(Vec::as_slice).unwrap_or_default(),
            ),
        }
    };
    sessions.restore(first, (first..=last).map(entry).collect());
}

#[cfg(all(test, feature = "journal-file"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: &[Option<u64>], last: u64, expected: &[(u64, u64)]) {
        let stored = (1..).zip(numbers).map(|(session, number)| {
            let message = StoredMessage {
                session,
                at: jiff::Timestamp::UNIX_EPOCH,
                envelope: Arc::default(),
                trace: String::new(),
                octets: Arc::default(),
            };
            (message, *number)
        });
        let found = numbered(stored.collect(), last);
        let found: Vec<_> = found
            .iter()
            .map(|message| (message.id, message.session))
            .collect();
        assert_eq!(found, expected);
    }

    /// The number and the session of each restored message; the session is the position in the file.
    #[test]
    fn messages_keep_their_numbers() {
        check(&[], 4, &[]);
        check(&[Some(7), Some(8)], 0, &[(7, 1), (8, 2)]);
        check(&[Some(8), Some(7)], 0, &[(7, 2), (8, 1)]);
        check(&[None, None], 0, &[(1, 1), (2, 2)]);
        check(&[None, None], 20, &[(21, 1), (22, 2)]);
        check(
            &[Some(7), None, Some(9), None],
            0,
            &[(7, 1), (8, 2), (9, 3), (10, 4)],
        );
        check(&[Some(7), Some(9), Some(10)], 0, &[(9, 2), (10, 3)]);
    }
}
