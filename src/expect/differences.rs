//! The differences between an entry and a filter.

use std::fmt;

use serde::Serialize;

/// A condition that does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Mismatch {
    /// The field: a key of the filter.
    pub field: &'static str,
    /// The expected value.
    pub expected: String,
    /// The value of the entry.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected {} {}, found {}",
            self.field, self.expected, self.found
        )
    }
}

/// Collects differences, or only whether there are any, which needs no texts.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) whether: bool,
    pub(super) any: bool,
    pub(super) list: Vec<Mismatch>,
}

impl Differences {
    pub(super) fn whether() -> Self {
        Self {
            whether: true,
            ..Self::default()
        }
    }

    /// Whether there are no differences.
    pub(super) fn none(&self) -> bool {
        !self.any
    }

    pub(super) fn into_list(self) -> Vec<Mismatch> {
        self.list
    }

    pub(super) fn compare<T: fmt::Display, F: fmt::Display>(
        &mut self,
        field: &'static str,
        wanted: &Option<T>,
        met: impl FnOnce(&T) -> bool,
        found: impl FnOnce() -> F,
    ) {
        if self.whether && self.any {
            return;
        }
        if let Some(wanted) = wanted
            && !met(wanted)
        {
            self.any = true;
            if self.whether {
                return;
            }
            self.list.push(Mismatch {
                field,
                expected: wanted.to_string(),
                found: found().to_string(),
            });
        }
    }
}

pub(super) fn some_text(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.to_owned()
    }
}

pub(super) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<_> = words.collect();
    words.dedup();
    some_text(&words.join(", "))
}

/// The conditions as text: the serialized fields are those that were set.
pub(super) fn describe(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    pattern: &impl Serialize,
) -> fmt::Result {
    f.write_str(what)?;
    let Ok(serde_json::Value::Object(conditions)) = serde_json::to_value(pattern) else {
        return Ok(());
    };
    for (i, (key, value)) in conditions.iter().enumerate() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let key = key.replace('_', " ");
        write!(f, "{}{key} {value}", if i == 0 { " with " } else { ", " })?;
    }
    Ok(())
}
