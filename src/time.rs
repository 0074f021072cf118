//! Times as written in files, requests and on the command line: `500ms`, `5s`, `2m`, `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time: a number and `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// A time in a request. An invalid text is kept, so that it is reported together with other mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrittenTime {
    /// A time.
    Time(Duration),
    /// A text that is not a time.
    Unreadable(String),
}

impl WrittenTime {
    /// The time; zero if the text is not a time.
    pub(crate) fn time(&self) -> Duration {
        match self {
            Self::Time(time) => *time,
            Self::Unreadable(_) => Duration::ZERO,
        }
    }
}

impl From<Duration> for WrittenTime {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl Serialize for WrittenTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Time(time) => serializer.collect_str(&format_args!("{}ms", time.as_millis())),
            Self::Unreadable(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(duration(&text).map_or(Self::Unreadable(text), Self::Time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        for bad in ["", "5", "s", "5 s", "-1s", "99999999999999999999s", "5d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_time_is_kept() {
        let read = |text: &str| serde_json::from_str::<WrittenTime>(text).expect("a string");
        assert_eq!(read("\"2m\""), WrittenTime::Time(Duration::from_secs(120)));
        assert_eq!(read("\"soon\""), WrittenTime::Unreadable("soon".to_owned()));
        let written = serde_json::to_string(&read("\"3s\"")).expect("JSON");
        assert_eq!(written, "\"3000ms\"");
    }
}
