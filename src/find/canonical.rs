//! The canonical form of a text, for comparison: without the effects of line wrapping, quoting and escaping.

use crate::reply::enhanced_prefix;

/// The letters and digits of a text, in lower case. Line ends, quotation marks, escapes and brackets do not count.
pub(super) fn canonical(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// The words of a text that have a letter, in lower case, without the addresses of web pages.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_link = |token: &&str| token.contains("://") || token.contains("www.");
    let tokens = text.split_whitespace().filter(|token| !is_link(token));
    let words = tokens.flat_map(|token| token.split(|c: char| !c.is_alphanumeric()));
    let kept = words.filter(|word| word.len() > 1 && word.chars().any(char::is_alphabetic));
    kept.map(str::to_lowercase).collect()
}

/// Splits a line into its enhanced status code, if it begins with one, and the rest.
pub(super) fn without_enhanced(line: &str) -> (&str, Option<String>) {
    let line = line.trim_start_matches(['#', ' ']);
    match enhanced_prefix(line) {
        Some((class, code)) => {
            let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
            (
                rest,
                Some(format!("{class}.{}.{}", code.subject, code.detail)),
            )
        }
        None => (line, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_and_quoting_do_not_count() {
        assert_eq!(
            canonical("<a\\\"b\r\n> c> 192.0.2.1"),
            canonical("A\"b c 192.0.2.1")
        );
    }

    #[test]
    fn links_are_not_words() {
        assert_eq!(
            words("No PTR record, see https://example.test/x 554 a1"),
            ["no", "ptr", "record", "see", "a1"]
        );
    }

    #[test]
    fn an_enhanced_code_is_split_off() {
        assert_eq!(
            without_enhanced("5.7.25 [192.0.2.1] No"),
            ("[192.0.2.1] No", Some("5.7.25".to_owned()))
        );
        assert_eq!(
            without_enhanced("192.0.2.1 is no code"),
            ("192.0.2.1 is no code", None)
        );
    }
}
