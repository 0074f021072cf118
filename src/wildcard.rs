//! Patterns of mailboxes, names and header fields in scenario and receiver files.

/// Whether a text matches a pattern, ignoring case; `*` matches any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else {
        return true;
    };
    for part in middle {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a@b.test", "A@B.test", true),
            ("*@b.test", "x@b.test", true),
            ("*@b.test", "x@c.test", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("ab*ba", "aba", false),
            ("a*a", "a", false),
            ("sales-*", "sales-eu", true),
            ("sales-*", "sale", false),
            ("*-eu", "sales-eu", true),
            ("\u{dc}n\u{ef}t", "\u{fc}n\u{cf}t", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
