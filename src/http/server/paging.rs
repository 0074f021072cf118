//! Pages of lists, by cursor: new entries do not shift the pages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::http::server::problem::Problem;
use crate::journal::{Entry, Log};

/// Default number of entries of a page.
const USUAL: usize = 100;
/// Maximum number of entries of a page.
const MOST: usize = 1000;
/// Maximum number of entries read from the log at a time.
const CHUNK: usize = 1024;

/// Reads a limit within its bounds.
fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    match Option::<usize>::deserialize(deserializer)? {
        Some(limit) if !(1..=MOST).contains(&limit) => Err(serde::de::Error::custom(format!(
            "invalid value {limit}, expected a number from 1 to {MOST}"
        ))),
        limit => Ok(limit),
    }
}

/// A number within its bounds.
///
/// # Errors
/// 400 with the bounds, if it is not.
pub(crate) fn within(field: &str, number: u64, least: u64, most: u64) -> Result<u64, Problem> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    let expected = format!("a number from {least} to {most}");
    Err(Problem::mistake(field, &expected, &number.to_string()))
}

/// Parameters that belong to a page, not to a filter.
pub(crate) trait Keys {
    /// Their names.
    const KEYS: &'static [&'static str];
}

/// The page to return.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Only entries with a number greater than this one, oldest first.
    #[param(minimum = 0)]
    pub after: Option<u64>,
    /// Only entries with a number less than this one, newest first. Not allowed with `after`.
    #[param(minimum = 0)]
    pub before: Option<u64>,
    /// The maximum number of entries, 1 to 1000; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(deserialize_with = "limit")]
    pub limit: Option<usize>,
    /// Newest entries first.
    pub newest: bool,
    /// Complete entries, with facts, evidence and transcript.
    pub full: bool,
}

impl Keys for Page {
    const KEYS: &'static [&'static str] = &["after", "before", "limit", "newest", "full"];
}

/// The entries of a page.
pub(crate) struct Found<T> {
    pub entries: Vec<Arc<T>>,
    pub cursor: Cursor,
}

/// Where the next page begins.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Cursor {
    /// The `after` (or `before`) of the following page.
    pub next: u64,
    /// Whether there are more entries now.
    pub more: bool,
    /// Entries that were dropped to stay within the limits.
    pub dropped: u64,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL)
    }

    fn backwards(&self) -> bool {
        self.newest || self.before.is_some()
    }

    /// One page of the entries that `matches`.
    pub(crate) fn of<T: Entry>(
        &self,
        log: &Log<T>,
        id: impl Fn(&T) -> u64,
        matches: impl Fn(&T) -> bool,
    ) -> Found<T> {
        let limit = self.limit();
        let begin = if self.backwards() {
            self.before.unwrap_or(u64::MAX)
        } else {
            self.after.unwrap_or_default()
        };
        let mut next = begin;
        let mut entries = Vec::new();
        let mut more = false;
        'pages: loop {
            let chunk = if self.backwards() {
                log.page_back(next, CHUNK)
            } else {
                log.page(next, CHUNK)
            };
            let last = chunk.len() < CHUNK;
            for entry in chunk {
                if entries.len() == limit {
                    more = true;
                    break 'pages;
                }
                next = id(&entry);
                if matches(&entry) {
                    entries.push(entry);
                }
            }
            if last {
                break;
            }
        }
        // A page of the newest entries of an empty log: the next page begins at the end.
        let next = if next == u64::MAX {
            log.last() + 1
        } else {
            next
        };
        Found {
            entries,
            cursor: Cursor {
                next,
                more,
                dropped: log.counts().dropped,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Limits;

    struct Number(u64);

    impl Entry for Number {
        fn octets(&self) -> usize {
            8
        }
    }

    #[track_caller]
    fn check(page: Page, expected: &[u64], next: u64, more: bool) {
        let log = Log::new(Limits {
            entries: 3000,
            octets: usize::MAX,
        });
        for _ in 0..5000 {
            log.append(Number);
        }
        let found = page.of(&log, |n| n.0, |n| n.0 % 1000 == 0);
        let numbers: Vec<_> = found.entries.iter().map(|n| n.0).collect();
        assert_eq!(
            (numbers.as_slice(), found.cursor.next, found.cursor.more),
            (expected, next, more)
        );
        assert_eq!(found.cursor.dropped, 2000);
    }

    #[test]
    fn pages_forwards_and_backwards() {
        let page = Page::default();
        check(page, &[3000, 4000, 5000], 5000, false);
        check(
            Page {
                limit: Some(2),
                ..page
            },
            &[3000, 4000],
            4000,
            true,
        );
        check(
            Page {
                after: Some(4000),
                ..page
            },
            &[5000],
            5000,
            false,
        );
        check(
            Page {
                after: Some(9000),
                ..page
            },
            &[],
            9000,
            false,
        );
        check(
            Page {
                newest: true,
                limit: Some(1),
                ..page
            },
            &[5000],
            5000,
            true,
        );
        check(
            Page {
                before: Some(5000),
                ..page
            },
            &[4000, 3000],
            2001,
            false,
        );
        check(
            Page {
                before: Some(1),
                ..page
            },
            &[],
            1,
            false,
        );
    }
}
