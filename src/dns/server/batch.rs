//! Many datagrams a system call, where the system has such calls: they are most of what an answer costs.

use std::io;
use std::net::SocketAddr;

use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest request that is read whole.
const REQUEST_OCTETS: usize = 4096;
/// Datagrams a call at first: most servers of tests are asked one thing at a time, and there may be a thousand of them.
const FEW_DATAGRAMS: usize = 4;
/// Most datagrams a call.
const DATAGRAMS: usize = 64;

/// What the system is asked to keep for a server that does not get to read: as much as NSD asks for, in octets.
#[cfg(target_os = "linux")]
const QUEUE_OCTETS: usize = 1 << 20;

/// Datagrams as they came in.
pub(super) struct Received {
    buffers: Vec<u8>,
    /// Length and sender of each.
    datagrams: Vec<(usize, SocketAddr)>,
}

impl Received {
    /// Makes room for a socket's datagrams, in its queue too.
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

    /// Takes what is there; `WouldBlock` where that is nothing. Where all room was taken, there is more from then on.
    pub(super) fn fill(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let room = self.buffers.len() / REQUEST_OCTETS;
        if self.datagrams.len() == room && room < DATAGRAMS {
            self.buffers = vec![0; DATAGRAMS * REQUEST_OCTETS];
        }
        self.datagrams.clear();
        socket.try_io(Interest::READABLE, || {
            system::receive(socket, &mut self.buffers, &mut self.datagrams)
        })
    }
}

/// Datagrams to be sent.
#[derive(Default)]
pub(super) struct Outgoing {
    octets: Vec<u8>,
    /// Where each ends, and whose it is.
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

    /// Adds a datagram whose first octets are `id` in place of its own.
    pub(super) fn push(&mut self, id: [u8; 2], octets: &[u8], client: SocketAddr) {
        self.octets.extend(id);
        self.octets
            .extend_from_slice(octets.get(2..).unwrap_or_default());
        self.datagrams.push((self.octets.len(), client));
    }

    /// Sends all of them, waiting where the socket's buffer is full. One that cannot be sent is left out.
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
                // Of one client: unreachable, or a datagram that is too long for its path.
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

    /// Asks for a longer queue: past the system's limit where the process may, else up to it.
    pub(super) fn widen(socket: &UdpSocket) {
        let forced = setsockopt(socket, sockopt::RcvBufForce, &QUEUE_OCTETS);
        if forced
            .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &QUEUE_OCTETS))
            .is_err()
        {
            tracing::debug!("the queue of the DNS socket keeps its length");
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
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        datagrams.extend(received.map(|m| {
            (
                m.bytes,
                m.address.as_ref().and_then(address).unwrap_or(nobody),
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

    /// Sends from the front; how many were taken.
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
    //! One datagram a call.

    use std::io;
    use std::net::SocketAddr;

    use tokio::net::UdpSocket;

    use super::REQUEST_OCTETS;

    /// The queue keeps its length.
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
