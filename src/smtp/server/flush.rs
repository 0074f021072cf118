//! Sends replies, and then publishes the events that they belong to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::timeout;

use crate::journal::{Message, StoredMessage};
use crate::smtp::script::SendMode;
use crate::smtp::server::connection::Connection;
use crate::smtp::session::event::{AcceptedMessage, SessionEvent, Speaker};

/// Minimum size of a large message: while it is written to a journal file, other sessions are served on this thread.
const LARGE_OCTETS: usize = 64 << 10;
/// Number of attempts to write a small message, with other sessions served in between, before the session waits for the
/// file.
const WRITE_ATTEMPTS: usize = 8;

impl Connection<'_> {
    /// Sends the replies of one burst, in one write unless a script says otherwise, then publishes the events: a test
    /// that waits for an outcome must not overtake the client.
    pub(crate) async fn flush(&mut self, send_mode: SendMode) -> io::Result<()> {
        if !send_mode.delay.is_zero() {
            tokio::time::sleep(send_mode.delay).await;
        }
        if !self.output.is_empty() && !send_mode.mute {
            match send_mode {
                SendMode {
                    drip: Some(rate), ..
                } => self.drip(rate).await?,
                SendMode { split: true, .. } => self.split().await?,
                _ => {
                    let output = std::mem::take(&mut self.output);
                    self.send(&output).await?;
                    self.output = output;
                }
            }
            self.service
                .metrics
                .reply_time
                .observe(self.began.elapsed());
        }
        self.output.clear();
        self.publish();
        Ok(())
    }

    /// Stores the message before it is acknowledged, and tells the session whether that succeeded.
    pub(crate) async fn store(&mut self) {
        let stored = self.store_message().await;
        match &stored {
            Ok(key) => {
                if let Some(storing) = self.session.storing() {
                    storing.message.key = *key;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the journal file cannot take a message: the client gets 452");
            }
        }
        self.session.stored(stored.is_ok(), &mut self.output);
    }

    async fn store_message(&mut self) -> io::Result<Option<u64>> {
        let (at, session) = (Timestamp::now(), self.entry.id);
        // Messages of sessions from before a reset are not stored.
        let is_current = !self.service.last_reset.is_after(session);
        let (Some(journal_store), Some(storing), true) = (
            &self.service.journal_store,
            self.session.storing(),
            is_current,
        ) else {
            return Ok(None);
        };
        let message = StoredMessage {
            session,
            at,
            envelope: Arc::clone(&storing.envelope),
            trace: storing.message.trace.dated(at).to_owned(),
            octets: Arc::clone(&storing.message.octets),
        };
        let tries = if message.octets.len() < LARGE_OCTETS {
            WRITE_ATTEMPTS
        } else {
            0
        };
        for _ in 0..tries {
            if let Some(stored) = journal_store.try_message(&message) {
                return stored;
            }
            yield_now().await;
        }
        let journal_store = Arc::clone(journal_store);
        spawn_blocking(move || journal_store.message(&message)).await?
    }

    /// Sends octets. A session ends if its client does not read them in time.
    async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let limit = self.session_config.receiver.settings.command_timeout;
        timeout(limit, async {
            self.wire.write_all(octets).await?;
            self.wire.flush().await
        })
        .await?
    }

    /// Sends `rate` octets a second.
    async fn drip(&mut self, rate: u32) -> io::Result<()> {
        for octet in std::mem::take(&mut self.output) {
            self.send(&[octet]).await?;
            tokio::time::sleep(Duration::from_secs(1) / rate.max(1)).await;
        }
        Ok(())
    }

    /// Sends each line in two packets.
    async fn split(&mut self) -> io::Result<()> {
        for line in std::mem::take(&mut self.output).split_inclusive(|octet| *octet == b'\n') {
            for part in [&line[..line.len() / 2], &line[line.len() / 2..]] {
                self.send(part).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    pub(crate) fn publish(&mut self) {
        let Self {
            session,
            entry,
            service,
            writer,
            ..
        } = self;
        let events = session.events();
        if events.is_empty() {
            return;
        }
        for event in &*events {
            if let SessionEvent::Refused(refusal) = event {
                service.mail_counts.refusals.add(1);
                service.metrics.refusals.count([
                    refusal.verdict().name(),
                    refusal.source.name(),
                    refusal.rule,
                    refusal.stage.name(),
                ]);
            }
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let lines = events.lines();
            lines
                .filter(|(from, _)| *from == Speaker::Client)
                .for_each(|(_, command)| tracing::debug!(command));
        }
        let id = entry.id;
        let pending = entry.publish(events, writer, |envelope, accepted| {
            let AcceptedMessage { trace, octets, key } = accepted;
            let (at, trace) = trace.finished();
            let envelope = Arc::clone(envelope);
            // Under the lock of the log, because a reset is recorded before the log is cleared.
            let message = service.messages.append_if(|number| {
                (!service.last_reset.is_after(id)).then_some(Message {
                    id: number,
                    session: id,
                    at,
                    envelope,
                    trace,
                    octets,
                })
            });
            if let (Some(journal_store), Some(message), Some(key)) =
                (&service.journal_store, &message, key)
            {
                journal_store.number(key, message.id);
            }
            message
        });
        events.clear();
        service.append_events(pending);
        let grown = entry.grown();
        if grown > 0 {
            service.sessions.grow(id, grown);
        }
        if !service.last_reset.is_after(id) {
            service.sessions.changed_within(entry);
        }
    }
}
