//! hickory-server, a dev-dependency, in this process: an authority that is available on every machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use hickory_proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

use crate::zones::Zone;

/// The name of the server in reports.
pub const NAME: &str = "hickory-server";
/// The TTL of all records, as in [`crate::zones::write`].
const TTL: u32 = 300;
/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(5);
/// Maximum number of responses that a TCP connection may have waiting.
const MAX_WAITING_RESPONSES: usize = 16;

/// Serves the zones on a port of loopback until the server is dropped.
pub async fn start(zones: &[Zone]) -> (SocketAddr, Server<Catalog>) {
    let mut catalog = Catalog::new();
    for zone in zones {
        let origin = Name::from_ascii(&zone.origin).expect("an origin");
        let handler = Arc::new(loaded(zone, &origin));
        catalog.upsert(origin.into(), vec![handler]);
    }
    let mut server = Server::new(catalog);
    let (udp, tcp) = bound().await;
    let address = udp.local_addr().expect("an address");
    server.register_socket(udp);
    server.register_listener(tcp, IDLE, MAX_WAITING_RESPONSES);
    (address, server)
}

/// A port that is free over UDP and TCP.
async fn bound() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = udp.local_addr().expect("an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
}

fn loaded(zone: &Zone, origin: &Name) -> InMemoryZoneHandler {
    let (kind, transfers) = (ZoneType::Primary, AxfrPolicy::Deny);
    let mut handler =
        InMemoryZoneHandler::<TokioRuntimeProvider>::empty(origin.clone(), kind, transfers);
    for (owner, lines) in &zone.nodes {
        for line in lines {
            let taken = handler.upsert_mut(record(owner, line), 1);
            assert!(taken, "{owner} {line}");
        }
    }
    handler
}

/// A line of a zone as a record. hickory-proto cannot parse DNAME, DS without its DNSSEC feature, or unknown types (RFC
/// 3597): their data is octets.
fn record(owner: &str, line: &str) -> Record {
    let name = Name::from_ascii(owner).expect("an owner");
    let (kind, text) = line.split_once(' ').expect("a type and data");
    let (code, octets) = match kind {
        "DNAME" => (
            39,
            Name::from_ascii(text)
                .expect("a name")
                .to_bytes()
                .expect("octets"),
        ),
        "DS" => (43, delegation_signer(text)),
        "TYPE65280" => (
            65_280,
            hexadecimal(text.rsplit(' ').next().unwrap_or_default()),
        ),
        _ => return parsed(&format!("{owner} {TTL} IN {line}\n")),
    };
    let (code, rdata) = (RecordType::from(code), NULL::with(octets));
    Record::from_rdata(name, TTL, RData::Unknown { code, rdata })
}

fn parsed(line: &str) -> Record {
    let parser = Parser::new(line, None, Some(Name::root()));
    let (_, sets) = parser
        .parse()
        .unwrap_or_else(|error| panic!("{line} {error}"));
    let set = sets.into_values().next().expect("one set");
    set.records_without_rrsigs()
        .next()
        .expect("one record")
        .clone()
}

/// Key tag, algorithm, digest type and digest (RFC 4034 §5.1).
fn delegation_signer(text: &str) -> Vec<u8> {
    let parts: Vec<_> = text.split(' ').collect();
    let tag: u16 = parts[0].parse().expect("a key tag");
    let mut octets = tag.to_be_bytes().to_vec();
    octets.extend(
        parts[1..3]
            .iter()
            .map(|part| part.parse::<u8>().expect("an octet")),
    );
    octets.extend(hexadecimal(parts[3]));
    octets
}

fn hexadecimal(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("an octet")
        })
        .collect()
}
