//! One log of everything that happens in a world, in order: enough to explain any refusal afterwards.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{DnsQuery, Entry};
use crate::lookup::LookupRecord;
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
    /// What happened.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// A DNS query reached the server, and was answered.
    DnsQuery {
        /// The query and its answer.
        query: Arc<DnsQuery>,
    },
    /// A fault fired.
    Fault {
        /// The number of the DNS query it met.
        query: u64,
        /// The word of the fault.
        fault: &'static str,
        /// The name asked for.
        name: String,
        /// The type asked for.
        #[serde(rename = "type")]
        record_type: String,
    },
    /// A client connected.
    Connection {
        /// The socket's peer.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        peer: SocketAddr,
        /// The address it is judged by.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        client_address: IpAddr,
    },
    /// The client said a line, or sent so many octets of data.
    Command {
        /// The line.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        text: Arc<str>,
    },
    /// The receiver replied with a line.
    Reply {
        /// The line.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        text: Arc<str>,
    },
    /// The receiver asked DNS.
    Lookup(Arc<LookupRecord>),
    /// Facts were observed.
    Facts {
        /// The facts, each as a word and its value; those not asked for are left out.
        facts: Vec<(&'static str, String)>,
    },
    /// The session is under TLS now.
    Secured {
        /// Version and cipher suite.
        suite: String,
    },
    /// A script of the receiver spoke, or a recipient whose name asks for something.
    Scripted {
        /// Which.
        what: String,
    },
    /// An allow entry let the client pass.
    Allowed {
        /// Why.
        reason: String,
    },
    /// Something was refused.
    Verdict {
        /// `defer` or `reject`.
        verdict: Verdict,
        /// Who refused.
        source: Source,
        /// The rule; left out where no rule refused.
        #[serde(skip_serializing_if = "str::is_empty")]
        rule: &'static str,
        /// The stage at which it was spoken.
        stage: Stage,
        /// The reply, as wire lines.
        reply: Vec<String>,
        /// Which demand was not met.
        why: String,
        /// What would cure it.
        #[cfg_attr(feature = "http", schema(schema_with = remedies_schema))]
        remedies: LateJson,
    },
    /// A message was accepted.
    Message {
        /// Its number.
        message: u64,
        /// Its reverse-path, empty for the null one.
        sender: String,
        /// Its forward-paths.
        recipients: Vec<String>,
        /// Octets of the message as sent.
        octets: usize,
    },
    /// A session ended.
    Closed {
        /// What ended it.
        closed_by: ClosedBy,
        /// The reason where the session did not end in order; left out otherwise.
        #[serde(skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A listener could not accept a connection: the first time, and then at most once a second.
    AcceptFailed {
        /// The listener.
        #[cfg_attr(feature = "http", schema(value_type = String))]
        listener: SocketAddr,
        /// What the operating system says.
        reason: String,
        /// How many times it failed since the last such event.
        failures: u64,
    },
    /// The world was changed.
    Changed {
        /// What: `zones`, `faults`, `receiver`, `scenario`, `client`, `clock`, `reset`.
        what: &'static str,
        /// To what.
        detail: String,
    },
}

/// A value of another module that becomes JSON when somebody reads the event, because it costs time to make.
#[derive(Clone)]
pub struct LateJson(Arc<dyn Fn() -> serde_json::Value + Send + Sync>);

impl LateJson {
    /// The value that `make` returns at each reading.
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

/// The schema of remedies belongs to the module that makes them.
#[cfg(feature = "http")]
fn remedies_schema() -> utoipa::openapi::Ref {
    utoipa::openapi::Ref::from_schema_name("Remedies")
}

impl EventKind {
    /// The word of every kind.
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

    /// The word for it, as in JSON.
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
            Self::Facts { facts } => facts.iter().map(|(_, value)| value.len() + 40).sum(),
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
