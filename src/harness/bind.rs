//! Binds sockets: TCP, and UDP with TCP for DNS, on given ports or in a range.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use crate::error::Error;

/// Length of the backlog of connections; the limit of the system applies too.
const BACKLOG: u32 = 4_096;

/// If the port of the address is 0, binds the first free port of a range.
pub(super) async fn in_range<T, F: Future<Output = Result<T, Error>>>(
    mut address: SocketAddr,
    ports: Option<&RangeInclusive<u16>>,
    bind: impl Fn(SocketAddr) -> F,
) -> Result<T, Error> {
    let Some(ports) = ports.filter(|_| address.port() == 0) else {
        return bind(address).await;
    };
    for port in ports.clone() {
        address.set_port(port);
        match bind(address).await {
            Err(error) if error.is_address_in_use() => {}
            other => return other,
        }
    }
    Err(none_free(address, ports))
}

/// Binds a TCP listener; the error names the address.
///
/// # Errors
/// The operating system refuses the address.
pub async fn bind_tcp(what: &str, address: SocketAddr) -> Result<TcpListener, Error> {
    listen_in(what, address, None)
}

/// Binds a TCP listener; if the port of the address is 0, on the first free port of a range.
pub(super) fn listen_in(
    what: &str,
    address: SocketAddr,
    ports: Option<&RangeInclusive<u16>>,
) -> Result<TcpListener, Error> {
    let bind = |address: SocketAddr| {
        listen(address).map_err(|e| Error::io(format!("cannot listen for {what} on {address}"), e))
    };
    let Some(ports) = ports.filter(|_| address.port() == 0) else {
        return bind(address);
    };
    for port in ports.clone() {
        match bind(SocketAddr::new(address.ip(), port)) {
            Err(error) if error.is_address_in_use() => {}
            other => return other,
        }
    }
    Err(none_free(address, ports))
}

/// The address of a listener.
pub(super) fn local_addr(listener: &TcpListener) -> Result<SocketAddr, Error> {
    let address = listener.local_addr();
    address.map_err(|e| Error::io("cannot read a local address", e))
}

fn none_free(address: SocketAddr, ports: &RangeInclusive<u16>) -> Error {
    let (first, last) = (ports.start(), ports.end());
    Error::unexpected(
        format!("a free port from {first} to {last} on {}", address.ip()),
        "none",
    )
}

/// Listens with a long backlog: with the default of 128 entries, the kernel drops connections that clients consider
/// established.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds UDP and TCP on the same port. With port 0, the port of TCP can be in use for UDP; then another port is tried.
pub(crate) async fn bind_dns(address: SocketAddr) -> Result<(UdpSocket, TcpListener), Error> {
    const TRIES: usize = 16;
    for attempt in 1.. {
        let tcp = bind_tcp("DNS over TCP", address).await?;
        let local = tcp
            .local_addr()
            .map_err(|e| Error::io("cannot read a local address", e))?;
        match UdpSocket::bind(local).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(e)
                if e.kind() == io::ErrorKind::AddrInUse
                    && address.port() == 0
                    && attempt < TRIES => {}
            Err(e) => {
                return Err(Error::io(
                    format!("cannot serve DNS over UDP on {local}"),
                    e,
                ));
            }
        }
    }
    unreachable!("the last try returns")
}
