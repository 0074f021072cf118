//! Tests of answers, octets and faults, with one small world.

mod answers;
mod faults;
mod mutated;
mod wire;

use std::sync::Arc;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};

use super::*;
use crate::name::{self, Name, RecordType};

const ZONE: &str = "
mail      A     192.0.2.10
          AAAA  2001:db8::10
          TXT   \"v=spf1 -all\"
alias     CNAME mail
far       CNAME host.other.test.
lost      CNAME nowhere.elsewhere.test.
loop      CNAME loop2
loop2     CNAME loop
@         MX    10 mail
a.ent     A     192.0.2.11
*.wild    TXT   \"wild\"
host.wild A     192.0.2.12
*.self    CNAME x.self
sub       NS    ns.sub
          DS    1 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.sub    A     192.0.2.53
down      CNAME www.sub
Case      A     192.0.2.13
_s._tcp   SRV   1 2 25 mail
many      A     192.0.2.1
many      A     192.0.2.2
many      A     192.0.2.3
many      A     192.0.2.4
tree      DNAME other.test.
";

fn name(text: &str) -> Name {
    name::absolute(text).expect("a name")
}

fn zone(origin: &str, text: &str) -> Zone {
    Zone::load(text.as_bytes(), &name(origin), 300).expect("a zone")
}

fn zones(faults: Vec<Fault>) -> Zones {
    Zones::new(
        vec![
            zone("example.test", ZONE),
            zone("other.test", "host A 192.0.2.99"),
        ],
        faults,
    )
}

fn fault(name: &str, action: Action) -> Fault {
    Fault::new(name, action).expect("a name")
}

fn request(owner: &str, record_type: RecordType, edns: Option<u16>) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(owner), record_type));
    message.edns = edns.map(|size| {
        let mut edns = Edns::new();
        edns.set_max_payload(size);
        edns
    });
    message.to_vec().expect("a message")
}

fn reply(zones: &Zones, request: &[u8], transport: Transport) -> Message {
    Message::from_vec(&respond(zones, request, transport).octets).expect("a readable reply")
}

/// RCODE, AA, then the answer section, `|`, and the types of the authority section.
fn summary(answer: &Answer) -> String {
    let data = |r: &hickory_proto::rr::Record| format!(" {} {}", r.record_type(), r.data);
    let answers: String = answer.answers.iter().map(data).collect();
    let authority: String = answer
        .authority
        .iter()
        .map(|r| format!(" {}", r.record_type()))
        .collect();
    let aa = if answer.authoritative { " aa" } else { "" };
    format!("{:?}{aa}{answers} |{authority}", answer.rcode)
}

/// Queries `name TYPE`.
fn ask(zones: &Zones, question: &str, transport: Transport) -> Answer {
    let (owner, record_type) = question.split_once(' ').expect("name and type");
    zones.answer(
        &name(owner),
        record_type.parse().expect("a type"),
        transport,
    )
}

/// A snapshot can be shared between threads.
#[test]
fn snapshots_are_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Arc::new(zones(Vec::new())));
}
