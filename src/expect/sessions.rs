//! Filters of sessions, and the differences of a session from a filter.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Addresses;
use super::differences::{Differences, Mismatch, describe, listed, some_text};
use super::words;
use crate::policy::{Refusal, checks};
use crate::reply::{self, ReplyCode};
use crate::smtp::{SessionRecord, Transaction};
use crate::stage::Stage;
use crate::verdict::{Source, Verdict};

/// A filter of sessions: every given condition must match. Without conditions it matches every session.
///
/// ```
/// use martinet::expect::Sessions;
/// let refused = Sessions::rejected().by_rule("iprev").with_code(550).from_client([192, 0, 2, 1]);
/// assert_eq!(refused.to_string(), "sessions with client address 192.0.2.1, verdict reject, rule iprev, code 550");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "http", into_params(parameter_in = Query))]
pub struct Sessions {
    /// The client address, or a network that contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_address: Option<Addresses>,
    /// The HELO name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// The name of the receiver that judges the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// The verdict of the session: `accept` after an acknowledged message without a refusal, `defer` or `reject` by the
    /// class of the first refusal, `none` otherwise.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::verdict"
    )]
    pub verdict: Option<Verdict>,
    /// The verdict of one of its transactions, by the same definition: a session with one message accepted and one
    /// refused matches `verdict=reject`, `transaction=accept` and `transaction=reject`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::verdict"
    )]
    pub transaction: Option<Verdict>,
    /// A rule that refused, by its name (`martinet list checks`). `rule`, `source`, `stage`, `code` and `enhanced` must
    /// match the same refusal.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::rule"
    )]
    pub rule: Option<String>,
    /// The source of the refusal.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::source"
    )]
    pub source: Option<Source>,
    /// The stage of the refusal.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::stage"
    )]
    pub stage: Option<Stage>,
    /// The reply code of the refusal, or of the reply to the final dot, 200 to 599.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::code"
    )]
    #[cfg_attr(feature = "http", schema(minimum = 200, maximum = 599))]
    #[cfg_attr(feature = "http", param(minimum = 200, maximum = 599))]
    pub code: Option<u16>,
    /// The enhanced status code of that reply, for example 5.7.25.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::enhanced"
    )]
    #[cfg_attr(feature = "http", schema(pattern = r"^[245]\.\d{1,3}\.\d{1,3}$"))]
    #[cfg_attr(feature = "http", param(pattern = r"^[245]\.\d{1,3}\.\d{1,3}$"))]
    pub enhanced: Option<String>,
    /// The envelope sender of one of its transactions, in any case; empty for the null sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// A recipient in a RCPT command, accepted or not: the whole address, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Only connections accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(feature = "http", param(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

impl Sessions {
    /// Matches every session.
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches sessions in which a message was acknowledged and nothing was refused.
    pub fn accepted() -> Self {
        Self {
            verdict: Some(Verdict::Accept),
            ..Self::default()
        }
    }

    /// Matches sessions whose first refusal is a 4yz reply.
    pub fn deferred() -> Self {
        Self {
            verdict: Some(Verdict::Defer),
            ..Self::default()
        }
    }

    /// Matches sessions whose first refusal is a 5yz reply.
    pub fn rejected() -> Self {
        Self {
            verdict: Some(Verdict::Reject),
            ..Self::default()
        }
    }

    /// Matches only sessions from this client address.
    #[must_use]
    pub fn from_client(self, address: impl Into<IpAddr>) -> Self {
        Self {
            client_address: Some(address.into().into()),
            ..self
        }
    }

    /// Matches only sessions with this HELO name.
    #[must_use]
    pub fn saying(self, helo: &str) -> Self {
        Self {
            helo: Some(helo.to_owned()),
            ..self
        }
    }

    /// Matches only sessions with this receiver.
    #[must_use]
    pub fn at_receiver(self, receiver: &str) -> Self {
        Self {
            receiver: Some(receiver.to_owned()),
            ..self
        }
    }

    /// Matches only sessions with a transaction of this verdict.
    #[must_use]
    pub fn with_transaction(self, verdict: Verdict) -> Self {
        Self {
            transaction: Some(verdict),
            ..self
        }
    }

    /// Matches only sessions with a refusal from this source.
    #[must_use]
    pub fn by_source(self, source: Source) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// Matches only sessions with a refusal by this rule.
    ///
    /// # Panics
    /// If the catalogue has no such rule.
    #[must_use]
    #[track_caller]
    pub fn by_rule(self, rule: &str) -> Self {
        assert!(checks::find(rule).is_some(), "{}", words::no_rule(rule));
        Self {
            rule: Some(rule.to_owned()),
            ..self
        }
    }

    /// Matches only sessions with a refusal at this stage.
    #[must_use]
    pub fn at_stage(self, stage: Stage) -> Self {
        Self {
            stage: Some(stage),
            ..self
        }
    }

    /// Matches only sessions with this reply code, of a refusal or of the reply to a final dot.
    ///
    /// # Panics
    /// If the code is not from 200 to 599.
    #[must_use]
    #[track_caller]
    pub fn with_code(self, code: u16) -> Self {
        assert!(ReplyCode::new(code).is_some(), "{}", words::no_code(code));
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Matches only sessions with this enhanced status code, of a refusal or of the reply to a final dot.
    ///
    /// # Panics
    /// If it is not an enhanced status code.
    #[must_use]
    #[track_caller]
    pub fn with_enhanced(self, code: &str) -> Self {
        assert!(words::is_enhanced(code), "{}", words::no_enhanced(code));
        Self {
            enhanced: Some(code.to_owned()),
            ..self
        }
    }

    /// Matches only sessions that tried this recipient.
    #[must_use]
    pub fn to(self, recipient: &str) -> Self {
        Self {
            recipient: Some(recipient.to_owned()),
            ..self
        }
    }

    /// Matches only sessions with a transaction of this sender.
    #[must_use]
    pub fn by_sender(self, sender: &str) -> Self {
        Self {
            sender: Some(sender.to_owned()),
            ..self
        }
    }

    /// Whether a session meets every condition.
    pub fn matches(&self, record: &SessionRecord) -> bool {
        let mut whether = Differences::whether();
        self.compare(record, &mut whether);
        whether.none()
    }

    /// The conditions that a session does not meet.
    pub(crate) fn mismatches(&self, record: &SessionRecord) -> Vec<Mismatch> {
        let mut found = Differences::default();
        self.compare(record, &mut found);
        found.into_list()
    }

    fn compare(&self, record: &SessionRecord, found: &mut Differences) {
        found.compare(
            "client_address",
            &self.client_address,
            |net| net.contains(&record.client_address),
            || record.client_address,
        );
        found.compare(
            "helo",
            &self.helo,
            |h| h.eq_ignore_ascii_case(&record.helo),
            || some_text(&record.helo),
        );
        found.compare(
            "receiver",
            &self.receiver,
            |name| *name == record.receiver,
            || some_text(&record.receiver),
        );
        found.compare(
            "verdict",
            &self.verdict,
            |v| *v == record.verdict,
            || record.verdict,
        );
        let rcpts = &record.recipients;
        let senders = || {
            let mut all = Vec::new();
            record.senders(|sender| all.push(format!("<{sender}>")));
            all.join(", ")
        };
        found.compare(
            "sender",
            &self.sender,
            |wanted| {
                let mut met = false;
                record.senders(|sender| met |= wanted.eq_ignore_ascii_case(sender));
                met
            },
            senders,
        );
        let tried = || listed(rcpts.iter().map(String::as_str));
        found.compare(
            "recipient",
            &self.recipient,
            |to| rcpts.iter().any(|r| r.eq_ignore_ascii_case(to)),
            tried,
        );
        found.compare(
            "since",
            &self.since,
            |since| record.started >= *since,
            || record.started,
        );
        found.compare(
            "transaction",
            &self.transaction,
            |verdict| record.transactions.iter().any(|t| t.verdict == *verdict),
            || listed(record.transactions.iter().map(|t| t.verdict.name())),
        );
        self.compare_replies(record, found);
    }

    /// Whether one refusal, or the reply to one final dot, matches the conditions about replies; otherwise the
    /// differences of the nearest one.
    fn compare_replies(&self, record: &SessionRecord, found: &mut Differences) {
        let judges_replies = self.rule.is_some()
            || self.source.is_some()
            || self.stage.is_some()
            || self.code.is_some()
            || self.enhanced.is_some();
        if !judges_replies || found.whether && found.any {
            return;
        }
        let refusals = record.refusals.iter().map(DecisiveReply::Refusal);
        let accepted = record
            .transactions
            .iter()
            .filter(|t| t.verdict == Verdict::Accept)
            .map(DecisiveReply::Accepted);
        let mut nearest: Option<Differences> = None;
        for reply in refusals.chain(accepted).chain([DecisiveReply::Nothing]) {
            let mut differs = Differences {
                whether: found.whether,
                ..Differences::default()
            };
            self.compare_reply(&reply, &mut differs);
            if !differs.any {
                return;
            }
            if nearest
                .as_ref()
                .is_none_or(|nearest| differs.list.len() < nearest.list.len())
            {
                nearest = Some(differs);
            }
        }
        found.any = true;
        found.list.extend(nearest.into_iter().flat_map(|d| d.list));
    }

    fn compare_reply(&self, reply: &DecisiveReply<'_>, found: &mut Differences) {
        let refusal = reply.refusal();
        let rule = refusal.and_then(Refusal::by_rule).unwrap_or("none");
        found.compare("rule", &self.rule, |wanted| *wanted == rule, || rule);
        let source = refusal.map(|r| r.source);
        found.compare(
            "source",
            &self.source,
            |wanted| source == Some(*wanted),
            || source.map_or("none", Source::name),
        );
        let stage = refusal.map(|r| r.stage);
        found.compare(
            "stage",
            &self.stage,
            |wanted| stage == Some(*wanted),
            || stage.map_or("none", Stage::name),
        );
        let code = reply.code();
        found.compare(
            "code",
            &self.code,
            |wanted| code == Some(*wanted),
            || code.map_or("none".into(), |code| code.to_string()),
        );
        found.compare(
            "enhanced",
            &self.enhanced,
            |wanted| reply.enhanced() == *wanted,
            || some_text(&reply.enhanced()),
        );
    }
}

/// A decisive reply: a refusal, or the reply to a final dot.
enum DecisiveReply<'a> {
    Refusal(&'a Refusal),
    Accepted(&'a Transaction),
    Nothing,
}

impl DecisiveReply<'_> {
    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Refusal(refusal) => Some(refusal.reply.code().get()),
            Self::Accepted(transaction) => reply::code_of(&transaction.reply),
            Self::Nothing => None,
        }
    }

    fn enhanced(&self) -> String {
        match self {
            Self::Refusal(refusal) => refusal.enhanced().unwrap_or_default(),
            Self::Accepted(transaction) => reply::enhanced_of(&transaction.reply),
            Self::Nothing => String::new(),
        }
    }
}

impl fmt::Display for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "sessions", self)
    }
}
