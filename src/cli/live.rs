//! The lines of `serve`: one for each session that has ended.

use std::sync::Arc;
use std::time::Duration;

use super::matrix::clients;
use super::paint::{self, Explanation};
use super::print;
use crate::journal::Log;
use crate::smtp::{AddressSource, ClientSource, SessionEntry, SessionRecord};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Verdict};

/// Minimum time between two reads of the log, which changes tens of thousands of times a second under load.
pub(super) const PRINT_INTERVAL: Duration = Duration::from_millis(10);

/// Prints each session that has ended.
pub(super) struct SessionPrinter {
    /// Whether nothing is printed.
    silent: bool,
    /// Writes a text.
    print: fn(&str),
    /// The highest number of a session in `running` or before.
    seen: u64,
    running: Vec<Arc<SessionEntry>>,
}

impl SessionPrinter {
    /// Creates a printer; a silent one prints nothing.
    pub(super) fn new(silent: bool) -> Self {
        Self {
            silent,
            print,
            seen: 0,
            running: Vec::new(),
        }
    }

    /// Creates a printer that writes to standard error, for `run`, whose command uses standard output.
    #[cfg(target_os = "linux")]
    pub(super) fn to_stderr() -> Self {
        Self {
            print: super::print_to_stderr,
            ..Self::new(false)
        }
    }

    /// Prints sessions as they end.
    pub(super) async fn follow(&mut self, sessions: &Log<SessionEntry>) {
        if self.silent {
            return std::future::pending().await;
        }
        loop {
            let changed = sessions.changed();
            self.catch_up(sessions);
            changed.await;
            tokio::time::sleep(PRINT_INTERVAL).await;
        }
    }

    /// Prints every session that has ended since the last call.
    pub(super) fn catch_up(&mut self, sessions: &Log<SessionEntry>) {
        if self.silent {
            return;
        }
        self.running.extend(sessions.after(self.seen));
        self.seen = self
            .running
            .last()
            .map_or(self.seen, |e| e.id.max(self.seen));
        let ended: Vec<_> = self.running.extract_if(.., |e| e.is_closed()).collect();
        for entry in &ended {
            let story = format!("\n{}", story(&entry.snapshot()));
            (self.print)(&story);
        }
    }
}

/// The client address, with its source.
fn judged_as(record: &SessionRecord) -> String {
    match (record.client_source, record.translated_from) {
        (AddressSource::Socket, None) => format!("{} (socket)", record.client_address),
        (source, translated) => {
            let from = translated.map(|from| format!(", translated from {from}"));
            format!(
                "{} ({}{}; the connection is from {})",
                record.client_address,
                source.name(),
                from.unwrap_or_default(),
                record.peer.ip()
            )
        }
    }
}

/// The source of client addresses, for the startup message.
pub(super) fn origin(source: &ClientSource) -> String {
    match source {
        ClientSource::Socket => "the address of the connection".to_owned(),
        ClientSource::Fixed(address) => {
            format!("always {address}, wherever a connection comes from")
        }
        ClientSource::Map(map) => format!(
            "by a map of {} addresses; other addresses are unchanged",
            map.len()
        ),
        ClientSource::Pool { addresses, .. } => format!(
            "the next address of a pool of {}: {}",
            addresses.len(),
            clients(addresses)
        ),
    }
}

fn story(record: &SessionRecord) -> String {
    let refusal = record.refusals.first();
    Explanation {
        verdict: record.verdict,
        stage: match (refusal, record.verdict) {
            (Some(refusal), _) => refusal.stage.name(),
            // `check` reports the same stage for an accepted message.
            (None, Verdict::Accept) => Stage::Eod.name(),
            (None, _) => record.closed_by.map_or("", ClosedBy::name),
        },
        rule: refusal.map_or("", |r| r.rule),
        who: &format!("session {}", record.id),
        client: judged_as(record),
        helo: &record.helo,
        allowed: &record.allowed,
        why: refusal.map_or("", |r| &r.why),
        reply: record.reply.clone(),
        evidence: paint::questions(&record.evidence),
        remedies: paint::changes(refusal.map_or(&[], |r| &r.remedies)),
    }
    .text()
}
