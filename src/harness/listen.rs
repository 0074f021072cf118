//! The listeners of a world: the main one, and additional ones with their own receivers and client addresses.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use tokio::net::TcpListener;

use super::bind::{bind_tcp, local_addr};
use crate::error::Error;
use crate::scenario::{Listener, ReceiverProfile};
use crate::smtp::{ListenerConfig, ProxyMode, SharedSessionConfig, StartTls};
use crate::tls::{Authority, Tls};

/// The settings of the main listener beyond plain SMTP. The other listeners have its settings of STARTTLS and XCLIENT.
#[derive(Clone, Debug, Default)]
pub(super) struct MainListener {
    pub(super) proxy: ProxyMode,
    /// The setting of STARTTLS; `None` for that of the receiver.
    pub(super) starttls: Option<StartTls>,
    /// The networks that can use XCLIENT; `None` for those of the receiver.
    pub(super) xclient: Option<Arc<[IpNet]>>,
    /// The certificate, if one is given.
    pub(super) tls: Option<Tls>,
    /// The CA that signs generated certificates.
    authority: OnceLock<Arc<Authority>>,
}

/// An additional listener that is bound.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) listener_config: ListenerConfig,
}

impl MainListener {
    /// The main listener.
    pub(super) fn listener_config(
        &self,
        profile: &ReceiverProfile,
        exchanges: &[String],
    ) -> Result<ListenerConfig, Error> {
        Ok(ListenerConfig {
            proxy: self.proxy.check()?,
            starttls: self.starttls,
            xclient: self.xclient.clone(),
            tls: self.starttls_of(profile, exchanges)?,
            ..ListenerConfig::default()
        })
    }

    /// TLS for STARTTLS of a receiver with these exchanges; `None` if it does not offer STARTTLS.
    pub(super) fn starttls_of(
        &self,
        profile: &ReceiverProfile,
        exchanges: &[String],
    ) -> Result<Option<Tls>, Error> {
        let starttls = self.starttls.unwrap_or(profile.receiver.settings.starttls);
        match starttls {
            StartTls::Never => Ok(None),
            StartTls::Offered | StartTls::Refused => self.tls(profile, exchanges).map(Some),
        }
    }

    /// The listener of an exchange.
    pub(super) fn exchange(
        &self,
        session_config: Arc<SharedSessionConfig>,
        unused: Arc<AtomicBool>,
    ) -> ListenerConfig {
        ListenerConfig {
            session_config: Some(session_config),
            proxy: self.proxy,
            starttls: self.starttls,
            xclient: self.xclient.clone(),
            unused,
            ..ListenerConfig::default()
        }
    }

    /// Creates a certificate with all names of the receiver: its own, and those in MX records.
    fn tls(&self, profile: &ReceiverProfile, exchanges: &[String]) -> Result<Tls, Error> {
        if let Some(own) = &self.tls {
            return Ok(own.clone());
        }
        let authority = match self.authority.get() {
            Some(made) => made,
            None => {
                let made = Arc::new(Authority::new()?);
                self.authority.get_or_init(|| made)
            }
        };
        let settings = &profile.receiver.settings;
        let own = &settings.hostname;
        let others = exchanges.iter().filter(|name| *name != own);
        let hosts: Vec<_> = std::iter::once(own).chain(others).cloned().collect();
        Tls::made(authority, &hosts, settings.tls_fault)
    }

    /// Binds an additional listener for this receiver.
    pub(super) async fn bind(
        &self,
        spec: &Listener,
        session_config: Option<Arc<SharedSessionConfig>>,
        profile: &ReceiverProfile,
        exchanges: &[String],
    ) -> Result<Bound, Error> {
        let tls = match spec.implicit_tls {
            true => Some(self.tls(profile, exchanges)?),
            false => self.starttls_of(profile, exchanges)?,
        };
        let Listener {
            protocol,
            proxy,
            implicit_tls,
            ..
        } = *spec;
        let listener_config = ListenerConfig {
            session_config,
            protocol,
            proxy: proxy.check()?,
            tls,
            implicit_tls,
            starttls: self.starttls,
            xclient: self.xclient.clone(),
            unused: Arc::default(),
        };
        let listener = bind_tcp("SMTP", spec.address).await?;
        let address = local_addr(&listener)?;
        Ok(Bound {
            listener,
            address,
            listener_config,
        })
    }
}
