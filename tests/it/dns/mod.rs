//! The DNS server over real sockets: transports, faults, transfers, names outside.

mod conflicts;
mod faults;
mod http;
mod outside;
mod resolver;
mod tcp;
mod zone_files;

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use martinet::World;
use martinet::dns::Transport;
use martinet::name::{RecordType, absolute};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Longer than any step of these tests takes.
const TIMEOUT: Duration = Duration::from_secs(10);

async fn world(text: &str) -> World {
    let scenario = martinet::scenario::parse_scenario("test", text).expect("a scenario");
    World::builder()
        .with_scenario(scenario)
        .receiver("fcrdns")
        .start()
        .await
        .expect("a world")
}

/// A scenario with one zone, followed by other tables.
fn zone(more: &str) -> String {
    let text = "mail A 192.0.2.10\nmany A 192.0.2.1\nmany A 192.0.2.2\nlost CNAME www.elsewhere.test.\n@ MX 10 mail";
    format!("title = \"t\"\n[[zone]]\norigin = \"example.test\"\ntext = '''\n{text}\n'''\n{more}\n")
}

fn query(id: u16, name: &str, record_type: RecordType) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(absolute(name).expect("a name"), record_type));
    message.to_vec().expect("a message")
}

async fn ask(server: SocketAddr, name: &str, transport: Transport) -> std::io::Result<Message> {
    let name = absolute(name).expect("a name");
    martinet::dns::client::ask(server, &name, RecordType::A, transport, None, TIMEOUT).await
}

/// RCODE and the data of the answer section.
fn summary(message: &Message) -> String {
    let data: Vec<_> = message.answers.iter().map(|r| r.data.to_string()).collect();
    format!("{:?} {}", message.metadata.response_code, data.join(" "))
        .trim_end()
        .to_owned()
}

async fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).await.expect("a connection");
    stream.set_nodelay(true).expect("an option");
    stream
}

async fn send(stream: &mut TcpStream, queries: &[Vec<u8>]) {
    let framed: Vec<u8> = queries
        .iter()
        .flat_map(|q| [&(q.len() as u16).to_be_bytes()[..], q].concat())
        .collect();
    stream.write_all(&framed).await.expect("sent");
}

async fn receive(stream: &mut TcpStream) -> Message {
    let length = stream.read_u16().await.expect("a length");
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await.expect("a message");
    Message::from_vec(&octets).expect("a message")
}

/// The faults in the journal, in order, once it has this number of queries.
async fn journalled(world: &World, queries: usize) -> Vec<&'static str> {
    let all = |log: &martinet::journal::Log<martinet::journal::DnsQuery>| {
        let entries = log.entries();
        (entries.len() >= queries).then(|| entries.iter().map(|q| q.fault()).collect())
    };
    tokio::time::timeout(TIMEOUT, world.dns_queries().wait(all))
        .await
        .expect("the journal has them")
}

/// Replacing the snapshot under load loses no query: each is answered, from one snapshot or the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_snapshot_loses_no_query() {
    const QUERIES: u16 = 20_000;
    let world = world(&zone("")).await;
    let scenarios: Vec<_> = ["192.0.2.10", "192.0.2.11"]
        .iter()
        .map(|a| {
            martinet::scenario::parse_scenario("t", &zone("").replace("192.0.2.10", a))
                .expect("a scenario")
        })
        .collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(world.dns_addr()).await.expect("connected");
    let mut reply = [0; 512];
    let mut seen = std::collections::BTreeMap::new();
    for id in 0..QUERIES {
        if id % 20 == 0 {
            world.replace_zones(scenarios[usize::from(id / 20 % 2)].zones([127, 0, 0, 1].into()));
        }
        socket
            .send(&query(id, "mail.example.test", RecordType::A))
            .await
            .expect("sent");
        let received = tokio::time::timeout(TIMEOUT, socket.recv(&mut reply))
            .await
            .expect("an answer");
        let message = Message::from_vec(&reply[..received.expect("received")]).expect("a message");
        assert_eq!(message.metadata.id, id);
        *seen.entry(summary(&message)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(world.dns_counts().udp, u64::from(QUERIES));
}

/// Messages that are too short, are responses, or cannot be parsed are counted, and the server continues.
#[tokio::test]
async fn bad_packets_are_counted() {
    let world = world(&zone("")).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(world.dns_addr()).await.expect("connected");
    let good = query(1, "mail.example.test", RecordType::A);
    let mut response = good.clone();
    response[2] |= 0x80;
    let mut none = good.clone();
    none[5] = 0;
    let mut looping = good[..12].to_vec();
    looping.extend([0xc0, 12, 0, 1, 0, 1]);
    for packet in [
        &good[..5],
        &response,
        &[],
        &none,
        &looping,
        &good[..20],
        &good,
    ] {
        socket.send(packet).await.expect("sent");
    }
    let mut reply = [0; 512];
    let mut rcodes = Vec::new();
    for _ in 0..4 {
        let length = tokio::time::timeout(TIMEOUT, socket.recv(&mut reply))
            .await
            .expect("an answer")
            .expect("received");
        rcodes.push(reply[3] & 0x0f);
        assert!(
            reply[3] & 0x0f == 0 || length <= 20,
            "FORMERR is no longer than what it answers"
        );
    }
    assert_eq!(rcodes, [1, 1, 1, 0]);
    let counts = world.dns_counts();
    assert_eq!((counts.udp, counts.ignored, counts.malformed), (7, 3, 3));
}
