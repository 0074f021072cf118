//! What is looked for among sessions and DNS queries, and where one that was found differs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::journal::DnsQuery;
use crate::smtp::SessionRecord;
use crate::stage::Stage;

/// What a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// Nothing was refused.
    Accept,
    /// The first refusal was a 4yz reply.
    Defer,
    /// The first refusal was a 5yz reply.
    Reject,
}

impl Verdict {
    /// The word used in files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Defer => "defer",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

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
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The rule that refused, the first or a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The stage of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The reply code that decided: of the first refusal, else of the last transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The enhanced status code of that reply, for example 5.7.25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enhanced: Option<String>,
    /// The reverse-path, in any case; empty for the null one.
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

    /// Sessions in which nothing was refused.
    pub fn accepted() -> Self {
        Self {
            verdict: Some(Verdict::Accept),
            ..Self::default()
        }
    }

    /// Sessions refused with 4yz.
    pub fn deferred() -> Self {
        Self {
            verdict: Some(Verdict::Defer),
            ..Self::default()
        }
    }

    /// Sessions refused with 5yz.
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

    /// Only those that this rule refused.
    #[must_use]
    pub fn by_rule(self, rule: &str) -> Self {
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

    /// Only those decided with this reply code.
    #[must_use]
    pub fn with_code(self, code: u16) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Only those decided with this enhanced status code.
    #[must_use]
    pub fn with_enhanced(self, code: &str) -> Self {
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

    /// Only those with this reverse-path.
    #[must_use]
    pub fn by_sender(self, sender: &str) -> Self {
        Self {
            sender: Some(sender.to_owned()),
            ..self
        }
    }

    /// Whether a session meets every condition.
    pub fn matches(&self, record: &SessionRecord) -> bool {
        self.mismatches(record).is_empty()
    }

    /// The conditions that a session does not meet.
    pub fn mismatches(&self, record: &SessionRecord) -> Vec<Mismatch> {
        let mut found = Differences::default();
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
            |v| v.name() == record.verdict,
            || record.verdict,
        );
        let rules = || listed(record.refusals.iter().map(|r| r.rule));
        found.compare(
            "rule",
            &self.rule,
            |rule| record.refusals.iter().any(|r| r.rule == *rule),
            rules,
        );
        let stages = || listed(record.refusals.iter().map(|r| r.stage.name()));
        found.compare(
            "stage",
            &self.stage,
            |stage| record.refusals.iter().any(|r| r.stage == *stage),
            stages,
        );
        let code = record.code();
        found.compare(
            "code",
            &self.code,
            |c| code == Some(*c),
            || code.map_or("none".into(), |c| c.to_string()),
        );
        let enhanced = record.enhanced();
        found.compare(
            "enhanced",
            &self.enhanced,
            |e| *e == enhanced,
            || some_text(&enhanced),
        );
        let (sender, rcpts) = (&record.reverse_path, &record.recipients);
        found.compare(
            "sender",
            &self.sender,
            |s| s.eq_ignore_ascii_case(sender),
            || format!("<{sender}>"),
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
        found.0
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
    pub record_type: Option<String>,
    /// The RCODE answered, for example NXDOMAIN.
    #[serde(skip_serializing_if = "Option::is_none")]
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

    /// The conditions that a query does not meet.
    pub fn mismatches(&self, query: &DnsQuery) -> Vec<Mismatch> {
        let mut found = Differences::default();
        let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let client = query.client.ip().to_canonical();
        found.compare(
            "client",
            &self.client,
            |net| net.contains(&client),
            || client,
        );
        let (asked_name, asked, rcode) = (query.name(), query.record_type(), query.rcode());
        found.compare(
            "name",
            &self.name,
            |name| bare(name) == bare(&asked_name),
            || some_text(&asked_name),
        );
        found.compare(
            "type",
            &self.record_type,
            |t| t.eq_ignore_ascii_case(&asked),
            || asked.clone(),
        );
        found.compare(
            "rcode",
            &self.rcode,
            |r| r.eq_ignore_ascii_case(&rcode),
            || rcode.clone(),
        );
        found.compare(
            "since",
            &self.since,
            |since| query.at >= *since,
            || query.at,
        );
        found.0
    }
}

impl fmt::Display for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "DNS queries", self)
    }
}

#[derive(Default)]
struct Differences(Vec<Mismatch>);

impl Differences {
    fn compare<T: fmt::Display, F: fmt::Display>(
        &mut self,
        field: &'static str,
        wanted: &Option<T>,
        met: impl FnOnce(&T) -> bool,
        found: impl FnOnce() -> F,
    ) {
        if let Some(wanted) = wanted
            && !met(wanted)
        {
            self.0.push(Mismatch {
                field,
                expected: wanted.to_string(),
                found: found().to_string(),
            });
        }
    }
}

fn some_text(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.to_owned()
    }
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<_> = words.collect();
    words.dedup();
    some_text(&words.join(", "))
}

/// The conditions as words: what is serialised is what was given.
fn describe(f: &mut fmt::Formatter<'_>, what: &str, pattern: &impl Serialize) -> fmt::Result {
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
