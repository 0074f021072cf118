//! The listeners of a world: the main one, and further ones with receivers and identities of their own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;

use super::bind::bind_tcp;
use crate::error::Error;
use crate::scenario::{self, Listener, ReceiverProfile, Scenario};
use crate::smtp::{Identity, ListenerConfig, ProxyMode, SessionConfig, StartTls};
use crate::tls::{Authority, Tls};

/// What the main listener does beside plain SMTP.
#[derive(Clone, Debug, Default)]
pub(super) struct MainListener {
    pub(super) proxy: ProxyMode,
    /// What becomes of STARTTLS, whatever the receiver says.
    pub(super) starttls: Option<StartTls>,
    /// One's own certificate.
    pub(super) tls: Option<Tls>,
    /// Who signs the certificates that are made.
    authority: OnceLock<Arc<Authority>>,
}

/// A further listener that is bound.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) door: ListenerConfig,
}

impl MainListener {
    /// The main listener.
    pub(super) fn door(&self, profile: &ReceiverProfile) -> Result<ListenerConfig, Error> {
        let starttls = self.starttls.unwrap_or(profile.receiver.settings.starttls);
        let tls = if starttls == StartTls::Never {
            None
        } else {
            Some(self.tls(profile)?)
        };
        Ok(ListenerConfig {
            proxy: self.proxy,
            starttls: self.starttls,
            tls,
            ..ListenerConfig::default()
        })
    }

    fn tls(&self, profile: &ReceiverProfile) -> Result<Tls, Error> {
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
        Tls::made(authority, &settings.hostname, settings.tls_fault)
    }

    /// Binds a further listener.
    pub(super) async fn bind(
        &self,
        spec: &Listener,
        scenario: &Scenario,
        profile: &ReceiverProfile,
    ) -> Result<Bound, Error> {
        let own = spec
            .receiver
            .as_deref()
            .map(scenario::load_receiver)
            .transpose()?;
        let met = own.as_ref().unwrap_or(profile);
        let reception = (own.is_some() || spec.client.is_some()).then(|| {
            let source = spec
                .client
                .clone()
                .unwrap_or_else(|| scenario.client_source());
            Arc::new(SessionConfig {
                receiver: Arc::clone(&met.receiver),
                identity: Arc::new(Identity::new(source, scenario.nat.clone())),
                lookup_patience: met.dns_timeout,
                recall: Arc::default(),
            })
        });
        let starttls = self.starttls.unwrap_or(met.receiver.settings.starttls);
        let tls = if spec.implicit_tls || starttls != StartTls::Never {
            Some(self.tls(met)?)
        } else {
            None
        };
        let Listener {
            protocol,
            proxy,
            implicit_tls,
            ..
        } = *spec;
        let door = ListenerConfig {
            reception,
            protocol,
            proxy,
            tls,
            implicit_tls,
            starttls: self.starttls,
        };
        let listener = bind_tcp("SMTP", spec.address).await?;
        let address = listener
            .local_addr()
            .map_err(|e| Error::io("cannot read a local address", e))?;
        Ok(Bound {
            listener,
            address,
            door,
        })
    }
}
