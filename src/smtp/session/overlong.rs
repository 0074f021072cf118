//! Command lines that are too long: discarded to their end and refused, cut, or split (RFC 5321 §4.5.3.1.4).

use std::borrow::Cow;

use crate::facts::ReceiverLookup;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::protocol::syntax::{LongLine, PATH_LINE_OCTETS};
use crate::smtp::session::auth::{AUTH_LINE_OCTETS, is_auth};
use crate::smtp::session::event::Speaker;
use crate::smtp::session::{Session, State};

/// Maximum number of octets of a line in the transcript: enough for every line within the limits.
const TRANSCRIPT_LINE_OCTETS: usize = PATH_LINE_OCTETS;

/// A line that is too long and is being discarded.
#[derive(Debug)]
pub(crate) struct OverlongLine {
    /// The state before it.
    state: State,
    /// The beginning of the line, as the transcript shows it.
    beginning: String,
    /// The line that the receiver handles, if it cuts long lines.
    cut_line: Option<Vec<u8>>,
    /// The length so far, in octets.
    octets: usize,
}

impl OverlongLine {
    /// The state before the line.
    pub(crate) fn into_state(self) -> State {
        self.state
    }
}

impl Session {
    /// The maximum length of the next line.
    pub(super) fn line_octets(&self) -> usize {
        if matches!(self.state, State::Auth(_)) {
            AUTH_LINE_OCTETS
        } else {
            self.setup.settings().syntax.most_line_octets()
        }
    }

    /// What happens to a line that is too long. AUTH and its responses are always refused whole, because the transcript does not show
    /// credentials, and the rest of a line does not say that it is one.
    pub(super) fn long_lines(&self, line: &[u8]) -> LongLine {
        match self.state {
            State::Auth(_) => LongLine::Refuse,
            _ if is_auth(line) => LongLine::Refuse,
            _ => self.setup.settings().syntax.long_lines,
        }
    }

    /// Discards octets of a line that is too long, and keeps its beginning.
    pub(super) fn pass_over(&mut self, octets: &[u8], most: usize) {
        if let State::Passing(passed) = &mut self.state {
            passed.octets += octets.len();
            return;
        }
        let beginning = octets[..octets.len().min(TRANSCRIPT_LINE_OCTETS)].trim_ascii_end();
        let beginning = self
            .masked(beginning)
            .unwrap_or_else(|| String::from_utf8_lossy(beginning).into_owned());
        let cut_line = (self.long_lines(octets) == LongLine::Cut)
            .then(|| [&octets[..most.min(octets.len())], b"\r\n"].concat());
        let state = std::mem::replace(&mut self.state, State::Idle);
        self.state = State::Passing(Box::new(OverlongLine {
            state,
            beginning,
            cut_line,
            octets: octets.len(),
        }));
    }

    /// Handles the end of a line that was too long, and returns to the state before it. It ends an AUTH exchange (RFC
    /// 4954 §4).
    pub(super) fn end_of_overlong_line(
        &mut self,
        more: bool,
        output: &mut Vec<u8>,
        lookup: &dyn ReceiverLookup,
    ) {
        let State::Passing(passed) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let OverlongLine {
            state,
            beginning,
            cut_line,
            octets,
        } = *passed;
        if let Some(line) = cut_line {
            self.state = state;
            return self.line(&line, octets, more, output, lookup);
        }
        self.dialogue
            .record(Speaker::Client, &format!("{beginning}… ({octets} octets)"));
        match state {
            State::Auth(_) => self.mistake(CoreReply::AuthLineTooLong, output),
            state => {
                self.state = state;
                self.at = self.stage();
                self.mistake(CoreReply::LineTooLong, output);
            }
        }
    }
}

/// A line as the transcript shows it: its beginning and its length.
pub(crate) fn shortened(line: &[u8], octets: usize) -> Cow<'_, str> {
    match line.get(..TRANSCRIPT_LINE_OCTETS) {
        Some(beginning) if line.len() > TRANSCRIPT_LINE_OCTETS => {
            format!("{}… ({octets} octets)", String::from_utf8_lossy(beginning)).into()
        }
        _ => String::from_utf8_lossy(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transcript_shows_the_beginning_of_a_long_line_and_its_length() {
        let line = |octets: usize| vec![b'x'; octets];
        let most = TRANSCRIPT_LINE_OCTETS;
        assert_eq!(shortened(&line(most), most + 2).len(), most);
        let text = shortened(&line(most + 1), most + 3).into_owned();
        assert!(
            text.ends_with(&format!("x… ({} octets)", most + 3)),
            "{text}"
        );
        assert_eq!(text.matches('x').count(), most);
    }
}
