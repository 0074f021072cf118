//! What is looked for among sessions and DNS queries, and where one that was found differs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words;
use crate::journal::DnsQuery;
use crate::policy::{Refusal, checks};
use crate::reply::{self, ReplyCode};
use crate::smtp::{SessionRecord, Transaction};
use crate::stage::Stage;
use crate::verdict::{Source, Verdict};

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "http", schema(value_type = String, example = "192.0.2.0/24"))]
pub struct Addresses(IpNet);

impl Addresses {
    /// Whether an address is one of them.
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.0.contains(address)
    }
}

impl Addresses {
    /// The address, where it is only one.
    pub(crate) fn one(&self) -> Option<IpAddr> {
        (self.0.prefix_len() == self.0.max_prefix_len()).then(|| self.0.addr())
    }
}

impl FromStr for Addresses {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let one = text
            .parse::<IpAddr>()
            .map(|a| IpNet::from(a.to_canonical()));
        one.or_else(|_| text.parse()).map(Self).map_err(|_| {
            format!("invalid value {text:?}, expected an address such as 192.0.2.1 or a network such as 192.0.2.0/24")
        })
    }
}

impl From<IpAddr> for Addresses {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One condition that was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Mismatch {
    /// What it is about: a key of the pattern.
    pub field: &'static str,
    /// What was looked for.
    pub expected: String,
    /// What was there.
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

/// Which sessions: every condition that is given has to hold, and none holds for every session.
///
/// ```
/// use martinet::expect::Sessions;
/// let refused = Sessions::rejected().by_rule("iprev").with_code(550).from_client([192, 0, 2, 1]);
/// assert_eq!(refused.to_string(), "sessions with client 192.0.2.1, verdict reject, rule iprev, code 550");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "http", into_params(parameter_in = Query))]
pub struct Sessions {
    /// The client address, or a network that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Addresses>,
    /// The HELO/EHLO argument, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// What the session comes to: `accept` where a message was acknowledged with 2yz and nothing was refused, `defer` or
    /// `reject` by the first refusal, `none` otherwise.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::verdict"
    )]
    pub verdict: Option<Verdict>,
    /// What one of its transactions comes to, by the same definition: a session with one message accepted and one
    /// refused has `verdict=reject`, `transaction=accept` and `transaction=reject`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::verdict"
    )]
    pub transaction: Option<Verdict>,
    /// The rule that refused, the first or a later one: an id of the catalogue (`martinet list checks`). One refusal has
    /// to meet `rule`, `source`, `stage`, `code` and `enhanced` together.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::rule"
    )]
    pub rule: Option<String>,
    /// Who spoke the refusal.
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
    /// The reply code, 200 to 599: of the refusal, or of the reply to the final dot of a transaction.
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
    /// The sender of one of its transactions, in any case; empty for the null reverse-path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// An argument of RCPT, whole and in any case, accepted or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Only connections accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(feature = "http", param(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

impl Sessions {
    /// Every session.
    pub fn any() -> Self {
        Self::default()
    }

    /// Sessions in which a message was acknowledged and nothing refused.
    pub fn accepted() -> Self {
        Self {
            verdict: Some(Verdict::Accept),
            ..Self::default()
        }
    }

    /// Sessions whose first refusal is a 4yz reply.
    pub fn deferred() -> Self {
        Self {
            verdict: Some(Verdict::Defer),
            ..Self::default()
        }
    }

    /// Sessions whose first refusal is a 5yz reply.
    pub fn rejected() -> Self {
        Self {
            verdict: Some(Verdict::Reject),
            ..Self::default()
        }
    }

    /// Only those from this client address.
    #[must_use]
    pub fn from_client(self, address: impl Into<IpAddr>) -> Self {
        Self {
            client: Some(address.into().into()),
            ..self
        }
    }

    /// Only those that said this in HELO or EHLO.
    #[must_use]
    pub fn saying(self, helo: &str) -> Self {
        Self {
            helo: Some(helo.to_owned()),
            ..self
        }
    }

    /// Only those with a transaction that comes to this.
    #[must_use]
    pub fn with_transaction(self, verdict: Verdict) -> Self {
        Self {
            transaction: Some(verdict),
            ..self
        }
    }

    /// Only those that this one refused.
    #[must_use]
    pub fn by_source(self, source: Source) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// Only those that this rule refused.
    ///
    /// # Panics
    /// Where the catalogue has no such rule.
    #[must_use]
    #[track_caller]
    pub fn by_rule(self, rule: &str) -> Self {
        assert!(checks::find(rule).is_some(), "{}", words::no_rule(rule));
        Self {
            rule: Some(rule.to_owned()),
            ..self
        }
    }

    /// Only those refused at this stage.
    #[must_use]
    pub fn at_stage(self, stage: Stage) -> Self {
        Self {
            stage: Some(stage),
            ..self
        }
    }

    /// Only those with this reply code, of a refusal or of the reply to a final dot.
    ///
    /// # Panics
    /// Where the code is not from 200 to 599.
    #[must_use]
    #[track_caller]
    pub fn with_code(self, code: u16) -> Self {
        assert!(ReplyCode::new(code).is_some(), "{}", words::no_code(code));
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Only those with this enhanced status code, of a refusal or of the reply to a final dot.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    #[track_caller]
    pub fn with_enhanced(self, code: &str) -> Self {
        assert!(words::is_enhanced(code), "{}", words::no_enhanced(code));
        Self {
            enhanced: Some(code.to_owned()),
            ..self
        }
    }

    /// Only those that tried this recipient.
    #[must_use]
    pub fn to(self, recipient: &str) -> Self {
        Self {
            recipient: Some(recipient.to_owned()),
            ..self
        }
    }

    /// Only those with a transaction of this sender.
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
        !whether.any
    }

    /// The conditions that a session does not meet.
    pub fn mismatches(&self, record: &SessionRecord) -> Vec<Mismatch> {
        let mut found = Differences::default();
        self.compare(record, &mut found);
        found.list
    }

    fn compare(&self, record: &SessionRecord, found: &mut Differences) {
        found.compare(
            "client",
            &self.client,
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

    /// Whether one refusal, or the reply to one final dot, meets what is said of replies; else where the nearest differs.
    fn compare_replies(&self, record: &SessionRecord, found: &mut Differences) {
        let said = self.rule.is_some()
            || self.source.is_some()
            || self.stage.is_some()
            || self.code.is_some()
            || self.enhanced.is_some();
        if !said || found.whether && found.any {
            return;
        }
        let refusals = record.refusals.iter().map(Said::Refusal);
        let accepted = record
            .transactions
            .iter()
            .filter(|t| t.verdict == Verdict::Accept)
            .map(Said::Accepted);
        let mut nearest: Option<Differences> = None;
        for said in refusals.chain(accepted).chain([Said::Nothing]) {
            let mut differs = Differences {
                whether: found.whether,
                ..Differences::default()
            };
            self.compare_reply(&said, &mut differs);
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

    fn compare_reply(&self, said: &Said<'_>, found: &mut Differences) {
        let refusal = said.refusal();
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
        let code = said.code();
        found.compare(
            "code",
            &self.code,
            |wanted| code == Some(*wanted),
            || code.map_or("none".into(), |code| code.to_string()),
        );
        found.compare(
            "enhanced",
            &self.enhanced,
            |wanted| said.enhanced() == *wanted,
            || some_text(&said.enhanced()),
        );
    }
}

/// A reply that decided something.
enum Said<'a> {
    Refusal(&'a Refusal),
    Accepted(&'a Transaction),
    Nothing,
}

impl Said<'_> {
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

/// Which DNS queries: every condition that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "http", into_params(parameter_in = Query))]
pub struct Queries {
    /// Who asked: an address, or a network that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Addresses>,
    /// The name asked for, in any case, with or without its final dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The type asked for, for example MX.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "words::record_type")]
    pub record_type: Option<String>,
    /// The RCODE answered, for example NXDOMAIN; `none` where no answer was sent.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "words::rcode"
    )]
    pub rcode: Option<String>,
    /// Only queries that came in at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    #[cfg_attr(feature = "http", param(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

impl Queries {
    /// Queries for this name and type.
    pub fn of(name: &str, record_type: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            record_type: Some(record_type.to_owned()),
            ..Self::default()
        }
    }

    /// Whether a query meets every condition.
    pub fn matches(&self, query: &DnsQuery) -> bool {
        let mut whether = Differences::whether();
        self.compare(query, &mut whether);
        !whether.any
    }

    /// The conditions that a query does not meet.
    pub fn mismatches(&self, query: &DnsQuery) -> Vec<Mismatch> {
        let mut found = Differences::default();
        self.compare(query, &mut found);
        found.list
    }

    fn compare(&self, query: &DnsQuery, found: &mut Differences) {
        let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let client = query.client.ip().to_canonical();
        found.compare(
            "client",
            &self.client,
            |net| net.contains(&client),
            || client,
        );
        found.compare(
            "name",
            &self.name,
            |name| bare(name) == bare(&query.name()),
            || some_text(&query.name()),
        );
        found.compare(
            "type",
            &self.record_type,
            |wanted| wanted.eq_ignore_ascii_case(&query.record_type()),
            || query.record_type(),
        );
        found.compare(
            "rcode",
            &self.rcode,
            |wanted| wanted.eq_ignore_ascii_case(&query.rcode()),
            || query.rcode(),
        );
        found.compare(
            "since",
            &self.since,
            |since| query.at >= *since,
            || query.at,
        );
    }
}

impl fmt::Display for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "DNS queries", self)
    }
}

/// Where something differs from a pattern; or only whether it does, which costs no texts.
#[derive(Default)]
pub(super) struct Differences {
    whether: bool,
    any: bool,
    list: Vec<Mismatch>,
}

impl Differences {
    pub(super) fn whether() -> Self {
        Self {
            whether: true,
            ..Self::default()
        }
    }

    /// Whether nothing differs.
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

/// The conditions as words: what is serialised is what was given.
pub(super) fn describe(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    pattern: &impl Serialize,
) -> fmt::Result {
    f.write_str(what)?;
    let Ok(serde_json::Value::Object(given)) = serde_json::to_value(pattern) else {
        return Ok(());
    };
    for (i, (key, value)) in given.iter().enumerate() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        write!(f, "{}{key} {value}", if i == 0 { " with " } else { ", " })?;
    }
    Ok(())
}
