//! TLS by rustls, with a certificate authority and a certificate generated at start, or a given certificate.

use std::fmt;
use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::TlsFault;
use crate::error::Error;

/// The certificate authority of a world. There is only one, because clients select an authority by its name.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Generates an authority that is valid from 2020 to 2049, so that no clock is needed.
    ///
    /// # Errors
    /// The operating system provides no random octets.
    pub(crate) fn new() -> Result<Self, Error> {
        let bad =
            |e: rcgen::Error| Error::other(format!("cannot make a certificate authority: {e}"));
        let mut root = CertificateParams::default();
        root.distinguished_name
            .push(DnType::CommonName, "martinet test authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (root.not_before, root.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 31));
        let key = KeyPair::generate().map_err(bad)?;
        CertifiedIssuer::self_signed(root, key)
            .map(Self)
            .map_err(bad)
    }

    /// The CA certificate, as PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }
}

/// The TLS of a listener.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    fault: TlsFault,
    authority: String,
    certificate: String,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Generates a certificate for host names, `localhost` and the loopback addresses.
    ///
    /// # Errors
    /// A host name is not allowed in a certificate.
    pub(crate) fn made(
        authority: &Authority,
        hosts: &[String],
        fault: TlsFault,
    ) -> Result<Self, Error> {
        let bad = |e: &dyn fmt::Display| {
            let hosts = hosts.join(", ");
            Error::other(format!("cannot make a certificate for {hosts}: {e}"))
        };
        let own = KeyPair::generate().map_err(|e| bad(&e))?;
        let params = leaf(hosts, fault).map_err(|e| bad(&e))?;
        let certificate = match fault {
            TlsFault::SelfSigned => params.self_signed(&own),
            _ => params.signed_by(&own, &authority.0),
        };
        let certificate = certificate.map_err(|e| bad(&e))?;
        let (certificate, key) = (certificate.pem(), own.serialize_pem());
        Self::of(&certificate, &key, authority.pem(), fault)
    }

    /// Uses a given certificate chain and key, both PEM.
    ///
    /// # Errors
    /// A file is not PEM, or the key does not match the certificate.
    pub fn own(certificate: &str, key: &str) -> Result<Self, Error> {
        Self::of(certificate, key, String::new(), TlsFault::None)
    }

    fn of(certificate: &str, key: &str, authority: String, fault: TlsFault) -> Result<Self, Error> {
        let bad =
            |what: &str, e: &dyn fmt::Display| Error::other(format!("cannot use the {what}: {e}"));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| bad("certificate", &e))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| bad("key", &e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad("TLS versions", &e))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| bad("certificate and key", &e))?;
        Ok(Self {
            config: Arc::new(config),
            fault,
            authority,
            certificate: certificate.to_owned(),
        })
    }

    /// The configuration for rustls.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Performs the handshake as the server; returns the connection with version and cipher suite.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<(Secured, String)> {
        let stream = TlsAcceptor::from(self.config()).accept(stream).await?;
        let session = stream.get_ref().1;
        let version = session
            .protocol_version()
            .and_then(|v| v.as_str())
            .unwrap_or_default();
        let suite = session
            .negotiated_cipher_suite()
            .and_then(|s| s.suite().as_str())
            .unwrap_or_default();
        let suite = format!("{version} {suite}");
        Ok((Secured(stream), suite))
    }

    /// The fault.
    pub(crate) fn fault(&self) -> TlsFault {
        self.fault
    }

    /// The CA certificate that clients must trust, as PEM; empty with a given certificate.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// A connection under TLS.
pub(crate) struct Secured(pub(super) TlsStream<TcpStream>);

impl Secured {
    /// The TCP connection below TLS.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.0.get_ref().0
    }
}

fn leaf(hosts: &[String], fault: TlsFault) -> Result<CertificateParams, rcgen::Error> {
    let mut names = vec!["wrong-name.invalid".to_owned()];
    if fault != TlsFault::WrongName {
        names = hosts.to_vec();
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    }
    let first = names[0].clone();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, first);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let last = if fault == TlsFault::Expired {
        date_time_ymd(2021, 1, 1)
    } else {
        date_time_ymd(2049, 12, 31)
    };
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), last);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_every_fault() {
        let authority = Authority::new().expect("an authority");
        for (word, fault) in TlsFault::ALL {
            let tls = Tls::made(&authority, &["mx.martinet.test".to_owned()], fault)
                .unwrap_or_else(|e| panic!("{word}: {e}"));
            assert!(
                tls.authority().starts_with("-----BEGIN CERTIFICATE-----"),
                "{word}"
            );
            // Trust in the authority does not include a certificate that it has not signed.
            assert_ne!(tls.authority(), tls.certificate(), "{word}");
        }
    }

    #[test]
    fn invalid_certificates() {
        assert!(Tls::own("x", "y").is_err());
        let (one, other) = (
            KeyPair::generate().expect("a key"),
            KeyPair::generate().expect("a key"),
        );
        let certificate = leaf(&["a.test".to_owned()], TlsFault::None)
            .and_then(|p| p.self_signed(&one))
            .expect("a certificate");
        assert!(Tls::own(&certificate.pem(), &other.serialize_pem()).is_err());
        assert!(Tls::own(&certificate.pem(), &one.serialize_pem()).is_ok());
    }
}
