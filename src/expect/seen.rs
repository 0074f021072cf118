//! A session that a test has in hand, and what it asserts of it.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use super::{Sessions, pictured};
use crate::smtp::SessionRecord;
use crate::stage::Stage;
use crate::verdict::Verdict;

/// A session as it stood when it was looked at. It reads like a [`SessionRecord`], and asserts.
///
/// Every assertion that fails panics at the caller's line and prints the whole session.
#[derive(Clone)]
pub struct Session(Arc<SessionRecord>);

impl Session {
    pub(crate) fn new(record: SessionRecord) -> Self {
        Self(Arc::new(record))
    }

    /// Asserts that a message was acknowledged and nothing was refused.
    ///
    /// # Panics
    /// Where no message was, or something was refused.
    #[track_caller]
    pub fn assert_accepted(&self) -> Asserted<'_> {
        self.asserted(Sessions {
            verdict: Some(Verdict::Accept),
            ..Sessions::default()
        })
    }

    /// Asserts that the first refusal was a 4yz reply.
    ///
    /// # Panics
    /// Where it was not.
    #[track_caller]
    pub fn assert_deferred(&self) -> Asserted<'_> {
        self.asserted(Sessions {
            verdict: Some(Verdict::Defer),
            ..Sessions::default()
        })
    }

    /// Asserts that the first refusal was a 5yz reply.
    ///
    /// # Panics
    /// Where it was not.
    #[track_caller]
    pub fn assert_rejected(&self) -> Asserted<'_> {
        self.asserted(Sessions {
            verdict: Some(Verdict::Reject),
            ..Sessions::default()
        })
    }

    /// Asserts nothing yet: what follows does.
    pub fn assert_that(&self) -> Asserted<'_> {
        Asserted(self)
    }

    #[track_caller]
    /// The story, with the path of the picture if one is asked for: what a test says that fails because of the session.
    pub(crate) fn failure(&self) -> String {
        pictured::story(self)
    }

    fn asserted(&self, pattern: Sessions) -> Asserted<'_> {
        Asserted(self).met(&pattern)
    }
}

impl Deref for Session {
    type Target = SessionRecord;
    fn deref(&self) -> &SessionRecord {
        &self.0
    }
}

/// The story of the session: what a failing test should show.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story())
    }
}

/// Assertions about one session, each of which gives the next.
#[derive(Clone, Copy, Debug)]
pub struct Asserted<'a>(&'a Session);

impl Asserted<'_> {
    /// The rule that refused.
    ///
    /// # Panics
    /// Where it did not.
    #[track_caller]
    pub fn by_rule(self, rule: &str) -> Self {
        self.met(&Sessions::any().by_rule(rule))
    }

    /// The reply code that decided.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn with_code(self, code: u16) -> Self {
        let found = self.0.code();
        assert!(
            found == Some(code),
            "expected code {code}, found {}\n{}",
            found.map_or("none".into(), |found| found.to_string()),
            pictured::story(self.0)
        );
        self
    }

    /// The enhanced status code of the reply that decided, for example `5.7.25`.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn with_enhanced(self, code: &str) -> Self {
        let found = self.0.enhanced();
        assert!(
            found == code,
            "expected enhanced {code}, found {}\n{}",
            if found.is_empty() { "none" } else { &found },
            pictured::story(self.0)
        );
        self
    }

    /// The stage of the refusal.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn at_stage(self, stage: Stage) -> Self {
        self.met(&Sessions::any().at_stage(stage))
    }

    /// The HELO/EHLO argument.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn saying(self, helo: &str) -> Self {
        self.met(&Sessions::any().saying(helo))
    }

    /// The client address.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn from_client(self, address: impl Into<IpAddr>) -> Self {
        self.met(&Sessions::any().from_client(address))
    }

    /// The reverse-path.
    ///
    /// # Panics
    /// Where it was another.
    #[track_caller]
    pub fn by_sender(self, sender: &str) -> Self {
        self.met(&Sessions::any().by_sender(sender))
    }

    /// Exactly these recipients were tried, in any order.
    ///
    /// # Panics
    /// Where others were.
    #[track_caller]
    pub fn to<S: AsRef<str>>(self, recipients: &[S]) -> Self {
        let sorted = |mut all: Vec<String>| {
            all.sort();
            all.join(", ")
        };
        let wanted = sorted(
            recipients
                .iter()
                .map(|r| r.as_ref().to_ascii_lowercase())
                .collect(),
        );
        let found = sorted(
            self.0
                .recipients
                .iter()
                .map(|r| r.to_ascii_lowercase())
                .collect(),
        );
        assert!(
            wanted == found,
            "expected recipients {wanted}, found {found}\n{}",
            pictured::story(self.0)
        );
        self
    }

    /// The text of the reply that decided holds this.
    ///
    /// # Panics
    /// Where it does not.
    #[track_caller]
    pub fn with_text(self, part: &str) -> Self {
        let reply = self.0.reply.join("\n");
        assert!(
            reply.contains(part),
            "expected a reply with {part:?}, found {reply:?}\n{}",
            pictured::story(self.0)
        );
        self
    }

    /// Everything the pattern says.
    ///
    /// # Panics
    /// Where the session differs.
    #[track_caller]
    pub fn met(self, pattern: &Sessions) -> Self {
        let mismatches: Vec<_> = pattern
            .mismatches(self.0)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            mismatches.is_empty(),
            "{}\n{}",
            mismatches.join("\n"),
            pictured::story(self.0)
        );
        self
    }
}
