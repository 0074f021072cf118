//! The dialogue of a session: replies in the output, lines of the transcript, events for the journal.

use crate::facts::Facts;
use crate::reply::Reply;
use crate::smtp::script::SendMode;
use crate::smtp::session::event::{EventsMark, SessionEvent, SessionEvents, Speaker};

/// Size of replies after which they are sent: a client that sends commands without reading replies must not use more
/// memory.
const BURST_OCTETS: usize = 16 << 10;
/// Number of observations after which events are published: each observation holds all facts.
const BURST_OBSERVATIONS: usize = 32;

/// The dialogue of a session.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The events that are not published yet.
    events: SessionEvents,
    /// Number of lines so far.
    lines: usize,
    /// Maximum number of lines that the transcript keeps.
    most_lines: usize,
    /// Observations among the events.
    observations: usize,
    /// How the next output is sent, if a script says so.
    mode: Option<SendMode>,
}

/// Positions in the output and the dialogue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    output: usize,
    events: EventsMark,
    lines: usize,
}

impl Dialogue {
    pub(super) fn new(most_lines: usize) -> Self {
        Self {
            events: SessionEvents::default(),
            lines: 0,
            most_lines,
            observations: 0,
            mode: None,
        }
    }

    /// Sends a reply.
    pub(super) fn say(&mut self, reply: &Reply, output: &mut Vec<u8>) {
        let begin = output.len();
        reply.write_to(output);
        if self.is_silent() {
            return;
        }
        for line in output[begin..].split_inclusive(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r\n").unwrap_or(line);
            self.record(Speaker::Server, &String::from_utf8_lossy(line));
        }
    }

    /// Sends a line that is not a reply.
    pub(super) fn say_line(&mut self, line: &str, output: &mut Vec<u8>) {
        output.extend_from_slice(line.as_bytes());
        output.extend_from_slice(b"\r\n");
        self.record(Speaker::Server, line);
    }

    /// Adds a line to the transcript, or counts it if the transcript is full.
    pub(super) fn record(&mut self, from: Speaker, text: &str) {
        self.lines += 1;
        if self.lines <= self.most_lines {
            self.events.line(from, text);
        } else {
            self.events.push(SessionEvent::LineDropped);
        }
    }

    /// Records an event that is not a line.
    pub(super) fn push(&mut self, event: SessionEvent) {
        self.events.push(event);
    }

    /// Records the facts as an event.
    pub(super) fn observed(&mut self, facts: &Facts) {
        self.observations += 1;
        self.push(SessionEvent::Observed(Box::new(facts.clone())));
    }

    /// Sets how the next output is sent.
    pub(super) fn send_as(&mut self, mode: SendMode) {
        self.mode = Some(mode);
    }

    /// Whether replies are suppressed.
    pub(super) fn is_silent(&self) -> bool {
        self.mode.is_some_and(|mode| mode.mute)
    }

    /// Whether the output has to be sent before anything else is said.
    pub(super) fn must_flush(&mut self, output: &[u8]) -> bool {
        let must = self.mode.is_some()
            || output.len() >= BURST_OCTETS
            || self.observations >= BURST_OBSERVATIONS;
        if must {
            self.observations = 0;
        }
        must
    }

    /// Returns how the output must be sent, once.
    pub(super) fn take_mode(&mut self) -> SendMode {
        self.mode.take().unwrap_or_default()
    }

    /// The events that are not published yet.
    pub(super) fn events(&mut self) -> &mut SessionEvents {
        &mut self.events
    }

    pub(super) fn mark(&self, output: &[u8]) -> Mark {
        Mark {
            output: output.len(),
            events: self.events.mark(),
            lines: self.lines,
        }
    }

    /// Removes what was said after the mark, before any of it is sent. The send mode is unchanged: a script that
    /// suppresses replies continues to do so.
    pub(super) fn take_back(&mut self, mark: Mark, output: &mut Vec<u8>) {
        output.truncate(mark.output);
        self.events.truncate(mark.events);
        self.lines = mark.lines;
    }
}
