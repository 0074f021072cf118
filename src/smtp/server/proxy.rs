//! The PROXY protocol, versions 1 and 2 (specification by HAProxy), with which a proxy gives the address of its client.
//! Without the feature `proxy`, a listener with it is a mistake.

#[cfg(feature = "proxy")]
pub(crate) mod header;

#[cfg(not(feature = "proxy"))]
use std::net::SocketAddr;

#[cfg(not(feature = "proxy"))]
use bytes::BytesMut;
#[cfg(feature = "proxy")]
pub(crate) use header::client;
#[cfg(not(feature = "proxy"))]
use tokio::net::TcpStream;

use crate::error::Error;

/// The use of PROXY headers by a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProxyMode {
    /// No header is expected; a header is a mistake.
    #[default]
    Off,
    /// A header is accepted. A client without one is served after a short wait.
    Optional,
    /// Every connection must begin with a header.
    Required,
}

impl ProxyMode {
    /// The Cargo feature that this mode needs and this build lacks.
    pub(crate) fn missing_feature(self) -> Option<&'static str> {
        (self != Self::Off && !cfg!(feature = "proxy")).then_some("proxy")
    }

    /// Returns an error if this build lacks the PROXY protocol and the mode needs it.
    pub(crate) fn check(self) -> Result<Self, Error> {
        match self.missing_feature() {
            None => Ok(self),
            Some(feature) => Err(Error::other(format!(
                "this build of martinet has no PROXY protocol: it needs the feature `{feature}`"
            ))),
        }
    }
}

/// Reads nothing: without the feature `proxy`, the mode of every listener is [`ProxyMode::Off`].
#[cfg(not(feature = "proxy"))]
pub(crate) async fn client(
    _: &mut TcpStream,
    _: &mut BytesMut,
    _: ProxyMode,
) -> Result<Option<SocketAddr>, String> {
    Ok(None)
}

#[cfg(all(test, not(feature = "proxy")))]
mod tests {
    use super::*;
    use crate::World;

    #[tokio::test]
    async fn a_listener_with_proxy_is_an_error_without_the_feature() {
        let world = World::builder().proxy(ProxyMode::Optional);
        let error = world.start().await.expect_err("no PROXY protocol");
        assert_eq!(
            error.to_string(),
            "this build of martinet has no PROXY protocol: it needs the feature `proxy`"
        );
    }
}
