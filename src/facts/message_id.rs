//! Message identifiers (RFC 5322 §3.6.4).

/// Exactly one `msg-id` of RFC 5322 §3.6.4.
pub(super) fn is_message_id(text: &str) -> bool {
    let inner = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'));
    let Some((left, right)) = inner.and_then(|inner| inner.split_once('@')) else {
        return false;
    };
    let quoted = left.len() > 2 && left.starts_with('"') && left.ends_with('"');
    let literal = right.len() > 2 && right.starts_with('[') && right.ends_with(']');
    let plain = |text: &str| !text.contains(['<', '>', ' ', '\t', '@']);
    (quoted || is_dot_atom(left)) && (literal || is_dot_atom(right)) && plain(right)
}

/// `dot-atom-text` of RFC 5322 §3.2.3.
pub(super) fn is_dot_atom(text: &str) -> bool {
    let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    !text.is_empty()
        && text
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5322_3_6_4_message_ids() {
        for (text, expected) in [
            ("<a.b@x.test>", true),
            ("<\"a b\"@x.test>", true),
            ("<a@[192.0.2.1]>", true),
            ("<a..b@x.test>", false),
            ("<abc.@x.test>", false),
            ("<\"ab@x.test>", false),
            ("<ab\"@x.test>", false),
            ("<a@[192.0.2.1>", false),
            ("<a@x..test>", false),
            ("<a@x.test", false),
            ("a@x.test", false),
        ] {
            assert_eq!(is_message_id(text), expected, "{text}");
        }
    }
}
