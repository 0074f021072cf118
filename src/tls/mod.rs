//! TLS of a listener, with deliberate faults. Without the feature `tls`, a listener with TLS is a mistake.

#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod rustls;

#[cfg(not(feature = "tls"))]
pub use self::disabled::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use self::disabled::{Authority, Secured};
#[cfg(feature = "tls")]
pub use self::rustls::Tls;
#[cfg(feature = "tls")]
pub(crate) use self::rustls::{Authority, Secured};

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A deliberate fault of the TLS of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsFault {
    /// No fault.
    #[default]
    None,
    /// The certificate has expired.
    Expired,
    /// The certificate is for another host.
    WrongName,
    /// The certificate is self-signed.
    SelfSigned,
    /// The handshake is refused with an alert.
    Refused,
}

impl TlsFault {
    /// Every fault.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("expired", Self::Expired),
        ("wrong-name", Self::WrongName),
        ("self-signed", Self::SelfSigned),
        ("refused", Self::Refused),
    ];
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
