//! Command lines cut out of the input, and those too long for it (RFC 5321 §4.5.3.1).
//!
//! A line too long fares the same however it was cut into packets: it is passed over to its end, answered once, and the
//! journal keeps how it began and how long it was.

use std::sync::Arc;

use bytes::{Buf, BytesMut};

use super::auth::AUTH_LINE_OCTETS;
use super::replies;
use super::session::{Event, PATH_LINE_OCTETS, Session, State};
use crate::facts::Lookup;

/// Octets of a line that a transcript keeps: enough for every line within its limit.
const TRANSCRIPT_LINE_OCTETS: usize = PATH_LINE_OCTETS;

/// A line too long that is being passed over.
#[derive(Debug)]
pub(super) struct Passed {
    /// The state it came in.
    state: State,
    /// How it began, as the transcript may show it.
    beginning: String,
    /// How long it is so far.
    octets: usize,
}

impl Session {
    /// Takes one command line. False where the input holds no whole line.
    pub(super) fn next_line(&mut self, input: &mut BytesMut, output: &mut Vec<u8>, lookup: &dyn Lookup) -> bool {
        let end = memchr::memchr(b'\n', input).map(|end| end + 1);
        let octets = end.unwrap_or(input.len());
        let passing = matches!(self.state, State::Passing(_)) || octets > self.line_octets();
        if passing {
            self.pass_over(&input[..octets]);
            input.advance(octets);
            if end.is_some() {
                self.end_of_passing(output);
            }
        } else if end.is_some() {
            let line = input.split_to(octets);
            self.line(&line, !input.is_empty(), output, lookup);
        }
        end.is_some()
    }

    /// The longest line that may come now.
    fn line_octets(&self) -> usize {
        if matches!(self.state, State::Auth(_)) { AUTH_LINE_OCTETS } else { PATH_LINE_OCTETS }
    }

    fn pass_over(&mut self, octets: &[u8]) {
        if let State::Passing(passed) = &mut self.state {
            passed.octets += octets.len();
            return;
        }
        let beginning = octets[..octets.len().min(TRANSCRIPT_LINE_OCTETS)].trim_ascii_end();
        let beginning = self.told(beginning).unwrap_or_else(|| String::from_utf8_lossy(beginning).into_owned());
        let state = std::mem::replace(&mut self.state, State::Idle);
        self.state = State::Passing(Box::new(Passed { state, beginning, octets: octets.len() }));
    }

    /// The end of a line too long: back to the state before it. It ends an exchange of AUTH (RFC 4954 §4).
    fn end_of_passing(&mut self, output: &mut Vec<u8>) {
        let State::Passing(passed) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let Passed { state, beginning, octets } = *passed;
        self.record(|| Event::Client(format!("{beginning}… ({octets} octets)").into()));
        match state {
            State::Auth(_) => self.mistake(&replies::AUTH_LINE_TOO_LONG, output),
            state => {
                self.state = state;
                self.mistake(&replies::LINE_TOO_LONG, output);
            }
        }
    }
}

/// A line as the transcript keeps it: its beginning, and how long it was.
pub(super) fn shortened(line: &[u8]) -> Arc<str> {
    match line.get(..TRANSCRIPT_LINE_OCTETS) {
        Some(beginning) if line.len() > TRANSCRIPT_LINE_OCTETS => {
            format!("{}… ({} octets)", String::from_utf8_lossy(beginning), line.len()).into()
        }
        _ => String::from_utf8_lossy(line).into(),
    }
}
