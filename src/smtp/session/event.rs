//! The events of a session.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::facts::Facts;
use crate::journal::Envelope;
use crate::policy::Refusal;
use crate::reply::Reply;
use crate::smtp::ClientAddress;
use crate::smtp::session::trace::Trace;
use crate::verdict::{ClosedBy, Verdict};

/// Initial capacity for events and for the octets of their lines: those of an EHLO and its reply.
const EVENTS: usize = 20;
const OCTETS: usize = 384;

/// The sender of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The client.
    Client,
    /// The receiver.
    Server,
}

/// One event, which is published after the reply is sent.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// A line of the dialogue, or the size of the data that the client sent. [`SessionEvents::text`] returns the text.
    Line(Speaker, Range<usize>),
    /// A line that the transcript does not keep.
    LineDropped,
    /// Facts were observed.
    Observed(Box<Facts>),
    /// The client address was replaced (XCLIENT).
    Renamed(ClientAddress),
    /// The session is under TLS now: version and cipher suite.
    Secured(String),
    /// An allow entry bypassed rules for the client.
    Allowed(String),
    /// A RCPT command, accepted or not.
    Tried {
        /// The envelope sender.
        sender: String,
        /// The argument of RCPT.
        recipient: String,
    },
    /// A refusal.
    Refused(Box<Refusal>),
    /// The end of a transaction.
    Transaction {
        /// The envelope.
        envelope: Arc<Envelope>,
        /// The verdict.
        verdict: Verdict,
        /// The reply to the final dot; `None` without one.
        reply: Option<Reply>,
        /// The message, if it was accepted.
        message: Option<AcceptedMessage>,
    },
    /// A script took effect.
    Scripted(String),
    /// The reason why the session is about to end, unless it ends in order.
    Reason(String),
    /// The session ended.
    Closed(ClosedBy),
}

/// An accepted message.
#[derive(Clone, Debug)]
pub struct AcceptedMessage {
    /// The header fields that the receiver adds above the message.
    pub(crate) trace: Trace,
    /// The octets of the message.
    pub octets: Arc<Vec<u8>>,
    /// The key of the message in the journal file; `None` without a file.
    pub(crate) key: Option<u64>,
}

/// A position in the events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventsMark {
    list: usize,
    text_buffer: usize,
}

/// The events since the last call, in order. All lines share one text buffer, because a session has many of them.
#[derive(Clone, Debug, Default)]
pub struct SessionEvents {
    list: Vec<SessionEvent>,
    text_buffer: String,
}

impl SessionEvents {
    pub(crate) fn push(&mut self, event: SessionEvent) {
        if self.list.capacity() == 0 {
            self.list.reserve(EVENTS);
        }
        self.list.push(event);
    }

    pub(crate) fn line(&mut self, from: Speaker, text: &str) {
        if self.text_buffer.capacity() == 0 {
            self.text_buffer.reserve(OCTETS);
        }
        let begin = self.text_buffer.len();
        self.text_buffer.push_str(text);
        self.push(SessionEvent::Line(from, begin..self.text_buffer.len()));
    }

    /// The text of a line.
    pub fn text(&self, line: &Range<usize>) -> &str {
        self.text_buffer.get(line.clone()).unwrap_or_default()
    }

    /// The lines of the dialogue.
    pub fn lines(&self) -> impl Iterator<Item = (Speaker, &str)> {
        self.iter().filter_map(|event| match event {
            SessionEvent::Line(from, text) => Some((*from, self.text(text))),
            _ => None,
        })
    }

    pub(crate) fn mark(&self) -> EventsMark {
        EventsMark {
            list: self.list.len(),
            text_buffer: self.text_buffer.len(),
        }
    }

    /// Removes the events after the mark.
    pub(crate) fn truncate(&mut self, mark: EventsMark) {
        self.list.truncate(mark.list);
        self.text_buffer.truncate(mark.text_buffer);
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The events, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, SessionEvent> {
        self.list.iter()
    }

    /// Removes the events, returns them with their text, and keeps the capacity.
    pub(crate) fn drain(&mut self) -> (std::vec::Drain<'_, SessionEvent>, &str) {
        (self.list.drain(..), &self.text_buffer)
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.text_buffer.clear();
    }
}

impl<'a> IntoIterator for &'a SessionEvents {
    type Item = &'a SessionEvent;
    type IntoIter = std::slice::Iter<'a, SessionEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for SessionEvents {
    type Item = SessionEvent;
    type IntoIter = std::vec::IntoIter<SessionEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
