//! Lookups at a resolver outside of the process. No other module does this.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::Record;
use parking_lot::Mutex;

use crate::facts::{Lookup, ReceiverLookup};
use crate::lookup::{LookupRecord, Outcome};
use crate::name::{self, Name, RecordType};

/// Maximum size of a response over UDP (RFC 9715 §3.1).
const UDP_OCTETS: u16 = 1232;
/// Maximum number of lookups of one capture.
const QUESTIONS: usize = 1_000;
/// Maximum number of CNAMEs that are followed.
const LINKS: usize = 16;

/// A lookup with its answer.
#[derive(Clone, Debug)]
pub(super) struct AnsweredLookup {
    pub(super) lookup: Arc<LookupRecord>,
    /// The answer section, including CNAMEs.
    pub(super) records: Vec<Record>,
}

/// A resolver, queried with RD over UDP, and over TCP if the response is truncated. Each lookup is made once.
#[derive(Debug)]
pub(crate) struct OutsideResolver {
    server: SocketAddr,
    timeout: Duration,
    /// Zones without lookups, which count as empty.
    passed_over: Vec<Name>,
    lookups: Mutex<Lookups>,
}

#[derive(Debug, Default)]
struct Lookups {
    order: Vec<AnsweredLookup>,
    places: HashMap<(Name, RecordType), usize>,
}

impl OutsideResolver {
    /// Makes a resolver with a time limit and with zones without lookups.
    pub(crate) fn new(server: SocketAddr, timeout: Duration, passed_over: Vec<Name>) -> Self {
        Self {
            server,
            timeout,
            passed_over,
            lookups: Mutex::default(),
        }
    }

    /// All lookups so far, in order.
    pub(super) fn lookups(&self) -> Vec<AnsweredLookup> {
        self.lookups.lock().order.clone()
    }

    fn resolve(&self, name: &Name, record_type: RecordType) -> AnsweredLookup {
        let began = Instant::now();
        let result = self.exchange(name, record_type);
        let (outcome, records) = match result {
            Ok(response) => outcome(name, record_type, response),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                (Outcome::ServFail, Vec::new())
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                (Outcome::Refused, Vec::new())
            }
            Err(_) => (Outcome::Timeout, Vec::new()),
        };
        let answers = records
            .iter()
            .filter(|record| record.record_type() == record_type);
        AnsweredLookup {
            lookup: Arc::new(LookupRecord {
                name: name.clone(),
                record_type,
                outcome,
                answers: match outcome {
                    Outcome::Data => answers.map(|record| record.data.clone()).collect(),
                    _ => Vec::new(),
                },
                elapsed: began.elapsed().min(self.timeout),
                fault: "",
            }),
            records,
        }
    }

    fn exchange(&self, name: &Name, record_type: RecordType) -> io::Result<Message> {
        let until = Instant::now() + self.timeout;
        let any = SocketAddr::new(
            match self.server {
                SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
            },
            0,
        );
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.server)?;
        let id = socket.local_addr()?.port() ^ 0x4d54;
        let request = request(id, name, record_type)?;
        socket.send(&request)?;
        let mut octets = vec![0; usize::from(u16::MAX)];
        loop {
            socket.set_read_timeout(Some(left(until)?))?;
            let length = socket.recv(&mut octets)?;
            // A response to another question is not the answer (RFC 5452 §9.1).
            let Some(response) = answer_to(id, name, record_type, &octets[..length])? else {
                continue;
            };
            if !response.metadata.truncation {
                return Ok(response);
            }
            return self.over_tcp(id, name, record_type, &request, until);
        }
    }

    fn over_tcp(
        &self,
        id: u16,
        name: &Name,
        record_type: RecordType,
        request: &[u8],
        until: Instant,
    ) -> io::Result<Message> {
        let mut stream = TcpStream::connect_timeout(&self.server, left(until)?)?;
        stream.set_read_timeout(Some(left(until)?))?;
        stream.set_write_timeout(Some(left(until)?))?;
        let length = u16::try_from(request.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], request].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut octets)?;
        let other = || io::Error::new(io::ErrorKind::InvalidData, "a response to another question");
        answer_to(id, name, record_type, &octets)?.ok_or_else(other)
    }
}

impl ReceiverLookup for OutsideResolver {}

impl Lookup for OutsideResolver {
    fn ask(&self, name: &Name, record_type: RecordType) -> Arc<LookupRecord> {
        let key = (name.to_lowercase(), record_type);
        let mut lookups = self.lookups.lock();
        if let Some(place) = lookups.places.get(&key) {
            return Arc::clone(&lookups.order[*place].lookup);
        }
        let passed_over = self
            .passed_over
            .iter()
            .any(|zone| name::is_within(name, zone));
        if passed_over || lookups.order.len() >= QUESTIONS {
            return Arc::new(LookupRecord {
                name: name.clone(),
                record_type,
                outcome: Outcome::NxDomain,
                answers: Vec::new(),
                elapsed: Duration::ZERO,
                fault: "",
            });
        }
        let answer = self.resolve(name, record_type);
        let lookup = Arc::clone(&answer.lookup);
        let place = lookups.order.len();
        lookups.places.insert(key, place);
        lookups.order.push(answer);
        lookup
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn request(id: u16, name: &Name, record_type: RecordType) -> io::Result<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), record_type));
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_OCTETS);
    message.edns = Some(edns);
    message.to_vec().map_err(io::Error::other)
}

/// The message, if it answers this question.
fn answer_to(
    id: u16,
    name: &Name,
    record_type: RecordType,
    octets: &[u8],
) -> io::Result<Option<Message>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    };
    let message = Message::from_vec(octets).map_err(|error| unreadable(&error))?;
    let has_question = |query: &Query| query.name() == name && query.query_type() == record_type;
    let is_answer = message.metadata.id == id && message.queries.iter().all(has_question);
    Ok(is_answer.then_some(message))
}

/// The outcome of a response, with the records from the name to the data.
fn outcome(name: &Name, record_type: RecordType, response: Message) -> (Outcome, Vec<Record>) {
    let mut records = Vec::new();
    let mut owner = name.clone();
    for _ in 0..LINKS {
        let here = |kind: RecordType| {
            let records = response.answers.iter();
            records
                .filter(|r| r.name == owner && r.record_type() == kind)
                .cloned()
                .collect::<Vec<_>>()
        };
        let data = here(record_type);
        if !data.is_empty() {
            records.extend(data);
            return (Outcome::Data, records);
        }
        let Some(alias) = here(RecordType::CNAME).into_iter().next() else {
            break;
        };
        if let hickory_proto::rr::RData::CNAME(target) = &alias.data {
            owner = target.0.clone();
        }
        records.push(alias);
    }
    let outcome = match response.metadata.response_code {
        ResponseCode::NoError => Outcome::NoData,
        ResponseCode::NXDomain => Outcome::NxDomain,
        ResponseCode::Refused => Outcome::Refused,
        _ => Outcome::ServFail,
    };
    (outcome, records)
}
