//! A snapshot of a session with assertions.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use super::{Sessions, pictured};
use crate::smtp::SessionRecord;
use crate::stage::Stage;
use crate::verdict::Verdict;

/// A snapshot of a session. It dereferences to [`SessionRecord`], and has assertions.
///
/// A failing assertion panics at the caller's line and prints the whole session.
#[derive(Clone)]
pub struct Session(Arc<SessionRecord>);

impl Session {
    pub(crate) fn new(record: SessionRecord) -> Self {
        Self(Arc::new(record))
    }

    /// Asserts that a message was acknowledged and nothing was refused.
    ///
    /// # Panics
    /// If no message was acknowledged, or a command was refused.
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
    /// If it was not.
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
    /// If it was not.
    #[track_caller]
    pub fn assert_rejected(&self) -> Asserted<'_> {
        self.asserted(Sessions {
            verdict: Some(Verdict::Reject),
            ..Sessions::default()
        })
    }

    /// Begins assertions without one about the verdict.
    pub fn assert_that(&self) -> Asserted<'_> {
        Asserted(self)
    }

    #[track_caller]
    /// The story, with the path of the picture if pictures are enabled: the message of a failing test.
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

/// The story of the session, for failing tests.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story())
    }
}

/// Assertions about one session, which can be chained.
#[derive(Clone, Copy, Debug)]
pub struct Asserted<'a>(&'a Session);

impl Asserted<'_> {
    /// Asserts that this rule refused.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn by_rule(self, rule: &str) -> Self {
        self.met(&Sessions::any().by_rule(rule))
    }

    /// Asserts the decisive reply code.
    ///
    /// # Panics
    /// If the code is another one.
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

    /// Asserts the enhanced status code of the decisive reply, for example `5.7.25`.
    ///
    /// # Panics
    /// If the code is another one.
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

    /// Asserts the stage of the refusal.
    ///
    /// # Panics
    /// If the stage is another one.
    #[track_caller]
    pub fn at_stage(self, stage: Stage) -> Self {
        self.met(&Sessions::any().at_stage(stage))
    }

    /// Asserts the argument of HELO or EHLO.
    ///
    /// # Panics
    /// If the argument is another one.
    #[track_caller]
    pub fn saying(self, helo: &str) -> Self {
        self.met(&Sessions::any().saying(helo))
    }

    /// Asserts the client address.
    ///
    /// # Panics
    /// If the address is another one.
    #[track_caller]
    pub fn from_client(self, address: impl Into<IpAddr>) -> Self {
        self.met(&Sessions::any().from_client(address))
    }

    /// Asserts the envelope sender.
    ///
    /// # Panics
    /// If the sender is another one.
    #[track_caller]
    pub fn by_sender(self, sender: &str) -> Self {
        self.met(&Sessions::any().by_sender(sender))
    }

    /// Asserts that the client tried exactly these recipients, in any order.
    ///
    /// # Panics
    /// If it tried others.
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

    /// Asserts that the text of the decisive reply contains this text.
    ///
    /// # Panics
    /// If it does not.
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

    /// Asserts that the session matches this filter.
    ///
    /// # Panics
    /// If it does not.
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
