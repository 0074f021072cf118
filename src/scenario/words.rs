//! Suggestions for unknown words.

use super::keys::one_of;

/// Renamed keys and words, with their new names.
const RENAMED: [(&str, &str); 5] = [
    ("hello", "helo"),
    ("hello_addresses", "helo_addresses"),
    ("hello_suffix", "helo_suffix"),
    ("mail_from", "sender"),
    ("rcpt", "recipient"),
];

/// The report of an unknown word.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The nearest known word, if any.
    pub(super) meant: Option<String>,
    pub(super) expected: String,
    pub(super) found: String,
}

/// Describes a word that is not among `words`; `what` is their kind, for example `key`.
pub(super) fn unknown(what: &str, found: &str, words: &[&str]) -> Unknown {
    let renamed = RENAMED.into_iter().find(|(old, _)| *old == found);
    if let Some((_, new)) = renamed.filter(|(_, new)| words.contains(new)) {
        return Unknown {
            meant: Some(new.to_owned()),
            expected: format!("{new:?}"),
            found: format!("{found:?}, which was renamed to {new}"),
        };
    }
    match nearest(found, words) {
        Some(near) => Unknown {
            meant: Some(near.to_owned()),
            expected: format!("a known {what}"),
            found: format!("unknown {what} {found:?}: did you mean {near:?}?"),
        },
        None => Unknown {
            meant: None,
            expected: one_of(words),
            found: format!("unknown {what} {found:?}"),
        },
    }
}

/// The nearest word to a misspelt one, if any is near.
pub(super) fn nearest<'a>(found: &str, words: &[&'a str]) -> Option<&'a str> {
    let found = plain(found);
    let edits = words
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&found, &plain(word)), *word));
    let (edits, word) = edits.min()?;
    // One edit for each three letters, and at most two.
    (edits <= (found.len().max(plain(word).len()) / 3).min(2)).then_some(word)
}

/// A word in lower case without separators.
fn plain(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        for (found, word, near) in [
            ("sorces", "sources", true),
            ("Helo_Addresses", "helo_addresses", true),
            ("helo-addresses", "helo_addresses", true),
            ("titel", "title", true),
            ("recieve", "receiver", true),
            ("ptr-exist", "ptr-exists", true),
            ("adresses", "addresses", true),
            ("chek", "check", true),
            ("stag", "stage", true),
            ("a", "b", false),
            ("from", "to", false),
            ("note", "do", false),
            ("name", "rule", false),
            ("nope", "no-ptr", false),
        ] {
            let expected = near.then_some(word);
            assert_eq!(nearest(found, &[word]), expected, "{found} {word}");
        }
    }

    #[test]
    fn old_names_are_known() {
        let unknown = unknown("key", "hello", &["helo", "help"]);
        assert_eq!(unknown.meant.as_deref(), Some("helo"));
        assert_eq!(unknown.found, "\"hello\", which was renamed to helo");
    }
}
