//! The syntax of host names.

use crate::name::{LABEL_OCTETS, NAME_OCTETS};

/// The reason why a text is not a host name (RFC 1123 §2.1, RFC 5321 §2.3.5), or `None` if it is one.
///
/// One trailing dot is tolerated; `_` where `underscore` is set.
pub(crate) fn hostname_mistake(text: &str, underscore: bool) -> Option<String> {
    mistake_within(NAME_OCTETS, text, underscore)
}

/// The same for names of at most `octets` octets.
pub(super) fn mistake_within(most: usize, text: &str, underscore: bool) -> Option<String> {
    let body = text.strip_suffix('.').unwrap_or(text);
    if body.is_empty() {
        return Some("the name is empty".into());
    }
    if !body.is_ascii() {
        return Some("the name has octets beyond ASCII".into());
    }
    if body.len() > most {
        return Some(format!(
            "the name has {} octets, more than {most}",
            body.len()
        ));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || (underscore && c == '_');
    for label in body.split('.') {
        if label.is_empty() {
            return Some("the name has an empty label".into());
        }
        if label.len() > LABEL_OCTETS {
            return Some(format!(
                "a label has {} octets, more than {LABEL_OCTETS}",
                label.len()
            ));
        }
        if let Some(c) = label.chars().find(|c| !legal(*c)) {
            return Some(format!("the name has the character {c:?}"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("a label begins or ends with a hyphen".into());
        }
    }
    let numeric = body.chars().all(|c| c.is_ascii_digit() || c == '.');
    numeric.then(|| "the name is all numeric".into())
}
