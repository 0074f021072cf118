//! TLS of a listener, and what may be wrong with it on purpose. Without the feature `tls` a listener that wants it is a
//! mistake.

#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod rustls;

#[cfg(feature = "tls")]
pub(crate) use self::rustls::Secured;
#[cfg(feature = "tls")]
pub use self::rustls::{Authority, Tls};
#[cfg(not(feature = "tls"))]
pub(crate) use disabled::Secured;
#[cfg(not(feature = "tls"))]
pub use disabled::{Authority, Tls};

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is wrong with a listener's TLS, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsFault {
    /// Nothing.
    #[default]
    None,
    /// The certificate has expired.
    Expired,
    /// The certificate is another host's.
    WrongName,
    /// The certificate is signed by nobody but itself.
    SelfSigned,
    /// The handshake is refused with an alert.
    Refused,
}

impl TlsFault {
    /// Every fault by its word.
    pub const ALL: [(&'static str, Self); 5] = [
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
