//! The parts of a pattern that a text contains, wherever it was cut.

use std::collections::HashMap;

use memchr::memmem;

use super::piece::{Piece, Value};

/// Minimum number of letters of a part: shorter parts occur in many texts.
const PART: usize = 12;
/// Number of letters by which the text after a placeholder is recognised.
const KEY: usize = 6;
/// Maximum number of attempts at placeholders in one comparison.
const ATTEMPTS: u32 = 2_000;

/// Maximum number of parts that are compared.
const PARTS: usize = 64;

/// The size of an overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Octets of the pattern's literal pieces.
    pub(super) letters: usize,
    /// Octets of the text, with the values of placeholders.
    pub(super) octets: usize,
}

/// A place in a pattern: a piece, and an offset in it.
type Place = (usize, usize);

/// A part of a pattern, and where the text has it.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: Place,
    end: Place,
    at: usize,
    size: Overlap,
}

/// A text with the places of every sequence of [`PART`] octets.
#[derive(Debug)]
pub(super) struct Sequences<'a> {
    text: &'a [u8],
    places: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Sequences<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let text = text.as_bytes();
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, octets) in text.windows(PART).enumerate() {
            places.entry(octets).or_default().push(at);
        }
        Self { text, places }
    }

    /// The parts of a pattern that the text has in the order of the pattern: those with the most letters.
    pub(super) fn overlap(&self, pieces: &[Piece]) -> Overlap {
        let parts = self.parts(pieces);
        let mut chains: Vec<Overlap> = Vec::with_capacity(parts.len());
        for part in &parts {
            let follows = |before: &Part| {
                before.end <= part.start && before.at + before.size.octets <= part.at
            };
            let before = parts.iter().zip(&chains).filter(|(one, _)| follows(one));
            let before = before.map(|(_, chain)| *chain).max_by_key(|c| c.letters);
            let before = before.unwrap_or_else(|| Overlap {
                letters: 0,
                octets: value_before(pieces, part),
            });
            chains.push(Overlap {
                letters: before.letters + part.size.letters,
                octets: before.octets + part.size.octets,
            });
        }
        let best = chains.into_iter().max_by_key(|chain| chain.letters);
        best.unwrap_or_default()
    }

    /// All parts, in the order of the pattern.
    fn parts(&self, pieces: &[Piece]) -> Vec<Part> {
        let mut attempts = ATTEMPTS;
        let mut parts = Vec::new();
        for (piece, literal) in pieces.iter().enumerate() {
            let Piece::Literal(literal) = literal else {
                continue;
            };
            let octets = literal.as_bytes();
            for (offset, sequence) in octets.windows(PART).enumerate() {
                let places = self.places.get(sequence).into_iter().flatten().copied();
                // A part begins where the octets before it differ.
                let begins =
                    |at: &usize| offset == 0 || *at == 0 || octets[offset - 1] != self.text[at - 1];
                for at in places.filter(begins) {
                    if parts.len() == PARTS {
                        return parts;
                    }
                    let start = (piece, offset);
                    let (size, end) = run(pieces, start, &self.text[at..], &mut attempts);
                    parts.push(Part {
                        start,
                        end,
                        at,
                        size,
                    });
                }
            }
        }
        parts
    }
}

/// The octets before a part that are the end of a placeholder's value.
fn value_before(pieces: &[Piece], part: &Part) -> usize {
    match part.start.0.checked_sub(1).map(|before| &pieces[before]) {
        // A long text before a few letters is not only the value.
        Some(Piece::Any(value)) if part.start.1 == 0 && part.at <= value.most => {
            part.at.min(part.size.letters)
        }
        _ => 0,
    }
}

/// The overlap of a text with a pattern, starting at a place within a literal piece.
fn run(pieces: &[Piece], start: Place, text: &[u8], attempts: &mut u32) -> (Overlap, Place) {
    let mut size = Overlap::default();
    let (mut piece, mut offset) = start;
    while let Some(here) = pieces.get(piece) {
        let rest = &text[size.octets..];
        match here {
            Piece::Literal(literal) => {
                let wanted = &literal.as_bytes()[offset..];
                let same = common(wanted, rest);
                size.letters += same;
                size.octets += same;
                if same < wanted.len() {
                    return (size, (piece, offset + same));
                }
            }
            Piece::Any(value) => {
                size.octets += length(*value, pieces.get(piece + 1), rest, attempts)
            }
        }
        (piece, offset) = (piece + 1, 0);
    }
    (size, (piece, offset))
}

/// The length of a placeholder's value at the start of a text: up to the next literal piece, or to the end of the text.
fn length(value: Value, next: Option<&Piece>, text: &[u8], attempts: &mut u32) -> usize {
    let most = value.length(text);
    let Some(Piece::Literal(next)) = next else {
        return most;
    };
    let next = next.as_bytes();
    let starts = memmem::find_iter(text, &next[..next.len().min(KEY)]);
    let starts = starts
        .skip_while(|at| *at < value.least)
        .take_while(|at| *at <= most);
    let mut best = (0, 0);
    for at in starts {
        let Some(left) = attempts.checked_sub(1) else {
            break;
        };
        *attempts = left;
        let same = common(next, &text[at..]);
        if same > best.0 {
            best = (same, at);
        }
    }
    match best {
        // The text ends within the value.
        (0, _) if text.len() <= most => text.len(),
        (_, at) => at,
    }
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find::canonical::canonical;
    use crate::find::piece::pieces;

    #[track_caller]
    fn overlap(template: &str, text: &str) -> (Overlap, usize) {
        let text = canonical(text);
        let found = Sequences::of(&text).overlap(&pieces(template));
        (found, text.len())
    }

    const TEMPLATE: &str = "[{ip}] The IP address sending this message does not have a PTR record setup. Please visit {id} for more.";

    #[test]
    fn a_part_from_the_middle_covers_its_text() {
        for text in [
            "IP address sending this message does not have a PTR rec",
            "ddress sending this message does not",
            "51.100.7] The IP address sending this mess",
            "have a PTR record setup. Please visit https://isp.example/x",
        ] {
            let (found, length) = overlap(TEMPLATE, text);
            assert_eq!(found.octets, length, "{text}");
        }
    }

    #[test]
    fn a_gap_is_left_out() {
        let (found, length) = overlap(
            TEMPLATE,
            "The IP address send...cord setup. Please visit x for more.",
        );
        assert_eq!(found.octets, length);
        let (found, _) = overlap(TEMPLATE, "The IP address sending nothing");
        assert_eq!(found.letters, canonical("The IP address sending").len());
    }

    #[test]
    fn a_repeated_sentence_is_matched_in_order() {
        let twice = "Please authenticate the sender. Results: {what}. To authenticate the sender visit {id} now, gsmtp";
        let text = "Results: none. To authenticate the sender visit x now, gsmtp";
        let (found, length) = overlap(twice, text);
        assert_eq!(found.octets, length);
    }

    #[test]
    fn other_words_do_not_overlap() {
        let (found, _) = overlap(TEMPLATE, "Your message has no PTR record");
        assert_eq!(found, Overlap::default());
    }
}
