//! Reply templates as patterns: a placeholder matches every value that it can have.

use super::canonical::{without_enhanced, words};
use super::input::QuotedReply;
use super::overlap::{Overlap, Sequences};
use super::piece::{Piece, letters, pieces};
use crate::policy::Template;

/// Minimum number of letters of a partial match.
const DISTINCTIVE: usize = 12;
/// Number of letters from which a reply that is cut, or has text after it, counts as complete.
const UNIQUE: usize = 24;
/// Minimum number of letters to recognise the beginning of a reply.
const BEGINNING: usize = 5;
/// Maximum number of attempts at placeholders in one comparison.
const ATTEMPTS: u32 = 2_000;

/// A reply template as a pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) code: u16,
    pub(super) enhanced: Option<String>,
    /// The lines of the template.
    pub(super) lines: Vec<String>,
    /// The words, without placeholders.
    pub(super) words: Vec<String>,
    whole: Vec<Piece>,
}

/// The quality of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// Number of letters and digits of the pattern in the text.
    pub(super) letters: usize,
    /// Whether the text is the reply, or certainly a part of it.
    pub(super) literal: bool,
    /// Whether the reply is complete.
    pub(super) whole: bool,
}

impl Pattern {
    pub(super) fn of(template: &Template) -> Self {
        let reply = template.pattern();
        let mut enhanced = None;
        let mut texts = Vec::new();
        for text in reply.texts() {
            let (rest, code) = without_enhanced(text);
            enhanced = enhanced.or(code);
            texts.push(rest.to_owned());
        }
        Self {
            code: reply.code().get(),
            enhanced,
            lines: reply.wire_lines().collect(),
            words: words(&without_placeholders(&texts.join(" "))),
            whole: pieces(&texts.join(" ")),
        }
    }

    /// The text of the pattern with unnamed placeholders, which is equal for equal words.
    pub(super) fn text(&self) -> String {
        let part = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Any(_) => "*".to_owned(),
        };
        self.whole.iter().map(part).collect()
    }

    /// Whether the codes of a text are those of the pattern; a missing enhanced code is ignored.
    pub(super) fn has_codes_of(&self, quoted: &QuotedReply) -> bool {
        let enhanced = match (&self.enhanced, &quoted.enhanced) {
            (Some(expected), Some(found)) => expected == found,
            _ => true,
        };
        enhanced && quoted.code.is_none_or(|code| code == self.code)
    }

    /// The quality of a match of the words; codes are ignored.
    pub(super) fn fit(&self, quoted: &QuotedReply, sequences: &Sequences<'_>) -> Option<Fit> {
        let mut attempts = ATTEMPTS;
        let text = quoted.canonical.as_str();
        if self.letters() == 0 || text.is_empty() {
            return None;
        }
        let Some(hit) = hit(&self.whole, text, 0, &mut attempts) else {
            return self.fit_parts(quoted, sequences);
        };
        let (letters, whole) = (hit.letters, hit.whole);
        let literal = if whole {
            hit.rest == 0
                || letters >= UNIQUE
                || (letters >= DISTINCTIVE && hit.rest <= 2 * letters)
        } else {
            letters >= BEGINNING
        };
        let enough = whole || literal;
        let fit = Fit {
            letters,
            literal,
            whole,
        };
        enough
            .then_some(fit)
            .or_else(|| self.fit_parts(quoted, sequences))
    }

    /// Whether a reply is one of this pattern, with nothing left out or added.
    pub(super) fn is(&self, quoted: &QuotedReply) -> bool {
        let mut attempts = ATTEMPTS;
        let hit = hit(&self.whole, &quoted.canonical, 0, &mut attempts);
        quoted.code == Some(self.code)
            && hit.is_some_and(|hit| hit.whole && (hit.rest == 0 || self.ends_open()))
    }

    fn ends_open(&self) -> bool {
        matches!(self.whole.last(), Some(Piece::Any(_)))
    }

    fn letters(&self) -> usize {
        letters(&self.whole)
    }

    /// The parts of the reply in the text, which can be cut at both ends and in the middle.
    fn fit_parts(&self, quoted: &QuotedReply, sequences: &Sequences<'_>) -> Option<Fit> {
        let Overlap { letters, octets } = sequences.overlap(&self.whole);
        // Few letters of a reply are only sufficient together with its code.
        let distinctive = letters >= UNIQUE || (letters >= DISTINCTIVE && quoted.code.is_some());
        // Most of the text must be from the reply, because several replies can share a sentence.
        let covers = octets * 10 >= quoted.canonical.len() * 8;
        let most = letters >= UNIQUE || letters * 10 >= self.letters() * 8;
        (letters >= DISTINCTIVE && (covers || most)).then_some(Fit {
            letters,
            literal: distinctive && covers,
            whole: false,
        })
    }
}

struct Hit {
    letters: usize,
    /// Octets of the text after the match.
    rest: usize,
    whole: bool,
}

/// Matches pieces from the start of a text on, to the end of the pieces or of the text.
fn hit(pieces: &[Piece], text: &str, letters: usize, attempts: &mut u32) -> Option<Hit> {
    *attempts = attempts.checked_sub(1)?;
    let Some((first, others)) = pieces.split_first() else {
        let rest = text.len();
        return Some(Hit {
            letters,
            rest,
            whole: true,
        });
    };
    match first {
        Piece::Literal(literal) => {
            if let Some(after) = text.strip_prefix(literal.as_str()) {
                return hit(others, after, letters + literal.len(), attempts);
            }
            literal.starts_with(text).then_some(Hit {
                letters: letters + text.len(),
                rest: 0,
                whole: false,
            })
        }
        Piece::Any(value) => {
            let most = value.length(text.as_bytes());
            match others.first() {
                Some(Piece::Literal(next)) => {
                    let mut best: Option<Hit> = None;
                    let starts = text.match_indices(next.as_str()).map(|(at, _)| at);
                    for at in starts
                        .skip_while(|at| *at < value.least)
                        .take_while(|at| *at <= most)
                    {
                        let found = hit(others, &text[at..], letters, attempts);
                        match found {
                            Some(found) if found.whole => return Some(found),
                            Some(found) => best = best.or(Some(found)),
                            None => {}
                        }
                    }
                    // The text may end within the placeholder.
                    let cut = (text.len() <= most && letters >= DISTINCTIVE).then_some(Hit {
                        letters,
                        rest: 0,
                        whole: false,
                    });
                    best.or(cut)
                }
                _ => Some(Hit {
                    letters,
                    rest: text.len() - most,
                    whole: text.len() >= value.least,
                }),
            }
        }
    }
}

fn without_placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        out.push_str(before);
        out.push(' ');
        rest = from.split_once('}').map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fit(template: &[&str], text: &str) -> Option<Fit> {
        let pattern = Pattern::of(&Template::parse(template).expect("a template"));
        let quoted = QuotedReply::of_text(text)
            .into_iter()
            .next()
            .expect("a reply");
        pattern.fit(&quoted, &Sequences::of(&quoted.canonical))
    }

    #[test]
    fn a_placeholder_matches_its_possible_values() {
        let template = [
            "550-5.7.1 no {helo} here",
            "550 5.7.1 [{ip}] is not welcome at {mx}",
        ];
        let whole = fit(
            &template,
            "550-5.7.1 no mail.example.test here\n550 5.7.1 [2001:db8::1] is not welcome at mx.test",
        );
        assert!(whole.is_some_and(|fit| fit.literal && fit.whole));
        let other = fit(&template, "550 5.7.1 no mail.example.test there");
        assert_eq!(other.map(|fit| fit.literal), None);
    }

    #[test]
    fn a_beginning_is_literal_and_a_line_too() {
        let template = [
            "554-mail.test Service not available",
            "554-Bad DNS PTR resource record.",
            "554 See http://x.test?ip={ip}",
        ];
        for text in [
            "554-mail.test Service not avail",
            "554-Bad DNS PTR resource record.",
        ] {
            assert!(fit(&template, text).is_some_and(|fit| fit.literal && !fit.whole));
        }
        let longer = "554 Bad DNS PTR resource record. All else is the text of somebody who says other things";
        assert!(fit(&template, longer).is_none_or(|fit| !fit.literal));
    }

    #[test]
    fn a_short_text_does_not_match_a_long_one() {
        let fit = fit(&["550 Rejected"], "550 Rejected by the policy of this site");
        assert!(!fit.is_some_and(|fit| fit.literal));
    }
}
