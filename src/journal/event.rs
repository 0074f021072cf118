//! The event log of a world.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{DnsQuery, Entry};
use crate::lookup::LookupRecord;
use crate::name::{self, Name};
use crate::stage::Stage;
use crate::verdict::{ClosedBy, Source, Verdict};

/// One event.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Event {
    /// The number of the event in this world, from 1.
    pub id: u64,
    /// The time of the event. An event that a client causes is recorded after its reply is sent.
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The number of the session; 0 without a session.
    pub session: u64,
    /// The event.
    #[serde(flatten)]
    pub what: EventKind,
}

/// The kind of an event, with its data.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// The DNS server answered a query.
    DnsQuery {
        /// The query and its answer.
        query: Arc<DnsQuery>,
    },
    /// A DNS fault took effect.
    Fault {
        /// The number of the DNS query.
        query: u64,
        /// The kind of the fault.
        fault: &'static str,
        /// The query name.
        name: String,
        /// The query type.
        #[serde(rename = "type")]
        record_type: String,
    },
    /// A client connected.
    Connection {
        /// The address and port of the connection.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        peer: SocketAddr,
        /// The client address that the rules use.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        client_address: IpAddr,
    },
    /// The client sent a line, or data.
    Command {
        /// The line.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        text: Arc<str>,
    },
    /// The receiver sent a line of a reply.
    Reply {
        /// The line.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        text: Arc<str>,
    },
    /// The receiver made a DNS lookup.
    Lookup(Arc<LookupRecord>),
    /// Facts were observed.
    Facts {
        /// The facts, each as a name and a value; those that no rule needs are absent.
        #[cfg_attr(feature = "http", schema(value_type = Vec<(String, String)>))]
        facts: Box<ObservedFacts>,
    },
    /// The TLS handshake is complete.
    Secured {
        /// Version and cipher suite.
        suite: String,
    },
    /// A script took effect, or a recipient whose name asks for a reply.
    Scripted {
        /// The name or description.
        what: String,
    },
    /// An allow entry bypassed rules for the client.
    Allowed {
        /// The reason.
        reason: String,
    },
    /// A command or a message was refused.
    Verdict {
        /// `defer` or `reject`.
        verdict: Verdict,
        /// The source of the refusal.
        source: Source,
        /// The rule; absent if no rule refused.
        #[serde(skip_serializing_if = "str::is_empty")]
        rule: &'static str,
        /// The stage of the refusal.
        stage: Stage,
        /// The reply, line by line.
        reply: Vec<String>,
        /// The reason, in one sentence.
        why: String,
        /// The remedies.
        #[cfg_attr(feature = "http", schema(schema_with = remedies_schema))]
        remedies: LateJson,
    },
    /// A message was accepted.
    Message {
        /// The number of the message.
        message: u64,
        /// The envelope sender; empty for the null sender.
        sender: String,
        /// The envelope recipients.
        recipients: Vec<String>,
        /// The size of the message as sent, in octets.
        octets: usize,
    },
    /// A session ended.
    Closed {
        /// What ended the session.
        closed_by: ClosedBy,
        /// The reason, if the session did not end in order; otherwise absent.
        #[serde(skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A listener of the SMTP or DNS server could not accept a connection. There is at most one such event per second.
    AcceptFailed {
        /// The listener.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        listener: SocketAddr,
        /// The error of the operating system.
        reason: String,
        /// The number of failures since the last such event.
        failures: u64,
    },
    /// The world was changed.
    Changed {
        /// The part that was changed: `zones`, `faults`, `receiver`, `scenario`, `client`, `clock`, `reset`.
        what: &'static str,
        /// The new value.
        detail: String,
    },
}

/// The part of the observed facts that an event has; the record of the session has all of them. They become text when a client
/// reads the event.
#[derive(Clone, Debug)]
pub struct ObservedFacts {
    /// The client address that the rules use.
    pub(crate) client_address: IpAddr,
    /// The result of the iprev procedure.
    pub(crate) iprev: Option<&'static str>,
    /// The PTR name that leads back to the client address.
    pub(crate) verified_name: Option<Name>,
    /// The HELO argument.
    pub(crate) helo: Option<String>,
    /// SPF of the HELO identity.
    pub(crate) spf_helo: Option<&'static str>,
    /// SPF of the MAIL FROM identity.
    pub(crate) spf_sender: Option<&'static str>,
    /// The envelope sender.
    pub(crate) sender: Option<String>,
    /// The character that ended a line alone.
    pub(crate) bare_newline: Option<&'static str>,
    /// The result of DMARC.
    pub(crate) dmarc: Option<&'static str>,
}

impl ObservedFacts {
    /// The known facts, each as a name and a value.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        [
            (
                "client_address",
                Some(self.client_address.to_string().into()),
            ),
            ("iprev", self.iprev.map(Cow::Borrowed)),
            (
                "verified_name",
                self.verified_name
                    .as_ref()
                    .map(|name| name::display(name).into()),
            ),
            ("helo", self.helo.as_deref().map(Cow::Borrowed)),
            ("spf_helo", self.spf_helo.map(Cow::Borrowed)),
            ("spf_sender", self.spf_sender.map(Cow::Borrowed)),
            ("sender", self.sender.as_deref().map(Cow::Borrowed)),
            ("bare_newline", self.bare_newline.map(Cow::Borrowed)),
            ("dmarc", self.dmarc.map(Cow::Borrowed)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    fn octets(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>() + text(&self.helo) + text(&self.sender)
    }
}

impl Serialize for ObservedFacts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.pairs())
    }
}

/// A value of another module that becomes JSON only when the event is read, because the conversion costs time.
#[derive(Clone)]
pub struct LateJson(Arc<dyn Fn() -> serde_json::Value + Send + Sync>);

impl LateJson {
    /// Creates a value that `make` returns at each reading.
    pub fn new(make: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl Serialize for LateJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0)().serialize(serializer)
    }
}

impl std::fmt::Debug for LateJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LateJson")
    }
}

/// The schema of remedies is defined by the module that creates them.
#[cfg(feature = "http")]
fn remedies_schema() -> utoipa::openapi::Ref {
    utoipa::openapi::Ref::from_schema_name("Remedies")
}

impl Event {
    /// The event of a listener that could not accept connections.
    pub(crate) fn accept_failed(
        id: u64,
        listener: std::io::Result<SocketAddr>,
        error: &std::io::Error,
        failures: u64,
    ) -> Self {
        Self {
            id,
            at: Timestamp::now(),
            session: 0,
            what: EventKind::AcceptFailed {
                listener: listener.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))),
                reason: error.to_string(),
                failures,
            },
        }
    }
}

impl EventKind {
    /// The words of all kinds.
    pub const NAMES: [&'static str; 15] = [
        "dns-query",
        "fault",
        "connection",
        "command",
        "reply",
        "lookup",
        "facts",
        "secured",
        "scripted",
        "allowed",
        "verdict",
        "message",
        "closed",
        "accept-failed",
        "changed",
    ];

    /// The word of the kind, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DnsQuery { .. } => "dns-query",
            Self::Fault { .. } => "fault",
            Self::Connection { .. } => "connection",
            Self::Command { .. } => "command",
            Self::Reply { .. } => "reply",
            Self::Lookup(_) => "lookup",
            Self::Facts { .. } => "facts",
            Self::Secured { .. } => "secured",
            Self::Scripted { .. } => "scripted",
            Self::Allowed { .. } => "allowed",
            Self::Verdict { .. } => "verdict",
            Self::Message { .. } => "message",
            Self::Closed { .. } => "closed",
            Self::AcceptFailed { .. } => "accept-failed",
            Self::Changed { .. } => "changed",
        }
    }

    pub(crate) fn octets(&self) -> usize {
        let texts = |all: &[String]| {
            all.iter()
                .map(|text| text.len() + size_of::<String>())
                .sum::<usize>()
        };
        match self {
            Self::DnsQuery { query } => query.octets(),
            Self::Fault {
                name, record_type, ..
            } => name.len() + record_type.len(),
            Self::Command { text } | Self::Reply { text } => text.len(),
            Self::Allowed { reason: text }
            | Self::Secured { suite: text }
            | Self::Scripted { what: text } => text.len(),
            Self::Lookup(question) => question.octets(),
            Self::Facts { facts } => facts.octets(),
            Self::Verdict { reply, why, .. } => texts(reply) + why.len(),
            Self::Message {
                sender, recipients, ..
            } => sender.len() + texts(recipients),
            Self::Changed { detail, .. } => detail.len(),
            Self::Connection { .. } => 0,
            Self::Closed { reason, .. } | Self::AcceptFailed { reason, .. } => reason.len(),
        }
    }
}

impl Entry for Event {
    fn octets(&self) -> usize {
        size_of::<Self>() + self.what.octets()
    }
}
