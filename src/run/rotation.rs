//! Random source addresses: each connection has another one, as those of an Exchange 2003 server with several
//! addresses.
//!
//! The kernel takes the source address of a connection from the route to its destination. After each accepted
//! connection, and before its greeting, the route to that exchange gets the next address. The program needs no change,
//! whatever its language and its linking. Connections that begin before the route has changed share an address: two
//! connections within some tens of microseconds.

use std::net::IpAddr;

use rtnetlink::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Layout;
use super::network::{add_address, replace_route};
use crate::error::Error;
use crate::smtp::{Accepted, ClientSource, Identity, Order};

/// Maximum number of pending notices; a greeting waits for its own notice.
const NOTICES: usize = 16;

/// Gives each connection a random source address, until dropped.
#[derive(Debug)]
pub(crate) struct Rotation {
    tasks: [JoinHandle<()>; 2],
}

impl Rotation {
    /// Sets the first source addresses, and changes them with each notice from the returned channel.
    ///
    /// # Errors
    /// The kernel refuses a route.
    pub(crate) async fn start(
        layout: &Layout,
        addresses: Vec<IpAddr>,
        seed: u64,
    ) -> Result<(Self, mpsc::Sender<Accepted>), Error> {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|e| Error::io("cannot open a netlink socket", e))?;
        let connection = tokio::spawn(connection);
        for address in &addresses {
            // A route can only use an IPv6 address that a device has.
            if address.is_ipv6() && !layout.sources.contains(address) {
                add_address(&handle, *address).await?;
            }
        }
        let turns = Turns {
            handle,
            families: [true, false].map(|v4| family(&addresses, v4, seed)),
        };
        for exchange in &layout.exchanges {
            turns.next(*exchange).await?;
        }
        let (sender, mut notices) = mpsc::channel::<Accepted>(NOTICES);
        let following = tokio::spawn(async move {
            while let Some(accepted) = notices.recv().await {
                if let Err(error) = turns.next(accepted.listener.ip().to_canonical()).await {
                    tracing::error!(%error, "cannot change the source address");
                }
            }
        });
        let tasks = [connection, following];
        Ok((Self { tasks }, sender))
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The addresses of one family in random order.
fn family(addresses: &[IpAddr], v4: bool, seed: u64) -> Option<Identity> {
    let addresses: Vec<_> = addresses
        .iter()
        .copied()
        .filter(|a| a.is_ipv4() == v4)
        .collect();
    let order = Order::Random { seed };
    (!addresses.is_empty())
        .then(|| Identity::new(ClientSource::Pool { addresses, order }, Vec::new()))
}

struct Turns {
    handle: Handle,
    families: [Option<Identity>; 2],
}

impl Turns {
    /// Makes the next connection to an exchange use the next address.
    async fn next(&self, exchange: IpAddr) -> Result<(), Error> {
        let [v4, v6] = &self.families;
        let family = if exchange.is_ipv4() { v4 } else { v6 };
        let Some(identity) = family.as_ref().filter(|_| !exchange.is_loopback()) else {
            return Ok(());
        };
        let source = identity.next(exchange).address;
        replace_route(&self.handle, exchange, source).await
    }
}
