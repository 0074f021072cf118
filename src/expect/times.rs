//! The expected number of matches.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An expected number of matches: a range, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Times {
    /// The minimum number of matches.
    #[serde(default)]
    pub least: u64,
    /// The maximum number of matches; no maximum if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
}

/// At least one match.
impl Default for Times {
    fn default() -> Self {
        Self {
            least: 1,
            most: None,
        }
    }
}

impl Times {
    /// Exactly this number of matches.
    pub(crate) const fn exactly(times: u64) -> Self {
        Self {
            least: times,
            most: Some(times),
        }
    }

    /// Whether a count is in the range.
    pub(crate) fn holds(self, count: u64) -> bool {
        count >= self.least && self.most.is_none_or(|most| count <= most)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (0, None) => f.write_str("any number of times"),
            (0, Some(0)) => f.write_str("never"),
            (1, Some(1)) => f.write_str("once"),
            (least, Some(most)) if least == most => write!(f, "{least} times"),
            (0, Some(most)) => write!(f, "at most {most} times"),
            (1, None) => f.write_str("at least once"),
            (least, None) => write!(f, "at least {least} times"),
            (least, Some(most)) => write!(f, "{least} to {most} times"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(times: Times, text: &str, held: &[u64], not_held: &[u64]) {
        assert_eq!(times.to_string(), text);
        assert!(held.iter().all(|count| times.holds(*count)));
        assert!(!not_held.iter().any(|count| times.holds(*count)));
    }

    #[test]
    fn words_and_bounds() {
        check(Times::default(), "at least once", &[1, 9], &[0]);
        check(Times::exactly(0), "never", &[0], &[1]);
        check(Times::exactly(1), "once", &[1], &[0, 2]);
        check(Times::exactly(3), "3 times", &[3], &[2, 4]);
        check(
            Times {
                least: 0,
                most: Some(2),
            },
            "at most 2 times",
            &[0, 2],
            &[3],
        );
        check(
            Times {
                least: 2,
                most: None,
            },
            "at least 2 times",
            &[2, 9],
            &[1],
        );
        check(
            Times {
                least: 2,
                most: Some(3),
            },
            "2 to 3 times",
            &[2, 3],
            &[1, 4],
        );
    }
}
