//! What stands for TLS in a build without it: types that nothing can be of.

use std::convert::Infallible;
use std::io;

use tokio::net::TcpStream;

use super::TlsFault;
use crate::error::Error;

fn none<T>() -> Result<T, Error> {
    Err(Error::other(
        "this build of martinet has no TLS: it wants the feature `tls`",
    ))
}

/// Who signs the certificates of one world: in this build nobody.
#[derive(Debug)]
pub struct Authority(Infallible);

impl Authority {
    /// Makes no authority.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> Result<Self, Error> {
        none()
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        match self.0 {}
    }
}

/// A listener's TLS: in this build no listener has any.
#[derive(Clone, Debug)]
pub struct Tls(Infallible);

impl Tls {
    /// Makes a certificate.
    ///
    /// # Errors
    /// Never: there is no authority to make it.
    pub fn made(authority: &Authority, _: &[String], _: TlsFault) -> Result<Self, Error> {
        match authority.0 {}
    }

    /// Takes no certificate.
    ///
    /// # Errors
    /// Always.
    pub fn own(_: &str, _: &str) -> Result<Self, Error> {
        none()
    }

    pub(crate) async fn accept(&self, _: TcpStream) -> io::Result<(Secured, String)> {
        match self.0 {}
    }

    /// What is wrong with it.
    pub fn fault(&self) -> TlsFault {
        match self.0 {}
    }

    /// The authority that a client should trust, as PEM.
    pub fn authority(&self) -> &str {
        match self.0 {}
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> &str {
        match self.0 {}
    }
}

/// A connection under TLS, which this build never has.
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
    async fn who_wants_tls_is_told() {
        let error = World::builder()
            .starttls(StartTls::Offered)
            .start()
            .await
            .expect_err("no TLS");
        assert_eq!(
            error.to_string(),
            "this build of martinet has no TLS: it wants the feature `tls`"
        );
    }
}
