//! Replacements of TLS types in a build without TLS; they have no values.

use std::convert::Infallible;
use std::io;

use tokio::net::TcpStream;

use super::TlsFault;
use crate::error::Error;

fn none<T>() -> Result<T, Error> {
    Err(Error::other(
        "this build of martinet has no TLS: it needs the feature `tls`",
    ))
}

/// The certificate authority of a world, which does not exist in this build.
#[derive(Debug)]
pub(crate) struct Authority(Infallible);

impl Authority {
    /// Returns an error.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn new() -> Result<Self, Error> {
        none()
    }

    /// Its certificate, as PEM.
    pub(crate) fn pem(&self) -> String {
        match self.0 {}
    }
}

/// The TLS of a listener, which does not exist in this build.
#[derive(Clone, Debug)]
pub struct Tls(Infallible);

impl Tls {
    /// Makes a certificate.
    ///
    /// # Errors
    /// Always; there is no authority.
    pub(crate) fn made(authority: &Authority, _: &[String], _: TlsFault) -> Result<Self, Error> {
        match authority.0 {}
    }

    /// Returns an error.
    ///
    /// # Errors
    /// Always.
    pub fn own(_: &str, _: &str) -> Result<Self, Error> {
        none()
    }

    pub(crate) async fn accept(&self, _: TcpStream) -> io::Result<(Secured, String)> {
        match self.0 {}
    }

    /// The fault.
    pub fn fault(&self) -> TlsFault {
        match self.0 {}
    }

    /// The CA certificate that clients must trust, as PEM.
    pub fn authority(&self) -> &str {
        match self.0 {}
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> &str {
        match self.0 {}
    }
}

/// A connection under TLS, which does not exist in this build.
pub(crate) struct Secured(pub(super) TcpStream);

impl Secured {
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use crate::World;
    use crate::smtp::StartTls;

    #[tokio::test]
    async fn tls_is_an_error_without_the_feature() {
        let error = World::builder()
            .starttls(StartTls::Offered)
            .start()
            .await
            .expect_err("no TLS");
        assert_eq!(
            error.to_string(),
            "this build of martinet has no TLS: it needs the feature `tls`"
        );
    }
}
