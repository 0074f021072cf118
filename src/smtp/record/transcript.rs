//! The dialogue of a session, line by line.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::smtp::session::event::Speaker;

/// Initial capacity: the size of a session with one message.
const OCTETS: usize = 768;
const LINES: usize = 24;

/// One line of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TranscriptLine<'a> {
    /// The time at which the line was sent or received.
    pub at: Timestamp,
    /// The sender of the line.
    pub from: Speaker,
    /// The line without CRLF.
    pub text: &'a str,
}

/// A dialogue. All lines share one text, because most transcripts are never read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    lines: Vec<Line>,
}

/// The end of a line, which begins at the end of the previous one.
#[derive(Clone, Copy, Debug)]
struct Line {
    at: Timestamp,
    from: Speaker,
    end: u32,
}

impl Transcript {
    /// Appends a line, and returns its size in octets.
    pub(crate) fn push(&mut self, line: TranscriptLine<'_>) -> usize {
        let TranscriptLine { at, from, text } = line;
        if self.lines.is_empty() {
            self.text.reserve(OCTETS);
            self.lines.reserve(LINES);
        }
        self.text.push_str(text);
        self.lines.push(Line {
            at,
            from,
            end: u32::try_from(self.text.len()).unwrap_or(u32::MAX),
        });
        size_of::<Line>() + text.len()
    }

    /// The number of lines.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The line at an index, from 0.
    pub(crate) fn get(&self, index: usize) -> Option<TranscriptLine<'_>> {
        let Line { at, from, end } = *self.lines.get(index)?;
        let begin = index
            .checked_sub(1)
            .and_then(|before| self.lines.get(before))
            .map_or(0, |before| before.end);
        Some(TranscriptLine {
            at,
            from,
            text: self.text.get(begin as usize..end as usize)?,
        })
    }

    /// The lines in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TranscriptLine<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl Serialize for Transcript {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let at = Timestamp::UNIX_EPOCH;
        let lines = [
            (Speaker::Server, "220 mx"),
            (Speaker::Client, ""),
            (Speaker::Client, "EHLO bücher.test"),
        ];
        let mut transcript = Transcript::default();
        for (from, text) in lines {
            assert_eq!(
                transcript.push(TranscriptLine { at, from, text }),
                size_of::<Line>() + text.len()
            );
        }
        assert_eq!(
            transcript
                .iter()
                .map(|line| (line.from, line.text))
                .collect::<Vec<_>>(),
            lines
        );
        assert_eq!((transcript.len(), transcript.get(3)), (3, None));
        let json = serde_json::to_string(&transcript).expect("JSON");
        assert!(
            json.starts_with(r#"[{"at":"1970-01-01T00:00:00Z","from":"server","text":"220 mx"}"#),
            "{json}"
        );
    }
}
