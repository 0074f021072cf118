//! Sends and receives many datagrams in one system call if the system can do that: system calls are most of the cost of
//! an answer.

use std::io;
use std::net::SocketAddr;

use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The maximum length of a request; longer ones are truncated.
const REQUEST_OCTETS: usize = 4096;
/// Initial number of datagrams in one call: most test servers get one query at a time, and a process can have a
/// thousand servers.
const FEW_DATAGRAMS: usize = 4;
/// Maximum number of datagrams in one call.
const DATAGRAMS: usize = 64;

/// The requested size of the receive buffer, as in NSD, for a server that cannot read in time; in octets.
#[cfg(target_os = "linux")]
const QUEUE_OCTETS: usize = 1 << 20;

/// The received datagrams.
pub(super) struct Received {
    buffers: Vec<u8>,
    /// The length and the sender of each datagram.
    datagrams: Vec<(usize, SocketAddr)>,
}

impl Received {
    /// Creates the buffers, and enlarges the receive buffer of the socket.
    pub(super) fn new(socket: &UdpSocket) -> Self {
        system::widen(socket);
        Self {
            buffers: vec![0; FEW_DATAGRAMS * REQUEST_OCTETS],
            datagrams: Vec::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let datagrams = self.buffers.chunks(REQUEST_OCTETS).zip(&self.datagrams);
        datagrams.map(|(buffer, (length, client))| (&buffer[..*length], *client))
    }

    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Receives the available datagrams; `WouldBlock` if there are none. After a full batch, the batch size grows.
    pub(super) fn fill(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let capacity = self.buffers.len() / REQUEST_OCTETS;
        if self.datagrams.len() == capacity && capacity < DATAGRAMS {
            self.buffers = vec![0; DATAGRAMS * REQUEST_OCTETS];
        }
        self.datagrams.clear();
        socket.try_io(Interest::READABLE, || {
            system::receive(socket, &mut self.buffers, &mut self.datagrams)
        })
    }
}

/// The datagrams to send.
#[derive(Default)]
pub(super) struct Outgoing {
    octets: Vec<u8>,
    /// The end of each datagram, and its receiver.
    datagrams: Vec<(usize, SocketAddr)>,
}

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.datagrams.clear();
    }

    /// Adds a datagram with its first octets replaced by `id`.
    pub(super) fn push(&mut self, id: [u8; 2], octets: &[u8], client: SocketAddr) {
        self.octets.extend(id);
        self.octets
            .extend_from_slice(octets.get(2..).unwrap_or_default());
        self.datagrams.push((self.octets.len(), client));
    }

    /// Sends all datagrams, and waits while the socket's buffer is full. A datagram that cannot be sent is dropped.
    pub(super) async fn send(&self, socket: &UdpSocket) {
        let mut sent = 0;
        while sent < self.datagrams.len() {
            let begin = sent.checked_sub(1).map_or(0, |last| self.datagrams[last].0);
            let (octets, datagrams) = (&self.octets[begin..], &self.datagrams[sent..]);
            match socket.try_io(Interest::WRITABLE, || {
                system::send(socket, begin, octets, datagrams)
            }) {
                Ok(more) => sent += more.max(1),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.writable().await.is_err() {
                        return;
                    }
                }
                // This concerns one client: it is unreachable, or the datagram is too long for its path.
                Err(_) => sent += 1,
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! recvmmsg and sendmmsg.

    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{
        MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
    };
    use tokio::net::UdpSocket;

    use super::{QUEUE_OCTETS, REQUEST_OCTETS};

    /// Enlarges the receive buffer: beyond the system's limit if the process is privileged, otherwise up to the limit.
    pub(super) fn widen(socket: &UdpSocket) {
        let result = setsockopt(socket, sockopt::RcvBufForce, &QUEUE_OCTETS);
        if result
            .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &QUEUE_OCTETS))
            .is_err()
        {
            tracing::debug!("the receive buffer of the DNS socket cannot be enlarged");
        }
    }

    pub(super) fn receive(
        socket: &UdpSocket,
        buffers: &mut [u8],
        datagrams: &mut Vec<(usize, SocketAddr)>,
    ) -> io::Result<()> {
        let mut headers =
            MultiHeaders::<SockaddrStorage>::preallocate(buffers.len() / REQUEST_OCTETS, None);
        let mut slices: Vec<_> = buffers
            .chunks_mut(REQUEST_OCTETS)
            .map(|b| [IoSliceMut::new(b)])
            .collect();
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        datagrams.extend(received.map(|m| {
            (
                m.bytes,
                m.address.as_ref().and_then(address).unwrap_or(unspecified),
            )
        }));
        Ok(())
    }

    fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = storage
            .as_sockaddr_in()
            .map(|a| SocketAddr::from((a.ip(), a.port())));
        v4.or_else(|| {
            storage
                .as_sockaddr_in6()
                .map(|a| std::net::SocketAddrV6::from(*a).into())
        })
    }

    /// Sends the first datagrams. Returns the number sent.
    pub(super) fn send(
        socket: &UdpSocket,
        begin: usize,
        octets: &[u8],
        datagrams: &[(usize, SocketAddr)],
    ) -> io::Result<usize> {
        let mut rest = octets;
        let mut at = begin;
        let mut slices = Vec::with_capacity(datagrams.len());
        for (end, _) in datagrams {
            let (one, after) = rest.split_at(end - at);
            slices.push([IoSlice::new(one)]);
            (rest, at) = (after, *end);
        }
        let clients: Vec<_> = datagrams
            .iter()
            .map(|(_, client)| Some(SockaddrStorage::from(*client)))
            .collect();
        let mut headers = MultiHeaders::preallocate(datagrams.len(), None);
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            &clients,
            [],
            MsgFlags::MSG_DONTWAIT,
        )?;
        Ok(sent.count())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! One datagram in one call.

    use std::io;
    use std::net::SocketAddr;

    use tokio::net::UdpSocket;

    use super::REQUEST_OCTETS;

    /// The receive buffer is unchanged.
    pub(super) fn widen(_: &UdpSocket) {}

    pub(super) fn receive(
        socket: &UdpSocket,
        buffers: &mut [u8],
        datagrams: &mut Vec<(usize, SocketAddr)>,
    ) -> io::Result<()> {
        datagrams.push(socket.try_recv_from(&mut buffers[..REQUEST_OCTETS])?);
        Ok(())
    }

    pub(super) fn send(
        socket: &UdpSocket,
        begin: usize,
        octets: &[u8],
        datagrams: &[(usize, SocketAddr)],
    ) -> io::Result<usize> {
        let (end, client) = datagrams[0];
        socket
            .try_send_to(&octets[..end - begin], client)
            .map(|_| 1)
    }
}
