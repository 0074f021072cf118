//! The public records of a world.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Query;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::lookup::Transport;

/// One DNS query with its answer, as octets. Its text is formatted when it is read, because a busy server records many more
/// queries than anybody reads.
#[derive(Clone, Debug)]
pub struct DnsQuery {
    /// The number of the query in this world, from 1.
    pub id: u64,
    /// The time at which the query was received.
    pub at: Timestamp,
    /// The address and port that asked.
    pub client: SocketAddr,
    /// The transport of the query.
    pub transport: Transport,
    /// The request and the response; the message id can be that of an earlier, equal query.
    pub(crate) exchange: Arc<DnsExchange>,
}

/// A request and its response, as on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsExchange {
    /// The request.
    pub request: Box<[u8]>,
    /// The response; empty if nothing was sent.
    pub response: Box<[u8]>,
    /// The DNS fault that took effect; empty without one.
    pub fault: &'static str,
}

/// Octets of a DNS header (RFC 1035 §4.1.1).
const HEADER: u16 = 12;

impl DnsQuery {
    /// One line with client, query and answer.
    pub(crate) fn headline(&self) -> String {
        let Self {
            id,
            client,
            transport,
            ..
        } = self;
        let (name, record_type, rcode, answers) = (
            self.name(),
            self.record_type(),
            self.rcode(),
            self.answers().len(),
        );
        format!(
            "query {id} from {client} over {transport}: {name} {record_type}, {rcode}, {answers} answers"
        )
    }

    fn question(&self) -> Option<Query> {
        let request = &self.exchange.request;
        let has_one_question = request.get(4..6) == Some(&[0, 1]);
        has_one_question.then(|| Query::read(&mut BinDecoder::new(request).clone(HEADER)).ok())?
    }

    /// The query name, in the case sent; empty if the message has no readable question.
    pub fn name(&self) -> String {
        self.question()
            .map(|q| q.name().to_ascii())
            .unwrap_or_default()
    }

    /// The query type, for example `PTR`; empty if the message has no readable question.
    pub fn record_type(&self) -> String {
        self.question()
            .map(|q| q.query_type().to_string())
            .unwrap_or_default()
    }

    /// The RCODE of the answer, for example `NXDOMAIN`; `none` if no answer was sent.
    pub fn rcode(&self) -> Cow<'static, str> {
        let Some(header) = self.exchange.response.first_chunk::<4>() else {
            return "none".into();
        };
        let known = [
            "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
        ];
        match (self.extended(), usize::from(header[3] & 0x0f)) {
            (0, low) => known
                .get(low)
                .map_or_else(|| format!("RCODE{low}").into(), |word| Cow::Borrowed(*word)),
            (1, 0) => "BADVERS".into(),
            (high, low) => format!("RCODE{}", high << 4 | low).into(),
        }
    }

    /// The upper bits of the RCODE, which are in the OPT record. This server writes it last and without options (RFC
    /// 6891 §6.1.3).
    fn extended(&self) -> usize {
        let opt = self
            .exchange
            .response
            .last_chunk::<11>()
            .filter(|opt| opt[..3] == [0, 0, 41] && opt[9..] == [0, 0]);
        opt.map_or(0, |opt| usize::from(opt[5]))
    }

    /// The answer section as zone-file lines; empty if the response cannot be parsed.
    pub fn answers(&self) -> Vec<String> {
        let message = hickory_proto::op::Message::from_vec(&self.exchange.response);
        message
            .map(|m| m.answers.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    /// Whether the TC bit of the answer is set.
    pub fn truncated(&self) -> bool {
        self.exchange
            .response
            .get(2)
            .is_some_and(|flags| flags & 2 != 0)
    }

    /// The DNS fault that took effect; empty without one.
    pub fn fault(&self) -> &'static str {
        self.exchange.fault
    }
}

/// A query in JSON.
#[derive(Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
struct Shown {
    /// The number of the query in this world, from 1.
    id: u64,
    /// The time at which the query was received.
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    at: Timestamp,
    /// The address that asked.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    client_address: IpAddr,
    /// The port that asked.
    client_port: u16,
    /// The transport of the query.
    transport: Transport,
    /// The query name, in the case sent; empty if the message has no readable question.
    name: String,
    /// The query type, for example `PTR`.
    #[serde(rename = "type")]
    record_type: String,
    /// The RCODE of the answer, for example `NXDOMAIN`; `none` if no answer was sent.
    rcode: Cow<'static, str>,
    /// The answer section in master-file format.
    answers: Vec<String>,
    /// Whether the TC bit of the answer is set.
    truncated: bool,
    /// The DNS fault that took effect; empty without one.
    fault: &'static str,
}

impl Serialize for DnsQuery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            id,
            at,
            client,
            transport,
            ..
        } = *self;
        let (name, record_type, rcode) = (self.name(), self.record_type(), self.rcode());
        let (answers, truncated, fault) = (self.answers(), self.truncated(), self.fault());
        Shown {
            id,
            at,
            client_address: client.ip(),
            client_port: client.port(),
            transport,
            name,
            record_type,
            rcode,
            answers,
            truncated,
            fault,
        }
        .serialize(serializer)
    }
}

#[cfg(feature = "http")]
impl utoipa::PartialSchema for DnsQuery {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Shown::schema()
    }
}

#[cfg(feature = "http")]
impl utoipa::ToSchema for DnsQuery {
    fn name() -> std::borrow::Cow<'static, str> {
        "DnsQuery".into()
    }
}

impl Entry for DnsQuery {
    /// Counts the octets of the exchange, although equal queries share them.
    fn octets(&self) -> usize {
        size_of::<Self>()
            + size_of::<DnsExchange>()
            + self.exchange.request.len()
            + self.exchange.response.len()
    }
}

/// The envelope of a transaction (RFC 5321 §2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Envelope {
    /// The envelope sender: the argument of MAIL; empty for the null sender.
    pub sender: String,
    /// The accepted recipients: the arguments of RCPT commands.
    pub recipients: Vec<String>,
    /// The parameters of MAIL as sent, for example `RET=HDRS`.
    pub parameters: Vec<String>,
    /// The parameters of each accepted RCPT as sent, for example `NOTIFY=NEVER`; empty if none has parameters.
    pub recipient_parameters: Vec<Vec<String>>,
}

impl Envelope {
    /// Adds an accepted recipient. Most have no parameters, and then no list of them is kept.
    pub(crate) fn push_recipient(&mut self, recipient: String, parameters: Vec<String>) {
        if !parameters.is_empty() || !self.recipient_parameters.is_empty() {
            self.recipient_parameters
                .resize_with(self.recipients.len(), Vec::new);
            self.recipient_parameters.push(parameters);
        }
        self.recipients.push(recipient);
    }

    /// The approximate memory that it uses beyond its own size.
    pub(crate) fn octets(&self) -> usize {
        let texts = |all: &[String]| {
            all.iter()
                .map(|text| size_of::<String>() + text.len())
                .sum::<usize>()
        };
        let of_recipients = self
            .recipient_parameters
            .iter()
            .map(|all| size_of::<Vec<String>>() + texts(all))
            .sum::<usize>();
        self.sender.len() + texts(&self.recipients) + texts(&self.parameters) + of_recipients
    }
}

/// An accepted message, as octets.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// The number of the message in this world, from 1.
    pub id: u64,
    /// The number of its session.
    pub session: u64,
    /// The time of the reply to the final dot.
    pub at: Timestamp,
    /// The envelope.
    pub envelope: Arc<Envelope>,
    /// The header fields that the receiver adds above the message: Return-Path, Delivered-To, Authentication-Results,
    /// Received.
    pub trace: String,
    /// The octets between DATA and the final dot, without transparency dots, with CRLF line ends as received.
    #[serde(skip)]
    pub octets: Arc<Vec<u8>>,
}

impl Message {
    /// The message as stored in a mailbox: the header fields of the receiver, then the octets that the client sent.
    pub fn raw(&self) -> Vec<u8> {
        [self.trace.as_bytes(), &self.octets].concat()
    }
}

impl Entry for Message {
    /// Counts the memory of the octets: up to twice their number, because they were received without a size.
    fn octets(&self) -> usize {
        size_of::<Self>() + self.trace.capacity() + self.octets.capacity() + self.envelope.octets()
    }
}

/// A duration in milliseconds, for JSON.
pub(crate) fn millis<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_recipients_are_listed_if_one_has_any() {
        let mut envelope = Envelope::default();
        let notify = vec!["NOTIFY=NEVER".to_owned()];
        envelope.push_recipient("a@contoso.test".to_owned(), Vec::new());
        assert!(envelope.recipient_parameters.is_empty());
        envelope.push_recipient("b@contoso.test".to_owned(), notify.clone());
        envelope.push_recipient("c@contoso.test".to_owned(), Vec::new());
        assert_eq!(envelope.recipient_parameters, [vec![], notify, vec![]]);
        assert_eq!(envelope.recipients.len(), 3);
    }
}
