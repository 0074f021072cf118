//! What a journal file held, and who writes to it from now on.

use std::sync::Arc;

use super::Retention;
use crate::error::Error;
use crate::journal::{Event, JournalStore, Log, Message};
use crate::smtp::SessionEntry;

/// What was read again; nothing where there is no file.
#[derive(Debug, Default)]
pub(super) struct Restored {
    #[cfg(feature = "journal-file")]
    restored: crate::journal::file::Restored,
}

type Opened = (Restored, Option<Arc<dyn JournalStore>>);

impl Restored {
    /// Opens the file, if there is to be one.
    #[cfg(feature = "journal-file")]
    pub fn open(path: Option<&std::path::Path>, keep: Retention) -> Result<Opened, Error> {
        let Some(path) = path else {
            return Ok((Self::default(), None));
        };
        let (file, restored) =
            crate::journal::file::File::open(path, keep.messages, keep.sessions.entries)?;
        Ok((Self { restored }, Some(file)))
    }

    /// Without the feature there is no file.
    #[cfg(not(feature = "journal-file"))]
    pub fn open(_: Retention) -> Result<Opened, Error> {
        Ok((Self::default(), None))
    }

    /// Without the feature nothing was kept.
    #[cfg(not(feature = "journal-file"))]
    pub fn restore(self, _: &Log<SessionEntry>, _: &Log<Message>, _: &Log<Event>) {}

    /// Fills the logs. Messages are numbered from 1 in the order they were stored; sessions keep their numbers.
    #[cfg(feature = "journal-file")]
    pub fn restore(
        self,
        sessions: &Log<SessionEntry>,
        messages: &Log<Message>,
        events: &Log<Event>,
    ) {
        use std::collections::BTreeMap;

        use crate::journal::StoredMessage;

        let crate::journal::file::Restored {
            messages: deposits,
            sessions: records,
            last_event,
        } = self.restored;
        let mut of_session: BTreeMap<u64, Vec<(u64, &StoredMessage)>> = BTreeMap::new();
        for (number, deposit) in (1..).zip(&deposits) {
            of_session
                .entry(deposit.session)
                .or_default()
                .push((number, deposit));
        }
        let records: BTreeMap<u64, String> = records.into_iter().collect();
        let first = records
            .keys()
            .next()
            .copied()
            .or_else(|| of_session.keys().next().copied())
            .unwrap_or(1);
        let last = records
            .keys()
            .last()
            .max(of_session.keys().last())
            .copied()
            .unwrap_or(0);
        let entry = |id: u64| {
            let mine = of_session.get(&id).map(Vec::as_slice).unwrap_or_default();
            let entry = match records
                .get(&id)
                .and_then(|text| serde_json::from_str(text).ok())
            {
                Some(record) => SessionEntry::restored(id, &record),
                None => SessionEntry::interrupted(
                    id,
                    &mine.iter().map(|(_, deposit)| *deposit).collect::<Vec<_>>(),
                ),
            };
            entry.renumber(&mine.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            entry
        };
        sessions.restore(first, (first..=last).map(entry).collect());
        let message = |(id, deposit): (u64, StoredMessage)| {
            let StoredMessage {
                session,
                at,
                envelope,
                trace,
                octets,
            } = deposit;
            Message {
                id,
                session,
                at,
                envelope,
                trace,
                octets,
            }
        };
        messages.restore(1, (1..).zip(deposits).map(message).collect());
        events.restore(last_event + 1, Vec::new());
    }
}
