//! The public records of a world.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Entry;

/// One DNS query that reached the server, and what was answered.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct DnsQuery {
    /// Number of the query in this world, from 1.
    pub id: u64,
    /// When it came in.
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who asked.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub client: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// The name asked for, case as sent; empty where the message held no readable question.
    pub name: String,
    /// The type asked for, for example `PTR`.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The RCODE answered, for example `NXDOMAIN`; `none` where nothing was sent.
    pub rcode: String,
    /// The answer section as zone-file lines.
    pub answers: Vec<String>,
    /// Whether the TC bit was set.
    pub truncated: bool,
    /// The fault that fired, empty where none did.
    pub fault: &'static str,
}

impl DnsQuery {
    /// One line: who asked what, and what was answered.
    pub fn headline(&self) -> String {
        let Self { id, client, transport, name, record_type, rcode, answers, .. } = self;
        format!("query {id} from {client} over {transport}: {name} {record_type}, {rcode}, {} answers", answers.len())
    }
}

impl Entry for DnsQuery {
    fn octets(&self) -> usize {
        size_of::<Self>()
            + self.name.len()
            + self.rcode.len()
            + self.answers.iter().map(|a| a.len() + size_of::<String>()).sum::<usize>()
    }
}

/// The envelope of a transaction (RFC 5321 §2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Envelope {
    /// The argument of MAIL, empty for the null reverse-path.
    pub reverse_path: String,
    /// The arguments of the RCPT commands that were accepted.
    pub forward_paths: Vec<String>,
    /// The parameters of MAIL as they were said, `RET=HDRS`.
    pub parameters: Vec<String>,
    /// The parameters of each accepted RCPT, `NOTIFY=NEVER`.
    pub forward_parameters: Vec<Vec<String>>,
}

impl Envelope {
    /// Roughly the memory it takes beyond its own size.
    pub(crate) fn octets(&self) -> usize {
        let texts = |all: &[String]| all.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let said = self.forward_parameters.iter().map(|all| size_of::<Vec<String>>() + texts(all)).sum::<usize>();
        self.reverse_path.len() + texts(&self.forward_paths) + texts(&self.parameters) + said
    }
}

/// A message that was accepted, as octets.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Number of the message in this world, from 1.
    pub id: u64,
    /// The session that brought it.
    pub session: u64,
    /// When the final dot was answered.
    pub at: Timestamp,
    /// Its envelope.
    pub envelope: Envelope,
    /// The header fields that the receiver wrote above it: Return-Path, Authentication-Results, Received.
    pub trace: String,
    /// The octets between DATA and the final dot, dot-unstuffed, lines ended by CRLF as received.
    #[serde(skip)]
    pub octets: Vec<u8>,
}

impl Message {
    /// The message as a mailbox would hold it: the receiver's fields above what the client sent.
    pub fn raw(&self) -> Vec<u8> {
        [self.trace.as_bytes(), &self.octets].concat()
    }
}

impl Entry for Message {
    fn octets(&self) -> usize {
        size_of::<Self>() + self.trace.len() + self.octets.len() + self.envelope.octets()
    }
}

/// A duration in milliseconds, as JSON shows it.
pub(crate) fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1e3)
}
