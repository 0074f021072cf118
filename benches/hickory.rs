//! hickory-server with one zone file, for `benches/dns.sh`: prints its address and serves until it is killed.
//!
//!     hickory ORIGIN ZONE_FILE

use std::sync::Arc;

use hickory_proto::rr::Name;
use hickory_proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::UdpSocket;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [origin, path] = &arguments[..] else {
        println!("benches/dns.sh runs this with an origin and a zone file");
        return Ok(());
    };
    let origin = Name::from_ascii(origin)?;
    let text = std::fs::read_to_string(path)?;
    let (_, records) = Parser::new(text, None, Some(origin.clone())).parse()?;
    let (kind, transfers) = (ZoneType::Primary, AxfrPolicy::Deny);
    let handler =
        InMemoryZoneHandler::<TokioRuntimeProvider>::new(origin.clone(), records, kind, transfers)?;
    let mut catalog = Catalog::new();
    catalog.upsert(origin.into(), vec![Arc::new(handler)]);
    // One thread, because the other server has one core too.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        println!("{}", socket.local_addr()?);
        let mut server = Server::new(catalog);
        server.register_socket(socket);
        server.block_until_done().await?;
        Ok(())
    })
}
