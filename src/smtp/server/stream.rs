//! The stream of a session: TCP, or TLS over TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::{Secured, Tls, TlsFault};

/// A fatal alert, handshake_failure (RFC 8446 §6).
const REFUSAL: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];

/// Time and number of octets that are still read after the last reply.
pub(crate) const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1 << 20;
const LINGER_READ_OCTETS: usize = 4 << 10;

/// A connection in clear text or under TLS.
pub(crate) enum MaybeTlsStream {
    Plain(TcpStream),
    Secured(Box<Secured>),
    /// Within a handshake, or after one that failed.
    Gone,
}

impl MaybeTlsStream {
    fn tcp(&self) -> io::Result<&TcpStream> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Secured(stream) => Ok(stream.tcp()),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn set_nodelay(&self) -> io::Result<()> {
        self.tcp()?.set_nodelay(true)
    }

    /// Whether no input is available now.
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Self::Plain(stream) => stream
                .try_read(&mut [0; 1])
                .is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock),
            Self::Secured(_) | Self::Gone => false,
        }
    }

    /// Makes the connection reset when it is dropped.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.tcp()?.set_zero_linger()
    }

    /// Performs the handshake, and returns version and cipher suite.
    pub(crate) async fn secure(&mut self, tls: &Tls) -> io::Result<String> {
        let Self::Plain(mut stream) = std::mem::replace(self, Self::Gone) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if tls.fault() == TlsFault::Refused {
            stream.write_all(REFUSAL).await?;
            stream.shutdown().await?;
            let refused = "the receiver refuses every handshake";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, refused));
        }
        let (stream, suite) = tls.accept(stream).await?;
        *self = Self::Secured(Box::new(stream));
        Ok(suite)
    }
}

impl AsyncRead for MaybeTlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Secured(stream) => Pin::new(stream).poll_read(context, into),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for MaybeTlsStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Secured(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Secured(stream) => Pin::new(stream).poll_flush(context),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secured(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// Closes the sending side and reads what the client still sends: with unread octets the kernel would reset the connection,
/// and the client could lose the last reply.
pub(crate) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    let mut octets = vec![0; LINGER_READ_OCTETS]; // an array would be part of every conversation
    let mut left = LINGER_OCTETS;
    let _ = timeout(LINGER, async {
        stream.shutdown().await?;
        while left > 0 {
            match stream.read(&mut octets).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    })
    .await;
    Ok(())
}
